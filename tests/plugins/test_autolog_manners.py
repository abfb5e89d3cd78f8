"""Autolog beside MLflow's own, in runs and threads, when something fails, and how it is switched off."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn.ensemble  # noqa: F401  so that there are classes to be wrapped
from plugins.hospital import NUMERIC, everything, numeric_study, pipeline, runs, training
from recording.small_study import QUICK, estimator, study
from recording.test_canary import GROUPS, LABELS, NUMBERS, forms, planted
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

import synthml_tracking as tracking
from synthml.errors import InputError, TrackingError
from synthml_tracking import autologging

if TYPE_CHECKING:
    from pathlib import Path

    from recording.conftest import Server

pytestmark = pytest.mark.usefixtures("few_kinds")


def on(found: list[tracking.Run] | None = None, **more: Any) -> list[tracking.Run]:
    """Autolog for the two numbers of the small study."""
    found = [] if found is None else found
    tracking.autolog(numeric_study(), settings=QUICK, recorded=found.append, **more)
    return found


def fitted(**parameters: Any) -> LogisticRegression:
    X, y = training()
    return LogisticRegression(solver="newton-cholesky", max_iter=500, **parameters).fit(X[NUMERIC], y)


def fits() -> dict[type, Any]:
    """What `fit` is on every estimator class, where it is defined, and how classes are made."""
    found: dict[type, Any] = {cls: cls.__dict__.get("fit") for cls in autologging._descendants(BaseEstimator)}
    return found | {object: BaseEstimator.__dict__.get("__init_subclass__")}


@pytest.mark.parametrize("theirs", ["never", "before", "after", "around", "within"])
def test_switched_off_everything_is_as_it_was(mlflow: Any, theirs: str) -> None:
    """In whatever order MLflow's own autolog goes on and off: each `fit` is the very object that it was."""
    before, resolve = fits(), mlflow.sklearn.resolve_input_example_and_signature
    if theirs in ("before", "around"):
        mlflow.sklearn.autolog(log_models=False, silent=True)
        configured = dict(mlflow.utils.autologging_utils.AUTOLOGGING_INTEGRATIONS["sklearn"])
    on()
    on()
    assert LogisticRegression.fit is not before[LogisticRegression]
    if theirs in ("after", "within"):
        mlflow.sklearn.autolog(log_models=False, silent=True)
    if theirs in ("within", "before"):
        mlflow.sklearn.autolog(disable=True)
    tracking.autolog(disable=True)
    tracking.autolog(disable=True)
    if theirs == "around":
        assert mlflow.utils.autologging_utils.AUTOLOGGING_INTEGRATIONS["sklearn"] == configured
    if theirs in ("after", "around"):
        assert LogisticRegression.fit is not before[LogisticRegression]
        mlflow.sklearn.autolog(disable=True)
    after = fits()
    assert {cls for cls, fit in before.items() if after[cls] is not fit} == set()
    assert mlflow.sklearn.resolve_input_example_and_signature is resolve
    fitted()
    assert runs(mlflow) == []


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("boosted", [False, True])
def test_beside_mlflows_autolog_no_row_is_logged(mlflow: Any, tmp_path: Path, first: str, boosted: bool) -> None:
    """MLflow's autolog with input examples on, before or after ours: a run and its child, and no planted value anywhere."""
    given, found = planted(), list[tracking.Run]()
    known = study(given, features=["age", "lactate"])
    flavor = mlflow.xgboost if boosted else mlflow.sklearn
    if first == "theirs":
        flavor.autolog(log_input_examples=True, silent=True)
    tracking.autolog(known, settings=QUICK, recorded=found.append, strict=True)
    if first == "ours":
        flavor.autolog(log_input_examples=True, silent=True)
    table: Any = given["synthetic"]
    model = XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1) if boosted else estimator()
    model.fit(table[["age", "lactate"]], table["readmitted"])
    (run,) = found
    ours, (theirs,) = mlflow.get_run(run.run_id), [one for one in runs(mlflow) if one.info.run_id != run.run_id]
    assert ours.data.tags["mlflow.parentRunId"] == theirs.info.run_id
    assert (ours.info.status, theirs.info.status) == ("FINISHED", "FINISHED")
    assert ours.data.metrics == run.dossier.metrics()
    assert theirs.data.tags["mlflow.autologging"] == ("xgboost" if boosted else "sklearn")
    assert theirs.data.params["max_depth" if boosted else "max_iter"] == ("3" if boosted else "500")
    assert (len(ours.outputs.model_outputs), len(theirs.outputs.model_outputs)) == (1, 1)
    files = everything(tmp_path)
    assert len({name.split("/artifacts/")[0] for name in files if "/models/m-" in name}) == 2  # both models are searched
    assert not [name for name in files if "input_example" in name]
    for canary, encoded in forms().items():
        where = [name for name, raw in files.items() if any(form in raw for form in encoded)]
        assert not where, f"{canary} stands in {where}"


def test_without_its_models_mlflows_autolog_shares_the_run(mlflow: Any) -> None:
    """mlflow.autolog(log_models=False): its parameters and training metrics, and our figures and model, in one run."""
    found = on(strict=True)
    mlflow.sklearn.autolog(log_models=False, silent=True)
    fitted()
    (stored,) = runs(mlflow)
    assert stored.info.run_id == found[0].run_id
    assert {"training_score", "utility.auroc.tstr/all"} <= set(stored.data.metrics)
    assert stored.data.params["max_iter"] == "500"
    assert len(stored.outputs.model_outputs) == 1


def test_the_search_for_canaries_can_fail(mlflow: Any, tmp_path: Path) -> None:
    """Without ours, MLflow's input examples do hold the rows: the row of the planted number is among the first five here."""
    table: Any = planted()["synthetic"].sort_values("lactate", ascending=False)  # type: ignore[attr-defined]
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator().fit(table[["age", "lactate"]], table["readmitted"])
    files = everything(tmp_path)
    assert any(str(NUMBERS["synthetic"]).encode() in raw for name, raw in files.items() if "input_example" in name)


def test_an_encoder_of_the_user_that_keeps_rare_labels_is_reported(mlflow: Any, tmp_path: Path) -> None:
    """As in a wrapped run: a warning without strict; with it the fit's result is lost to an error, and nothing is logged."""
    given: Any = planted()
    known = study(given, features=["age", "sex", "ward", "lactate"])
    X, y = given["synthetic"][["age", "sex", "ward", "lactate"]], given["synthetic"]["readmitted"]
    tracking.autolog(known, settings=QUICK, strict=True)
    with pytest.raises(InputError, match="point at few people"):
        pipeline().fit(X, y)
    files = everything(tmp_path)
    assert not [name for name, raw in files.items() if LABELS["synthetic"].encode() in raw or GROUPS["synthetic"].encode() in raw]
    found: list[tracking.Run] = []
    tracking.autolog(known, settings=QUICK, recorded=found.append)
    with pytest.warns(UserWarning, match="point at few people"):
        pipeline().fit(X, y)
    assert len(found) == 1


def test_inside_an_active_run_the_first_model_is_recorded_there(mlflow: Any) -> None:
    """The user's run stays open and keeps its description; a second model is a child of it; outside each has its own."""
    found = on(strict=True)
    with mlflow.start_run(description="mine") as active:
        fitted()
        assert mlflow.active_run().info.run_id == active.info.run_id
        mlflow.log_metric("mine", 1.0)
        fitted(C=0.5)
    fitted(C=0.1)
    first, second, third = (mlflow.get_run(run.run_id) for run in found)
    assert first.info.run_id == active.info.run_id
    assert first.data.metrics["mine"] == 1.0
    assert first.data.metrics["utility.auroc.tstr/all"] == found[0].dossier.figures["utility.auroc.tstr/all"].value
    assert first.data.tags["mlflow.note.content"] == "mine"
    assert [run.info.status for run in (first, second, third)] == ["FINISHED"] * 3
    assert second.data.tags["mlflow.parentRunId"] == active.info.run_id
    assert "mlflow.parentRunId" not in third.data.tags
    assert "mlflow.note.content" in third.data.tags
    assert len(runs(mlflow)) == 3


def test_inside_a_wrapped_run_it_is_that_runs_model(mlflow: Any) -> None:
    """start_run around code that calls `fit` itself: the run has its model, as if by run.fit."""
    known = numeric_study()
    tracking.autolog(known, settings=QUICK, strict=True)
    with tracking.start_run(known, settings=QUICK) as run:
        fitted()
    assert run.register("by-itself").version == "1"
    assert len(runs(mlflow)) == 1


def test_it_registers_under_a_name(mlflow: Any) -> None:
    """As MLflow's registered_model_name: each recorded model is a version."""
    on(strict=True, registered_model_name="readmission")
    fitted()
    assert mlflow.MlflowClient().get_model_version("readmission", "1").tags["synthml.verdict"]


def test_an_exception_in_the_users_fit_goes_through(mlflow: Any) -> None:
    """The very exception, and nothing recorded; wrong arguments are the estimator's to complain of."""
    on(strict=True)
    X, y = training()
    with pytest.raises(ValueError, match="not convert string to float"):
        estimator().fit(X, y)
    with pytest.raises(TypeError, match="unexpected keyword"):
        estimator().fit(X[NUMERIC], y, nonsense=1)
    assert runs(mlflow) == []


@pytest.mark.parametrize("warn", ["always", "error"])
def test_what_fails_in_here_costs_no_training(mlflow: Any, warn: str, caplog: pytest.LogCaptureFixture) -> None:
    """No server: the model is trained, the user is told, in the log where warnings are errors; strict raises."""
    on(tracking_uri="http://127.0.0.1:9")
    with warnings.catch_warnings(record=warn == "always") as told:
        warnings.simplefilter(warn)  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        model = fitted()
    assert model.coef_.shape == (1, 2)
    texts = [str(one.message) for one in told or ()] + [record.getMessage() for record in caplog.records]
    assert any("trained, and is not proven: the tracking server cannot be reached" in text for text in texts)
    on(tracking_uri="http://127.0.0.1:9", strict=True)
    with pytest.raises(TrackingError):
        fitted()


def test_a_model_that_cannot_be_proven_is_told(mlflow: Any) -> None:
    """A classifier without probabilities is trained; the warning says what is missing."""
    from sklearn.svm import LinearSVC

    on()
    X, y = training()
    with pytest.warns(UserWarning, match="LinearSVC was trained, and is not proven: .*no probabilities"):
        LinearSVC().fit(X[NUMERIC], y)


def test_mlflows_pause_and_test_mode_are_kept(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside disable_autologging nothing is recorded; in test mode what fails is raised."""
    from mlflow.utils.autologging_utils import disable_autologging

    found = on()
    with disable_autologging():
        fitted()
    assert not found
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "true")
    on(tracking_uri="http://127.0.0.1:9")
    with pytest.raises(TrackingError):
        fitted()


def test_threads_record_each_their_own(mlflow: Any) -> None:
    """Two trainings at once: two runs, each with the figures of its model; a fit inside a model's own threads is none."""
    from sklearn.ensemble import BaggingClassifier

    found = on(strict=True)
    threads = [threading.Thread(target=fitted, kwargs={"C": c}) for c in (1.0, 1e-4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.run_id for run in found}) == 2
    slopes = {round(run.dossier.figures["utility.calibration_slope.tstr/all"].value or 0, 3) for run in found}
    assert len(slopes) == 2
    X, y = training()
    import joblib

    with joblib.parallel_config(backend="threading"):
        BaggingClassifier(estimator(), n_estimators=4, n_jobs=2, bootstrap=False).fit(X[NUMERIC], y)
    assert len(found) == 3
    assert mlflow.active_run() is None


class Late(ClassifierMixin, BaseEstimator):
    """A class of a module that is imported before autolog is switched on."""

    def fit(self, X: Any, y: Any) -> Late:
        self.inner_ = estimator().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.inner_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        return self.inner_.predict_proba(X)


def test_classes_of_the_user_are_models_too(mlflow: Any) -> None:
    """One of a module, and one that is made later; its inner model is its own affair. One of __main__ keeps its own `fit`."""
    found = on(strict=True)
    X, y = training()
    Late().fit(X[NUMERIC], y)
    assert [mlflow.get_run(run.run_id).data.params["synthml.estimator"] for run in found] == ["Late"]
    made: Any = type("Later", (Late,), {"__module__": __name__, "fit": lambda self, X, y: self})
    assert made.fit.__wrapped__ is not None
    script: Any = type("Mine", (Late,), {"__module__": "__main__", "fit": lambda self, X, y: self})
    assert not hasattr(script.fit, "__wrapped__")


def test_what_it_is_told_is_checked(mlflow: Any) -> None:
    """No study, no synthetic table, a share that is none; nothing is switched on."""
    before = LogisticRegression.fit
    given = {"holdout": training("holdout")[0].assign(readmitted=training("holdout")[1])}
    for wrong in (tracking.autolog, lambda: on(least_rows=0), lambda: tracking.autolog(study(given, subject=None))):
        with pytest.raises(InputError):
            wrong()
    assert LogisticRegression.fit is before


@pytest.mark.slow
def test_against_a_real_server(mlflow: Any, server: Server) -> None:
    """Autolog and the evaluator over HTTP: the run is complete, and the evaluation gives the same figures."""
    from plugins.hospital import tables_of

    mlflow.set_tracking_uri(server.uri)
    found = on(strict=True, experiment="by-itself", registered_model_name="by-itself")
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    model = fitted()
    mlflow.sklearn.autolog(disable=True)
    (run,) = found
    stored = mlflow.get_run(run.run_id)
    assert {key: stored.data.metrics[key] for key in run.dossier.metrics()} == run.dossier.metrics()
    result = mlflow.models.evaluate(
        "models:/by-itself/1",
        tables_of("holdout"),
        targets="readmitted",
        model_type="classifier",
        evaluators="synthml",
        evaluator_config={"study": numeric_study(), "settings": QUICK, "kinds": ["utility"]},
    )
    shared = {key: value for key, value in run.dossier.metrics().items() if key in result.metrics}
    assert len(shared) > 30
    assert {key: result.metrics[key] for key in shared} == pytest.approx(shared)
    loaded = mlflow.sklearn.load_model(run.model_uri)
    X = training("holdout")[0][NUMERIC]
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
