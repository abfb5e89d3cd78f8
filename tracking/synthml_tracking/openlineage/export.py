"""A lineage graph as OpenLineage events about jobs and tables. Pure.

The graph says what was made from what, not when it ran; so these are OpenLineage's events without a run, and their time is that
of the export. Jobs and datasets have the names that the events of a recording give them, so both meet in the consumer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml_tracking.items import short_digest
from synthml_tracking.openlineage.facets import EVENTS, NAMESPACE, PRODUCER, dataset, facet, job, model, of_table, tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml.lineage import Graph, Node

__all__ = ["exported"]


def exported(graph: Graph, *, at: str) -> list[dict[str, Any]]:
    """One event for each making and each run, and one for each table or model that none of them names. at: ISO 8601, UTC."""
    events, named = [], set[str]()
    for node in graph.nodes.values():
        if node.kind not in {"making", "run"}:
            continue
        inputs = [link.start for link in graph.before(node.id) if graph.nodes[link.start].kind in {"table", "model"}]
        outputs = [link.end for link in graph.after(node.id) if graph.nodes[link.end].kind in {"table", "model"}]
        named |= {*inputs, *outputs}
        events.append(
            {
                "eventTime": at,
                "producer": PRODUCER,
                "schemaURL": f"{EVENTS}/JobEvent",
                "job": _job(graph, node, outputs),
                "inputs": [_dataset(graph, one) for one in sorted(set(inputs))],
                "outputs": [_dataset(graph, one) for one in sorted(set(outputs))],
            }
        )
    alone = (node.id for node in graph.nodes.values() if node.kind in {"table", "model"} and node.id not in named)
    return [*events, *({**_header(at), "dataset": _dataset(graph, one)} for one in sorted(alone))]


def _header(at: str) -> dict[str, Any]:
    return {"eventTime": at, "producer": PRODUCER, "schemaURL": f"{EVENTS}/DatasetEvent"}


def _job(graph: Graph, node: Node, outputs: list[str]) -> dict[str, Any]:
    if node.kind == "run":
        return job("training", node.id.removeprefix("run:"))
    made = sorted(short_digest(graph.nodes[one].name) for one in outputs)
    return job(node.facts.get("activity") or "synthesis", made[0] if made else node.id)


def _dataset(graph: Graph, node_id: str) -> dict[str, Any]:
    node = graph.nodes[node_id]
    if node.kind == "model":
        return model(node.name, synthml_registered=_registered(graph, node))
    facets = of_table(node.name, "table")
    if node.recalled:
        facets["tags"] = tags({"synthml.recalled": node.facts["recalled"]})
    return dataset(NAMESPACE, node.name, facets)


def _registered(graph: Graph, node: Node) -> dict[str, Any]:
    found: dict[str, list[Node]] = {"version": [], "alias": [], "deployment": []}
    for one in _below(graph, node.id):
        if one.kind in found:
            found[one.kind].append(one)
    serving = [
        {"name": one.name, **{key: one.facts[key] for key in ("state", "since", "ended") if key in one.facts}}
        for one in found["deployment"]
    ]
    versions, aliases = ([one.name for one in found[kind]] for kind in ("version", "alias"))
    return facet("synthml_registered", versions=versions, aliases=aliases, deployments=serving)


def _below(graph: Graph, start: str) -> Iterator[Node]:
    todo, seen = [start], {start}
    for node_id in todo:
        for link in graph.after(node_id):
            if link.end not in seen:
                seen.add(link.end)
                todo.append(link.end)
                yield graph.nodes[link.end]
