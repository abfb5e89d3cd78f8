"""How large a share of a group's labels is wrong, as far as one table tells.

A model that never saw the group's labels gives q(x), calibrated on everybody else. If a label is replaced by another one with
probability rho, all others alike, then with K classes

    P(label = k | x) = rho / (K - 1) + (1 - rho K / (K - 1)) p_k(x),    logit p_k = shift_k + slope_k logit q_k

(logistic regression on contaminated labels: Copas 1988, J. R. Stat. Soc. B 50, 225; for two classes rho + (1 - 2 rho) p). The
shift is a base rate of the group's own, the slope how much the features say about it: neither is taken for an error. What tells
wrong labels from uncertain outcomes is that p leaves no room for contradiction where the model is sure, and rho does. The
parameters solve quasi-score equations that weigh rows as if 3% of labels were wrong, which keeps a single surprise from deciding;
the variance is their sandwich with that of the calibration, by subject.

No row can be surer than its labels are right: the share of contradicted labels among the rows of which the model is surest bounds
rho from above. The figure is the smaller of the two, and not below zero, with a lower bound in the same way. Its upper bound
grants more than the model of rho does: errors may fall on one class alone, in which they hide as a base rate, so the bound is the
`ceiling` that the surest rows of each class leave. A policy that asks for few wrong labels passes only where none can hide.

Without sure rows only the assumed shape would tell wrong labels from uncertain outcomes, and shapes are never quite right. So a
group is told only when the model's own doubt on its surest tenth is at most 10%, and half of what the base rate leaves.

What cannot be seen in one table: errors that fall on everybody alike, for they change q as well. Errors of one class alone are
sized too low, though the interval reaches to them; `rate` beside `expected` has their direction. benchmarks/quality_truth.md has
the measure of it.

Beside it stand the counts of confident learning (Northcutt, Jiang & Chuang 2021, doi 10.1613/jair.1.12125, arXiv 1911.00068):
labels against which the model is sure, which is at its mean confidence in a class or above. Alone they say little, for a weak
model is contradicted by right labels too; so they stand beside as many as the probabilities themselves give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from synthml.estimate.linear import spread
from synthml.estimate.proportions import quantile, wilson
from synthml.quality.shares import share_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Flips", "ceiling", "confident_class", "flips_of", "surest"]

SUREST = 0.1
_LEAST_SURE = 50
_STEPS = 200
_NEAR = 1e-9
_CONTAMINATED = 0.03  # share of wrong labels at which the weights are the best ones
_START = 0.02
_LEAP = 0.3
_LEAST_SLOPE = 0.05
_TOO_WIDE = 0.5
_DOUBTFUL = 0.1
_DOUBT = "even the surest rows of this group leave doubt: the features are too weak to tell wrong labels from uncertain outcomes"
_WEAK = "the features say too little about this group to tell wrong labels from uncertain outcomes"


@dataclass(frozen=True, eq=False)
class Flips:
    """What was found in one group of n rows.

    rho, low, high: share of wrong labels. contradicting, by_chance: share of labels against which the model is
    sure, and as many as its probabilities give. rate, expected: of
    the positive class, as it stands and as everybody else leads to expect (binary only). given (n,): calibrated probability of
    the label that stands there; against (n,): whether the model is sure of another one.
    """

    rho: float
    low: float
    high: float
    contradicting: float
    by_chance: float
    rate: float | None
    expected: float | None
    given: NDArray[np.float64]
    against: NDArray[np.bool_]


def confident_class(q: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the class of which the model is sure, or -1: the likeliest among those at or above their threshold (classes,)."""
    above = q >= thresholds
    best = np.where(above, q, -1.0).argmax(axis=1)
    return np.where(above.any(axis=1), best, -1).astype(np.int64)


def surest(q: NDArray[np.float64], least: int = _LEAST_SURE) -> NDArray[np.intp]:
    """Positions of the tenth of rows (n, classes) that the model is surest of; at least so many."""
    count = min(len(q), max(least, math.ceil(SUREST * len(q))))
    return np.argsort(-q.max(axis=1), kind="stable")[:count]


def ceiling(q: NDArray[np.float64], y: NDArray[np.int64], units: NDArray[np.int64], confidence: float) -> float:
    """The most labels that can be wrong, if a class's labels are as often wrong on its surest rows as on its others.

    Upper bounds, class by class, of the share of contradicted labels among the surest tenth of the rows that the model gives to
    the class, weighed by the class's share. A class to which no row is given is not bounded: it can be wrong throughout.
    q (n, classes).
    """
    likeliest, most = q.argmax(axis=1), 0.0
    for k, share in enumerate(q.mean(axis=0)):
        rows = np.flatnonzero(likeliest == k)
        bound = 1.0
        if len(rows):
            top = rows[surest(q[rows])]
            wrong = share_of(y[top] != k, units[top])
            bound = wilson(wrong.value, wrong.size, quantile(confidence))[1]
        most += float(share) * bound
    return min(most, 1.0)


def _basis(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, n) of the beta calibration (Kull, Silva Filho & Flach 2017): log q, -log(1 - q), 1."""
    return np.stack([np.log(q), -np.log1p(-q), np.ones_like(q)])


def _calibrated(q: NDArray[np.float64], hit: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,) coefficients and (3, n) influences of a logistic regression on the basis, drawn lightly to leaving q as it is."""
    design, identity = _basis(q), np.array([1.0, 1.0, 0.0])
    ridge = np.eye(3)
    beta = identity
    for _ in range(_STEPS):
        p = expit(beta @ design)
        information = (design * (p * (1 - p))) @ design.T + ridge
        step = np.linalg.solve(information, design @ (hit - p) - ridge @ (beta - identity))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < _NEAR:
            break
    p = expit(beta @ design)
    information = (design * (p * (1 - p))) @ design.T + ridge
    return beta, np.linalg.solve(information, design * (hit - p))


def flips_of(
    q: NDArray[np.float64],
    y: NDArray[np.int64],
    inside: NDArray[np.bool_],
    others: NDArray[np.bool_],
    units: NDArray[np.int64],
    confidence: float,
) -> Flips | str:
    """What the group `inside` shows against the `others`, or why it cannot be told.

    q (n, classes): probabilities from models that saw no label of the group, nor of the row's subject. y (n,) codes; units (n,).
    """
    classes = q.shape[1]
    told = np.arange(classes)[1:] if classes == 2 else np.arange(classes)
    counts = np.bincount(y[others], minlength=classes)
    if counts.min() < 10:
        return "too few rows outside of the group to calibrate the model on"
    rest, group = q[others], q[inside]
    thresholds = np.array([rest[y[others] == k, k].mean() for k in range(classes)])
    mine = y[inside]
    fits = [_calibrated(rest[:, k], y[others] == k) for k in told]
    base = np.column_stack([beta @ _basis(group[:, k]) for k, (beta, _) in zip(told, fits, strict=True)])
    if _doubtful(base, mine, classes):
        return _DOUBT
    solved = _solve(base, mine[:, None] == told, classes)
    if solved is None:
        return _WEAK
    through = _of_calibration(solved, [_basis(group[:, k]) for k in told], fits)
    seen = spread(np.concatenate([solved.influence, through]), np.concatenate([units[inside], units[others]]))
    half = quantile(confidence, max(1.0, min(seen.df, len(np.unique(units[inside])) - 1))) * seen.error
    if not half < _TOO_WIDE:
        return _WEAK
    full = _full(solved.p, classes)
    top = surest(full)
    wrong = share_of(full[top].argmax(axis=1) != mine[top], units[inside][top])
    floor_low = wilson(wrong.value, wrong.size, quantile(confidence))[0]
    most = ceiling(full, mine, units[inside], confidence)
    rho = max(solved.rho, 0.0)
    value = min(rho, wrong.value)
    sure = confident_class(group, thresholds)
    against = (sure >= 0) & (sure != mine)
    by_chance = np.where(sure >= 0, 1 - full[np.arange(len(mine)), np.maximum(sure, 0)], 0.0)
    return Flips(
        value,
        max(min(solved.rho - half, floor_low), 0.0),
        max(most, value),
        float(against.mean()),
        float(by_chance.mean()),
        float(mine.mean()) if classes == 2 else None,
        float(expit(base[:, 0]).mean()) if classes == 2 else None,
        full[np.arange(len(mine)), mine],
        against,
    )


def _full(p: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """(n, classes) from the columns that are told."""
    return np.column_stack([1 - p[:, 0], p[:, 0]]) if classes == 2 else p / p.sum(axis=1, keepdims=True)


def _doubtful(base: NDArray[np.float64], y: NDArray[np.int64], classes: int) -> bool:
    """Whether even the surest rows leave so much doubt that only the assumed shape of the model would tell errors from it."""
    q = _full(expit(base), classes)
    doubt = float((1 - q[surest(q)].max(axis=1)).mean())
    blind = 1 - float(np.bincount(y, minlength=classes).max()) / len(y)
    return doubt > min(_DOUBTFUL, blind / 2)


@dataclass(frozen=True, eq=False)
class _Solved:
    """p (n, k): probabilities of the right label; influence (n,): of each row on rho; inverse, instruments: for more of it."""

    p: NDArray[np.float64]
    rho: float
    influence: NDArray[np.float64]
    inverse: NDArray[np.float64]
    instruments: NDArray[np.float64]
    by_base: NDArray[np.float64]


def _solve(base: NDArray[np.float64], hit: NDArray[np.bool_], classes: int) -> _Solved | None:
    """Shifts, slopes and rho of one group from the others' log odds (n, k) and its labels (n, k); None where nothing is told."""
    k = base.shape[1]
    per_class, lost = 1 / (classes - 1), classes / (classes - 1)
    shift, slope, rho = np.zeros(k), np.ones(k), _START
    for _ in range(_STEPS):
        p = expit(shift + slope * base)
        residual = hit - (rho * per_class + (1 - lost * rho) * p)
        weight = 1 / ((_CONTAMINATED + (1 - 2 * _CONTAMINATED) * p) * (1 - _CONTAMINATED - (1 - 2 * _CONTAMINATED) * p))
        inner = p * (1 - p)
        instruments = np.stack([inner * weight, inner * base * weight, (per_class - lost * p) * weight])
        scores, jacobian = _equations(instruments, residual, inner, base, per_class - lost * p, 1 - lost * rho)
        try:
            inverse = np.asarray(np.linalg.inv(jacobian), dtype=np.float64)
        except np.linalg.LinAlgError:
            return None
        step = inverse @ scores.sum(axis=1)
        size = float(np.abs(step).max())
        step = step * min(1.0, _LEAP / max(size, _NEAR))
        shift, slope, rho = shift + step[:k], slope + step[k : 2 * k], rho + float(step[2 * k])
        if not (np.isfinite(size) and slope.min() > _LEAST_SLOPE and abs(rho) * lost < 1):
            return None
        if size < _NEAR:
            by_base = (1 - lost * rho) * inner * slope
            return _Solved(p, rho, np.asarray((inverse @ scores)[-1]), inverse, instruments, by_base)
    return None


def _equations(
    instruments: NDArray[np.float64],
    residual: NDArray[np.float64],
    inner: NDArray[np.float64],
    base: NDArray[np.float64],
    by_rho: NDArray[np.float64],
    kept: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(2k + 1, n) scores of every row, and the (2k + 1, 2k + 1) change of their sum with shifts, slopes and rho."""
    k = base.shape[1]
    scores = np.concatenate(
        [(instruments[0] * residual).T, (instruments[1] * residual).T, [(instruments[2] * residual).sum(axis=1)]]
    )
    by_shift, by_slope = kept * inner, kept * inner * base
    jacobian = np.zeros((2 * k + 1, 2 * k + 1))
    at = np.arange(k)
    for block in (0, 1):
        rows = block * k + at
        jacobian[rows, at] = (instruments[block] * by_shift).sum(axis=0)
        jacobian[rows, k + at] = (instruments[block] * by_slope).sum(axis=0)
        jacobian[rows, 2 * k] = (instruments[block] * by_rho).sum(axis=0)
    jacobian[2 * k, :k] = (instruments[2] * by_shift).sum(axis=0)
    jacobian[2 * k, k : 2 * k] = (instruments[2] * by_slope).sum(axis=0)
    jacobian[2 * k, 2 * k] = (instruments[2] * by_rho).sum()
    return scores, jacobian


def _of_calibration(
    solved: _Solved,
    bases: list[NDArray[np.float64]],
    fits: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """(m,) influence of the other rows on rho, through the calibration."""
    k = len(fits)
    total = np.zeros(fits[0][1].shape[1])
    for at, (_, influence) in enumerate(fits):
        slope = solved.by_base[:, at] * bases[at]
        moved = np.zeros((2 * k + 1, 3))
        for row, block in ((at, 0), (k + at, 1), (2 * k, 2)):
            moved[row] = slope @ solved.instruments[block][:, at]
        total -= (solved.inverse[-1] @ moved) @ influence
    return total
