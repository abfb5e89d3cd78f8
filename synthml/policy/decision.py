"""Deciding: pure, from a dossier, a policy, one captured time, and the facts that only the registry knows.

Rules, in order. What cannot be known is `insufficient`, and `insufficient` never passes. How a figure is held against a threshold
is written in `thresholds`. Warnings never change the outcome; a waiver lets one criterion through for one model, one policy and a
limited time. The policy's outcome is `fail` if any blocking criterion fails, else `insufficient` if any is, else `pass`.
Distances to the source may fail a table and never pass one: where nothing else about disclosure binds, the outcome is no pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.figures import ALL, FigureId
from synthml.policy.facts import Facts
from synthml.policy.thresholds import held, undecided
from synthml.policy.verdict import Decision, Outcome, Verdict

if TYPE_CHECKING:
    from synthml.estimate import Estimate
    from synthml.evidence import Dossier
    from synthml.policy.criteria import Cell, Criterion, Policy
    from synthml.policy.facts import Approval

__all__ = ["decide"]

_SKEW = timedelta(minutes=5)
DISTANCES = frozenset({"disclosure.distance_share", "disclosure.nearest_share", "disclosure.nndr"})


def decide(dossier: Dossier, policy: Policy, *, now: datetime, facts: Facts | None = None) -> Verdict:
    """Hold a dossier against a policy. The same inputs give the same verdict, byte for byte.

    now: timezone-aware time of the decision, captured by the caller. Raises InputError when it has no timezone.
    """
    if now.tzinfo is None:
        raise InputError("the time of a decision needs a timezone")
    known = facts or Facts()
    model_digest = (dossier.model or {}).get("digest")
    decisions = [
        *_requirements(dossier, policy, now, known),
        *_review(dossier, policy, now, known),
        *_lineage(dossier, policy, known),
        *(d for criterion in policy.criteria for d in _criterion(criterion, dossier, policy.require.minimum_cell)),
    ]
    decisions += _not_by_distance_alone(decisions)
    waived = tuple(_waived(decision, policy, known, now, model_digest) for decision in decisions)
    return Verdict(
        outcome=_outcome(waived),
        policy=f"{policy.name} v{policy.version}",
        policy_digest=policy.digest,
        evidence_digest=dossier.digest,
        decided=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        decisions=waived,
        model_digest=model_digest,
    )


def _outcome(decisions: tuple[Decision, ...]) -> Outcome:
    blocking = [d.outcome for d in decisions if not d.holds]
    if "fail" in blocking:
        return "fail"
    return "insufficient" if "insufficient" in blocking else "pass"


def _not_by_distance_alone(decisions: list[Decision]) -> list[Decision]:
    """Distances to the source are known to miss leaks: they may fail a table, and a pass must rest on an attack besides.

    Yao et al. 2025 (arXiv 2505.01524); Pilgram et al. 2025.
    """
    binding = [d for d in decisions if d.severity == "block" and d.figure.startswith("disclosure.")]
    by_distance = [d for d in binding if _plain_name(d.figure) in DISTANCES]
    if not by_distance or len(by_distance) < len(binding):
        return []
    found = "every binding criterion on disclosure reads a distance"
    return [_condition("disclosure.attacks", "insufficient", "an attack besides distances, which may fail but never pass", found)]


def _plain_name(figure: str) -> str:
    return figure.removesuffix(".beyond")


def _condition(name: str, outcome: Outcome, required: str, found: str) -> Decision:
    return Decision(name, outcome, required, found, source="policy", set_by="policy")


def _requirements(dossier: Dossier, policy: Policy, now: datetime, facts: Facts) -> Iterator[Decision]:
    require = policy.require
    for kind in require.kinds:
        there = kind in dossier.kinds
        outcome: Outcome = "pass" if there else "insufficient"
        found = "measured" if there else facts.told.get(f"evidence.{kind}", "not measured")
        yield _condition(f"evidence.{kind}", outcome, f"evidence of kind {kind}", found)
    for role in require.signatures:
        there = role in facts.signatures
        name = f"signature.{role}"
        found = facts.told.get(name, "a verified signature" if there else "no verified signature")
        yield _condition(name, "pass" if there else "insufficient", f"signed by the {role}", found)
    if require.freshness_days is not None:
        yield _freshness(dossier, require.freshness_days, now)
    if require.minimum_cell is not None:
        yield _minimum_cell(dossier, require.minimum_cell)
    for path in require.documents:
        filled = _filled({"generation": dossier.generation or {}}, path)
        outcome = "pass" if filled else "insufficient"
        yield _condition(f"document.{path}", outcome, f"{path} is filled in", "filled in" if filled else "empty")


def _review(dossier: Dossier, policy: Policy, now: datetime, facts: Facts) -> Iterator[Decision]:
    """What reviewers decided of this model. Of each person the last decision counts; a refusal stops the gate, asked for or not.

    An approval is for the model, the evidence and the policy that the reviewer saw. A refusal is not undone by new evidence.
    """
    model, asked = (dossier.model or {}).get("digest"), policy.require.approvals
    about = [a for a in facts.approvals if model and a.model_digest == model and a.policy_digest == policy.digest]
    last: dict[str, Approval] = {}
    for one in sorted(about, key=lambda a: (a.decided, a.decision == "refused")):
        if one.decision == "refused" or one.decided <= now + _SKEW:
            last[one.by] = one
    refused = sorted(a.by for a in last.values() if a.decision == "refused" and (a.expires is None or a.expires > now))
    if refused:
        found = f"refused by {', '.join(refused)}"
        yield _condition("refusal", "fail", "no reviewer has refused this model", facts.told.get("refusal", found))
    if not asked:
        return
    required = f"approved by {asked} other than the model's author"
    valid = {
        a.by
        for a in last.values()
        if a.decision == "approved" and a.evidence_digest == dossier.digest and a.expires is not None and a.expires > now
    }
    if facts.authors is None:
        unknown = f"{len(valid)} in force, and who made the model is unknown: the engineer's evidence is not signed"
        yield _condition("approvals", "insufficient", required, facts.told.get("approvals", unknown))
        return
    valid -= facts.authors
    outcome: Outcome = "pass" if len(valid) >= asked else "insufficient"
    found = f"{len(valid)} in force" + (f": {', '.join(sorted(valid))}" if valid else "")
    yield _condition("approvals", outcome, required, found)


def _freshness(dossier: Dossier, days: int, now: datetime) -> Decision:
    required = f"measured within {days} days"
    if dossier.created is None:
        return _condition("freshness", "insufficient", required, "the evidence carries no time")
    try:
        created = datetime.fromisoformat(dossier.created)
    except ValueError:
        return _condition("freshness", "insufficient", required, "the evidence's time cannot be read")
    if created.tzinfo is None or created > now + _SKEW:
        return _condition("freshness", "insufficient", required, "the evidence's time lies in the future or has no timezone")
    age = (now - created).days
    return _condition("freshness", "pass" if age <= days else "insufficient", required, f"{age} days old")


def _minimum_cell(dossier: Dossier, asked: Cell) -> Decision:
    """Smaller groups are withheld from the evidence."""
    required = f"no group below {asked.rows} rows or {asked.events} events is shown"
    cell: Any = dossier.study.get("minimum_cell")
    try:
        rows, events = int(cell["rows"]), int(cell["events"])
    except (KeyError, TypeError, ValueError):
        return _condition("minimum_cell", "insufficient", required, "the evidence does not say which groups it withholds")
    enough = rows >= asked.rows and events >= asked.events
    return _condition("minimum_cell", "pass" if enough else "insufficient", required, f"below {rows} rows or {events} events")


def _filled(data: Mapping[str, Any], path: str) -> bool:
    value: Any = data
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value not in (None, "", [], {}, ())


def _lineage(dossier: Dossier, policy: Policy, facts: Facts) -> Iterator[Decision]:
    lineage = policy.lineage
    if lineage.no_recall:
        found = "unknown" if facts.recalls is None else f"{len(facts.recalls)} recalled"
        found = facts.told.get("lineage.no_recall", found)
        outcome: Outcome = "insufficient" if facts.recalls is None else "fail" if facts.recalls else "pass"
        yield _condition("lineage.no_recall", outcome, "no dataset behind the model is recalled", found)
    if lineage.no_contamination:
        yield _contamination(dossier, facts)
    if lineage.release == "required":
        outcome = "insufficient" if facts.release is None else "pass" if facts.release else "fail"
        found = {None: "no release attestation", True: "verified", False: "refused or for another table"}[facts.release]
        found = facts.told.get("lineage.release", found)
        yield _condition("lineage.release", outcome, "the synthetic table was released", found)
    if lineage.holdout_verdicts_at_most is not None:
        taken, limit = facts.holdout_verdicts, lineage.holdout_verdicts_at_most
        outcome = "insufficient" if taken is None else "pass" if taken <= limit else "fail"
        found = "unknown" if taken is None else f"{taken} taken"
        yield _condition("lineage.holdout_verdicts", outcome, f"at most {limit} verdicts on this holdout", found)


def _contamination(dossier: Dossier, facts: Facts) -> Decision:
    """The holdout is not the table that the generator or the model learned from, by digest and by what the lineage knows."""
    required = "the holdout was seen by neither generator nor model"
    digests = {role: table.get("digest") for role, table in dossier.datasets.items()}
    holdout = digests.get("holdout")
    if holdout is None:
        return _condition("lineage.no_contamination", "insufficient", required, "no holdout")
    seen = [role for role in ("source", "synthetic") if digests.get(role) == holdout]
    if seen or facts.contaminated:
        lineage = facts.told.get("lineage.no_contamination", "the lineage shows it among an ancestor's inputs")
        found = f"the holdout is the {seen[0]} table" if seen else lineage
        return _condition("lineage.no_contamination", "fail", required, found)
    if facts.contaminated is None and "source" not in digests:
        return _condition("lineage.no_contamination", "insufficient", required, "the source table is unknown")
    return _condition("lineage.no_contamination", "pass", required, "disjoint")


def _criterion(criterion: Criterion, dossier: Dossier, cell: Cell | None) -> Iterator[Decision]:
    task = dossier.study.get("task")
    if criterion.tasks and task is not None and task not in criterion.tasks:
        return
    found: dict[str, list[Estimate]] = {}
    for figures in (dossier.figures, *(dossier.draws if criterion.draws > 1 else ())):
        for of, figure in _matching(criterion, figures):
            found.setdefault(of, []).append(figure)
    if not found:
        yield undecided(criterion, criterion.of, "not measured", "the evidence has no such figure")
    least = 0 if cell is None else cell.rows
    for of, drawn in sorted(found.items(), key=lambda pair: (pair[0] != ALL, pair[0])):
        yield held(criterion, of, drawn, least=least)


def _matching(criterion: Criterion, figures: Mapping[str, Estimate]) -> Iterator[tuple[str, Estimate]]:
    for text, figure in figures.items():
        if not text.startswith(criterion.figure):
            continue
        name = FigureId.parse(text)
        if name.name != criterion.figure:
            continue
        wanted = criterion.of in ("each", name.of) or (criterion.of == "groups" and name.of != ALL)
        if wanted:
            yield name.of, figure


def _waived(decision: Decision, policy: Policy, facts: Facts, now: datetime, model_digest: str | None) -> Decision:
    waivable = {criterion.id for criterion in policy.criteria if criterion.waivable}
    if decision.outcome == "pass" or decision.id not in waivable or model_digest is None:
        return decision
    for waiver in facts.waivers:
        fits = (waiver.criterion, waiver.model_digest, waiver.policy_digest) == (decision.id, model_digest, policy.digest)
        distinct = facts.authors is not None and waiver.by not in facts.authors
        if fits and distinct and waiver.expires > now:
            return replace(decision, waived=f"by {waiver.by} until {waiver.expires:%Y-%m-%d}: {waiver.reason}")
    return decision
