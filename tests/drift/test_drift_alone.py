"""Evidently is loaded on first use, sends nothing, and leaves the process as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, socket, warnings
import numpy as np, pandas as pd

import synthml, synthml.drift, synthml.report.drift
assert not [name for name in sys.modules if name.partition(".")[0] in ("evidently", "plotly", "iterative_telemetry")]

def refused(*args, **kwargs):
    raise AssertionError("a socket was opened")

socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = socket.create_connection = refused
os.environ.pop("DO_NOT_TRACK", None)
with np.errstate(divide="raise"):
    np.random.seed(3)
    before = (dict(os.environ), np.geterr(), np.random.get_state()[1].tolist())
    filters = list(warnings.filters)
    options = {name: pd.get_option(name) for name in ("display.max_rows", "display.precision", "display.max_columns")}
    frame = pd.DataFrame({"a": np.arange(200.0), "b": np.array(["x", "y"] * 100, dtype=object)})
    found = synthml.drift.compare(frame, frame, names=("source", "holdout"), kinds={"a": "numeric", "b": "categorical"})
    assert "evidently" in sys.modules
    assert (dict(os.environ), np.geterr(), np.random.get_state()[1].tolist()) == before
    assert {name: pd.get_option(name) for name in options} == options
    assert list(warnings.filters) == filters
assert len(found.html) > 1_000_000
from evidently import telemetry
from synthml.drift.engine import _undisturbed
with _undisturbed():
    assert not telemetry.event_logger.is_enabled()
print("done")
"""


@pytest.mark.slow
def test_evidently_comes_late_sends_nothing_and_changes_nothing(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=str(tmp_path),
    )
    assert (done.stdout.strip(), done.stderr.strip()) == ("done", "")


def test_a_missing_evidently_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import pandas as pd

    from synthml.drift import compare
    from synthml.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "evidently", None)
    frame = pd.DataFrame({"a": np.arange(200.0)})
    with pytest.raises(MissingExtraError, match="pip install 'evidently"):
        compare(frame, frame, names=("source", "holdout"), kinds={"a": "numeric"})
