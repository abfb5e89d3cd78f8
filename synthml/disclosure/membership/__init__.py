"""Membership: can it be told who was in the source?

Members are the source's patients, non-members one half of the holdout; the other half is the intruder's reference. The strongest
of five scores is chosen on half of the people and reported on the other half, so that luck in choosing does not look like a leak.
An intruder who calls people members is right by luck as often as members are among those he tries: the F1 takes the share that
the source has of all real patients here, never a half.

`scores`  how near the synthetic table is to a record      `rates`   AUROC, true positives at few false ones, F1, epsilon
`shadow`  generators trained again, with and without the most exposed patients
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.disclosure.attack import ThreatModel
from synthml.disclosure.finding import NO_HOLDOUT, Finding
from synthml.disclosure.membership.rates import auroc, epsilon_bound, f1, tpr_at_fpr
from synthml.disclosure.membership.scores import NAMES, highest, scores
from synthml.disclosure.membership.shadow import shadow_figures
from synthml.estimate import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, GroupPair, Side
    from synthml.neighbours import Encoded

__all__ = ["THREAT_MODEL", "finding"]

_RATES = {"tpr_at_fpr_01": 0.001, "tpr_at_fpr_1": 0.01, "tpr_at_fpr_10": 0.1}
_LEAST = 50
_EXPOSED = 0.01
THREAT_MODEL = ThreatModel(
    question="Can it be told that a person was in the data?",
    knows="the full record of a person, the synthetic table, and records of other people like those behind it",
    tries="to see whether the synthetic table comes nearer to this record than people who were not in the data would explain",
    succeeds="when members are told from non-members better than by chance, above all with few false alarms",
)


@dataclass(frozen=True, eq=False)
class _People:
    """Scores by patient: one column a score. first: who is in the half on which the score is chosen; exposure: how lonely."""

    scores: NDArray[np.float64]
    first: NDArray[np.bool_]
    exposure: NDArray[np.float64]
    rows: NDArray[np.int64]


def finding(ground: Ground) -> Finding:
    """AUROC, TPR at low FPR, F1 and epsilon's lower bound, on everyone and on the most exposed, and AUROC by group."""
    if ground.holdout is None:
        return _nothing(NO_HOLDOUT)
    if min(ground.source.count, ground.holdout.count // 2) < 2 * _LEAST:
        return _nothing(f"fewer than {2 * _LEAST} {ground.unit} in the source, or twice as many in the holdout")
    members, others = _people(ground, ground.holdout)
    chosen = _chosen(members, others)
    figures, table = _measured(ground, members, others, chosen)
    power, blind = _power(ground, figures)
    if blind:
        reason = "no better than chance, and rows that were planted were not found: the attack is blind here"
        quiet = {name: replace(f, status="inconclusive", reason=reason) for name, f in figures.items() if f.ok}
        figures = {**figures, **quiet}
    figures |= shadow_figures(ground)
    tables = {
        "membership_scores": table,
        "disclosure_power": power,
        "disclosure_groups": _groups(ground, members, others, chosen, figures),
    }
    return Finding(figures, {name: rows for name, rows in tables.items() if rows}, _notes(ground, figures))


def _nothing(reason: str) -> Finding:
    names = ("auroc", *_RATES, "f1", "epsilon_bound", "auroc.exposed", "tpr_at_fpr_10.exposed")
    return Finding({f"disclosure.membership.{name}/all": Estimate.insufficient(reason) for name in names})


def _people(ground: Ground, holdout: Side) -> tuple[_People, _People]:
    """Members and non-members, scored against the synthetic table and the reference."""
    rng = ground.rng("membership")
    tried = np.zeros(holdout.count, dtype=bool)
    tried[rng.permutation(holdout.count)[: holdout.count // 2]] = True
    rows = np.flatnonzero(tried[holdout.units])
    reference = holdout.encoded.rows(np.flatnonzero(~tried[holdout.units]))
    members = np.arange(len(ground.source)) if ground.leaked is None else ground.leaked
    return _scored(ground, ground.source, members, reference, rng), _scored(ground, holdout, rows, reference, rng)


def _scored(ground: Ground, side: Side, rows: NDArray[np.int64], reference: Encoded, rng: np.random.Generator) -> _People:
    encoded, units = side.encoded.rows(rows), np.unique(side.units[rows], return_inverse=True)[1]
    found, lonely = scores(encoded, ground.synthetic.encoded, reference)
    by_patient = np.stack([highest(found[name], units) for name in NAMES], axis=1)
    first = rng.random(len(by_patient)) < 0.5
    return _People(by_patient, first, highest(lonely, units), rows)


def _chosen(members: _People, others: _People) -> int:
    """The strongest score on the first half."""
    strength = [
        auroc(members.scores[members.first, at], others.scores[others.first, at], 0.95).value or 0.5 for at in range(len(NAMES))
    ]
    return int(np.argmax(strength))


def _measured(
    ground: Ground, members: _People, others: _People, chosen: int
) -> tuple[dict[str, Estimate], tuple[dict[str, Any], ...]]:
    figures: dict[str, Estimate] = {}
    rows = []
    exposed = _exposed(members, others)
    for at, name in enumerate(NAMES):
        for who, (inside, outside) in {"all": (~members.first, ~others.first), "exposed": exposed}.items():
            found = _of(ground, members.scores[inside, at], others.scores[outside, at], name)
            figure = found["auroc"]
            row = {"score": name, "who": who, "auroc": figure.value, "low": figure.low, "high": figure.high}
            row |= {rate: found[rate].value for rate in _RATES}
            rows.append({**row, "chosen": at == chosen})
            if at == chosen and who == "all":
                figures |= {f"disclosure.membership.{measure}/all": value for measure, value in found.items()}
                figures |= _beyond_rates(ground, members, others, at)
            elif at == chosen:
                figures["disclosure.membership.auroc.exposed/all"] = figure
                figures["disclosure.membership.tpr_at_fpr_10.exposed/all"] = found["tpr_at_fpr_10"]
    return figures, tuple(rows)


def _exposed(members: _People, others: _People) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The loneliest hundredth of the people on whom is reported, by one threshold for both sides."""
    everyone = np.concatenate([members.exposure, others.exposure])
    threshold = np.quantile(everyone, 1 - _EXPOSED)
    return ~members.first & (members.exposure >= threshold), ~others.first & (others.exposure >= threshold)


def _of(ground: Ground, inside: NDArray[np.float64], outside: NDArray[np.float64], name: str) -> dict[str, Estimate]:
    if min(len(inside), len(outside)) < _LEAST:
        reason = f"fewer than {_LEAST} {ground.unit} on one side"
        return {measure: Estimate.insufficient(reason) for measure in ("auroc", *_RATES)}
    found = auroc(inside, outside, ground.confidence)
    rng = ground.rng("membership", name)
    rates = {
        measure: tpr_at_fpr(inside, outside, fpr, confidence=ground.confidence, replicates=ground.replicates, rng=rng)
        for measure, fpr in _RATES.items()
    }
    return {"auroc": replace(found, n=len(inside), method=f"{found.method}; score {name}, by {ground.unit}"), **rates}


def _beyond_rates(ground: Ground, members: _People, others: _People, at: int) -> dict[str, Estimate]:
    """F1 and epsilon, with thresholds from the half on which the score was chosen."""
    first = (members.scores[members.first, at], others.scores[others.first, at])
    second = (members.scores[~members.first, at], others.scores[~others.first, at])
    assert ground.holdout is not None
    prevalence = ground.source.count / (ground.source.count + ground.holdout.count)
    candidates = np.unique(np.quantile(np.concatenate(first), np.linspace(0, 0.999, 200)))
    best = max(candidates, key=lambda t: f1(*first, t, prevalence))
    rng = ground.rng("membership", "f1")
    repeats = min(ground.replicates, 200)
    redrawn = ([rng.choice(part, len(part)) for part in second] for _ in range(repeats))
    drawn = [f1(inside, outside, best, prevalence) for inside, outside in redrawn]
    low, high = np.quantile(drawn, [(1 - ground.confidence) / 2, (1 + ground.confidence) / 2])
    value = f1(*second, best, prevalence)
    naive = 2 * prevalence / (1 + prevalence)
    told = f"{prevalence:.0%} members among those tried; calling everybody a member gives {naive:.3f}"
    bound = max(candidates, key=lambda t: epsilon_bound(*first, t, delta=0.0, confidence=ground.confidence))
    epsilon = epsilon_bound(*second, bound, delta=0.0, confidence=ground.confidence)
    method = "lower bound (Clopper-Pearson), threshold from the other half; one released table gives evidence, not an audit"
    n = len(second[0])
    return {
        "disclosure.membership.f1/all": Estimate(value, min(float(low), value), max(float(high), value), n, told),
        "disclosure.membership.epsilon_bound/all": Estimate(epsilon, n=n, method=method, confidence=ground.confidence),
    }


def _seen(found: dict[str, Estimate]) -> bool:
    """Whether members are told from non-members: everywhere, or among the few that stand out."""
    area, few = found["auroc"], found["tpr_at_fpr_1"]
    return (area.low is not None and area.low > 0.5) or (few.low is not None and few.low > _RATES["tpr_at_fpr_1"])


def _power(ground: Ground, figures: dict[str, Estimate]) -> tuple[tuple[dict[str, Any], ...], bool]:
    """When the attack is no better than chance: whether planted rows are found; and whether it is blind."""
    found = {measure: figures[f"disclosure.membership.{measure}/all"] for measure in ("auroc", *_RATES)}
    if not found["auroc"].ok or _seen(found):
        return (), False
    rows = []
    for share in sorted(ground.settings.planted, reverse=True):
        planted = ground.planted(share)
        assert planted.holdout is not None
        members, others = _people(planted, planted.holdout)
        best = _chosen(members, others)
        told = _of(planted, members.scores[~members.first, best], others.scores[~others.first, best], NAMES[best])
        seen, area = _seen(told), told["auroc"]
        facts = {"attack": "membership", "of": "all", "planted_share": share, "found": seen}
        rows.append({**facts, "risk": area.value, "low": area.low, "high": area.high})
        if not seen:
            break
    return tuple(rows), not any(row["found"] for row in rows)


def _groups(
    ground: Ground, members: _People, others: _People, chosen: int, figures: dict[str, Estimate]
) -> tuple[dict[str, Any], ...]:
    """AUROC in every group that may be shown, bounds simultaneous; the worst becomes a figure."""
    shown = sum(group.reason is None for group in ground.groups)
    if not ground.groups:
        return ()
    rows: list[dict[str, Any]] = []
    told: dict[str, Estimate] = {}
    for group in ground.groups:
        found = None if group.reason else _of_group(ground, members, others, chosen, group, shown)
        if found is not None and found.ok:
            told[group.of] = found
        value = found or Estimate.insufficient(group.reason or "withheld")
        rows.append(
            {
                "attack": "membership",
                "of": "all",
                "column": group.column,
                "group": group.label,
                "name": group.of,
                "n": value.n if found is not None and found.ok else None,
                "main": None,
                "control": None,
                "risk": value.value,
                "low": value.low,
                "high": value.high,
                "worst": False,
                "reason": value.reason,
            }
        )
    missing = Estimate.insufficient("no sensitive group is large enough in source and holdout")
    worst = max(told, key=lambda of: (told[of].high or 0.0, of)) if told else ""
    figures["disclosure.membership.worst_group/all"] = told.get(worst, missing)
    return tuple({**row, "worst": bool(worst) and row["name"] == worst} for row in rows)


def _of_group(ground: Ground, members: _People, others: _People, chosen: int, group: GroupPair, shown: int) -> Estimate:
    assert ground.holdout is not None
    sides = []
    for side, people, rows in ((ground.source, members, group.source), (ground.holdout, others, group.holdout)):
        units = np.unique(side.units[people.rows], return_inverse=True)[1]
        inside = np.zeros(len(people.scores), dtype=bool)
        inside[units[np.isin(people.rows, rows)]] = True
        sides.append(people.scores[inside & ~people.first, chosen])
    if min(len(side) for side in sides) < _LEAST:
        return Estimate.insufficient(f"fewer than {_LEAST} {ground.unit} on one side")
    found = auroc(sides[0], sides[1], 1 - (1 - ground.confidence) / max(shown, 1))
    return replace(found, n=len(sides[0]), confidence=ground.confidence, method=f"AUROC, simultaneous over {shown} groups")


def _notes(ground: Ground, figures: dict[str, Estimate]) -> tuple[str, ...]:
    """A bound above what was declared refutes the declaration."""
    notes = []
    for name in ("epsilon_bound", "shadow_epsilon_bound"):
        found = figures.get(f"disclosure.membership.{name}/all")
        if ground.epsilon is not None and found is not None and found.value is not None and found.value > ground.epsilon:
            notes.append(
                f"membership: epsilon is at least {found.value:.2f} by the attack, above the declared {ground.epsilon:g} "
                "(for a patient): the declared privacy does not hold"
            )
    if ground.settings.shadow_models and ground.synthesizer is None:
        notes.append("membership: shadow models were asked for, and no generator was given to train again")
    return tuple(notes)
