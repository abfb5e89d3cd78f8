"""The events of a recording, made from the very items that are logged. Pure.

    training.<run id>       synthetic table, source, holdout -> LoggedModel
    evaluation.<run id>     holdout, ... and the LoggedModel that was measured -> nothing
    draw.<run id>           of a sweep: the source, and the synthetic table that was drawn
    synthesis.<32 hex>      source -> synthetic table, when a run knows both; an event of the job alone, for nobody here ran it

The run's id is made from MLflow's, so that the events of one run belong together, also when another process resumes it.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from synthml_tracking.items import DatasetItem, EndItem, ModelInputItem, ModelItem, ParamItem, TagItem, short_digest
from synthml_tracking.openlineage.facets import (
    EVENTS,
    NAMESPACE,
    PRODUCER,
    dataset,
    facet,
    job,
    model,
    of_table,
    run_facets,
    uses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synthml_tracking.items import Item
    from synthml_tracking.spool import Target

__all__ = ["at_end", "at_start", "event_time", "run_id"]

_STATES = {"FINISHED": "COMPLETE", "FAILED": "FAIL", "KILLED": "ABORT"}
_PROFILE = ("generator", "id", "version", "min_leaf", "epsilon", "delta", "purpose", "expiry")
_SWEEP = "synthml.sweep."
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "https://synthml.dev/openlineage/run")
Event = dict[str, Any]


def at_start(experiment_id: str, run: str, items: Sequence[Item], *, at: int, activity: str = "training") -> Iterator[Event]:
    """A run begins. items: those known by then; at: milliseconds."""
    yield _event(experiment_id, run, activity, items, "START", event_time(at))


def at_end(target: Target, items: Sequence[Item], *, at: int) -> Iterator[Event]:
    """A run has ended and is recorded; nothing for a recording that ends no run, or has no table. at: milliseconds."""
    state = next((_STATES.get(item.status, "OTHER") for item in items if isinstance(item, EndItem)), None)
    tables = [item for item in items if isinstance(item, DatasetItem)]
    if state is None or not tables:
        return
    yield from _synthesis(tables, event_time(target.timestamp))
    activity = _activity(items)
    yield _event(target.experiment_id, target.run_id, activity, items, "START", event_time(target.timestamp))
    yield _event(target.experiment_id, target.run_id, activity, items, state, event_time(max(at, target.timestamp)))


def run_id(mlflow_run: str) -> str:
    """The UUID of a run."""
    return str(uuid.uuid5(_NAMES, mlflow_run))


def event_time(milliseconds: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _activity(items: Sequence[Item]) -> str:
    if any(isinstance(item, ModelInputItem) for item in items):
        return "evaluation"
    return "draw" if any(isinstance(item, ParamItem) and item.key.startswith(_SWEEP) for item in items) else "training"


def _event(experiment_id: str, run: str, activity: str, items: Sequence[Item], state: str, time: str) -> Event:
    facets = run_facets() | {"synthml_run": _recorded(experiment_id, run, items)}
    error = next((item.value for item in items if isinstance(item, TagItem) and item.key == "synthml.error"), None)
    if error is not None and state in {"FAIL", "ABORT"}:
        facets["errorMessage"] = facet("errorMessage", message=error, programmingLanguage="Python")
    measured = [model(item.model_id) for item in items if isinstance(item, ModelInputItem)]
    return {
        "eventType": state,
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": f"{EVENTS}/RunEvent",
        "run": {"runId": run_id(run), "facets": facets},
        "job": job(activity, run),
        "inputs": [*(_input(item) for item in items if isinstance(item, DatasetItem)), *measured],
        "outputs": [model(item.model_id) for item in items if isinstance(item, ModelItem)],
    }


def _recorded(experiment_id: str, run: str, items: Sequence[Item]) -> dict[str, Any]:
    told = {item.key: item.value for item in items if isinstance(item, TagItem) and item.run_id is None}
    named = {word: sorted(key.removeprefix(p) for key in told if key.startswith(p)) for word, p in _TOLD.items()}
    verdict = {"verdict": told["synthml.verdict"]} if "synthml.verdict" in told else {}
    return facet("synthml_run", runId=run, experimentId=experiment_id, **named, **verdict)


_TOLD = {"evidence": "synthml.ev.", "statements": "synthml.at."}


def _input(item: DatasetItem) -> dict[str, Any]:
    facets = of_table(item.digest, ",".join(item.roles))
    facets["schema"] = facet("schema", fields=[{"name": name, "type": kind} for name, kind in item.columns.items()])
    facets |= _generation(item)
    rows = item.profile.get("rows")
    measured = {"inputStatistics": facet("inputStatistics", rowCount=rows)} if isinstance(rows, int) else {}
    role = facet("synthml_role", roles=list(item.roles), use=uses(item.roles))
    return dataset(NAMESPACE, item.digest, facets, inputFacets={"synthml_role": role, **measured})


def _generation(item: DatasetItem) -> dict[str, Any]:
    """The public view of the generation record, as far as MLflow's dataset drawer shows it."""
    told = {key: item.profile[key] for key in _PROFILE if key in item.profile}
    return {"synthml_generation": facet("synthml_generation", **told)} if told and "synthetic" in item.roles else {}


def _synthesis(tables: Sequence[DatasetItem], time: str) -> Iterator[Event]:
    sources = [item for item in tables if "source" in item.roles]
    for made in (item for item in tables if "synthetic" in item.roles and "source" not in item.roles):
        if sources:
            yield {
                "eventTime": time,
                "producer": PRODUCER,
                "schemaURL": f"{EVENTS}/JobEvent",
                "job": job("synthesis", short_digest(made.digest)),
                "inputs": [dataset(NAMESPACE, item.digest, of_table(item.digest, "source")) for item in sources],
                "outputs": [dataset(NAMESPACE, made.digest, of_table(made.digest, "synthetic") | _generation(made))],
            }
