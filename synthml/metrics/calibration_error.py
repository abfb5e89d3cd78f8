"""Interval of the expected calibration error (ECE) and of its paired loss.

The ECE is a sum of absolute values, so chance alone makes it positive: with 200 rows in ten bins a perfectly calibrated model
shows about 0.08. A bootstrap around what was found adds that bias once more, and holds a true zero in about half of the samples.
So the interval is a test turned round: of every candidate ECE it is asked how often a sample would show as little, or as much, as
was found, and the candidates that neither tail refuses are the interval: 0 is among them for a calibrated model.

A candidate needs a shape, how the error is spread over the bins. It is the shape found, shrunken towards a miscalibration of
slope and intercept as far as the bins' noise asks for it (James & Stein 1961), and scaled. Noise is joint normal over the bins,
for a loss over both models' bins, with the covariance found between rows or, with subjects, between subjects' totals. For a loss
both models' errors move apart evenly from their medians. Of two models that err alike the difference is known so well that the
biases matter more than the noise, and their shapes are not known that well: the interval of a loss reaches over both the inverted
test and the plain linearised interval, as if the biases were the same.

The value reported stays the plain ECE; `method` tells the value that such a figure would exceed half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.linear import countable, spread
from synthml.estimate.proportions import quantile
from synthml.metrics.binary import ece_bins
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthml.metrics.outcome import Outcome

__all__ = ["CalibrationBounds", "ece_bounds", "ece_loss_bounds"]

LEAST = 50  # events, and non-events: below that the noise of ten bins is not normal, and intervals were found to fall short
_DRAWS = 2000
_STEPS = 14
_EDGE = 1e-3
_LEAST_ERROR = 0.7  # rows: a bin without events is not as certain as it looks, half an event may stand for it
_SHRINKABLE = 5  # bins: two of them are spent on slope and intercept, two on the shrinking


@dataclass(frozen=True)
class CalibrationBounds:
    """low, high: of the calibration error or its loss; middle: median-unbiased value; bins: of the coarser model."""

    low: float
    middle: float
    high: float
    bins: int


@dataclass(frozen=True, eq=False)
class _Bins:
    """One model's bins.

    codes (n,); residual (n,): outcome less probability, over the rows; deviation (k,): its sum over the bin's rows; predicted
    (k,): mean probability; share (k,): of the rows.
    """

    codes: NDArray[np.int64]
    residual: NDArray[np.float64]
    deviation: NDArray[np.float64]
    predicted: NDArray[np.float64]
    share: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(np.abs(self.deviation).sum())

    @property
    def influence(self) -> NDArray[np.float64]:
        """(n,) what each row adds to the error, the bins' signs taken for certain."""
        return np.asarray(np.sign(self.deviation)[self.codes] * self.residual - self.value / self.codes.size)

    @classmethod
    def of(cls, outcome: Outcome) -> _Bins:
        codes = ece_bins(outcome.score)
        residual = ((outcome.truth == 1) - outcome.score) / outcome.n
        rows = np.bincount(codes)
        predicted = np.bincount(codes, weights=outcome.score) / rows
        deviation = np.asarray(np.bincount(codes, weights=residual), dtype=np.float64)
        return cls(codes, residual, deviation, predicted, rows / outcome.n)


def ece_bounds(outcome: Outcome, confidence: float) -> CalibrationBounds:
    """Bounds of the ECE. Raises Undefined below 50 events or 50 non-events."""
    _enough(outcome)
    bins = _Bins.of(outcome)
    noise = _noise([bins], outcome.clusters)
    shape = _shape(bins, noise)
    wide = _AsLow(shape, noise * _widening([bins], outcome, confidence), bins.value)
    tail = (1 - confidence) / 2
    low, high = (_crossing(wide, share, 0.0, bins.value) for share in (1 - tail, tail))
    return CalibrationBounds(low, _crossing(_AsLow(shape, noise, bins.value), 0.5, 0.0, bins.value), high, shape.size)


def ece_loss_bounds(synthetic: Outcome, real: Outcome, confidence: float) -> CalibrationBounds:
    """Bounds of ECE(synthetic) - ECE(real) on the same rows. Raises Undefined below 50 events or 50 non-events."""
    _enough(synthetic)
    pair = [_Bins.of(synthetic), _Bins.of(real)]
    noise = _noise(pair, synthetic.clusters)
    noises = noise[:, : pair[0].deviation.size], noise[:, pair[0].deviation.size :]
    shapes = [_shape(bins, part) for bins, part in zip(pair, noises, strict=True)]
    middles = [
        _crossing(_AsLow(shape, part, bins.value), 0.5, 0.0, bins.value)
        for bins, shape, part in zip(pair, shapes, noises, strict=True)
    ]
    middle = middles[0] - middles[1]
    widening = _widening(pair, synthetic, confidence)
    difference = pair[0].value - pair[1].value

    def as_low(apart: float) -> float:
        """Share of samples that show no more than the difference found, if the true one were `middle + apart`."""
        candidates = middles[0] + apart / 2, middles[1] - apart / 2
        if min(candidates) < 0:
            candidates = max(middle + apart, 0.0), max(-middle - apart, 0.0)
        drawn = [
            np.abs(candidate * shape + widening * part).sum(axis=1)
            for candidate, shape, part in zip(candidates, shapes, noises, strict=True)
        ]
        return float((drawn[0] - drawn[1] <= difference).mean())

    scale = max(bins.value for bins in pair)
    tail = (1 - confidence) / 2
    low, high = (middle + _crossing(as_low, share, -scale, scale, open_below=True) for share in (1 - tail, tail))
    seen = spread(pair[0].influence - pair[1].influence, synthetic.clusters)
    half = quantile(confidence, seen.df) * seen.error
    bins = min(shape.size for shape in shapes)
    return CalibrationBounds(min(low, difference - half), middle, max(high, difference + half), bins)


@dataclass(frozen=True, eq=False)
class _AsLow:
    """Share of samples that show no more than `value`, if the true error were a candidate's."""

    shape: NDArray[np.float64]
    noise: NDArray[np.float64]
    value: float

    def __call__(self, candidate: float) -> float:
        return float((np.abs(candidate * self.shape + self.noise).sum(axis=1) <= self.value).mean())


def _enough(outcome: Outcome) -> None:
    events = int(np.count_nonzero(outcome.truth == 1))
    if min(events, outcome.n - events) < LEAST:
        raise Undefined(f"the calibration error in bins needs at least {LEAST} events and {LEAST} non-events")


def _noise(models: list[_Bins], clusters: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """(draws, bins of all models) normal deviations, always from the same seed; one degree of freedom is spent on each bin."""
    if clusters is None:
        units = models[0].codes.size
        covariance = np.block([[_products(one, two) for two in models] for one in models])
    else:
        subject, units = countable(clusters)
        totals = np.concatenate([_totals(bins, subject, int(subject.max()) + 1) for bins in models])
        covariance = totals @ totals.T
    widest = max(bins.deviation.size for bins in models)
    values, vectors = np.linalg.eigh(covariance * units / (units - widest if units > widest else 1))
    normal = np.random.default_rng(0).standard_normal((_DRAWS, values.size))
    return np.asarray(normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T)


def _products(one: _Bins, two: _Bins) -> NDArray[np.float64]:
    """(bins of one, bins of two) sums of products of what the rows add to both, about its mean."""
    rows, columns = one.deviation.size, two.deviation.size
    sums = np.bincount(one.codes * columns + two.codes, weights=one.residual * two.residual, minlength=rows * columns)
    return np.asarray(sums.reshape(rows, columns) - np.outer(one.deviation, two.deviation) / one.codes.size)


def _totals(bins: _Bins, subject: NDArray[np.int64], codes: int) -> NDArray[np.float64]:
    """(bins, codes of subjects) sums of what a subject's rows add to a bin, about its mean over rows."""
    k = bins.deviation.size
    sums = np.bincount(bins.codes * codes + subject, weights=bins.residual, minlength=k * codes).reshape(k, codes)
    rows = np.bincount(subject, minlength=codes) / bins.codes.size
    return np.asarray(sums - np.outer(bins.deviation, rows))


def _widening(models: list[_Bins], outcome: Outcome, confidence: float) -> float:
    """Student's quantile over the normal one, for the fewest degrees of freedom among the models' errors."""
    df = min(spread(bins.influence, outcome.clusters).df for bins in models)
    return quantile(confidence, df) / quantile(confidence)


def _shape(bins: _Bins, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) of absolute sum 1: the deviations found, shrunken towards those of a miscalibrated slope and intercept."""
    found = bins.deviation
    k = found.size
    errors = noise.std(axis=0)
    if k >= _SHRINKABLE:
        p = np.clip(bins.predicted, _EDGE, 1 - _EDGE)
        logit = np.log(p / (1 - p))
        weight = 1 / np.maximum(errors, _LEAST_ERROR / bins.codes.size)
        slopes = np.column_stack([p * (1 - p), p * (1 - p) * (logit - logit.mean())]) * bins.share[:, None]
        fitted = slopes @ np.linalg.lstsq(slopes * weight[:, None], found * weight, rcond=None)[0]
        rest = float((((found - fitted) * weight) ** 2).sum())
        keep = max(0.0, 1 - (k - 4) / rest) if rest > 0 else 0.0
        found = fitted + keep * (found - fitted)
    size = float(np.abs(found).sum())
    return np.asarray(found / size) if size > 0 else np.full(k, 1 / k)


def _crossing(share: Callable[[float], float], level: float, low: float, high: float, *, open_below: bool = False) -> float:
    """Where a falling `share` reaches `level`, to 2^-14 of the first guess; `low` when it is below it there already."""
    width = max(high - low, np.finfo(float).tiny)
    for _ in range(_STEPS if open_below else 0):
        if share(low) > level:
            break
        low -= width
        width *= 2
    if share(low) <= level:
        return low
    for _ in range(_STEPS):
        if share(high) <= level:
            break
        high += width
        width *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) > level else (low, middle)
    return (low + high) / 2
