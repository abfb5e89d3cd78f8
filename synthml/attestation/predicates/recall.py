"""Recall: a table must not be relied on any more; and lift: the end of a recall.

A lift names the recall statements that it ends, by the SHA-256 of their bytes. So no order of times has to be believed: a recall
that was declared after the lift is another statement, and stands; one that is sent a second time is the same, and stays lifted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import moment, text, texts
from synthml.attestation.predicates.names import NAMESPACE
from synthml.attestation.statement import Statement, Subject
from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "RECALL",
    "RECALL_LIFT",
    "RecallLiftPredicate",
    "RecallPredicate",
    "recall_lift_statement",
    "recall_lift_v1",
    "recall_statement",
    "recall_v1",
]

RECALL = f"{NAMESPACE}/recall/v1"
RECALL_LIFT = f"{NAMESPACE}/recall-lift/v1"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class RecallPredicate:
    """Why a table is recalled, and when that was declared."""

    reason: str
    declared: str

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {"reason": self.reason, "declared": self.declared}


@dataclass(frozen=True)
class RecallLiftPredicate:
    """Why recalls end. recalls: `sha256:<hex>` of the bytes of each recall's document."""

    recalls: tuple[str, ...]
    reason: str
    lifted: str

    def __post_init__(self) -> None:
        if not self.recalls or not all(map(_SHA256.fullmatch, self.recalls)):
            raise AttestationError("a lift names the recalls that it ends, each as sha256:<64 hex> of its document")

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {"recalls": list(self.recalls), "reason": self.reason, "lifted": self.lifted}


def recall_v1(data: Mapping[str, Any]) -> RecallPredicate:
    """Read version 1. Raises AttestationError."""
    return RecallPredicate(text(data, "reason"), moment(data, "declared"))


def recall_lift_v1(data: Mapping[str, Any]) -> RecallLiftPredicate:
    """Read version 1. Raises AttestationError."""
    return RecallLiftPredicate(texts(data, "recalls"), text(data, "reason"), moment(data, "lifted"))


def recall_statement(digests: Iterable[str], predicate: RecallPredicate) -> Statement:
    """digests: the tables that are recalled."""
    return Statement(tuple(Subject("dataset", digest) for digest in digests), RECALL, predicate.to_dict())


def recall_lift_statement(digests: Iterable[str], predicate: RecallLiftPredicate) -> Statement:
    """digests: the tables whose recalls end."""
    return Statement(tuple(Subject("dataset", digest) for digest in digests), RECALL_LIFT, predicate.to_dict())
