"""The critical value of several comparisons at once (max-t).

Hothorn, Bretz & Westfall 2008 (doi 10.1002/bimj.200810425). For all pairs of independent, equally precise figures it is Tukey's
studentised range over the square root of 2; for single figures it is Sidak's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["critical_value"]

_WORK = 1_000_000  # draws times comparisons, within the limits below
_LEAST_DRAWS, _MOST_DRAWS = 4_000, 20_000
_COMPARISONS = 1000  # beyond this many Bonferroni's value is used: drawing would cost more than it gains
_TINY = 1e-18


def critical_value(
    covariance: NDArray[np.float64], confidence: float, pairs: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None
) -> float:
    """The value that the largest |deviation| / its standard error exceeds with probability 1 - confidence, for normal errors.

    covariance (m, m) of the figures; pairs: positions (k,) and (k,) of the figures whose differences are compared, or None for
    the m figures themselves. By 4,000 to 20,000 draws from a fixed seed (Monte Carlo error 0.01 to 0.04), or Bonferroni's value
    above 1,000 comparisons.
    """
    variance = np.diag(covariance)
    if pairs is not None:
        variance = variance[pairs[0]] + variance[pairs[1]] - 2 * covariance[pairs]
    k = variance.size
    if k == 1:
        return float(ndtri(0.5 + confidence / 2))
    if k > _COMPARISONS:
        return float(ndtri(1 - (1 - confidence) / (2 * k)))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    draws = min(max(_WORK // k, _LEAST_DRAWS), _MOST_DRAWS)
    normal = np.random.default_rng(0).standard_normal((covariance.shape[0], draws), dtype=np.float32)
    deviations = root.astype(np.float32) @ normal
    precision = (1 / np.sqrt(np.maximum(variance, _TINY))).astype(np.float32)
    if pairs is None:
        largest = np.abs(deviations * precision[:, None]).max(axis=0)
    else:
        # one pair at a time stays in the cache: six times faster than all at once
        largest, one = np.zeros(draws, dtype=np.float32), np.empty(draws, dtype=np.float32)
        for first, second, scale in zip(*pairs, precision, strict=True):
            np.subtract(deviations[first], deviations[second], out=one)
            np.abs(np.multiply(one, scale, out=one), out=one)
            np.maximum(largest, one, out=largest)
    return float(np.quantile(largest, confidence))
