"""Shares and means of rows, by subject: with the independent rows that they are worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import countable, spread
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.estimate.ratios import difference_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Mean", "Share", "difference", "gap", "mean_of", "share_of"]


@dataclass(frozen=True)
class Share:
    """A share of `rows` rows, and how many independent rows it is worth (`size`)."""

    value: float
    size: float
    rows: int

    def estimate(self, confidence: float, method: str) -> Estimate:
        """With Wilson's interval."""
        low, high = wilson(self.value, self.size, quantile(confidence))
        return Estimate(self.value, low, high, self.rows, method, confidence=confidence)


def share_of(hit: NDArray[np.bool_], subjects: NDArray[np.int64] | None) -> Share:
    """The share of rows that are hit; hit (n,) with n above 0."""
    rows = len(hit)
    value = float(np.mean(hit))
    if subjects is None:
        return Share(value, float(rows), rows)
    variance = spread((hit - value) / rows, subjects).variance
    return Share(value, effective_size(value, variance, rows, countable(subjects)[1]), rows)


def difference(one: Share, other: Share, confidence: float, method: str) -> Estimate:
    """One share minus another of other rows (Newcombe)."""
    low, high = difference_interval(one.value, one.size, other.value, other.size, confidence)
    return Estimate(one.value - other.value, low, high, one.rows + other.rows, method, confidence=confidence)


def gap(shares: list[Share], confidence: float, method: str, *, comparisons: int = 1) -> tuple[Estimate, int, int]:
    """The largest share minus the smallest, and which two they are.

    The interval is Newcombe's at the confidence that Bonferroni asks for among all pairs, times further `comparisons` among which
    this one was chosen: the largest of many differences is above zero by luck alone.
    """
    values = [share.value for share in shares]
    most, least = int(np.argmax(values)), int(np.argmin(values))
    pairs = len(shares) * (len(shares) - 1) // 2
    level = 1 - (1 - confidence) / max(pairs * comparisons, 1)
    found = difference(shares[most], shares[least], level, method)
    assert found.low is not None
    rows = sum(share.rows for share in shares)
    return Estimate(found.value, found.low, found.high, rows, method, confidence=confidence), most, least


@dataclass(frozen=True)
class Mean:
    """A mean with its variance by subject and the degrees of freedom of that. units: independent rows or subjects."""

    value: float
    variance: float
    df: float
    rows: int
    units: int

    def estimate(self, confidence: float, method: str, *, floor: float = 0.0, ceiling: float = 1.0) -> Estimate:
        """With Student's interval, cut at what the mean can be."""
        if self.units < 2:
            return Estimate.insufficient("a single independent unit gives no interval", n=self.rows, method=method)
        half = quantile(confidence, self.df) * math.sqrt(self.variance)
        low, high = max(self.value - half, floor), min(self.value + half, ceiling)
        return Estimate(self.value, min(low, self.value), max(high, self.value), self.rows, method, confidence=confidence)

    def minus(self, other: Mean, confidence: float, method: str) -> Estimate:
        """The difference from the mean of another sample (Welch)."""
        rows = self.rows + other.rows
        if min(self.units, other.units) < 2:
            return Estimate.insufficient("a single independent unit gives no interval", n=rows, method=method)
        variance = self.variance + other.variance
        value = self.value - other.value
        if variance <= 0:
            return Estimate.insufficient("every row is alike: nothing says how the figure varies", n=rows, method=method)
        df = variance**2 / (self.variance**2 / self.df + other.variance**2 / other.df)
        half = quantile(confidence, df) * math.sqrt(variance)
        return Estimate(value, value - half, value + half, rows, method, confidence=confidence)


def mean_of(values: NDArray[Any], subjects: NDArray[np.int64] | None) -> Mean:
    """The mean of values (n,), n above 0."""
    numbers = np.asarray(values, dtype=np.float64)
    rows, value = len(numbers), float(np.mean(numbers))
    seen = spread((numbers - value) / rows, subjects)
    units = rows if subjects is None else countable(subjects)[1]
    return Mean(value, seen.variance, max(1.0, min(seen.df, units - 1)), rows, units)
