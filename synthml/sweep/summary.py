"""What the draws of a sweep come to: utility, the worst group and the risk of every setting, and who pays for privacy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.evidence import Evidence
from synthml.figures import ALL, FigureId, parse_of, unescape_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.evidence import Dossier
    from synthml.sweep.grid import Setting
    from synthml.sweep.measure import Draw

__all__ = ["ATTACKS", "HEADLINES", "privacy_cost"]

HEADLINES = {"binary": "auroc", "multiclass": "macro_auroc", "regression": "r2"}
ATTACKS = ("singling_out", "linkability", "inference")
_WORST_FIRST = ("fail", "insufficient", "pass")


def privacy_cost(draws: Sequence[Draw]) -> tuple[Evidence, dict[str, str]]:
    """Evidence of kind "privacy_cost", and the outcome of every setting's worst draw.

    Figures, with a setting as what they are of: sweep.<metric>.mean, .spread (standard deviation over draws, which is not the
    sampling error), sweep.worst_group.mean, sweep.risk.worst, and privacy_cost.<metric>.disparity: largest minus smallest cost
    over groups.
    Tables: "sweep", a row a draw; "privacy_cost", a row for each setting and group.
    """
    metric = HEADLINES[str(draws[0].dossier.study.get("task"))]
    by_setting: dict[str, list[Draw]] = {}
    for draw in draws:
        by_setting.setdefault(draw.setting.name, []).append(draw)
    outcomes: dict[str, str] = {
        name: min((draw.verdict.outcome for draw in each), key=_WORST_FIRST.index) for name, each in by_setting.items()
    }
    rows = tuple(_row(draw, metric, outcomes[draw.setting.name]) for draw in draws)
    figures: dict[str, Estimate] = {}
    costs: list[dict[str, Any]] = []
    reference = next(iter(by_setting.values()))
    for each in by_setting.values():
        told = [row for row, draw in zip(rows, draws, strict=True) if draw in each]
        figures |= _figures(each[0].setting, told, metric)
        cost = _costs(reference, each, metric)
        costs += cost
        figures |= _disparity(each[0].setting, cost, metric, reference[0].setting)
    notes = (
        f"costs are against {reference[0].setting.name}, the first setting of the grid; a setting is decided by its worst draw",
    )
    return Evidence("privacy_cost", figures, {"sweep": rows, "privacy_cost": tuple(costs)}, notes), outcomes


def _row(draw: Draw, metric: str, outcome: str) -> dict[str, Any]:
    figures = draw.dossier.figures
    overall = figures.get(f"utility.{metric}.tstr/{ALL}") or Estimate.insufficient("not measured")
    group, worst = _worst_group(draw.dossier, metric)
    attack, risk = _risk(draw.dossier)
    return {
        "setting": draw.setting.name,
        "draw": draw.number,
        "metric": metric,
        **_told("utility", overall),
        "worst_group": group,
        **_told("group", worst),
        "attack": attack,
        **_told("risk", risk),
        "outcome": draw.verdict.outcome,
        "setting_outcome": outcome,
    }


def _told(name: str, figure: Estimate) -> dict[str, Any]:
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _worst_group(dossier: Dossier, metric: str) -> tuple[str, Estimate]:
    """The group in which the synthetic-trained model does worst, in words."""
    found = {of: figure for of, figure in _groups(dossier, f"utility.{metric}.tstr").items() if figure.value is not None}
    if not found:
        return "", Estimate.insufficient("no group is large enough")
    of = min(found, key=lambda group: (found[group].value or 0.0, group))
    return ", ".join(f"{column}: {label}" for column, label in parse_of(of)), found[of]


def _groups(dossier: Dossier, name: str) -> dict[str, Estimate]:
    ids = {FigureId.parse(text): figure for text, figure in dossier.figures.items()}
    return {key.of: figure for key, figure in ids.items() if key.name == name and key.of != ALL}


def _risk(dossier: Dossier) -> tuple[str, Estimate]:
    """The highest risk of the attacks that have one; undecided attacks are told by the verdict."""
    found: dict[str, Estimate] = {}
    for text, figure in dossier.figures.items():
        key = FigureId.parse(text)
        if key.name in [f"disclosure.{attack}.risk" for attack in ATTACKS] and figure.value is not None:
            found[f"{key.name.split('.')[1]}{'' if key.of == ALL else ' of ' + unescape_label(key.of)}"] = figure
    if not found:
        return "", Estimate.insufficient("no attack has a risk")
    attack = max(found, key=lambda name: (found[name].value or 0.0, name))
    return attack.replace("_", " ", 1) if attack.startswith("singling") else attack, found[attack]


def _figures(setting: Setting, rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Estimate]:
    return {
        f"sweep.{metric}.mean/{setting.of}": _mean(rows, "utility"),
        f"sweep.{metric}.spread/{setting.of}": _spread(rows, "utility"),
        f"sweep.worst_group.mean/{setting.of}": _mean(rows, "group"),
        f"sweep.risk.worst/{setting.of}": _worst(rows, "risk"),
    }


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row[name] is not None]


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> Estimate:
    """Mean over draws; its interval is the mean of their intervals, for all draws are measured on the same rows."""
    values = _values(rows, name)
    if not values:
        return Estimate.insufficient("no draw has this figure")
    lows, highs = _values(rows, f"{name}_low"), _values(rows, f"{name}_high")
    low, high = (float(np.mean(bounds)) if bounds else None for bounds in (lows, highs))
    return Estimate(float(np.mean(values)), low, high, len(values), f"mean over {len(values)} draws, bounds averaged")


def _spread(rows: Sequence[Mapping[str, Any]], name: str) -> Estimate:
    values = _values(rows, name)
    if len(values) < 2:
        return Estimate.insufficient("one draw has no spread; ask for more with --draws", n=len(values))
    return Estimate(float(np.std(values, ddof=1)), n=len(values), method=f"standard deviation over {len(values)} draws")


def _worst(rows: Sequence[Mapping[str, Any]], name: str) -> Estimate:
    told = [row for row in rows if row[name] is not None]
    if not told:
        return Estimate.insufficient("no attack has a risk")
    worst = max(told, key=lambda row: row[name])
    return Estimate(worst[name], worst[f"{name}_low"], worst[f"{name}_high"], len(told), f"highest of {len(told)} draws")


def _costs(reference: Sequence[Draw], each: Sequence[Draw], metric: str) -> list[dict[str, Any]]:
    """Per group: the loss against real rows at this setting minus the loss at the reference, means over draws.

    Both losses are paired with the same real-trained model on the same rows, so their difference is that of the two
    synthetic-trained models; the interval takes them as independent, which is wider than the truth.
    """
    rows = []
    for of in (ALL, *_groups(each[0].dossier, f"utility.{metric}.loss")):
        before, after = (_mean_loss(part, metric, of) for part in (reference, each))
        who = "everyone" if of == ALL else ", ".join(f"{column}: {label}" for column, label in parse_of(of))
        row: dict[str, Any] = {"setting": each[0].setting.name, "of": of, "group": who, "cost": None, "low": None, "high": None}
        if before is not None and after is not None:
            cost = after[0] - before[0]
            half = 0.0 if each[0].setting == reference[0].setting else math.hypot(before[1], after[1])
            row |= {"cost": cost, "low": cost - half, "high": cost + half}
        rows.append(row)
    return rows


def _mean_loss(draws: Sequence[Draw], metric: str, of: str) -> tuple[float, float] | None:
    """(mean loss, mean half width of its interval) over draws; None where a draw has none."""
    found = [draw.dossier.figures.get(f"utility.{metric}.loss/{of}") for draw in draws]
    told = [
        (f.value, (f.high - f.low) / 2)
        for f in found
        if f is not None and f.value is not None and f.low is not None and f.high is not None
    ]
    if len(told) < len(draws):
        return None
    return float(np.mean([value for value, _ in told])), float(np.mean([half for _, half in told]))


def _disparity(setting: Setting, costs: Sequence[Mapping[str, Any]], metric: str, reference: Setting) -> dict[str, Estimate]:
    name = f"privacy_cost.{metric}.disparity/{setting.of}"
    told = [row for row in costs if row["cost"] is not None and row["of"] != ALL]
    if setting == reference:
        return {}
    if len(told) < 2:
        return {name: Estimate.insufficient("fewer than two groups have a cost")}
    top, least = max(told, key=lambda row: row["cost"]), min(told, key=lambda row: row["cost"])
    value = top["cost"] - least["cost"]
    half = math.hypot(top["high"] - top["cost"], least["cost"] - least["low"])
    return {
        name: Estimate(
            value, value - half, value + half, len(told), f"largest minus smallest cost over groups, against {reference.name}"
        )
    }
