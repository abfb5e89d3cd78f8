"""A fresh embedded store for each test; its migrations run once a session. One recorded run that tests only read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from recording.small_study import QUICK, estimator, study

import synthml_tracking as tracking
from synthml_tracking.client import load_mlflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow's own code warns of this on every call to its embedded store."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which `risk` version 1 stands, measured; `untouched` holds its artifacts as they were."""
    folder = tmp_path_factory.mktemp("cards")
    record = {"id": "adm-1", "purpose": "to compare models", "generator": {"name": "CART", "library": "synthml", "version": "1"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("MLFLOW_", "SYNTHML_"))]:
            patch.delenv(name)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        load_mlflow().MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
        with tracking.start_run(
            study(generation=record), tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", settings=QUICK
        ) as run:
            run.fit(estimator())
        run.register("risk")
    shutil.copytree(folder / "mlruns", folder / "untouched")
    return folder


@pytest.fixture
def store(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a copy of the filled store, in a working folder of its own, with the artifacts as they were."""
    shutil.copy(filled / "mlflow.db", tmp_path / "mlflow.db")
    shutil.rmtree(filled / "mlruns")  # the store names its artifacts by their place, so they are put back there
    shutil.copytree(filled / "untouched", filled / "mlruns")
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "SYNTHML_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
