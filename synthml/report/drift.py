"""The chapter on drift, by Evidently: one comparison of tables after the other, the strongest columns first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.wording import count, interval, label, listed, number, plural, prose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.report.charts import Scale
    from synthml.report.reading import Reading

__all__ = ["DriftChapter", "DriftPart", "drift_chapter"]

_MOST = 12  # columns that stand in the open
_READING = {
    "source_synthetic": "What the generator changed: the synthetic table beside the real one it was made from.",
    "synthetic_holdout": (
        "What a model trained on the synthetic table meets in real patients it has never seen. A column that drifts here, and "
        "not from source to synthetic, differs between the real tables themselves."
    ),
    "holdout_production": "What has changed in use since the model was proven on real patients.",
}


@dataclass(frozen=True)
class DriftPart:
    """One comparison. title, told, how: heading, what was found, how to read it; sheet, rest: the strongest columns, and the
    others; unmeasured: columns without a score, and why."""

    title: str
    told: str
    how: str
    sheet: Sheet | None
    rest: Sheet | None
    unmeasured: Sheet | None


@dataclass(frozen=True)
class DriftChapter:
    """What the chapter shows. lead: all comparisons in one sentence or two."""

    lead: str
    parts: tuple[DriftPart, ...]


def drift_chapter(reading: Reading) -> DriftChapter | None:
    """The chapter; None when nothing of it was measured."""
    rows = reading.table("drift")
    names = tuple(dict.fromkeys(str(row.get("comparison")) for row in rows))
    if not names:
        return None
    by_name = {name: [row for row in rows if str(row.get("comparison")) == name] for name in names}
    parts = tuple(_part(name, by_name[name], at) for at, name in enumerate(names))
    return DriftChapter(_lead(by_name), parts)


def _lead(by_name: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How many columns drift, by Evidently, in each comparison."""
    told = []
    for name, rows in by_name.items():
        measured = [row for row in rows if row.get("score") is not None]
        drifted = sum(bool(row.get("drifted")) for row in measured)
        told.append(f"{drifted} of {plural(len(measured), 'column')} from {_between(name)}")
    return f"By Evidently's methods and thresholds, drift is found in {listed(told, most=6)}."


def _between(name: str) -> str:
    first, _, second = name.partition("_")
    return f"{prose(first, cut=40)} to {prose(second, cut=40)}"


def _part(name: str, rows: Sequence[Mapping[str, Any]], at: int) -> DriftPart:
    measured = sorted(
        (row for row in rows if row.get("score") is not None), key=lambda row: (-float(row["score"]), str(row["column"]))
    )
    lacking = [row for row in rows if row.get("score") is None]
    scale = scale_for([_estimate(row) for row in measured], include=[0.0, *_thresholds(measured)]) if measured else None
    between = _between(name)
    shown, rest = measured[:_MOST], measured[_MOST:]
    return DriftPart(
        between[0].upper() + between[1:],
        _told(measured, lacking),
        _READING.get(name, f"The {between.replace(' to ', ' table is the reference, the ')} table is compared with it."),
        _sheet(f"drift-{at}", f"Drift from {between}, strongest first.", shown, scale) if shown else None,
        _sheet(f"drift-{at}-rest", f"Drift from {between}, the other columns.", rest, scale) if rest else None,
        _lacking(f"drift-{at}-lacking", lacking) if lacking else None,
    )


def _thresholds(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return sorted({float(row["threshold"]) for row in rows if row.get("threshold") is not None})


def _told(measured: Sequence[Mapping[str, Any]], lacking: Sequence[Mapping[str, Any]]) -> str:
    """What was found, in plain words."""
    if not measured:
        return "No column could be measured."
    drifted = [row for row in measured if row.get("drifted")]
    sure = [row for row in drifted if _estimate(row).low is not None and (_estimate(row).low or 0.0) >= float(row["threshold"])]
    strongest = measured[0]
    top = f"The strongest is {label(strongest['column'], cut=48)} with a score of {_score(strongest)}"
    if not drifted:
        told = f"None of {plural(len(measured), 'column')} reaches Evidently's threshold. {top}."
    else:
        verb = "drifts" if len(drifted) == 1 else "drift"
        told = (
            f"{len(drifted)} of {plural(len(measured), 'column')} {verb} by Evidently's threshold. {top}. {_sure(drifted, sure)}"
        )
    if lacking:
        told += f" {plural(len(lacking), 'column')} could not be measured."
    return told


def _sure(drifted: Sequence[Mapping[str, Any]], sure: Sequence[Mapping[str, Any]]) -> str:
    if len(sure) == len(drifted):
        whose = "its interval lies" if len(sure) == 1 else "their intervals lie"
        return f"Chance does not explain it: {whose} beyond the threshold."
    if not sure:
        return "Chance may explain it: tables of this size may reach the threshold without any drift."
    names = listed([label(row["column"], cut=40).shown for row in sure], most=5)
    return f"Beyond doubt it is for {names}; the others may reach the threshold by chance."


def _score(row: Mapping[str, Any]) -> str:
    found = _estimate(row)
    bounds = interval(found)
    return f"{number(found.value)} ({bounds})" if bounds else number(found.value)


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["score"], row.get("low"), row.get("high"), row.get("n_current"))


def _sheet(key: str, caption: str, rows: Sequence[Mapping[str, Any]], scale: Scale | None) -> Sheet:
    limits = _thresholds(rows)
    margin = reference("margin", limits[0], scale) if len(limits) == 1 else ()
    columns = (
        Column("Column", "label"),
        Column("Score", "plot", "right: more drift", scale=scale, references=(*reference("zero", 0.0, scale), *margin)),
        Column("Score", "number", "with its interval", mark="loss"),
        Column("Drift", "text", "by Evidently"),
        Column("Values", "number", "reference, current"),
    )
    return Sheet(key, caption, columns, (Section("", tuple(_row(row, scale) for row in rows)),))


def _row(row: Mapping[str, Any], scale: Scale | None) -> tuple[Cell, ...]:
    found = _estimate(row)
    threshold = float(row["threshold"])
    sure = found.low is not None and found.low >= threshold
    word = ("yes" if sure else "perhaps") if row.get("drifted") else "no"
    return (
        Cell.of_label(label(row["column"], cut=48), f"{prose(row.get('kind'), cut=20)}, {prose(row.get('method'), cut=60)}"),
        Cell(whiskers=whisker("loss", found, scale)),
        Cell(number(found.value), interval(found)),
        Cell(word, f"from {threshold:g}"),
        Cell(f"{count(row.get('n_reference'))}, {count(row.get('n_current'))}", _missing(row)),
    )


def _missing(row: Mapping[str, Any]) -> str:
    shares = [row.get("missing_reference") or 0.0, row.get("missing_current") or 0.0]
    return f"{shares[0]:.0%}, {shares[1]:.0%} missing" if any(shares) else ""


def _lacking(key: str, rows: Sequence[Mapping[str, Any]]) -> Sheet:
    columns = (Column("Column", "label"), Column("Why there is no score"))
    cells = tuple(
        (Cell.of_label(label(row["column"], cut=48), prose(row.get("kind"), cut=20)), Cell(prose(row.get("reason"), cut=200)))
        for row in rows
    )
    return Sheet(key, "Columns without a score.", columns, (Section("", cells),))
