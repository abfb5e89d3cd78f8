"""The door to MLflow: imported late, without telemetry, with bounded patience, and with errors told plainly.

Telemetry. MLflow and Evidently report usage to their makers unless they are told not to. Nothing phones home from a hospital:
`load_mlflow` sets MLFLOW_DISABLE_TELEMETRY and DO_NOT_TRACK before the first import, and stops MLflow's client when the user had
imported MLflow before. A value that the user has set wins.

Patience. MLflow's own settings wait for about four minutes before they admit that a server is gone. Inside `patience` a request
is tried three times, 30 seconds each at most, unless the user has set the variables; they are gone again afterwards.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError, TrackingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "address",
    "environment",
    "load_mlflow",
    "located",
    "logged_model_id",
    "patience",
    "quiet",
    "tracking_uri_of",
    "without_autolog",
]

_NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # its lines on standard output would stand in the middle of ours, and cost a request
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_SQLITE = "sqlite:///"


def load_mlflow() -> Any:
    """MLflow, with its telemetry switched off."""
    for name, value in _NO_TELEMETRY.items():
        os.environ.setdefault(name, value)
    running = "mlflow" in sys.modules
    import mlflow

    if running:
        from mlflow.telemetry import get_telemetry_client, set_telemetry_client

        if get_telemetry_client() is not None:
            set_telemetry_client()  # reads the variables again
    return mlflow


def tracking_uri_of(given: str | None) -> str:
    """The store: given, or what the user has set in MLflow, or `mlflow.db` in the working folder. A path in it is absolute."""
    mlflow = load_mlflow()
    if given is None:
        given = str(mlflow.get_tracking_uri()) if mlflow.is_tracking_uri_set() else f"{_SQLITE}mlflow.db"
    if given.startswith(_SQLITE) and not given.startswith(f"{_SQLITE}/") and given != _SQLITE:
        return f"{_SQLITE}{Path(given.removeprefix(_SQLITE)).absolute()}"
    return given


@contextmanager
def address(uri: str) -> Iterator[None]:
    """Point MLflow at the store, and back: some of its calls read the global address whatever their client says."""
    load_mlflow()
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    variable = "MLFLOW_TRACKING_URI"
    before = os.environ.get(variable)
    try:
        with _use_tracking_uri(uri):
            yield
    finally:
        os.environ.pop(variable, None)
        if before is not None:
            os.environ[variable] = before


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that the user has not set, and take them away again."""
    mine = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


def experiment_ids(client: Any, view: int) -> list[str]:
    """Ids of all experiments; a request for each thousand. view: of `mlflow.entities.ViewType`."""
    return [str(one.experiment_id) for one in paged(client.search_experiments, view_type=view, max_results=1000)]


def paged(search: Callable[..., Any], *given: Any, **asked: Any) -> Iterator[Any]:
    """Everything that a search finds; a request for each page, when it is come to."""
    token = None
    while True:
        page = search(*given, **asked, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def patience(what: str, *, spool: Path | None = None) -> Iterator[None]:
    """Calls to the store, and nothing else: bounded retries, and one clear TrackingError that names the spool if there is one."""
    load_mlflow()
    place = None if spool is None else str(spool)
    try:
        with environment(_PATIENCE), quiet("alembic", "mlflow.store.db.utils", "urllib3.connectionpool"):
            yield
    except (InputError, TrackingError):
        raise
    except Exception as error:  # stores and artifact stores raise their own libraries' errors: boto, azure, SQLAlchemy, OS
        raise TrackingError(f"{_told(error)} while {what}", spool=place) from error


def _told(error: Exception) -> str:
    """What went wrong, in one line."""
    from mlflow.exceptions import MlflowException, RestException

    kind = type(error).__name__
    if isinstance(error, RestException):
        return f"the tracking server refused ({str(error).splitlines()[0][:300]})"
    if isinstance(error, MlflowException):
        cause = error.__cause__
        kind = str(error.error_code) if cause is None else type(cause).__name__
    return f"the tracking server cannot be reached, or failed ({kind})"


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Hold back advice of MLflow and its loggers that does not apply here, for the duration."""
    held = [(logging.getLogger(name), logging.getLogger(name).level) for name in loggers]
    for logger, _ in held:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"mlflow\.")
            yield
    finally:
        for logger, level in held:
            logger.setLevel(level)


@contextmanager
def without_autolog() -> Iterator[None]:
    """Whatever autolog the user has switched on pauses here.

    synthml trains models on real rows for comparison, which must never be logged, and looks into a model file before it is
    logged, which autolog would not wait for.
    """
    load_mlflow()
    from mlflow.utils import autologging_utils

    before = autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED
    try:
        with autologging_utils.disable_autologging():
            yield
    finally:
        autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED = before


def logged_model_id(client: Any, model_uri: str) -> str:
    """The LoggedModel behind models:/NAME/1, models:/NAME@alias, models:/m-..., or runs:/ID/... Raises InputError."""
    return located(client, model_uri)[0]


def located(client: Any, model_uri: str) -> tuple[str, str | None]:
    """Id of the LoggedModel, and where the files lie that would be served, when that is another question.

    A copied version names the version that it copies, and whoever deletes that one can put another model under its name; what a
    server loads is still what was copied. So a copy is looked for by the place of its files among the models of its run, and by
    name only when none lies there. Raises InputError.
    """
    kind, _, rest = model_uri.partition(":/")
    rest = rest.strip("/")
    if kind == "runs" and rest:
        return _of_run(client, rest), None
    if kind != "models" or not rest:
        raise InputError(
            f"'{model_uri}' is no model: expected models:/NAME/1, models:/NAME@alias, models:/m-... or runs:/ID/model"
        )
    named = _parsed(rest)
    if named is not None:
        name, which, is_alias = named
        return _of_version(client, (client.get_model_version_by_alias if is_alias else client.get_model_version)(name, which))
    if rest.startswith("m-"):
        return rest, None
    raise InputError(f"'{model_uri}' names no version: write models:/{rest}/1 or models:/{rest}@alias")


def version_named(client: Any, model_uri: str) -> tuple[str, str] | None:
    """(name, number) of models:/NAME/1 and of models:/NAME@alias, followed; None for any other address. A name may hold `@`."""
    kind, _, rest = model_uri.partition(":/")
    named = _parsed(rest.strip("/")) if kind == "models" else None
    if named is None:
        return None
    name, which, is_alias = named
    return name, str(client.get_model_version_by_alias(name, which).version) if is_alias else which


def _parsed(rest: str) -> tuple[str, str, bool] | None:
    """(name, number or alias, whether it is an alias) of NAME/1 and NAME@alias; None for anything else."""
    for mark in "/@":
        name, found, which = rest.rpartition(mark)
        if found:
            return name, which, mark == "@"
    return None


def _of_version(client: Any, version: Any) -> tuple[str, str | None]:
    source = str(version.source or "")
    if not source.startswith("models:/") or "/" not in source.removeprefix("models:/").strip("/"):
        return located(client, source)
    place = str(client.get_model_version_download_uri(version.name, str(version.version)))
    outputs = client.get_run(version.run_id).outputs if version.run_id else None
    for output in outputs.model_outputs if outputs else ():
        if _same_place(str(client.get_logged_model(output.model_id).artifact_location), place):
            return str(output.model_id), place
    return located(client, source)[0], place


def _same_place(one: str, other: str) -> bool:
    return one.removeprefix("file://").rstrip("/") == other.removeprefix("file://").rstrip("/")


def _of_run(client: Any, rest: str) -> str:
    run_id, _, name = rest.partition("/")
    outputs = client.get_run(run_id).outputs
    ids = [str(output.model_id) for output in (outputs.model_outputs if outputs else ())]
    if len(ids) > 1 and name:
        ids = [model_id for model_id in ids if client.get_logged_model(model_id).name == name]
    if len(ids) != 1:
        raise InputError(f"run {run_id} has {len(ids)} logged models of that name; name one as models:/m-...")
    return ids[0]
