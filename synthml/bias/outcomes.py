"""How the outcome differs between a group and everyone else, table by table, and what changed between source and synthetic.

D(g) = mean of the outcome in g - mean among everyone else: a difference of rates when the outcome is binary, of means in units of
the source's standard deviation in a regression. The shift D_syn - D_src says what synthesis did to the difference, the
amplification |D_syn| - |D_src| whether it grew: a difference that changed its sign is no zero, so both are told.

With several classes each class against the rest has such a difference. The figures are the largest in size over the classes that
are common enough, bounded for all of them at once (Bonferroni); the classes stand in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.bias.bounds import Bounded, Gaps, Table, less, mean_gaps, size_less
from synthml.estimate import Estimate
from synthml.study.columns import REAL
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.bias.ground import Sides
    from synthml.study import Study

__all__ = ["Followed", "Kind", "follow", "outcomes"]

MEASURES = ("source", "synthetic", "holdout", "shift", "amplification")
_NEEDS = {
    "source": ("source",),
    "synthetic": ("synthetic",),
    "holdout": ("holdout",),
    "shift": ("source", "synthetic"),
    "amplification": ("source", "synthetic"),
}
_WAYS = {"binary": "difference of proportions (Wilson, MOVER)", "multiclass": "difference of proportions (Wilson, MOVER)",
         "regression": "difference of means in standard deviations of the source (Student's t)"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Kind:
    """What is compared. label: the class, None when there is one outcome. y: role -> (n,). told: (groups,) may be shown."""

    label: str | None
    y: Mapping[str, NDArray[np.float64]]
    told: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Followed:
    """One outcome through the tables. confidence: of each interval; scale: one over the unit of the differences."""

    kind: Kind
    gaps: Mapping[str, Gaps]
    confidence: float
    scale: float

    @cached_property
    def bounded(self) -> Mapping[str, Bounded]:
        """measure -> figures of every group, for the measures whose tables are there."""
        found = {role: gaps.gap for role, gaps in self.gaps.items() if role in MEASURES}
        if {"source", "synthetic"} <= found.keys():
            found["shift"] = less(found["synthetic"], found["source"])
            found["amplification"] = size_less(found["synthetic"], found["source"])
        return found


def follow(study: Study, sides: Sides, tables: Mapping[str, Table], confidence: float) -> list[Followed]:
    """The outcome, or each class that is common enough, in source, synthetic table and holdout."""
    roles = [role for role in ("source", "synthetic", "holdout") if role in tables]
    targets = {role: study.target(role) for role in roles}
    task = study.schema.task
    if task == "multiclass":
        kinds = _classes(study, sides, tables, targets)
        confidence = 1 - (1 - confidence) / max(len(kinds), 1)
    else:
        everywhere = np.ones(len(sides.labels), dtype=bool)
        kinds = [Kind(None, {role: y.astype(np.float64) for role, y in targets.items()}, everywhere)]
    scale = 1.0 if task != "regression" else _one_over_deviation(study)
    share = task != "regression"
    return [
        Followed(
            kind,
            {role: mean_gaps(tables[role], y, confidence, share=share).scaled(scale) for role, y in kind.y.items()},
            confidence,
            scale,
        )
        for kind in kinds
    ]


def _one_over_deviation(study: Study) -> float:
    role = next(role for role in ("source", "holdout", "synthetic") if role in study.roles)
    deviation = float(np.std(study.target(role), ddof=1))
    return 1 / deviation if deviation > 0 else 1.0


def _classes(study: Study, sides: Sides, tables: Mapping[str, Table], targets: Mapping[str, NDArray[Any]]) -> list[Kind]:
    """The classes that enough people carry; in a group only those that neither it nor everyone else has few rows of."""
    least = max(study.schema.minimum_cell.events, 1)
    real = [role for role in REAL if role in tables]
    labels = study.classes
    told = np.ones((len(labels), len(sides.labels)), dtype=bool)
    smallest = np.full(told.shape, np.iinfo(np.int64).max)
    common = np.zeros(len(labels), dtype=np.int64)
    for role in real:
        table, truth = tables[role], targets[role].astype(np.int64)
        counts = np.bincount(truth * table.groups + table.codes, minlength=told.size).reshape(told.shape)
        cells = np.stack([counts, counts.sum(axis=1)[:, None] - counts, table.n - counts])
        told &= (cells[:2].min(axis=0) >= least) & (cells[2] >= least)
        smallest = np.minimum(smallest, cells.min(axis=0))
        subjects = table.subjects
        common += [
            int((truth == k).sum()) if subjects is None else np.unique(subjects[truth == k]).size for k in range(len(labels))
        ]
    told &= (common >= FEWEST)[:, None]
    # the differences of all classes add up to 0, so one class alone that is not told could be worked out from the others
    for group in np.flatnonzero((~told).sum(axis=0) == 1):
        shown = np.flatnonzero(told[:, group])
        if shown.size:
            told[shown[smallest[shown, group].argmin()], group] = False
    return [
        Kind(str(labels[k]), {role: (y == k).astype(np.float64) for role, y in targets.items()}, told[k])
        for k in range(len(labels))
        if told[k].any()
    ]


def outcomes(
    study: Study,
    sides: Sides,
    followed: Sequence[Followed],
    confidence: float,
    figures: dict[str, Estimate],
    rows: list[dict[str, Any]],
) -> None:
    """Figures bias.outcome.<measure>/<group>, and rows of the table "bias_outcomes"."""
    several = study.schema.task == "multiclass"
    for measure in MEASURES:
        if not set(_NEEDS[measure]) <= set(study.roles):
            continue
        for group, of in enumerate(sides.names):
            reason = _reason(study, sides, group, measure)
            told = [one for one in followed if one.kind.told[group]]
            if reason is None and not told:
                reason = "no class is common enough in this group and outside it"
            each = [_figure(study, one, group, measure, reason) for one in told]
            figure = _largest(each, measure, confidence) if several and reason is None else None
            if figure is None:
                figure = each[0] if each and not several else Estimate.insufficient(reason or "no interval can be had")
            figures[f"bias.outcome.{measure}/{of}"] = figure
            rows += _rows(sides, group, measure, told, each, figure, several=several)


def _reason(study: Study, sides: Sides, group: int, measure: str) -> str | None:
    for role in _NEEDS[measure]:
        reason = sides.lacking(role, group, study.schema.minimum_cell.rows)
        if reason is not None:
            return reason
    return None


def _figure(study: Study, one: Followed, group: int, measure: str, reason: str | None) -> Estimate:
    if reason is not None:
        return Estimate.insufficient(reason)
    found = one.bounded[measure]
    if np.isnan(found.value[group]):
        return Estimate.insufficient("too few independent rows inside or outside the group for an interval")
    n = min(int(one.gaps[role].n[group]) for role in _NEEDS[measure])
    method = _WAYS[study.schema.task or "binary"]
    if measure == "amplification":
        method += ", four contrasts of the sizes"
    return Estimate(found.value[group], found.low[group], found.high[group], n=n, method=method, confidence=one.confidence)


def _largest(each: Sequence[Estimate], measure: str, confidence: float) -> Estimate | None:
    """The largest over classes: of the sizes, or of the amplification as it is."""
    bounds = np.array([(e.value, e.low, e.high) for e in each if e.value is not None], dtype=np.float64)
    if not len(bounds):
        return None
    if measure != "amplification":
        ends = np.abs(bounds)
        crosses = (bounds[:, 1] < 0) & (bounds[:, 2] > 0)
        bounds = np.column_stack([ends[:, 0], np.where(crosses, 0.0, ends[:, 1:].min(axis=1)), ends[:, 1:].max(axis=1)])
    value, low, high = bounds.max(axis=0)
    method = f"largest over {len(bounds)} classes, {each[0].method}, simultaneous (Bonferroni)"
    return Estimate(value, low, high, n=each[0].n, method=method, confidence=confidence)


def _rows(
    sides: Sides,
    group: int,
    measure: str,
    told: Sequence[Followed],
    each: Sequence[Estimate],
    figure: Estimate,
    *,
    several: bool,
) -> list[dict[str, Any]]:
    found = [_row(sides, group, measure, None if several or not told else told[0], figure)]
    if several and figure.value is not None:
        found += [_row(sides, group, measure, one, one_figure) for one, one_figure in zip(told, each, strict=True)]
    return found


def _row(sides: Sides, group: int, measure: str, one: Followed | None, figure: Estimate) -> dict[str, Any]:
    gaps = one.gaps.get(measure) if one is not None and figure.value is not None else None
    return {
        **sides.facts(group),
        "measure": measure,
        "class": None if one is None else one.kind.label,
        "n": figure.n,
        "mean": None if gaps is None or (one is not None and one.kind.label is not None) else float(gaps.mean[group]),
        "mean_of_others": None if gaps is None or (one is not None and one.kind.label is not None) else float(gaps.rest[group]),
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "status": figure.status,
        "reason": figure.reason,
    }
