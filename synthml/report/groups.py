"""The sheets on groups: forest plots, what had to be withheld, disparities, the worst slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.performance import figure_cell, loss_cell, row_estimate, scaled_term
from synthml.report.reading import rows_text
from synthml.report.terms import METRIC_TERMS, metric_term
from synthml.report.wording import (
    EVERYONE,
    Label,
    clean,
    column_title,
    count,
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

__all__ = ["disparity_sheets", "forest", "further_forests", "group_numbers", "slice_sheet", "withheld_sheet"]

Disparity = tuple[str, str, "Mapping[str, Estimate]"]
_FURTHER = ("fnr", "ppv", "calibration_slope", "selection_rate", "rmse", "mae", "macro_f1", "accuracy")
_MOST_FURTHER = 4
_MOST_FOR_FURTHER = 80
_MOST_ROWS = 300


def forest(reading: Reading, metric: MetricTerm, key: str) -> Sheet | None:
    """Every group that may be shown: both models on one axis, the loss on another, everyone first."""
    groups = [g for g in reading.shown_groups if reading.utility(metric.name, "tstr", g.of) is not None]
    if not groups:
        return None
    note = ""
    if len(groups) > _MOST_ROWS:
        worst = {group.of for group in reading.weakest_first(metric)[:_MOST_ROWS]}
        note = f" The {_MOST_ROWS} weakest of {len(groups):,} groups; evidence.json holds them all."
        groups = [group for group in groups if group.of in worst]
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
    caption = f"{metric.title} in every group, with {reading.confidence_text} intervals; the dashed line is everyone.{note}"
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
            cells.append(loss_cell(loss, metric, margin, rows=reading.rows_needed(metric.name, of)))
        else:
            cells.append(figure_cell(tstr if column.mark == "tstr" else trtr, metric))
    return cells


def further_forests(reading: Reading) -> tuple[tuple[MetricTerm, Sheet], ...]:
    """Forest plots of other metrics, at most four; none when there are so many groups that the file would grow out of hand."""
    found: list[tuple[MetricTerm, Sheet]] = []
    if len(reading.shown_groups) > _MOST_FOR_FURTHER:
        return ()
    for name in _FURTHER:
        if reading.headline is not None and name == reading.headline.name:
            continue
        sheet = forest(reading, metric_term(name), f"forest-{name.replace('_', '-')}")
        if sheet is not None:
            found.append((metric_term(name), sheet))
    return tuple(found[:_MOST_FURTHER])


def group_numbers(reading: Reading) -> Sheet | None:
    """Every metric of the synthetic-trained model in every group; left to evidence.json when there are very many groups."""
    if len(reading.shown_groups) > _MOST_FOR_FURTHER:
        return None
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
    "selection_rate": "Share called positive (demographic parity)",
    "sensitivity": "Sensitivity (equal opportunity)",
}
_LEADING = (
    "auroc",
    "macro_auroc",
    "r2",
    "sensitivity",
    "equalized_odds",
    "selection_rate",
    "ppv",
    "calibration_slope",
    "macro_f1",
    "rmse",
)


def disparity_sheets(reading: Reading) -> tuple[Sheet | None, Sheet | None]:
    """Differences between the groups of every column: the leading measures, and the others."""
    found = _disparities(reading)
    leading = [entry for entry in found if entry[0] in _LEADING]
    others = [entry for entry in found if entry[0] not in _LEADING]
    caption = "How far groups lie apart, for the synthetic-trained model on real rows."
    return (
        _disparity_sheet(reading, leading, "disparities", caption) if leading else None,
        _disparity_sheet(reading, others, "disparities-further", f"Further measures. {caption}") if others else None,
    )


def _disparity_sheet(reading: Reading, found: list[Disparity], key: str, caption: str) -> Sheet:
    """Difference and ratio, with the worst group and its simultaneous bound."""
    tabled = {(row.get("metric"), row.get("of")): row for row in reading.table("disparities") if row.get("protocol") == "tstr"}
    # an error in the target's unit shares no axis with shares and slopes
    drawn = [variants.get("difference") for measure, _, variants in found if metric_term(measure).digits is not None]
    scale = scale_for(drawn, include=[0.0])
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
        by_column.setdefault(column_title(of), []).append(
            (
                Cell(_MEASURES.get(measure, term.title), full=term.meaning),
                Cell(whiskers=() if term.digits is None else whisker("loss", variants.get("difference"), scale)),
                figure_cell(variants.get("difference"), term),
                Cell(figure_cell(variants.get("difference_corrected"), term).text),
                figure_cell(variants.get("ratio"), metric_term("auroc")),
                _worst_cell(tabled.get((measure, of)), variants.get("worst"), term),
            )
        )
    return Sheet(key, caption, columns, tuple(Section(column, tuple(rows)) for column, rows in by_column.items()))


def _disparities(reading: Reading) -> list[Disparity]:
    """(measure, column as in the id, variant -> figure): columns in the order of the groups, leading measures first."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for name, figures in reading.family("disparity").items():
        parts = name.split(".")
        if len(parts) == 4 and parts[2] == "tstr":
            for of, figure in figures.items():
                found.setdefault((parts[1], of), {})[parts[3]] = figure
    columns = {column: place for place, column in enumerate(reading.columns)}
    measures = {name: place for place, name in enumerate(dict.fromkeys((*_LEADING, *METRIC_TERMS)))}

    def order(key: tuple[str, str]) -> tuple[int, str, int, str]:
        measure, of = key
        return columns.get(column_title(of), len(columns)), of, measures.get(measure, len(measures)), measure

    return [(measure, of, found[measure, of]) for measure, of in sorted(found, key=order)]


def _worst_cell(row: Mapping[str, Any] | None, figure: Estimate | None, term: MetricTerm) -> Cell:
    """The worst group, as the table calls it, and its figure."""
    if figure is None or figure.value is None:
        return Cell("—", tone="absent")
    bounds = interval(figure, digits=term.digits)
    value = number(figure.value, digits=term.digits) + (f" ({bounds})" if bounds else "")
    whose = row.get("worst_group") if row else None
    if not whose:
        return Cell(value)
    name = label(whose, cut=48)
    return Cell(name.shown, value, name.full)


def slice_sheet(reading: Reading) -> Sheet | None:
    """The slices where synthetic training hurts most: found on one half of the rows, measured on the other."""
    rows = reading.table("slices")
    if not rows:
        return None
    found = [row_estimate(row, "difference") for row in rows]
    term = scaled_term(found)
    scale = scale_for(found, include=[0.0])
    everyone = row_estimate(rows[0], "everyone", "", "")
    paired = rows[0].get("against", "trtr") == "trtr"
    columns = (
        Column("Slice", "label"),
        Column(
            "Excess error",
            "plot",
            "right: worse",
            scale=scale,
            references=(
                *reference("zero", 0.0, scale),
                *reference("everyone", everyone.value if everyone and paired else None, scale),
            ),
        ),
        Column("Excess error", "number", "synthetic − real" if paired else "slice − everyone", mark="loss"),
        Column("Synthetic", "number", "mean error", mark="tstr"),
        *([Column("Real", "number", "mean error", mark="trtr")] if paired else []),
        Column("Rows", "number", "rounded"),
        Column("Confirmed", "number", "interval above 0"),
    )
    cells = tuple(
        (
            Cell.of_label(label(row.get("slice"))),
            Cell(whiskers=whisker("loss", figure, scale)),
            figure_cell(figure, term),
            figure_cell(row_estimate(row, "tstr", "", ""), term),
            *([figure_cell(row_estimate(row, "trtr", "", ""), term)] if paired else []),
            Cell(count(row.get("n"))),
            Cell("yes" if row.get("confirmed") else "no", tone="" if row.get("confirmed") else "absent"),
        )
        for row, figure in zip(rows, found, strict=True)
    )
    measure = clean(rows[0].get("measure") or "error").replace("_", " ")
    whom = "the real-trained model" if paired else "everyone"
    caption = f"Slices with the most {measure} beyond that of {whom}; the intervals hold for all of them at once."
    return Sheet("slices", caption, columns, (Section("", cells),))
