"""Means and shares of every group with their limits, and how differences of independent or paired figures are bounded.

Every group at once, by sums over groups (and over subjects where there are any): the cost is that of counting the rows once.

Bounded      figures of all groups with the limits of each
mean_gaps    mean of every group less the mean of everyone else; shares by Wilson's interval at the effective sample size,
             other means by Student's t with the cluster-robust variance
odds         share of every group among all rows, on the logit scale
less         one figure less another, by the square-and-add rule (MOVER; Zou & Donner 2008, doi 10.1002/sim.3095), which keeps
             the asymmetry of both intervals
size_less    the size of one figure less the size of another, which has a kink where either is 0: four signed contrasts
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.proportions import effective_size, quantile, wilson

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["NOTHING", "Bounded", "Gaps", "Table", "exact_odds", "less", "mean_gaps", "odds", "size_less"]

NOTHING = 1e-9  # the share that stands for none at all where a logarithm would have no end
_NIL = 1e-12


@dataclass(frozen=True, eq=False)
class Bounded:
    """Figures of k groups. value, low, high (k,): NaN where a group has no such figure."""

    value: Array
    low: Array
    high: Array

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, -self.high, -self.low)

    def scaled(self, factor: float) -> Bounded:
        """Times a positive constant."""
        return Bounded(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, eq=False)
class Gaps:
    """mean, rest (k,): of each group, and of everyone else; gap: their difference; n (k,): rows of the group."""

    mean: Array
    rest: Array
    gap: Bounded
    n: NDArray[np.int64]

    def scaled(self, factor: float) -> Gaps:
        """With the gap in another unit; the means stay in their own."""
        return Gaps(self.mean, self.rest, self.gap.scaled(factor), self.n)


@dataclass(frozen=True, eq=False)
class Table:
    """The groups of one table's rows. codes (n,) in 0..groups-1; subjects (n,) codes, or None when rows are independent."""

    codes: NDArray[np.int64]
    groups: int
    subjects: NDArray[np.int64] | None

    @cached_property
    def n(self) -> NDArray[np.int64]:
        """(groups,) rows."""
        return np.bincount(self.codes, minlength=self.groups).astype(np.int64)

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Subject, group, rows (p,) of every subject in every group he is in; the pair of each row (n,); rows of each subject."""
        assert self.subjects is not None
        subject = np.unique(self.subjects, return_inverse=True)[1]
        key, pair, rows = np.unique(subject * self.groups + self.codes, return_inverse=True, return_counts=True)
        owner, group = np.divmod(key, self.groups)
        return owner, group, rows, pair, np.bincount(subject)

    @cached_property
    def units(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(groups,) independent units inside each group, and outside it."""
        if self.subjects is None:
            return self.n, self.n.sum() - self.n
        owner, group, rows, _, each = self._pairs
        inside = np.bincount(group, minlength=self.groups)
        only = np.bincount(group, weights=rows == each[owner], minlength=self.groups).astype(np.int64)
        return inside, each.size - only

    def sums(self, y: Array) -> Array:
        """(groups,) of a number of each row."""
        return np.bincount(self.codes, weights=y, minlength=self.groups).astype(np.float64)

    def spread(self, y: Array, mean: Array, rest: Array) -> tuple[Array, Array, Array]:
        """(groups,) variance of each group's mean, of the mean of everyone else, and the covariance of the two.

        Cluster-robust: the squares of each subject's sum of deviations from the group's mean, over the squared rows.
        """
        n = self.n.astype(np.float64)
        others = n.sum() - n
        if self.subjects is None:
            squares, total = self.sums(y * y), float((y * y).sum())
            inside = squares - n * mean**2
            outside = total - squares - others * rest**2
            return (
                _over(np.maximum(inside, 0), n * (n - 1)),
                _over(np.maximum(outside, 0), others * (others - 1)),
                np.zeros(self.groups),
            )
        owner, group, rows, pair, each = self._pairs
        held = np.bincount(pair, weights=y, minlength=owner.size)
        whole = np.bincount(owner, weights=held, minlength=each.size)

        def by_group(x: Array) -> Array:
            return np.bincount(group, weights=x, minlength=self.groups).astype(np.float64)

        own = held - mean[group] * rows
        taken = held - rest[group] * rows
        everything = whole[owner] - rest[group] * each[owner]
        outside = (whole**2).sum() - 2 * rest * (whole * each).sum() + rest**2 * float((each.astype(np.float64) ** 2).sum())
        outside = outside - by_group(2 * everything * taken - taken**2)
        units, away = (x.astype(np.float64) for x in self.units)
        inside = _over(by_group(own**2) * units, n**2 * (units - 1))
        return (
            inside,
            _over(np.maximum(outside, 0) * away, others**2 * (away - 1)),
            _over(by_group(own * (everything - taken)), n * others),
        )

    def share_spread(self, share: Array) -> Array:
        """(groups,) variance of each group's share of the rows."""
        total = float(self.n.sum())
        if self.subjects is None:
            return np.asarray(share * (1 - share) / total)
        owner, group, rows, _, each = self._pairs
        squares = np.bincount(group, weights=rows.astype(np.float64) ** 2, minlength=self.groups)
        mixed = np.bincount(group, weights=rows * each[owner], minlength=self.groups)
        spread = squares - 2 * share * mixed + share**2 * float((each.astype(np.float64) ** 2).sum())
        return np.asarray(np.maximum(spread, 0) / total**2 * (each.size / max(each.size - 1, 1)))

    @property
    def people(self) -> int:
        """Independent units of the whole table."""
        return int(self.n.sum()) if self.subjects is None else int(self._pairs[4].size)


def _over(above: Array, below: Array) -> Array:
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def mean_gaps(table: Table, y: Array, confidence: float, *, share: bool) -> Gaps:
    """Of every group with at least two units inside and outside; NaN for others. share: y is 0 or 1 on every row."""
    n = table.n.astype(np.float64)
    middle = 0.0 if share else float(y.mean())  # sums of squares of large numbers would lose the deviations
    moved = y - middle
    sums = table.sums(moved)
    others = n.sum() - n
    mean = np.divide(sums, n, out=np.full(n.shape, np.nan), where=n > 0)
    rest = np.divide(sums.sum() - sums, others, out=np.full(n.shape, np.nan), where=others > 0)
    inside, outside, together = table.spread(moved, mean, rest)
    units, away = table.units
    low, high = np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    for g in np.flatnonzero((units > 1) & (away > 1)):
        if share:
            one = _share_bounds(mean[g], inside[g], int(n[g]), int(units[g]), confidence)
            other = _share_bounds(rest[g], outside[g], int(others[g]), int(away[g]), confidence)
        else:
            one = _mean_bounds(mean[g], inside[g], int(units[g]), confidence)
            other = _mean_bounds(rest[g], outside[g], int(away[g]), confidence)
        errors = math.sqrt(max(inside[g], 0.0) * max(outside[g], 0.0))
        rho = float(np.clip(together[g] / errors, -0.99, 0.99)) if errors > _NIL**2 else 0.0
        down = _reach(mean[g] - one[0], other[1] - rest[g], rho)
        up = _reach(one[1] - mean[g], rest[g] - other[0], rho)
        low[g], high[g] = mean[g] - rest[g] - down, mean[g] - rest[g] + up
    gap = np.where(np.isnan(low), np.nan, mean - rest)
    return Gaps(mean + middle, rest + middle, Bounded(gap, low, high), table.n)


def _reach(one: float, other: float, rho: float) -> float:
    return math.sqrt(max(one * one + other * other - 2 * rho * one * other, 0.0))


def _share_bounds(p: float, variance: float, rows: int, units: int, confidence: float) -> tuple[float, float]:
    size = effective_size(float(p), float(variance), rows, units)
    return wilson(float(p), size, quantile(confidence, units - 1 if units < rows else math.inf))


def _mean_bounds(value: float, variance: float, units: int, confidence: float) -> tuple[float, float]:
    half = quantile(confidence, units - 1) * math.sqrt(max(float(variance), 0.0))
    return value - half, value + half


def odds(table: Table, confidence: float) -> Bounded:
    """Log odds of being in each group, from Wilson's interval of its share.

    A group with no row, or with all, has no odds: its value adds half a row to both sides (Haldane 1956,
    doi 10.1111/j.1469-1809.1955.tb01285.x), and the limit on the open side stands for a share of `NOTHING`.
    """
    total = int(table.n.sum())
    share = table.n / total
    spread = table.share_spread(share)
    bounds = np.array([_share_bounds(p, v, total, table.people, confidence) for p, v in zip(share, spread, strict=True)]).reshape(
        -1, 2
    )
    value = np.where((table.n == 0) | (table.n == total), (table.n + 0.5) / (total + 1.0), share)
    low = np.where(table.n == 0, 0.0, bounds[:, 0])
    high = np.where(table.n == total, 1.0, bounds[:, 1])
    return Bounded(_logit(value), _logit(low), _logit(high))


def _logit(share: Array) -> Array:
    kept = np.clip(share, NOTHING, 1 - NOTHING)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def exact_odds(shares: Array) -> Bounded:
    """Log odds of shares that are known: they have no error. NaN for a group whose share is not known."""
    value = np.where(np.isnan(shares), np.nan, _logit(np.nan_to_num(shares, nan=0.5)))
    return Bounded(value, value, value)


def less(one: Bounded, other: Bounded) -> Bounded:
    """one - other, of independent samples."""
    value = one.value - other.value
    down = np.hypot(one.value - one.low, other.high - other.value)
    up = np.hypot(one.high - one.value, other.value - other.low)
    return Bounded(value, value - down, value + up)


def size_less(one: Bounded, other: Bounded) -> Bounded:
    """|one| - |other|, of independent samples.

    It is the largest over signs s, of the smallest over signs t, of s one - t other; the same of the bounds of these four
    contrasts bounds it. A sign that is certain leaves the usual interval, one that is not leaves room for both.
    """
    contrasts = [[less(s(one), t(other)) for t in _SIGNS] for s in _SIGNS]
    low = np.max([np.minimum(a.low, b.low) for a, b in contrasts], axis=0)
    high = np.max([np.minimum(a.high, b.high) for a, b in contrasts], axis=0)
    value = np.abs(one.value) - np.abs(other.value)
    return Bounded(value, np.minimum(low, value), np.maximum(high, value))


_SIGNS: tuple[Callable[[Bounded], Bounded], ...] = (lambda x: x, lambda x: -x)
