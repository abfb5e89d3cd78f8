"""Smooth metrics as a value and the influence of every row (Hampel 1974; infinitesimal jackknife, Efron 1982).

If `influence` is the first-order change of the metric that each row causes, scaled so that estimate - truth is close to its
sum, then the variance is the sum of squares over independent units: over rows, or, when a subject has several rows, over the
subjects' totals (the cluster-robust "sandwich"). A paired difference of two models on the same rows is the difference of their
influences; a covariance between groups is a product of totals. For the AUROC this is DeLong's estimator (DeLong, DeLong &
Clarke-Pearson 1988) and, with clusters, Obuchowski's (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Linearised", "covariance"]


@dataclass(frozen=True)
class Linearised:
    """A metric's value with the influence of each row on it.

    influence (n,): estimate - truth is close to influence.sum() over a fresh sample; sums to zero on the sample itself.
    """

    value: float
    influence: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.influence.shape[0])

    def __sub__(self, other: Linearised) -> Linearised:
        """The paired difference: both measured on the same rows in the same order."""
        return Linearised(self.value - other.value, self.influence - other.influence)

    def __neg__(self) -> Linearised:
        return Linearised(-self.value, -self.influence)


def covariance(influences: NDArray[np.float64], clusters: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(k, k) covariance of k metrics from their influences (k, n), by subject when `clusters` (n,) is given.

    Uses the small-sample factor m / (m - 1) with m independent units. A row outside a metric's group has influence 0 there.
    """
    totals = influences
    if clusters is not None:
        _, codes = np.unique(clusters, return_inverse=True)
        units = int(codes.max()) + 1 if codes.size else 0
        totals = np.stack([np.bincount(codes, weights=row, minlength=units) for row in influences])
    units = totals.shape[1]
    if units < 2:
        return np.full((influences.shape[0],) * 2, np.nan)
    return np.asarray((totals @ totals.T) * (units / (units - 1)))
