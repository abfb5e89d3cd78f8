"""From a metric and an outcome to an Estimate, and the paired loss of two models on the same rows.

proportion   Wilson's score interval; with subjects at the effective sample size
unit         linearised on the logit scale (for an AUROC: DeLong, by subject Obuchowski)
positive     linearised on the log scale; a root mean square on the scale of the precision, one over the mean square
real         linearised
ece          upward biased: draws of the bins' deviations give both bounds

Quantiles are Student's t. Its degrees of freedom are those of the estimated variance: what the kurtosis of the influences leaves
(O'Neill 2014, doi 10.1080/00031305.2014.966589), and never more than the independent units behind the figure less one. What the
intervals cover in simulation stands in benchmarks/interval_coverage.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.errors import InputError
from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.linear import Linearised, countable, covariance, spread
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.metrics.binary import ece_bins
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.metrics.metric import Metric
    from synthml.metrics.outcome import Outcome

__all__ = ["Measured", "estimate", "estimate_of", "interval", "loss", "loss_of", "measured"]

_DRAWS = 4000
_MOST = 0.99  # of a precision that its lower bound may lie below it


@dataclass(frozen=True)
class Measured:
    """A metric on an outcome, linearised once; `estimate` and `loss` read it. reason: why it does not exist on these rows."""

    metric: Metric
    outcome: Outcome
    n: int
    units: int
    found: Linearised | None
    reason: str = ""


def measured(metric: Metric, outcome: Outcome) -> Measured:
    """Value and influences of the metric on these rows. Raises InputError when truth or scores are not finite."""
    for name, numbers in (("scores", outcome.score), ("truths", outcome.truth)):
        if not np.isfinite(numbers).all():
            raise InputError(f"{int((~np.isfinite(numbers)).sum())} {name} are not finite numbers")
    rows = None if metric.among is None else metric.among(outcome)
    n = outcome.n if rows is None else int(np.count_nonzero(rows))
    try:
        found = metric.linearise(outcome)
    except Undefined as error:
        return Measured(metric, outcome, n, 0, None, str(error))
    units = _units(metric, outcome, rows)
    if units < 2:
        return Measured(metric, outcome, n, units, None, "a single independent unit gives no interval")
    return Measured(metric, outcome, n, units, found)


def _units(metric: Metric, outcome: Outcome, rows: NDArray[np.bool_] | None) -> int:
    """Units that the figure's variance rests on: those of the rarer class for discrimination."""
    if metric.name in ("auroc", "average_precision", "calibration_slope") and outcome.task == "binary":
        return min(_units_among(outcome, outcome.truth == 1), _units_among(outcome, outcome.truth == 0))
    return _units_among(outcome, rows)


def _units_among(outcome: Outcome, rows: NDArray[np.bool_] | None) -> int:
    """Independent units: rows, or subjects, among some rows."""
    if outcome.clusters is None:
        return outcome.n if rows is None else int(np.count_nonzero(rows))
    return countable(outcome.clusters if rows is None else outcome.clusters[rows])[1]


def estimate(metric: Metric, outcome: Outcome, *, confidence: float = CONFIDENCE) -> Estimate:
    """The metric with its interval; `insufficient` with the reason when it does not exist on these rows.

    Raises InputError when truth or scores are not finite.
    """
    return estimate_of(measured(metric, outcome), confidence=confidence)


def estimate_of(what: Measured, *, confidence: float = CONFIDENCE) -> Estimate:
    """`estimate` of what was measured already."""
    metric, outcome, n = what.metric, what.outcome, what.n
    if what.found is None:
        return Estimate.insufficient(what.reason, n=n)
    value = what.found.value
    if metric.name == "ece":
        low, high, method = _ece_bounds(value, outcome, confidence)
    else:
        varies = spread(what.found.influence, outcome.clusters)
        low, high, method = interval(metric, value, varies.variance, n, what.units, confidence, df=varies.df)
    if outcome.clusters is not None:
        method += ", by subject" + (" (Obuchowski 1997)" if method.startswith("DeLong") else "")
    return Estimate(value, min(low, value), max(high, value), n=n, method=method, confidence=confidence)


def interval(
    metric: Metric,
    value: float,
    variance: float,
    n: int,
    units: int,
    confidence: float,
    *,
    df: float = math.inf,
    z: float | None = None,
) -> tuple[float, float, str]:
    """Bounds and method. df: degrees of freedom of the variance, never more than the units less one. z: replaces the quantile,
    for bounds that hold for several groups at once.
    """
    if metric.scale == "proportion":
        size = effective_size(value, variance, n, units)
        return (*wilson(value, size, _critical(confidence, math.inf if units >= n else units - 1, z)), "Wilson score")
    critical = _critical(confidence, min(df, units - 1), z)
    error = math.sqrt(max(variance, 0.0))
    if metric.scale == "unit":
        return _unit_bounds(value, error, units, critical, "DeLong" if "auroc" in metric.name else "linearised")
    if metric.name == "rmse" and value > 0:
        # the precision, one over the mean square: its bounds are wide upwards, where skewed errors need it
        relative = min(2 * critical * error / value, _MOST)
        return value / math.sqrt(1 + relative), value / math.sqrt(1 - relative), "linearised, scale of the precision"
    if metric.scale == "positive" and value > 0:
        return (value * math.exp(-critical * error / value), value * math.exp(critical * error / value), "linearised, log scale")
    return value - critical * error, value + critical * error, "linearised"


def _critical(confidence: float, df: float, z: float | None) -> float:
    return quantile(confidence, df) if z is None else z


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


def _ece_bounds(value: float, outcome: Outcome, confidence: float) -> tuple[float, float, str]:
    """Draw the bins' deviations around what was found: the upper quantile is the upper bound, its distance the lower one's."""
    codes = ece_bins(outcome.score)
    residual = ((outcome.truth == 1) - outcome.score) / outcome.n
    sums, sizes = np.bincount(codes, weights=residual), np.bincount(codes)
    within = residual - (sums / sizes)[codes]
    units, bins = outcome.n, sums.shape[0]
    if outcome.clusters is None:
        between = np.diag(np.bincount(codes, weights=within**2))
    else:
        subjects, units = countable(outcome.clusters)
        wide = int(subjects.max()) + 1
        totals = np.bincount(codes * wide + subjects, weights=within, minlength=bins * wide).reshape(bins, wide)
        between = totals @ totals.T
    between = between * (units / (units - 1))
    draws = np.random.default_rng(0).multivariate_normal(sums, between, size=_DRAWS, method="eigh", check_valid="ignore")
    drawn = np.abs(draws).sum(axis=1)
    high = float(np.quantile(drawn, (1 + confidence) / 2))
    bias = float(drawn.mean() - value)
    method = f"{bins} equal-count bins; biased upwards, by about {bias:.4f} here; draws of the bins' deviations"
    return max(0.0, 2 * value - high), high, method


def loss(metric: Metric, synthetic: Outcome, real: Outcome, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """How much worse the synthetic-trained model is than the real-trained one on the same rows; None when nothing is better.

    higher is better: real - synthetic; lower: synthetic - real; target: distance of synthetic - distance of real.
    Raises InputError when truth or scores are not finite.
    """
    if metric.better == "none":
        return None
    return loss_of(measured(metric, synthetic), measured(metric, real), confidence=confidence)


def loss_of(synthetic: Measured, real: Measured, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """`loss` of what was measured already."""
    metric, outcome, n = synthetic.metric, synthetic.outcome, min(synthetic.n, real.n)
    if metric.better == "none":
        return None
    worse, base = synthetic.found, real.found
    if worse is None or base is None:
        return Estimate.insufficient(synthetic.reason or real.reason, n=n)
    if np.array_equal(outcome.score, real.outcome.score) and outcome.threshold == real.outcome.threshold:
        return Estimate(0.0, 0.0, 0.0, n=n, method="exact: both models say the same on every row", confidence=confidence)
    method = "paired, linearised" if "auroc" not in metric.name else "paired, DeLong covariance"
    units = min(synthetic.units, real.units)
    if metric.name == "ece":
        value, low, high = _drawn_loss(worse, base, outcome, confidence)
    elif metric.better == "target":
        value, low, high = _distance_loss(worse, base, metric.target or 0.0, outcome, units, confidence)
    else:
        difference = base - worse if metric.better == "higher" else worse - base
        value = difference.value
        half = _half_width(metric, difference, outcome, units, confidence)
        low, high = value - half, value + half
    if outcome.clusters is not None:
        method += ", by subject"
    return Estimate(value, min(low, value), max(high, value), n=n, method=method, confidence=confidence)


def _half_width(metric: Metric, difference: Linearised, outcome: Outcome, units: int, confidence: float) -> float:
    varies = spread(difference.influence, outcome.clusters)
    variance, df = varies.variance, min(varies.df, units - 1)
    if metric.scale == "proportion" or (metric.scale == "unit" and variance == 0):
        # half a discordant row added to each side (Agresti & Min 2005): equal decisions are no proof that nothing can differ. It
        # stands in for the degrees of freedom too, of which a handful of discordant rows would leave next to none
        variance, df = variance + 1 / (units + 2) ** 2, units - 1
    return quantile(confidence, df) * math.sqrt(variance)


def _distance_loss(
    worse: Linearised, base: Linearised, target: float, outcome: Outcome, units: int, confidence: float
) -> tuple[float, float, float]:
    """Loss of distance to the target, |a| - |b|, which has kinks where either model is on target.

    |a| - |b| is the largest over s, of the smallest over t, of s a - t b with signs s and t: four linear contrasts. The same of
    their bounds is a bound, wrong about either side at no more than the total level, even at a kink.
    """
    a, b = worse.value - target, base.value - target
    lows, highs = np.empty((2, 2)), np.empty((2, 2))
    for i, s in enumerate((1, -1)):
        for j, t in enumerate((1, -1)):
            varies = spread(s * worse.influence - t * base.influence, outcome.clusters)
            half = quantile(confidence, min(varies.df, units - 1)) * varies.error
            lows[i, j], highs[i, j] = s * a - t * b - half, s * a - t * b + half
    return abs(a) - abs(b), float(lows.min(axis=1).max()), float(highs.min(axis=1).max())


def _drawn_loss(worse: Linearised, base: Linearised, outcome: Outcome, confidence: float) -> tuple[float, float, float]:
    """Loss of two figures that cannot be negative, drawn from the joint normal of both."""
    joint = covariance(np.stack([worse.influence, base.influence]), outcome.clusters)
    centre = np.array([worse.value, base.value])
    draws = np.random.default_rng(0).multivariate_normal(centre, joint, size=_DRAWS, method="eigh", check_valid="ignore")
    drawn = np.abs(draws[:, 0]) - np.abs(draws[:, 1])
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    value = worse.value - base.value
    # the reflected interval mends the bias near zero, the plain one holds far from it; the hull of both covers in either case
    return value, float(min(low, 2 * value - high)), float(max(high, 2 * value - low))
