"""The chapter of a sweep: utility against risk at every setting, the settings that would pass, and who pays for privacy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.report.charts import Cell, Column, Section, Series, Sheet, line_plot, reference, scale_for, whisker
from synthml.report.curves import Curve
from synthml.report.terms import metric_term
from synthml.report.wording import interval, label, number, prose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.report.reading import Reading

__all__ = ["cost_sheet", "draws_sheet", "frontier", "sweep_sheet"]

_OUTCOMES = {"pass": "would pass", "fail": "would fail", "insufficient": "not decidable"}


def _by_setting(reading: Reading) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in reading.table("sweep"):
        found.setdefault(str(row.get("setting")), []).append(row)
    return found


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> Estimate:
    """Mean over draws, with the mean of their bounds; insufficient where no draw has it."""
    values, lows, highs = (
        [row[key] for row in rows if row.get(key) is not None] for key in (name, f"{name}_low", f"{name}_high")
    )
    if not values or not lows or not highs:
        return Estimate.insufficient("not measured")
    return Estimate(float(np.mean(values)), float(np.mean(lows)), float(np.mean(highs)), len(values))


def _worst(rows: Sequence[Mapping[str, Any]]) -> Estimate:
    told = [row for row in rows if row.get("risk") is not None]
    if not told:
        return Estimate.insufficient("no attack has a risk")
    row = max(told, key=lambda r: float(r["risk"]))
    return Estimate(row["risk"], row.get("risk_low"), row.get("risk_high"))


def _spread(rows: Sequence[Mapping[str, Any]]) -> str:
    values = [row["utility"] for row in rows if row.get("utility") is not None]
    return f"± {number(float(np.std(values, ddof=1)))} over {len(values)} draws" if len(values) > 1 else "one draw"


def sweep_sheet(reading: Reading) -> Sheet | None:
    """One row a setting: utility, the worst group, the worst draw's risk, and whether it would pass."""
    settings = _by_setting(reading)
    if not settings:
        return None
    term = metric_term(str(reading.table("sweep")[0].get("metric")))
    told = [(name, rows, _mean(rows, "utility"), _mean(rows, "group"), _worst(rows)) for name, rows in settings.items()]
    use = scale_for([figure for _, _, utility, group, _ in told for figure in (utility, group)])
    risk = scale_for([each[4] for each in told], include=[0.0])
    columns = (
        Column("Setting", "label"),
        Column(term.title, "plot", "everyone, and the worst group", scale=use),
        Column(term.title, "number", "everyone", mark="tstr"),
        Column("Worst group", "number", mark="trtr"),
        Column("Risk", "plot", "right: more", scale=risk, references=reference("zero", 0.0, risk)),
        Column("Risk", "number", "worst draw", mark="loss"),
        Column("Policy", "text"),
    )
    cells = tuple(
        (
            Cell(prose(name, cut=80), f"{_spread(rows)}; worst: {prose(rows[0].get('worst_group') or 'none', cut=60)}"),
            Cell(whiskers=(*whisker("tstr", utility, use), *whisker("trtr", group, use))),
            Cell(number(utility.value), interval(utility)),
            Cell(number(group.value), interval(group)),
            Cell(whiskers=whisker("loss", highest, risk)),
            Cell(number(highest.value), interval(highest)),
            Cell(_OUTCOMES.get(str(rows[0].get("setting_outcome")), "—"), tone=f"outcome {rows[0].get('setting_outcome')}"),
        )
        for name, rows, utility, group, highest in told
    )
    return Sheet("sweep", "Utility and risk at every setting.", columns, (Section("", cells),))


def frontier(reading: Reading) -> Curve | None:
    """Risk against utility: a point a setting, the worst group below it."""
    settings = _by_setting(reading)
    points: dict[str, list[tuple[float, float, float | None, float | None]]] = {"tstr": [], "trtr": []}
    names = []
    for name, rows in settings.items():
        risk = _worst(rows)
        for kind, figure in (("tstr", _mean(rows, "utility")), ("trtr", _mean(rows, "group"))):
            if risk.value is not None and figure.value is not None:
                points[kind].append((risk.value, figure.value, figure.low, figure.high))
                names.append(name)
    if not points["tstr"]:
        return None
    xs = [x for x, *_ in points["tstr"]]
    ys = [y for each in points.values() for _, value, low, high in each for y in (value, low, high) if y is not None]
    room = max(max(xs) - min(xs), 0.02) * 0.1
    metric = metric_term(str(reading.table("sweep")[0].get("metric")))
    series = [
        Series(kind, title, tuple(sorted(points[kind])))
        for kind, title in (("tstr", "everyone"), ("trtr", "worst group"))
        if points[kind]
    ]
    plot = line_plot(
        "frontier",
        "Utility against risk",
        f"{metric.title} and risk at {len(settings)} settings; the table beneath has the numbers.",
        series,
        x_title="risk of the worst draw",
        y_title=metric.title,
        x_range=(min(*xs, 0.0) - room, max(xs) + room),
        y_range=(min(ys) - 0.01, max(ys) + 0.01),
    )
    sheet = sweep_sheet(reading)
    how = "Each mark is a setting, its line the interval of the utility; settings are joined in the order of their risk."
    return None if sheet is None else Curve(plot, how, sheet)


def cost_sheet(reading: Reading) -> Sheet | None:
    """What each group loses at each setting against the first."""
    rows = reading.table("privacy_cost")
    if not rows:
        return None
    told = [
        Estimate.insufficient("not measured")
        if row.get("cost") is None
        else Estimate(row["cost"], row.get("low"), row.get("high"))
        for row in rows
    ]
    scale = scale_for(told, include=[0.0])
    columns = (
        Column("Group", "label"),
        Column("Cost", "plot", "right: pays", scale=scale, references=reference("zero", 0.0, scale)),
        Column("Cost", "number", "against the first setting", mark="loss"),
    )
    sections: dict[str, list[tuple[Cell, ...]]] = {}
    for row, cost in zip(rows, told, strict=True):
        name = label(row.get("group"), cut=60)
        value = number(cost.value) if cost.value is not None else "—"
        cells = (Cell.of_label(name), Cell(whiskers=whisker("loss", cost, scale)), Cell(value, interval(cost)))
        sections.setdefault(prose(row.get("setting"), cut=80), []).append(cells)
    shown = list(sections.items())[1:] or list(sections.items())
    return Sheet(
        "privacy-cost", "The cost of privacy by group.", columns, tuple(Section(name, tuple(each)) for name, each in shown)
    )


def draws_sheet(reading: Reading) -> Sheet | None:
    """Every draw."""
    rows = reading.table("sweep")
    if not rows:
        return None
    keys = ("draw", "utility", "utility_low", "utility_high", "group", "risk", "risk_low", "risk_high")
    columns = (
        Column("Setting", "label"),
        *(Column(key.replace("_", " "), "number") for key in keys),
        Column("Attack"),
        Column("Policy"),
    )
    cells = tuple(
        (
            Cell(prose(row.get("setting"), cut=80)),
            Cell(str(row.get("draw"))),
            *(Cell(number(row.get(key))) for key in keys[1:]),
            Cell(prose(row.get("attack") or "—", cut=60)),
            Cell(_OUTCOMES.get(str(row.get("outcome")), "—")),
        )
        for row in rows
    )
    return Sheet("draws", "Every draw, as it was measured.", columns, (Section("", cells),))
