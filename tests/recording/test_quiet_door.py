"""The door to MLflow: no telemetry, the store that is meant, autolog as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synthml_tracking.client import load_mlflow, tracking_uri_of, without_autolog

if TYPE_CHECKING:
    from pathlib import Path

mlflow = load_mlflow()

PROBE = """
import os
for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "PYTEST_CURRENT_TEST", "CI"):
    os.environ.pop(name, None)
import synthml_tracking
from synthml_tracking.client import load_mlflow
assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ, "importing the package changes nothing"
mlflow = load_mlflow()
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
print(is_telemetry_disabled(), get_telemetry_client() is None, os.environ["DO_NOT_TRACK"])
"""


@pytest.mark.slow
def test_nothing_phones_home() -> None:
    """MLflow is imported with its telemetry switched off; importing synthml_tracking alone changes no variable."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROBE], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True", "true"], done.stderr[-1000:]


def test_the_default_store_stands_in_the_working_folder(store: str, tmp_path: Path) -> None:
    """With nothing set: mlflow.db here, by its absolute path, so that a spool is resumed from anywhere."""
    assert tracking_uri_of(None) == f"sqlite:///{tmp_path / 'mlflow.db'}" == store
    assert tracking_uri_of("sqlite:///other.db") == f"sqlite:///{tmp_path / 'other.db'}"
    assert tracking_uri_of("https://mlflow.example.org") == "https://mlflow.example.org"


def test_what_the_user_has_set_wins_over_the_default(store: str) -> None:
    """The environment's address, and one set in MLflow."""
    os.environ["MLFLOW_TRACKING_URI"] = "http://one.example.org"
    try:
        assert tracking_uri_of(None) == "http://one.example.org"
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
    mlflow.set_tracking_uri("http://two.example.org")
    try:
        assert tracking_uri_of(None) == "http://two.example.org"
    finally:
        mlflow.set_tracking_uri(None)


def test_autolog_is_as_it_was_afterwards() -> None:
    """Paused inside, also within a pause of the user's own, which an exception does not end."""
    from mlflow.utils import autologging_utils

    with pytest.raises(ZeroDivisionError), without_autolog():
        raise ZeroDivisionError
    assert autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED is False
    with autologging_utils.disable_autologging():
        with without_autolog():
            assert autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED is True
        assert autologging_utils._AUTOLOGGING_GLOBALLY_DISABLED is True
