"""Lineage as a graph: source, generator, synthetic table, run, LoggedModel, version, alias, deployment, both ways.

finding     the graph of one reference, from the registry and the ledger
drawing     as a tree for the terminal, as Mermaid, as DOT; the report draws it by itself (`synthml.report.descent`)
prov        as PROV-JSON
"""

from __future__ import annotations

from synthml.lineage import Graph, Link, Node
from synthml_tracking.graph.finding import lineage

__all__ = ["Graph", "Link", "Node", "lineage"]
