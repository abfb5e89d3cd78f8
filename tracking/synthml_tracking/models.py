"""The model folder: saved on local disk first, so that its digest is known before anything is recorded.

No input example (it would be real rows), an explicit signature and pinned requirements (inferring them takes seconds). A bare
XGBoost model is saved in XGBoost's own format; every other scikit-learn style estimator as a cloudpickle: skops, the store's
default, refuses XGBoost, forests and gradient boosting unless trusted types are named, and reads that list from the artifact
itself, so it draws no line that a gate could rely on. The line is the digest. A plain function is saved as an MLflow Python
model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml_tracking.client import load_mlflow, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

__all__ = ["load_predictor", "requirements", "save_model"]

_QUIET = ("mlflow.sklearn", "mlflow.xgboost", "mlflow.utils.environment", "mlflow.models.model", "mlflow.pyfunc")


def save_model(predictor: Any, folder: Path, X: pd.DataFrame, *, task: str, classes: int, metadata: Mapping[str, Any]) -> None:
    """Save a trained predictor. X: rows with the features' names and dtypes; none of its values is kept."""
    mlflow = load_mlflow()
    common = {
        "path": str(folder),
        "signature": _signature(X, task, classes, hasattr(predictor, "predict_proba") or not hasattr(predictor, "predict")),
        "pip_requirements": requirements(predictor),
        "metadata": {"synthml": dict(metadata)},
    }
    with quiet(*_QUIET):
        if _is_xgboost(predictor):
            mlflow.xgboost.save_model(predictor, model_format="ubj", **common)
        elif hasattr(predictor, "predict"):
            scores = "predict_proba" if task != "regression" and hasattr(predictor, "predict_proba") else "predict"
            mlflow.sklearn.save_model(predictor, serialization_format="cloudpickle", pyfunc_predict_fn=scores, **common)
        else:
            mlflow.pyfunc.save_model(python_model=_function_model(predictor), **common)


def _is_xgboost(predictor: Any) -> bool:
    return type(predictor).__module__.split(".")[0] == "xgboost"


def _function_model(function: Any) -> Any:
    mlflow = load_mlflow()

    class FunctionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        """A function of a feature table, as an MLflow model."""

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return function(model_input)

    return FunctionModel()


def _signature(X: pd.DataFrame, task: str, classes: int, probabilities: bool) -> Any:
    """Column names and kinds; the output is one number a row, or a probability per class."""
    import numpy as np
    import pandas as pd
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    def kind(name: str) -> str:
        if pd.api.types.is_datetime64_any_dtype(X[name]):
            return "datetime"
        return "double" if pd.api.types.is_numeric_dtype(X[name]) else "string"

    shape = (-1, classes) if task != "regression" and probabilities else (-1,)
    inputs = Schema([ColSpec(kind(name), str(name)) for name in X.columns])
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype("float64"), shape)]))


def requirements(predictor: Any) -> list[str]:
    """Pinned distributions that the predictor's classes come from, with what loads them."""
    from importlib import metadata

    owners = metadata.packages_distributions()
    tops = {type(part).__module__.split(".")[0] for part in _parts(predictor)} | {"pandas", "numpy", "mlflow", "cloudpickle"}
    if not hasattr(predictor, "predict"):
        tops |= {"synthml_tracking"} if "synthml_tracking" in owners else set()
    if any(_uses_synthml(part) for part in _parts(predictor)):
        tops.add("synthml")
    names = {name for top in tops for name in owners.get(top, [])}
    return sorted(f"{name}=={metadata.version(name)}" for name in names)


def _uses_synthml(part: Any) -> bool:
    return getattr(getattr(part, "func", None), "__module__", "").split(".")[0] == "synthml"


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and every estimator inside it."""
    yield estimator
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        for value in estimator.get_params(deep=True).values():
            if (hasattr(value, "get_params") and not isinstance(value, type)) or hasattr(value, "func"):
                yield value


def load_predictor(model_uri: str) -> tuple[Any, dict[str, Any], str]:
    """The predictor of a logged model, what synthml noted beside it, and the digest of its files as they stand in the store.

    A scikit-learn or XGBoost model comes back as itself, so that it can be trained again; anything else as a function of a table.
    """
    from synthml.digest import folder_digest

    mlflow = load_mlflow()
    folder = mlflow.artifacts.download_artifacts(model_uri)
    info = mlflow.models.Model.load(folder)
    noted = dict((info.metadata or {}).get("synthml", {}))
    with quiet(*_QUIET):
        if "xgboost" in info.flavors:
            predictor = mlflow.xgboost.load_model(folder)
        elif "sklearn" in info.flavors:
            predictor = mlflow.sklearn.load_model(folder)
        else:
            predictor = mlflow.pyfunc.load_model(folder).predict
    return predictor, noted, folder_digest(folder)
