"""From predictions on the holdout to the evidence of kind "subgroups"."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import CONFIDENCE, Estimate
from synthml.evidence import Evidence
from synthml.metrics import Undefined, estimate, loss, metrics_for
from synthml.subgroups.cells import RATES, Cells, draw_cells, joint_cells
from synthml.subgroups.disparities import difference, difference_corrected, ratio, worst
from synthml.subgroups.joint import rates, smooth
from synthml.subgroups.naming import columns_label, group_label
from synthml.subgroups.showing import shown_groups
from synthml.subgroups.slices import worst_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synthml.estimate.linear import Linearised
    from synthml.metrics import Metric, Outcome
    from synthml.study import Study
    from synthml.subgroups.disparities import Groups
    from synthml.subgroups.naming import Members

__all__ = ["MARGIN", "measure_subgroups", "rows_needed"]

MARGIN = 0.05
PROTOCOLS = ("tstr", "trtr")
_IN_THE_TARGETS_UNIT = ("mae", "rmse")  # no margin fits every study here
_ODDS = ("sensitivity", "fpr")
# binned calibration error is biased upwards, the more so the smaller the group: its disparities would compare sizes
_NO_DISPARITY = ("ece",)


def measure_subgroups(
    study: Study,
    outcomes: Mapping[str, Outcome],
    *,
    seed: int,
    confidence: float = CONFIDENCE,
    margin: float = MARGIN,
    replicates: int = 1000,
) -> Evidence:
    """Every metric in every group, disparities between groups, and the worst slices.

    outcomes: "tstr", and "trtr" where there is one, on the holdout's rows in their order. margin: the loss against which the
    table says how many rows a group would need. replicates: draws of the bootstrap.

    Figures: utility.<metric>.tstr|trtr|loss/<group>, and for each column
    disparity.<metric>.tstr.difference|difference_corrected|ratio|worst/<column>, where selection_rate is demographic parity,
    sensitivity equal opportunity, and equalized_odds the worse of sensitivity and fpr. Tables: "subgroups", "disparities",
    "slices".
    """
    from threadpoolctl import threadpool_limits

    if "tstr" not in outcomes:
        missing = "no synthetic-trained model was measured on the holdout: there is nothing to say of groups"
        return Evidence("subgroups", notes=(missing,))
    used = {name: _coded(outcomes[name]) for name in PROTOCOLS if name in outcomes}
    # thousands of small products: threads that wait for each other on a busy machine would cost more than they save
    with threadpool_limits(1, "blas"):
        return _measured(study, used, seed, _Settings(confidence, margin, replicates))


def _coded(outcome: Outcome) -> Outcome:
    """With subjects coded 0, 1, 2, ..., so that they can be counted without sorting."""
    if outcome.clusters is None:
        return outcome
    return replace(outcome, clusters=np.unique(outcome.clusters, return_inverse=True)[1].astype(np.int64))


def _measured(study: Study, used: Mapping[str, Outcome], seed: int, settings: _Settings) -> Evidence:
    members, withheld = shown_groups(study, "holdout")
    figures: dict[str, Estimate] = {}
    by_group: list[dict[str, Any]] = []
    by_column: list[dict[str, Any]] = []
    notes: list[str] = []
    shown: list[tuple[Members, list[int]]] = []
    for at, member in enumerate(members):
        reasons = [withheld.reason(at, group) for group in range(len(member.grouping.labels))]
        column = _Column(member, used, reasons, settings, np.random.default_rng([seed, 1, at]))
        column.groups(figures, by_group)
        column.disparities(figures, by_column)
        notes += column.notes()
        shown.append((member, column.shown))
    if not members:
        notes.append("no sensitive column is given: no group is measured")
    slices = worst_slices(study, shown, used, rng=np.random.default_rng([seed, 2]), confidence=settings.confidence)
    tables = {"subgroups": tuple(by_group), "disparities": tuple(by_column), "slices": slices}
    return Evidence("subgroups", figures, {name: rows for name, rows in tables.items() if rows}, tuple(notes))


def rows_needed(loss_: Estimate, margin: float) -> int | None:
    """About how many rows would decide a loss against the margin if its value stayed; None when the interval decides already.

    Widths shrink with the root of n, so n * (half width towards the margin / distance to it)^2, rounded up to two digits.
    """
    if not loss_.ok or loss_.value is None or loss_.low is None or loss_.high is None or not loss_.n:
        return None
    distance = margin - loss_.value
    if not loss_.low <= margin < loss_.high or distance == 0:
        return None
    half = loss_.high - loss_.value if distance > 0 else loss_.value - loss_.low
    exact = loss_.n * (half / distance) ** 2
    if exact > 1e12:
        return None
    unit = 10 ** max(math.floor(math.log10(exact)) - 1, 0)
    return int(math.ceil(exact / unit) * unit)


@dataclass(frozen=True)
class _Settings:
    confidence: float
    margin: float
    replicates: int


def _remembering(metric: Metric) -> Metric:
    """The metric, computed once for each outcome object: estimate, loss and disparity all start from the same influences."""
    known: dict[int, tuple[Outcome, Linearised | Undefined]] = {}

    def wrapped(function: Callable[[Outcome], Linearised]) -> Callable[[Outcome], Linearised]:
        def once(outcome: Outcome) -> Linearised:
            if id(outcome) not in known:
                try:
                    known[id(outcome)] = (outcome, function(outcome))
                except Undefined as error:
                    known[id(outcome)] = (outcome, error)
            found = known[id(outcome)][1]
            if isinstance(found, Undefined):
                raise found
            return found

        return once

    return replace(metric, by_task=MappingProxyType({task: wrapped(function) for task, function in metric.by_task.items()}))


@dataclass(eq=False)
class _Column:
    """One grouping of the holdout. reasons: per group why it is withheld, or None."""

    member: Members
    outcomes: Mapping[str, Outcome]
    reasons: Sequence[str | None]
    settings: _Settings
    rng: np.random.Generator
    metrics: tuple[Metric, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = tuple(_remembering(metric) for metric in metrics_for(self.outcomes["tstr"].task))
        self.shown = [group for group, reason in enumerate(self.reasons) if reason is None]
        self.rows = {group: self.member.of(group) for group in self.shown}
        self.pieces = {
            name: {group: outcome.take(self.rows[group]) for group in self.shown} for name, outcome in self.outcomes.items()
        }

    def notes(self) -> list[str]:
        """What is left out of this column, without a count that would tell a small group's size."""
        withheld = len(self.reasons) - len(self.shown)
        if not withheld:
            return []
        column = columns_label(self.member.grouping.columns)
        return [f"{column}: {withheld} of {len(self.reasons)} groups are too small to show, or would give a small one away"]

    def groups(self, figures: dict[str, Estimate], table: list[dict[str, Any]]) -> None:
        """Every metric of every group: figures, and rows of the table "subgroups"."""
        grouping = self.member.grouping
        binary = self.outcomes["tstr"].task == "binary"
        for group, of in enumerate(grouping.names):
            shown = self.reasons[group] is None
            events = int(self.pieces["tstr"][group].truth.sum()) if shown and binary else None
            facts = {
                "of": of,
                "column": columns_label(grouping.columns),
                "group": group_label(grouping.labels[group]),
                "n": int(self.member.rows[group]) if shown else None,
                "events": events,
            }
            for metric in self.metrics:
                for protocol, found in self._figures_of(metric, group):
                    figures[f"utility.{metric.name}.{protocol}/{of}"] = found
                    needed = None
                    if protocol == "loss" and metric.name not in _IN_THE_TARGETS_UNIT:
                        needed = rows_needed(found, self.settings.margin)
                    table.append(
                        {
                            **facts,
                            "metric": metric.name,
                            "protocol": protocol,
                            "value": found.value,
                            "low": found.low,
                            "high": found.high,
                            "status": found.status,
                            "reason": found.reason,
                            "rows_needed": needed,
                        }
                    )

    def _figures_of(self, metric: Metric, group: int) -> list[tuple[str, Estimate]]:
        compared = "trtr" in self.outcomes and metric.better != "none"
        reason = self.reasons[group]
        if reason is not None:
            names = [*self.outcomes, *(["loss"] if compared else [])]
            return [(name, Estimate.insufficient(reason)) for name in names]
        confidence = self.settings.confidence
        found = [(name, estimate(metric, pieces[group], confidence=confidence)) for name, pieces in self.pieces.items()]
        if compared:
            paired = loss(metric, self.pieces["tstr"][group], self.pieces["trtr"][group], confidence=confidence)
            if paired is not None:
                found.append(("loss", paired))
        return found

    def disparities(self, figures: dict[str, Estimate], table: list[dict[str, Any]]) -> None:
        """Differences, ratios and worst groups of every metric: figures of TSTR, and rows of the table "disparities" for both."""
        for metric in self.metrics:
            if metric.name not in _NO_DISPARITY:
                for protocol in self.outcomes:
                    self._disparity(metric.name, [metric], protocol, figures, table)
        by_name = {metric.name: metric for metric in self.metrics}
        if all(name in by_name for name in _ODDS):
            for protocol in self.outcomes:
                self._disparity("equalized_odds", [by_name[name] for name in _ODDS], protocol, figures, table)

    def _disparity(
        self, name: str, metrics: list[Metric], protocol: str, figures: dict[str, Estimate], table: list[dict[str, Any]]
    ) -> None:
        at = [group for group in self.shown if all(self._exists(metric, protocol, group) for metric in metrics)]
        scaled = all(metric.scale != "real" for metric in metrics)
        ranked = len(metrics) == 1 and metrics[0].better != "none"
        found: dict[str, Estimate] = {}
        whose: int | None = None
        if len(at) < 2:
            lacking = Estimate.insufficient("fewer than two groups can be shown and have this figure")
            wanted = ["difference", "difference_corrected", *(["ratio"] if scaled else []), *(["worst"] if ranked else [])]
            found = dict.fromkeys(wanted, lacking)
        else:
            groups = self._joint(metrics, protocol, at)
            confidence = self.settings.confidence
            found["difference"] = difference(groups, confidence=confidence)
            found["difference_corrected"] = difference_corrected(groups, found["difference"])
            if scaled:
                found["ratio"] = ratio(groups, confidence=confidence)
            bounded = worst(groups, metrics[0].better, metrics[0].target, confidence=confidence) if ranked else None
            if bounded is not None:
                found["worst"], place = bounded
                whose = at[place]
            over = f"over {len(at)} of {len(self.reasons)} groups"
            found = {kind: replace(figure, method=_joined(figure.method, over)) for kind, figure in found.items()}
        grouping = self.member.grouping
        if whose is not None:
            found["worst"] = replace(found["worst"], method=f"{grouping.names[whose]}; {found['worst'].method}")
        if protocol == "tstr":
            figures.update({f"disparity.{name}.tstr.{kind}/{grouping.column_name}": figure for kind, figure in found.items()})
        table.append(
            {
                "of": grouping.column_name,
                "column": columns_label(grouping.columns),
                "metric": name,
                "protocol": protocol,
                "groups": len(at),
                **_cells_of("difference", found.get("difference")),
                "difference_corrected": found["difference_corrected"].value,
                **_cells_of("ratio", found.get("ratio")),
                "worst_group": None if whose is None else group_label(grouping.labels[whose]),
                **_cells_of("worst", found.get("worst")),
                "status": found["difference"].status,
                "reason": found["difference"].reason,
            }
        )

    def _exists(self, metric: Metric, protocol: str, group: int) -> bool:
        try:
            metric.linearise(self.pieces[protocol][group])
        except Undefined:
            return False
        return True

    def _joint(self, metrics: list[Metric], protocol: str, at: list[int]) -> Groups:
        pieces = [self.pieces[protocol][group] for group in at]
        if self.cells is not None and all(metric.name in RATES for metric in metrics):
            place = [self.shown.index(group) for group in at]
            cells = Cells(self.cells.observed[place], self.cells.draws[:, place])
            return rates([metric.name for metric in metrics], pieces, cells, protocol)
        found = [metrics[0].linearise(piece) for piece in pieces]
        return smooth(metrics[0], pieces, found, replicates=self.settings.replicates, rng=self.rng)

    @cached_property
    def cells(self) -> Cells | None:
        """Confusion cells of the groups shown, redrawn; None unless the outcome is binary."""
        tstr = self.outcomes["tstr"]
        if tstr.task != "binary":
            return None
        real = self.outcomes["trtr"].decision if "trtr" in self.outcomes else None
        # rows of withheld groups are drawn too, as one group more, so that the others vary in size as they would
        place = np.full(len(self.reasons), len(self.shown))
        place[self.shown] = np.arange(len(self.shown))
        drawn = draw_cells(
            joint_cells(tstr.truth.astype(np.int64), tstr.decision, real),
            place[self.member.grouping.codes],
            len(self.shown) + 1,
            clusters=tstr.clusters,
            replicates=self.settings.replicates,
            rng=self.rng,
        )
        return Cells(drawn.observed[:-1], drawn.draws[:, :-1])


def _joined(method: str, over: str) -> str:
    return f"{method}, {over}" if method else over


def _cells_of(name: str, figure: Estimate | None) -> dict[str, float | None]:
    if figure is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
