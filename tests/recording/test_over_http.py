"""Against a real `mlflow server`: how few requests a run takes, and what happens when the server goes away."""

from __future__ import annotations

import math
import os
import re
import signal
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml import Dossier, MinimumCell, folder_digest
from synthml.errors import TrackingError
from synthml_tracking import items
from synthml_tracking.client import address, load_mlflow
from synthml_tracking.ledger import Ledger
from synthml_tracking.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recording.conftest import Server

pytestmark = pytest.mark.slow
mlflow = load_mlflow()


@pytest.fixture(autouse=True)
def elsewhere(store: str) -> None:
    """Spools go to an empty working folder."""


def test_a_run_takes_twelve_requests_and_one_for_every_thousand_numbers(server: Server, tmp_path: Path) -> None:
    """Counted in the server's access log, uploads of artifacts and model aside; everything arrives, links and digest too.

    The first run of a store makes its experiment, the ledger and an entry there besides; every other one finds them.
    """
    given = study(
        tables(1500), sensitive=["sex", "ward"], intersections=[["sex", "ward"]], minimum_cell=MinimumCell(rows=50, events=10)
    )
    store = mlflow.MlflowClient(server.uri)
    store.create_experiment("counted")
    (descent,) = items.descent(given, Dossier(figures={}).stamped(created="2026-01-01T00:00:00Z"))
    Ledger(store).write(descent)
    before = len(server.requests())
    with tracking.start_run(given, experiment="counted", tracking_uri=server.uri, settings=QUICK) as run:
        run.fit(estimator())
    version = run.register("counted")
    made = server.requests()[before:]
    uploads = [request for request in made if request.startswith("PUT /api/2.0/mlflow-artifacts/")]
    calls = [request for request in made if request not in uploads]
    written = run.dossier.metrics()
    assert len(written) >= 1000
    assert len(calls) <= 12 + math.ceil(len(written) / 1000), "\n".join(calls)
    client = mlflow.MlflowClient(server.uri)
    assert client.get_run(run.run_id).data.metrics == pytest.approx(written)
    assert len(client.get_logged_model(run.model_uri.removeprefix("models:/")).metrics) == len(written)
    assert client.get_model_version("counted", version.version).run_id == run.run_id
    with address(server.uri):
        folder = mlflow.artifacts.download_artifacts(run.model_uri, dst_path=str(tmp_path / "downloaded"))
    assert folder_digest(folder) == run.dossier.model["digest"]


class Line:
    """A wire to the server that can be cut and mended: a port of its own that forwards everything."""

    def __init__(self, uri: str) -> None:
        self.target = int(uri.rpartition(":")[2])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.open: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        """Listen, and forward."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse from now on, and drop what is connected."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.open:
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    @staticmethod
    def _forward(source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()


@contextmanager
def line_to(server: Server) -> Iterator[Line]:
    line = Line(server.uri)
    try:
        yield line
    finally:
        line.cut()


def _cut_off(line: Line, event: str) -> tuple[tracking.Run, TrackingError]:
    """A run whose server goes away at an event."""

    def observe(seen: str) -> None:
        if seen == event:
            line.cut()

    with (
        pytest.raises(TrackingError) as caught,
        tracking.start_run(study(), experiment="cut", tracking_uri=line.uri, settings=QUICK, observer=observe) as run,
    ):
        run.fit(estimator())
    return run, caught.value


@pytest.mark.parametrize("event", ["before figures 0", "before end"])
def test_a_server_that_goes_away_costs_nothing_that_was_measured(server: Server, event: str) -> None:
    """The error comes soon and names the spool; resumed when the server is back, the run is complete, with nothing twice."""
    with line_to(server) as line:
        started = time.monotonic()
        run, error = _cut_off(line, event)
        assert time.monotonic() - started < 60
        assert error.spool is not None
        assert f"synthml resume {error.spool}" in str(error)
        assert mlflow.active_run() is None
        evidence = next(Path(error.spool).glob("artifacts/synthml/evidence/*.json"))
        assert Dossier.from_json(evidence.read_bytes()).digest == run.dossier.digest
        with pytest.raises(TrackingError, match="synthml resume"):
            tracking.resume(error.spool)
        line.mend()
        recorded = tracking.resume(error.spool)
        assert (recorded.run_id, recorded.model_uri) == (run.run_id, run.model_uri)
    assert not Path(error.spool).exists()
    _is_complete(server, run)


def _is_complete(server: Server, run: tracking.Run) -> None:
    client = mlflow.MlflowClient(server.uri)
    found = client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == pytest.approx(run.dossier.metrics())
    assert all(len(client.get_metric_history(run.run_id, key)) == 1 for key in list(found.data.metrics)[::40])
    assert len(found.inputs.dataset_inputs) == 3
    assert [output.model_id for output in found.outputs.model_outputs] == [run.model_uri.removeprefix("models:/")]
    model = client.get_logged_model(run.model_uri.removeprefix("models:/"))
    assert str(model.status) == "READY"
    assert len(model.metrics) == len(run.dossier.metrics())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@pytest.mark.parametrize("event", ["stored figures 0", "stored model output"])
def test_a_client_that_is_killed_is_resumed(server: Server, event: str) -> None:
    """Kill -9 of the recording process, with a server that lives on: resuming completes the run, once."""
    with line_to(server) as line:
        run, error = _cut_off(line, "before inputs")
        line.mend()
        spool = Path(str(error.spool))
        pid = os.fork()
        if pid == 0:
            try:
                tracking.resume(spool, observer=lambda seen: os.kill(os.getpid(), signal.SIGKILL) if seen == event else None)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert Spool.open(spool).done()
        tracking.resume(spool)
    _is_complete(server, run)


class _Failing(BaseHTTPRequestHandler):
    """A server that answers everything with an internal error."""

    def do_GET(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  the name that http.server calls

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_a_server_that_fails_is_told_soon(tmp_path: Path) -> None:
    """A server that answers 500 ends with a plain error within seconds, not with MLflow's four minutes of patience."""
    failing = HTTPServer(("127.0.0.1", 0), _Failing)
    threading.Thread(target=failing.serve_forever, daemon=True).start()
    started = time.monotonic()
    try:
        with (
            pytest.raises(TrackingError, match="while starting the run"),
            tracking.start_run(study(), tracking_uri=f"http://127.0.0.1:{failing.server_port}"),
        ):
            pytest.fail("the block must not be entered")
    finally:
        failing.shutdown()
        failing.server_close()
    assert time.monotonic() - started < 20
    assert not (tmp_path / "synthml-spool").exists()


def test_a_registration_that_fails_has_its_own_spool(server: Server) -> None:
    """The model is recorded already; what waits in the spool is the version alone, and resuming makes exactly one."""
    with line_to(server) as line:
        with tracking.start_run(study(), experiment="cut", tracking_uri=line.uri, settings=QUICK) as run:
            run.fit(estimator())
        line.cut()
        with pytest.raises(TrackingError) as caught:
            run.register("later")
        line.mend()
        recorded = tracking.resume(str(caught.value.spool))
    assert (recorded.name, recorded.version) == ("later", "1")
    assert len(mlflow.MlflowClient(server.uri).search_model_versions("name = 'later'")) == 1


def test_an_evaluation_that_is_cut_off_is_resumed(server: Server) -> None:
    """What an evaluator measured waits in a spool as well; resumed, the version is told of it, once."""
    with tracking.start_run(study(), experiment="cut", tracking_uri=server.uri, settings=QUICK) as run:
        run.fit(estimator())
    version = run.register("evaluated")
    with line_to(server) as line:

        def observe(seen: str) -> None:
            if seen == "before marks":
                line.cut()

        with pytest.raises(TrackingError) as caught:
            tracking.evaluate(run.model_uri, study(), tracking_uri=line.uri, settings=QUICK, observer=observe)
        line.mend()
        recorded = tracking.resume(str(caught.value.spool))
    client = mlflow.MlflowClient(server.uri)
    tags = client.get_model_version("evaluated", version.version).tags
    assert sorted(value for key, value in tags.items() if key.startswith("synthml.ev.")) == ["engineer", "evaluator"]
    assert client.get_run(recorded.run_id).info.status == "FINISHED"
    assert len(client.list_artifacts(run.run_id, "synthml/evidence")) == 2


def test_the_patience_is_ours_alone(server: Server) -> None:
    """No setting of MLflow's HTTP client is left behind, and one that the user has set is not touched."""
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "77"
    seen: list[str] = []

    def look(_: str) -> None:
        seen.append(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])

    try:
        with tracking.start_run(study(), tracking_uri=server.uri, settings=QUICK, observer=look) as run:
            run.fit(estimator())
        assert set(seen) == {"77"}
    finally:
        del os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]
    assert not [name for name in os.environ if re.match(r"MLFLOW_(HTTP|SUPPRESS)", name)]
