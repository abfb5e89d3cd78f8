"""One column against the same column of the source: how far apart their distributions are.

tvd             total variation: half the sum of differences of shares, over levels (see `coding`), nulls among them
jensen_shannon  distance (square root of the divergence, base 2; Lin 1991), over the same levels
wasserstein     area between the distribution functions, in units of the source's spread between its 1st and 99th percentile
ks              largest gap between the distribution functions (Kolmogorov, Smirnov)
missingness     difference of the shares of nulls
coverage        share of the source's range, or of its categories, that the other table reaches

All are 0 for equal tables but coverage, which is 1; nulls stay out of the measures on numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["jensen_shannon", "spread_of", "total_variation"]


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(columns,) over shares p, q (levels,) laid side by side; starts: where each column begins."""
    return np.asarray(np.add.reduceat(np.abs(p - q), starts) / 2)


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(columns,) as `total_variation`."""
    middle = (p + q) / 2

    def relative(x: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = np.divide(x, middle, out=np.ones_like(x), where=x > 0)
        return np.asarray(x * np.log2(ratio))

    divergence = np.add.reduceat((relative(p) + relative(q)) / 2, starts)
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def spread_of(source: NDArray[np.float64]) -> float:
    """The distance between the 1st and the 99th percentile, or the range where that is nil; 0 for a constant."""
    known = source[~np.isnan(source)]
    if not known.size:
        return 0.0
    low, high = np.quantile(known, [0.01, 0.99])
    return float(high - low) or float(known.max() - known.min())
