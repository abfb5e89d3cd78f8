"""Verdicts of several policies on one dossier, side by side: where they ask for different things, and where they differ here.

A row is a figure (and what it is of), or a condition such as a document. The policies need not share a criterion's id or its
threshold: what makes them comparable is what they read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.policy.verdict import Decision, Outcome, Verdict

__all__ = ["ComparedRow", "compare", "worst_outcome"]

_ORDER = ("fail", "insufficient", "pass")


@dataclass(frozen=True)
class ComparedRow:
    """One thing that at least one policy asks for. decisions: policy -> the strictest decision; a policy without it is absent."""

    asks: str
    of: str
    decisions: Mapping[str, Decision]
    policies: int

    @property
    def differs(self) -> bool:
        """Whether the policies come to different ends here: another outcome, another weight, or not asked at all."""
        ends = {(decision.outcome, decision.severity) for decision in self.decisions.values()}
        return len(ends) > 1 or len(self.decisions) < self.policies


def compare(verdicts: Sequence[Verdict]) -> tuple[ComparedRow, ...]:
    """Every row, in the order in which the policies name them; rows that bind and do not pass first."""
    rows: dict[tuple[str, str], dict[str, Decision]] = {}
    for verdict in verdicts:
        for decision in verdict.decisions:
            mine = rows.setdefault((decision.figure or decision.id, decision.of), {})
            if verdict.policy not in mine or _strictness(decision) < _strictness(mine[verdict.policy]):
                mine[verdict.policy] = decision
    found = [ComparedRow(asks, of, decisions, len(verdicts)) for (asks, of), decisions in rows.items()]
    return tuple(sorted(found, key=lambda row: min(_strictness(decision) for decision in row.decisions.values())))


def worst_outcome(verdicts: Sequence[Verdict]) -> Outcome:
    """`fail` if any policy fails, else `insufficient` if any is, or if there is none, else `pass`."""
    found = {verdict.outcome for verdict in verdicts}
    if "fail" in found:
        return "fail"
    return "pass" if found == {"pass"} else "insufficient"


def _strictness(decision: Decision) -> tuple[bool, int]:
    return (decision.holds, _ORDER.index(decision.outcome))
