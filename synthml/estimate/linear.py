"""Smooth metrics as a value and the influence of every row (Hampel 1974; infinitesimal jackknife, Efron 1982).

If `influence` is the first-order change of the metric that each row causes, scaled so that estimate - truth is close to its
sum, then the variance is the sum of squares over independent units: over rows, or, when a subject has several rows, over the
subjects' totals (the cluster-robust "sandwich"). A paired difference of two models on the same rows is the difference of their
influences; a covariance between groups is a product of totals. For the AUROC this is DeLong's estimator (DeLong, DeLong &
Clarke-Pearson 1988) and, with clusters, Obuchowski's (1997).

The variance is itself an estimate, and a poor one where a few units carry most of it. `Spread.df` says how poor: Satterthwaite's
degrees of freedom with the kurtosis of the units' influences, 2 / (sum u^4 / (sum u^2)^2 - 1 / units): about the number of units
when they are normal, about twice the number of discordant ones when the rest are nil.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Linearised", "Spread", "countable", "covariance", "spread"]

_DENSE = 4  # codes up to so many times the rows are counted without sorting them first
_FEW = 4


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


@dataclass(frozen=True)
class Spread:
    """How a linearised figure varies from sample to sample.

    variance: of the figure. df: degrees of freedom of that variance. skewness: third central moment of the figure over its
    standard deviation cubed. All NaN below two independent units.
    """

    variance: float
    df: float
    skewness: float

    @property
    def error(self) -> float:
        """Standard error, in the unit of the figure."""
        return math.sqrt(max(self.variance, 0.0))


def _totals(influences: NDArray[np.float64], clusters: NDArray[np.int64] | None) -> tuple[NDArray[np.float64], int]:
    """(k, units or more) sums by subject, with columns of zeros where a code stands for nobody; and the independent units."""
    if clusters is None:
        return influences, influences.shape[1]
    codes, units = countable(clusters)
    return np.stack([np.bincount(codes, weights=row) for row in influences]), units


def countable(clusters: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """(n,) codes of the same subjects, 0 or above and few enough to be counted, and how many subjects there are."""
    if clusters.size == 0:
        return clusters, 0
    if clusters.min() < 0 or clusters.max() >= _DENSE * clusters.size:
        clusters = np.unique(clusters, return_inverse=True)[1]
    return clusters, int(np.count_nonzero(np.bincount(clusters)))


def covariance(influences: NDArray[np.float64], clusters: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(k, k) covariance of k metrics from their influences (k, n), by subject when `clusters` (n,) is given.

    Uses the small-sample factor m / (m - 1) with m independent units. A row outside a metric's group has influence 0 there.
    """
    totals, units = _totals(influences, clusters)
    if units < 2:
        return np.full((influences.shape[0],) * 2, np.nan)
    # a product of a few rows is faster without the threads of BLAS
    product = np.einsum("ij,kj->ik", totals, totals) if len(totals) < _FEW else totals @ totals.T
    return np.asarray(product * (units / (units - 1)))


def spread(influence: NDArray[np.float64], clusters: NDArray[np.int64] | None = None) -> Spread:
    """Variance, degrees of freedom and skewness of one figure from its influence (n,), by subject when `clusters` is given."""
    totals, units = _totals(influence[None, :], clusters)
    if units < 2:
        return Spread(math.nan, math.nan, math.nan)
    one = totals[0]
    largest = float(np.abs(one).max(initial=0.0))
    if largest == 0:
        return Spread(0.0, float(units - 1), 0.0)
    one = one / largest  # fourth powers of small numbers would vanish
    squares = one * one
    second = float(squares.sum())
    excess = float(np.einsum("i,i->", squares, squares)) / second**2 - 1 / units
    # equal squares everywhere leave no excess: the variance is then known as well as the number of units allows
    df = 2 / max(excess, 2 / (units * (units + 1.0)))
    return Spread(second * largest**2 * units / (units - 1), df, float(np.einsum("i,i->", squares, one)) / second**1.5)
