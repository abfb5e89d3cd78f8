"""Whether a batch is quiet: a policy's verdict, and the exit code that a scheduler reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from synthml.policy.decision import decide

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from synthml.evidence import Dossier
    from synthml.policy import Policy, Verdict
    from synthml.policy.verdict import Outcome

__all__ = ["EXIT_CODES", "decide_batch"]

EXIT_CODES: Mapping[Outcome, int] = {"pass": 0, "fail": 1, "insufficient": 3}
_NEEDS_OUTCOMES = ("utility.", "drift.outcome.")


def decide_batch(dossier: Dossier, policy: Policy, *, now: datetime, labelled: bool) -> Verdict:
    """The policy's verdict on a batch.

    Outcomes often come weeks after the predictions. Criteria that need them are not held against a batch that has none: they are
    listed, and only warn. A batch with outcomes has to meet them.
    """
    verdict = decide(dossier, policy, now=now)
    if labelled:
        return verdict
    decisions = tuple(
        replace(d, severity="warn", reason="the batch holds no outcomes yet")
        if d.outcome == "insufficient" and d.figure.startswith(_NEEDS_OUTCOMES)
        else d
        for d in verdict.decisions
    )
    standing = [d.outcome for d in decisions if not d.holds]
    outcome: Outcome = "fail" if "fail" in standing else "insufficient" if standing else "pass"
    return replace(verdict, decisions=decisions, outcome=outcome)
