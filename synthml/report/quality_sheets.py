"""The sheets of the chapter on quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.figures import ALL
from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.wording import count, interval, label, number, plural, prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from synthml.report.reading import Reading

__all__ = [
    "ROLES",
    "as_float",
    "duplicate_sheet",
    "feature_sheet",
    "missing_sheet",
    "noise_sheet",
    "plausibility_sheet",
    "quality_folds",
    "row_figure",
]

ROLES = {"source": "source", "synthetic": "synthetic table", "holdout": "holdout"}


def as_float(value: object) -> float | None:
    """A number of a table, or None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def row_figure(row: Mapping[str, Any], value: str = "value") -> Estimate:
    """A figure out of a row of a table."""
    if row.get(value) is None:
        return Estimate.insufficient(str(row.get("reason") or "not measured"))
    return Estimate(row[value], row.get("low"), row.get("high"), row.get("n"))


def _sections(rows: Iterable[Mapping[str, Any]], cells: Callable[[Mapping[str, Any]], tuple[Cell, ...]]) -> tuple[Section, ...]:
    """One section per sensitive column, in the order of the table."""
    found: dict[str, list[tuple[Cell, ...]]] = {}
    for row in rows:
        found.setdefault(str(row.get("column") or ""), []).append(cells(row))
    return tuple(Section(label(column, cut=60).shown, tuple(lines)) for column, lines in found.items())


def _name(row: Mapping[str, Any], n: object) -> Cell:
    if row.get("of") == ALL:
        return Cell("Everyone", f"{count(n)} rows", tone="everyone")
    return Cell.of_label(label(row.get("group"), cut=60), f"{count(n)} rows" if isinstance(n, int) else "")


def _figure(figure: Estimate) -> Cell:
    if figure.value is None:
        return Cell("withheld", prose(figure.reason or "", cut=110), tone="absent")
    return Cell(number(figure.value), interval(figure))


def plausibility_sheet(reading: Reading) -> Sheet | None:
    """The excess of every group as a lane, beside both rates."""
    rows = reading.table("quality_plausibility")
    figures = {str(row.get("of")): row_figure(row, "excess") for row in rows}
    scale = scale_for(figures.values(), include=[0.0])
    if scale is None:
        return None
    real = next((str(row["real"]) for row in rows if row.get("real")), "holdout")
    columns = (
        Column("Group", "label"),
        Column("Excess", "plot", "right: less plausible", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Excess", "number", "synthetic − real", mark="loss"),
        Column("Synthetic", "number", "disagreement"),
        Column("Real", "number", "disagreement"),
    )

    def cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
        figure = figures[str(row.get("of"))]
        return (
            _name(row, row.get("n_synthetic")),
            Cell(whiskers=whisker("loss", figure, scale)),
            _figure(figure),
            Cell(number(as_float(row.get("disagreement_synthetic")))),
            Cell(number(as_float(row.get("disagreement_real"))), f"{count(row.get('n_real'))} rows" if row.get("n_real") else ""),
        )

    against = "source, out of fold" if real == "source" else real
    caption = f"Disagreement of a model of real rows with the labels: synthetic rows against the {against}."
    return Sheet("plausibility", caption, columns, _sections([row for row in rows if not row.get("reason")], cells))


def noise_sheet(reading: Reading) -> Sheet | None:
    """Wrong labels of every group as a lane, beside what was counted."""
    rows = [row for row in reading.table("quality_labels") if row.get("noise") is not None]
    figures = {str(row.get("of")): row_figure(row, "noise") for row in rows}
    scale = scale_for(figures.values(), include=[0.0])
    if scale is None:
        return None
    directed = any(row.get("expected_rate") is not None for row in rows)
    columns = (
        Column("Group", "label"),
        Column("Wrong labels", "plot", "right: more", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Wrong labels", "number", "share of the group", mark="loss"),
        Column("Contradicted", "number", "labels against a sure model"),
        Column("By chance", "number", "from its probabilities"),
        *([Column("Positive", "number", "expected from others")] if directed else []),
    )

    def cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
        figure = figures[str(row.get("of"))]
        return (
            _name(row, row.get("n")),
            Cell(whiskers=whisker("loss", figure, scale)),
            _figure(figure),
            Cell(number(as_float(row.get("contradicting")))),
            Cell(number(as_float(row.get("by_chance")))),
            *([Cell(number(as_float(row.get("rate"))), number(as_float(row.get("expected_rate"))))] if directed else []),
        )

    caption = "Labels of the source, each group held against a model of everybody else."
    if reading.task == "regression":
        caption = "Outlying numbers of the source, each group beyond everybody else."
    return Sheet("label-noise", caption, columns, _sections(rows, cells))


def feature_sheet(reading: Reading, *, suspect: bool) -> Sheet | None:
    """Every feature alone, or those that something is wrong with."""
    rows = [row for row in reading.table("quality_features") if not suspect or row.get("verdict")]
    if not rows:
        return None
    measure = "R²" if reading.task == "regression" else "AUROC"
    columns = (
        Column("Feature", "label"),
        Column("Alone", "number", f"{measure} of the target"),
        Column("Missing or not", "number", f"{measure} alone"),
        Column("Commonest value", "number", "share of rows"),
        Column("Verdict", "text"),
    )
    cells = tuple(
        (
            Cell.of_label(label(row.get("column"), cut=60)),
            Cell(number(as_float(row.get("alone"))), interval(row_figure(row, "alone"))),
            Cell(number(as_float(row.get("missing_alone")))),
            Cell(number(as_float(row.get("commonest")))),
            Cell(prose(row.get("verdict") or "—", cut=60), tone="" if row.get("verdict") else "absent"),
        )
        for row in rows
    )
    key = "suspect-features" if suspect else "features"
    return Sheet(key, "What each feature of the source tells of the target by itself.", columns, (Section("", cells),))


def duplicate_sheet(reading: Reading) -> Sheet | None:
    """Repeated rows of every table."""
    rows = reading.table("quality_duplicates")
    if not rows:
        return None
    by_subject = any(row.get("within_subject") is not None for row in rows)
    columns = (
        Column("Table", "label"),
        Column("Repeated", "number", "equal an earlier row"),
        *([Column("Same person", "number"), Column("Other people", "number")] if by_subject else []),
        Column("By chance", "number", "what coarse columns explain"),
    )
    cells = []
    for row in rows:
        figure = reading.figure(f"quality.duplicates.{row.get('role')}")
        parts = (
            [Cell(number(as_float(row.get(k)), digits=4)) for k in ("within_subject", "between_subjects")] if by_subject else []
        )
        cells.append(
            (
                Cell(ROLES.get(str(row.get("role")), str(row.get("role"))).capitalize(), f"{count(row.get('rows'))} rows"),
                Cell(number(as_float(row.get("share")), digits=4), interval(figure, digits=4)),
                *parts,
                Cell(number(as_float(row.get("by_chance")), digits=4)),
            )
        )
    return Sheet(
        "duplicates", "Rows that stand in a table more than once, over all its columns.", columns, (Section("", tuple(cells)),)
    )


def missing_sheet(reading: Reading) -> Sheet | None:
    """Per column: the share missing in each table."""
    rows = [row for row in reading.table("quality_missingness") if row.get("what") == "share"]
    if not rows:
        return None
    roles = [role for role in ROLES if any(row.get("role") == role for row in reading.table("quality_duplicates"))]
    by_column: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by_column.setdefault(str(row.get("column")), {})[str(row.get("role"))] = row
    columns = (Column("Column", "label"), *(Column(ROLES[role].capitalize(), "number", "share missing") for role in roles))
    cells = tuple(
        (
            Cell.of_label(label(name, cut=60)),
            *(
                Cell(number(as_float(held[role].get("value"))), interval(row_figure(held[role])))
                if role in held
                else Cell("none", tone="absent")
                for role in roles
            ),
        )
        for name, held in by_column.items()
    )
    return Sheet("missing-values", "Columns with missing values.", columns, (Section("", cells),))


def quality_folds(reading: Reading) -> tuple[tuple[str, Sheet], ...]:
    """Everything else, for whoever wants to check."""
    found: list[tuple[str, Sheet]] = []
    features = feature_sheet(reading, suspect=False)
    if features is not None:
        found.append((f"Every feature alone, {plural(features.count, 'row')}", features))
    dependent = [row for row in reading.table("quality_missingness") if row.get("what") != "share"]
    if dependent:
        columns = (
            Column("Column", "label"),
            Column("Table"),
            Column("Between"),
            Column("Difference", "number", "of shares missing"),
        )
        cells = tuple(
            (
                Cell.of_label(label(row.get("column"), cut=60)),
                Cell(ROLES.get(str(row.get("role")), "")),
                Cell(*_between(row)),
                _figure(row_figure(row)),
            )
            for row in dependent
        )
        sheet = Sheet("missing-by", "Whether missing values depend on group or outcome.", columns, (Section("", cells),))
        found.append((f"Missing values by group and outcome, {plural(len(dependent), 'row')}", sheet))
    groups = reading.table("quality_groups")
    if groups:
        heads = (Column("Group", "label"), Column("Table"), Column("Rows", "number"), Column("Share", "number"),
                   Column("Events", "number"), Column("Why not shown"))  # fmt: skip
        sections = _sections(
            groups,
            lambda row: (
                Cell.of_label(label(row.get("group"), cut=60)),
                Cell(ROLES.get(str(row.get("role")), "")),
                Cell(count(row.get("rows"))),
                Cell(number(as_float(row.get("share")))),
                Cell(count(row.get("events"))),
                Cell(prose(row.get("reason") or "—", cut=110)),
            ),
        )
        sheet = Sheet("group-sizes", "Groups of every table beside the minimum cell.", heads, sections)
        found.append((f"How large every group is, {plural(len(groups), 'row')}", sheet))
    return tuple(found)


def _between(row: Mapping[str, Any]) -> tuple[str, str]:
    if row.get("what") == "by outcome":
        return "outcomes", "positive: more is missing with the event or the larger number"
    most, least = label(row.get("most"), cut=40), label(row.get("least"), cut=40)
    return label(row.get("sensitive"), cut=40).shown, f"most: {most}; least: {least}"
