"""synthml_tracking: what was measured, recorded in MLflow. The only code that imports MLflow.

    run         wrapped training: start_run, fit, register
    evaluating  measuring a model that was logged before
    resuming    finishing what was cut off
    attaching   adding a signed statement to a model
    gating      deciding from what is attached to a model; promoting: setting an alias on what passes
    verifying   every digest and signature of a model, recomputed
    reviewing   a reviewer's signed decisions
    recalling   withdrawing a table, and the end of that; recalls: those in force; notices: told on the pages of versions
    deriving    that tables were made from tables, where nothing else tells of it

    facts, documents, ancestry          what a gate decides from: evidence that counts, and the tables behind a model
    registry, attachments               one logged model as the store holds it; what its statements are worth
    graph/                              lineage of anything, both ways: found, drawn, as PROV
    impacts, derivations                what depends on a table, through what was made from it
    deployments, plain                  where models serve; text of strangers on its way to a terminal or a sheet
    ledger, entries                     statements about tables, which belong to no single version
    monitoring, series                  production batches against what a version was proven on
    autologging recording what code trains that knows nothing of synthml; adopting: its models, recognising: its tables
    evaluator   the same figures through MLflow's own `evaluate`

    items       what is logged: typed, pure, decided without a server
    spool       keeps it on local disk until the store has it
    writer      the one interpreter that writes it
    models      the model folder: saved, loaded, held against the original
    scan        looks for values that point at somebody in what is about to be logged
    client      the door to MLflow: telemetry off, bounded patience, plain errors

    keys, trust, releases               where keys and the trust file are found; the release of a table, held against it
    commands/                           one command or group a file
    cli, demo, console, clock, files    the `synthml` command, the demo, the terminal, the time, files that are whole or absent

Names are loaded when they are first used; MLflow is imported by the first call that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthml_tracking.attaching import attach
    from synthml_tracking.autologging import autolog
    from synthml_tracking.deployments import Deployment, list_deployments, record_deployment, retire_deployment
    from synthml_tracking.deriving import record_derivation
    from synthml_tracking.evaluating import evaluate
    from synthml_tracking.facts import gather_facts
    from synthml_tracking.gating import Judgement, gate, judge
    from synthml_tracking.graph import Graph, lineage
    from synthml_tracking.impacts import Impact, impact
    from synthml_tracking.monitoring import MonitorResult, monitor
    from synthml_tracking.promoting import Promotion, promote
    from synthml_tracking.recalling import lift_recall, recall
    from synthml_tracking.recalls import recalls_of
    from synthml_tracking.resuming import resume
    from synthml_tracking.reviewing import approve, refuse, waive
    from synthml_tracking.run import Run, start_run
    from synthml_tracking.verifying import Verification, verify
    from synthml_tracking.writer import Recorded

_HOME = {
    "Deployment": "deployments",
    "Judgement": "gating",
    "Graph": "graph",
    "Impact": "impacts",
    "MonitorResult": "monitoring",
    "Promotion": "promoting",
    "Recorded": "writer",
    "Run": "run",
    "Verification": "verifying",
    "approve": "reviewing",
    "attach": "attaching",
    "autolog": "autologging",
    "evaluate": "evaluating",
    "gate": "gating",
    "gather_facts": "facts",
    "judge": "gating",
    "impact": "impacts",
    "lift_recall": "recalling",
    "lineage": "graph",
    "list_deployments": "deployments",
    "monitor": "monitoring",
    "promote": "promoting",
    "recall": "recalling",
    "recalls_of": "recalls",
    "record_deployment": "deployments",
    "record_derivation": "deriving",
    "refuse": "reviewing",
    "resume": "resuming",
    "retire_deployment": "deployments",
    "start_run": "run",
    "verify": "verifying",
    "waive": "reviewing",
}

__all__ = [
    "Deployment",
    "Graph",
    "Impact",
    "Judgement",
    "MonitorResult",
    "Promotion",
    "Recorded",
    "Run",
    "Verification",
    "approve",
    "attach",
    "autolog",
    "evaluate",
    "gate",
    "gather_facts",
    "impact",
    "judge",
    "lift_recall",
    "lineage",
    "list_deployments",
    "monitor",
    "promote",
    "recall",
    "recalls_of",
    "record_deployment",
    "record_derivation",
    "refuse",
    "resume",
    "retire_deployment",
    "start_run",
    "verify",
    "waive",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'synthml_tracking' has no attribute '{name}'")
    value = getattr(import_module(f"synthml_tracking.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
