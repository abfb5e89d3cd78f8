"""Every pair of columns, of one comparison or of several groups: each pair is taken up once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.floor import Departures
from synthml.fidelity.pairs import cramers_v, grades, pair_total_variation, rank_correlation, rank_correlations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.fidelity.coding import Column
    from synthml.fidelity.distributions import Comparison, Side

__all__ = ["Pairs", "pairs_of"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Departures of all pairs. places: which columns; tvd, association; source, other (k,): the association in either table."""

    places: tuple[tuple[int, int], ...]
    tvd: Departures
    association: Departures
    source: NDArray[np.float64]
    other: NDArray[np.float64]


def pairs_of(comparisons: Sequence[Comparison]) -> list[Pairs]:
    """Total variation and association of every pair of columns. comparisons: of equal columns, blocks and halves."""
    first = comparisons[0]
    columns, repeats, groups = first.columns, first.repeats, len(comparisons)
    places = tuple(combinations(range(len(columns)), 2))
    value, association = np.empty((2, len(places), groups)), np.empty((2, len(places), groups))
    floor, drawn = np.empty((2, len(places), groups, repeats)), np.empty((2, len(places), groups, repeats))
    # (groups, repeats) rows of the two parts of the source, of its half-samples and of the other table's; NaN where one is empty
    rows = np.stack([np.stack(each.parts(each.source.sizes(), each.other.sizes())) for each in comparisons], axis=1)
    rows[:, rows.min(axis=0) == 0] = np.nan
    wholes = tuple(np.array([[getattr(each, side).rows] for each in comparisons]) for side in ("source", "other"))
    # the parts, the half-samples and the whole side by side: all are sums over blocks
    adding = np.column_stack([first.chosen.T, 1 - first.chosen.T, first.sampled.T, np.ones(first.source.blocks.count)])
    other_adding = np.column_stack([first.other_sampled.T, np.ones(first.other.blocks.count)])
    source = _Tables([each.source for each in comparisons], adding, {})
    other = _Tables([each.other for each in comparisons], other_adding, {})
    one, two, half, whole = (slice(at * repeats, (at + 1) * repeats) for at in range(4))
    for at, (i, j) in enumerate(places):
        a, b = columns[i], columns[j]
        real, made = source.of(columns, i, j), other.of(columns, i, j)
        value[0, at] = pair_total_variation(real[..., whole], made[..., two], *wholes)[:, 0]
        floor[0, at] = pair_total_variation(real[..., one], real[..., two], rows[0], rows[1])
        drawn[0, at] = pair_total_variation(real[..., half], made[..., one], rows[2], rows[3])
        found, met = (
            rank_correlations(table, (a.ranked, b.ranked)) if a.numeric and b.numeric else cramers_v(table)
            for table in (real, made)
        )
        association[:, at] = found[:, -1], met[:, -1]
        floor[1, at] = np.abs(found[:, one] - found[:, two])
        drawn[1, at] = np.abs(found[:, half] - met[:, one])
    floor *= np.stack([each.factor() for each in comparisons])
    for both in (floor, drawn):
        both[:, :, np.isnan(rows).any(axis=0)] = np.nan
    for group, each in enumerate(comparisons):
        _exact(each, places, association[:, :, group])
    value[1] = np.abs(association[0] - association[1])
    return [
        Pairs(
            places,
            Departures(value[0, :, at], floor[0, :, at].T, drawn[0, :, at].T, each.least, 1.0),
            Departures(value[1, :, at], floor[1, :, at].T, drawn[1, :, at].T, 0.0, 2.0),
            association[0, :, at],
            association[1, :, at],
        )
        for at, each in enumerate(comparisons)
    ]


@dataclass(frozen=True, eq=False)
class _Tables:
    """Contingency tables of one table's rows, group by group. adding (blocks, k): which blocks are added up."""

    sides: Sequence[Side]
    adding: NDArray[np.float64]
    bases: dict[tuple[int, int], list[NDArray[np.int64]]]

    def of(self, columns: Sequence[Column], i: int, j: int) -> NDArray[np.float64]:
        """(rows, columns, groups, k) of two columns."""
        a, b = columns[i].paired, columns[j].paired
        if (i, b) not in self.bases:
            if not any(at == i for at, _ in self.bases):
                self.bases.clear()
            self.bases[i, b] = [(s.blocks.codes * a + s.paired[i]) * b for s in self.sides]
        blocks = len(self.adding)
        counts = np.stack(
            [
                np.bincount(base + side.paired[j], minlength=blocks * a * b).reshape(blocks, -1)
                for base, side in zip(self.bases[i, b], self.sides, strict=True)
            ]
        )
        added = np.matmul(counts.transpose(0, 2, 1).astype(np.float64), self.adding)
        return np.asarray(added.reshape(len(self.sides), a, b, -1).transpose(1, 2, 0, 3))


def _exact(comparison: Comparison, places: Sequence[tuple[int, int]], association: NDArray[np.float64]) -> None:
    """Put the rank correlations of the numbers themselves in place of those of their levels, where the numbers are at hand."""
    numbers = comparison.numbers
    if len(numbers) < 2:
        return
    order = sorted(numbers)
    rank = {at: place for place, at in enumerate(order)}
    found = [rank_correlation(np.column_stack([grades(numbers[at][side]) for at in order])) for side in (0, 1)]
    for at, (i, j) in enumerate(places):
        if i in rank and j in rank:
            association[:, at] = [each[rank[i], rank[j]] for each in found]
