"""synthml_tracking: what was measured, recorded in MLflow. The only code that imports MLflow.

`items` decides, purely, what is logged; `spool` keeps it on local disk until it is; `writer` is the one interpreter that
writes it. `run` wraps training; `evaluating` measures a model that was logged before; `resuming` finishes what was cut off.
`models` saves model folders, `scan` looks for rare values in them. `client` is the door to MLflow, `cli` the `synthml` command.

Names are loaded when they are first used; MLflow is imported by the first call that needs it, with its telemetry switched off.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthml_tracking.evaluating import evaluate
    from synthml_tracking.resuming import resume
    from synthml_tracking.run import Run, start_run

_HOME = {"Run": "run", "evaluate": "evaluating", "resume": "resuming", "start_run": "run"}

__all__ = ["Run", "evaluate", "resume", "start_run"]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'synthml_tracking' has no attribute '{name}'")
    value = getattr(import_module(f"synthml_tracking.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
