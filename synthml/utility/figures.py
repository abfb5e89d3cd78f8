"""Every metric of every protocol, and the paired loss, under the ids that evidence, MLflow and policies share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.estimate import CONFIDENCE, Estimate
from synthml.figures import ALL
from synthml.metrics import estimate, loss, metrics_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.metrics import Outcome

__all__ = ["figures"]


def figures(outcomes: Mapping[str, Outcome], of: str = ALL, *, confidence: float = CONFIDENCE) -> dict[str, Estimate]:
    """`utility.<metric>.<protocol>/<of>` for every protocol, and `utility.<metric>.loss/<of>` when both tstr and trtr are there.

    outcomes: protocol -> outcome; tstr and trtr on the same rows in the same order.
    """
    found: dict[str, Estimate] = {}
    for protocol, outcome in outcomes.items():
        for metric in metrics_for(outcome.task):
            found[f"utility.{metric.name}.{protocol}/{of}"] = estimate(metric, outcome, confidence=confidence)
    if {"tstr", "trtr"} <= set(outcomes):
        for metric in metrics_for(outcomes["tstr"].task):
            lost = loss(metric, outcomes["tstr"], outcomes["trtr"], confidence=confidence)
            if lost is not None:
                found[f"utility.{metric.name}.loss/{of}"] = lost
    threshold = outcomes["tstr"].threshold if "tstr" in outcomes else None
    if threshold is not None and of == ALL:
        found["utility.threshold.tstr/all"] = Estimate(threshold, method="chosen on training rows")
    return found
