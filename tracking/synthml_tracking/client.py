"""The door to MLflow: imported late, without telemetry, with bounded patience, and with errors told plainly."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import TrackingError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["address", "default_uri", "load_mlflow", "patience", "quiet", "tracking_uri_of"]

# Nothing phones home from a hospital. What the user has set wins.
_NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
# MLflow's own settings would wait for minutes before they admit that a server is gone.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}


def load_mlflow() -> Any:
    """MLflow, with its telemetry switched off before it is first imported."""
    for name, value in _NO_TELEMETRY.items():
        os.environ.setdefault(name, value)
    import mlflow

    return mlflow


def default_uri() -> str:
    """`sqlite:///<working folder>/mlflow.db`."""
    return f"sqlite:///{Path.cwd() / 'mlflow.db'}"


def tracking_uri_of(given: str | None) -> str:
    """The store: given, or what the user has set in MLflow, or the default."""
    mlflow = load_mlflow()
    if given is not None:
        return given
    return str(mlflow.get_tracking_uri()) if mlflow.is_tracking_uri_set() else default_uri()


@contextmanager
def address(uri: str) -> Iterator[None]:
    """Point MLflow's fluent API, and the embedded registry, at a store; afterwards everything is as the user had set it."""
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
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables that the user has not set, and take them away again."""
    mine = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


@contextmanager
def patience(what: str, *, spool: str | None = None) -> Iterator[None]:
    """Calls to the tracking server: bounded retries, and one clear TrackingError that names the spool if there is one."""
    load_mlflow()
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with _environment(_PATIENCE):
            yield
    except MlflowException as error:
        told = str(error.message if hasattr(error, "message") else error).splitlines()[0][:300]
        raise TrackingError(f"the tracking server refused or cannot be reached while {what}: {told}", spool=spool) from error
    except (requests.RequestException, SQLAlchemyError, OSError) as error:
        kind = type(error).__name__
        raise TrackingError(f"the tracking server cannot be reached while {what} ({kind})", spool=spool) from error


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Hold back MLflow's advice that does not apply here, for the duration."""
    held = [(logging.getLogger(name), logging.getLogger(name).level) for name in loggers]
    for logger, _ in held:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in held:
            logger.setLevel(level)
