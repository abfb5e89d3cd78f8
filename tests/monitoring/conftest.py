"""A proven version, recorded once; each test gets a copy of the database, so that its series is its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from recording.conftest import migrated, server, store  # noqa: F401  the shared database and server
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking

NAME = "readmission-risk"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow's embedded store warns of its own code."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"))


@pytest.fixture(scope="session")
def proven(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The folder of a store with one run of the small study, on 1,500 rows, and a registered version."""
    folder = tmp_path_factory.mktemp("proven")
    shutil.copy(migrated, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patch.delenv(name)
        with tracking.start_run(
            study(tables(1500)), experiment="readmission", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", settings=QUICK
        ) as run:
            run.fit(estimator())
        run.register(NAME)
    return folder


@pytest.fixture
def watched(store: str, proven: Path, tmp_path: Path) -> str:  # noqa: F811
    """The address of a fresh copy of that store."""
    shutil.copy(proven / "mlflow.db", tmp_path / "mlflow.db")
    return store
