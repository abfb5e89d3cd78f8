"""From a metric and an outcome to an Estimate, and the paired loss of two models on the same rows.

proportion   Wilson's score interval, with subjects at the effective sample size
auroc, ...   unit interval: linearised on the logit scale (an AUROC: DeLong; by subject: Obuchowski 1997, Biometrics 53, 567)
mean losses  linearised on the log scale; r2 on the log of what it lacks to 1
rmse         linearised on the scale of the precision, one over the mean square
ece          a test turned round, see `calibration_error`
loss         linearised; of shares of rows with two discordant rows added (Bonett & Price 2012, doi 10.3102/1076998611411915); of
             distances from a target by four contrasts; of the ECE see `calibration_error`

Quantiles are Student's t with the degrees of freedom that the influences show, at most the independent units behind the figure
less one. `measured` does what an interval and a loss have in common, `estimate_of` and `loss_of` the rest. What the intervals
cover in simulation stands in benchmarks/interval_coverage.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.errors import InputError
from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.linear import Linearised, Spread, countable, spread
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.metrics.calibration_error import ece_bounds, ece_loss_bounds
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.metrics.calibration_error import CalibrationBounds
    from synthml.metrics.metric import Metric
    from synthml.metrics.outcome import Outcome

__all__ = ["Measured", "estimate", "estimate_of", "interval", "loss", "loss_of", "measured", "units_behind", "units_of"]

_MOST = 0.99  # of a precision that its lower bound may lack
_NIL = 1e-12  # a standard error this small beside the figure is rounding


def units_of(outcome: Outcome, rows: NDArray[np.bool_] | None = None) -> int:
    """Independent units: rows, or subjects, among some rows."""
    if outcome.clusters is None:
        return outcome.n if rows is None else int(np.count_nonzero(rows))
    return countable(outcome.clusters if rows is None else outcome.clusters[rows])[1]


def units_behind(metric: Metric, outcome: Outcome) -> int:
    """Units that the figure's variance rests on: those among its rows, or those of the rarest class."""
    if metric.rarer_class and outcome.task != "regression":
        return min(units_of(outcome, outcome.truth == one) for one in np.unique(outcome.truth))
    return units_of(outcome, None if metric.among is None else metric.among(outcome))


@dataclass(frozen=True, eq=False)
class Measured:
    """A metric on an outcome, linearised once. n, units: rows and independent units behind it; found: None for a `reason`."""

    metric: Metric
    outcome: Outcome
    n: int
    units: int = 0
    found: Linearised | None = None
    reason: str = ""


def measured(metric: Metric, outcome: Outcome) -> Measured:
    """The metric on these rows. n is the number of rows it is of: events for a sensitivity, called rows for a PPV, else all.

    Raises InputError when truth and scores are not finite, not of one length, or not a task's truth and probabilities.
    """
    _check(outcome)
    n = outcome.n if metric.among is None else int(np.count_nonzero(metric.among(outcome)))
    try:
        found = metric.linearise(outcome)
    except Undefined as error:
        return Measured(metric, outcome, n, reason=str(error))
    units = units_behind(metric, outcome)
    if units < 2:
        return Measured(metric, outcome, n, units, reason="a single independent unit gives no interval")
    return Measured(metric, outcome, n, units, found)


def estimate(metric: Metric, outcome: Outcome, *, confidence: float = CONFIDENCE) -> Estimate:
    """The metric with its interval; `insufficient` with the reason when it does not exist, or does not vary, on these rows.

    Raises InputError as `measured` does.
    """
    return estimate_of(measured(metric, outcome), confidence=confidence)


def estimate_of(what: Measured, *, confidence: float = CONFIDENCE) -> Estimate:
    """`estimate` of what was measured already."""
    if what.found is None:
        return Estimate.insufficient(what.reason, n=what.n)
    value = what.found.value
    try:
        low, high, method = _bounds(what, what.found, confidence)
    except Undefined as error:
        return Estimate.insufficient(str(error), n=what.n)
    method = _by_subject(method, what.outcome)
    return Estimate(value, min(low, value), max(high, value), n=what.n, method=method, confidence=confidence)


def _bounds(what: Measured, found: Linearised, confidence: float) -> tuple[float, float, str]:
    metric = what.metric
    seen = spread(found.influence, what.outcome.clusters)
    if metric.scale not in ("proportion", "unit") and seen.error <= _NIL * max(1.0, abs(found.value)):
        return _unvarying(metric, found.value, what.units, confidence)
    if metric.name == "ece":
        bounds = ece_bounds(what.outcome, confidence)
        return bounds.low, bounds.high, _told(bounds)
    return interval(metric, found.value, seen.variance, what.n, what.units, confidence, df=seen.df)


def _check(outcome: Outcome) -> None:
    rows = outcome.truth.shape[0]
    if outcome.score.shape[0] != rows or (outcome.clusters is not None and outcome.clusters.shape[0] != rows):
        raise InputError(
            f"there are {rows} true values and {outcome.score.shape[0]} scores; give one score, and one subject, a row"
        )
    for name, values in (("scores", outcome.score), ("true values", outcome.truth)):
        broken = ~np.isfinite(values.astype(np.float64, copy=False))
        if broken.any():
            first = int(np.flatnonzero(broken.reshape(rows, -1).any(axis=1))[0])
            raise InputError(f"{int(broken.sum())} {name} are not finite numbers, first at position {first}; give finite ones")
    if outcome.task == "binary" and not np.isin(outcome.truth, (0, 1)).all():
        raise InputError("a binary truth holds something other than 0 and 1; code the positive class as 1")
    if outcome.task != "regression" and rows and (outcome.score.min() < 0 or outcome.score.max() > 1):
        raise InputError("some scores lie outside 0 to 1; give probabilities, such as those of predict_proba")


def _by_subject(method: str, outcome: Outcome) -> str:
    if outcome.clusters is None:
        return method
    return method + ", by subject" + (" (Obuchowski 1997)" if method.startswith("DeLong") else "")


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
    """Bounds and method of any metric but the ECE.

    n, units: rows and independent units behind the figure. df: of its Spread; never more than the units less one. z: replaces the
    quantile, for bounds that hold for several groups at once.
    """
    if metric.scale == "proportion":
        size = effective_size(value, variance, n, units)
        critical = quantile(confidence, units - 1 if units < n else math.inf) if z is None else z
        return (*wilson(value, size, critical), "Wilson score")
    critical = quantile(confidence, min(df, units - 1)) if z is None else z
    error = math.sqrt(max(variance, 0.0))
    if metric.transform == "logit":
        return _unit_bounds(value, error, units, critical, "DeLong" if "auroc" in metric.name else "linearised")
    if metric.transform == "precision" and value > 0:
        # wide upwards, where a few squares of skewed errors leave the rest unseen
        relative = min(2 * critical * error / value, _MOST)
        return value / math.sqrt(1 + relative), value / math.sqrt(1 - relative), "linearised, scale of the precision"
    if metric.transform == "log" and value > 0:
        ratio = math.exp(min(critical * error / value, 700.0))
        return value / ratio, value * ratio, "linearised, log scale"
    if metric.transform == "shortfall" and value < 1:
        ratio = math.exp(min(critical * error / (1 - value), 700.0))
        return 1 - (1 - value) * ratio, 1 - (1 - value) / ratio, "linearised, log scale of the shortfall from 1"
    return value - critical * error, value + critical * error, "linearised"


def _unit_bounds(value: float, error: float, units: int, critical: float, name: str) -> tuple[float, float, str]:
    edge = value * (1 - value)
    if edge <= _NIL:
        # nothing varies on these rows; what so many units without a miss still allow
        return (*wilson(min(max(value, 0.0), 1.0), units, critical), "Wilson score of the rarer class")
    if error <= 0:
        return value, value, "exact: every row scores alike"
    centre, half = math.log(value / (1 - value)), critical * error / edge
    return _expit(centre - half), _expit(centre + half), f"{name}, logit scale"


def _expit(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _unvarying(metric: Metric, value: float, units: int, confidence: float) -> tuple[float, float, str]:
    """Every row adds the same: bounds from the share of rows that could still do otherwise, none among so many units."""
    if metric.largest is None:
        raise Undefined("the error is the same on every row: nothing says how it varies")
    share = wilson(0.0, units, quantile(confidence))[1]
    low = value * (1 - share)
    return low, low + metric.largest * share, "every row alike; score interval of rows that may differ"


def _told(bounds: CalibrationBounds) -> str:
    return f"{bounds.bins} equal-count bins; biased upwards, about {bounds.middle:.4f} without the bias; inverted test"


def loss(metric: Metric, synthetic: Outcome, real: Outcome, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """How much worse the synthetic-trained model is than the real-trained one on the same rows; None when nothing is better.

    higher is better: real - synthetic; lower: synthetic - real; target: distance of synthetic - distance of real. Raises
    InputError as `measured` does, and when the two are not of the same rows.
    """
    if metric.better == "none":
        return None
    return loss_of(measured(metric, synthetic), measured(metric, real), confidence=confidence)


def loss_of(synthetic: Measured, real: Measured, *, confidence: float = CONFIDENCE) -> Estimate | None:
    """`loss` of what was measured already, of the same metric."""
    if synthetic.metric.better == "none":
        return None
    one, other = synthetic.outcome, real.outcome
    if not np.array_equal(one.truth, other.truth):
        raise InputError("a paired loss needs both models on the same rows in the same order; their true values differ")
    n = min(synthetic.n, real.n)
    if synthetic.found is None or real.found is None:
        return Estimate.insufficient(synthetic.reason or real.reason, n=n)
    if np.array_equal(one.score, other.score) and one.threshold == other.threshold:
        return Estimate(0.0, 0.0, 0.0, n=n, method="exact: both models say the same on every row", confidence=confidence)
    try:
        value, low, high, method = _loss_bounds(synthetic, real, synthetic.found, real.found, confidence)
    except Undefined as error:
        return Estimate.insufficient(str(error), n=n)
    return Estimate(value, min(low, value), max(high, value), n=n, method=_by_subject(method, one), confidence=confidence)


def _loss_bounds(
    synthetic: Measured, real: Measured, worse: Linearised, base: Linearised, confidence: float
) -> tuple[float, float, float, str]:
    metric = synthetic.metric
    if metric.name == "ece":
        bounds = ece_loss_bounds(synthetic.outcome, real.outcome, confidence)
        return worse.value - base.value, bounds.low, bounds.high, "paired, " + _told(bounds)
    if metric.better == "target":
        units = min(synthetic.units, real.units)
        return _distance_loss(worse, base, metric.target or 0.0, synthetic.outcome.clusters, units, confidence)
    difference = base - worse if metric.better == "higher" else worse - base
    half, method = _half_width(synthetic, real, spread(difference.influence, synthetic.outcome.clusters), confidence)
    return difference.value, difference.value - half, difference.value + half, method


def _distance_loss(
    worse: Linearised, base: Linearised, target: float, clusters: NDArray[np.int64] | None, units: int, confidence: float
) -> tuple[float, float, float, str]:
    """Loss of distance from the target, |a| - |b|, which has a kink where either model is on target.

    It is the largest over s, of the smallest over t, of s a - t b with signs s and t: four linear contrasts. The same of their
    bounds bounds it: a sign that is certain leaves the usual interval, one that is not leaves room for both.
    """
    a, b = worse.value - target, base.value - target
    lows, highs = np.empty((2, 2)), np.empty((2, 2))
    for i, s in enumerate((1, -1)):
        for j, t in enumerate((1, -1)):
            seen = spread(s * worse.influence - t * base.influence, clusters)
            half = quantile(confidence, min(seen.df, units - 1)) * seen.error
            lows[i, j], highs[i, j] = s * a - t * b - half, s * a - t * b + half
    low, high = float(lows.min(axis=1).max()), float(highs.min(axis=1).max())
    return abs(a) - abs(b), low, high, "paired, linearised, four contrasts of the distances from the target"


def _half_width(synthetic: Measured, real: Measured, seen: Spread, confidence: float) -> tuple[float, str]:
    metric, units = synthetic.metric, min(synthetic.units, real.units)
    discordant = 1 / (units + 2) ** 2  # what one discordant row, or subject, more would add to the variance
    if metric.scale == "proportion":
        # two where both shares are of the same rows; where each model chooses its own rows, one was found to be enough
        same = metric.among is None or np.array_equal(metric.among(synthetic.outcome), metric.among(real.outcome))
        variance = max(seen.variance, 0.0) + (2 if same else 1) * discordant
        critical = quantile(confidence, units - 1 if synthetic.outcome.clusters is not None else math.inf)
        return critical * math.sqrt(variance), "paired, linearised, discordant rows added (Bonett & Price 2012)"
    method = "paired, DeLong covariance" if "auroc" in metric.name else "paired, linearised"
    if seen.error > _NIL:
        return quantile(confidence, min(seen.df, units - 1)) * seen.error, method
    largest = 1.0 if metric.scale == "unit" else metric.largest
    if largest is None:
        raise Undefined("the models differ by the same on every row: nothing says how the difference varies")
    return quantile(confidence, units - 1) * largest * math.sqrt(2 * discordant), method + ", discordant rows added"
