"""From a batch and the reference profile to the evidence of kind "monitoring"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.proportions import effective_size
from synthml.estimate.ratios import difference_interval
from synthml.evidence import Evidence
from synthml.figures import escape_label
from synthml.monitoring.batch import Finding
from synthml.monitoring.divergence import METHODS, Sides, divergence
from synthml.monitoring.levels import Groups, Numbers
from synthml.monitoring.performance import change, outcome_of, performance
from synthml.monitoring.profile import level_variances, prediction_of, truth_of
from synthml.utility.protocols import predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.metrics import Outcome
    from synthml.monitoring.batch import Batch
    from synthml.monitoring.profile import Profile, ProfileColumn

__all__ = ["KIND", "PAIR", "measure_batch", "scores_of"]

KIND = "monitoring"
PAIR = "holdout_production"
_COUNTED = "counted"


def scores_of(batch: Batch, predictor: Any, columns: tuple[str, ...], classes: int) -> tuple[NDArray[np.float64] | None, str]:
    """(n,) scores of a logged model, or (n, classes); None with the reason when it cannot be asked.

    columns: the features in the order that the model learned them.
    """
    if not batch.complete:
        return None, "the batch has no rows" if not batch.rows else "the batch lacks columns that the model needs"
    try:
        return predict(predictor, batch.frame[list(columns)], str(batch.schema.task), classes), ""
    except Exception as error:  # noqa: BLE001  somebody's code, on rows that it never met: no batch may stop a watch
        return None, f"the model fails on this batch ({type(error).__name__})"


def measure_batch(
    batch: Batch,
    profile: Profile,
    reference: Mapping[str, Estimate],
    scores: NDArray[np.float64] | None,
    *,
    why: str = "",
    threshold: float | None = None,
    classes: tuple[object, ...] = (),
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Drift of every column, of the predictions and of the outcomes, and performance where outcomes are known.

    profile, reference: of the holdout, with the figures that the evidence has. scores: of the model on the batch, None with the
    reason `why`. threshold, classes: as the model was trained.

    Figures, of a column: drift.psi.holdout_production, drift.psi|jensen_shannon.holdout_production.excess,
    drift.missing|unseen|outside.holdout_production; of all: drift.prediction.*, drift.outcome.*, monitor.*; of all and of groups:
    utility.<metric>.production|production_loss|production_loss.at_least.
    Tables: "production_columns", "batch_checks", "production_groups".
    """
    figures: dict[str, Estimate] = _of_the_batch(batch)
    rows: list[dict[str, Any]] = []
    findings = list(batch.findings)
    outcome = None if scores is None else outcome_of(batch, scores, threshold, classes)
    for column in profile.columns:
        seen = _values(column, batch, scores, outcome, threshold)
        compared = _Compared(column, seen, batch, confidence, why)
        figures.update(compared.figures())
        rows.append(compared.row())
        findings += compared.findings()
    if scores is None and batch.rows:
        findings.append(Finding("no_predictions", why, grave=True))
    figures.update(_selection(reference, scores, threshold, batch, confidence))
    tables: dict[str, tuple[Mapping[str, Any], ...]] = {"production_columns": tuple(rows)}
    notes: tuple[str, ...] = ()
    if outcome is not None:
        measured = performance(batch, outcome, reference, seed=seed, confidence=confidence)
        figures.update(measured.figures)
        tables.update(measured.tables)
        notes = measured.notes
    elif batch.labelled.any():
        notes = (f"performance is not measured: {why or 'the outcomes cannot be read as the classes that the model knows'}",)
    else:
        notes = ("performance is not measured: the batch holds no outcomes yet",)
    tables["batch_checks"] = tuple(
        {"check": f.check, "column": f.column, "finding": f.text, "count": f.count, "grave": f.grave} for f in findings
    )
    return Evidence(KIND, figures, {name: held for name, held in tables.items() if held}, notes)


def _of_the_batch(batch: Batch) -> dict[str, Estimate]:
    def counted(value: float) -> Estimate:
        return Estimate(value, value, value, n=batch.rows, method=_COUNTED)

    return {
        "monitor.rows/all": counted(batch.rows),
        "monitor.missing_columns/all": counted(len(batch.missing)),
        "monitor.unreadable_columns/all": counted(len(batch.unreadable)),
        "monitor.contaminated/all": counted(float(bool(batch.same_as))),
    }


@dataclass(frozen=True, eq=False)
class _Seen:
    """Values (n,) of a column in the batch, None when there are none; rows they are of."""

    values: NDArray[Any] | None
    subjects: NDArray[np.int64] | None = None


def _values(
    column: ProfileColumn, batch: Batch, scores: NDArray[np.float64] | None, outcome: Outcome | None, threshold: float | None
) -> _Seen:
    from synthml.metrics import Outcome as Predicted

    if column.part == "outcome":
        return _Seen(None if outcome is None else truth_of(outcome), None if outcome is None else outcome.clusters)
    if column.part == "prediction":
        if scores is None:
            return _Seen(None)
        empty = np.zeros(batch.rows, dtype=np.int64)
        return _Seen(prediction_of(Predicted(str(batch.schema.task), empty, scores, threshold)), batch.subjects)  # type: ignore[arg-type]
    if column.name not in batch.frame.columns or not batch.rows:
        return _Seen(None)
    return _Seen(batch.frame[column.name].to_numpy(), batch.subjects)


@dataclass(frozen=True, eq=False)
class _Compared:
    """One column of the batch beside the reference."""

    column: ProfileColumn
    seen: _Seen
    batch: Batch
    confidence: float
    why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", None if self.seen.values is None else self.column.levels.codes(self.seen.values))

    codes: NDArray[np.int64] | None = None

    @property
    def stem(self) -> tuple[str, str]:
        """(family and measure before the method, what it is of)."""
        if self.column.part in ("prediction", "outcome"):
            return f"drift.{self.column.part}", "all"
        return "drift", escape_label(self.column.name)

    @property
    def sides(self) -> Sides | None:
        """Known rows at their levels."""
        if self.codes is None:
            return None
        known = self.codes >= 0
        held = None if self.seen.subjects is None else self.seen.subjects[known]
        ordered = isinstance(self.column.levels, Numbers)
        return Sides(self.column.rows, self.column.design_effect, self.codes[known], held, ordered)

    def figures(self) -> dict[str, Estimate]:
        """Every figure of this column; an outcome that nobody knows yet has none."""
        stem, of = self.stem
        sides = self.sides
        if sides is None:
            if self.column.part == "outcome":
                return {}
            reason = "the batch has no rows" if not self.batch.rows else self.why if of == "all" else "not in the batch"
            lacking = Estimate.insufficient(reason or "not in the batch")
            return {
                f"{stem}.{method}.{PAIR}{tail}/{of}": lacking
                for method in METHODS
                for tail in ("", ".excess")
                if (method, stem, tail) != ("jensen_shannon", "drift", "")
            }
        found: dict[str, Estimate] = {}
        for method in METHODS:
            apart = divergence(sides, method, confidence=self.confidence)
            if method == "psi" or stem != "drift":  # drift.jensen_shannon is Evidently's, over the rows themselves
                found[f"{stem}.{method}.{PAIR}/{of}"] = apart.plain
            found[f"{stem}.{method}.{PAIR}.excess/{of}"] = apart.beyond
        if self.column.part in ("feature", "group"):
            if not isinstance(self.column.levels, Groups):
                found[f"drift.missing.{PAIR}/{of}"] = self._missing()
            if not isinstance(self.column.levels, Numbers):
                found[f"drift.unseen.{PAIR}/{of}"] = self._share_of(
                    np.array([self.column.levels.size - 1]), "rows of other labels"
                )
            elif self.column.levels.size > 2:
                outer = np.array([0, self.column.levels.size - 1])
                found[f"drift.outside.{PAIR}/{of}"] = self._share_of(outer, "rows beyond the outer cuts")
        return found

    def _missing(self) -> Estimate:
        """Share of nulls, less the reference's; a small cell of nulls there is known only up to its size."""
        nulls = (np.asarray(self.codes) < 0).astype(np.int64)
        share, size = _effective(nulls, 1, self.seen.subjects)
        m = self.column.total / self.column.missing_effect
        if self.column.missing is not None:
            before = min(self.column.missing / self.column.total, 1.0)
            low, high = difference_interval(share, size, before, m, self.confidence)
        else:
            before, most = 0.0, min(self.column.minimum / self.column.total, 1.0)
            low = difference_interval(share, size, most, m, self.confidence)[0]
            high = difference_interval(share, size, 0.0, m, self.confidence)[1]
        told = "share of nulls, less the reference's; Newcombe"
        value = share - before
        return Estimate(value, min(low, value), max(high, value), n=nulls.size, method=told, confidence=self.confidence)

    def _share_of(self, levels: NDArray[np.int64], what: str) -> Estimate:
        sides = self.sides
        if sides is None or not sides.codes.size or not sides.reference.sum():
            return Estimate.insufficient("no row has a value here")
        hit = np.isin(sides.codes, levels).astype(np.int64)
        share, size = _effective(hit, 1, sides.subjects)
        total = int(sides.reference.sum())
        before = float(sides.reference[levels].sum()) / total
        low, high = difference_interval(share, size, before, max(total / self.column.design_effect, 1.0), self.confidence)
        value = share - before
        told = f"share of {what}, less the reference's; Newcombe"
        return Estimate(value, min(low, value), max(high, value), n=hit.size, method=told, confidence=self.confidence)

    def row(self) -> dict[str, Any]:
        """A row of "production_columns". direction: chance that a value of the batch is the larger one, 0.5 for none."""
        stem, of = self.stem
        found = self.figures()
        psi, excess = found.get(f"{stem}.psi.{PAIR}/{of}"), found.get(f"{stem}.psi.{PAIR}.excess/{of}")
        distance = found.get(f"{stem}.jensen_shannon.{PAIR}.excess/{of}")
        return {
            "column": self.column.name,
            "part": self.column.part,
            "levels": self.column.levels.size,
            "psi": None if psi is None else psi.value,
            "excess": None if excess is None else excess.value,
            "low": None if excess is None else excess.low,
            "high": None if excess is None else excess.high,
            "jensen_shannon": None if distance is None else distance.value,
            "direction": self._direction(),
            "n": None if excess is None else excess.n,
            "status": "insufficient" if excess is None else excess.status,
            "reason": "no outcome is known yet" if excess is None else excess.reason,
        }

    def _direction(self) -> float | None:
        """Bross's ridit of the batch over the reference's levels (doi 10.2307/2527727)."""
        sides = self.sides
        if sides is None or not isinstance(self.column.levels, Numbers) or not sides.codes.size or not sides.reference.sum():
            return None
        p = sides.reference / sides.reference.sum()
        ridit = np.cumsum(p) - p / 2
        return round(float(ridit[sides.codes].mean()), 4)

    def findings(self) -> list[Finding]:
        """Labels that the reference does not name: how many, never which."""
        if self.codes is None or isinstance(self.column.levels, Numbers) or self.column.part not in ("feature", "group"):
            return []
        rest = self.codes == self.column.levels.size - 1
        if not rest.any() or self.column.rows[-1] > 0:
            return []  # the reference has rare labels of its own, which nobody can tell from new ones
        values = np.asarray(self.seen.values)[rest]
        kinds, count = len(set(values.tolist())), int(rest.sum())
        told = f"'{self.column.name}' has {kinds} labels in {count} of {rest.size} rows that the reference does not have"
        return [Finding("new_categories", told, self.column.name, count)]


def _effective(codes: NDArray[np.int64], level: int, subjects: NDArray[np.int64] | None) -> tuple[float, float]:
    """Share of rows at a level, and the rows that it is worth when rows of one person hang together."""
    share = float((codes == level).mean())
    if subjects is None:
        return share, float(codes.size)
    units = len(np.unique(subjects))
    if units < 2:
        return share, 1.0
    variance = float(level_variances(codes, level + 1, subjects)[level])
    return share, effective_size(share, variance, codes.size, units)


def _selection(
    reference: Mapping[str, Estimate],
    scores: NDArray[np.float64] | None,
    threshold: float | None,
    batch: Batch,
    confidence: float,
) -> dict[str, Estimate]:
    """How many more the model calls positive than it did on the holdout."""
    before = reference.get("utility.selection_rate.tstr/all")
    if scores is None or threshold is None or before is None or not before.ok or scores.ndim != 1:
        return {}
    from synthml.estimate.proportions import quantile, wilson

    called = (scores >= threshold).astype(np.int64)
    share, size = _effective(called, 1, batch.subjects)
    low, high = wilson(share, size, quantile(confidence))
    now = Estimate(share, low, high, n=called.size, method="Wilson score", confidence=confidence)
    return {f"drift.prediction.selection_rate.{PAIR}/all": change(now, before)}
