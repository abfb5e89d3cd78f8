"""From a metric and an outcome to an Estimate, and the paired loss of two models on the same rows.

proportion   Wilson's score interval at the effective sample size
unit         linearised on the logit scale (for an AUROC: DeLong, by subject Obuchowski)
positive     linearised on the log scale
real         linearised
ece          upward biased: draws of the bins' deviations give both bounds

Quantiles are Student's t with the independent units behind the figure less one. What the intervals cover in simulation stands in
benchmarks/interval_coverage.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.errors import InputError
from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.linear import Linearised, covariance
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.metrics.binary import ece_bins
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.metrics.metric import Metric
    from synthml.metrics.outcome import Outcome

__all__ = ["estimate", "interval", "loss", "units_of"]

_DRAWS = 4000


def units_of(outcome: Outcome, rows: NDArray[np.bool_] | None = None) -> int:
    """Independent units: rows, or subjects, among some rows."""
    if outcome.clusters is None:
        return outcome.n if rows is None else int(rows.sum())
    return len(np.unique(outcome.clusters if rows is None else outcome.clusters[rows]))


def estimate(metric: Metric, outcome: Outcome, *, confidence: float = CONFIDENCE) -> Estimate:
    """The metric with its interval; `insufficient` with the reason when it does not exist on these rows.

    Raises InputError when truth or scores are not finite.
    """
    if not np.isfinite(outcome.score).all():
        raise InputError(f"{int((~np.isfinite(outcome.score)).sum())} scores are not finite numbers")
    rows = None if metric.among is None else metric.among(outcome)
    n = outcome.n if rows is None else int(rows.sum())
    try:
        found = metric.linearise(outcome)
    except Undefined as error:
        return Estimate.insufficient(str(error), n=n)
    units = _units(metric, outcome, rows)
    if units < 2:
        return Estimate.insufficient("a single independent unit gives no interval", n=n)
    variance = float(covariance(found.influence[None, :], outcome.clusters)[0, 0])
    if metric.name == "ece":
        low, high, method = _ece_bounds(found.value, outcome, confidence)
    else:
        low, high, method = interval(metric, found.value, variance, n, units, confidence)
    if outcome.clusters is not None:
        method += ", by subject" + (" (Obuchowski 1997)" if method.startswith("DeLong") else "")
    return Estimate(found.value, min(low, found.value), max(high, found.value), n=n, method=method, confidence=confidence)


def _units(metric: Metric, outcome: Outcome, rows: NDArray[np.bool_] | None) -> int:
    """Units that the figure's variance rests on: those of the rarer class for discrimination."""
    if metric.name in ("auroc", "average_precision", "calibration_slope") and outcome.task == "binary":
        return min(units_of(outcome, outcome.truth == 1), units_of(outcome, outcome.truth == 0))
    return units_of(outcome, rows)


def interval(
    metric: Metric, value: float, variance: float, n: int, units: int, confidence: float, *, z: float | None = None
) -> tuple[float, float, str]:
    """Bounds and method. z: replaces the quantile, for bounds that hold for several groups at once."""
    if metric.scale == "proportion":
        size = effective_size(value, variance, n, units)
        return (*wilson(value, size, quantile(confidence) if z is None else z), "Wilson score")
    critical = quantile(confidence, units - 1) if z is None else z
    error = math.sqrt(max(variance, 0.0))
    if metric.scale == "unit":
        return _unit_bounds(value, error, units, critical, "DeLong" if "auroc" in metric.name else "linearised")
    if metric.scale == "positive" and value > 0:
        return (value * math.exp(-critical * error / value), value * math.exp(critical * error / value), "linearised, log scale")
    return value - critical * error, value + critical * error, "linearised"


def _unit_bounds(value: float, error: float, units: int, critical: float, name: str) -> tuple[float, float, str]:
    edge = value * (1 - value)
    if error <= 0 < edge:
        return value, value, "exact: every row scores alike"
    if edge <= 0:
        # nothing varies on these rows; what so many units without a miss still allow
        return (*wilson(min(max(value, 0.0), 1.0), units, critical), "Wilson score of the rarer class")
    centre, half = math.log(value / (1 - value)), critical * error / edge
    return _expit(centre - half), _expit(centre + half), f"{name}, logit scale"


def _expit(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _bin_sums(outcome: Outcome) -> NDArray[np.float64]:
    """(bins, n) influence of each row on the bin's share of the calibration error, w_b times mean(y - p)."""
    codes = ece_bins(outcome.score)
    residual = (outcome.truth == 1) - outcome.score
    return np.asarray(np.where(np.arange(codes.max() + 1)[:, None] == codes[None, :], residual[None, :], 0.0) / outcome.n)


def _ece_bounds(value: float, outcome: Outcome, confidence: float) -> tuple[float, float, str]:
    """Draw the bins' deviations around what was found: the upper quantile is the upper bound, its distance the lower one's."""
    parts = _bin_sums(outcome)
    sums = parts.sum(axis=1)
    codes = ece_bins(outcome.score)
    sizes = np.bincount(codes)
    within = parts - np.where(np.arange(len(sums))[:, None] == codes[None, :], (sums / sizes)[:, None], 0.0)
    spread = covariance(within, outcome.clusters)
    draws = np.random.default_rng(0).multivariate_normal(sums, spread, size=_DRAWS, method="eigh", check_valid="ignore")
    drawn = np.abs(draws).sum(axis=1)
    high = float(np.quantile(drawn, (1 + confidence) / 2))
    bias = float(drawn.mean() - value)
    method = f"{len(sums)} equal-count bins; biased upwards, by about {bias:.4f} here; draws of the bins' deviations"
    return max(0.0, 2 * value - high), high, method


def loss(metric: Metric, synthetic: Outcome, real: Outcome, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """How much worse the synthetic-trained model is than the real-trained one on the same rows; None when nothing is better.

    higher is better: real - synthetic; lower: synthetic - real; target: distance of synthetic - distance of real.
    """
    if metric.better == "none":
        return None
    n = synthetic.n if metric.among is None else int(min(metric.among(synthetic).sum(), metric.among(real).sum()))
    try:
        worse, base = metric.linearise(synthetic), metric.linearise(real)
    except Undefined as error:
        return Estimate.insufficient(str(error), n=n)
    units = min(_units(metric, o, None if metric.among is None else metric.among(o)) for o in (synthetic, real))
    if units < 2:
        return Estimate.insufficient("a single independent unit gives no interval", n=n)
    method = "paired, linearised" if "auroc" not in metric.name else "paired, DeLong covariance"
    if synthetic.clusters is not None:
        method += ", by subject"
    if np.array_equal(synthetic.score, real.score) and synthetic.threshold == real.threshold:
        return Estimate(0.0, 0.0, 0.0, n=n, method="exact: both models say the same on every row", confidence=confidence)
    if metric.better == "target" or metric.name == "ece":
        value, low, high = _distance_loss(metric, worse, base, synthetic, confidence)
    else:
        difference = base - worse if metric.better == "higher" else worse - base
        value = difference.value
        half = quantile(confidence, units - 1) * math.sqrt(_paired_variance(metric, difference, synthetic, units))
        low, high = value - half, value + half
    return Estimate(value, min(low, value), max(high, value), n=n, method=method, confidence=confidence)


def _paired_variance(metric: Metric, difference: Linearised, outcome: Outcome, units: int) -> float:
    """Cluster-robust variance; for proportions with half a discordant row added to each side (Agresti & Min 2005)."""
    variance = max(0.0, float(covariance(difference.influence[None, :], outcome.clusters)[0, 0]))
    if metric.scale == "proportion" or (metric.scale == "unit" and variance == 0):
        variance += 1 / (units + 2) ** 2
    return variance


def _distance_loss(
    metric: Metric, worse: Linearised, base: Linearised, outcome: Outcome, confidence: float
) -> tuple[float, float, float]:
    """Distances have a kink at the target, so their difference is drawn from the joint normal of both figures."""
    target = 0.0 if metric.target is None else metric.target
    spread = covariance(np.stack([worse.influence, base.influence]), outcome.clusters)
    centre = np.array([worse.value, base.value]) - target
    draws = np.random.default_rng(0).multivariate_normal(centre, spread, size=_DRAWS, method="eigh", check_valid="ignore")
    drawn = np.abs(draws[:, 0]) - np.abs(draws[:, 1])
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    value = float(abs(centre[0]) - abs(centre[1]))
    # near the kink a distance is biased away from zero, and its draws once more: the reflected interval mends that, the plain one
    # holds far from it; the hull of both covers in either case
    return value, float(min(low, 2 * value - high)), float(max(high, 2 * value - low))
