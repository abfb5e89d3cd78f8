"""From an attack's attempts to its figures: the strongest mode decides, its power is shown where it stays quiet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.disclosure.finding import NO_HOLDOUT, Attempt, Finding, worst_group
from synthml.disclosure.power import Power, power_of
from synthml.estimate import Estimate
from synthml.figures import ALL, escape_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synthml.disclosure.ground import Ground

__all__ = ["Attack", "ThreatModel", "group_rows", "measured"]


@dataclass(frozen=True)
class ThreatModel:
    """An attack in words, for a reader without statistics: the question, what the intruder knows, tries, and what is success."""

    question: str
    knows: str
    tries: str
    succeeds: str


@dataclass(frozen=True)
class Attack:
    """An attack with main, control and baseline. attempts: makes it in every mode, for every secret, on any ground."""

    name: str
    threat_model: ThreatModel
    attempts: Callable[[Ground], Sequence[Attempt]]


def measured(attack: Attack, ground: Ground) -> Finding:
    """Make an attack, choose the strongest mode for each of its questions, and show its power where it found nothing."""
    attempts = list(attack.attempts(ground))
    by_question: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_question.setdefault(attempt.of, []).append(attempt)
    decisive = {of: _strongest(modes) for of, modes in by_question.items()}
    quiet = [of for of, best in decisive.items() if best.rates.risk.ok and not best.rates.beats_baseline]
    power = power_of(attack.attempts, ground, quiet) if quiet else []
    blind = {of for of in quiet if not any(p.of == of and p.found for p in power)}
    figures: dict[str, Estimate] = {}
    groups: list[Mapping[str, Any]] = []
    decisive = {of: _inconclusive(best) if of in blind else best for of, best in decisive.items()}
    for of, best in decisive.items():
        figures |= _figures(attack.name, of, best)
        worst, _ = worst_group(best.groups, ground.confidence)
        if best.groups or ground.schema.sensitive:
            figures[f"disclosure.{attack.name}.worst_group/{_of(of)}"] = worst if ground.holdout else _no_control()
        groups += group_rows(attack.name, of, best)
    tables = {
        "disclosure_attacks": tuple(
            _row(attack.name, decisive[a.of] if chosen else a, chosen, ground.unit)
            for a in attempts
            for chosen in (a.mode == decisive[a.of].mode,)
        ),
        "disclosure_groups": tuple(groups),
        "disclosure_power": tuple(_power_row(attack.name, p) for p in power),
    }
    hits = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(best.hits for best in decisive.values())]))
    return Finding(figures, {name: rows for name, rows in tables.items() if rows}, (), {attack.name: hits})


def _strongest(modes: Sequence[Attempt]) -> Attempt:
    """The mode with the highest risk, its bounds the highest of all modes; without control, the highest main rate."""
    told = [mode for mode in modes if mode.rates.risk.ok]
    if not told:
        return max(modes, key=lambda mode: mode.rates.main.value or 0.0)
    wide = [mode.rates.widened(len(told)).risk for mode in told]
    best = max(told, key=lambda mode: mode.rates.risk.value or 0.0)
    low, high = (
        max(bound for bound in bounds if bound is not None) for bounds in zip(*((r.low, r.high) for r in wide), strict=True)
    )
    return replace(best, rates=replace(best.rates, risk=replace(best.rates.risk, low=low, high=high)))


def _inconclusive(attempt: Attempt) -> Attempt:
    reason = "the attack does no better than guessing, and did not find rows that were planted for it: it is blind here"
    rates = attempt.rates
    return replace(attempt, rates=replace(rates, risk=replace(rates.risk, status="inconclusive", reason=reason)))


def _no_control() -> Estimate:
    return Estimate.insufficient(NO_HOLDOUT)


def _of(of: str) -> str:
    return of if of == ALL else escape_label(of)


def _figures(name: str, of: str, attempt: Attempt) -> dict[str, Estimate]:
    rates = attempt.rates
    parts = {
        "main": rates.main,
        "control": rates.control,
        "baseline": rates.baseline,
        "risk": rates.risk,
        "difference": rates.difference,
    }
    return {f"disclosure.{name}.{part}/{_of(of)}": figure for part, figure in parts.items()}


def _row(name: str, attempt: Attempt, decisive: bool, unit: str) -> dict[str, Any]:
    rates = attempt.rates
    row: dict[str, Any] = {"attack": name, "of": attempt.of, "mode": attempt.mode, "decisive": decisive}
    for part in ("main", "control", "baseline", "risk", "difference"):
        figure: Estimate = getattr(rates, part)
        row[part] = figure.value
        if part != "baseline":
            row |= {f"{part}_low": figure.low, f"{part}_high": figure.high}
    counts = {"n_main": rates.main.n, "n_control": rates.control.n if rates.control.ok else None}
    return {**row, **counts, "unit": unit, "status": rates.risk.status, "reason": rates.risk.reason}


def group_rows(name: str, of: str, attempt: Attempt) -> list[dict[str, Any]]:
    """Rows of the table of groups; a group that may not be shown has its reason and no number."""
    _, worst = worst_group(attempt.groups)
    rows = []
    for group in attempt.groups:
        shown = group.rates
        risk = None if shown is None else shown.risk
        rows.append(
            {
                "attack": name,
                "of": of,
                "column": group.column,
                "group": group.group,
                "name": group.of,
                "n": None if shown is None else shown.main.n,
                "main": None if shown is None else shown.main.value,
                "control": None if shown is None else shown.control.value,
                "risk": None if risk is None else risk.value,
                "low": None if risk is None else risk.low,
                "high": None if risk is None else risk.high,
                "worst": bool(worst) and group.of == worst,
                "reason": group.reason or (None if risk is None else risk.reason),
            }
        )
    return rows


def _power_row(name: str, power: Power) -> dict[str, Any]:
    return {
        "attack": name,
        "of": power.of,
        "planted_share": power.share,
        "found": power.found,
        "risk": power.risk.value,
        "low": power.risk.low,
        "high": power.risk.high,
    }
