"""Wrapped training against the embedded store: what a reviewer finds afterwards, and what is left as it was."""

from __future__ import annotations

import json
import os
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml import Dossier, Policy, folder_digest
from synthml.errors import InputError, TrackingError
from synthml_tracking.client import address, load_mlflow

if TYPE_CHECKING:
    from recording.conftest import Recorded

mlflow = load_mlflow()


def wrapped(**given: Any) -> tracking.Run:
    """A finished run of the small study."""
    with tracking.start_run(study(), settings=QUICK, **given) as run:
        run.fit(estimator())
    return run


def client(uri: str) -> Any:
    return mlflow.MlflowClient(uri)


def test_a_run_shows_everything_that_was_measured(recorded: Recorded) -> None:
    """Every number of the dossier is a metric of the run and of the LoggedModel, linked to the table that it was measured on."""
    run, reader = recorded.run, client(recorded.uri)
    found = reader.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == pytest.approx(run.dossier.metrics())
    model = reader.get_logged_model(run.model_uri.removeprefix("models:/"))
    assert str(model.status) == "READY"
    assert len(model.metrics) == len(run.dossier.metrics())
    digests = {role: facts["digest"].removeprefix("sha256:")[:32] for role, facts in run.dossier.datasets.items()}
    for metric in model.metrics:
        about_synthetic = ".trts" in metric.key or metric.key.startswith(("disclosure.", "fidelity."))
        about_model = metric.key.startswith(("utility.", "disparity.", "learners.", "explain.", "bias.amplification."))
        expected = "synthetic" if about_synthetic else "holdout" if about_model else metric.dataset_name
        assert (metric.dataset_name, metric.dataset_digest) == (expected, digests[expected])
    contexts = {one.dataset.name: one.tags[0].value for one in found.inputs.dataset_inputs}
    assert contexts == {"source": "source", "synthetic": "synthetic", "holdout": "holdout"}
    assert [output.model_id for output in found.outputs.model_outputs] == [model.model_id]
    assert reader.get_experiment(found.info.experiment_id).name == "readmission"


def test_the_evidence_is_named_by_its_own_digest(recorded: Recorded) -> None:
    """The artifact is the dossier, byte for byte; its name and the tags of run and version are its SHA-256."""
    run, reader = recorded.run, client(recorded.uri)
    key = run.dossier.digest.removeprefix("sha256:")[:32]
    uri = f"runs:/{run.run_id}/synthml/evidence/{key}.json"
    assert Path(mlflow.artifacts.download_artifacts(uri, tracking_uri=recorded.uri)).read_bytes() == run.dossier.to_json()
    tags = reader.get_model_version(recorded.version.name, recorded.version.version).tags
    assert tags[f"synthml.ev.{key}"] == "engineer"
    for role, facts in run.dossier.datasets.items():
        assert tags[f"synthml.ds.{facts['digest'].removeprefix('sha256:')[:32]}"] == role
    assert tags["synthml.verdict"].startswith(run.verdict.outcome)
    names = {entry.path for entry in reader.list_artifacts(run.run_id, "synthml")}
    assert names == {"synthml/evidence", "synthml/report.html", "synthml/verdict.json"}


def test_the_model_digest_is_that_of_the_files_in_the_store(recorded: Recorded, tmp_path: Path) -> None:
    """Downloaded by its id or as a registered version, the folder has the digest that the evidence binds."""
    run = recorded.run
    for i, uri in enumerate((run.model_uri, f"models:/{recorded.version.name}/{recorded.version.version}")):
        with address(recorded.uri):
            folder = mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path / str(i)))
        assert folder_digest(folder) == run.dossier.model["digest"]
    description = mlflow.models.Model.load(folder)
    assert (description.model_id, description.run_id) == (run.model_uri.removeprefix("models:/"), run.run_id)
    assert not list(Path(folder).rglob("*input_example*"))


def test_the_logged_model_gives_the_probabilities_that_were_measured(store: str) -> None:
    """scikit-learn's and MLflow's own loaders give the probabilities of the trained predictor; the threshold goes with it."""
    with tracking.start_run(study(), settings=QUICK) as run:
        predictor = run.fit(estimator())
    rows = study().features("holdout")
    with address(store):
        assert np.allclose(mlflow.sklearn.load_model(run.model_uri).predict_proba(rows), predictor.predict_proba(rows))
        served = mlflow.pyfunc.load_model(run.model_uri)
        assert np.allclose(served.predict(rows), predictor.predict_proba(rows))
    used = run.dossier.figures["utility.threshold.tstr/all"].value
    assert served.metadata.metadata["synthml"]["threshold"] == run.dossier.model["threshold"] == pytest.approx(used)


def test_a_version_is_described_by_the_reviewers_card(store: str) -> None:
    """The description is the card, within what every registry holds; the model's page lists its versions; aliases stay."""
    run = wrapped()
    first = run.register("readmission-risk")
    client(store).set_registered_model_alias("readmission-risk", "champion", first.version)
    second = run.register("readmission-risk")
    assert (first.version, second.version) == ("1", "2")
    described = client(store).get_model_version("readmission-risk", "2")
    assert 200 < len(described.description) <= 5000
    assert described.source == run.model_uri
    assert client(store).get_registered_model("readmission-risk").aliases == {"champion": 1}
    shown = client(store).get_logged_model(run.model_uri.removeprefix("models:/")).tags["mlflow.modelVersions"]
    assert json.loads(shown) == [{"name": "readmission-risk", "version": 1}, {"name": "readmission-risk", "version": 2}]


def test_registering_works_inside_the_block(store: str) -> None:
    """A model is recorded when `fit` returns, so it can be registered before the run ends."""
    with tracking.start_run(study(), settings=QUICK) as run:
        run.fit(estimator())
        version = run.register("inside")
        mlflow.log_param("mine", run.model_uri)
    assert client(store).get_model_version("inside", version.version).run_id == run.run_id
    assert client(store).get_run(run.run_id).data.params["mine"] == run.model_uri


def test_nothing_global_is_different_afterwards(store: str, tmp_path: Path) -> None:
    """Address, environment and active runs are as before, with a store of ours and with one that the user had set."""
    before = dict(os.environ)
    wrapped(tracking_uri=store)
    assert dict(os.environ) == before
    assert not mlflow.is_tracking_uri_set()
    assert mlflow.active_run() is None
    other = f"sqlite:///{tmp_path / 'other.db'}"
    os.environ["MLFLOW_TRACKING_URI"] = other
    try:
        wrapped(tracking_uri=store)
        assert mlflow.get_tracking_uri() == other
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
    assert not (tmp_path / "other.db").exists()
    assert not (tmp_path / "synthml-spool").exists()


def test_inside_an_active_run_it_nests(store: str) -> None:
    """The wrapped run is a child of the user's run, in its experiment, and the user's run is active again afterwards."""
    mlflow.set_tracking_uri(store)
    try:
        with mlflow.start_run() as outer:
            run = wrapped()
            assert mlflow.active_run().info.run_id == outer.info.run_id
            mlflow.log_metric("mine", 1.0)
        with mlflow.start_run(), pytest.raises(InputError, match="is active"), tracking.start_run(study(), nested=False):
            pass
    finally:
        mlflow.set_tracking_uri(None)
    inner = client(store).get_run(run.run_id)
    assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert inner.info.experiment_id == outer.info.experiment_id
    assert client(store).get_run(outer.info.run_id).data.metrics == {"mine": 1.0}


def test_the_users_own_calls_land_in_the_run(store: str) -> None:
    """What the user logs inside the block stands beside what synthml logs."""
    with tracking.start_run(study(), settings=QUICK, run_name="mine") as run:
        mlflow.log_metric("my metric", 0.5)
        run.fit(estimator())
        mlflow.set_tag("after", "fit")
    found = client(store).get_run(run.run_id)
    assert found.info.run_name == "mine"
    assert found.data.metrics["my metric"] == 0.5
    assert found.data.tags["after"] == "fit"


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_autolog_changes_nothing_and_logs_no_model_of_real_rows(store: str) -> None:
    """With autolog on the run has the same metrics, params and one model; outside of `fit` autolog works as the user wants it."""
    plain = wrapped()
    mlflow.sklearn.autolog()
    try:
        with tracking.start_run(study(), settings=QUICK) as run:
            run.fit(estimator())
        mlflow.sklearn.autolog(log_models=False)
        with tracking.start_run(study(), settings=QUICK) as mine:
            mine.fit(estimator())
            table = tables()["synthetic"]
            estimator().fit(table[["age", "lactate"]], table["readmitted"])
    finally:
        mlflow.sklearn.autolog(disable=True)
    first, second = (client(store).get_run(one.run_id) for one in (plain, run))
    assert second.data.metrics == pytest.approx(first.data.metrics)
    assert second.data.params == first.data.params
    assert len(second.outputs.model_outputs) == 1
    assert client(store).get_run(mine.run_id).data.params["max_iter"] == "500"


def test_an_exception_in_the_training_marks_the_run_failed(store: str, tmp_path: Path) -> None:
    """The run is FAILED with tables, parameters and the error's class; its words, which may hold a value, are nowhere."""

    def train(X: Any, y: Any) -> Any:
        raise LookupError("patient Zaphod Beeblebrox")

    with pytest.raises(LookupError), tracking.start_run(study(), settings=QUICK) as run:
        run.fit(train)
    found = client(store).get_run(run.run_id)
    assert found.info.status == "FAILED"
    assert found.data.tags["synthml.error"] == "LookupError"
    assert found.data.params["synthml.estimator"] == "train"
    assert len(found.inputs.dataset_inputs) == 3
    assert b"Zaphod" not in (tmp_path / "mlflow.db").read_bytes()
    (model,) = client(store).search_logged_models([found.info.experiment_id])
    assert str(model.status) == "FAILED"
    assert not (tmp_path / "synthml-spool").exists()
    assert mlflow.active_run() is None


def test_an_exception_after_the_fit_keeps_the_evidence(store: str) -> None:
    """What was measured before the block failed is recorded; the run is FAILED all the same."""
    with pytest.raises(ZeroDivisionError), tracking.start_run(study(), settings=QUICK) as run:
        _ = run.fit(estimator()), 1 / 0
    found = client(store).get_run(run.run_id)
    assert found.info.status == "FAILED"
    assert found.data.metrics == pytest.approx(run.dossier.metrics())


def test_a_run_without_a_fit_says_so(store: str) -> None:
    """Forgetting `fit` warns; the run still shows its tables."""
    with pytest.warns(UserWarning, match="without run.fit"), tracking.start_run(study()) as run:
        pass
    assert len(client(store).get_run(run.run_id).inputs.dataset_inputs) == 3
    with pytest.raises(InputError, match="nothing was measured"):
        run.register("nothing")


def test_one_run_has_one_model(store: str) -> None:
    """A second fit in a run is refused, and the first stays."""
    with tracking.start_run(study(), settings=QUICK) as run:
        run.fit(estimator())
        with pytest.raises(InputError, match="one model"):
            run.fit(estimator())
    assert client(store).get_run(run.run_id).info.status == "FINISHED"


def test_an_engineer_with_only_the_synthetic_table_gets_a_model_and_no_figures(store: str) -> None:
    """Without a holdout nothing is guessed: the verdict is `insufficient`, the model is logged and can be registered."""
    with tracking.start_run(study({"synthetic": tables()["synthetic"]}, subject=None), settings=QUICK) as run:
        run.fit(estimator())
    assert run.verdict.outcome == "insufficient"
    assert run.register("alone").version == "1"


def test_the_policy_may_be_a_file_or_an_object(store: str) -> None:
    """The verdict names the policy that was asked for."""
    assert wrapped(policy=Policy.load("clinical-default")).verdict.policy.startswith("clinical-default")


def test_a_server_that_is_not_there_is_told_before_anything_is_measured(store: str, tmp_path: Path) -> None:
    """The error comes at once, names no spool, and leaves nothing behind."""
    with (
        pytest.raises(TrackingError, match="cannot be reached") as caught,
        tracking.start_run(study(), tracking_uri="http://127.0.0.1:9", settings=QUICK),
    ):
        pytest.fail("the block must not be entered")
    assert caught.value.spool is None
    assert not (tmp_path / "synthml-spool").exists()
    assert mlflow.active_run() is None


def test_the_spool_holds_everything_while_it_is_needed(store: str, tmp_path: Path) -> None:
    """Before the first call that records, evidence, report and model are on disk, readable by their owner alone."""
    seen: list[str] = []

    def look(event: str) -> None:
        if event == "before inputs":
            (folder,) = (tmp_path / "synthml-spool").iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            evidence = next(folder.glob("artifacts/synthml/evidence/*.json"))
            assert Dossier.from_json(evidence.read_bytes()).kinds
            assert (folder / "model" / "MLmodel").exists()
            seen.append(event)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = wrapped(observer=look)
    assert seen == ["before inputs"]
    assert client(store).get_run(run.run_id).info.status == "FINISHED"
    assert not (tmp_path / "synthml-spool").exists()
