"""The sheets on groups: forest plots, what had to be withheld, disparities, the worst slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.performance import figure_cell, loss_cell, row_estimate
from synthml.report.reading import rows_text
from synthml.report.terms import metric_term
from synthml.report.wording import (
    EVERYONE,
    Label,
    clean,
    column_title,
    count,
    group_label,
    group_pairs,
    interval,
    label,
    number,
    prose,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.estimate import Estimate
    from synthml.report.reading import Group, Reading
    from synthml.report.terms import MetricTerm

__all__ = ["disparity_sheet", "forest", "further_forests", "group_numbers", "slice_sheet", "withheld_sheet"]

_FURTHER = ("fnr", "ppv", "calibration_slope", "selection_rate", "rmse", "mae", "macro_f1", "accuracy")
_MOST_FURTHER = 4


def forest(reading: Reading, metric: MetricTerm, key: str) -> Sheet | None:
    """Every group that may be shown: both models on one axis, the loss on another, everyone first."""
    groups = [g for g in reading.shown_groups if reading.utility(metric.name, "tstr", g.of) is not None]
    if not groups:
        return None
    ofs = ["all", *(group.of for group in groups)]
    paired = any(reading.utility(metric.name, "trtr", of) is not None for of in ofs)
    losses = [reading.utility(metric.name, "loss", of) for of in ofs]
    led = reading.headline is not None and metric.name == reading.headline.name
    margin = reading.margin if led else None
    scale = scale_for(
        [reading.utility(metric.name, p, of) for p in ("tstr", "trtr") for of in ofs], floor=metric.floor, ceiling=metric.ceiling
    )
    loss_scale = scale_for(losses, include=[0.0] if margin is None else [0.0, margin], about=3)
    everyone = reading.utility(metric.name, "tstr")
    columns = [
        Column("Group", "label"),
        Column(
            metric.title,
            "plot",
            metric.direction,
            scale=scale,
            references=reference("everyone", everyone.value if everyone else None, scale),
        ),
        Column("Synthetic", "number", "TSTR", mark="tstr"),
    ]
    if paired:
        columns.append(Column("Real", "number", "TRTR", mark="trtr"))
    if loss_scale is not None:
        lines = (*reference("zero", 0.0, loss_scale), *reference("margin", margin, loss_scale))
        columns += [
            Column("Loss", "plot", "right: worse", scale=loss_scale, references=lines),
            Column("Loss", "number", "", mark="loss"),
        ]
    by_column: dict[str, list[tuple[Cell, ...]]] = {}
    for group in groups:
        by_column.setdefault(group.column, []).append(_forest_row(reading, metric, tuple(columns), margin, group))
    top = (_everyone_row(reading, metric, tuple(columns), margin),) if everyone is not None else ()
    sections = (Section("", top), *(Section(column, tuple(rows)) for column, rows in by_column.items()))
    caption = f"{metric.title} in every group, with {reading.confidence_text} intervals; the dashed line is everyone."
    return Sheet(key, caption, tuple(columns), sections)


def _everyone_row(reading: Reading, metric: MetricTerm, columns: tuple[Column, ...], margin: float | None) -> tuple[Cell, ...]:
    tstr = reading.utility(metric.name, "tstr")
    head = Cell(EVERYONE, rows_text(tstr.n if tstr else None, None), tone="everyone")
    return (head, *_figures(reading, metric, columns, margin, "all"))


def _forest_row(
    reading: Reading, metric: MetricTerm, columns: tuple[Column, ...], margin: float | None, group: Group
) -> tuple[Cell, ...]:
    head = Cell.of_label(_inside(group), rows_text(group.rows, group.events))
    return (head, *_figures(reading, metric, columns, margin, group.of))


def _inside(group: Group) -> Label:
    """Below the heading of its columns a group needs its values only."""
    pairs = group_pairs(group.of)
    if not pairs:
        return group.name
    inside = label(" × ".join(value for _, value in pairs))
    return Label(inside.shown, group.name.full or inside.full)


def _figures(reading: Reading, metric: MetricTerm, columns: tuple[Column, ...], margin: float | None, of: str) -> list[Cell]:
    tstr, trtr, loss = (reading.utility(metric.name, p, of) for p in ("tstr", "trtr", "loss"))
    cells = []
    for place, column in enumerate(columns[1:], 1):
        if column.kind == "plot":
            main = place == 1
            marks = (
                (*whisker("tstr", tstr, column.scale), *whisker("trtr", trtr, column.scale))
                if main
                else whisker("loss", loss, column.scale)
            )
            cells.append(Cell(whiskers=marks))
        elif column.mark == "loss":
            cells.append(loss_cell(loss, metric, margin))
        else:
            cells.append(figure_cell(tstr if column.mark == "tstr" else trtr, metric))
    return cells


def further_forests(reading: Reading) -> tuple[tuple[MetricTerm, Sheet], ...]:
    """Forest plots of other metrics that stand for all groups, at most four."""
    found = []
    for name in _FURTHER:
        if reading.headline is not None and name == reading.headline.name:
            continue
        sheet = forest(reading, metric_term(name), f"forest-{name.replace('_', '-')}")
        if sheet is not None:
            found.append((metric_term(name), sheet))
    return tuple(found[:_MOST_FURTHER])


def group_numbers(reading: Reading) -> Sheet | None:
    """Every metric of the synthetic-trained model in every group."""
    metrics = [m for m in reading.metrics if any(reading.utility(m.name, "tstr", g.of) is not None for g in reading.shown_groups)]
    if not metrics:
        return None
    columns = (Column("Group", "label"), *(Column(m.title, "number", m.direction) for m in metrics))
    rows = tuple(
        (
            Cell.of_label(g.name, rows_text(g.rows, g.events)),
            *(figure_cell(reading.utility(m.name, "tstr", g.of), m) for m in metrics),
        )
        for g in reading.shown_groups
    )
    return Sheet("group-numbers", "Every metric of the synthetic-trained model in every group.", columns, (Section("", rows),))


def withheld_sheet(reading: Reading) -> Sheet | None:
    """Groups of which no figure is shown, and why."""
    groups = reading.withheld_groups
    if not groups:
        return None
    columns = (Column("Group", "label"), Column("Rows", "number"), Column("Events", "number"), Column("Why there are no figures"))
    rows = tuple(
        (Cell.of_label(g.name), Cell(count(g.rows)), Cell(count(g.events)), Cell(prose(g.reason, cut=240))) for g in groups
    )
    return Sheet(
        "withheld", "Groups marked insufficient. They are counted as unknown, never as fine.", columns, (Section("", rows),)
    )


_MEASURES = {
    "equalized_odds": "Equalized odds",
    "demographic_parity": "Share called positive (demographic parity)",
    "equal_opportunity": "Sensitivity (equal opportunity)",
}


def disparity_sheet(reading: Reading) -> Sheet | None:
    """Difference and ratio between groups for every column and metric, with the worst group and its simultaneous bound."""
    found = _disparities(reading)
    if not found:
        return None
    rows = [row for row in reading.table("disparities") if row.get("protocol", "tstr") == "tstr"]
    worst = {(clean(row.get("metric")), _plain_columns(row.get("column"))): row for row in rows}
    scale = scale_for([variants.get("difference") for _, _, variants in found], include=[0.0])
    columns = (
        Column("Measure", "label"),
        Column("Largest difference", "plot", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Difference", "number", "largest − smallest", mark="loss"),
        Column("Corrected", "number", "for the luck of the extreme"),
        Column("Ratio", "number", "smallest / largest"),
        Column("Worst group", "text", "simultaneous bound"),
    )
    by_column: dict[str, list[tuple[Cell, ...]]] = {}
    for measure, of, variants in found:
        term = metric_term(measure)
        by_column.setdefault(of, []).append(
            (
                Cell(_MEASURES.get(measure, term.title), full=term.meaning),
                Cell(whiskers=whisker("loss", variants.get("difference"), scale)),
                figure_cell(variants.get("difference"), term),
                figure_cell(variants.get("difference_corrected"), term),
                figure_cell(variants.get("ratio"), term),
                _worst_cell(reading, worst.get((measure, _plain_columns(of))), variants.get("worst"), term),
            )
        )
    sections = tuple(Section(column, tuple(rows)) for column, rows in by_column.items())
    return Sheet("disparities", "How far groups lie apart, for the synthetic-trained model on real rows.", columns, sections)


def _disparities(reading: Reading) -> list[tuple[str, str, Mapping[str, Estimate]]]:
    """(measure, column as written, variant -> figure), columns in the order of the groups."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for name, figures in reading.family("disparity").items():
        parts = name.split(".")
        if len(parts) != 4 or parts[2] != "tstr":
            continue
        for of, figure in figures.items():
            found.setdefault((parts[1], column_title(of)), {})[parts[3]] = figure
    order = {column: place for place, column in enumerate(reading.columns)}
    keys = sorted(found, key=lambda key: (order.get(key[1], len(order)), key[1], key[0]))
    return [(measure, of, found[measure, of]) for measure, of in keys]


def _plain_columns(text: object) -> str:
    """`sex, race` and `sex × race` alike: the table and the figures join columns in their own ways."""
    return clean(text).replace(" × ", ", ")


def _worst_cell(reading: Reading, row: Mapping[str, Any] | None, figure: Estimate | None, term: MetricTerm) -> Cell:
    estimate = figure or (row_estimate(row, "worst", "worst_low", "worst_high") if row else None)
    if estimate is None or estimate.value is None:
        return Cell("—", tone="absent")
    of = row.get("worst_group") if row else None
    bounds = interval(estimate, digits=term.digits)
    value = number(estimate.value, digits=term.digits) + (f" ({bounds})" if bounds else "")
    if not isinstance(of, str):
        return Cell(value)
    title = reading.group_title(of, cut=48) if ":" in of else label(of, cut=48)
    return Cell(title.shown, value, title.full)


def slice_sheet(reading: Reading) -> Sheet | None:
    """The slices where synthetic training hurts most, as found and confirmed on rows set aside."""
    rows = reading.table("slices")
    if not rows:
        return None
    term = metric_term("slice")
    found = [row_estimate(row) for row in rows]
    scale = scale_for(found, include=[0.0])
    columns = (
        Column("Slice", "label"),
        Column("Excess error", "plot", "right: worse", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Excess error", "number", "TSTR − TRTR", mark="loss"),
        Column("Rows", "number"),
        Column("p", "number", "corrected for the search"),
    )
    cells = tuple(
        (
            Cell.of_label(_slice_label(row), ""),
            Cell(whiskers=whisker("loss", figure, scale)),
            figure_cell(figure, term),
            Cell(count(row.get("n"))),
            Cell(_p_value(row.get("p_adjusted"))),
        )
        for row, figure in zip(rows, found, strict=True)
    )
    return Sheet(
        "slices",
        "Slices in which the synthetic-trained model errs more than the real-trained one.",
        columns,
        (Section("", cells),),
    )


def _slice_label(row: Mapping[str, Any]) -> Label:
    text = row.get("slice")
    return group_label(text) if isinstance(text, str) else label(text)


def _p_value(p: object) -> str:
    if not isinstance(p, (int, float)) or isinstance(p, bool):
        return "—"
    return "< 0.001" if p < 0.001 else number(float(p))
