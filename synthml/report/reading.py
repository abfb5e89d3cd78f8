"""What a report reads out of a dossier: the headline, the protocols, the groups. Nothing is computed that was not measured.

A dossier may lack any of it; then the attribute is None or empty, and the report says that it was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from synthml.errors import InputError
from synthml.figures import ALL, FigureId
from synthml.report.terms import METRIC_TERMS, PROTOCOLS, metric_term
from synthml.report.wording import Label, clean, column_title, group_label, group_pairs, label, number, plural, spoken

if TYPE_CHECKING:
    from synthml.estimate import Estimate
    from synthml.evidence import Dossier
    from synthml.policy.verdict import Decision
    from synthml.report.terms import MetricTerm

__all__ = ["KIND_TITLES", "Group", "Reading", "Standing", "standing"]

KIND_TITLES = {
    "utility": "performance on real rows",
    "subgroups": "performance in every group",
    "bias": "bias from source to synthetic to model",
    "fidelity": "likeness of the synthetic table to its source",
    "quality": "quality of the tables and their labels",
    "disclosure": "disclosure by attacks on the synthetic table",
    "drift": "drift between the tables, by Evidently",
}
_HEADLINES = {"binary": "auroc", "multiclass": "macro_auroc", "regression": "r2"}
_GUESSED_ORDER = ("auroc", "macro_auroc", "r2", "accuracy", "rmse", "mae")
_AT_THRESHOLD = ("sensitivity", "fnr", "specificity", "fpr", "ppv", "npv", "accuracy", "selection_rate")
_CALIBRATION = ("calibration_intercept", "calibration_slope", "ece", "brier")

Standing = Literal["within", "beyond", "open", "unknown"]


def standing(loss: Estimate | None, margin: float | None) -> Standing:
    """A loss against the margin, read on its interval: within (non-inferior), beyond (worse), or open."""
    if loss is None or margin is None or not loss.ok or loss.value is None:
        return "unknown"
    low = loss.value if loss.low is None else loss.low
    high = loss.value if loss.high is None else loss.high
    if high <= margin:
        return "within"
    return "beyond" if low > margin else "open"


@dataclass(frozen=True)
class Group:
    """A group of the holdout. of: as in figure ids; column: the columns that make it; rows, events: None when withheld.

    reason: why no figure of it is shown, empty when there are figures.
    """

    of: str
    column: str
    name: Label
    rows: int | None = None
    events: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Reading:
    """A dossier, read for a report."""

    dossier: Dossier

    @cached_property
    def by_name(self) -> Mapping[str, Mapping[str, Estimate]]:
        """Figures by name, then by what they are about, both sorted. Ids that cannot be read are left to `unreadable`."""
        found: dict[str, dict[str, Estimate]] = {}
        for text in sorted(self.dossier.figures):
            try:
                figure_id = FigureId.parse(text)
            except InputError:
                continue
            found.setdefault(figure_id.name, {})[figure_id.of] = self.dossier.figures[text]
        return found

    def figure(self, name: str, of: str = ALL) -> Estimate | None:
        """One figure, or None when it was not measured."""
        return self.by_name.get(name, {}).get(of)

    def utility(self, metric: str, protocol: str, of: str = ALL) -> Estimate | None:
        """`utility.<metric>.<protocol>/<of>`."""
        return self.figure(f"utility.{metric}.{protocol}", of)

    def table(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """The rows of a table of the evidence; none when it is not there."""
        return tuple(self.dossier.tables.get(name, ()))

    def family(self, *families: str) -> dict[str, Mapping[str, Estimate]]:
        """Figures whose name begins with one of the families."""
        return {name: figures for name, figures in self.by_name.items() if name.partition(".")[0] in families}

    @cached_property
    def task(self) -> str:
        """binary, multiclass or regression; empty when the study does not say."""
        task = self.dossier.study.get("task")
        if isinstance(task, str):
            return task
        schema = self.dossier.study.get("schema")
        return str(schema.get("task") or "") if isinstance(schema, Mapping) else ""

    def schema(self, key: str) -> Any:
        """An entry of the study's summary, at its top or under `schema`."""
        if key in self.dossier.study:
            return self.dossier.study[key]
        schema = self.dossier.study.get("schema")
        return schema.get(key) if isinstance(schema, Mapping) else None

    @cached_property
    def target(self) -> str:
        """The column that is predicted; empty when the study does not say."""
        target = self.schema("target")
        return label(target, cut=48).shown if target else ""

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the measurement."""
        settings = self.dossier.study.get("settings")
        return settings if isinstance(settings, Mapping) else {}

    @cached_property
    def margin(self) -> float | None:
        """The loss that still counts as good as trained on real rows."""
        margin = self.settings.get("margin")
        return float(margin) if isinstance(margin, (int, float)) and not isinstance(margin, bool) else None

    @cached_property
    def confidence(self) -> float:
        """The confidence of the intervals."""
        stated = self.settings.get("confidence")
        if isinstance(stated, float):
            return stated
        return next((f.confidence for f in self.dossier.figures.values() if f.low is not None), 0.95)

    @property
    def confidence_text(self) -> str:
        """`95%`."""
        return f"{100 * self.confidence:g}%"

    @cached_property
    def metrics(self) -> tuple[MetricTerm, ...]:
        """Metrics that stand in the utility figures: those of the glossary in its order, then others by name."""
        there = {name.split(".")[1] for name in self.by_name if name.startswith("utility.") and name.count(".") == 2}
        there.discard("threshold")
        known = [term for name, term in METRIC_TERMS.items() if name in there]
        return (*known, *(metric_term(name) for name in sorted(there - set(METRIC_TERMS))))

    @cached_property
    def headline(self) -> MetricTerm | None:
        """The metric that leads the report: by the task, else the first that was measured."""
        names = {term.name for term in self.metrics}
        order = [_HEADLINES[self.task]] if self.task in _HEADLINES else []
        for name in (*order, *_GUESSED_ORDER, *sorted(names)):
            if name in names:
                return metric_term(name)
        return None

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """Protocols for which anything was measured over all rows."""
        return tuple(p.key for p in PROTOCOLS if any(self.utility(m.name, p.key) is not None for m in self.metrics))

    def with_tstr(self, names: tuple[str, ...]) -> tuple[MetricTerm, ...]:
        """Those of the metrics that have a TSTR figure over all rows."""
        return tuple(metric_term(name) for name in names if self.utility(name, "tstr") is not None)

    @cached_property
    def at_threshold(self) -> tuple[MetricTerm, ...]:
        """Errors at the decision threshold that were measured."""
        return self.with_tstr(_AT_THRESHOLD) if self.task in ("binary", "") else ()

    @cached_property
    def calibration(self) -> tuple[MetricTerm, ...]:
        """Calibration figures that were measured."""
        return self.with_tstr(_CALIBRATION)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Groups in the order of the table "subgroups", then those that have figures only. Everyone is not among them."""
        found = {group.of: group for group in self._tabled_groups()}
        for name, figures in self.by_name.items():
            if not name.startswith("utility.") or not name.endswith((".tstr", ".trtr")):
                continue
            for of, figure in figures.items():
                if of != ALL and of not in found and ":" in of:
                    found[of] = Group(of, _column_of(of), group_label(of), figure.n)
        return tuple(self._with_reason(group) for group in found.values())

    def _tabled_groups(self) -> list[Group]:
        found: dict[str, Group] = {}
        for row in self.table("subgroups"):
            of = row.get("of")
            if not isinstance(of, str) or of in (ALL, "") or of in found:
                continue
            found[of] = Group(
                of=of,
                column=_column_of(of) or clean(row.get("column") or ""),
                name=_row_label(of, row),
                rows=_whole(row.get("n")),
                events=_whole(row.get("events")),
            )
        return list(found.values())

    def _with_reason(self, group: Group) -> Group:
        """With why nothing of it is shown, when no metric of it has a value."""
        own = [
            figures[group.of]
            for name, figures in self.by_name.items()
            if name.startswith("utility.") and name.endswith(".tstr") and group.of in figures
        ]
        if any(figure.value is not None for figure in own):
            return group
        reasons = [figure.reason for figure in own if figure.reason]
        tabled = [row.get("reason") for row in self.table("subgroups") if row.get("of") == group.of and row.get("reason")]
        reason = clean((reasons or tabled or ["no figure was measured"])[0])
        return Group(group.of, group.column, group.name, group.rows, group.events, reason)

    @cached_property
    def _rows_needed(self) -> Mapping[tuple[str, str], int]:
        rows = [row for row in self.table("subgroups") if row.get("protocol") == "loss"]
        return {(str(r.get("metric")), str(r.get("of"))): n for r in rows if (n := _whole(r.get("rows_needed"))) is not None}

    def rows_needed(self, metric: str, of: str) -> int | None:
        """About how many rows of a group would decide its loss against the margin; None when it is decided or unknown."""
        return self._rows_needed.get((metric, of))

    @cached_property
    def shown_groups(self) -> tuple[Group, ...]:
        """Groups with figures."""
        return tuple(group for group in self.groups if not group.reason)

    @cached_property
    def withheld_groups(self) -> tuple[Group, ...]:
        """Groups that are too small, or withheld so that a small one cannot be worked out."""
        return tuple(group for group in self.groups if group.reason)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns (or intersections) that make the groups, in order of appearance."""
        return tuple(dict.fromkeys(group.column for group in self.groups))

    @cached_property
    def group_titles(self) -> Mapping[str, Label]:
        """The title of each group by its `<of>`."""
        return {group.of: group.name for group in self.groups}

    def group_title(self, of: str, *, cut: int = 72) -> Label:
        """How a group is called; what is no group of the report stands as its id says."""
        known = self.group_titles.get(of)
        if known is not None and len(known.shown) <= cut:
            return known
        if (of, cut) not in self._titles:
            named = of == ALL or group_pairs(of)
            self._titles[of, cut] = group_label(of, cut=cut) if named else label(column_title(of), cut=cut)
        return self._titles[of, cut]

    @cached_property
    def _titles(self) -> dict[tuple[str, int], Label]:
        """Titles made so far: a hostile label of 10,000 characters is read once, not once a figure."""
        return {}

    def losses(self, metric: str) -> list[tuple[Group, Estimate]]:
        """The groups' losses in a metric, the worst upper bound first; equal ones by name."""
        pairs = [(group, self.utility(metric, "loss", group.of)) for group in self.shown_groups]
        told = [(group, loss) for group, loss in pairs if loss is not None and loss.value is not None]
        return sorted(told, key=lambda pair: (-_upper(pair[1]), pair[0].of))

    def weakest_first(self, metric: MetricTerm) -> list[Group]:
        """Groups with a TSTR figure, the worst first; equal ones by name. In no order when neither end is better."""
        values = {
            g.of: f.value for g in self.shown_groups if (f := self.utility(metric.name, "tstr", g.of)) and f.value is not None
        }
        told = [group for group in self.shown_groups if group.of in values]

        def goodness(group: Group) -> tuple[float, str]:
            value = values[group.of]
            if metric.better == "target":
                return -abs(value - (metric.target or 0.0)), group.of
            return (-value if metric.better == "lower" else value), group.of

        return told if metric.better == "none" else sorted(told, key=goodness)

    def worst_group(self, metric: MetricTerm) -> tuple[Group, Estimate] | None:
        """The group with the worst TSTR figure. None unless one end is better and a group has a figure."""
        weakest = self.weakest_first(metric)
        figure = self.utility(metric.name, "tstr", weakest[0].of) if weakest else None
        return None if figure is None or metric.better == "none" else (weakest[0], figure)

    @cached_property
    def holdout_rows(self) -> int | None:
        """Real rows that the headline was measured on."""
        figure = self.utility(self.headline.name, "tstr") if self.headline else None
        if figure is not None and figure.n is not None:
            return figure.n
        return _whole(self.dossier.datasets.get("holdout", {}).get("rows"))

    @cached_property
    def unmeasured_kinds(self) -> tuple[str, ...]:
        """Kinds of evidence that this dossier does not hold."""
        return tuple(kind for kind in KIND_TITLES if kind not in self.dossier.kinds)

    def lacks_figure(self, decision: Decision) -> bool:
        """Whether a criterion about a figure was left open because there is no value, and not because the interval is wide."""
        figure = self.figure(decision.figure, decision.of)
        return bool(decision.figure) and decision.outcome == "insufficient" and (figure is None or figure.value is None)

    def sentence(self, metric: MetricTerm, figure: Estimate | None) -> str:
        """`0.652 (0.631 to 0.672)` with the metric's decimals."""
        return spoken(figure, digits=metric.digits)

    def document(self, *path: str) -> Any:
        """A field of the generation record, by path; None when it is missing or empty."""
        value: Any = self.dossier.generation or {}
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        return None if value in (None, "", [], {}, ()) else value


def rows_text(rows: int | None, events: int | None) -> str:
    """`1,234 rows, 56 events`."""
    if rows is None:
        return "rows withheld"
    return plural(rows, "row") + ("" if events is None else f", {plural(events, 'event')}")


def margin_text(margin: float | None) -> str:
    """`0.05`, as it was set."""
    return "" if margin is None else number(margin, digits=None).rstrip("0").rstrip(".")


def _upper(estimate: Estimate) -> float:
    high = estimate.value if estimate.high is None else estimate.high
    return -1e300 if high is None else high


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _column_of(of: str) -> str:
    return label(" × ".join(column for column, _ in group_pairs(of) or ())).shown


def _row_label(of: str, row: Mapping[str, Any]) -> Label:
    """The label by the id, which holds the exact columns and values; by the row's words when the id is no group."""
    if group_pairs(of):
        return group_label(of)
    return label(f"{row.get('column', '')}: {row.get('group', of)}")
