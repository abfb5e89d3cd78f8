"""Pairs of common values that never meet: `sex = M` with `pregnant = True`.

Under independence at least twenty rows would have both (of as many people, where people have several); none has, so chance
(e^-20 for each pair) is no explanation. Of numbers with many values only the ends are looked at, up to a rounded decile. Only
values that ten people carry are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations as pairs_of
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.fidelity.constraints.learned import EXPECTED, Learned
from synthml.fidelity.constraints.tables import FEW, Column, Field, Seen
from synthml.study.groups import bin_label
from synthml.study.tables import label_of
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["impossible"]

_LABELS = 20
_DECILES = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True, eq=False)
class _Axis:
    """A column in parts. parts: what each is called. edges: of bands, or None. null: whether it says if the column is null.

    codes: a table -> (n,) part of each row, the last part that of all rows with no part of their own.
    """

    column: Column
    parts: tuple[str, ...]
    codes: Callable[[Seen], NDArray[np.int64]]
    edges: tuple[float, ...] | None = None
    null: bool = False

    def name(self, first: int, last: int) -> str:
        """What the parts from first to last are called together."""
        if self.edges is None:
            return self.parts[first]
        edges = (-np.inf, *self.edges, np.inf)
        return f"{self.column.name} {_band(edges[first], edges[last + 1])}"


def _band(low: float, high: float) -> str:
    told = bin_label(low, high)
    return f"in {told}" if told[0] not in "<>" else told.replace("<", "< ").replace(">=", ">= ")


def impossible(seen: Seen, columns: Mapping[str, Column], told: set[frozenset[str]]) -> Iterator[Learned]:
    """Combinations that rows learned from never have. told: pairs of columns of which a simpler rule is known."""
    axes = [axis for column in columns.values() for axis in _axes(seen, column)]
    if len(axes) < 2:
        return
    codes = [axis.codes(seen) for axis in axes]
    margins = [np.bincount(code, minlength=len(axis.parts) + 1)[:-1] for code, axis in zip(codes, axes, strict=True)]
    known: dict[tuple[str, int], NDArray[np.bool_]] = {}  # parts of an axis with which a column is always null
    # whether a column is null comes first: what follows from it is no rule of its own
    for i, j in sorted(pairs_of(range(len(axes)), 2), key=lambda pair: not (axes[pair[0]].null or axes[pair[1]].null)):
        one, other = axes[i], axes[j]
        if one.column is other.column or frozenset((one.column.name, other.column.name)) in told:
            continue
        if one.edges is not None and other.edges is not None:
            continue  # corners that two correlated numbers leave empty are rare, not impossible
        expected = np.asarray(np.outer(margins[i], margins[j]) * (seen.people / seen.rows), dtype=np.float64)
        if expected.max(initial=0) < EXPECTED:
            continue
        empty = (_counts(codes[i], codes[j], len(one.parts) + 1, len(other.parts) + 1) == 0) & (expected >= EXPECTED)
        if not one.null:
            empty &= ~known.get((one.column.name, j), np.zeros(len(other.parts), dtype=bool))[None, :]
        if not other.null:
            empty &= ~known.get((other.column.name, i), np.zeros(len(one.parts), dtype=bool))[:, None]
        if not empty.any():
            continue
        if one.null:
            known[one.column.name, j] = empty[0]
        if other.null:
            known[other.column.name, i] = empty[:, 0]
        yield from _joined(one, other, empty, expected / (seen.people * seen.rows))


def _counts(one: NDArray[np.int64], other: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """(rows - 1, columns - 1) how often two parts meet, without the rest of either axis."""
    return np.bincount(one * columns + other, minlength=rows * columns).reshape(rows, columns)[:-1, :-1]


def _axes(seen: Seen, column: Column) -> Iterator[_Axis]:
    """The column by its values or bands, and, where it has nulls, by whether it is null."""
    name = column.name
    if column.nulls:
        parts = (f"{name} known", f"{name} missing")
        yield _Axis(column, parts, lambda table: table.null(name).astype(np.int64), null=True)
    if column.distinct <= FEW or (column.kind == "categorical" and column.levels is not None):
        yield _by_value(seen, column)
    elif column.kind == "numeric":
        cuts = {float(f"{cut:.3g}") for cut in np.nanquantile(seen.numbers(name), _DECILES)}
        edges = tuple(sorted(cuts))

        def banded(table: Seen) -> NDArray[np.int64]:
            numbers = table.numbers(name)
            found = np.searchsorted(np.array(edges), numbers, side="right")
            return np.where(np.isnan(numbers), len(edges) + 1, found).astype(np.int64)

        yield _Axis(column, tuple("" for _ in range(len(edges) + 1)), banded, edges)


def _by_value(seen: Seen, column: Column) -> _Axis:
    levels = column.levels
    assert levels is not None
    codes = seen.codes(column.name)
    people = seen.carriers(Field(column))
    rows = np.bincount(codes, minlength=levels.size)
    ranked = [int(code) for code in np.argsort(-rows, kind="stable") if people[code] >= FEWEST and code < levels.null]
    ranked = ranked[:_LABELS]
    place = np.full(levels.size, len(ranked), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    parts = tuple(f"{column.name} = {_told(column, levels.values[code])}" for code in ranked)
    name = column.name
    return _Axis(column, parts, lambda table: place[table.codes(name)])


def _told(column: Column, value: Any) -> str:
    if column.kind == "boolean":
        return str(bool(value))
    if column.kind == "datetime":
        return str(np.datetime64(value, "D"))
    return label_of(value)


def _joined(one: _Axis, other: _Axis, empty: NDArray[np.bool_], expected: NDArray[np.float64]) -> Iterator[Learned]:
    """One rule for each empty cell; neighbouring bands of a number are one, and count where they reach an end of it."""
    if one.edges is None and other.edges is not None:
        one, other, empty, expected = other, one, empty.T, expected.T
    for column in range(empty.shape[1]):
        row = 0
        while row < empty.shape[0]:
            last = row
            while empty[row, column] and one.edges is not None and last + 1 < empty.shape[0] and empty[last + 1, column]:
                last += 1
            if empty[row, column] and (one.edges is None or row == 0 or last + 1 == empty.shape[0]):
                share = float(expected[row : last + 1, column].sum())
                yield _rule(one, other, (row, last), column, share)
            row = last + 1


def _rule(one: _Axis, other: _Axis, span: tuple[int, int], column: int, share: float) -> Learned:
    def breaks(table: Seen) -> NDArray[np.bool_]:
        codes = one.codes(table)
        return np.asarray((codes >= span[0]) & (codes <= span[1]) & (other.codes(table) == column))

    label = f"never {one.name(*span)} with {other.name(column, column)}"
    return Learned(label, "combination", (one.column.name, other.column.name), share, breaks)
