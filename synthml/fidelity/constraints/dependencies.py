"""What one column says of another: `icd` determines `chapter`, `age` determines `age_band`, `sex` whether `pregnancies` is known.

A dependency maps each value of X, met in at least five people, to the value of Y that goes with it. It counts when nearly no row
breaks it, and next to none of those that guessing the commonest Y would get wrong (Goodman & Kruskal's lambda of 0.98, 1954,
doi 10.1080/01621459.1954.10501231). Where X is a scale with many values, each value of Y must have a stretch of X to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.constraints.learned import DIRT, EXPECTED, OF_CHANCE, Breaks, Learned
from synthml.fidelity.constraints.tables import FEW, Column, Field, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["dependencies"]

_SUPPORT = 5
_COVERED = 0.8
_CELLS = 2_000_000
_BANDS = 30
_ENDS = (0.001, 0.999)


def dependencies(seen: Seen, columns: Mapping[str, Column]) -> Iterator[Learned]:
    """Every dependency between two columns of the rows learned from, the more telling of two that say the same."""
    nulls = [Field(column, null=True) for column in columns.values() if column.nulls]
    values = [Field(column) for column in columns.values() if column.levels is not None and column.distinct > 1]
    told: set[tuple[str, str]] = set()  # (X, Y) of missingness
    for x in (*nulls, *values):
        for y in nulls:
            pair = (x.column.name, y.column.name)
            if pair[0] != pair[1] and pair not in told and (breaks := _mapped(seen, x, y)):
                told.add(pair)
                yield _missing(x, y, breaks)
    for column in columns.values():
        if column.number and column.distinct > FEW:
            for y in values:
                if y.column.distinct <= _BANDS and y.column is not column and (breaks := _banded(seen, column, y)):
                    told.add((column.name, y.column.name))
                    yield _determines(column, y.column, breaks)
    for x in values:
        for y in values:
            pair = (x.column.name, y.column.name)
            if pair[0] != pair[1] and pair not in told and (breaks := _mapped(seen, x, y)):
                yield _determines(x.column, y.column, breaks)


def _missing(x: Field, y: Field, found: tuple[Breaks, float]) -> Learned:
    one, other = x.column.name, y.column.name
    label = f"{other} is missing with {one}" if x.null else f"{one} determines whether {other} is missing"
    return Learned(label, "missingness", (one, other), found[1], found[0])


def _determines(x: Column, y: Column, found: tuple[Breaks, float]) -> Learned:
    return Learned(f"{x.name} determines {y.name}", "dependency", (x.name, y.name), found[1], found[0])


def _mapped(seen: Seen, x: Field, y: Field) -> tuple[Breaks, float] | None:
    """The rows of a table that break it, and the share that guessing would; None when X does not determine Y."""
    if x.size * y.size > _CELLS:
        return None
    one, other = x.codes(seen), y.codes(seen)
    if not _plausible(one[seen.glance], other[seen.glance], x.size, y.size):
        return None
    counts = np.bincount(one * y.size + other, minlength=x.size * y.size).reshape(x.size, y.size)
    rows = counts.sum(axis=1)
    sure = seen.carriers(x) >= _SUPPORT
    covered = int(rows[sure].sum())
    wrong = covered - int(counts[sure].max(axis=1, initial=0).sum())
    guessed = covered - int(counts[sure].sum(axis=0).max(initial=0))
    if covered < _COVERED * seen.rows or guessed * seen.people < EXPECTED or wrong > min(DIRT * covered, OF_CHANCE * guessed):
        return None
    goes_with = np.where(sure, counts.argmax(axis=1), -1)

    def breaks(table: Seen) -> NDArray[np.bool_]:
        expected = goes_with[x.codes(table)]
        return np.asarray((expected >= 0) & (expected != y.codes(table)))

    return breaks, guessed / seen.rows


def _plausible(one: NDArray[np.int64], other: NDArray[np.int64], rows: int, columns: int) -> bool:
    """Whether some rows leave room for a dependency: far more slips than dirt allows say no."""
    counts = np.bincount(one * columns + other, minlength=rows * columns).reshape(rows, columns)
    wrong = len(one) - int(counts.max(axis=1).sum())
    return wrong <= 0.02 * len(one)


def _banded(seen: Seen, x: Column, y: Field) -> tuple[Breaks, float] | None:
    """As `_mapped`, for a scale X that is cut into bands by Y."""
    numbers, codes = seen.numbers(x.name), y.codes(seen)
    glance = codes[seen.glance][np.argsort(numbers[seen.glance], kind="stable")]
    if np.count_nonzero(glance[1:] != glance[:-1]) > 3 * y.size + 0.01 * len(glance):
        return None
    known = ~np.isnan(numbers) & (codes < y.size - 2)
    counts = np.bincount(codes[known], minlength=y.size)
    bands = np.flatnonzero(counts * seen.people >= EXPECTED)
    covered = int(counts[bands].sum())
    if len(bands) < 2 or covered < _COVERED * seen.rows or (covered - int(counts.max())) * seen.people < EXPECTED:
        return None
    ends = np.array([np.quantile(numbers[known & (codes == band)], _ENDS) for band in bands])
    order = np.argsort(ends[:, 0], kind="stable")
    bands, ends = bands[order], ends[order]
    if (ends[1:, 0] <= ends[:-1, 1]).any():
        return None
    floor, ceiling = np.full(y.size, -np.inf), np.full(y.size, np.inf)
    floor[bands[1:]], ceiling[bands[:-1]] = ends[:-1, 1], ends[1:, 0]

    def breaks(table: Seen) -> NDArray[np.bool_]:
        value, code = table.numbers(x.name), y.codes(table)
        return np.asarray((value <= floor[code]) | (value >= ceiling[code]))

    guessed = covered - int(counts[bands].max())
    if np.count_nonzero(breaks(seen)) > min(DIRT * covered, OF_CHANCE * guessed):
        return None
    return breaks, guessed / seen.rows
