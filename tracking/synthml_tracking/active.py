"""MLflow's stack of active runs: a new run on it, and leaving it as it was."""

from __future__ import annotations

import os
from typing import Any

from synthml.errors import InputError
from synthml_tracking.client import load_mlflow

__all__ = ["DEFAULT_EXPERIMENT", "begun", "leave"]

DEFAULT_EXPERIMENT = "synthml"


def begun(uri: str, experiment: str | None, run_name: str | None, outer: Any) -> Any:
    """A new run, active from now on; a child of the active one if there is one."""
    experiment_id = _experiment(uri, experiment, outer)
    return load_mlflow().start_run(
        experiment_id=experiment_id, run_name=run_name, nested=outer is not None, log_system_metrics=False
    )


def leave(run_id: str) -> None:
    """Take the run off MLflow's stack of active runs, with runs inside it that the user left open; its status is written."""
    from mlflow.tracking import fluent

    stack = fluent._active_run_stack.get()
    position = next((i for i, run in enumerate(stack) if run.info.run_id == run_id), None)
    if position is not None:
        del stack[position:]
        fluent._last_active_run_id.set(run_id)


def _experiment(uri: str, name: str | None, outer: Any) -> str:
    """Id of the experiment, made when it is new. Raises InputError when it was deleted."""
    mlflow = load_mlflow()
    if name is None and outer is not None:
        return str(outer.info.experiment_id)
    if name is None:
        from mlflow.tracking import fluent

        chosen = fluent._active_experiment_id or os.environ.get("MLFLOW_EXPERIMENT_ID")
        if chosen:
            return str(chosen)
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        raise InputError(f"the experiment '{name}' was deleted; restore it in MLflow or choose another name")
    return str(found.experiment_id)
