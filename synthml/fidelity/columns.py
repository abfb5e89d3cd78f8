"""One column against the same column of the source: how far apart their distributions are.

tvd             total variation: half the sum of differences of shares, over levels (see `coding`), nulls among them
jensen_shannon  distance (square root of the divergence, base 2; Lin 1991, doi 10.1109/18.61115), over the same levels
wasserstein     area between the distribution functions, in units of the source's spread between its 1st and 99th percentile
ks              largest gap between the distribution functions (Kolmogorov, Smirnov)
shortfall       share of the source's central range (1st to 99th percentile) that lies outside the other table's

All are 0 for equal tables; nulls stay out of the measures on numbers. Arrays may have leading axes: halves, say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["exact_gaps", "gaps", "jensen_shannon", "shortfall", "total_variation"]

_CENTRAL = (0.01, 0.99)


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(..., columns) over shares p, q (..., levels) laid side by side; starts: where each column begins."""
    return np.asarray(np.add.reduceat(np.abs(p - q), starts, axis=-1) / 2)


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(..., columns) as `total_variation`."""
    middle = (p + q) / 2

    def relative(x: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = np.divide(x, middle, out=np.ones_like(x), where=x > 0)
        return np.asarray(x * np.log2(ratio))

    divergence = np.add.reduceat((relative(p) + relative(q)) / 2, starts, axis=-1)
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def gaps(
    one: NDArray[np.float64], other: NDArray[np.float64], widths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(...,) ks and wasserstein from distribution functions (..., points) and the distances between points (points,)."""
    apart = np.abs(one - other)
    return apart.max(axis=-1, initial=0.0), np.asarray(apart @ widths)


def exact_gaps(one: NDArray[np.float64], other: NDArray[np.float64], unit: float) -> tuple[float, float]:
    """ks and wasserstein of two sorted samples without nulls; unit: the source's spread. NaN where a sample is empty."""
    if not len(one) or not len(other):
        return float("nan"), float("nan")
    points = np.concatenate([one, other])
    points.sort(kind="stable")  # two runs in order are merged
    apart = np.abs(
        np.searchsorted(one, points, side="right") / len(one) - np.searchsorted(other, points, side="right") / len(other)
    )
    area = float(apart[:-1] @ np.diff(points)) / unit if unit else float("nan")
    return float(apart.max()), area


def shortfall(one: NDArray[np.float64], other: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,) how much of the central range of `one` the other does not reach, from distribution functions (..., points)."""
    low, high = (_quantile(one, share, points) for share in _CENTRAL)
    other_low, other_high = (_quantile(other, share, points) for share in _CENTRAL)
    lacking = np.maximum(other_low - low, 0) + np.maximum(high - other_high, 0)
    return np.asarray(np.divide(lacking, high - low, out=np.full(np.shape(lacking), np.nan), where=high > low).clip(0, 1))


def _quantile(function: NDArray[np.float64], share: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points[np.argmax(function >= share - 1e-12, axis=-1)])
