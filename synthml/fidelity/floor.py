"""What two samples of one population show of each other: random halves of the source, by patient.

Every figure is computed between halves too. Halves are smaller than the tables that are compared, so what they show is scaled to
the sizes of these: differences of shares, distribution functions and correlations shrink with the root of the size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["HALVES", "floor_estimate", "halves", "scale_to"]

HALVES = 20
_BOUNDS = (0.05, 0.95)


def halves(subjects: NDArray[np.int64] | None, rows: int, repeats: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """(rows,) which rows are in the first half; rows of one subject stay together."""
    units = np.arange(rows) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    count = int(units.max(initial=-1)) + 1
    for _ in range(repeats):
        chosen = np.zeros(count, dtype=bool)
        chosen[rng.permutation(count)[: count // 2]] = True
        yield chosen[units]


def scale_to(source: int, other: int) -> float:
    """Factor from two halves of the source to the source and another table, by their rows."""
    return math.sqrt((1 / source + 1 / other) / (4 / source))


def floor_estimate(found: NDArray[np.float64], method: str) -> Estimate:
    """From what the halves showed (repeats,), scaled: the median, with the 5th and 95th percentile as bounds."""
    low, high = np.quantile(found, _BOUNDS)
    return Estimate(float(np.median(found)), float(low), float(high), len(found), method, confidence=_BOUNDS[1] - _BOUNDS[0])
