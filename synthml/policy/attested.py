"""A verdict as a statement that can be signed, and back.

The mapping to in-toto's words is described in `synthml.attestation.predicates.verdict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.attestation import TEST_RESULT, Statement, Subject, VerdictPredicate, read_as
from synthml.errors import AttestationError
from synthml.policy.verdict import Verdict

if TYPE_CHECKING:
    from synthml.policy.verdict import Decision

__all__ = ["verdict_of", "verdict_statement"]


def verdict_statement(verdict: Verdict) -> Statement:
    """The statement about a verdict. Subjects: the model, when there is one, and the evidence."""
    passed: list[str] = []
    warned: list[str] = []
    failed: list[str] = []
    for decision in verdict.decisions:
        place = passed if decision.outcome == "pass" else warned if decision.holds else failed
        place.append(_name(decision))
    predicate = VerdictPredicate(
        outcome=verdict.outcome,
        policy=verdict.policy,
        policy_digest=verdict.policy_digest,
        digest=verdict.digest,
        verdict=verdict.to_dict(),
        passed=tuple(passed),
        warned=tuple(warned),
        failed=tuple(failed),
    )
    model = () if verdict.model_digest is None else (Subject("model", verdict.model_digest),)
    return Statement((*model, Subject("evidence", verdict.evidence_digest)), TEST_RESULT, predicate.to_dict())


def verdict_of(statement: Statement) -> Verdict:
    """The verdict in a statement. Raises AttestationError when it is none, or when its parts are at odds with each other."""
    predicate = read_as(statement, VerdictPredicate)
    try:
        verdict = Verdict.from_dict(predicate.verdict)
    except (KeyError, TypeError) as error:
        raise AttestationError("the verdict in the statement cannot be read") from error
    if verdict_statement(verdict).to_json() != statement.to_json():
        raise AttestationError("the statement does not say what its verdict says")
    return verdict


def _name(decision: Decision) -> str:
    return decision.id if not decision.of else f"{decision.id} [{decision.of}]"
