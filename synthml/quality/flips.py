"""How large a share of a group's labels is wrong, beyond what the rows of everybody else lead one to expect.

A model that never saw the group's labels gives q(x), calibrated on everybody else. If a label is replaced by another one with
probability rho, all others alike, then with K classes

    P(label = k | x) = rho / (K - 1) + (1 - rho K / (K - 1)) q_k(x)

(for two classes rho + (1 - 2 rho) q; Natarajan et al. 2013, arXiv 1306.0250 has the general form). The group may have a base rate
of its own: its q is shifted on the logit scale until the mean fits. What is left of rho is read where confident learning looks:
labels that contradict the model where it is sure, which is at its mean confidence in a class or above (Northcutt, Jiang & Chuang
2021, doi 10.1613/jair.1.12125, arXiv 1911.00068). Counted alone they say little: a weak model is contradicted by right labels
too. So as many as labels drawn from the probabilities themselves would give are taken off, and the rest is divided by what one
wrong label adds. That solves two estimating equations, one for the shift and one for rho; the variance is the sandwich of both
and of the calibration, by subject.

What is told is a difference from the others. Errors that fall on all rows alike, at one rate, change q as well and cannot be
seen in one table at all; errors in one direction only look like another base rate. And where features say less about a group, its
labels contradict the model more often without being wrong. But then even the surest rows show how many can be wrong: the share
of contradicted labels among them bounds rho from above, because no row can be surer than its labels are right. So the figure is
the smaller of the two.
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

__all__ = ["Flips", "confident_class", "flips_of", "surest"]

SUREST = 0.1
_LEAST_SURE = 50
_STEPS = 50
_NEAR = 1e-9
_LEAST_PER_FLIP = 0.02  # what a wrong label must add to the count, on average, for rho to be told


@dataclass(frozen=True, eq=False)
class Flips:
    """What was found in one group of n rows.

    rho, low, high: share of wrong labels beyond the others'. contradicting, by_chance: share of labels against which the model is
    sure, and as many as its probabilities give. at_most, at_most_high: contradicted among the surest rows. rate, expected: of
    the positive class, as it stands and as everybody else leads to expect (binary only). given (n,): calibrated probability of
    the label that stands there; against (n,): whether the model is sure of another one.
    """

    rho: float
    low: float
    high: float
    contradicting: float
    by_chance: float
    at_most: float
    at_most_high: float
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
    sure = confident_class(group, thresholds)
    mine = y[inside]
    # one wrong label moves mass from its class to each of the others
    pull = np.zeros((len(mine), classes))
    pull[sure >= 0] = 1 / (classes - 1)
    pull[np.flatnonzero(sure >= 0), sure[sure >= 0]] = -1
    fits = [_calibrated(rest[:, k], y[others] == k) for k in told]
    solved = _solve(group[:, told], [beta for beta, _ in fits], mine[:, None] == told, pull[:, told], classes)
    if solved is None:
        return "the labels of this group do not tell wrong ones from another base rate"
    eta, rho, jacobian, residual = solved
    own = _own(jacobian, residual, pull[:, told])
    through = _of_calibration(jacobian, group[:, told], eta, rho, pull[:, told], classes, fits)
    influence = np.concatenate([own, through])
    seen = spread(influence, np.concatenate([units[inside], units[others]]))
    half = quantile(confidence, min(seen.df, len(np.unique(units[inside])) - 1)) * seen.error
    full = np.column_stack([1 - eta[:, 0], eta[:, 0]]) if classes == 2 else eta / eta.sum(axis=1, keepdims=True)
    top = surest(full)
    wrong = share_of(full[top].argmax(axis=1) != mine[top], units[inside][top])
    floor_low, floor_high = wilson(wrong.value, wrong.size, quantile(confidence))
    against = (sure >= 0) & (sure != mine)
    expected = np.where(sure >= 0, 1 - full[np.arange(len(mine)), np.maximum(sure, 0)], 0.0)
    return Flips(
        min(rho, wrong.value),
        min(rho - half, floor_low),
        max(min(rho + half, floor_high), min(rho, wrong.value)),
        float(against.mean()),
        float(expected.mean()),
        wrong.value,
        floor_high,
        float(mine.mean()) if classes == 2 else None,
        _expected_rate(group[:, told], fits[0][0]) if classes == 2 else None,
        full[np.arange(len(mine)), mine],
        against,
    )


def _expected_rate(q: NDArray[np.float64], beta: NDArray[np.float64]) -> float:
    return float(expit(beta @ _basis(q[:, 0])).mean())


def _solve(
    q: NDArray[np.float64], betas: list[NDArray[np.float64]], hit: NDArray[np.bool_], pull: NDArray[np.float64], classes: int
) -> tuple[NDArray[np.float64], float, NDArray[np.float64], NDArray[np.float64]] | None:
    """Shifted probabilities (n, k), rho, the Jacobian (k + 1, k + 1) and residuals (n, k); None where nothing is told apart."""
    base = np.column_stack([beta @ _basis(q[:, at]) for at, beta in enumerate(betas)])
    k, n = base.shape[1], len(base)
    per_class, lost = 1 / (classes - 1), classes / (classes - 1)
    shift, rho = np.zeros(k), 0.0
    for _ in range(_STEPS):
        eta = expit(base + shift)
        residual = hit - (rho * per_class + (1 - lost * rho) * eta)
        by_shift, by_rho = (1 - lost * rho) * eta * (1 - eta), per_class - lost * eta
        jacobian = np.zeros((k + 1, k + 1))
        jacobian[np.arange(k), np.arange(k)] = by_shift.sum(axis=0)
        jacobian[:k, k], jacobian[k, :k] = by_rho.sum(axis=0), (pull * by_shift).sum(axis=0)
        jacobian[k, k] = (pull * by_rho).sum()
        # what a wrong label adds once the shift has taken up its share
        schur = jacobian[k, k] - jacobian[k, :k] @ (jacobian[:k, k] / np.maximum(np.diag(jacobian)[:k], _NEAR))
        if schur < _LEAST_PER_FLIP * n or np.diag(jacobian)[:k].min() <= _NEAR:
            return None
        step = np.linalg.solve(jacobian, np.append(residual.sum(axis=0), (pull * residual).sum()))
        step[:k] = np.clip(step[:k], -1, 1)
        step[k] = np.clip(step[k], -0.2, 0.2)
        shift, rho = shift + step[:k], rho + float(step[k])
        if not abs(rho) < 1 / lost:
            return None
        if np.abs(step).max() < _NEAR:
            return eta, rho, jacobian, residual
    return None


def _own(jacobian: NDArray[np.float64], residual: NDArray[np.float64], pull: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) influence of the group's own labels on rho."""
    scores = np.column_stack([residual, (pull * residual).sum(axis=1)])
    return np.asarray(np.linalg.solve(jacobian, scores.T)[-1])


def _of_calibration(
    jacobian: NDArray[np.float64],
    q: NDArray[np.float64],
    eta: NDArray[np.float64],
    rho: float,
    pull: NDArray[np.float64],
    classes: int,
    fits: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """(m,) influence of the other rows on rho, through the calibration."""
    k = eta.shape[1]
    total = np.zeros(fits[0][1].shape[1])
    for at, (_, influence) in enumerate(fits):
        slope = (1 - rho * classes / (classes - 1)) * eta[:, at] * (1 - eta[:, at]) * _basis(q[:, at])
        moved = np.zeros((k + 1, 3))
        moved[at], moved[k] = slope.sum(axis=1), (slope * pull[:, at]).sum(axis=1)
        total -= (np.linalg.solve(jacobian, moved)[-1]) @ influence
    return total
