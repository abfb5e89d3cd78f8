"""Exact nearest rows, their distances and ties.

Both tables are reduced to distinct rows first: work and memory follow how many different rows there are, and ties cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import InputError
from synthml.neighbours import tiled
from synthml.neighbours.problem import NONE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synthml.neighbours.scale import Axis, Encoded

__all__ = ["Neighbours", "distances_to", "kernel", "nearest"]

Array = np.ndarray[Any, np.dtype[Any]]
_BLOCK = 65536  # rows of pairs that are compared at once in distances_to


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of a reference, for each query.

    distance: (n, k) float64 in [0, 1], ascending; inf where the reference has fewer than k rows. index: (n, k) int64, positions
    in the reference, equal distances in the order of positions; -1 where there is none. ties: (n,) int64, how many rows of the
    reference lie at the smallest distance.
    """

    distance: Array
    index: Array
    ties: Array


def nearest(queries: Encoded, reference: Encoded, *, k: int = 2, exclude_self: bool = False) -> Neighbours:
    """The k nearest rows of `reference` for each row of `queries`, exactly.

    exclude_self: queries and reference are one table in one order; a row then never meets itself, but meets its duplicates.
    Raises InputError for tables of different scales or columns, and for k below 1.
    """
    if k < 1:
        raise InputError(f"a search needs k of at least 1, not {k}")
    problem, asked = _problem(queries, reference, k, exclude_self)
    keys, ties = _solver()(problem)
    keys, ties = keys[asked.inverse], ties[asked.inverse]
    if exclude_self:
        keys, ties = _without_self(keys, ties, problem.alone[asked.inverse] < 0)
    none = keys == NONE
    distance = np.where(none, np.inf, (keys >> 32) / float(problem.units.sum()))
    return Neighbours(distance, np.where(none, -1, keys & 0xFFFFFFFF), ties)


def distances_to(queries: Encoded, reference: Encoded, index: Array | Sequence[int]) -> Array:
    """The distance of each query to one row, or several, of the reference.

    index: (n,) or (n, k) positions in the reference; -1 for none, whose distance is inf. Returns float64 of the same shape.
    """
    axes = _axes(queries, reference)
    units, measured = _units(axes)
    left, right = _matrix(queries, reference, axes), _matrix(reference, reference, axes)
    at = np.asarray(index, dtype=np.int64)
    flat, who = at.ravel(), np.repeat(np.arange(len(left)), at.shape[1] if at.ndim == 2 else 1)
    out = np.full(flat.shape, np.inf)
    there = np.flatnonzero(flat >= 0)
    for start in range(0, len(there), _BLOCK):
        pairs = there[start : start + _BLOCK]
        a, b = left[who[pairs]], right[flat[pairs]]
        steps = np.minimum(np.abs(a[:, :measured] - b[:, :measured]), units[:measured]).sum(axis=1, dtype=np.int64)
        steps += (a[:, measured:] != b[:, measured:]) @ units[measured:].astype(np.int64)
        out[pairs] = steps / float(units.sum())
    return out.reshape(at.shape)


def kernel() -> str:
    """What searches here, for the method of a figure: numba where it is installed, else NumPy. Both give equal results."""
    return f"gower, exact ({'numpy' if _solver() is tiled.solve else 'numba'})"


@cache
def _solver() -> Callable[[Problem], tuple[Array, Array]]:
    try:
        from synthml.neighbours import compiled
    except ImportError:
        return tiled.solve
    return compiled.solve


def _problem(queries: Encoded, reference: Encoded, k: int, exclude_self: bool) -> tuple[Problem, _Groups]:
    """Distinct queries against distinct rows, and which rows each query stands for.

    A row that has no duplicate must not meet itself; one that has meets its whole group, and is taken out afterwards.
    """
    axes = _axes(queries, reference)
    if exclude_self and not _one_table(queries, reference):
        raise InputError("exclude_self asks for one table as queries and reference, in one order")
    groups, rows = _distinct(reference, reference, axes)
    asked, wanted = (groups, rows) if exclude_self else _distinct(queries, reference, axes)
    alone = np.full(len(asked), -1, dtype=np.int64)
    if exclude_self:
        alone = np.where(np.diff(groups.starts) == 1, np.arange(len(groups)), -1)
    units, measured = _units(axes)
    return Problem(wanted, rows, units, measured, groups.starts, groups.positions, alone, k + exclude_self), asked


def _distinct(table: Encoded, reference: Encoded, axes: Sequence[Axis]) -> tuple[_Groups, Array]:
    """The groups of equal rows of a table, and one row of each."""
    rows = _matrix(table, reference, axes)
    groups = _Groups.of(rows)
    return groups, rows[groups.first]


def _without_self(keys: Array, ties: Array, duplicated: Array) -> tuple[Array, Array]:
    """The k nearest from the k + 1 nearest of a table in itself. duplicated: rows that the search has let meet themselves."""
    me = ((keys & 0xFFFFFFFF) == np.arange(len(keys))[:, None]) & (keys != NONE)
    drop = np.where(me.any(axis=1), me.argmax(axis=1), keys.shape[1] - 1)
    keep = np.arange(keys.shape[1] - 1)[None, :]
    return np.take_along_axis(keys, keep + (keep >= drop[:, None]), axis=1), ties - duplicated


def _axes(queries: Encoded, reference: Encoded) -> list[Axis]:
    """The columns of both, measured ones first."""
    if queries.scale is not reference.scale and queries.scale != reference.scale:
        raise InputError("two tables are compared that were encoded by different scales")
    if set(queries.names) != set(reference.names):
        raise InputError("two tables are compared by different columns")
    return sorted(reference.axes, key=lambda axis: axis.width is None)


def _units(axes: Sequence[Axis]) -> tuple[Array, int]:
    """(p,) int32 units, and the number of measured columns."""
    return np.array([axis.unit for axis in axes], dtype=np.int32), sum(axis.width is not None for axis in axes)


def _one_table(queries: Encoded, reference: Encoded) -> bool:
    if len(queries) != len(reference) or queries.unknown != reference.unknown:
        return False
    return all(np.array_equal(queries.values[name], reference.values[name]) for name in reference.names)


def _matrix(table: Encoded, reference: Encoded, axes: Sequence[Axis]) -> Array:
    """(n, p) int32, its labels numbered as the reference has them."""
    rows = np.empty((len(table), len(axes)), dtype=np.int32)
    for place, axis in enumerate(axes):
        rows[:, place] = _agreeing(table, reference, axis.name, len(axis.labels))
    return rows


def _agreeing(queries: Encoded, reference: Encoded, name: str, known: int) -> Array:
    """The queries' codes of one column, in the reference's numbers for labels that the source does not have."""
    theirs, ours = reference.unknown[name], queries.unknown[name]
    if not ours or ours == theirs:
        return queries.values[name]
    number = {label: known + 1 + place for place, label in enumerate(theirs)}
    beyond = known + 1 + len(theirs)
    renamed = [number.get(label, beyond + place) for place, label in enumerate(ours)]
    table: Array = np.array([*range(known + 1), *renamed], dtype=np.int32)
    return table[queries.values[name]]


@dataclass(frozen=True, eq=False)
class _Groups:
    """Equal rows. first: (g,) a position for each; inverse: (n,) each row's group; positions[starts[i]:starts[i + 1]] ascend."""

    first: Array
    inverse: Array
    starts: Array
    positions: Array

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def of(cls, rows: Array) -> _Groups:
        mixed = np.zeros(len(rows), dtype=np.uint64)
        for column in rows.T:
            mixed ^= column.astype(np.uint64)
            mixed *= np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        order = np.argsort(mixed, kind="stable")
        equal = _repeats(rows, order)
        if not np.array_equal(equal, mixed[order][1:] == mixed[order][:-1]):  # two rows of one hash
            order = np.lexsort(rows.T)
            equal = _repeats(rows, order)
        new = np.concatenate([np.ones(min(1, len(rows)), dtype=bool), ~equal])
        group = np.cumsum(new) - 1
        inverse = np.empty(len(rows), dtype=np.int64)
        inverse[order] = group
        starts = np.append(np.flatnonzero(new), len(rows)).astype(np.int64)
        return cls(order[new], inverse, starts, order.astype(np.int64))


def _repeats(rows: Array, order: Array) -> Array:
    """(n - 1,) whether a row equals the one before it, in this order."""
    equal = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for column in rows.T:
        ordered = column[order]
        equal &= ordered[1:] == ordered[:-1]
    return equal
