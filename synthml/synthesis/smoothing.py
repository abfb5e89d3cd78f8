"""Numbers drawn from donors without copying the donors.

A donor's value is emitted as it stands only when it is an *atom*: held by at least `min_leaf` subjects (a spike at zero, a usual
dose, a small count), or by four times as many in a column that is otherwise continuous, where a value shared by few is a
coincidence of rounding. Any other value is spread over its neighbourhood in the source, which reaches from the `min_leaf` source
values below to the `min_leaf` above it: a stretch half as long is chosen there at random, the synthetic value is drawn evenly
from that stretch (evenly, so that it meets source values no more often than chance has it), and put back on the column's grid.

The neighbourhood is counted with one value per subject, so that it always spans that many people. It does not reach across an
atom when there are people enough on this side of it. At both ends it is folded back: nothing is emitted below the `min_leaf`-th
smallest or above the `min_leaf`-th largest subject's value unless it is an atom, so the source's extremes are never told.

This is the smoothed bootstrap (Silverman & Young 1987, doi 10.1093/biomet/74.3.469) with a window that is counted in people
instead of a bandwidth in units, which is why it is narrow where the data are dense and never leaves their range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.synthesis.columns import holders

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column

__all__ = ["Smoother"]

_MOSTLY_UNIQUE = 0.1  # a column with more than this share of its rows in loose values counts as continuous


@dataclass(frozen=True)
class Smoother:
    """Draws numbers for donors' codes.

    ladder (m,): one value per subject, ascending, on the column's scale. middle, window (k,): where each level stands on the
    ladder, and how far its values are spread to either side. low, high (k,): the part of the ladder in which they stay.
    loose (k,): whether a level's values are spread at all. ends: the part of the ladder that may be told.
    """

    column: Column
    ladder: NDArray[np.float64]
    middle: NDArray[np.float64]
    window: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    loose: NDArray[np.bool_]
    ends: tuple[float, float]

    @classmethod
    def fit(cls, column: Column, units: NDArray[np.int64] | None, min_leaf: int, rng: np.random.Generator) -> Smoother:
        """Learn atoms and ladder of a number column. A value that one subject alone holds is no atom, whatever `min_leaf`."""
        held = holders(column.codes, column.levels.shape[0], units)[:-1]
        enough = max(min_leaf, 2)
        if held[held < enough].sum() > _MOSTLY_UNIQUE * held.sum():
            enough *= 4
        loose = held < enough
        rows = np.flatnonzero(~column.null)
        if units is not None:
            shuffled = rng.permutation(rows)
            rows = shuffled[np.unique(units[shuffled], return_index=True)[1]]
        rungs = np.sort(column.codes[rows])
        ends = float(min_leaf - 1), float(rungs.size - min_leaf)
        if ends[1] - ends[0] < 1:
            half = max((rungs.size - 1) / 2 - 0.5, 0.0)
            ends = half, rungs.size - 1 - half
        left = np.searchsorted(rungs, np.arange(loose.size), side="left")
        right = np.searchsorted(rungs, np.arange(loose.size), side="right")
        low, high = _stretches(loose[rungs], left, ends, 2 * min_leaf)
        window = min_leaf + (right - left) / 2
        return cls(column, column.scale[rungs], (left + right - 1) / 2, window, low, high, loose, ends)

    def draw(self, codes: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Values in the column's own units for donors' codes (n,), none of them null, and where they stand among its levels."""
        values, positions = self.column.levels[codes], codes.astype(np.float32)
        moved = np.flatnonzero(self.loose[codes])
        if moved.size:
            level = codes[moved]
            low, high, half = self.low[level], self.high[level], self.window[level] / 2
            centre = _folded(self.middle[level] + rng.uniform(-1, 1, moved.size) * half, low, high)
            start, stop = (self._at(np.clip(centre + side * half, low, high)) for side in (-1, 1))
            drawn = self.column.snap(start + rng.random(moved.size) * (stop - start))
            values[moved], positions[moved] = drawn, self.column.locate(drawn)
        return values, positions

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value that can be drawn, on the column's scale."""
        ends = self._at(np.array(self.ends))
        atoms = self.column.scale[~self.loose]
        return float(min([ends[0], *atoms[:1]])), float(max([ends[1], *atoms[-1:]]))

    def _at(self, rungs: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.minimum(rungs.astype(np.int64), self.ladder.shape[0] - 1)
        above = np.minimum(below + 1, self.ladder.shape[0] - 1)
        points: NDArray[np.float64] = self.ladder[below] + (rungs - below) * (self.ladder[above] - self.ladder[below])
        return points


def _stretches(
    loose: NDArray[np.bool_], left: NDArray[np.int64], ends: tuple[float, float], enough: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k,) the part of the ladder where each level stays: between atoms if `enough` rungs are there, else all that may be told.

    loose (m,): of the rungs. left (k,): the rung at which each level begins.
    """
    run = np.cumsum(np.r_[False, loose[1:] != loose[:-1]])
    first = np.searchsorted(run, run, side="left")
    last = np.searchsorted(run, run, side="right") - 1
    low, high = np.maximum(first, ends[0]), np.minimum(last, ends[1])
    wide = loose & (high - low + 1 >= enough)
    rung = np.minimum(left, loose.size - 1)
    rung = np.where(loose[rung], rung, np.maximum(left - 1, 0))
    return np.where(wide[rung], low[rung], ends[0]), np.where(wide[rung], high[rung], ends[1])


def _folded(rungs: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflect at both ends as often as it takes; a stretch without room gives its end."""
    width = np.maximum(high - low, 1e-9)
    phase = np.mod(rungs - low, 2 * width)
    folded: NDArray[np.float64] = low + np.where(phase > width, 2 * width - phase, phase)
    return folded
