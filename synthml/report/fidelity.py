"""The chapter on fidelity: where the synthetic table departs from its source.

Every figure stands beside what two samples of the source show of each other; a column or pair is said to depart only when it
shows more than 95 of 100 such samples do.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.report.charts import Cell, Column, Section, Sheet, scale_for, whisker
from synthml.report.finding import Finding
from synthml.report.heat import Heat, association_heat
from synthml.report.wording import clean, count, interval, label, listed, number, plural, prose, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from synthml.report.charts import Scale
    from synthml.report.reading import Reading

__all__ = ["FidelityChapter", "Finding", "fidelity_chapter"]

_MOST_COLUMNS = 40
_MOST_GROUPS = 60
_MOST_FOLDED = 200
_MOST_RULES = 12
_NAMES = {
    "tvd": "Total variation",
    "jensen_shannon": "Jensen-Shannon",
    "ks": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein",
    "missingness": "Missing values",
    "coverage": "Coverage",
    "new_categories": "New values",
    "pair_tvd": "Pairs, total variation",
    "association": "Associations",
    "pmse": "Propensity error (pMSE)",
    "discriminator_auroc": "AUROC of a classifier",
}
_KINDS = {
    "user": "of the study",
    "inequality": "inequality",
    "dependency": "dependency",
    "missingness": "missing together",
    "combination": "impossible combination",
    "values": "values",
}


@dataclass(frozen=True)
class FidelityChapter:
    """What the chapter shows. lead: the answer; folds: titles and sheets for whoever wants to check."""

    lead: str
    findings: tuple[Finding, ...]
    columns: Sheet | None
    heat: Heat | None
    groups: Sheet | None
    classifiers: Sheet | None
    rules: Sheet | None
    folds: tuple[tuple[str, Sheet], ...]


def fidelity_chapter(reading: Reading) -> FidelityChapter | None:
    """The chapter; None when nothing of it was measured."""
    if not any(name.startswith("fidelity.") for name in reading.by_name):
        return None
    found = [
        part
        for make in (_columns, _pairs, _groups, _missing, _categories, _told_apart, _rules)
        if (part := make(reading)) is not None
    ]
    return FidelityChapter(
        lead=_lead(reading),
        findings=tuple(found),
        columns=column_sheet(reading),
        heat=association_heat(reading),
        groups=group_sheet(reading),
        classifiers=classifier_sheet(reading),
        rules=rule_sheet(reading),
        folds=tuple(_folds(reading)),
    )


def _lead(reading: Reading) -> str:
    """One sentence for whoever reads nothing else."""
    overall = [(name, reading.figure(f"fidelity.{name}.excess")) for name in ("tvd", "pair_tvd", "association")]
    told = [(name, figure) for name, figure in overall if figure is not None and figure.value is not None]
    if not told:
        return "The tables are too small to tell a departure from chance."
    apart = {name for name, figure in told if figure.low is not None and figure.low > 0}
    columns, pairs = "tvd" in apart, bool(apart - {"tvd"})
    if not apart:
        return "On the whole the synthetic table is as like its source as a second sample of the same people would be."
    if columns and pairs:
        return "The synthetic table departs from its source, in single columns and in how columns go together."
    if columns:
        return "Single columns depart from the source; how columns go together holds on the whole."
    return "Single columns hold on the whole; how columns go together departs from the source."


def _counts(reading: Reading, measure: str) -> Mapping[str, Any] | None:
    return next((row for row in reading.table("fidelity_counts") if row.get("measure") == measure), None)


def _chance(row: Mapping[str, Any]) -> str:
    expected = row.get("by_chance")
    return f" (about {expected:.1f} would by chance)" if isinstance(expected, float) else ""


def _tone(row: Mapping[str, Any], *, overall: Estimate | None) -> tuple[str, str]:
    """A chip for how many depart. Beyond chance: on the whole, or three times as many as chance gives."""
    beyond = overall is not None and overall.low is not None and overall.low > 0
    many, expected = int(row.get("departing") or 0), float(row.get("by_chance") or 0.0)
    if beyond or many > max(3 * expected, 2):
        return "problem", "Departs"
    return ("answered", "As a fresh sample") if many <= expected + 1 else ("partly", "A few depart")


def _worst(rows: Iterable[Mapping[str, Any]], prefix: str = "") -> list[Mapping[str, Any]]:
    """Rows that depart, the furthest beyond their floor first."""
    apart = [row for row in rows if row.get(f"{prefix}departs")]
    return sorted(apart, key=lambda row: -abs(row[f"{prefix}value"] - row[f"{prefix}floor"]))


def _columns(reading: Reading) -> Finding | None:
    row = _counts(reading, "tvd")
    if row is None:
        return None
    tone, word = _tone(row, overall=reading.figure("fidelity.tvd.excess"))
    worst = _worst(r for r in reading.table("fidelity_columns") if r.get("measure") == "tvd")
    names = listed((label(r.get("column"), cut=32).shown for r in worst), most=3)
    text = (
        f"{row['departing']} of {plural(int(row['among']), 'column')} show more than two samples of the source do{_chance(row)}"
    )
    return Finding(tone, word, "Single columns", f"{text}{': ' + names if names else ''}.")


def _pairs(reading: Reading) -> Finding | None:
    rows = [(name, row) for name in ("pair_tvd", "association") if (row := _counts(reading, name)) is not None]
    if not rows:
        return None
    tones = [_tone(row, overall=reading.figure(f"fidelity.{name}.excess")) for name, row in rows]
    tone, word = min(tones, key=lambda pair: ("problem", "partly", "answered").index(pair[0]))
    among = plural(int(rows[0][1]["among"]), "pair")
    worst = _worst(reading.table("fidelity_pairs"), "gap_")[:2]
    names = " and ".join(
        f"{label(r.get('first'), cut=24).shown} with {label(r.get('second'), cut=24).shown} "
        f"({number(r.get('source'), digits=2)} in the source, {number(r.get('synthetic'), digits=2)} here)"
        for r in worst
    )
    parts = [
        f"{row['departing']} depart in {'how values go together' if name == 'pair_tvd' else 'how strongly'}{_chance(row)}"
        for name, row in rows
    ]
    return Finding(tone, word, "Pairs of columns", f"Of {among}, {listed(parts)}{'; furthest ' + names if names else ''}.")


def _groups(reading: Reading) -> Finding | None:
    figures = {of: f for of, f in reading.by_name.get("fidelity.association.excess", {}).items() if of != "all"}
    columns = {of: f for of, f in reading.by_name.get("fidelity.tvd.excess", {}).items() if of != "all"}
    told = [of for of, f in columns.items() if f.value is not None]
    if not columns:
        return None
    if not told:
        return Finding("open", "Insufficient", "Within groups", "Every group is too small to be laid beside its own.")
    # of many groups one stands out by luck: intervals are widened over all of them (Bonferroni), two figures each
    wider = NormalDist().inv_cdf(1 - (1 - reading.confidence) / 2 / (2 * len(told))) / NormalDist().inv_cdf(
        (1 + reading.confidence) / 2
    )
    beyond = {of: [f[of] for f in (figures, columns) if of in f and _above(f[of], wider)] for of in columns}
    worst = sorted((of for of, found in beyond.items() if found), key=lambda of: -max(f.value or 0.0 for f in beyond[of]))
    left = len(columns) - len(told)
    more = f" {plural(left, 'group')} {'is' if left == 1 else 'are'} too small to tell." if left else ""
    if not worst:
        return Finding("answered", "As fresh samples", "Within groups", f"None of {plural(len(told), 'group')} departs.{more}")
    names = listed((reading.group_title(of, cut=48).shown for of in worst), most=4)
    return Finding("problem", "Departs", "Within groups", f"{len(worst)} of {plural(len(told), 'group')} depart: {names}.{more}")


def _above(excess: Estimate, wider: float) -> bool:
    """Whether a figure lies beyond its floor with an interval so much wider."""
    return excess.value is not None and excess.low is not None and excess.value - wider * (excess.value - excess.low) > 0


def _missing(reading: Reading) -> Finding | None:
    figure = reading.figure("fidelity.missingness.synthetic")
    if figure is None or figure.value is None:
        return None
    rows = reading.table("fidelity_missingness")
    columns = [row for row in rows if row.get("kind") == "column"]
    if not columns:
        return Finding("answered", "None", "Missing values", "Neither table lacks values that could be told.")
    worst = _worst(columns)
    patterns = next((row for row in rows if row.get("kind") == "patterns"), None)
    together = patterns is not None and bool(patterns.get("departs"))
    names = listed((label(row.get("of"), cut=32).shown for row in worst), most=3)
    text = f"{len(worst)} of {plural(len(columns), 'column')} with missing values depart{': ' + names if names else ''}."
    if together and patterns is not None:
        text += f" Which columns are missing together differs for {number(patterns.get('value'), digits=2)} of the rows."
    tone = "problem" if together or len(worst) > 0.15 * len(columns) + 1 else "partly" if worst else "answered"
    word = {"problem": "Departs", "partly": "A few depart", "answered": "As a fresh sample"}[tone]
    return Finding(tone, word, "Missing values", text)


def _categories(reading: Reading) -> Finding | None:
    rows = reading.table("fidelity_columns")
    lost = _worst(row for row in rows if row.get("measure") == "coverage")
    new = _worst(row for row in rows if row.get("measure") == "new_categories")
    if not any(row.get("measure") == "coverage" for row in rows):
        return None
    parts = []
    if lost:
        names = listed((label(row.get("column"), cut=32).shown for row in lost), most=3)
        parts.append(f"The table does not reach all of {names}.")
    if new:
        names = listed((label(row.get("column"), cut=32).shown for row in new), most=3)
        parts.append(f"It has values that the source never had in {names}.")
    if not parts:
        return Finding("answered", "Covered", "Values and ranges", "Common labels and central ranges occur, and nothing is new.")
    return Finding("problem" if new else "partly", "Departs", "Values and ranges", " ".join(parts))


def _told_apart(reading: Reading) -> Finding | None:
    figure = reading.figure("fidelity.discriminator_auroc.synthetic")
    if figure is None:
        return None
    title = "Told apart by a classifier"
    if figure.value is None:
        return Finding("open", "Insufficient", title, f"It cannot be told: {prose(figure.reason or '', cut=160)}.")
    told = f"A classifier tells synthetic rows from real ones with an AUROC of {spoken(figure, digits=2)}; 0.5 is a guess."
    low, high = figure.low if figure.low is not None else figure.value, figure.high if figure.high is not None else figure.value
    if low > 0.5:
        return Finding("problem" if figure.value > 0.6 else "partly", "Told apart", title, told)
    return Finding("answered" if high < 0.6 else "open", "Not told apart" if high < 0.6 else "Undecided", title, told)


def _rules(reading: Reading) -> Finding | None:
    figure = reading.figure("fidelity.rule_violations.synthetic")
    rows = reading.table("fidelity_rules")
    if figure is None or not rows:
        return None
    title = "Rules between columns"
    if figure.value is None:
        return Finding("open", "Insufficient", title, f"It cannot be told: {prose(figure.reason or '', cut=160)}.")
    broken = [row for row in rows if row.get("broken")]
    if not broken:
        return Finding("answered", "Kept", title, f"All {plural(len(rows), 'rule')} hold in every synthetic row.")
    worst = max(broken, key=lambda row: row.get("synthetic_share") or 0.0)
    text = (
        f"{len(broken)} of {plural(len(rows), 'rule')} are broken, by {number(100 * figure.value, digits=1)}% of the rows; "
        f"most often “{prose(worst.get('rule'), cut=80)}”."
    )
    return Finding("problem" if figure.value > 0.01 else "partly", "Broken", title, text)


def _estimate(row: Mapping[str, Any], value: str = "value", low: str = "low", high: str = "high") -> Estimate:
    if not isinstance(row.get(value), (int, float)):
        return Estimate.insufficient(clean(row.get("reason") or "not measured"))
    return Estimate(row[value], row.get(low), row.get(high))


def _floor(row: Mapping[str, Any]) -> Estimate:
    return _estimate(row, "floor", "floor_low", "floor_high")


def _lane(row: Mapping[str, Any], scale: Scale | None) -> Cell:
    """The figure above what halves of the source show."""
    return Cell(whiskers=(*whisker("tstr", _estimate(row), scale), *whisker("trivial", _floor(row), scale)))


def _departs(row: Mapping[str, Any] | None, *, digits: int = 3) -> Cell:
    if row is None or not isinstance(row.get("value"), (int, float)):
        why = "" if row is None else prose(row.get("reason") or "", cut=80)
        return Cell("—", why, tone="absent")
    tone, word = ("beyond", "departs") if row.get("departs") else ("", "")
    return Cell(number(row["value"], digits=digits), word, tone=tone)


def column_sheet(reading: Reading) -> Sheet | None:
    """Every column: total variation drawn against its floor, the other measures as numbers."""
    by_column: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in reading.table("fidelity_columns"):
        by_column.setdefault(str(row.get("of")), {})[str(row.get("measure"))] = row
    rows = [found for found in by_column.values() if "tvd" in found]
    if not rows:
        return None
    rows.sort(key=lambda found: -((found["tvd"].get("value") or 0.0) - (found["tvd"].get("floor") or 0.0)))
    left = len(rows) - _MOST_COLUMNS
    rows = rows[:_MOST_COLUMNS]
    tvd = [found["tvd"] for found in rows]
    scale = scale_for([*map(_estimate, tvd), *map(_floor, tvd)], include=[0.0], floor=0.0, ceiling=1.0)
    columns = (
        Column("Column", "label"),
        Column("Total variation", "plot", "right: further apart", scale=scale),
        Column("Here", "number", "synthetic", mark="tstr"),
        Column("By chance", "number", "95 of 100 halves", mark="trivial"),
        Column("KS", "number"),
        Column("Wasserstein", "number", "in spreads"),
        Column("Missing", "number", "difference"),
        Column("Coverage", "number"),
    )
    cells = tuple(
        (
            Cell.of_label(label(found["tvd"].get("column"), cut=40), str(found["tvd"].get("kind") or "")),
            _lane(found["tvd"], scale),
            _departs(found["tvd"]),
            Cell(number(found["tvd"].get("floor_high"))),
            *(_departs(found.get(name)) for name in ("ks", "wasserstein", "missingness", "coverage")),
        )
        for found in rows
    )
    more = f" The {_MOST_COLUMNS} furthest; {left} more stand in the evidence." if left > 0 else ""
    caption = f"Every column beside what halves of the source show of each other, the furthest beyond it first.{more}"
    return Sheet("fidelity-columns", caption, columns, (Section("", cells),))


def group_sheet(reading: Reading) -> Sheet | None:
    """Within every group: columns, associations and missing values beside the group's own floor."""
    by_group: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in reading.table("fidelity_groups"):
        by_group.setdefault(str(row.get("of")), {})[str(row.get("measure"))] = row
    told = {of: found for of, found in by_group.items() if isinstance(found.get("tvd", {}).get("value"), float)}
    if not told:
        return None
    shown = dict(list(told.items())[:_MOST_GROUPS])
    scales = {
        name: scale_for(
            [e for found in shown.values() if name in found for e in (_estimate(found[name]), _floor(found[name]))],
            include=[0.0],
            floor=0.0,
            about=3,
        )
        for name in ("tvd", "association")
    }
    columns = (
        Column("Group", "label"),
        Column("Columns", "plot", "mean total variation", scale=scales["tvd"]),
        Column("Columns", "number", "", mark="tstr"),
        Column("Associations", "plot", "mean difference", scale=scales["association"]),
        Column("Associations", "number", "", mark="tstr"),
    )
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for found in shown.values():
        row = found["tvd"]
        rows = f"{count(row.get('n'))} real, {count(row.get('n_synthetic'))} synthetic rows"
        cells = [Cell.of_label(label(row.get("group"), cut=48), rows)]
        for name in ("tvd", "association"):
            cells += [_lane(found[name], scales[name]) if name in found else Cell(), _departs(found.get(name))]
        sections.setdefault(str(row.get("column")), []).append(tuple(cells))
    hidden = len(by_group) - len(told)
    more = f" {plural(hidden, 'group')} without figures." if hidden else ""
    caption = f"The same within every group, each beside halves of its own people.{more}"
    named = tuple(Section(label(title, cut=60).shown, tuple(rows)) for title, rows in sections.items())
    return Sheet("fidelity-groups", caption, columns, named)


def classifier_sheet(reading: Reading) -> Sheet | None:
    """Whether anything can tell the tables apart, over all rows and by group."""
    rows = [row for row in reading.table("fidelity_classifiers") if isinstance(row.get("value"), (int, float))]
    auroc = [row for row in rows if row.get("measure") == "discriminator_auroc"][:_MOST_GROUPS]
    if not auroc:
        return None
    ratio = reading.by_name.get("fidelity.pmse.ratio", {})
    scale = scale_for([*map(_estimate, auroc), *map(_floor, auroc)], include=[0.5])
    columns = (
        Column("Rows", "label"),
        Column("AUROC", "plot", "0.5: cannot be told apart", scale=scale),
        Column("AUROC", "number", "of a classifier", mark="tstr"),
        Column("By chance", "number", "halves of the source", mark="trivial"),
        Column("pMSE ratio", "number", "1: as if shuffled"),
    )
    cells = []
    for row in auroc:
        of = str(row.get("of"))
        name = reading.group_title(of, cut=60)
        figure, error = _estimate(row), ratio.get(of)
        shown = (
            Cell("—", tone="absent")
            if error is None or error.value is None
            else Cell(number(error.value, digits=2), interval(error, digits=2))
        )
        floor = _floor(row)
        cells.append(
            (
                Cell(
                    name.shown,
                    "" if of != "all" else f"{count(row.get('n'))} rows judged",
                    name.full,
                    "everyone" if of == "all" else "",
                ),
                _lane(row, scale),
                Cell(number(figure.value), interval(figure)),
                Cell(number(floor.value), interval(floor)),
                shown,
            )
        )
    caption = "Can anything tell synthetic rows from real ones? Trained on some rows, judged on others."
    return Sheet("fidelity-classifiers", caption, columns, (Section("", tuple(cells)),))


def rule_sheet(reading: Reading) -> Sheet | None:
    """Rules that synthetic rows break, the most broken first."""
    rows = [row for row in reading.table("fidelity_rules") if row.get("broken") or row.get("kind") == "user"]
    if not rows:
        return None
    rows.sort(key=lambda row: (-(row.get("synthetic_share") or 0.0), str(row.get("rule"))))
    caption = "Rules that synthetic rows break, and those that the study names."
    return _rule_sheet("fidelity-rules", caption, rows[:_MOST_RULES])


def _rule_sheet(key: str, caption: str, rows: Sequence[Mapping[str, Any]]) -> Sheet:
    columns = (
        Column("Rule", "label"),
        Column("Synthetic rows", "number", "that break it"),
        Column("Source", "number"),
        Column("Holdout", "number"),
    )
    cells = tuple(
        (
            Cell.of_label(label(row.get("rule"), cut=100), _KINDS.get(str(row.get("kind")), clean(row.get("kind") or ""))),
            _share(row.get("synthetic_share"), f"{count(row.get('broken'))} of {count(row.get('n'))}", row.get("reason")),
            _share(row.get("source_share")),
            _share(row.get("holdout_share")),
        )
        for row in rows
    )
    return Sheet(key, caption, columns, (Section("", cells),))


def _share(value: object, note: str = "", reason: object = None) -> Cell:
    if not isinstance(value, (int, float)):
        return Cell("—", prose(reason or "", cut=80), tone="absent")
    return Cell(f"{number(100 * value, digits=2)}%", note)


def _folds(reading: Reading) -> Iterable[tuple[str, Sheet]]:
    plain: tuple[tuple[str, str, Callable[[Mapping[str, Any]], str], tuple[tuple[str, str], ...]], ...] = (
        (
            "fidelity_columns",
            "Every measure of every column",
            lambda row: f"{label(row.get('column'), cut=40).shown}: {_NAMES.get(str(row.get('measure')), '')}",
            (("value", "Synthetic"), ("low", "Low"), ("high", "High"), ("floor", "Halves"), ("floor_high", "95 of 100"),
             ("departs", "Departs"), ("reason", "Why not")),
        ),
        (
            "fidelity_pairs",
            "Every pair of columns",
            lambda row: f"{label(row.get('first'), cut=32).shown} × {label(row.get('second'), cut=32).shown}",
            (("tvd_value", "Total variation"), ("tvd_floor_high", "95 of 100"), ("tvd_departs", "Departs"), ("association", "By"),
             ("source", "Source"), ("synthetic", "Synthetic"), ("gap_value", "Difference"), ("gap_floor_high", "95 of 100"),
             ("gap_departs", "Departs")),
        ),
        (
            "fidelity_groups",
            "Every measure within every group",
            lambda row: f"{label(row.get('column'), cut=32).shown}: {label(row.get('group'), cut=40).shown}, "
            f"{_NAMES.get(str(row.get('measure')), '').lower()}",
            (("value", "Mean"), ("low", "Low"), ("high", "High"), ("floor", "Halves"), ("floor_high", "95 of 100"),
             ("excess", "Beyond"), ("departs", "Departs"), ("reason", "Why not")),
        ),
        (
            "fidelity_missingness",
            "Missing values and which are missing together",
            _missing_name,
            (("source_share", "Source"), ("synthetic_share", "Synthetic"), ("value", "Difference"), ("floor_high", "95 of 100"),
             ("departs", "Departs")),
        ),
        (
            "fidelity_tells",
            "What gives synthetic rows away",
            lambda row: label(row.get("column"), cut=40).shown,
            (("drop", "AUROC it carries"), ("low", "Low"), ("high", "High")),
        ),
    )  # fmt: skip
    for table, title, name, heads in plain:
        rows = reading.table(table)
        if rows:
            columns = (Column("", "label"), *(Column(head, "text" if key in _WORDS else "number") for key, head in heads))
            cells = tuple((Cell(name(row)), *(_plain(row.get(key)) for key, _ in heads)) for row in rows[:_MOST_FOLDED])
            sheet = Sheet(f"{table.replace('_', '-')}-all", f"{title}.", columns, (Section("", cells),))
            yield f"{title}, {plural(len(rows), 'row')}", sheet
    rules = reading.table("fidelity_rules")
    if rules:
        caption = "Rules of the study, and those that were learned from the source and hold in other real rows."
        yield f"Every rule, {plural(len(rules), 'row')}", _rule_sheet("fidelity-rules-all", caption, rules[:_MOST_FOLDED])


_WORDS = ("departs", "reason", "tvd_departs", "gap_departs", "association")


def _missing_name(row: Mapping[str, Any]) -> str:
    of = label(row.get("of"), cut=60).shown
    return {"column": of, "patterns": "All patterns together"}.get(str(row.get("kind")), f"Missing together: {of}")


def _plain(value: object) -> Cell:
    if value is None:
        return Cell("—", tone="absent")
    if isinstance(value, bool):
        return Cell("yes" if value else "no", tone="beyond" if value else "")
    if isinstance(value, str):
        return Cell({"spearman": "Spearman", "cramers_v": "Cramér's V"}.get(value, prose(value, cut=120)))
    return Cell(number(float(value)) if isinstance(value, (int, float)) else "")
