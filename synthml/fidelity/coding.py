"""Columns as a handful of levels that the source fixes, so that tables are compared by counting.

Numbers and dates are cut at the source's deciles, or told apart one by one where the source has few distinct values; labels are
levels of their own, the rarer ones together. A null is a level. What the source never had falls to the rarer ones: how often it
occurs is a figure of its own, and here it would make every fresh sample of a column with many rare labels look like a departure.

Numbers also have a grid, fine enough for distribution functions: all values of both tables where they are few, else about two
thousand ranks, the tails one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.subgroups.naming import FEWEST, people_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Column", "Grid", "coded", "numbers_of"]

_DECILES = np.linspace(0.1, 0.9, 9)
_FEW = 12  # numbers with at most this many distinct values have a level for each
_LABELS = 500  # levels of a column of labels, where it is looked at alone
_PAIRED = 20  # and beside another column
_GRID = 2048
_TAIL = 128  # ranks of either end that the grid keeps one by one


def numbers_of(values: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) float64; points in time as days since 1970, nulls as NaN."""
    if values.dtype.kind == "M":
        days = values.astype("datetime64[us]").astype("int64") / 86_400e6
        return np.where(np.isnat(values), np.nan, days)
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Grid:
    """Points between which distribution functions are not looked at.

    points (k,): rising. codes (n,), other_codes (m,): the first point at or above each value, k for nulls; so that cumulated
    counts are the distribution functions at the points, exactly. widths (k,): distance to the next point, in units of `spread`,
    the source's distance between its 1st and 99th percentile (NaN for a constant, which gives no unit).
    """

    points: NDArray[np.float64]
    codes: NDArray[np.int64]
    other_codes: NDArray[np.int64]
    widths: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Column:
    """A column of both tables, coded.

    kind: label, number, date or boolean. codes (n,), other_codes (m,): levels 0 .. levels - 1; the last is a null and the one
    before it everything without a level of its own. onto (levels,): the level each has beside another column. paired: how many
    levels these are; ranked: how many of them, from the first, stand in order (0 for labels). grid: of numbers. known: levels of
    the source that at least ten people carry (labels and few-valued numbers), else None. new (m,): rows with a value or a label
    that the source never had, or None where any number may occur. alone: share of source rows whose label one person carries.
    """

    name: str
    kind: str
    codes: NDArray[np.int64]
    other_codes: NDArray[np.int64]
    levels: int
    onto: NDArray[np.int64]
    paired: int
    ranked: int = 0
    grid: Grid | None = None
    common: NDArray[np.float64] | None = None
    reached: NDArray[np.bool_] | None = None
    new: NDArray[np.bool_] | None = None
    new_count: int = 0
    alone: float = 0.0

    @property
    def numeric(self) -> bool:
        """Whether its values have an order and a distance."""
        return self.grid is not None


def coded(
    name: str, source: NDArray[Any], other: NDArray[Any], subjects: NDArray[np.int64] | None = None, *, boolean: bool = False
) -> Column:
    """Code a normalised column. subjects (n,): whose row each of the source is."""
    if source.dtype == object:
        return _labels(name, source, other, subjects)
    kind = "boolean" if boolean else "date" if source.dtype.kind == "M" else "number"
    one, two = numbers_of(source), numbers_of(other)
    known = np.sort(one[~np.isnan(one)])
    grid = _grid(known, one, two)
    distinct = known[np.append(True, known[1:] != known[:-1])] if len(known) else known
    if len(distinct) > _FEW:
        return _decile_column(name, kind, one, two, known, grid)
    codes, other_codes = _few(distinct, one), _few(distinct, two)
    levels = len(distinct) + 2
    people = people_in(codes, levels, subjects)[: len(distinct)]
    share = people / max(_people(subjects, len(one)), 1)
    new = other_codes == len(distinct)
    return Column(
        name,
        kind,
        codes,
        other_codes,
        levels,
        np.arange(levels),
        levels,
        ranked=len(distinct),
        grid=grid,
        common=share[people >= FEWEST],
        reached=np.isin(np.arange(len(distinct)), other_codes)[people >= FEWEST],
        new=new,
        new_count=len(np.unique(two[new])),
        alone=float((people == 1).sum() / max(_people(subjects, len(one)), 1)),
    )


def _people(subjects: NDArray[np.int64] | None, rows: int) -> int:
    return rows if subjects is None else len(np.unique(subjects))


def _few(distinct: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Levels of numbers that are told apart one by one; then come other numbers, and nulls."""
    at = np.searchsorted(distinct, numbers)
    held = np.append(distinct, np.nan)[at] == numbers
    codes = np.where(held, at, len(distinct))
    codes[np.isnan(numbers)] = len(distinct) + 1
    return codes.astype(np.int64)


def _decile_column(
    name: str, kind: str, one: NDArray[np.float64], two: NDArray[np.float64], known: NDArray[np.float64], grid: Grid
) -> Column:
    cuts = np.unique(np.quantile(known, _DECILES))
    cuts = cuts[cuts > known[0]]
    levels = len(cuts) + 3  # the level before the last stays empty: every number lies between two cuts

    def codes(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.searchsorted(cuts, numbers, side="right")
        found[np.isnan(numbers)] = levels - 1
        return found.astype(np.int64)

    return Column(name, kind, codes(one), codes(two), levels, np.arange(levels), levels, ranked=len(cuts) + 1, grid=grid)


def _grid(known: NDArray[np.float64], one: NDArray[np.float64], two: NDArray[np.float64]) -> Grid:
    pooled = np.sort(np.concatenate([known, two[~np.isnan(two)]]))
    points = pooled[np.append(True, pooled[1:] != pooled[:-1])] if len(pooled) else pooled
    if len(points) > _GRID:
        places = np.linspace(0, len(pooled) - 1, _GRID - 2 * _TAIL).astype(np.int64)
        ends = np.arange(_TAIL)
        points = np.unique(pooled[np.concatenate([places, ends, len(pooled) - 1 - ends])])
    unit = spread_of(known)
    widths = np.diff(points, append=points[-1:]) / (unit or np.nan)

    def codes(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.searchsorted(points, numbers)
        found[np.isnan(numbers)] = len(points)
        return found.astype(np.int64)

    return Grid(points, codes(one), codes(two), widths)


def spread_of(known: NDArray[np.float64]) -> float:
    """The distance between the 1st and the 99th percentile, or the range where that is nil; 0 for a constant."""
    if not len(known):
        return 0.0
    low, high = np.quantile(known, [0.01, 0.99])
    return float(high - low) or float(known.max() - known.min())


def _labels(name: str, source: NDArray[Any], other: NDArray[Any], subjects: NDArray[np.int64] | None) -> Column:
    found, labels = pd.factorize(source)
    met, others = pd.factorize(other)
    found = np.where(found < 0, len(labels), found)
    rows = np.bincount(found, minlength=len(labels) + 1)[:-1]
    people = people_in(found, len(labels) + 1, subjects)[:-1]
    # Below about ten rows a share moves in steps too coarse to be scaled from halves to tables; a tiny table has nothing else.
    least = min(FEWEST, -(-len(source) // 100))
    ranked = sorted(range(len(labels)), key=lambda at: (-int(rows[at]), str(labels[at])))
    kept = [at for at in ranked if rows[at] >= least][:_LABELS]
    levels = len(kept) + 2
    onto_level = np.full(len(labels) + 1, len(kept), dtype=np.int64)
    onto_level[kept] = np.arange(len(kept))
    onto_level[-1] = levels - 1
    place = {label: at for at, label in enumerate(labels)}
    there = np.array([place.get(label, -1) for label in others], dtype=np.int64)
    unseen = there < 0
    met_level = np.append(np.where(unseen, len(kept), onto_level[there]), levels - 1)  # factorize's code of a null is the last
    paired = min(len(kept), _PAIRED)
    beside = np.minimum(np.arange(levels), paired)
    beside[-1] = paired + 1
    held = np.zeros(len(labels), dtype=bool)
    held[there[~unseen]] = True
    everyone = _people(subjects, len(source))
    many = people >= FEWEST
    return Column(
        name,
        "label",
        onto_level[found],
        met_level[met],
        levels,
        beside,
        paired + 2,
        common=people[many] / max(everyone, 1),
        reached=held[many],
        new=np.append(unseen, False)[met],
        new_count=int(unseen.sum()),
        alone=float((people == 1).sum() / max(everyone, 1)),
    )
