"""One migrated database for the session, copied for each test; one real server for the tests that speak HTTP."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from recording.small_study import QUICK, estimator, study

import synthml_tracking as tracking
from synthml_tracking.client import load_mlflow

# what MLflow's own code warns of, on every call to its embedded store
_MLFLOWS_OWN = ("ignore:The ``noload`` loader strategy is deprecated",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here talks to a store; warnings are errors otherwise."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for text in _MLFLOWS_OWN:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, whose migrations take seconds."""
    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    load_mlflow().MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh embedded store in the working folder, which is empty otherwise; the user has set nothing in MLflow."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@dataclass(frozen=True)
class Recorded:
    """A finished run of the small study with a registered version; tests only read it."""

    uri: str
    run: tracking.Run
    version: tracking.Recorded


@pytest.fixture(scope="session")
def recorded(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """One wrapped run, recorded and registered."""
    folder = tmp_path_factory.mktemp("recorded")
    shutil.copy(migrated, folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with tracking.start_run(study(), experiment="readmission", tracking_uri=uri, settings=QUICK) as run:
            run.fit(estimator())
        version = run.register("readmission-risk")
    return Recorded(uri, run, version)


@dataclass(frozen=True)
class Server:
    """A running `mlflow server`; its access log tells which requests it got."""

    uri: str
    log: Path

    def requests(self) -> list[str]:
        """`POST /api/2.0/mlflow/runs/create`, in order; health checks left out."""
        time.sleep(0.2)
        lines = re.findall(r'"(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP', self.log.read_text(encoding="utf-8"))
        return [f"{verb} {path.partition('?')[0]}" for verb, path in lines if not path.startswith("/health")]


@pytest.fixture(scope="session")
def server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """`mlflow server` on a free port of this machine, with artifacts served through it."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder / "mlflow.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += [
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, env={**os.environ, **quiet}) as process,
    ):
        uri = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{uri}/health", process, log)
            yield Server(uri, log)
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
