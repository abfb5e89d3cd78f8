"""Metrics of a numeric outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.linear import Linearised
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from synthml.metrics.outcome import Outcome

__all__ = ["calibration_slope", "mae", "r2", "rmse"]


def mae(outcome: Outcome) -> Linearised:
    """Mean absolute error, in the unit of the target."""
    errors = np.abs(outcome.truth.astype(np.float64) - outcome.score)
    value = float(errors.mean())
    return Linearised(value, (errors - value) / outcome.n)


def rmse(outcome: Outcome) -> Linearised:
    """Root of the mean squared error, in the unit of the target."""
    squares = (outcome.truth.astype(np.float64) - outcome.score) ** 2
    mean = float(squares.mean())
    value = float(np.sqrt(mean))
    if value == 0:
        return Linearised(0.0, np.zeros(outcome.n))
    return Linearised(value, (squares - mean) / (2 * value * outcome.n))


def r2(outcome: Outcome) -> Linearised:
    """Share of the variance explained: 1 - squared error over the variance of the truth."""
    truth = outcome.truth.astype(np.float64)
    spread = (truth - truth.mean()) ** 2
    if spread.sum() == 0:
        raise Undefined("the target is the same in all these rows")
    squares = (truth - outcome.score) ** 2
    share = squares.sum() / spread.sum()
    return Linearised(float(1 - share), (share * spread - squares) / spread.sum())


def calibration_slope(outcome: Outcome) -> Linearised:
    """Slope of the truth on the prediction (least squares); 1 is perfect, below 1 too extreme."""
    x = outcome.score - outcome.score.mean()
    total = (x**2).sum()
    if total <= 1e-12 * max(1.0, float(np.abs(outcome.score).max()) ** 2):
        raise Undefined("the predictions are all the same")
    truth = outcome.truth - outcome.truth.mean()
    slope = float((x * truth).sum() / total)
    return Linearised(slope, x * (truth - slope * x) / total)
