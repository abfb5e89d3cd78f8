"""The sheets on all rows: protocols on one axis, every metric with its loss, errors at the threshold, learners, importances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.reading import standing
from synthml.report.terms import PROTOCOLS, MetricTerm, metric_term
from synthml.report.wording import clean, interval, label, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from synthml.report.reading import Reading

__all__ = [
    "STANDING_WORDS",
    "figure_cell",
    "importance_sheet",
    "learner_sheet",
    "loss_cell",
    "metric_sheet",
    "protocol_sheet",
    "row_estimate",
    "scaled_term",
    "threshold_sheet",
]

STANDING_WORDS = {"within": "within margin", "beyond": "beyond margin", "open": "undecided", "unknown": ""}


def figure_cell(figure: Estimate | None, metric: MetricTerm, *, absent: str = "—") -> Cell:
    """A figure with its interval on a second line; `absent` when it was not measured, the reason when it could not be."""
    if figure is None:
        return Cell(absent, tone="absent")
    if figure.value is None:
        return Cell(figure.status, full=clean(figure.reason or "")[:300], tone="absent")
    note = interval(figure, digits=metric.digits)
    if figure.status != "ok":
        note = f"{note} {figure.status}".strip()
    return Cell(number(figure.value, digits=metric.digits), note)


def loss_cell(figure: Estimate | None, metric: MetricTerm, margin: float | None, *, rows: int | None = None) -> Cell:
    """A loss with its interval, read against the margin when there is one. rows: about how many would decide an open one."""
    cell = figure_cell(figure, metric)
    place = standing(figure, margin)
    if place == "unknown":
        return cell
    needs = f"; about {rows:,} rows would decide" if rows is not None and place == "open" else ""
    return Cell(cell.text, cell.note, STANDING_WORDS[place] + needs, place)


def protocol_sheet(reading: Reading) -> Sheet | None:
    """The headline metric under every protocol, on one axis."""
    metric = reading.headline
    if metric is None:
        return None
    there = [(p, figure) for p in PROTOCOLS if (figure := reading.utility(metric.name, p.key)) is not None]
    scale = scale_for([figure for _, figure in there], floor=metric.floor, ceiling=metric.ceiling, about=5)
    trivial = reading.utility(metric.name, "trivial")
    columns = (
        Column("Trained and tested", "label"),
        Column(
            metric.title,
            "plot",
            metric.direction,
            scale=scale,
            references=reference("everyone", trivial.value if trivial else None, scale),
        ),
        Column(metric.title, "number", reading.confidence_text + " interval"),
    )
    rows = tuple(
        (
            Cell(p.plain, f"{p.short} · {_tested(p.key, figure)}", p.meaning),
            Cell(whiskers=whisker(p.key, figure, scale)),
            figure_cell(figure, metric),
        )
        for p, figure in there
    )
    caption = f"{metric.title} of the same model under each way of training and testing; the dashed line is knowing nothing."
    return Sheet("protocols", caption, columns, (Section("", rows),))


def _tested(protocol: str, figure: Estimate) -> str:
    rows = "" if figure.n is None else f"{figure.n:,} "
    return f"{rows}{'synthetic' if protocol == 'trts' else 'real'} test rows"


def metric_sheet(reading: Reading) -> Sheet | None:
    """Every metric over all rows: synthetic-trained, real-trained, loss, and the other protocols."""
    if not reading.metrics:
        return None
    further = [p for p in PROTOCOLS if p.key in reading.protocols and p.key not in ("tstr", "trtr")]
    columns = (
        Column("Metric", "label"),
        Column("Trained on synthetic", "number", "TSTR", mark="tstr"),
        Column("Trained on real", "number", "TRTR", mark="trtr"),
        Column("Loss", "number", "positive: worse", mark="loss"),
        *(Column(p.plain if p.key != "trts" else "Tested on synthetic", "number", p.short) for p in further),
    )
    rows = []
    for metric in reading.metrics:
        margin = reading.margin if reading.headline and metric.name == reading.headline.name else None
        rows.append(
            (
                Cell(metric.title, metric.direction, metric.meaning),
                figure_cell(reading.utility(metric.name, "tstr"), metric),
                figure_cell(reading.utility(metric.name, "trtr"), metric),
                loss_cell(reading.utility(metric.name, "loss"), metric, margin),
                *(figure_cell(reading.utility(metric.name, p.key), metric) for p in further),
            )
        )
    caption = f"Every metric over all rows, with {reading.confidence_text} intervals."
    return Sheet("metrics", caption, columns, (Section("", tuple(rows)),))


def threshold_sheet(reading: Reading) -> Sheet | None:
    """Errors at the decision threshold, synthetic-trained beside real-trained, on one axis from 0 to 1."""
    metrics = reading.at_threshold
    if not metrics:
        return None
    both = [reading.utility(m.name, p) for m in metrics for p in ("tstr", "trtr")]
    scale = scale_for(both, include=[0.0, 1.0], floor=0.0, ceiling=1.0, about=5)
    columns = (
        Column("At the threshold", "label"),
        Column("Share", "plot", "0 to 1", scale=scale),
        Column("Trained on synthetic", "number", "TSTR", mark="tstr"),
        Column("Trained on real", "number", "TRTR", mark="trtr"),
    )
    rows = tuple(
        (
            Cell(m.title, m.meaning),
            Cell(
                whiskers=(
                    *whisker("tstr", reading.utility(m.name, "tstr"), scale),
                    *whisker("trtr", reading.utility(m.name, "trtr"), scale),
                )
            ),
            figure_cell(reading.utility(m.name, "tstr"), m),
            figure_cell(reading.utility(m.name, "trtr"), m),
        )
        for m in metrics
    )
    return Sheet(
        "threshold-errors",
        "What the model gets right and wrong at its decision threshold, on real rows.",
        columns,
        (Section("", rows),),
    )


def row_estimate(row: Mapping[str, Any], key: str = "value", low: str = "low", high: str = "high") -> Estimate | None:
    """A figure that stands in a table; None when its value is missing."""
    value = row.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    bounds = [row.get(name) if isinstance(row.get(name), (int, float)) else None for name in (low, high)]
    return Estimate(float(value), bounds[0], bounds[1])


def scaled_term(figures: Iterable[Estimate | None]) -> MetricTerm:
    """How to write figures in a unit of their own: decimals that give the largest of them three figures."""
    largest = max((abs(figure.value) for figure in figures if figure is not None and figure.value), default=1.0)
    decimals = min(6, max(0, 2 - math.floor(math.log10(largest))))
    return MetricTerm("", "", "", "none", digits=decimals, floor=None, ceiling=None)


def _paired_sheet(
    key: str, caption: str, head: str, plot: str, digits: MetricTerm, rows: Sequence[tuple[str, Estimate | None, Estimate | None]]
) -> Sheet:
    """Rows with a synthetic-trained and a real-trained figure on one axis."""
    scale = scale_for([figure for _, a, b in rows for figure in (a, b)])
    columns = (
        Column(head, "label"),
        Column(plot, "plot", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Trained on synthetic", "number", "TSTR", mark="tstr"),
        Column("Trained on real", "number", "TRTR", mark="trtr"),
    )
    cells = tuple(
        (
            Cell.of_label(label(name, cut=60)),
            Cell(whiskers=(*whisker("tstr", a, scale), *whisker("trtr", b, scale))),
            figure_cell(a, digits),
            figure_cell(b, digits),
        )
        for name, a, b in rows
    )
    return Sheet(key, caption, columns, (Section("", cells),))


def learner_sheet(reading: Reading) -> Sheet | None:
    """Several learners, each trained on synthetic and on real rows."""
    rows = reading.table("learners")
    names = list(dict.fromkeys(clean(row.get("learner")) for row in rows))
    if not names:
        return None
    metric = metric_term(clean(rows[0].get("metric")))
    found = {(clean(row.get("learner")), row.get("protocol")): row_estimate(row) for row in rows}
    told = [("the model under review" if n == "wrapped" else n, found.get((n, "tstr")), found.get((n, "trtr"))) for n in names]
    return _paired_sheet(
        "learners", f"{metric.title} of each learner on the same real rows.", "Learner", metric.title, metric, told
    )


def importance_sheet(reading: Reading) -> Sheet | None:
    """How much each column matters to the two models."""
    rows = reading.table("importances")
    told = [
        (
            clean(row.get("feature")),
            row_estimate(row, "tstr", "tstr_low", "tstr_high"),
            row_estimate(row, "trtr", "trtr_low", "trtr_high"),
        )
        for row in rows
    ]
    if not told:
        return None
    growth = scaled_term(figure for _, a, b in told for figure in (a, b))
    caption = "How much the loss on real rows grows when one column is shuffled: longer to the right, more important."
    return _paired_sheet("importances", caption, "Column", "Growth of the loss", growth, told)
