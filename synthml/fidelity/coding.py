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
    from numpy.typing import NDArray

__all__ = ["Column", "Grid", "coded", "numbers_of"]

_DECILES = np.linspace(0.1, 0.9, 9)
_FEW = 12  # numbers with at most this many distinct values have a level for each
_LABELS = 500  # levels of a column of labels, where it is looked at alone
_PAIRED = 20  # and beside another column
_RANKED = 10  # levels of a number beside another column
_CELL = 10  # rows that two such levels should have in common, in the smaller table
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
    onto, ranked = _merged(np.bincount(codes, minlength=levels), min(len(one), len(two)))
    people = people_in(codes, levels, subjects)[: len(distinct)]
    share = people / max(_people(subjects, len(one)), 1)
    new = other_codes == len(distinct)
    return Column(
        name,
        kind,
        codes,
        other_codes,
        levels,
        onto,
        ranked + 2,
        ranked=ranked,
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
    cuts = _cuts(known)
    levels = len(cuts) + 3  # the level before the last stays empty: every number lies between two cuts

    def codes(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.searchsorted(cuts, numbers, side="right")
        found[np.isnan(numbers)] = levels - 1
        return found.astype(np.int64)

    found = codes(one)
    onto, ranked = _merged(np.bincount(found, minlength=levels), min(len(one), len(two)))
    return Column(name, kind, found, codes(two), levels, onto, ranked + 2, ranked=ranked, grid=grid)


def _cuts(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where levels of sorted numbers begin, but the first: at the deciles. A value that a tenth of the rows share, such as the
    zero of a cost, is a level of its own, and the others are cut at quantiles of their own."""
    starts = np.flatnonzero(np.append(True, known[1:] != known[:-1]))
    counts = np.diff(np.append(starts, len(known)))
    heavy = counts >= len(known) / 10
    if not heavy.any():
        cuts = np.unique(np.quantile(known, _DECILES))
        return np.asarray(cuts[cuts > known[0]])
    values = known[starts]
    at = np.flatnonzero(heavy)
    edges = values[np.union1d(at, np.minimum(at + 1, len(values) - 1))]
    rest = known[np.repeat(~heavy, counts)]
    parts = min(max(round(10 * len(rest) / len(known)), 4), len(rest) // _CELL)
    inner = np.quantile(rest, np.arange(1, parts) / parts) if parts > 1 else rest[:0]
    cuts = np.union1d(edges, inner)
    return np.asarray(cuts[cuts > known[0]])


def _ranked_levels(rows: int) -> int:
    """How many levels a number has beside another column: few enough that two of them share some rows even in small tables."""
    return int(min(max(np.sqrt(rows / _CELL), 3), _RANKED))


def _merged(counts: NDArray[np.int64], rows: int) -> tuple[NDArray[np.int64], int]:
    """Levels in order (the last two are none) put together into about equal parts: the part of each, and how many there are."""
    known = counts[:-2]
    most = _ranked_levels(rows)
    part = np.arange(len(known))
    if len(known) > most:
        middle = (np.cumsum(known) - known / 2) / max(known.sum(), 1)
        part = np.unique(np.minimum((middle * most).astype(np.int64), most - 1), return_inverse=True)[1].reshape(-1)
    parts = int(part.max(initial=-1)) + 1
    return np.concatenate([part, [parts, parts + 1]]).astype(np.int64), parts


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
    found, labels = pd.factorize(np.concatenate([source, other]))
    found = np.where(found < 0, len(labels), found)
    found, met = found[: len(source)], found[len(source) :]
    rows, made = (np.bincount(codes, minlength=len(labels) + 1)[:-1] for codes in (found, met))
    people = people_in(found, len(labels) + 1, subjects)[:-1]
    kept = _kept(rows, made, len(source), len(other), [str(label) for label in labels])
    levels = len(kept) + 2
    onto_level = np.full(len(labels) + 1, len(kept), dtype=np.int64)
    onto_level[kept] = np.arange(len(kept))
    onto_level[-1] = levels - 1
    pooled = (rows + made)[kept] / max(len(source) + len(other), 1)
    smaller = min(len(source), len(other))
    paired = min(int((pooled >= min(_CELL * _ranked_levels(smaller) / max(smaller, 1), 1 / 3)).sum()), _PAIRED)
    beside = np.minimum(np.arange(levels), paired)
    beside[-1] = paired + 1
    unseen = rows == 0
    everyone = _people(subjects, len(source))
    many = people >= FEWEST
    return Column(
        name,
        "label",
        onto_level[found],
        onto_level[met],
        levels,
        beside,
        paired + 2,
        common=people[many] / max(everyone, 1),
        reached=(made > 0)[many],
        new=np.append(unseen, False)[met],
        new_count=int((unseen & (made > 0)).sum()),
        alone=float((people == 1).sum() / max(everyone, 1)),
    )


def _kept(rows: NDArray[np.int64], made: NDArray[np.int64], n: int, m: int, labels: list[str]) -> list[int]:
    """Labels with a level of their own, the most common first.

    Below about ten rows a share moves in steps too coarse to be scaled from halves to tables; a tiny table has nothing else. Both
    tables together decide: labels that are common in the source by luck would all be rarer in the next sample. What is far above
    the bound in one of them is no luck.
    """
    least = min(FEWEST, -(-n // 100))
    shares = [rows / max(n, 1), made / max(m, 1), (rows + made) / max(n + m, 1)]
    enough = (shares[2] * n >= least) | (shares[0] * n >= 3 * least) | (shares[1] * n >= 3 * least)
    ranked = sorted(np.flatnonzero(enough).tolist(), key=lambda at: (-float(shares[2][at]), labels[at]))
    return ranked[:_LABELS]
