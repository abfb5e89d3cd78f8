"""Lineage as nodes and links; links run from what was there before to what came of it.

A dossier knows its tables, generator and model; a registry knows what went before and what came after. Both are drawn alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

__all__ = ["KINDS", "Graph", "Link", "Node", "generator_name"]

KINDS = ("table", "making", "run", "model", "version", "alias", "deployment")


@dataclass(frozen=True)
class Node:
    """id: unique in the graph. kind: one of `KINDS`. name: as anybody may have written it. facts: what else is known."""

    id: str
    kind: str
    name: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def recalled(self) -> bool:
        """Whether it is a table that must not be relied on."""
        return "recalled" in self.facts


@dataclass(frozen=True, order=True)
class Link:
    """start went into end. label: how, such as the role of a table in a run."""

    start: str
    end: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    """root: id of what was asked about."""

    root: str
    nodes: Mapping[str, Node]
    links: tuple[Link, ...]

    @cached_property
    def _after(self) -> dict[str, list[Link]]:
        after: dict[str, list[Link]] = {}
        for link in self.links:
            after.setdefault(link.start, []).append(link)
        return after

    @cached_property
    def _before(self) -> dict[str, list[Link]]:
        before: dict[str, list[Link]] = {}
        for link in self.links:
            before.setdefault(link.end, []).append(link)
        return before

    def after(self, node: str) -> list[Link]:
        """Links to what came of a node."""
        return self._after.get(node, [])

    def before(self, node: str) -> list[Link]:
        """Links from what went into a node."""
        return self._before.get(node, [])

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        nodes = [{"id": node.id, "kind": node.kind, "name": node.name, "facts": dict(node.facts)} for node in self.nodes.values()]
        links = [{"from": link.start, "to": link.end, "label": link.label} for link in self.links]
        return {"root": self.root, "nodes": nodes, "links": links}


def generator_name(generation: Mapping[str, Any] | None) -> str:
    """Name and version of the generator, from a generation record; empty where it names none."""
    told = (generation or {}).get("generator")
    return " ".join(str(told[part]) for part in ("name", "version") if told.get(part)) if isinstance(told, Mapping) else ""
