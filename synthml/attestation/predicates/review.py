"""A reviewer's decisions: approval or refusal of a model, and waiver of one criterion.

Approval and refusal have the subjects `model`, `evidence` and `policy`: what the reviewer looked at, and nothing else. A waiver
is about `model` and `policy`. All of them are bound to digests, so none of them survives a change of what it was given for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import choice, moment, text
from synthml.attestation.predicates.names import NAMESPACE, Signatory, signatory
from synthml.attestation.statement import Statement, Subject
from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "REVIEW",
    "WAIVER",
    "ReviewPredicate",
    "WaiverPredicate",
    "review_statement",
    "review_v1",
    "waiver_statement",
    "waiver_v1",
]

REVIEW = f"{NAMESPACE}/review/v1"
WAIVER = f"{NAMESPACE}/waiver/v1"
_DECISIONS = ("approved", "refused")


@dataclass(frozen=True)
class ReviewPredicate:
    """decision: `approved` or `refused`. An approval expires; a refusal may, and else stands until the same person approves."""

    decision: str
    reason: str
    decided: str
    approver: Signatory
    expires: str | None = None

    def __post_init__(self) -> None:
        if self.decision == "approved" and self.expires is None:
            raise AttestationError("an approval needs an expiry")

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "decision": self.decision,
            "reason": self.reason,
            "decided": self.decided,
            "expires": self.expires,
            "approver": self.approver.to_dict(),
        }


@dataclass(frozen=True)
class WaiverPredicate:
    """Leave for one criterion, by its id."""

    criterion: str
    reason: str
    granted: str
    expires: str
    approver: Signatory

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "criterion": self.criterion,
            "reason": self.reason,
            "granted": self.granted,
            "expires": self.expires,
            "approver": self.approver.to_dict(),
        }


def review_v1(data: Mapping[str, Any]) -> ReviewPredicate:
    """Read version 1. Raises AttestationError."""
    return ReviewPredicate(
        decision=choice(data, "decision", _DECISIONS),
        reason=text(data, "reason"),
        decided=moment(data, "decided"),
        approver=signatory(data, "approver"),
        expires=None if data.get("expires") is None else moment(data, "expires"),
    )


def waiver_v1(data: Mapping[str, Any]) -> WaiverPredicate:
    """Read version 1. Raises AttestationError."""
    return WaiverPredicate(
        text(data, "criterion"),
        text(data, "reason"),
        moment(data, "granted"),
        moment(data, "expires"),
        signatory(data, "approver"),
    )


def review_statement(predicate: ReviewPredicate, *, model: str, evidence: str, policy: str) -> Statement:
    """model, evidence, policy: the digests that the decision is bound to."""
    subjects = (Subject("model", model), Subject("evidence", evidence), Subject("policy", policy))
    return Statement(subjects, REVIEW, predicate.to_dict())


def waiver_statement(predicate: WaiverPredicate, *, model: str, policy: str) -> Statement:
    """model, policy: the digests that the waiver is bound to."""
    return Statement((Subject("model", model), Subject("policy", policy)), WAIVER, predicate.to_dict())
