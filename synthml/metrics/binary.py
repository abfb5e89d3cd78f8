"""Metrics of a binary outcome, each as its value and the influence of every row.

Sources: AUROC: DeLong, DeLong & Clarke-Pearson 1988 (doi 10.2307/2531595), midranks as in Sun & Xu 2014; calibration: Cox 1958,
Van Calster et al. 2019 (doi 10.1186/s12916-019-1466-7); average precision: as scikit-learn defines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.linear import Linearised
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.metrics.outcome import Outcome

__all__ = [
    "accuracy", "auroc", "auroc_of", "average_precision", "brier", "calibration_intercept", "calibration_slope", "ece",
    "fnr", "fpr", "log_loss", "npv", "ppv", "selection_rate", "sensitivity", "specificity",
]  # fmt: skip

CLIP = 1e-6
BINS = 10
_STEPS = 50
_NEAR = 1e-8  # steps of Newton's method square: below it the coefficients stand
_LEAP = 5.0  # furthest that a step may move a logit


def _both_classes(truth: NDArray[np.generic]) -> None:
    events = int(np.count_nonzero(truth))
    if events == 0 or events == truth.shape[0]:
        raise Undefined("only one class among these rows")


def auroc(outcome: Outcome) -> Linearised:
    """Probability that a random event scores above a random non-event, ties counting one half."""
    return auroc_of(outcome.truth == 1, *outcome.ranking)


def auroc_of(event: NDArray[np.bool_], rank: NDArray[np.intp], distinct: int) -> Linearised:
    """AUROC for a class against the rest, from the rank of each row's score among the distinct scores."""
    _both_classes(event)
    m, n = int(event.sum()), int((~event).sum())
    events_at = np.bincount(rank[event], minlength=distinct)
    others_at = np.bincount(rank, minlength=distinct) - events_at
    placement = np.where(event, _share_below(others_at)[rank], (1 - _share_below(events_at))[rank])
    value = float(placement[event].mean())
    return Linearised(value, (placement - value) / np.where(event, m, n))


def _share_below(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """(k,) share of the counted rows below each rank, ties counting one half."""
    return np.asarray((np.cumsum(counts) - counts / 2) / counts.sum())


def average_precision(outcome: Outcome) -> Linearised:
    """Mean over events of the precision at each event's score (scikit-learn's step-wise area, ties at one threshold)."""
    event = outcome.truth == 1
    _both_classes(event)
    n = event.shape[0]
    position, k = outcome.ranking
    events_at = np.bincount(position, weights=event, minlength=k)
    rows_at = np.bincount(position, minlength=k)
    called_events, called = np.cumsum(events_at[::-1])[::-1], np.cumsum(rows_at[::-1])[::-1]
    precision = called_events / called
    total = events_at.sum()
    value = float((events_at * precision).sum() / total)
    # a row that scores at least t moves the precision at t by (y - precision) / rows called at t, for every event's threshold t
    up = np.cumsum(events_at / called)
    pulled = np.cumsum(events_at * precision / called)
    y = event.astype(np.float64)
    own = y * (precision[position] - value)
    influence = (own + y * up[position] - pulled[position]) / total
    return Linearised(value, influence - influence.sum() / n)


def _mean(values: NDArray[np.float64]) -> Linearised:
    value = float(values.mean())
    return Linearised(value, (values - value) / values.shape[0])


def _share(hit: NDArray[np.bool_], among: NDArray[np.bool_], absent: str) -> Linearised:
    """Share of `hit` among the rows `among`."""
    count = int(among.sum())
    if count == 0:
        raise Undefined(absent)
    value = float(hit[among].mean())
    return Linearised(value, np.where(among, hit - value, 0.0) / count)


def brier(outcome: Outcome) -> Linearised:
    """Mean squared difference of probability and outcome (Brier 1950)."""
    return _mean((outcome.score - (outcome.truth == 1)) ** 2)


def log_loss(outcome: Outcome) -> Linearised:
    """Mean negative log likelihood; probabilities are kept within 1e-6 of 0 and 1."""
    p = np.clip(outcome.score, CLIP, 1 - CLIP)
    return _mean(-np.where(outcome.truth == 1, np.log(p), np.log1p(-p)))


def accuracy(outcome: Outcome) -> Linearised:
    """Share of rows decided right (binary and multiclass)."""
    return _mean((outcome.decision == outcome.truth).astype(np.float64))


def sensitivity(outcome: Outcome) -> Linearised:
    """Share of events that are called."""
    return _share(outcome.decision == 1, outcome.truth == 1, "no event among these rows")


def specificity(outcome: Outcome) -> Linearised:
    """Share of non-events that are not called."""
    return _share(outcome.decision == 0, outcome.truth == 0, "no non-event among these rows")


def fnr(outcome: Outcome) -> Linearised:
    """Share of events that are missed."""
    return _share(outcome.decision == 0, outcome.truth == 1, "no event among these rows")


def fpr(outcome: Outcome) -> Linearised:
    """Share of non-events that are called."""
    return _share(outcome.decision == 1, outcome.truth == 0, "no non-event among these rows")


def ppv(outcome: Outcome) -> Linearised:
    """Share of events among the called."""
    return _share(outcome.truth == 1, outcome.decision == 1, "nobody is called at this threshold")


def npv(outcome: Outcome) -> Linearised:
    """Share of non-events among those not called."""
    return _share(outcome.truth == 0, outcome.decision == 0, "everybody is called at this threshold")


def selection_rate(outcome: Outcome) -> Linearised:
    """Share of rows that are called."""
    return _mean((outcome.decision == 1).astype(np.float64))


def _logit(score: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(score, CLIP, 1 - CLIP)
    return np.asarray(np.log(p) - np.log1p(-p))


def calibration_slope(outcome: Outcome) -> Linearised:
    """Slope of the outcome on the logit of the probability (Cox 1958); 1 is perfect, below 1 too extreme."""
    y = (outcome.truth == 1).astype(np.float64)
    _both_classes(y)
    x = _logit(outcome.score)
    if np.ptp(x) < 1e-9:
        raise Undefined("the scores are all the same")
    events, others = x[y == 1], x[y == 0]
    if events.min() >= others.max() or others.min() >= events.max():
        raise Undefined("the scores separate the classes completely: the recalibration has no finite slope")
    design = np.stack([np.ones_like(x), x])
    beta, influence = _logistic(design, y, np.zeros_like(x), np.array([0.0, 1.0]))
    return Linearised(float(beta[1]), influence[1])


def calibration_intercept(outcome: Outcome) -> Linearised:
    """Calibration in the large: the intercept when the slope is fixed at 1 (Van Calster 2019); 0 is perfect."""
    y = (outcome.truth == 1).astype(np.float64)
    _both_classes(y)
    x = _logit(outcome.score)
    beta, influence = _logistic(np.ones((1, x.shape[0])), y, x, np.zeros(1))
    return Linearised(float(beta[0]), influence[0])


def _logistic(
    design: NDArray[np.float64], y: NDArray[np.float64], offset: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logistic regression by Newton's method with halved steps: (k,) coefficients and the (k, n) influence of each row on them.

    design (k, n); offset (n,): added to the linear predictor. An influence is the row's score times the inverse information.
    """
    beta = start
    p, loss = _fitted(beta, design, y, offset)
    for _ in range(_STEPS):
        gradient = _weighted_sums(design, y - p)
        information = np.stack([_weighted_sums(design, p * (1 - p) * column) for column in design])
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError as error:
            raise Undefined("the recalibration cannot be fitted") from error
        if np.abs(step).max() < _NEAR:
            # this last step is too small to change the information
            return np.asarray(beta + step), np.asarray(np.linalg.solve(information, design * (y - p)))
        # a leap to where every probability rounds to 0 or 1 would leave no information to come back by
        step = step * min(1.0, _LEAP / np.abs(np.einsum("k,kn->n", step, design)).max())
        for _ in range(_STEPS):
            p, new = _fitted(beta + step, design, y, offset)
            if new <= loss + 1e-12 * y.shape[0]:
                break
            step = step / 2
        beta, loss = beta + step, new
    raise Undefined("the recalibration cannot be fitted")


def _weighted_sums(design: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # not a BLAS product, whose threads cost more than so few columns are worth
    return np.asarray(np.einsum("kn,n->k", design, weights))


def _fitted(
    beta: NDArray[np.float64], design: NDArray[np.float64], y: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Probabilities and the negative log likelihood."""
    eta = np.einsum("k,kn->n", beta, design) + offset
    small = np.exp(-np.abs(eta))
    p = np.where(eta >= 0, 1.0, small) / (1 + small)
    return p, float((np.maximum(eta, 0) + np.log1p(small) - y * eta).sum())


def ece_bins(score: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """(n,) bin of each row: about equal counts, rows with equal scores together."""
    # edges are scores that occur: an edge between two scores would move, and with it a whole tie, for every row that is added
    edges = np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf")
    codes = np.searchsorted(np.unique(edges), score, side="right")
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def ece(outcome: Outcome) -> Linearised:
    """Expected calibration error over ten bins of about equal counts; biased upwards, see `estimate`."""
    residual = (outcome.truth == 1) - outcome.score
    codes = ece_bins(outcome.score)
    n = residual.shape[0]
    sums = np.bincount(codes, weights=residual)
    value = float(np.abs(sums).sum() / n)
    influence = (np.sign(sums)[codes] * residual - value) / n
    return Linearised(value, influence)
