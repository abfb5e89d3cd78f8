"""OpenLineage: a real endpoint hears what was recorded; one that is away, slow or broken changes nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml.generation import GenerationRecord
from synthml_tracking.openlineage import events, facets, sending

CLASSES = {
    "datasetType": "dataset_type_dataset.DatasetTypeDatasetFacet",
    "errorMessage": "error_message_run.ErrorMessageRunFacet",
    "inputStatistics": "input_statistics_input_dataset.InputStatisticsInputDatasetFacet",
    "jobType": "job_type_job.JobTypeJobFacet",
    "processing_engine": "processing_engine_run.ProcessingEngineRunFacet",
    "schema": "schema_dataset.SchemaDatasetFacet",
    "tags": "tags_dataset.TagsDatasetFacet",
    "version": "dataset_version_dataset.DatasetVersionDatasetFacet",
}
OURS = json.loads((Path(facets.__file__).parent / "facets.json").read_text())


@pytest.fixture(autouse=True)
def _fresh_sender(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each test has its own thread, and none of the environment's configuration; the client leaves variables of its own there."""
    monkeypatch.setattr(sending, "_SENDER", sending._Sender())
    for name in [one for one in os.environ if one.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    yield
    for name in [one for one in os.environ if one.startswith("OPENLINEAGE")]:
        del os.environ[name]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that keeps the events that it is sent; OPENLINEAGE_URL points at it."""
    heard: list[dict[str, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        status = 201

        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    yield heard
    server.shutdown()
    server.server_close()


def valid(event: dict[str, Any]) -> None:
    """Every facet is one that the client's own class takes, under the address that it gives it, or fits our schema."""
    held = [event["job"], event.get("run", {}), *event["inputs"], *event["outputs"]]
    for holder in held:
        for name, told in {**holder.get("facets", {}), **holder.get("inputFacets", {})}.items():
            if told["_producer"] != facets.PRODUCER:  # the client says of itself which version it is
                assert (name, [tag["source"] for tag in told["tags"]]) == ("tags", ["OPENLINEAGE_CLIENT"])
                continue
            assert told["_schemaURL"] == facets.SCHEMAS[name]
            if name.startswith("synthml_"):
                definition = told["_schemaURL"].rpartition("/")[2]
                jsonschema.validate(told, {**OURS, "$ref": f"#/$defs/{definition}"})
            else:
                module, _, kind = CLASSES[name].partition(".")
                known = getattr(import_module(f"openlineage.client.generated.{module}"), kind)
                known(**{key: value for key, value in told.items() if not key.startswith("_")})
                assert known._get_schema() == told["_schemaURL"]


def test_a_run_is_told_with_its_tables_and_its_model(store: str, endpoint: list[dict[str, Any]]) -> None:
    """Start, generation, end; tables by digest, the model by id; the same run and job throughout; nothing of a row."""
    record = GenerationRecord(purpose="research", generator={"name": "CART", "version": "1"})
    given = study(generation=record)
    with tracking.start_run(given, settings=QUICK) as run:
        assert sending.flush(20)
        (begun,) = endpoint
        run.fit(estimator())
    assert sending.flush(20)
    for event in endpoint:
        valid(event)
    _, made, again, done = endpoint
    assert [one.get("eventType") for one in endpoint] == ["START", None, "START", "COMPLETE"]
    assert {one["run"]["runId"] for one in (begun, again, done)} == {events.run_id(run.run_id)}
    assert {one["job"]["name"] for one in (begun, again, done)} == {f"training.{run.run_id}"}
    digests = {role: table.digest for role, table in given.tables.items()}
    assert {one["name"] for one in done["inputs"]} == set(digests.values())
    assert [one["name"] for one in done["outputs"]] == [run.model_uri]
    roles = {one["name"]: one["inputFacets"]["synthml_role"]["use"] for one in done["inputs"]}
    assert roles[digests["synthetic"]] == "trained on"
    assert roles[digests["holdout"]] == "measured on"
    (source,), (synthetic,) = made["inputs"], made["outputs"]
    assert (source["name"], synthetic["name"]) == (digests["source"], digests["synthetic"])
    assert synthetic["facets"]["synthml_generation"]["generator"] == "CART 1"
    assert done["run"]["facets"]["synthml_run"]["evidence"] == [run.dossier.digest.removeprefix("sha256:")[:32]]


def test_nothing_of_a_row_is_sent(store: str, endpoint: list[dict[str, Any]]) -> None:
    """A rare label and a telling number stand in every table, and in no event."""
    planted = tables()
    for table in planted.values():
        table.loc[0, "ward"] = "canary-ward-7731"
        table.loc[0, "lactate"] = 77317.7317
    with warnings.catch_warnings(action="ignore"), tracking.start_run(study(planted), settings=QUICK) as run:
        run.fit(estimator())
    assert sending.flush(20)
    assert len(endpoint) == 4
    sent = json.dumps(endpoint)
    assert "lactate" in sent
    assert "canary" not in sent
    assert "77317.7" not in sent


def test_a_failed_run_says_the_class_of_the_error_and_not_its_words(store: str, endpoint: list[dict[str, Any]]) -> None:
    """The words may hold a value."""
    with pytest.raises(ValueError, match="4711"), tracking.start_run(study(), settings=QUICK):
        raise ValueError("patient 4711")
    assert sending.flush(20)
    assert endpoint[-1]["eventType"] == "FAIL"
    assert endpoint[-1]["run"]["facets"]["errorMessage"]["message"] == "ValueError"
    assert endpoint[-1]["job"]["name"] == endpoint[0]["job"]["name"]
    assert "4711" not in json.dumps([one["run"]["facets"]["errorMessage"] for one in endpoint[-1:]])


def test_an_evaluation_is_told_also_when_it_fails(store: str, endpoint: list[dict[str, Any]]) -> None:
    """The model is what it reads."""
    with tracking.start_run(study(), settings=QUICK) as run:
        run.fit(estimator())
    tracking.evaluate(run.model_uri, study(), settings=QUICK)
    assert sending.flush(20)
    told = [one for one in endpoint if one["job"]["name"].startswith("evaluation.")]
    assert [one["eventType"] for one in told] == ["START", "START", "COMPLETE"]
    assert run.model_uri in {one["name"] for one in told[-1]["inputs"]}
    for event in told:
        valid(event)
    before = len(endpoint)

    def stop(line: str) -> None:
        if "loading" not in line:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        tracking.evaluate(run.model_uri, study(), settings=QUICK, progress=stop)
    assert sending.flush(20)
    assert [one["eventType"] for one in endpoint[before:] if "eventType" in one] == ["START", "START", "FAIL"]


@pytest.mark.parametrize("kind", ["nobody listens", "never answers", "answers 500", "no configuration file", "broken file"])
def test_whatever_the_endpoint_does_the_run_is_the_same(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Recorded whole, and told by one line at most; the block ends without waiting for it."""
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    if kind == "nobody listens":
        silent.close()
    if kind == "no configuration file":
        monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "nowhere.yml"))
    elif kind == "broken file":
        (tmp_path / "broken.yml").write_text("transport: [")
        monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "broken.yml"))
    else:
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{port}")
    if kind == "answers 500":
        threading.Thread(target=_answer_500, args=(silent,), daemon=True).start()
    with tracking.start_run(study(), settings=QUICK) as run:
        began = time.monotonic()
        run.progress = lambda line: None
        run.fit(estimator())
        trained = time.monotonic() - began
    closed = time.monotonic() - began - trained
    silent.close()
    assert closed < 5
    assert tracking.client.load_mlflow().MlflowClient(store).get_run(run.run_id).info.status == "FINISHED"
    assert len(sending._SENDER._told) <= 1  # threads of other tests may speak too


def _answer_500(server: socket.socket) -> None:
    try:
        while True:
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        return


def test_a_process_that_ends_waits_two_seconds_at_most(tmp_path: Path) -> None:
    """An endpoint that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code = (
            "import time\n"
            "from synthml_tracking.openlineage import sending\n"
            "from synthml_tracking.items import DatasetItem, EndItem\n"
            "from synthml_tracking.spool import Target\n"
            "import openlineage.client\n"
            "items = (DatasetItem('sha256:' + 'a' * 64, ('synthetic',), {}, {}), EndItem('FINISHED'))\n"
            "sending.ended(Target('x', '0', 'r', 0, 'a'), items)\n"
            "print(time.time())\n"
        )
        environment = {"OPENLINEAGE_URL": url, "PATH": "/usr/bin", "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        assert time.time() - float(done.stdout) < 6
        assert "Traceback" not in done.stderr


def test_not_configured_nothing_is_imported(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No endpoint, or turned off: no thread, whatever is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not sending.configured()
    sending.started(study(), "0", "r")
    assert sending._SENDER._thread is None
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert sending.configured()
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert not sending.configured()
    monkeypatch.delenv("OPENLINEAGE_URL")
    monkeypatch.delenv("OPENLINEAGE_DISABLED")
    (tmp_path / "openlineage.yml").write_text("transport: {type: noop}")
    assert sending.configured()


def test_configured_without_the_client_the_command_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, and nothing else happens."""
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sending.importlib.util, "find_spec", lambda name: None)
    for _ in range(3):
        sending.started(study(), "0", "r")
    assert [one.getMessage() for one in caplog.records] == [
        "OpenLineage is configured and its client is not installed: pip install 'synthml[openlineage]'"
    ]


def test_a_full_queue_drops_events_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The queue has an end."""
    sender = sending._Sender()
    sender._thread = threading.current_thread()  # nobody works
    sender.put({"n": i} for i in range(sending._MOST + 5))
    assert "are left out" in caplog.text
    assert sender._queue.qsize() == sending._MOST


def test_a_recording_without_an_end_or_a_table_tells_nothing() -> None:
    """Attaching a statement is no run."""
    from synthml_tracking.items import EndItem, TagItem
    from synthml_tracking.spool import Target

    target = Target("x", "0", "r", 0, "a")
    assert list(events.at_end(target, [TagItem("a", "b")], at=0)) == []
    assert list(events.at_end(target, [EndItem("FINISHED")], at=0)) == []
