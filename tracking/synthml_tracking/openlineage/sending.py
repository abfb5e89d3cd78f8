"""Sending events: in the background, through the OpenLineage client, and never in the way.

The endpoint is what the client is configured for: OPENLINEAGE_URL (with OPENLINEAGE_API_KEY, OPENLINEAGE_ENDPOINT), a file named
by OPENLINEAGE_CONFIG, `openlineage.yml` in the working folder or in `~/.openlineage`, or variables that begin with
`OPENLINEAGE__`. OPENLINEAGE_DISABLED=true turns it off. Not configured, nothing is imported and nothing started.

Whatever the endpoint does, a run is neither delayed nor failed: events wait in a queue of limited length for one thread, and are
dropped when it is full. What goes wrong is told once, by a line of the logger `synthml.openlineage`. A process that ends waits
two seconds at most for what is still to be sent.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from synthml import Study
    from synthml_tracking.spool import Target

__all__ = ["configured", "ended", "flush", "started"]

_LOG = logging.getLogger("synthml.openlineage")
_MOST = 1000
_AT_EXIT = 2.0  # seconds
_INSTALL = "pip install 'synthml[openlineage]'"


def configured(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the client would find an endpoint."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OPENLINEAGE_URL") or environment.get("OPENLINEAGE_CONFIG"):
        return True
    if any(name.startswith("OPENLINEAGE__") for name in environment):
        return True
    places = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))
    try:
        return any(place.expanduser().is_file() for place in places)
    except (OSError, RuntimeError):  # no home
        return False


def started(study: Study, experiment_id: str, run_id: str, *, activity: str = "training") -> None:
    """A run begins with a study's tables."""
    if not configured():
        return
    from synthml_tracking.items import datasets
    from synthml_tracking.openlineage.events import at_start

    _send(lambda: at_start(experiment_id, run_id, datasets(study), at=_now(), activity=activity))


def ended(target: Target, items: Sequence[Any]) -> None:
    """A recording is whole."""
    if not configured():
        return
    from synthml_tracking.openlineage.events import at_end

    _send(lambda: at_end(target, items, at=_now()))


def flush(seconds: float) -> bool:
    """Wait until everything is sent; False when the time was not enough."""
    return _SENDER.flush(seconds)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _send(events: Any) -> None:
    if importlib.util.find_spec("openlineage") is None:
        _SENDER.tell(f"OpenLineage is configured and its client is not installed: {_INSTALL}")
        return
    try:
        _SENDER.put(events())
    except Exception as error:  # noqa: BLE001 - lineage is told beside the run, and never ends it
        _SENDER.tell(f"events for OpenLineage could not be made ({type(error).__name__}); the run goes on")


class _Sender:
    """One thread and its queue; both are made at the first event."""

    def __init__(self) -> None:
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def put(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            try:
                self._queue.put_nowait(event)
            except queue.Full:
                self.tell(f"more than {_MOST:,} events wait for OpenLineage: some are left out")
                return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="synthml-openlineage", daemon=True)
                self._thread.start()
                atexit.register(self.flush, _AT_EXIT)

    def tell(self, line: str) -> None:
        """Once."""
        if line not in self._told:
            self._told.add(line)
            _LOG.warning("%s", line)

    def flush(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._queue.all_tasks_done.wait(left)
        return True

    def _work(self) -> None:
        client = None
        while True:
            event = self._queue.get()
            try:
                client = client or _client()
                client.emit(_typed(event))
            except Exception as error:  # noqa: BLE001 - whatever the endpoint does
                self.tell(f"events could not be sent to OpenLineage ({type(error).__name__}); the run goes on")
            finally:
                self._queue.task_done()


def _client() -> Any:
    from openlineage.client import OpenLineageClient

    logging.getLogger("openlineage").addHandler(logging.NullHandler())  # its tracebacks are for those who ask for them
    return OpenLineageClient()


def _typed(event: Mapping[str, Any]) -> Any:
    """As the client's own classes, which it asks for."""
    from openlineage.client import event_v2 as known

    def datasets(kind: Any, given: Iterable[Mapping[str, Any]]) -> list[Any]:
        return [kind(**one) for one in given]

    told = {name: event[name] for name in ("eventTime", "producer")}
    told["job"] = known.Job(**event["job"])
    told["inputs"] = datasets(known.InputDataset, event["inputs"])
    told["outputs"] = datasets(known.OutputDataset, event["outputs"])
    if "run" not in event:
        return known.JobEvent(**told)
    return known.RunEvent(eventType=known.RunState[event["eventType"]], run=known.Run(**event["run"]), **told)


_SENDER = _Sender()


def _forget() -> None:
    """A forked child has the queue of its parent and not its thread."""
    global _SENDER  # noqa: PLW0603
    _SENDER = _Sender()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
