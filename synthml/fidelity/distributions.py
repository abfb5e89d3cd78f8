"""Every column and every pair of columns of a table against the source, beside what halves of the source show of each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.coding import Coding, numbers_of
from synthml.fidelity.columns import jensen_shannon, spread_of, total_variation
from synthml.fidelity.floor import halves, scale_to
from synthml.fidelity.pairs import contingency, cramers_v, grades, pair_totals, rank_correlation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Distributions", "Found", "compare"]


@dataclass(frozen=True, eq=False)
class Found:
    """What the measures say, for a table or for two halves.

    tvd, jensen_shannon, missingness (columns,); ks, wasserstein (columns,), NaN for labels; pair_tvd, association
    (columns, columns), or None where pairs were not asked for.
    """

    tvd: NDArray[np.float64]
    jensen_shannon: NDArray[np.float64]
    missingness: NDArray[np.float64]
    ks: NDArray[np.float64]
    wasserstein: NDArray[np.float64]
    pair_tvd: NDArray[np.float64] | None = None
    association: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class _Sorted:
    """A column of both tables in one order. order (n,): rows of source, then of the other; last (n,): ends of equal values;
    widths (n,): distance to the next value, in units of the source's spread; real (n,): whose row it is."""

    order: NDArray[np.int64]
    last: NDArray[np.bool_]
    widths: NDArray[np.float64]

    def gaps(self, weight: NDArray[np.float64]) -> tuple[float, float]:
        """Largest gap and area between two distribution functions; weight (rows,): each row's share, with a sign by side."""
        gaps = np.abs(np.cumsum(weight[self.order]))
        return float(gaps[self.last].max(initial=0.0)), float(gaps @ self.widths)


@dataclass(frozen=True, eq=False)
class Distributions:
    """A table laid beside the source. Both with the same columns, in the same order."""

    source: pd.DataFrame
    other: pd.DataFrame
    subjects: NDArray[np.int64] | None = None

    @cached_property
    def coding(self) -> Coding:
        """Levels, fixed by the source."""
        return Coding.of(self.source)

    @cached_property
    def codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n, columns) of the source, and of the other table."""
        return self.coding.codes(self.source), self.coding.codes(self.other)

    @cached_property
    def numeric(self) -> NDArray[np.int64]:
        """Positions of the columns that are numbers."""
        return np.flatnonzero([name in self.coding.numeric for name in self.coding.columns])

    def _column(self, at: int, *, alone: bool) -> _Sorted:
        name = self.coding.columns[at]
        numbers = numbers_of(self.source[name].to_numpy())
        spread = spread_of(numbers)
        if not alone:
            numbers = np.concatenate([numbers, numbers_of(self.other[name].to_numpy())])
        order = np.argsort(numbers, kind="stable")
        order = order[: len(order) - int(np.isnan(numbers).sum())]
        steps = np.diff(numbers[order], append=numbers[order[-1:]]) if len(order) else np.zeros(0)
        last = np.append(steps[:-1] > 0, True) if len(order) else np.zeros(0, dtype=bool)
        return _Sorted(order, last, steps / spread if spread else np.zeros_like(steps))

    def table(self, *, pairs: bool = True) -> Found:
        """The other table against the source."""
        real, made = self.codes
        counts = self.coding.counts(real), self.coding.counts(made)
        sides = np.concatenate([np.ones(len(real)), -np.ones(len(made))])
        gaps = {int(at): _weighted(self._column(int(at), alone=False), sides) for at in self.numeric}
        found = self._columns(counts, (len(real), len(made)), gaps)
        if not pairs:
            return found
        levels = int(self.coding.sizes.sum())
        one, other = contingency(real, levels), contingency(made, levels)
        ranks = [grades(frame, self.coding.numeric) for frame in (self.source, self.other)]
        return self._with_pairs(
            found, (one, other), (len(real), len(made)), (rank_correlation(ranks[0]), rank_correlation(ranks[1]))
        )

    def between_halves(self, repeats: int, rng: np.random.Generator, *, pairs: int = 0) -> list[Found]:
        """Halves of the source against each other, scaled to the sizes of the tables; pairs: how many repeats look at pairs."""
        real, made = self.codes
        factor = scale_to(len(real), max(len(made), 1))
        sorts = {int(at): self._column(int(at), alone=True) for at in self.numeric}
        levels = int(self.coding.sizes.sum())
        everyone = self.coding.counts(real)
        whole = contingency(real, levels) if pairs else None
        ranks = grades(self.source, self.coding.numeric) if pairs else None
        found = []
        for repeat, first in enumerate(halves(self.subjects, len(real), repeats, rng)):
            chosen = np.flatnonzero(first)
            sizes = len(chosen), len(real) - len(chosen)
            counts = self.coding.counts(real[chosen])
            gaps = {at: _weighted(one, np.where(first, 1.0, -1.0)) for at, one in sorts.items()}
            half = self._columns((counts, everyone - counts), sizes, gaps)
            if whole is not None and ranks is not None and repeat < pairs:
                one = contingency(real, levels, chosen)
                apart = rank_correlation(ranks, chosen), rank_correlation(ranks, np.flatnonzero(~first))
                half = self._with_pairs(half, (one, whole - one), sizes, apart)
            found.append(_scaled(half, factor))
        return found

    def _columns(
        self,
        counts: tuple[NDArray[np.float64], NDArray[np.float64]],
        sizes: tuple[int, int],
        gaps: dict[int, tuple[float, float]],
    ) -> Found:
        starts = self.coding.starts
        p, q = counts[0] / max(sizes[0], 1), counts[1] / max(sizes[1], 1)
        nulls = np.cumsum(self.coding.sizes) - 1  # a null is the last level of its column
        largest, area = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
        for at, (gap, between) in gaps.items():
            largest[at], area[at] = gap, between
        return Found(total_variation(p, q, starts), jensen_shannon(p, q, starts), np.abs(p - q)[nulls], largest, area)

    def _with_pairs(
        self,
        found: Found,
        counts: tuple[NDArray[np.float64], NDArray[np.float64]],
        sizes: tuple[int, int],
        ranks: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Found:
        starts = self.coding.starts
        tvd = pair_totals(np.abs(counts[0] / max(sizes[0], 1) - counts[1] / max(sizes[1], 1)), starts) / 2
        gap = np.abs(cramers_v(counts[0], starts) - cramers_v(counts[1], starts))
        at = np.ix_(self.numeric, self.numeric)
        gap[at] = np.abs(ranks[0] - ranks[1])
        return Found(found.tvd, found.jensen_shannon, found.missingness, found.ks, found.wasserstein, tvd, gap)


def _weighted(column: _Sorted, sides: NDArray[np.float64]) -> tuple[float, float]:
    """Gaps between the sides (+1, -1), each row weighing one over the known rows of its side; NaN where a side has none."""
    known = sides[column.order]
    counts = int((known > 0).sum()), int((known < 0).sum())
    if not all(counts):
        return float("nan"), float("nan")
    return column.gaps(np.where(sides > 0, 1 / counts[0], -1 / counts[1]))


def _scaled(found: Found, factor: float) -> Found:
    pair = None if found.pair_tvd is None else found.pair_tvd * factor
    association = None if found.association is None else found.association * factor
    return Found(
        found.tvd * factor,
        found.jensen_shannon * factor,
        found.missingness * factor,
        found.ks * factor,
        found.wasserstein * factor,
        pair,
        association,
    )


def compare(source: pd.DataFrame, other: pd.DataFrame, subjects: NDArray[np.int64] | None = None) -> Distributions:
    """Lay a table beside the source, in the source's columns that both have."""
    shared = [name for name in source.columns if name in other.columns]
    return Distributions(source[shared], other[shared], subjects)
