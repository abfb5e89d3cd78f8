"""The model folder: saved on local disk first, so that its digest is known before anything is recorded.

No input example (it would be rows), an explicit signature, and pinned requirements (inferring them takes seconds). What stands in
the folder loads without synthml.

Format. An estimator whose parts all come from scikit-learn, XGBoost, NumPy, SciPy or pandas is saved by skops: the file is data,
not a program, so whoever opens it can list what it refers to first (`skops.io.get_untrusted_types`), and it is MLflow's own
default. Any other estimator is a cloudpickle, which is a program that loading runs. A plain function becomes an MLflow Python
model. Neither is a trust boundary: MLflow reads the list of trusted types from the model itself. That boundary is the digest.

The serving function gives probabilities, not labels: the threshold that the evidence is about stands in the metadata, and a
`predict` that cuts at one half would be another classifier than the one that was measured. It takes numbers as floats, as the
study has them, whole ones too.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml_tracking.client import environment, load_mlflow, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

__all__ = ["LoadedModel", "Place", "load_predictor", "predictor_of", "save_predictor"]

_STOCK = frozenset({"sklearn", "xgboost", "numpy", "scipy", "pandas", "builtins"})
_QUIET = (
    "mlflow.sklearn",
    "mlflow.pyfunc",
    "mlflow.pyfunc.model",
    "mlflow.models.model",
    "mlflow.models.signature",
    "mlflow.types.type_hints",
    "mlflow.utils.environment",
)
# MLflow would copy the lock file and pyproject.toml of whatever project the working folder belongs to
_NO_PROJECT_FILES = {"MLFLOW_UV_AUTO_DETECT": "false", "MLFLOW_LOG_UV_FILES": "false"}
_OWNERS = {"sklearn": "scikit-learn"}
_COMPARED = 200


@dataclass(frozen=True)
class Place:
    """Where a model will stand: it is written into the model's own files, as MLflow does."""

    model_id: str
    run_id: str
    location: str


def save_predictor(
    predictor: Any, folder: Path, X: pd.DataFrame, *, task: str, classes: int, metadata: Mapping[str, Any], place: Place
) -> tuple[str, ...]:
    """Save a trained predictor, load it back, and hold its predictions against the original's.

    X: rows that it was trained on; their names and dtypes go into the signature, none of their values. Returns notes on what
    loading the folder will need. Raises InputError when the predictor cannot be saved, or predicts otherwise once loaded.
    """
    mlflow = load_mlflow()
    with quiet():
        importlib.import_module("mlflow.pyfunc")  # warns of its own type hints when it is first imported
    scores = task != "regression" and (hasattr(predictor, "predict_proba") or not hasattr(predictor, "predict"))
    description = mlflow.models.Model(
        artifact_path=place.location, run_id=place.run_id, model_uuid=place.model_id, model_id=place.model_id
    )
    needs, unknown = _needs(predictor)
    common = {
        "path": str(folder),
        "mlflow_model": description,
        "signature": _signature(X, (-1, classes) if scores else (-1,)),
        "metadata": {"synthml": dict(metadata)},
    }
    try:
        with quiet(*_QUIET), environment(_NO_PROJECT_FILES), _by_value():
            if not hasattr(predictor, "predict"):
                model = _function_model(predictor)
                mlflow.pyfunc.save_model(python_model=model, pip_requirements=_pinned(needs | {"cloudpickle"}), **common)
            else:
                kind, trusted = _format(predictor)
                mlflow.sklearn.save_model(
                    predictor,
                    serialization_format=kind,
                    skops_trusted_types=trusted,
                    pyfunc_predict_fn="predict_proba" if scores else "predict",
                    pip_requirements=_pinned(needs | {kind}),
                    **common,
                )
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InputError(f"the model cannot be saved ({type(error).__name__}): {_UNSAVED}") from error
    _check(predictor, folder, X.head(_COMPARED))
    return tuple(
        f"loading the model needs the module '{name}', which no installed package owns; ship it with the model"
        for name in unknown
    )


_UNSAVED = "it holds something that cannot be pickled, such as an open file, a lock or a generator"


def _format(predictor: Any) -> tuple[str, list[str] | None]:
    """("skops", types to trust) when every part is stock, else ("cloudpickle", None)."""
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        named = skops.io.get_untrusted_types(data=skops.io.dumps(predictor))
    except (UnsupportedTypeException, pickle.PicklingError, TypeError, AttributeError, ValueError):
        return "cloudpickle", None
    if all(name.partition(".")[0] in _STOCK for name in named):
        return "skops", sorted(named)
    return "cloudpickle", None


@contextmanager
def _by_value() -> Iterator[None]:
    """Functions of synthml that prepare columns are saved whole, so that the model loads where synthml is not installed."""
    import cloudpickle

    from synthml.utility import preparation

    cloudpickle.register_pickle_by_value(preparation)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(preparation)


class _Recorder(pickle.Unpickler):
    """Unpickles what was pickled a moment ago, noting the modules that it asks for."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(io.BytesIO(raw))
        self.modules: set[str] = set()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """As the parent does."""
        self.modules.add(module_name.partition(".")[0])
        return super().find_class(module_name, global_name)


def _needs(predictor: Any) -> tuple[set[str], list[str]]:
    """(distributions that its code comes from, modules that no distribution owns). Raises InputError."""
    import cloudpickle

    try:
        with _by_value():
            recorder = _Recorder(cloudpickle.dumps(predictor))
        recorder.load()
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InputError(f"the model cannot be saved ({type(error).__name__}): {_UNSAVED}") from error
    modules = {name for name in recorder.modules if name not in sys.stdlib_module_names and name != "__main__"}
    owned = {module: _owner(module) for module in modules}
    found = {name for name in owned.values() if name is not None}
    return found | {"mlflow", "numpy", "pandas"}, sorted(module for module, name in owned.items() if name is None)


@cache
def _owner(module: str) -> str | None:
    """The distribution that a top-level module comes from; looking through all installed ones takes half a second."""
    from importlib import metadata

    name = _OWNERS.get(module, module)
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return next(iter(metadata.packages_distributions().get(module, ())), None)
    return name


def _pinned(names: set[str]) -> list[str]:
    from importlib import metadata

    return sorted(f"{name}=={metadata.version(name)}" for name in names)


def _function_model(function: Any) -> Any:
    """A function of a feature table, as an MLflow model."""
    import pandas as pd

    mlflow = load_mlflow()

    def predict(self: Any, context: Any, model_input: Any, params: Any = None) -> Any:
        return function(model_input)

    # MLflow takes hints for a schema, warns when there is none, and reads the hint itself, not its text;
    # made here, so that the class is saved whole and loads without synthml
    predict.__annotations__ = {"model_input": pd.DataFrame}
    return type("FunctionModel", (mlflow.pyfunc.PythonModel,), {"predict": predict})()


def _signature(X: pd.DataFrame, shape: tuple[int, ...]) -> Any:
    """Column names and kinds; the output is one number a row, or a probability per class."""
    import numpy as np
    import pandas as pd
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    def kind(name: str) -> str:
        if pd.api.types.is_datetime64_any_dtype(X[name]):
            return "datetime"
        return "double" if pd.api.types.is_numeric_dtype(X[name]) else "string"

    inputs = Schema([ColSpec(kind(name), str(name)) for name in X.columns])
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype("float64"), shape)]))


def _check(predictor: Any, folder: Path, X: pd.DataFrame) -> None:
    """What is logged must be what was measured."""
    import numpy as np

    def answers(model: Any) -> Any:
        call = getattr(model, "predict_proba", None) or getattr(model, "predict", None) or model
        return np.asarray(call(X), dtype=np.float64)

    loaded = predictor_of(folder)
    if not np.allclose(answers(predictor), answers(loaded), rtol=1e-6, atol=1e-9):
        raise InputError("the saved model predicts otherwise than the trained one: it holds state that saving loses")


@dataclass(frozen=True)
class LoadedModel:
    """A model. predictor: as it was trained; metadata: what synthml noted in it; digest: of its files, None when it has none."""

    predictor: Any
    metadata: Mapping[str, Any]
    digest: str | None


def load_predictor(model_uri: str) -> LoadedModel:
    """Download a logged model, take its digest, and load it: only open models whose origin you trust."""
    import tempfile
    from pathlib import Path

    from synthml.digest import folder_digest

    mlflow = load_mlflow()
    with tempfile.TemporaryDirectory(prefix="synthml-model-") as place:
        folder = Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=place))
        info = mlflow.models.Model.load(str(folder))
        noted = dict((info.metadata or {}).get("synthml", {}))
        return LoadedModel(predictor_of(folder), noted, folder_digest(folder))


def predictor_of(folder: Path) -> Any:
    """The predictor in a model folder: a scikit-learn style estimator, which can be trained again, or a function of a table."""
    mlflow = load_mlflow()
    flavors = mlflow.models.Model.load(str(folder)).flavors
    with quiet(*_QUIET):
        if "sklearn" in flavors:
            return mlflow.sklearn.load_model(str(folder))
        if "xgboost" in flavors:
            return mlflow.xgboost.load_model(str(folder))
        return mlflow.pyfunc.load_model(str(folder)).predict
