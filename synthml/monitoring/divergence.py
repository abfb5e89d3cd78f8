"""How far a batch's shares of levels are from the reference's, beyond what samples of these sizes show of one population.

psi             population stability index: sum of (p - q) ln(p / q) (Jeffreys 1946; as an index of drift Siddiqi 2006)
jensen_shannon  distance, the square root of the divergence, natural logarithm (Lin 1991, doi 10.1109/18.61115): 0 to 0.83

Both are biased upwards: two samples of one population differ. Near equality c n D, with c = 1 for the index and 8 for the
divergence, is distributed as a non-central chi-square whose non-centrality is c n times the true distance (Lewis 1951; Yurdakul &
Naranjo 2020, doi 10.21314/JRMV.2020.227 for the index without drift). So the value beyond noise is D less its expectation without
drift, and its interval comes from the non-centralities that the observed distance allows. n is taken from the variance of D
itself (delta method: reference by its design effect, batch by subject), so that the interval keeps its width where the drift is
large and where rows of one person hang together.

Where the reference leads to expect fewer than ten persons (rows, when subjects are unknown) of the batch at a level, it is read
together with another, numbers with a neighbour and labels with the next larger, for the approximation needs as many. A level that
one side lacks would still make the index infinite: then both get one row more, spread like both together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.proportions import quantile
from synthml.monitoring.profile import level_variances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Measure = tuple[float, NDArray[np.float64], NDArray[np.float64], float]

__all__ = ["METHODS", "Divergence", "Sides", "divergence"]

FEWEST_UNITS = 20
METHODS = ("psi", "jensen_shannon")
_STEPS = 100
_LOCAL = 1e4  # of the statistic; beyond it the chi-square is as good as normal
_NIL = 1e-15
_EXPECTED = 10


@dataclass(frozen=True, eq=False)
class Sides:
    """Reference and batch at the levels of one column. counts (k,) of each; effect: design effect of the reference.

    codes (n,), subjects (n,) or None: the batch's known rows. ordered: levels are steps of a scale.
    """

    reference: NDArray[np.int64]
    effect: float
    codes: NDArray[np.int64]
    subjects: NDArray[np.int64] | None = None
    ordered: bool = True

    @property
    def batch(self) -> NDArray[np.int64]:
        """(k,) rows of the batch at each level."""
        return np.bincount(self.codes, minlength=len(self.reference)).astype(np.int64)

    @property
    def units(self) -> int:
        """Independent units in the batch."""
        return int(self.codes.size if self.subjects is None else len(np.unique(self.subjects)))

    def coarser(self) -> Sides:
        """With levels read together until the batch can be expected at each."""
        onto = self.together()
        rows = np.bincount(onto, weights=self.reference).astype(np.int64)
        return replace(self, reference=rows, codes=onto[self.codes])

    def together(self) -> NDArray[np.int64]:
        """(k,) the coarser level of each level; what the batch shows plays no part in it."""
        expected = self.reference / max(int(self.reference.sum()), 1) * self.units
        parts = [[level] for level in range(len(expected))]
        while len(parts) > 2:
            sizes = [float(expected[part].sum()) for part in parts]
            at = min(range(len(parts)), key=lambda i: (sizes[i], i))
            if sizes[at] >= _EXPECTED:
                break
            others = [i for i in range(len(parts)) if i != at and (not self.ordered or abs(i - at) == 1)]
            other = min(others, key=lambda i: (sizes[i], i))
            parts[min(at, other)] += parts.pop(max(at, other))
        onto = np.empty(len(expected), dtype=np.int64)
        for place, part in enumerate(parts):
            onto[part] = place
        return onto

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """(levels,) of both sides, and which levels either side has at all."""
        one, other = self.reference.astype(np.float64), self.batch.astype(np.float64)
        there = (one + other) > 0
        if ((one == 0) != (other == 0)).any():
            pooled = (one + other) / (one.sum() + other.sum())
            one, other = one + pooled, other + pooled
        return one[there] / one.sum(), other[there] / other.sum(), there


@dataclass(frozen=True)
class Divergence:
    """plain: as it is computed everywhere; beyond: what noise does not explain, with its interval; noise: expected of it."""

    plain: Estimate
    beyond: Estimate
    noise: float = 0.0


def divergence(sides: Sides, method: str, *, confidence: float) -> Divergence:
    """One method on one column; `insufficient` below twenty independent units in the batch, or without known rows."""
    if sides.units < FEWEST_UNITS or not sides.reference.sum():
        lacking = "the reference has no known row here" if not sides.reference.sum() else None
        reason = lacking or f"fewer than {FEWEST_UNITS} independent rows, or persons, have a value here"
        nothing = Estimate.insufficient(reason, n=int(sides.codes.size))
        return Divergence(nothing, nothing)
    sides = sides.coarser()
    p, q, there = sides.shares()
    value, of_p, of_q, curvature = _MEASURES[method](p, q)
    within = sides.effect * p * (1 - p) / sides.reference.sum()
    over = level_variances(sides.codes, len(sides.reference), sides.subjects)[there]
    noise = float(((within + over) / ((p + q) / 2)).sum()) / curvature
    variance = sides.effect * _variance(of_p, p) / sides.reference.sum() + _linear_variance(of_q, sides, there)
    low, high = _interval(value, noise, variance, curvature, confidence)
    beyond = max(value - noise, 0.0)
    root = math.sqrt if method == "jensen_shannon" else float
    n, told = (
        int(sides.codes.size),
        f"{len(p)} levels; non-central chi-square" + ("" if sides.subjects is None else ", by subject"),
    )
    plain = Estimate(
        root(value),
        min(root(low + noise), root(value)),
        max(root(high + noise), root(value)),
        n=n,
        method=f"{told}; about {root(noise):.4f} without drift",
        confidence=confidence,
    )
    corrected = Estimate(
        root(beyond),
        min(root(low), root(beyond)),
        max(root(high), root(beyond)),
        n=n,
        method=f"{told}; less what samples of these sizes show without drift",
        confidence=confidence,
    )
    return Divergence(plain, corrected, root(noise))


def _psi(p: NDArray[np.float64], q: NDArray[np.float64]) -> Measure:
    """Value, gradients by p and by q, and the curvature c."""
    ratio = np.log(p / q)
    return float(((p - q) * ratio).sum()), ratio + (p - q) / p, -ratio - (p - q) / q, 1.0


def _jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> Measure:
    middle = (p + q) / 2
    of_p, of_q = np.log(p / middle) / 2, np.log(q / middle) / 2
    return max(float((p * of_p + q * of_q).sum()), 0.0), of_p, of_q, 8.0


_MEASURES: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Measure]] = {
    "psi": _psi,
    "jensen_shannon": _jensen_shannon,
}


def _variance(gradient: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    """Of the gradient over one row drawn at shares p."""
    return float((gradient**2 * p).sum() - (gradient * p).sum() ** 2)


def _linear_variance(gradient: NDArray[np.float64], sides: Sides, there: NDArray[np.bool_]) -> float:
    """Of the sum of gradient * share over the batch, by subject."""
    full = np.zeros(len(there))
    full[there] = gradient
    each = full[sides.codes]
    each = each - each.mean()
    if sides.subjects is not None:
        who = np.unique(sides.subjects, return_inverse=True)[1]
        each = np.bincount(who, weights=each).astype(np.float64)
    units = int(each.size)
    return float((each**2).sum()) * units / (units - 1) / int(sides.codes.size) ** 2


def _interval(value: float, noise: float, variance: float, curvature: float, confidence: float) -> tuple[float, float]:
    """Bounds of the true distance."""
    if noise <= _NIL:
        return value, value  # one level on both sides: nothing varies
    if value <= _NIL or variance <= _NIL**2:
        size = 1 / (curvature * noise)  # of a statistic with one degree of freedom
    else:
        size = 4 * value / (curvature * variance)
    scale = curvature * size
    statistic, df = scale * value, max(scale * noise, 1e-3)
    if statistic > _LOCAL:
        half = quantile(confidence) * math.sqrt(variance)
        return max(value - noise - half, 0.0), value - noise + half
    tail = (1 - confidence) / 2
    return _noncentrality(statistic, df, 1 - tail) / scale, _noncentrality(statistic, df, tail) / scale


def _noncentrality(statistic: float, df: float, probability: float) -> float:
    """The non-centrality under which the statistic is not exceeded with this probability; 0 where none is as likely."""
    from scipy.special import chndtr

    if chndtr(statistic, df, 0.0) <= probability:
        return 0.0
    low, high = 0.0, 1.0
    while chndtr(statistic, df, high) > probability:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if chndtr(statistic, df, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2
