"""Where tables come from: edges from what was made to what it was made of, followed through any chain. Pure.

Tables are named by the first 32 hex of their digest, which is all that a tag holds. The edges come from signed and unsigned
statements alike: an edge can only add recalls and contamination, so a doubtful one is followed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from synthml.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MOST", "Ancestry", "Edge", "followed", "seen_holdouts"]

MOST = 1000  # tables behind one model; more is an attack on the gate's patience, or a mistake
_PARTS = ("sampling", "split")  # of these, only some rows went in


@dataclass(frozen=True, order=True)
class Edge:
    """derived was made of material. told: who says so."""

    derived: str
    material: str
    activity: str = "synthesis"
    told: str = ""

    @property
    def whole(self) -> bool:
        """Whether every row of the material may have gone in."""
        return self.activity not in _PARTS


@dataclass(frozen=True)
class Ancestry:
    """tables: those that were asked about and all behind them, in the order in which they were found."""

    tables: tuple[str, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def _up(self) -> dict[str, list[Edge]]:
        up: dict[str, list[Edge]] = {}
        for edge in self.edges:
            up.setdefault(edge.derived, []).append(edge)
        return up

    def above(self, tables: Iterable[str], *, whole: bool = False) -> frozenset[str]:
        """Everything behind some tables, these not included unless one of them is behind another.

        whole: only along edges in which all rows of the material may have gone in.
        """
        found, todo = set[str](), list(tables)
        while todo:
            for edge in self._up.get(todo.pop(), ()):
                if edge.material not in found and (edge.whole or not whole):
                    found.add(edge.material)
                    todo.append(edge.material)
        return frozenset(found)

    def path(self, table: str, ancestor: str) -> tuple[str, ...]:
        """The shortest chain from a table to one behind it, both included; empty when there is none."""
        before, todo = {table: table}, [table]
        for here in todo:
            if here == ancestor:
                chain = [here]
                while chain[-1] != table:
                    chain.append(before[chain[-1]])
                return tuple(reversed(chain))
            for edge in self._up.get(here, ()):
                if edge.material not in before:
                    before[edge.material] = here
                    todo.append(edge.material)
        return ()


def followed(tables: Iterable[str], known: Iterable[Edge], edges_of: Callable[[str], Iterable[Edge]]) -> Ancestry:
    """Follow tables to their origin. known: edges that are known beforehand; edges_of: asked once for each table.

    Raises EvidenceError when there are more than `MOST` tables.
    """
    found = dict.fromkeys(tables)
    edges = dict.fromkeys(known)
    todo = list(found)
    for table in todo:
        edges |= dict.fromkeys(edges_of(table))
        for edge in list(edges):
            if edge.derived in found and edge.material not in found:
                found[edge.material] = None
                todo.append(edge.material)
        if len(found) > MOST:
            raise EvidenceError(f"more than {MOST} tables are said to be behind this model; the ledger holds a mistake or worse")
    return Ancestry(tuple(found), tuple(sorted(edge for edge in edges if edge.derived in found)))


def seen_holdouts(ancestry: Ancestry, learned: Iterable[str], holdouts: Iterable[str]) -> dict[str, str]:
    """holdout -> how it was seen, for those that were. learned: tables that the model, or its generator, learned from.

    A holdout was seen when it is one of these tables or behind one of them, or when it was itself made of one of them. Two tables
    that were split or sampled from the same one do not contaminate each other: only some rows of it went into each.
    """
    learned = tuple(learned)
    behind = ancestry.above(learned)
    whole = frozenset(learned) | ancestry.above(learned, whole=True)
    seen = {}
    for holdout in holdouts:
        if holdout in learned:
            seen[holdout] = "the model or its generator learned from it"
        elif holdout in behind:
            seen[holdout] = "it is among the inputs of an ancestor"
        elif whole & ancestry.above([holdout]):
            seen[holdout] = "it was made of a table that the model or its generator learned from"
    return seen
