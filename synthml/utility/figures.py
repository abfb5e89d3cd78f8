"""Every metric of every protocol, and the paired loss, under the ids that evidence, MLflow and policies share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.estimate import CONFIDENCE, Estimate
from synthml.figures import ALL
from synthml.metrics import metrics_for
from synthml.metrics.intervals import estimate_of, loss_of, measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.metrics import Outcome

__all__ = ["figures"]


def figures(outcomes: Mapping[str, Outcome], of: str = ALL, *, confidence: float = CONFIDENCE) -> dict[str, Estimate]:
    """`utility.<metric>.<protocol>/<of>` for every protocol, and `utility.<metric>.loss/<of>` when both tstr and trtr are there.

    outcomes: protocol -> outcome; tstr and trtr on the same rows in the same order.
    """
    found: dict[str, Estimate] = {}
    seen = {
        protocol: {metric.name: measured(metric, outcome) for metric in metrics_for(outcome.task)}
        for protocol, outcome in outcomes.items()
    }
    for protocol, metrics in seen.items():
        for name, what in metrics.items():
            found[f"utility.{name}.{protocol}/{of}"] = estimate_of(what, confidence=confidence)
    if {"tstr", "trtr"} <= set(seen):
        for name, what in seen["tstr"].items():
            lost = loss_of(what, seen["trtr"][name], confidence=confidence)
            if lost is not None:
                found[f"utility.{name}.loss/{of}"] = lost
    threshold = outcomes["tstr"].threshold if "tstr" in outcomes else None
    if threshold is not None and of == ALL:
        found["utility.threshold.tstr/all"] = Estimate(threshold, method="chosen on training rows")
    return found
