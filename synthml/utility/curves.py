"""Curves of the holdout, binned so that no patient can be read off them.

A raw ROC curve steps once a patient. Here every step of a curve rests on at least ten rows of each class; every bin of a
calibration curve on at least twenty rows, and on a hundred where all of them or none are events; and from one point of a net
benefit curve to the next no row changes sides, or at least ten do.

Tables, one row a point, every value a scalar
  "roc"          protocol (tstr, trtr), fpr, tpr
  "calibration"  protocol, bin (0 the lowest predictions), predicted (mean probability or prediction), observed (share of
                 events or mean of the target), low, high (95% interval of observed), n (rows)
  "net_benefit"  strategy (tstr, trtr, treat all, treat none), threshold (probability), net_benefit: true calls less false calls
                 times threshold / (1 - threshold), each as a share of all rows (Vickers & Elkin 2006, doi
                 10.1177/0272989X06295361)
A regression has a calibration curve only, a multiclass outcome none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate.linear import countable, covariance
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.metrics.binary import ece_bins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.metrics import Outcome

__all__ = ["curves"]

_POINTS = 50
_ROWS_A_STEP = 10
_ROWS_A_BIN = 20
_ROWS_ALL_ALIKE = 100
_BINS = 10
_THRESHOLDS = (0.01, 0.02, 0.03, 0.04, *(round(0.05 * k, 2) for k in range(1, 20)))
Rows = tuple[dict[str, Any], ...]


def curves(outcomes: Mapping[str, Outcome]) -> dict[str, Rows]:
    """The tables of the module's docstring for tstr and trtr; a curve that these rows are too few for is left out."""
    shown = {name: outcomes[name] for name in ("tstr", "trtr") if name in outcomes}
    tables: dict[str, Rows] = {"roc": (), "calibration": (), "net_benefit": ()}
    for protocol, outcome in shown.items():
        if outcome.task == "binary":
            tables["roc"] += tuple({"protocol": protocol, "fpr": x, "tpr": y} for x, y in _roc(outcome))
            tables["net_benefit"] += tuple(_net_benefit(protocol, outcome))
        if outcome.task != "multiclass":
            tables["calibration"] += tuple(_calibration(protocol, outcome))
    if tables["net_benefit"]:
        tables["net_benefit"] += tuple(_defaults(next(iter(shown.values()))))
    return {name: rows for name, rows in tables.items() if rows}


def _roc(outcome: Outcome) -> list[tuple[float, float]]:
    """Points at thresholds that lie at least ten events and ten non-events apart, about fifty of them."""
    event = outcome.truth == 1
    events, others = int(event.sum()), int((~event).sum())
    steps = min(_POINTS, events // _ROWS_A_STEP, others // _ROWS_A_STEP)
    if steps < 4:
        return []
    positive, negative = np.sort(outcome.score[event]), np.sort(outcome.score[~event])
    grid = np.linspace(0, 1, steps + 1)[1:-1]
    cuts = np.unique(np.concatenate([np.quantile(positive, grid), np.quantile(negative, grid)]))[::-1]
    called_events = events - np.searchsorted(positive, cuts, side="left")
    called_others = others - np.searchsorted(negative, cuts, side="left")
    points, last = [(0.0, 0.0)], (0, 0)
    for hit, miss in zip(called_events.tolist(), called_others.tolist(), strict=True):
        since = min(hit - last[0], miss - last[1])
        left = min(events - hit, others - miss)
        if since >= _ROWS_A_STEP and left >= _ROWS_A_STEP:
            points.append((miss / others, hit / events))
            last = (hit, miss)
    return [*points, (1.0, 1.0)]


def _calibration(protocol: str, outcome: Outcome) -> list[dict[str, Any]]:
    """Mean prediction against mean outcome in bins of about equal counts."""
    if outcome.clusters is not None and countable(outcome.clusters)[1] < 2:
        return []
    truth = (outcome.truth == 1).astype(np.float64) if outcome.task == "binary" else outcome.truth.astype(np.float64)
    rows = []
    for code, inside in enumerate(_calibration_bins(truth, outcome)):
        mean = float(truth[inside].mean())
        low, high = _mean_bounds(truth, inside, mean, outcome)
        predicted = float(outcome.score[inside].mean())
        n = int(inside.sum())
        rows.append(
            {"protocol": protocol, "bin": code, "predicted": predicted, "observed": mean, "low": low, "high": high, "n": n}
        )
    return rows


def _calibration_bins(truth: NDArray[np.float64], outcome: Outcome) -> list[NDArray[np.bool_]]:
    """Masks (n,) of the bins from the lowest predictions up; one that would tell too much joins the next. Empty below two."""
    codes = ece_bins(outcome.score, max(1, min(_BINS, outcome.n // _ROWS_A_BIN)))
    bins: list[NDArray[np.bool_]] = []
    waiting = np.zeros(outcome.n, dtype=bool)
    for code in range(int(codes.max()) + 1):
        waiting = waiting | (codes == code)
        n = int(waiting.sum())
        alike = outcome.task == "binary" and truth[waiting].sum() in (0, n)
        if n >= (_ROWS_ALL_ALIKE if alike else _ROWS_A_BIN):
            bins.append(waiting)
            waiting = np.zeros(outcome.n, dtype=bool)
    if bins and waiting.any():
        bins[-1] = bins[-1] | waiting
    return bins if len(bins) > 1 else []


def _mean_bounds(truth: NDArray[np.float64], inside: NDArray[np.bool_], mean: float, outcome: Outcome) -> tuple[float, float]:
    n = int(inside.sum())
    influence = np.where(inside, truth - mean, 0.0) / n
    variance = float(covariance(influence[None, :], outcome.clusters)[0, 0])
    units = n if outcome.clusters is None else countable(outcome.clusters[inside])[1]
    if outcome.task == "binary":
        return wilson(mean, effective_size(mean, variance, n, units), quantile(0.95))
    half = quantile(0.95, max(units - 1, 1)) * float(np.sqrt(variance))
    return mean - half, mean + half


def _net_benefit(protocol: str, outcome: Outcome) -> list[dict[str, Any]]:
    event = outcome.truth == 1
    rows = []
    last = None
    for threshold in _THRESHOLDS:
        called = outcome.score >= threshold
        count = int(called.sum())
        if not _hides(count, outcome.n, last):
            continue
        last = count
        benefit = ((called & event).sum() - (called & ~event).sum() * threshold / (1 - threshold)) / outcome.n
        rows.append({"strategy": protocol, "threshold": threshold, "net_benefit": float(benefit)})
    return rows


def _hides(count: int, n: int, last: int | None) -> bool:
    """Whether a point at which `count` of n rows are called tells of no fewer than ten rows, alone and beside the last point."""
    steps = [count, n - count, *([] if last is None else [abs(last - count)])]
    return all(step == 0 or step >= _ROWS_A_STEP for step in steps)


def _defaults(outcome: Outcome) -> list[dict[str, Any]]:
    prevalence = float((outcome.truth == 1).mean())
    rows = []
    for threshold in _THRESHOLDS:
        benefit = prevalence - (1 - prevalence) * threshold / (1 - threshold)
        rows.append({"strategy": "treat all", "threshold": threshold, "net_benefit": benefit})
        rows.append({"strategy": "treat none", "threshold": threshold, "net_benefit": 0.0})
    return rows
