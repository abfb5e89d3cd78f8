"""Every column and every pair of columns of a table against the source, beside what halves of the source show of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.coding import Column, coded, numbers_of, spread_of
from synthml.fidelity.columns import exact_gaps, gaps, jensen_shannon, shortfall, total_variation
from synthml.fidelity.crossing import Pairs, pairs_of
from synthml.fidelity.floor import HALVES, Blocks, Departures, halves, joined, scale_to, share_for

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Comparison", "Side", "compare"]

_UNSEEN = 3.0  # of as many people without an event, as many per person are still likely (95%; Hanley & Lippman-Hand 1983)


@dataclass(frozen=True, eq=False)
class Side:
    """One table, coded. codes, paired (columns, n): levels alone and beside another column; grids: codes of the numbers'
    grids, by place of the column; blocks: its rows dealt by patient."""

    codes: NDArray[np.int64]
    paired: NDArray[np.int64]
    grids: dict[int, NDArray[np.int64]]
    blocks: Blocks

    @property
    def rows(self) -> int:
        """Rows."""
        return int(self.codes.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Side:
        """Some of its rows."""
        return Side(
            self.codes[:, rows],
            self.paired[:, rows],
            {at: codes[rows] for at, codes in self.grids.items()},
            Blocks(self.blocks.codes[rows], self.blocks.count),
        )

    def sizes(self) -> NDArray[np.float64]:
        """(blocks,) rows."""
        return np.bincount(self.blocks.codes, minlength=self.blocks.count).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table laid beside the source.

    columns: coded by what both hold; source, other: the two tables; chosen (repeats, blocks): the parts of the source; sampled,
    other_sampled (repeats, blocks): half-samples of either; people: in the source, rows where patients are unknown; numbers: of
    the numeric columns in both tables, by place.
    """

    columns: tuple[Column, ...]
    source: Side
    other: Side
    chosen: NDArray[np.float64]
    sampled: NDArray[np.float64]
    other_sampled: NDArray[np.float64]
    people: int
    numbers: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]

    @property
    def repeats(self) -> int:
        """Pairs of halves."""
        return len(self.chosen)

    @property
    def least(self) -> float:
        """A share that may have been missed in the source altogether."""
        return _UNSEEN / max(self.people, 1)

    def within(self, rows: NDArray[np.int64], other_rows: NDArray[np.int64], people: int, repeats: int) -> Comparison:
        """The same comparison among some rows of either table, such as a group's."""
        return Comparison(
            self.columns,
            self.source.take(rows),
            self.other.take(other_rows),
            self.chosen[:repeats],
            self.sampled[:repeats],
            self.other_sampled[:repeats],
            people,
            {},
        )

    def of_columns(self, count: int) -> Comparison:
        """The same comparison in the first columns only."""
        sides = [
            Side(side.codes[:count], side.paired[:count], {at: c for at, c in side.grids.items() if at < count}, side.blocks)
            for side in (self.source, self.other)
        ]
        numbers = {at: both for at, both in self.numbers.items() if at < count}
        return Comparison(
            self.columns[:count], sides[0], sides[1], self.chosen, self.sampled, self.other_sampled, self.people, numbers
        )

    def parts(
        self, source: NDArray[np.float64], other: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(repeats, ...) sums over the first and the second part of the source, and over the half-samples of either table.

        source, other (blocks, ...): what is summed, in every block.
        """
        one = self.chosen @ source
        return one, source.sum(axis=0) - one, self.sampled @ source, self.other_sampled @ other

    def factor(self) -> NDArray[np.float64]:
        """(repeats,) from the parts of the source to the two tables, by their rows."""
        first, second, _, _ = self.parts(self.source.sizes(), self.other.sizes())
        return scale_to(self.source.rows, self.other.rows, first, second)

    def by_column(self) -> dict[str, Departures]:
        """tvd, jensen_shannon, ks, wasserstein and shortfall of every column; the last three NaN for labels."""
        sizes = np.array([column.levels for column in self.columns])
        starts = np.asarray(np.cumsum(sizes) - sizes)
        real, made = (
            np.concatenate([side.blocks.counts(codes, int(n)) for codes, n in zip(side.codes, sizes, strict=True)], axis=1)
            for side in (self.source, self.other)
        )
        factor = self.factor()
        rows = self.parts(self.source.sizes(), self.other.sizes())
        p, q, half, other_half = (_shares(counts, n) for counts, n in zip(self.parts(real, made), rows, strict=True))
        whole, other = real.sum(axis=0) / max(self.source.rows, 1), made.sum(axis=0) / max(self.other.rows, 1)
        found = {}
        for name, measure in (("tvd", total_variation), ("jensen_shannon", jensen_shannon)):
            # a share of 3 per person that the source lacks: its divergence is near half of it
            least = self.least if name == "tvd" else float(np.sqrt(self.least / 2))
            found[name] = Departures(
                measure(whole, other, starts),
                measure(p, q, starts) * factor[:, None],
                measure(half, other_half, starts),
                least,
                1.0,
            )
        parts = [self._numbers(at, factor) for at in range(len(self.columns))]
        for place, name in enumerate(("ks", "wasserstein", "shortfall")):
            found[name] = joined([part[place] for part in parts])
        return found

    def _numbers(self, at: int, factor: NDArray[np.float64]) -> tuple[Departures, Departures, Departures]:
        grid = self.columns[at].grid
        ceilings = (1.0, float("inf"), 1.0)
        if grid is None:
            nothing = np.full((self.repeats, 1), np.nan)
            empty = [Departures(np.full(1, np.nan), nothing, nothing, 0.0, top) for top in ceilings]
            return empty[0], empty[1], empty[2]
        points = len(grid.points)
        functions = [
            np.cumsum(side.blocks.counts(side.grids[at], points + 1)[:, :points], axis=1) for side in (self.source, self.other)
        ]
        real, made = functions[0].sum(axis=0), functions[1].sum(axis=0)
        one, two, half, other_half = (_known(part) for part in self.parts(functions[0], functions[1]))
        whole, other = _known(real), _known(made)
        ks, area = self._exact(at) if at in self.numbers else gaps(whole, other, grid.widths)
        between, drawn = gaps(one, two, grid.widths), gaps(half, other_half, grid.widths)
        short = shortfall(whole, other, grid.points)
        triples = (
            (ks, between[0], drawn[0]),
            (area, between[1], drawn[1]),
            (short, shortfall(one, two, grid.points), shortfall(half, other_half, grid.points)),
        )
        found = [
            Departures(np.atleast_1d(v), (f * factor)[:, None], d[:, None], self.least if place == 0 else 0.0, ceilings[place])
            for place, (v, f, d) in enumerate(triples)
        ]
        return found[0], found[1], found[2]

    def _exact(self, at: int) -> tuple[float, float]:
        one, two = (np.sort(numbers[~np.isnan(numbers)]) for numbers in self.numbers[at])
        return exact_gaps(one, two, spread_of(one))

    def by_pair(self) -> Pairs:
        """Total variation and association of every pair of columns."""
        return pairs_of([self])[0]


def _shares(counts: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(counts, rows[:, None], out=np.full_like(counts, np.nan), where=rows[:, None] > 0)


def _known(function: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulated counts (..., points) as a distribution function; NaN where nothing is known."""
    if not function.shape[-1]:
        return function
    total = function[..., -1:]
    return np.divide(function, total, out=np.full_like(function, np.nan), where=total > 0)


def compare(
    source: pd.DataFrame,
    other: pd.DataFrame,
    subjects: NDArray[np.int64] | None = None,
    other_subjects: NDArray[np.int64] | None = None,
    *,
    columns: Sequence[str] | None = None,
    booleans: Collection[str] = (),
    seed: Sequence[int] = (0,),
    repeats: int = HALVES,
) -> Comparison:
    """Lay a normalised table beside the source. columns: which, default all that both have; subjects (n,): whose row each is."""
    names = [name for name in source.columns if name in other.columns] if columns is None else list(columns)
    values = {name: (source[name].to_numpy(), other[name].to_numpy()) for name in names}
    found = tuple(coded(name, *values[name], subjects, boolean=name in booleans) for name in names)
    numbers = {
        at: (numbers_of(values[column.name][0]), numbers_of(values[column.name][1]))
        for at, column in enumerate(found)
        if column.numeric
    }
    rng = np.random.default_rng(seed)
    sides, sampled = [], []
    for frame, whose, attribute in ((source, subjects, "codes"), (other, other_subjects, "other_codes")):
        codes = np.stack([getattr(column, attribute) for column in found])
        paired = np.stack([column.onto[row] for column, row in zip(found, codes, strict=True)])
        grids = {at: getattr(column.grid, attribute) for at, column in enumerate(found) if column.grid is not None}
        blocks = Blocks.of(len(frame), whose, rng)
        sides.append(Side(codes, paired, grids, blocks))
        sampled.append(halves(blocks.count, repeats, rng))
    chosen = halves(sides[0].blocks.count, repeats, rng, first=share_for(len(source), len(other)))
    people = len(source) if subjects is None else len(np.unique(subjects))
    return Comparison(found, sides[0], sides[1], chosen, sampled[0], sampled[1], people, numbers)
