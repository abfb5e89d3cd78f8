"""Lineage as a graph: source, generator, synthetic table, run, LoggedModel, version, alias, deployment, both ways.

model       nodes and links; pure
finding     the graph of one reference, from the registry and the ledger
drawing     as a tree for the terminal, as Mermaid, as DOT
prov        as PROV-JSON
"""

from __future__ import annotations

from synthml_tracking.graph.finding import lineage
from synthml_tracking.graph.model import Graph, Link, Node

__all__ = ["Graph", "Link", "Node", "lineage"]
