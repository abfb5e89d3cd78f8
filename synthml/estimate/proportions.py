"""Intervals of a proportion: Wilson's score interval (Wilson 1927, doi 10.2307/2276774).

With several rows per subject the rows are worth fewer: the effective sample size is p (1 - p) over the cluster-robust variance,
as surveys do it (Korn & Graubard 1998), and never more than the rows nor fewer than one. When every row agrees the variance says
nothing, and the number of subjects stands in.
"""

from __future__ import annotations

import math

__all__ = ["effective_size", "quantile", "wilson"]


def quantile(confidence: float, df: float = math.inf) -> float:
    """Two-sided quantile: Student's t with `df` degrees of freedom, normal when infinite."""
    from scipy.special import ndtri, stdtrit

    tail = (1 + confidence) / 2
    return float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail))


def wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Score interval of the proportion p of n; n may be an effective size, z the normal (or simultaneous) quantile."""
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # rounding must not push a bound past the proportion itself, at 0 and at 1
    return min(p, max(0.0, (centre - half) / scale)), max(p, min(1.0, (centre + half) / scale))


def effective_size(p: float, variance: float, rows: int, units: int) -> float:
    """Rows worth of independent information in `rows` rows of `units` subjects. variance: cluster-robust variance of p."""
    if units >= rows:
        return float(rows)
    if not variance > 0 or p <= 0 or p >= 1:
        return float(units)
    return float(min(rows, max(1.0, p * (1 - p) / variance)))
