"""The commands: what they write, what they say, and their exit codes."""

import json
import os
import re

import pytest
import yaml
from patients import patients

import synthml
from synthml_tracking.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning:mlflow")

STUDY = {
    "schema": {
        "target": "ill",
        "positive": 1,
        "sensitive": ["sex", "site"],
        "subject": "person",
        "minimum_cell": {"rows": 50, "events": 10},
    },
    "tables": {"source": "source.parquet", "synthetic": "synthetic.parquet", "holdout": "holdout.csv"},
    "model": {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 1000}},
    "measure": {"learners": False, "replicates": 200, "drift": False},
    "tracking": {"experiment": "clinic", "registered_model": "clinic-ill"},
    "seed": 3,
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with the tables and the study file."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    patients(900, 1).to_parquet("source.parquet")
    patients(900, 2, noise=0.5).to_parquet("synthetic.parquet")
    patients(900, 3, first_subject=10**6).to_csv("holdout.csv", index=False)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def call(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def change(place, **parts):
    (place / "study.yaml").write_text(yaml.safe_dump({**STUDY, **parts}))


def test_measure_writes_evidence_and_report_without_mlflow(place, capsys):
    change(place, measure={"learners": False, "replicates": 200})
    code, out, _ = call(capsys, "measure", "study.yaml", "--output", "out", "--json")
    assert code == 0
    dossier = synthml.Dossier.from_json((place / "out" / "evidence.json").read_bytes())
    assert json.loads(out)["digest"] == dossier.digest
    assert dossier.figures["utility.auroc.tstr/all"].ok
    assert dossier.created.endswith("Z")
    assert sorted(p.name for p in (place / "out").iterdir()) == ["drift.html", "evidence.json", "report.html"]
    assert not (place / "mlflow.db").exists()


def test_digest_of_a_table_does_not_depend_on_its_format(place, capsys):
    holdout = patients(900, 3, first_subject=10**6)
    holdout.to_parquet("holdout.parquet")
    a = call(capsys, "digest", "holdout.csv", "--schema", "study.yaml")[1].strip()
    b = call(capsys, "digest", "holdout.parquet", "--schema", "study.yaml")[1].strip()
    assert a == b
    assert re.fullmatch("sha256:[0-9a-f]{64}", a)
    (place / "key").write_bytes(b"a secret of the hospital")
    keyed = call(capsys, "digest", "holdout.csv", "--schema", "study.yaml", "--key-file", "key")[1].strip()
    assert keyed.startswith("hmac-sha256:")


def test_run_trains_measures_logs_and_registers_and_evaluate_adds_to_it(place, capsys):
    code, out, _ = call(capsys, "run", "study.yaml", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["registered"] == "models:/clinic-ill/1"
    assert (place / "mlflow.db").exists()
    assert not (place / "synthml-spool").exists()
    code, out, _ = call(capsys, "evaluate", facts["registered"], "study.yaml", "--json")
    assert code == 0
    assert json.loads(out)["model"]["digest"] == facts["model_digest"]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"schema": {**STUDY["schema"], "target": "sick"}}, "sick"),
        ({"schema": {**STUDY["schema"], "sensitve": []}}, "sensitive"),
        ({"tables": {"synthetic": "nowhere.parquet"}}, "nowhere.parquet"),
        ({"model": {"estimator": "sklearn.linear_model.LogisticRegresion"}}, "LogisticRegresion"),
        ({"measure": {"threshold": 3}}, "threshold"),
    ],
)
def test_bad_input_is_told_without_a_traceback_and_leaves_nothing_behind(place, capsys, parts, told):
    change(place, **parts)
    before = sorted(p.name for p in place.iterdir())
    for command in (["run", "study.yaml"], ["measure", "study.yaml", "--output", "out"]):
        code, out, err = call(capsys, *command)
        assert code == 2
        assert told in err
        assert "Traceback" not in err + out
    assert sorted(p.name for p in place.iterdir()) == before


def test_a_server_that_cannot_be_reached_is_exit_code_4(place, capsys):
    code, _, err = call(capsys, "run", "study.yaml", "--tracking-uri", "http://127.0.0.1:9")
    assert code == 4
    assert "cannot be reached" in err
    assert "Traceback" not in err


def test_what_nobody_foresaw_is_exit_code_5_and_never_shows_a_value(place, capsys):
    (place / "broken.py").write_text(
        "from sklearn.base import BaseEstimator, ClassifierMixin\n"
        "class Broken(ClassifierMixin, BaseEstimator):\n"
        "    def fit(self, X, y):\n        raise RuntimeError('patient ZEBRA')\n"
        "    def predict(self, X):\n        return None\n"
    )
    change(place, model={"estimator": "broken.Broken"})
    import sys

    sys.path.insert(0, str(place))
    try:
        code, out, err = call(capsys, "measure", "study.yaml", "--output", "out")
    finally:
        sys.path.remove(str(place))
        sys.modules.pop("broken", None)
    assert code == 5
    assert "RuntimeError" in err
    assert "ZEBRA" not in err + out
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    "words", [["run"], ["run", "absent.yaml"], ["nonsense"], ["demo", "--seed", "x"], ["resume", "study.yaml"]]
)
def test_wrong_usage_is_exit_code_2(place, capsys, words):
    code, _, err = call(capsys, *words)
    assert code == 2
    assert err


def test_a_folder_that_is_no_spool_is_told(place, capsys):
    (place / "empty").mkdir()
    code, _, err = call(capsys, "resume", "empty")
    assert code == 2
    assert "spool" in err


def test_help_of_every_command(capsys):
    from synthml_tracking.cli import cli

    for name in cli.commands:
        code, out, _ = call(capsys, name, "--help")
        assert code == 0
        assert "Usage: synthml" in out
