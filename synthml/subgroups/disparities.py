"""Disparities between the groups of a column: difference, ratio and the worst group, with intervals that hold.

Groups   figures of several groups, their covariance, and draws of their deviations
difference(), ratio()   max - min and min / max over groups; bounds by combining every pair of groups
corrected()  the difference without what chance alone adds to a maximum
worst()      the worst group's figure, bounded for all groups at once

The largest difference among groups cannot be bounded by resampling it: where groups are alike every resample shows a difference,
and a percentile interval never holds the truth (benchmarks/subgroup_coverage.md). So every *pair* gets an interval, wide enough
that all of them hold at once: the groups' own intervals (Wilson, logit or log scale) at the critical value of the largest
studentised difference among correlated normals (max-t; Hothorn, Bretz & Westfall 2008, doi 10.1002/bimj.200810425), put together
by the square-and-add rule (MOVER; Zou & Donner 2008, doi 10.1002/sim.3095). The true largest difference then lies between the
largest lower and the largest upper bound. Ratios are differences of logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.simultaneous import critical_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Groups", "difference", "difference_corrected", "ratio", "stacked", "worst"]

Limits = Callable[[float], tuple["NDArray[np.float64]", "NDArray[np.float64]"]]
_TINY = 1e-9
_STEPS = 30


@dataclass(frozen=True, eq=False)
class Groups:
    """Figures of m groups.

    values (m,); covariance (m, m) of their errors; draws (replicates, m): deviations from `values` as sampling would give them;
    limits: quantile z -> lower and upper bounds (m,) of each on its own; block (m,): which metric a figure belongs to, when
    several metrics are looked at together: only figures of one block are compared; n: rows behind them.
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    draws: NDArray[np.float64]
    limits: Limits
    block: NDArray[np.int64]
    n: int

    @cached_property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions (k,) and (k,) of every two figures of one block, each way round."""
        same = self.block[:, None] == self.block[None, :]
        np.fill_diagonal(same, False)
        first, second = np.nonzero(same)
        return first, second

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """(m,) standard errors."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), _TINY**2)))

    @cached_property
    def correlation(self) -> NDArray[np.float64]:
        """(m, m)"""
        return np.asarray(np.clip(self.covariance / np.outer(self.errors, self.errors), -0.99, 0.99))


def stacked(parts: Sequence[Groups], covariance: NDArray[np.float64]) -> Groups:
    """Figures of several metrics side by side, each a block of its own; covariance: of all of them, in that order."""

    def limits(z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        bounds = [part.limits(z) for part in parts]
        return np.concatenate([low for low, _ in bounds]), np.concatenate([high for _, high in bounds])

    return Groups(
        np.concatenate([part.values for part in parts]),
        covariance,
        np.concatenate([part.draws for part in parts], axis=1),
        limits,
        np.repeat(np.arange(len(parts)), [part.values.size for part in parts]),
        max(part.n for part in parts),
    )


def _once(groups: Groups) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every pair one way round."""
    first, second = groups.pairs
    once = first < second
    return first[once], second[once]


def _pair_bounds(
    values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], groups: Groups
) -> tuple[float, float]:
    """The largest lower and the largest upper bound over differences of all pairs."""
    first, second = groups.pairs
    together = groups.correlation[first, second]
    gap = values[first] - values[second]

    def reach(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.sqrt(np.maximum(one**2 + other**2 - 2 * together * one * other, 0)))

    lower = gap - reach(values[first] - low[first], high[second] - values[second])
    upper = gap + reach(high[first] - values[first], values[second] - low[second])
    return max(0.0, float(lower.max())), float(upper.max())


def _range(values: NDArray[np.float64], block: NDArray[np.int64]) -> NDArray[np.float64]:
    """(...,) the largest difference within a block."""
    parts = [values[..., block == one] for one in np.unique(block)]
    return np.asarray(np.max([part.max(axis=-1) - part.min(axis=-1) for part in parts], axis=0))


def difference(groups: Groups, *, confidence: float = CONFIDENCE) -> Estimate:
    """Largest minus smallest figure; over several blocks the largest of that (equalized odds)."""
    z = critical_value(groups.covariance, confidence, _once(groups))
    low, high = _pair_bounds(groups.values, *groups.limits(z), groups)
    value = float(_range(groups.values, groups.block))
    return Estimate(
        value,
        min(low, value),
        max(high, value),
        n=groups.n,
        method="simultaneous over pairs of groups (max-t, MOVER)",
        confidence=confidence,
    )


def difference_corrected(groups: Groups, plain: Estimate) -> Estimate:
    """The difference that would show as large as the plain one half of the time; 0 when equal groups would.

    Median-unbiased along the line from equal groups to the groups as found; the interval is that of the plain difference.
    """
    observed = float(_range(groups.values, groups.block))
    shape = groups.values.copy()
    for one in np.unique(groups.block):
        at = groups.block == one
        shape[at] -= np.average(groups.values[at], weights=1 / groups.errors[at] ** 2)

    def median(share: float) -> float:
        return float(np.median(_range(share * shape + groups.draws, groups.block)))

    low, high = 0.0, 1.0
    if median(0.0) >= observed:
        high = 0.0
    while high - low > 2**-_STEPS:
        middle = (low + high) / 2
        low, high = (middle, high) if median(middle) < observed else (low, middle)
    value = high * observed if plain.low is None else max(high * observed, plain.low)
    return Estimate(
        value, plain.low, plain.high, n=plain.n, method="median-unbiased; " + plain.method, confidence=plain.confidence
    )


def ratio(groups: Groups, *, confidence: float = CONFIDENCE) -> Estimate:
    """Smallest over largest figure, figures >= 0; over several blocks the smallest of that."""
    if any(groups.values[groups.block == one].max() <= 0 for one in np.unique(groups.block)):
        return Estimate.insufficient("every group's figure is 0: there is no ratio", n=groups.n)
    errors = groups.errors / np.maximum(groups.values, groups.errors)
    scaled = groups.correlation * np.outer(errors, errors)
    np.fill_diagonal(scaled, errors**2)
    z = critical_value(scaled, confidence, _once(groups))
    logs = [np.log(np.maximum(part, _TINY)) for part in (groups.values, *groups.limits(z))]
    low, high = _pair_bounds(logs[0], logs[1], logs[2], groups)
    parts = [groups.values[groups.block == one] for one in np.unique(groups.block)]
    value = min(float(part.min() / part.max()) for part in parts)
    least, most = math.exp(-high), math.exp(-low)
    return Estimate(
        value,
        min(least, value),
        max(most, value),
        n=groups.n,
        method="simultaneous over pairs of groups (max-t, MOVER, log scale)",
        confidence=confidence,
    )


def worst(groups: Groups, better: str, target: float | None, *, confidence: float = CONFIDENCE) -> tuple[Estimate, int] | None:
    """The worst figure and whose it is; None when neither way is worse.

    The bounds hold for all groups at once, and so for whichever group truly is the worst: no group is below `low` (above `high`
    where less is better). For a target it is the figure farthest from it, with that group's simultaneous bounds.
    """
    if better == "none":
        return None
    z = critical_value(groups.covariance, confidence)
    low, high = groups.limits(z)
    if better == "target":
        at = int(np.abs(groups.values - (target or 0.0)).argmax())
        bounds = float(low[at]), float(high[at])
    elif better == "higher":
        at = int(groups.values.argmin())
        bounds = float(low.min()), float(high.min())
    else:
        at = int(groups.values.argmax())
        bounds = float(low.max()), float(high.max())
    value = float(groups.values[at])
    method = "simultaneous over groups (max-t)"
    return Estimate(value, min(bounds[0], value), max(bounds[1], value), n=groups.n, method=method, confidence=confidence), at
