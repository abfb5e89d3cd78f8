"""A graph as PROV-JSON (W3C member submission, https://www.w3.org/submissions/prov-json/). Pure.

Tables, models, versions and aliases are entities; generation, training and serving are activities; who deployed is an agent.
Names of ours are written in percent-encoding, so that they are names in any syntax of PROV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from synthml.lineage import Graph, Link, Node

__all__ = ["prov"]

_NAMESPACE = "https://synthml.dev/ns/lineage#"
_ACTIVITIES = ("making", "run", "deployment")
_TYPES = {
    "table": "Table",
    "making": "Generation",
    "run": "Training",
    "model": "LoggedModel",
    "version": "ModelVersion",
    "alias": "Alias",
    "deployment": "Deployment",
}
_TIMES = {"since": "prov:startTime", "ended": "prov:endTime"}


def prov(graph: Graph) -> dict[str, Any]:
    """The document, ready for JSON."""
    document: dict[str, Any] = {"prefix": {"synthml": _NAMESPACE}, "entity": {}, "activity": {}}
    for node in graph.nodes.values():
        kind = "activity" if node.kind in _ACTIVITIES else "entity"
        document[kind][_name(node.id)] = _attributes(node)
        if node.kind == "deployment" and node.facts.get("by"):
            _associate(document, node)
    for link in graph.links:
        _relate(document, graph, link)
    for start, end in sorted(_derivations(graph)):
        _add(document, "wasDerivedFrom", {"prov:generatedEntity": _name(end), "prov:usedEntity": _name(start)})
    return document


def _name(text: str) -> str:
    return "synthml:" + quote(text, safe="").replace("~", "%7E").replace(".", "%2E")


def _attributes(node: Node) -> dict[str, Any]:
    told: dict[str, Any] = {"prov:type": {"$": f"synthml:{_TYPES[node.kind]}", "type": "prov:QUALIFIED_NAME"}}
    told["prov:label"] = node.name
    for name, value in node.facts.items():
        if name not in _TIMES:
            told[f"synthml:{name}"] = value
        elif node.kind in _ACTIVITIES and value[:1].isdigit():
            told[_TIMES[name]] = value
    return told


def _associate(document: dict[str, Any], node: Node) -> None:
    agent = _name(f"agent:{node.facts['by']}")
    document.setdefault("agent", {})[agent] = {"prov:label": node.facts["by"]}
    _add(document, "wasAssociatedWith", {"prov:activity": _name(node.id), "prov:agent": agent})


def _relate(document: dict[str, Any], graph: Graph, link: Link) -> None:
    start, end = graph.nodes[link.start], graph.nodes[link.end]
    if end.kind in _ACTIVITIES:
        role = {"prov:role": link.label} if link.label else {}
        _add(document, "used", {"prov:activity": _name(end.id), "prov:entity": _name(start.id), **role})
    elif start.kind in _ACTIVITIES:
        _add(document, "wasGeneratedBy", {"prov:entity": _name(end.id), "prov:activity": _name(start.id)})
    elif end.kind == "alias":
        _add(document, "alternateOf", {"prov:alternate1": _name(end.id), "prov:alternate2": _name(start.id)})
    elif start.kind == "model":
        _add(document, "specializationOf", {"prov:specificEntity": _name(end.id), "prov:generalEntity": _name(start.id)})
    else:
        _add(document, "wasDerivedFrom", {"prov:generatedEntity": _name(end.id), "prov:usedEntity": _name(start.id)})


def _derivations(graph: Graph) -> set[tuple[str, str]]:
    """From each table that went into a making to each that came of it."""
    makings = [node.id for node in graph.nodes.values() if node.kind == "making"]
    return {(before.start, after.end) for one in makings for before in graph.before(one) for after in graph.after(one)}


def _add(document: dict[str, Any], relation: str, told: dict[str, Any]) -> None:
    held = document.setdefault(relation, {})
    held[f"_:{relation}{len(held)}"] = told
