"""Two independent proportions compared: their difference, and the risk of an attack over its control.

The risk R = (a - b) / (1 - b) of Giomi et al. (2023, doi 10.56553/popets-2023-0055), with a the share of members on whom an
attack succeeds and b the share of people whom the generator never saw, is one minus the ratio of the two shares of failures. Its
interval is Koopman's score interval of that ratio (Koopman 1984, doi 10.2307/2530926): it keeps its coverage where few attempts
fail or few succeed. The difference has Newcombe's interval from two Wilson intervals (Newcombe 1998, method 10,
doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthml.estimate.proportions import quantile, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["difference_interval", "ratio_interval", "risk_interval"]

_STEPS = 200


def difference_interval(a: float, n: float, b: float, m: float, confidence: float) -> tuple[float, float]:
    """Interval of a - b, proportions of n and of m."""
    z = quantile(confidence)
    (a_low, a_high), (b_low, b_high) = wilson(a, n, z), wilson(b, m, z)
    return a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)


def risk_interval(a: float, n: float, b: float, m: float, confidence: float) -> tuple[float, float]:
    """Interval of (a - b) / (1 - b), from shares of success a of n attacks and b of m control attacks; b below 1.

    The lower bound is below zero where the attack does better on people it knows nothing about.
    """
    low, high = ratio_interval((1 - a) * n, n, (1 - b) * m, m, confidence)
    return 1 - high, 1 - low


def ratio_interval(x: float, n: float, y: float, m: float, confidence: float) -> tuple[float, float]:
    """Koopman's interval of (x / n) / (y / m), for counts x of n and y of m, y above 0. Counts need not be whole."""
    z = quantile(confidence)
    ratio = (x / n) / (y / m)
    low = 0.0 if x <= 0 else _solved(lambda t: _score(x, n, y, m, t) - z, ratio, downwards=True)
    high = _solved(lambda t: _score(x, n, y, m, t) + z, ratio if x > 0 else 1e-12, downwards=False)
    return min(low, ratio), max(high, ratio)


def _score(x: float, n: float, y: float, m: float, ratio: float) -> float:
    """How many standard errors the data lie above a ratio, at the shares most likely under it."""
    a, b, c = ratio * (n + m), -(ratio * (n + y) + x + m), x + y
    q = (-b - math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a)
    p = min(max(q * ratio, 0.0), 1.0)
    q = min(max(q, 0.0), 1.0)
    variance = p * (1 - p) / n + ratio * ratio * q * (1 - q) / m
    gap = x / n - ratio * y / m
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def _solved(function: Callable[[float], float], start: float, *, downwards: bool) -> float:
    """Where a falling function crosses zero, below or above `start`, by bisection on the log scale."""
    factor = 0.5 if downwards else 2.0
    inner, outer = start, start * factor
    for _ in range(_STEPS):
        if (function(outer) >= 0) == downwards:
            break
        inner, outer = outer, outer * factor
    below, above = (outer, inner) if downwards else (inner, outer)
    for _ in range(_STEPS):
        middle = math.sqrt(below * above)
        if not below < middle < above:
            break
        if function(middle) > 0:
            below = middle
        else:
            above = middle
    return math.sqrt(below * above)
