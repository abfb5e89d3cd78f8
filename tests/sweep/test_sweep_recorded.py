"""`synthml sweep` leaves a parent run with the frontier and a nested run for every draw, and no model or table."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from patients import patients

from synthml.attestation import is_envelope, new_key, unverified
from synthml_tracking.ledger import Ledger

STUDY = """
schema: {target: ill, positive: 1, sensitive: [sex], subject: person, quasi_identifiers: [age, sex, site], secrets: [ill],
         minimum_cell: {rows: 50, events: 10}}
tables: {source: source.parquet, holdout: holdout.parquet}
model: {estimator: sklearn.linear_model.LogisticRegression, params: {max_iter: 300}}
generator: {synthesizer: synthml.CartSynthesizer, params: {seed: 3}}
measure: {importance_rows: 100, importance_repeats: 1, disclosure: {predicates: 200, split_halves: 20}}
"""


def command(folder, *words):
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    run = [sys.executable, "-m", "synthml_tracking.cli", "sweep", "study.yaml", "--tracking-uri", uri, *words]
    return subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False), uri


@pytest.fixture
def folder(tmp_path):
    patients(600, 1, per_subject=2).to_parquet(tmp_path / "source.parquet")
    patients(600, 2, per_subject=2, first_subject=10_000).to_parquet(tmp_path / "holdout.parquet")
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own store, which is read here without the package's client
def test_a_sweep_is_a_parent_with_a_nested_run_for_every_draw(folder):
    (folder / "key.pem").write_bytes(new_key())
    done, uri = command(folder, "--grid", "min_leaf=2,40", "--draws", "1", "--output", "out", "--json", "--sign-key", "key.pem")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["outcomes"]) == {"min_leaf=2", "min_leaf=40"}
    assert (folder / "out" / "report.html").exists()
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs([client.get_run(told["run_id"]).info.experiment_id])
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == told["run_id"]]
    assert {run.data.params["synthml.sweep.min_leaf"] for run in nested} == {"2", "40"}
    assert all(run.info.status == "FINISHED" for run in runs)
    assert all("disclosure.linkability.risk/all" in run.data.metrics for run in nested)
    parent = client.get_run(told["run_id"])
    assert "sweep.auroc.mean/min_x5f_leaf:40" in parent.data.metrics
    assert "synthml.sweep.passing" in parent.data.tags
    files = {file.path for file in client.list_artifacts(told["run_id"], "synthml")}
    assert "synthml/report.html" in files
    logged = [
        path for path in Path(folder).rglob("*") if path.suffix in (".parquet", ".csv", ".pkl", ".ubj") and "mlruns" in str(path)
    ]
    assert not logged
    named = {run.info.run_id: {key.removeprefix("synthml.ds."): role for key, role in run.data.tags.items()} for run in nested}
    (source,) = {key for tables in named.values() for key, role in tables.items() if role == "source"}
    drawn = {key for tables in named.values() for key, role in tables.items() if role == "synthetic"}
    made = Ledger(client).made_from(source)
    assert {key for entry in made for key in entry.subjects} == drawn
    assert all(is_envelope(entry.raw) for entry in made)
    for run in runs:
        (statement,) = client.list_artifacts(run.info.run_id, "synthml/attestations")
        raw = Path(client.download_artifacts(run.info.run_id, statement.path, tempfile.mkdtemp(dir=folder))).read_bytes()
        (key,) = [key.removeprefix("synthml.ev.") for key in run.data.tags if key.startswith("synthml.ev.")]
        assert unverified(raw).statement.digest_of("evidence").startswith(f"sha256:{key}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--grid", "min_leef=1"], "no parameter min_leef"),
        (["--grid", "min_leaf=0"], "min_leaf must be"),
        (["--grid", "min_leaf=1", "--generator", "synthml.NoSuchThing"], "NoSuchThing"),
        (["--grid", "min_leaf=1", "--policy", "nothing"], "no policy"),
    ],
)
def test_a_mistake_is_told_before_anything_is_read_or_written(folder, words, told):
    done, _ = command(folder, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "mlflow.db").exists()
