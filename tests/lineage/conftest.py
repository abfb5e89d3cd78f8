"""A fresh embedded store for each test; its migrations run once a session."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from synthml_tracking.client import load_mlflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow's own code warns of this on every call to its embedded store."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    load_mlflow().MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store's address; nothing of the user's environment counts."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "SYNTHML_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
