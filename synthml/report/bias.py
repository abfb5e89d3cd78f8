"""The chapter on the bias chain: from source to synthetic table to model, one picture of the whole chain for every column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.finding import Finding
from synthml.report.terms import METRIC_TERMS, metric_term
from synthml.report.wording import clean, column_title, count, group_pairs, interval, label, listed, number, plural, prose, spoken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.report.charts import Scale
    from synthml.report.reading import Reading

__all__ = ["BiasChapter", "Chain", "Finding", "Panel", "bias_chapter", "bias_findings"]

STAGES = (("source", "Source"), ("synthetic", "Synthetic"), ("model", "Model"))
_MOST_PANELS = 12
_MOST_NAMED = 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 222.0, 10.0, 118.0
_AT = {"source": 62.0, "synthetic": 130.0, "model": 194.0, "real_model": 208.0}


@dataclass(frozen=True)
class Mark:
    """A figure in a panel. kind: the stage; x, y, low, high: units of the drawing; value: as text."""

    kind: str
    x: str
    y: str
    low: str
    high: str
    value: str


@dataclass(frozen=True)
class Panel:
    """One group's chain. path: the line through source, synthetic table and model; real: the one to the real-trained model."""

    name: str
    full: str
    note: str
    marks: tuple[Mark, ...]
    path: str
    real: str
    description: str


@dataclass(frozen=True)
class Chain:
    """The chains of a column's groups on one scale. ticks: (position, text); zero: its position; left: what is not drawn."""

    title: str
    ticks: tuple[tuple[str, str], ...]
    zero: str
    panels: tuple[Panel, ...]
    left: str


@dataclass(frozen=True)
class BiasChapter:
    """What the chapter shows."""

    findings: tuple[Finding, ...]
    chains: tuple[Chain, ...]
    unit: str
    has_model: bool
    has_real: bool
    representation: Sheet | None
    decomposition: Sheet | None
    amplification: Sheet | None
    folds: tuple[tuple[str, Sheet], ...]


def bias_chapter(reading: Reading) -> BiasChapter | None:
    """The chapter; None when nothing of it was measured."""
    if not any(name.startswith("bias.") for name in reading.by_name):
        return None
    return BiasChapter(
        findings=bias_findings(reading),
        chains=_chains(reading),
        unit="standard deviations of the outcome in the source" if reading.task == "regression" else "difference of rates",
        has_model="bias.chain.model" in reading.by_name,
        has_real="bias.chain.real_model" in reading.by_name,
        representation=_representation(reading),
        decomposition=_decomposition(reading),
        amplification=_amplification(reading),
        folds=_folds(reading),
    )


# In words


def bias_findings(reading: Reading) -> tuple[Finding, ...]:
    """Each link of the chain: what is clear when all groups are looked at together, and whom it concerns most."""
    found = [
        _share_finding(reading),
        _moved(reading, "bias.outcome.shift", "bias.chain.synthesis", "What synthesis added",
               "Synthesis left the differences between groups as they were", "Synthesis moved the difference from everyone else"),
        _moved(reading, "bias.chain.training", "bias.chain.training", "What training added",
               "Training left the differences between groups as the synthetic table has them",
               "Training moved the difference from everyone else"),
        _gap_finding(reading),
    ]  # fmt: skip
    return tuple(finding for finding in found if finding is not None)


def _valued(reading: Reading, name: str) -> dict[str, Estimate]:
    return {of: figure for of, figure in reading.by_name.get(name, {}).items() if figure.ok and figure.value is not None}


def _clear(figure: Estimate, looks: int) -> bool:
    """Whether the interval, widened to hold for all figures that are looked at, still lies off 0 (Bonferroni)."""
    if figure.value is None or figure.low is None or figure.high is None:
        return False
    tail = (1 - figure.confidence) / 2
    wider = NormalDist().inv_cdf(tail / max(looks, 1)) / NormalDist().inv_cdf(tail)
    return figure.value - wider * (figure.value - figure.low) > 0 or figure.value + wider * (figure.high - figure.value) < 0


def _clearest(figures: Mapping[str, Estimate]) -> list[tuple[str, Estimate]]:
    """Those that are clear of 0, the largest first."""
    clear = [(of, figure) for of, figure in figures.items() if _clear(figure, len(figures))]
    return sorted(clear, key=lambda pair: (-abs(pair[1].value or 0.0), pair[0]))


def _widest(figures: Mapping[str, Estimate]) -> float:
    """How large a change could have stayed unseen."""
    return max(max(abs(f.low or 0.0), abs(f.high or 0.0)) for f in figures.values())


def _share_finding(reading: Reading) -> Finding | None:
    figures = _valued(reading, "bias.representation.synthetic")
    if not figures:
        return None
    title = "How many of each group"
    rows = {row.get("of"): row for row in reading.table("bias_representation") if row.get("table") == "synthetic"}
    lost = [reading.group_title(of, cut=48).shown for of in figures if rows.get(of, {}).get("n") == 0]
    if lost:
        told = f"The synthetic table has no row at all of {listed(lost, most=_MOST_NAMED)}."
        told += " A model cannot learn about people it never met."
        return Finding("problem", "Lost", title, told)
    clear = _clearest(figures)
    if not clear:
        span = math.exp(_widest(figures))
        told = "No group is clearly a larger or smaller part of the synthetic table than of the source; "
        told += f"no odds changed by more than a factor of {span:.2f}."
        return Finding("answered", "Kept", title, told)
    parts = [f"{reading.group_title(of, cut=48)} {_share_words(rows.get(of), figure)}" for of, figure in clear[:_MOST_NAMED]]
    more = f" {plural(len(clear) - _MOST_NAMED, 'other group')} changed too." if len(clear) > _MOST_NAMED else ""
    beyond = any(abs(figure.value or 0.0) > 0.223 for _, figure in clear)
    return Finding("problem" if beyond else "partly", "Changed", title, f"{listed(parts)}.{more}")


def _share_words(row: Mapping[str, Any] | None, figure: Estimate) -> str:
    if row and isinstance(row.get("share"), float) and isinstance(row.get("share_against"), float):
        return f"makes up {100 * row['share']:.1f}% of the synthetic table, {100 * row['share_against']:.1f}% of the source"
    return f"has {math.exp(figure.value or 0.0):.2f} times the odds"


def _moved(reading: Reading, name: str, other: str, title: str, quiet: str, loud: str) -> Finding | None:
    figures = _valued(reading, name) or _valued(reading, other)
    if not figures:
        return None
    clear = _clearest(figures)
    if not clear:
        return Finding(
            "answered",
            "Unchanged",
            title,
            f"{quiet}, as far as these rows can tell: a change of up to {number(_widest(figures))} would not show.",
        )
    parts = [f"of {reading.group_title(of, cut=48)} by {_signed(figure)}" for of, figure in clear[:_MOST_NAMED]]
    more = f", and of {plural(len(clear) - _MOST_NAMED, 'other group')}" if len(clear) > _MOST_NAMED else ""
    return Finding("partly", "Moved", title, f"{loud}: {listed(parts)}{more}.")


def _signed(figure: Estimate) -> str:
    sign = "+" if (figure.value or 0.0) > 0 else ""
    return f"{sign}{spoken(figure)}"


def _gap_finding(reading: Reading) -> Finding | None:
    by_name = {
        (name.rpartition(".")[2], of): figure
        for name in reading.by_name
        if name.startswith("bias.amplification.")
        for of, figure in _valued(reading, name).items()
    }
    if not by_name:
        return None
    title = "Against training on real rows"
    shares = {key: f for key, f in by_name.items() if metric_term(key[0]).digits is not None}
    clear = {key: f for key, f in shares.items() if _clear(f, len(shares)) and (f.value or 0.0) > 0}
    if clear:
        (metric, of), worst = max(clear.items(), key=lambda pair: pair[1].value or 0.0)
        told = f"Groups of {column_title(of)} lie further apart in {_term(metric)} than after training on real rows, "
        told += f"by {spoken(worst)}."
        more = f" So do {plural(len(clear) - 1, 'other gap')}." if len(clear) > 1 else ""
        return Finding("problem", "Amplified", title, told + more)
    headline = reading.headline.name if reading.headline else ""
    led = {key: f for key, f in shares.items() if key[0] == headline} or shares or by_name
    (metric, of), worst = max(led.items(), key=lambda pair: pair[1].high if pair[1].high is not None else pair[1].value or 0.0)
    told = "No gap between groups is clearly wider than after training on real rows. "
    told += f"In {_term(metric)} the gap between groups of {column_title(of)} changed by {_signed(worst)}."
    return Finding("answered", "Not amplified", title, told)


def _term(metric: str) -> str:
    title = METRIC_TERMS[metric].title if metric in METRIC_TERMS else metric_term(metric).title
    return title if title.split(" ")[0].isupper() else title[0].lower() + title[1:]


# The picture


def _chains(reading: Reading) -> tuple[Chain, ...]:
    stages = {stage: _valued(reading, name) for stage, name in _names().items()}
    order: dict[str, list[str]] = {}
    for row in reading.table("bias_outcomes"):
        of = row.get("of")
        if isinstance(of, str):
            named = order.setdefault(_columns_of(of), [])
            named += [of] if of not in named else []
    return tuple(chain for columns, ofs in order.items() if (chain := _chain(reading, columns, ofs, stages)) is not None)


def _names() -> dict[str, str]:
    return {
        "source": "bias.outcome.source",
        "synthetic": "bias.outcome.synthetic",
        "model": "bias.chain.model",
        "real_model": "bias.chain.real_model",
    }


def _columns_of(of: str) -> str:
    pairs = group_pairs(of)
    return " × ".join(clean(column) for column, _ in pairs) if pairs else of


def _chain(reading: Reading, title: str, ofs: Sequence[str], stages: Mapping[str, Mapping[str, Estimate]]) -> Chain | None:
    shown = [of for of in ofs if sum(of in stages[stage] for stage in ("source", "synthetic", "model")) >= 2]
    if reading.task == "multiclass":
        return None  # the figures are sizes over classes there: no line runs through them
    if not shown:
        return None
    left = len(ofs) - len(shown)
    told = f"{plural(left, 'group')} not drawn: too small, or withheld to protect a small one." if left else ""
    if len(shown) > _MOST_PANELS:
        moved = sorted(shown, key=lambda of: (-_travel(of, stages), of))[:_MOST_PANELS]
        told = f"The {_MOST_PANELS} of {len(shown)} groups that moved most; the sheet below has them all. {told}"
        shown = [of for of in shown if of in moved]
    scale = scale_for([stages[stage].get(of) for stage in stages for of in shown], include=[0.0])
    if scale is None:
        return None
    ticks = tuple((_place(scale, value), text) for value, text in _ticks(scale))
    panels = tuple(_panel(of, stages, scale) for of in shown)
    return Chain(label(title, cut=60).shown, ticks, _place(scale, 0.0), panels, told.strip())


def _travel(of: str, stages: Mapping[str, Mapping[str, Estimate]]) -> float:
    values = [f.value for stage in ("source", "synthetic", "model") if (f := stages[stage].get(of)) and f.value is not None]
    return max(values) - min(values)


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    """The scale's ticks as values: it keeps positions in percent between its two edges."""
    low, high = scale.at(scale.low), scale.at(scale.high)
    span = scale.high - scale.low
    return [(scale.low + (float(x) - low) / (high - low) * span, text) for x, text in scale.ticks]


def _place(scale: Scale, value: float) -> str:
    share = min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low)))
    return f"{_BOTTOM - share * (_BOTTOM - _TOP):.1f}"


def _panel(of: str, stages: Mapping[str, Mapping[str, Estimate]], scale: Scale) -> Panel:
    marks = []
    for stage, figures in stages.items():
        figure = figures.get(of)
        if figure is None or figure.value is None:
            continue
        low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
        ends = _place(scale, low), _place(scale, high)
        marks.append(Mark(stage, f"{_AT[stage]:g}", _place(scale, figure.value), *ends, number(figure.value)))
    points = {mark.kind: f"{mark.x} {mark.y}" for mark in marks}
    line = [points[stage] for stage, _ in STAGES if stage in points]
    real = f"M{points['source']}L{points['real_model']}" if {"source", "real_model"} <= points.keys() else ""
    pairs = group_pairs(of) or ()
    name = label(" × ".join(value for _, value in pairs) or of, cut=32)
    words = {"source": "source", "synthetic": "synthetic table", "model": "model", "real_model": "model trained on real rows"}
    description = "Difference from everyone else: " + ", ".join(
        f"{words[stage]} {spoken(figures[of])}" for stage, figures in stages.items() if of in figures
    )
    rows = next((f.n for stage in ("source", "synthetic") if (f := stages[stage].get(of)) is not None), None)
    note = f"{count(rows)} source rows" if "source" in points else f"{count(rows)} rows"
    return Panel(
        name.shown, name.full, note, tuple(marks), "M" + "L".join(line) if len(line) > 1 else "", real, description + "."
    )


# The sheets


def _by_column(reading: Reading, ofs: Sequence[str], row: Any) -> tuple[Section, ...]:
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for of in ofs:
        sections.setdefault(_columns_of(of), []).append(row(of))
    return tuple(Section(label(column, cut=60).shown, tuple(rows)) for column, rows in sections.items())


def _group_cell(of: str, note: str = "") -> Cell:
    pairs = group_pairs(of) or ()
    return Cell.of_label(label(" × ".join(value for _, value in pairs) or of), note)


def _figure(figure: Estimate | None, *, signed: bool = False) -> Cell:
    if figure is None:
        return Cell("—", tone="absent")
    if figure.value is None:
        return Cell(figure.status, tone="absent", full=prose(figure.reason or "", cut=200))
    sign = "+" if signed and figure.value > 0 else ""
    return Cell(sign + number(figure.value), interval(figure))


def _in_order(reading: Reading, table: str, figures: Mapping[str, Estimate]) -> list[str]:
    return [of for of in dict.fromkeys(str(row.get("of")) for row in reading.table(table)) if of in figures]


def _representation(reading: Reading) -> Sheet | None:
    synthetic = reading.by_name.get("bias.representation.synthetic", {})
    source = reading.by_name.get("bias.representation.source", {})
    rows = {(row.get("of"), row.get("table")): row for row in reading.table("bias_representation")}
    told = {of: f for of, f in {**source, **synthetic}.items() if f.value is not None or source.get(of, f).value is not None}
    ofs = _in_order(reading, "bias_representation", told)
    if not ofs:
        return None
    scale = scale_for([synthetic.get(of) for of in ofs], include=[0.0]) if synthetic else None
    columns = [Column("Group", "label")]
    if synthetic:
        columns += [
            Column(
                "Odds, synthetic against source", "plot", "left: fewer", scale=scale, references=reference("zero", 0.0, scale)
            ),
            Column("Log odds ratio", "number", "0: as many", mark="loss"),
            Column("Synthetic", "number", "share"),
        ]
    columns.append(Column("Source", "number", "share"))
    if source:
        columns += [Column("Population", "number", "share"), Column("Source against population", "number", "log odds ratio")]

    def row(of: str) -> tuple[Cell, ...]:
        one, two = rows.get((of, "synthetic"), {}), rows.get((of, "source"), {})
        cells = [_group_cell(of, "no row in the synthetic table" if one.get("n") == 0 else "")]
        if synthetic:
            figure = synthetic.get(of)
            cells += [
                Cell(whiskers=whisker("loss", figure, scale)),
                _figure(figure, signed=True),
                Cell(_percent(one.get("share"))),
            ]
        cells.append(Cell(_percent(one.get("share_against") if one.get("share_against") is not None else two.get("share"))))
        if source:
            cells += [Cell(_percent(two.get("share_against"))), _figure(source.get(of), signed=True)]
        return tuple(cells)

    caption = "How large a part of each table a group is. A log odds ratio of −0.223 means four fifths of the odds."
    return Sheet("bias-representation", caption, tuple(columns), _by_column(reading, ofs, row))


def _percent(share: object) -> str:
    return f"{100 * share:.1f}%" if isinstance(share, (int, float)) else "—"


def _decomposition(reading: Reading) -> Sheet | None:
    steps = {
        step: reading.by_name.get(f"bias.chain.{step}", {}) for step in ("source", "synthesis", "training", "model", "real_model")
    }
    told = {of: figure for each in steps.values() for of, figure in each.items() if figure.value is not None}
    ofs = _in_order(reading, "bias_chain", told)
    if not ofs:
        return None
    worst = {row.get("of") for row in reading.table("bias_chain") if row.get("worst")}
    added = [steps[step].get(of) for step in ("synthesis", "training") for of in ofs]
    scale = scale_for(added, include=[0.0])
    columns = [Column("Group", "label"), Column("Source", "number", "holds")]
    if scale is not None:
        lines = reference("zero", 0.0, scale)
        columns.append(Column("Added", "plot", "● synthesis, ◇ training", scale=scale, references=lines))
    heads = (
        ("synthesis", "Synthesis", "adds", "tstr"),
        ("training", "Training", "adds", "trtr"),
        ("model", "Model", "in sum", ""),
    )
    columns += [Column(title, "number", hint, mark=mark) for step, title, hint, mark in heads if steps[step]]

    def row(of: str) -> tuple[Cell, ...]:
        cells = [_group_cell(of, "moved most" if of in worst else ""), _figure(steps["source"].get(of), signed=True)]
        if scale is not None:
            marks = (*whisker("tstr", steps["synthesis"].get(of), scale), *whisker("trtr", steps["training"].get(of), scale))
            cells.append(Cell(whiskers=marks))
        cells += [_figure(steps[step].get(of), signed=True) for step, *_ in heads if steps[step]]
        return tuple(cells)

    caption = (
        f"Where the model's difference between a group and everyone else comes from, with {reading.confidence_text} intervals: "
        "source, synthesis and training add up to the model."
    )
    return Sheet("bias-decomposition", caption, tuple(columns), _by_column(reading, ofs, row))


_LEADING = (
    "auroc",
    "macro_auroc",
    "r2",
    "sensitivity",
    "equalized_odds",
    "selection_rate",
    "ppv",
    "calibration_slope",
    "accuracy",
)


def _amplification(reading: Reading) -> Sheet | None:
    rows = [row for row in reading.table("bias_amplification") if row.get("metric") in (*_LEADING, "directional")]
    rows = [row for row in rows if row.get("value") is not None]
    if not rows:
        return None
    rank = {name: place for place, name in enumerate((*_LEADING, "directional"))}
    scale = scale_for([_of_row(row) for row in rows], include=[0.0])
    columns = (
        Column("Measure", "label"),
        Column("Amplification", "plot", "right: groups lie further apart", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Amplification", "number", "", mark="loss"),
        Column("Synthetic", "number", "gap under TSTR"),
        Column("Real", "number", "gap under TRTR"),
    )
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for row in sorted(rows, key=lambda row: rank[str(row["metric"])]):
        figure = _of_row(row)
        title, note = _measure(row)
        sections.setdefault(column_title(str(row.get("of"))), []).append(
            (
                Cell(title, note),
                Cell(whiskers=whisker("loss", figure, scale)),
                _figure(figure, signed=True),
                Cell(number(row.get("gap_tstr"))),
                Cell(number(row.get("gap_trtr"))),
            )
        )
    caption = (
        "Gaps between groups after training on synthetic rows, less those after training on real rows, on the same patients."
    )
    return Sheet("bias-amplification", caption, columns, tuple(Section(c, tuple(each)) for c, each in sections.items()))


def _measure(row: Mapping[str, Any]) -> tuple[str, str]:
    if row.get("metric") == "directional":
        trained = "synthetic" if row.get("protocol") == "tstr" else "real"
        return "Directional amplification", f"trained on {trained} rows; above 0 the model sharpens what it learned"
    return metric_term(str(row.get("metric"))).title, ""


def _of_row(row: Mapping[str, Any]) -> Estimate:
    if row.get("value") is None:
        return Estimate.insufficient(str(row.get("reason") or "not measured"))
    return Estimate(row["value"], row.get("low"), row.get("high"))


def _folds(reading: Reading) -> tuple[tuple[str, Sheet], ...]:
    asked: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
        ("bias_representation", "Shares of every group",
         (("table", "Table"), ("against", "Against"), ("n", "Rows"), ("share", "Share"), ("share_against", "Share there"),
          ("value", "Log odds ratio"), ("low", "Low"), ("high", "High"), ("reason", "Why not shown"))),
        ("bias_outcomes", "Outcomes of every group, table by table",
         (("measure", "Measure"), ("class", "Class"), ("n", "Rows"), ("mean", "Mean"), ("mean_of_others", "Of others"),
          ("value", "Difference"), ("low", "Low"), ("high", "High"), ("reason", "Why not shown"))),
        ("bias_amplification", "Every gap between groups",
         (("metric", "Measure"), ("protocol", "Protocol"), ("groups", "Groups"), ("gap_tstr", "Gap, synthetic"),
          ("gap_trtr", "Gap, real"), ("value", "Amplification"), ("low", "Low"), ("high", "High"), ("reason", "Why not shown"))),
    )  # fmt: skip
    found = []
    for table, title, columns in asked:
        rows = reading.table(table)[:_MOST_ROWS]
        kept = [(key, head) for key, head in columns if any(row.get(key) is not None for row in rows)]
        if rows:
            heads = (Column("", "label"), *(Column(head, "text" if key in _WORDS else "number") for key, head in kept))
            cells = tuple((_row_name(row), *(Cell(_plain(row.get(key))) for key, _ in kept)) for row in rows)
            total = len(reading.table(table))
            left = f", the first {_MOST_ROWS} of {total:,} rows" if total > _MOST_ROWS else f", {plural(total, 'row')}"
            found.append((title + left, Sheet(f"{table.replace('_', '-')}-all", f"{title}.", heads, (Section("", cells),))))
    return tuple(found)


_MOST_ROWS = 300
_WORDS = ("table", "against", "measure", "class", "metric", "protocol", "reason")


def _row_name(row: Mapping[str, Any]) -> Cell:
    group = row.get("group")
    return Cell.of_label(label(f"{row.get('column')}: {group}" if group is not None else str(row.get("column")), cut=48))


def _plain(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, int):
        return count(value)
    return number(value) if isinstance(value, float) else prose(str(value).replace("_", " "), cut=120)
