"""Numbers drawn from donors without copying the donors.

A donor's value is emitted as it stands only when it is an *atom*: held by at least `min_leaf` subjects (a spike at zero, a usual
dose, a small count), or by four times as many in a column that is otherwise continuous, where a value shared by few is a
coincidence of rounding. Any other value is spread over its neighbourhood in the source: the synthetic value is drawn between the
`min_leaf` source values below and the `min_leaf` above it, on the line between neighbouring order statistics, and put back on the
column's grid. The neighbourhood is counted with one value per subject, so that it always spans that many people. At both ends the
neighbourhood is folded back: nothing is emitted below the `min_leaf`-th smallest or above the `min_leaf`-th largest subject's
value unless it is an atom, so the source's extremes are never told.

This is the smoothed bootstrap (Silverman & Young 1987, doi 10.1093/biomet/74.3.469) with a window that is counted in people
instead of a bandwidth in units, which is why it is narrow where the data are dense and never leaves their range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.synthesis.columns import NULL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column

__all__ = ["Smoother", "holders"]

_MOSTLY_UNIQUE = 0.1  # a column with more than this share of its rows in loose values counts as continuous


def holders(codes: NDArray[np.int64], levels: int, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(levels + 1,) how many subjects hold each level, the last for null. units (n,): each row's subject; None: one a row."""
    shifted = np.where(codes == NULL, levels, codes)
    if units is not None:
        base = int(units.max()) + 1
        shifted = np.unique(shifted * base + units) // base
    return np.bincount(shifted, minlength=levels + 1)


@dataclass(frozen=True)
class Smoother:
    """Draws numbers for donors' codes.

    ladder (m,): one value per subject, ascending, on the column's scale. middle, window, loose (k,): where each level stands on
    the ladder, how far its values are spread to either side, and whether they are spread at all. low, high: the ends of the part
    of the ladder that may be told.
    """

    column: Column
    ladder: NDArray[np.float64]
    middle: NDArray[np.float64]
    window: NDArray[np.float64]
    loose: NDArray[np.bool_]
    low: float
    high: float

    @classmethod
    def fit(cls, column: Column, units: NDArray[np.int64] | None, min_leaf: int, rng: np.random.Generator) -> Smoother:
        """Learn atoms and ladder of a number column. A value that one subject alone holds is no atom, whatever `min_leaf`."""
        held = holders(column.codes, column.levels.shape[0], units)[:-1]
        enough = max(min_leaf, 2)
        if held[held < enough].sum() > _MOSTLY_UNIQUE * held.sum():
            enough *= 4
        rows = np.flatnonzero(~column.null)
        if units is not None:
            shuffled = rng.permutation(rows)
            rows = shuffled[np.unique(units[shuffled], return_index=True)[1]]
        ladder = np.sort(column.scale[column.codes[rows]])
        left = np.searchsorted(ladder, column.scale, side="left")
        right = np.searchsorted(ladder, column.scale, side="right")
        low, high = float(min_leaf - 1), float(ladder.shape[0] - min_leaf)
        if high - low < 1:
            low = max((ladder.shape[0] - 1) / 2 - 0.5, 0.0)
            high = ladder.shape[0] - 1 - low
        return cls(column, ladder, (left + right - 1) / 2, min_leaf + (right - left) / 2, held < enough, low, high)

    def draw(self, codes: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Values in the column's own units for donors' codes (n,), none of them null, and where they stand among its levels."""
        values, positions = self.column.levels[codes], codes.astype(np.float32)
        moved = np.flatnonzero(self.loose[codes])
        if moved.size:
            level = codes[moved]
            rungs = self.middle[level] + rng.uniform(-1, 1, moved.size) * self.window[level]
            drawn = self.column.snap(self._between(_folded(rungs, self.low, self.high)))
            values[moved], positions[moved] = drawn, self.column.locate(drawn)
        return values, positions

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value that can be drawn, on the column's scale."""
        ends = self._between(np.array([self.low, self.high]))
        atoms = self.column.scale[~self.loose]
        return float(min([ends[0], *atoms[:1]])), float(max([ends[1], *atoms[-1:]]))

    def _between(self, rungs: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.minimum(rungs.astype(np.int64), self.ladder.shape[0] - 1)
        above = np.minimum(below + 1, self.ladder.shape[0] - 1)
        points: NDArray[np.float64] = self.ladder[below] + (rungs - below) * (self.ladder[above] - self.ladder[below])
        return points


def _folded(rungs: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Reflect at both ends as often as it takes; a window without room gives its middle."""
    width = high - low
    if width <= 0:
        return np.full_like(rungs, low)
    phase = np.mod(rungs - low, 2 * width)
    return low + np.where(phase > width, 2 * width - phase, phase)
