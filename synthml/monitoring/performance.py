"""Performance on a batch whose outcomes are known, for everyone and for each group, beside what the version was proven to do.

Groups, their minimum size and what is withheld so that no small one can be worked out are those of `synthml.subgroups`: the rows
with an outcome become the table that it measures. Batch and holdout are different people, so a change has the interval of two
independent figures, from the interval of each (Zou & Donner 2008, doi 10.1002/sim.3095).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import StudyError
from synthml.estimate import Estimate
from synthml.evidence import Evidence
from synthml.metrics import METRICS, Outcome, metrics_for
from synthml.study import Study
from synthml.study.target import class_codes
from synthml.subgroups import measure_subgroups
from synthml.utility.figures import figures as utility_figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.metrics import Metric
    from synthml.monitoring.batch import Batch

__all__ = ["change", "outcome_of", "performance"]

# of groups the few that a threshold reads; the rest stands in the table
_OF_GROUPS = frozenset({"auroc", "brier", "sensitivity", "ppv", "fpr", "macro_auroc", "accuracy", "mae", "r2"})
_REPLICATES = 200


def outcome_of(batch: Batch, scores: NDArray[np.float64], threshold: float | None, classes: tuple[object, ...]) -> Outcome | None:
    """Truth beside scores, on the rows whose outcome is known; None where there is none, or the classes are not told."""
    schema, known = batch.schema, batch.labelled
    if not known.any():
        return None
    column = batch.frame[schema.target]
    if schema.task == "regression":
        truth: NDArray[Any] = column.to_numpy(dtype=np.float64)
    else:
        order = _classes(batch, classes)
        if order is None:
            return None
        truth = class_codes(column, order)
        known = known & (truth >= 0)
        if not known.any():
            return None
    clusters = None if batch.subjects is None else batch.subjects[known]
    return Outcome(str(schema.task), truth[known], scores[known], threshold, clusters)  # type: ignore[arg-type]


def _classes(batch: Batch, classes: tuple[object, ...]) -> tuple[object, ...] | None:
    if classes:
        return classes
    return None  # labels that few people carry are not told, so that nobody can say which class is which


def performance(batch: Batch, outcome: Outcome, reference: Mapping[str, Estimate], *, seed: int, confidence: float) -> Evidence:
    """Figures utility.<metric>.production/<of>, .production_loss (positive = worse than proven) and .production_loss.at_least."""
    small = _too_small(outcome, batch)
    if small is not None:
        lacking = Estimate.insufficient(small)
        names = [f"utility.{metric.name}.production/all" for metric in metrics_for(outcome.task)]
        names += [name.replace(".production/", ".production_loss/") for name in names]
        return Evidence("monitoring", dict.fromkeys(names, lacking), {}, (f"performance: {small}",))
    found = {
        name: figure
        for name, figure in utility_figures({"tstr": outcome}, confidence=confidence).items()
        if not name.startswith("utility.threshold.")
    }
    groups, notes = _groups(batch, outcome, seed=seed, confidence=confidence)
    found.update(
        (name, figure)
        for name, figure in groups.figures.items()
        if name.startswith("utility.") and name.split(".")[1] in _OF_GROUPS
    )
    figures: dict[str, Estimate] = {}
    for name, figure in found.items():
        figures[name.replace(".tstr/", ".production/")] = figure
        figures.update(_against(name, figure, reference.get(name)))
    rows = tuple(
        {**row, "protocol": "production", **_told_loss(row, figures)}
        for row in groups.tables.get("subgroups", ())
        if row["metric"] in _OF_GROUPS
    )
    return Evidence("monitoring", figures, {"production_groups": rows} if rows else {}, notes)


def _too_small(outcome: Outcome, batch: Batch) -> str | None:
    minimum = batch.schema.minimum_cell
    if outcome.n < minimum.rows:
        return f"fewer than the minimum cell of {minimum.rows} rows have an outcome"
    if outcome.task == "binary":
        rarer = int(np.bincount(outcome.truth.astype(np.int64), minlength=2).min())
        if rarer < minimum.events:
            return f"fewer than {minimum.events} rows of either outcome are in the batch"
    return None


def _groups(batch: Batch, outcome: Outcome, *, seed: int, confidence: float) -> tuple[Evidence, tuple[str, ...]]:
    """The subgroup evidence of the labelled rows; without any when these cannot stand as a table of their own."""
    known = batch.labelled
    frame = batch.frame.loc[known].reset_index(drop=True)
    if len(frame) != outcome.n:
        return Evidence("subgroups"), ("groups are not measured: some outcomes are none that the model knows",)
    schema = batch.schema
    present = tuple(name for name in schema.sensitive if name in frame.columns and frame[name].notna().any())
    if not present:
        return Evidence("subgroups"), ()
    if batch.subjects is not None and schema.subject is not None:
        frame[schema.subject] = batch.subjects[known]
    own = replace(
        schema,
        features=tuple(n for n in (schema.features or ()) if n in frame.columns and frame[n].notna().any()),
        sensitive=present,
        intersections=tuple(names for names in schema.intersections if all(name in present for name in names)),
        bins={name: edges for name, edges in schema.bins.items() if name in present},
        kinds={
            name: "numeric" if name == schema.subject else kind for name, kind in schema.kinds.items() if name in frame.columns
        },
        subject=schema.subject if batch.subjects is not None else None,
        quasi_identifiers=(),
        secrets=(),
    )
    try:
        study = Study(own, holdout=frame)
    except StudyError as error:
        places = ", ".join(dict.fromkeys(problem.where.replace("holdout", "batch") for problem in error.problems))
        return Evidence("subgroups"), (f"groups are not measured: the rows with an outcome cannot be used ({places})",)
    found = measure_subgroups(study, {"tstr": outcome}, seed=seed, confidence=confidence, replicates=_REPLICATES)
    return found, tuple(note for note in found.notes if "too small" in note)


def _against(name: str, figure: Estimate, before: Estimate | None) -> dict[str, Estimate]:
    """The loss against the evidence's figure of the same name, and what of it leaves no doubt."""
    metric = METRICS[name.split(".")[1]]
    if metric.better == "none":
        return {}
    id_ = name.replace(".tstr/", ".production_loss/")
    if before is None:
        return {id_: Estimate.insufficient("the evidence of the version has no such figure")}
    if not figure.ok or not before.ok:
        told = figure.reason if not figure.ok else f"in the evidence of the version: {before.reason or before.status}"
        return {id_: Estimate.insufficient(told or "not measured", n=figure.n)}
    lost = change(_worse(metric, figure), _worse(metric, before))
    certain = lost.value if lost.low is None else lost.low
    at_least = Estimate(certain, n=lost.n, method=f"lower bound; {lost.method}", confidence=lost.confidence)
    return {id_: lost, id_.replace(".production_loss/", ".production_loss.at_least/"): at_least}


def _worse(metric: Metric, figure: Estimate) -> Estimate:
    """On a scale where more is worse: itself, its negative, or its distance from the target."""
    value, low, high = (float(figure.value or 0.0), figure.low, figure.high)
    low, high = value if low is None else low, value if high is None else high
    if metric.better == "lower":
        return replace(figure, value=value, low=low, high=high)
    if metric.better == "higher":
        return replace(figure, value=-value, low=-high, high=-low)
    target = metric.target or 0.0
    near = 0.0 if low <= target <= high else min(abs(low - target), abs(high - target))
    return replace(figure, value=abs(value - target), low=near, high=max(abs(low - target), abs(high - target)))


def change(now: Estimate, before: Estimate) -> Estimate:
    """now - before, of two independent samples."""
    a, b = float(now.value or 0.0), float(before.value or 0.0)
    a_low, a_high = a if now.low is None else now.low, a if now.high is None else now.high
    b_low, b_high = b if before.low is None else before.low, b if before.high is None else before.high
    return Estimate(
        a - b,
        a - b - math.hypot(a - a_low, b_high - b),
        a - b + math.hypot(a_high - a, b - b_low),
        n=now.n,
        method="two independent samples, from the interval of each (Zou & Donner 2008)",
        confidence=now.confidence,
    )


def _told_loss(row: Mapping[str, Any], figures: Mapping[str, Estimate]) -> dict[str, Any]:
    lost = figures.get(f"utility.{row['metric']}.production_loss/{row['of']}")
    if lost is None:
        return {"loss": None, "loss_low": None, "loss_high": None}
    return {"loss": lost.value, "loss_low": lost.low, "loss_high": lost.high}
