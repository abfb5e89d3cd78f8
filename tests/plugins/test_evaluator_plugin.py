"""`mlflow.models.evaluate` with the plugin: the same figures, in MLflow's own way, beside MLflow's own evaluators."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from plugins.hospital import NUMERIC, everything, numeric_study, runs
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml import Dossier, Study, StudyFile, measure, measurement
from synthml.errors import InputError
from synthml_tracking.client import load_mlflow
from synthml_tracking.evaluator import SynthmlEvaluator
from synthml_tracking.items import metrics, short_digest

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {"settings": QUICK, "kinds": ["utility", "subgroups", "disclosure"]}
TARGET = "readmitted"


@dataclass
class Evaluated:
    """A model that was trained wrapped and registered, evaluated by tracking.evaluate and then through MLflow."""

    mlflow: Any
    client: Any
    run: tracking.Run
    result: Any
    expected: Dossier


def trained(given: Study) -> tracking.Run:
    """A finished wrapped run."""
    with tracking.start_run(given, settings=QUICK) as run:
        run.fit(estimator())
    return run


def through_mlflow(mlflow: Any, model: Any, given: Any, data: Any = None, **more: Any) -> Any:
    """The call that a user makes."""
    rows = tables()["holdout"] if data is None else data
    return mlflow.models.evaluate(
        model,
        rows,
        targets=TARGET,
        model_type="classifier",
        evaluators="synthml",
        evaluator_config={**CONFIG, "study": given, **more},
    )


@pytest.fixture
def few(few_kinds: None) -> None:
    """Training measures two kinds only."""


@pytest.fixture(scope="module")
def evaluated(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    found, folder, given = load_mlflow(), tmp_path_factory.mktemp("evaluated"), study()
    shutil.copy(migrated, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.chdir(folder)
        patch.setattr(measurement, "KINDS", {kind: measurement.KINDS[kind] for kind in CONFIG["kinds"]})
        found.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        run = trained(given)
        run.register("readmission")
        expected = tracking.evaluate(run.model_uri, given, settings=QUICK)
        result = through_mlflow(found, run.model_uri, given)
        found.set_tracking_uri(None)
        found.clear_active_model()
    return Evaluated(found, found.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}"), run, result, expected)


def test_it_gives_the_figures_of_evaluate_and_logs_each_once(evaluated: Evaluated) -> None:
    """Values are equal to the last bit; each is once in the run and once on the model, linked to the table it is about."""
    client, result = evaluated.client, evaluated.result
    run = client.get_run(result.run_id)
    assert run.data.metrics == evaluated.expected.metrics()
    assert all(len(client.get_metric_history(result.run_id, key)) == 1 for key in list(run.data.metrics)[::25])
    digests = {item.key: item.dataset for item in metrics(evaluated.expected)}
    holdout = study().tables["holdout"].digest
    assert result.metrics == {key: value for key, value in run.data.metrics.items() if digests[key] == holdout}
    assert "utility.auroc.tstr/all" in result.metrics
    logged = [
        one
        for one in client.get_logged_model(evaluated.run.model_uri.removeprefix("models:/")).metrics
        if one.run_id == result.run_id
    ]
    assert len(logged) == len(run.data.metrics)
    for one in logged:
        if digests[one.key] == holdout:
            assert one.dataset_name == "dataset"  # MLflow's name for `data`
        else:
            assert (one.dataset_name, one.dataset_digest) == ("synthetic", short_digest(str(digests[one.key])))


def test_it_logs_evidence_and_report_and_tells_the_versions(evaluated: Evaluated) -> None:
    """Artifacts, tags and dataset inputs are as for an evaluation of ours; no table of rows, no parameter, no second run."""
    client, result = evaluated.client, evaluated.result
    evidence = json.loads(evaluated.mlflow.artifacts.load_text(result.artifacts["synthml/evidence"].uri))
    dossier = Dossier.from_dict(evidence)
    assert result.artifacts["synthml/evidence"].content == evidence
    assert dossier.figures == evaluated.expected.figures
    assert dossier.model == evaluated.expected.model
    assert "<html" in result.artifacts["synthml/report"].content
    assert {one.path for one in client.list_artifacts(result.run_id)} == {"synthml"}
    run = client.get_run(result.run_id)
    assert run.data.params == {}
    assert run.info.status == "FINISHED"
    key = f"synthml.ev.{short_digest(dossier.digest)}"
    assert run.data.tags[key] == "evaluator"
    assert client.get_model_version("readmission", "1").tags[key] == "evaluator"
    names = sorted(one.dataset.name for one in run.inputs.dataset_inputs)
    assert names == ["dataset", "holdout", "source", "synthetic"]
    assert [one.model_id for one in run.inputs.model_inputs] == [evaluated.run.model_uri.removeprefix("models:/")]


def test_what_mlflow_logs_of_the_data_holds_no_value(evaluated: Evaluated) -> None:
    """The dataset input that stock MLflow makes of `data`: name, short digest, schema, counts and where the code ran."""
    run = evaluated.client.get_run(evaluated.result.run_id)
    (stock,) = [one.dataset for one in run.inputs.dataset_inputs if one.dataset.name == "dataset"]
    assert len(stock.digest) == 8
    assert json.loads(stock.profile) == {"num_rows": 400, "num_elements": 2400}
    schema = json.loads(stock.schema)["mlflow_colspec"]
    assert {one["name"] for one in schema} == set(tables()["holdout"].columns)
    assert all(set(one) == {"name", "type", "required"} for one in schema)
    assert stock.source_type == "code"
    assert all(key.startswith("mlflow.") for key in json.loads(stock.source)["tags"])
    (told,) = json.loads(run.data.tags["mlflow.datasets"])
    assert set(told) == {"name", "hash", "model"}  # an MD5 of the first and last five rows


@pytest.mark.usefixtures("few")
def test_it_works_beside_mlflows_own_evaluator(mlflow: Any) -> None:
    """Each with its own config, in one call: MLflow's metrics are there under their names, ours under theirs."""
    given = numeric_study()
    run = trained(given)
    rows = tables()["holdout"][[*NUMERIC, TARGET]]
    with mlflow.start_run() as active:
        result = mlflow.models.evaluate(
            lambda X: (X["age"] > 60).to_numpy().astype(int),
            rows,
            targets=TARGET,
            model_type="classifier",
            evaluators=["default", "synthml"],
            evaluator_config={"default": {"log_model_explainability": False}, "synthml": {"study": given, "settings": QUICK}},
        )
        again = mlflow.models.evaluate(
            run.model_uri,
            rows,
            targets=TARGET,
            model_type="regressor",
            evaluators=["synthml"],
            evaluator_config={"synthml": {"study": given, "settings": QUICK}},
        )
    assert result.run_id is None or result.run_id == active.info.run_id
    assert {"accuracy_score", "utility.accuracy.tstr/all"} <= set(result.metrics)
    found = mlflow.get_run(active.info.run_id)
    assert found.data.metrics["accuracy_score"] == result.metrics["accuracy_score"]
    assert again.metrics["utility.auroc.tstr/all"] == run.dossier.figures["utility.auroc.tstr/all"].value
    assert found.data.metrics["utility.auroc.tstr/all"] == again.metrics["utility.auroc.tstr/all"]


@pytest.mark.usefixtures("few")
def test_it_is_silent_unless_its_config_is_there(mlflow: Any, tmp_path: Path) -> None:
    """With evaluators=None everybody is asked: nothing of ours is in the run, whatever the others' config says."""
    rows = tables()["holdout"][[*NUMERIC, TARGET]]
    result = mlflow.models.evaluate(
        lambda X: (X["age"] > 60).to_numpy().astype(int),
        rows,
        targets=TARGET,
        model_type="classifier",
        evaluator_config={"log_model_explainability": False},
    )
    assert "accuracy_score" in result.metrics
    (run,) = runs(mlflow)
    assert not [name for name in (*run.data.metrics, *run.data.tags) if "synthml" in name or name.startswith("utility.")]
    assert not (tmp_path / "synthml-spool").exists()
    for config in (None, {}, {"study": None}, [], {"metric_prefix": "x"}):
        assert SynthmlEvaluator.can_evaluate(model_type="classifier", evaluator_config=config) is False


def test_loading_the_plugin_loads_nothing_else() -> None:
    """MLflow loads it in every process that evaluates: it brings in no measuring code and no learner."""
    code = (
        "import sys, importlib.metadata as m\n"
        "import mlflow.models.evaluation.base\n"
        "before = set(sys.modules)\n"
        "(point,) = m.entry_points(group='mlflow.model_evaluator', name='synthml')\n"
        "assert point.load().name == 'synthml'\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip().splitlines()[-1] == "['synthml_tracking', 'synthml_tracking.evaluator']"


@pytest.mark.usefixtures("few")
def test_it_measures_a_function_and_a_pyfunc_on_the_same_rows(mlflow: Any) -> None:
    """A function of the user's rows, with their dtypes, and a pyfunc: figures equal those of measure with the same scores."""
    given = numeric_study()
    seen: list[Any] = []

    def score(X: Any) -> Any:
        seen.append(X.dtypes.astype(str).to_dict())
        return 1 / (1 + np.exp(-(X["age"] - 55) / 20))

    rows = tables()["holdout"][["lactate", TARGET, "age"]]
    result = through_mlflow(mlflow, score, given, rows, kinds=["utility"])
    assert seen[0] == {"age": "int64", "lactate": "float64"}
    expected = measure(given, fitted=lambda X: score(X.astype({"age": "int64"})), kinds=["utility"], settings=QUICK)
    found = mlflow.MlflowClient().get_run(result.run_id)
    assert found.data.metrics == expected.metrics()
    assert "synthml.model_digest" not in found.data.tags
    run = trained(given)
    loaded = mlflow.pyfunc.load_model(run.model_uri)
    again = through_mlflow(mlflow, loaded, given, rows, kinds=["utility"])
    assert again.metrics["utility.auroc.tstr/all"] == run.dossier.figures["utility.auroc.tstr/all"].value
    assert again.metrics["utility.threshold.tstr/all"] == run.dossier.figures["utility.threshold.tstr/all"].value


@pytest.mark.usefixtures("few")
def test_a_model_that_stock_mlflow_logged_is_measured(mlflow: Any) -> None:
    """Logged by mlflow.sklearn.log_model, with labels as its serving answer: its probabilities are measured all the same."""
    given, table = numeric_study(), tables()["synthetic"]
    model = estimator().fit(table[NUMERIC], table[TARGET])
    info = mlflow.sklearn.log_model(model, name="plain", serialization_format="cloudpickle")
    while mlflow.active_run() is not None:
        mlflow.end_run()
    result = through_mlflow(mlflow, info.model_uri, given, kinds=["utility"])
    expected = measure(given, model=model, fitted=model, kinds=["utility"], settings=QUICK)
    assert mlflow.MlflowClient().get_run(result.run_id).data.metrics == expected.metrics()


@pytest.mark.usefixtures("few")
def test_a_study_without_a_holdout_gets_the_data_as_one(mlflow: Any) -> None:
    """The evaluator holds the real rows, the study file only what the engineer had: figures and digests are the full study's."""
    full = numeric_study()
    run = trained(full)
    part = numeric_study(given={role: table for role, table in tables().items() if role != "holdout"})
    result = through_mlflow(mlflow, run.model_uri, part, kinds=["utility"])
    evidence = Dossier.from_dict(result.artifacts["synthml/evidence"].content)
    assert result.metrics == {k: v for k, v in run.dossier.metrics().items() if k in result.metrics}
    assert {role: facts["digest"] for role, facts in evidence.datasets.items()} == {
        role: facts["digest"] for role, facts in full.dataset_facts().items()
    }
    assert part.roles == ("source", "synthetic")


@pytest.mark.usefixtures("few")
def test_the_study_may_be_a_file_and_the_policy_a_name(mlflow: Any, tmp_path: Path) -> None:
    """Seed and settings are the file's unless the config has others; with a policy the verdict is an artifact too."""
    given = tables()
    for role, table in given.items():
        table.to_parquet(tmp_path / f"{role}.parquet")
    (tmp_path / "study.yaml").write_text(
        "schema: {target: readmitted, positive: 1, features: [age, lactate], sensitive: [sex], subject: person}\n"
        "tables: {source: source.parquet, synthetic: synthetic.parquet, holdout: holdout.parquet}\n"
        "measure: {replicates: 100, learners: false, drift: false, folds: 2, importance_rows: 100, importance_repeats: 1}\n"
        "seed: 11\n",
        encoding="utf-8",
    )
    file = tmp_path / "study.yaml"
    run = trained(StudyFile.load(file).study())
    result = mlflow.models.evaluate(
        run.model_uri,
        given["holdout"],
        targets=TARGET,
        model_type="classifier",
        evaluators="synthml",
        evaluator_config={"study": str(file), "kinds": ["utility"], "policy": "research-sandbox"},
    )
    evidence = result.artifacts["synthml/evidence"].content
    assert (evidence["seed"], evidence["study"]["settings"]["replicates"]) == (11, 100)
    assert result.artifacts["synthml/verdict"].content["outcome"] in ("pass", "fail", "insufficient")
    assert "synthml.verdict" in mlflow.get_run(result.run_id or evidence["run"]).data.tags


def changed(column: str) -> Any:
    """The holdout with one value changed."""
    table = tables()["holdout"]
    table.loc[17, column] = table.loc[18, column] + 1
    return table


@pytest.mark.parametrize(
    ("data", "config", "message"),
    [
        (None, {"studdy": 1}, "no 'studdy'. Did you mean 'study'"),
        (None, {"kinds": ["utilities"]}, "no evidence of kind"),
        (None, {"study": 5}, "not a int"),
        (tables()["source"], {}, "not the study's holdout: column"),
        (tables()["holdout"].iloc[:-1], {}, "399 rows, the holdout has 400"),
        (tables()["holdout"].iloc[::-1], {}, "column 'person' differs in 400 rows"),
        (changed("lactate"), {}, "column 'lactate' differs in 1 rows \\(first at row 17\\)"),
        (tables()["holdout"].drop(columns="lactate"), {}, "lack 1 columns .* lactate"),
    ],
)
def test_what_cannot_be_evaluated_is_told(mlflow: Any, data: Any, config: dict[str, Any], message: str) -> None:
    """Each with one clear message; the run that MLflow opened is marked as failed and holds nothing."""
    with pytest.raises(InputError, match=message):
        through_mlflow(mlflow, lambda X: X["age"] / 100, numeric_study(), data, **config)
    (run,) = runs(mlflow)
    assert run.info.status == "FAILED"
    assert run.data.metrics == {}
    assert mlflow.active_run() is None


def test_labels_and_arrays_and_predictions_alone_are_refused(mlflow: Any) -> None:
    """What is not a model of the study's columns with probabilities."""
    given, rows = numeric_study(), tables()["holdout"][[*NUMERIC, TARGET]]
    with pytest.raises(InputError, match="gives labels"):
        through_mlflow(mlflow, lambda X: np.where(X["age"] > 50, "yes", "no"), given)
    call = {"model_type": "classifier", "evaluators": "synthml", "evaluator_config": {"study": given}}
    with pytest.raises(InputError, match="give `data` as a DataFrame"):
        mlflow.models.evaluate(lambda X: X[:, 0], rows[NUMERIC].to_numpy(), targets=rows[TARGET].to_numpy(), **call)
    with pytest.raises(InputError, match="not its predictions alone"):
        mlflow.models.evaluate(None, rows.assign(p=0.5), targets=TARGET, predictions="p", **call)
    with pytest.raises(InputError, match="targets='age'; the study's target is 'readmitted'"):
        mlflow.models.evaluate(lambda X: X["lactate"], rows, targets="age", **call)


@pytest.mark.usefixtures("few")
def test_data_that_carry_the_studys_digest_are_one_dataset(mlflow: Any) -> None:
    """With our name and digest MLflow's own input and ours are the same, and metrics are linked to it."""
    given = numeric_study()
    run = trained(given)
    digest = short_digest(given.tables["holdout"].digest)
    rows = mlflow.data.from_pandas(tables()["holdout"], targets=TARGET, name="holdout", digest=digest)
    result = mlflow.models.evaluate(
        run.model_uri,
        rows,
        model_type="classifier",
        evaluators="synthml",
        evaluator_config={"study": given, "settings": QUICK, "kinds": ["utility"]},
    )
    model = mlflow.MlflowClient().get_logged_model(run.model_uri.removeprefix("models:/"))
    linked = {(one.dataset_name, one.dataset_digest) for one in model.metrics if one.key in result.metrics}
    assert linked == {("holdout", digest)}


def test_a_canary_of_the_holdout_is_found_nowhere(mlflow: Any, tmp_path: Path) -> None:
    """Rare labels and numbers of the rows that are evaluated stand in no file of the store."""
    from recording.test_canary import forms, planted

    given = planted()
    known = study(given)
    with tracking.start_run(known, settings=QUICK, strict=True) as run:
        run.fit(estimator())
    through_mlflow(mlflow, run.model_uri, known, given["holdout"])
    files = everything(tmp_path)
    assert any(b"usual" in raw for raw in files.values())
    for canary, encoded in forms().items():
        where = [name for name, raw in files.items() if any(form in raw for form in encoded)]
        assert not where, f"{canary} stands in {where}"
