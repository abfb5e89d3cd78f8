"""Utility: is a model that was trained on the synthetic table as good on real rows as one trained on real rows?

`preparation`  from a study's features to what an estimator can take
`protocols`    TSTR, TRTR, TRTS, augmentation and a trivial baseline on the same real rows; the decision threshold
`figures`      every metric of every protocol, and the paired loss
`curves`       ROC, calibration and net benefit, binned so that no patient can be read off
`learners`     do learners keep their order
`explain`      do the two models explain and decide alike
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.evidence import Evidence
from synthml.utility.curves import curves
from synthml.utility.explain import compare_explanations
from synthml.utility.figures import figures
from synthml.utility.learners import compare_learners
from synthml.utility.protocols import Outcomes, run_protocols

if TYPE_CHECKING:
    from synthml.estimate import Estimate
    from synthml.settings import MeasureSettings
    from synthml.study import Study
    from synthml.utility.protocols import Progress

__all__ = ["Outcomes", "measure_utility", "run_protocols"]


def measure_utility(
    study: Study, outcomes: Outcomes, *, seed: int, settings: MeasureSettings, progress: Progress = lambda _: None
) -> Evidence:
    """Figures `utility.*`, `learners.*`, `explain.*` over all holdout rows, and the curves; the notes say what is left out."""
    if not outcomes.by_protocol:
        return Evidence("utility", notes=outcomes.notes)
    by_protocol = outcomes.by_protocol
    progress("metrics, losses and curves")
    found: dict[str, Estimate] = dict(figures(by_protocol, confidence=settings.confidence))
    tables: dict[str, list[dict[str, Any]]] = {name: list(rows) for name, rows in curves(outcomes.on_holdout).items()}
    if {"tstr", "trtr"} <= set(outcomes.models):
        explained, tables["importances"] = compare_explanations(
            study, outcomes.models, by_protocol, seed=seed, settings=settings, progress=progress
        )
        found.update(explained)
        if settings.learners and "synthetic" in study.roles:
            compared, tables["learners"] = compare_learners(study, by_protocol, seed=seed, settings=settings, progress=progress)
            found.update(compared)
    return Evidence("utility", found, {name: tuple(rows) for name, rows in tables.items() if rows}, outcomes.notes)
