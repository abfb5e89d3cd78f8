"""The model folder: what stands in it, that it loads without synthml, and that it predicts what was measured."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from recording.small_study import QUICK, admissions, estimator, study
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from synthml.errors import InputError
from synthml.utility.preparation import prepared
from synthml_tracking.client import load_mlflow
from synthml_tracking.models import Place, predictor_of, save_predictor

if TYPE_CHECKING:
    from pathlib import Path

mlflow = load_mlflow()
PLACE = Place("m-0f3a", "r-1", "mlflow-artifacts:/1/models/m-0f3a/artifacts")
FEATURES = ["age", "sex", "ward", "lactate"]


def rows() -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    table = admissions(300, seed=4)
    return table[FEATURES].astype({"age": float, "sex": object, "ward": object}), table["readmitted"].to_numpy()


def saved(predictor: Any, folder: Path, **given: Any) -> tuple[str, ...]:
    X, _ = rows()
    settings = {"task": "binary", "classes": 2, "metadata": {"threshold": 0.4}, "place": PLACE, **given}
    return save_predictor(predictor, folder, X, **settings)


def trained(model: Any) -> Any:
    X, y = rows()
    return prepared(model, X, rare_below=10).fit(X, y)


def xgboost_classifier() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=5, n_jobs=1)


@pytest.mark.parametrize("make", [estimator, xgboost_classifier, functools.partial(RandomForestClassifier, 10)])
def test_stock_estimators_are_data_not_programs(make: Any, tmp_path: Path) -> None:
    """Pipelines of scikit-learn and XGBoost parts are saved by skops, with the types to trust named, and predict the same."""
    predictor = trained(make())
    assert saved(predictor, tmp_path / "model") == ()
    flavor = mlflow.models.Model.load(str(tmp_path / "model")).flavors["sklearn"]
    assert flavor["serialization_format"] == "skops"
    X, _ = rows()
    assert np.allclose(predictor_of(tmp_path / "model").predict_proba(X), predictor.predict_proba(X))


def test_the_folder_says_what_it_is_and_holds_no_row(tmp_path: Path) -> None:
    """Pinned requirements, a signature without values, our metadata, the model's id; no input example."""
    saved(trained(estimator()), tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"MLmodel", "model.skops", "requirements.txt", "conda.yaml", "python_env.yaml"}
    required = (tmp_path / "model" / "requirements.txt").read_text().split()
    assert all("==" in line for line in required)
    assert {line.partition("==")[0] for line in required} == {"mlflow", "numpy", "pandas", "scikit-learn", "skops"}
    described = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert described["metadata"] == {"synthml": {"threshold": 0.4}}
    assert (described["model_id"], described["run_id"]) == ("m-0f3a", "r-1")
    inputs = json.loads(described["signature"]["inputs"])
    assert [(one["name"], one["type"]) for one in inputs] == [
        ("age", "double"), ("sex", "string"), ("ward", "string"), ("lactate", "double")
    ]  # fmt: skip
    assert not described.get("saved_input_example_info")


LOAD = """
import sys
sys.modules["synthml"] = sys.modules["synthml_tracking"] = None
import mlflow, pandas as pd
rows = pd.read_json(sys.argv[2], orient="split", convert_dates=["seen"], dtype={"age": float})
import json
print(json.dumps([mlflow.pyfunc.load_model(folder).predict(rows).tolist() for folder in json.loads(sys.argv[1])]))
"""


@pytest.mark.slow
def test_what_is_logged_loads_where_synthml_is_not_installed(tmp_path: Path) -> None:
    """A pipeline with dates, which synthml's own preparation turns into numbers, and a callable: both load without synthml."""
    X, y = rows()
    seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(X)), unit="D")
    X = X.assign(seen=seen.astype("datetime64[us]"))
    pipeline = prepared(estimator(), X, rare_below=10).fit(X, y)
    share = float(y.mean())

    def same_for_all(table: pd.DataFrame) -> Any:
        return np.full(len(table), share)

    for name, predictor in (("pipeline", pipeline), ("function", same_for_all)):
        place = {"task": "binary", "classes": 2, "metadata": {}, "place": PLACE}
        save_predictor(predictor, tmp_path / name, X, **place)
        assert "synthml" not in (tmp_path / name / "requirements.txt").read_text()
        assert not (tmp_path / name / "pyproject.toml").exists()  # MLflow would copy the project's files along
    X.head(5).to_json(tmp_path / "rows.json", orient="split", date_format="iso")
    folders = json.dumps([str(tmp_path / "pipeline"), str(tmp_path / "function")])
    command = [sys.executable, "-W", "ignore", "-c", LOAD, folders, str(tmp_path / "rows.json")]
    done = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    first, second = json.loads(done.stdout.splitlines()[-1])
    assert np.allclose(first, pipeline.predict_proba(X.head(5)), atol=1e-6)
    assert np.allclose(second, share)


class Halving(ClassifierMixin, BaseEstimator):
    """An estimator of somebody's own."""

    def fit(self, X: Any, y: Any) -> Halving:
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), 0.5)


def test_an_estimator_of_ones_own_is_a_pickle_and_its_module_is_told(tmp_path: Path) -> None:
    """What no installed package owns is named: the file alone will not load elsewhere."""
    notes = saved(trained(Halving()), tmp_path / "model")
    assert mlflow.models.Model.load(str(tmp_path / "model")).flavors["sklearn"]["serialization_format"] == "cloudpickle"
    assert len(notes) == 1
    assert "which no installed package owns" in notes[0]


def test_a_function_becomes_an_mlflow_model(tmp_path: Path) -> None:
    """A callable with one probability a row is saved whole and predicts the same."""
    share = 0.25
    saved(lambda table: np.full(len(table), share), tmp_path / "model")
    X, _ = rows()
    assert np.allclose(predictor_of(tmp_path / "model")(X), 0.25)


def test_a_regression_serves_its_predictions(tmp_path: Path) -> None:
    """One number a row."""
    X, _ = rows()
    model = prepared(LinearRegression(), X, rare_below=10).fit(X, X["lactate"])
    saved(model, tmp_path / "model", task="regression", classes=0)
    assert np.allclose(mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(X), X["lactate"])


def test_what_cannot_be_saved_is_told(tmp_path: Path) -> None:
    """A model that holds a lock ends in words, not in a pickle's traceback."""
    predictor = trained(LogisticRegression())
    predictor.lock = threading.Lock()
    with pytest.raises(InputError, match="cannot be saved"):
        saved(predictor, tmp_path / "model")


class Forgetful(Halving):
    """Loses what it learned when it is pickled."""

    def fit(self, X: Any, y: Any) -> Forgetful:
        super().fit(X, y)
        self.share = 0.3
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"share": 0.5, "classes_": self.classes_}

    def predict_proba(self, X: Any) -> Any:
        return np.tile([1 - self.share, self.share], (len(X), 1))


def test_a_model_that_predicts_otherwise_once_loaded_is_refused(tmp_path: Path) -> None:
    """What is logged must be what was measured."""
    with pytest.raises(InputError, match="predicts otherwise"):
        saved(trained(Forgetful()), tmp_path / "model")


def test_models_that_keep_rows_are_reported_and_refused_in_strict_mode(store: str) -> None:
    """Nearest neighbours keep the training rows: the finding names columns and counts before anything is logged."""
    import synthml_tracking as tracking
    from synthml_tracking.client import load_mlflow

    given = study()
    given.frame("synthetic").loc[:, "lactate"] = given.frame("source")["lactate"].to_numpy()  # a generator that copies
    with (
        pytest.warns(UserWarning, match=r"holds \d+ values of column 'lactate'"),
        tracking.start_run(given, settings=QUICK) as run,
    ):
        run.fit(KNeighborsClassifier(5))
    assert any("values of column 'lactate'" in note for note in run.dossier.notes)
    with pytest.raises(InputError, match="column 'lactate'"), tracking.start_run(given, settings=QUICK, strict=True) as refused:
        refused.fit(KNeighborsClassifier(5))
    found = load_mlflow().MlflowClient(store).get_run(refused.run_id)
    assert found.info.status == "FAILED"
    assert not found.outputs.model_outputs
