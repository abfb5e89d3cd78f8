"""The kinds of claims. A predicate's type is a name under a namespace of ours, not a page that could be fetched.

`release`     a table may leave                          `evidence`    a document of figures, by whoever measured
`derivation`  a table was made from others               `verdict`     a policy's outcome (in-toto's test result)
`recall`      a table is withdrawn, and the end of that  `review`      a reviewer approves, refuses, waives
`deployment`  a model serves, and serves no more

A version, once released, is never changed: a new one is added in its family with its reader, and the older readers stay. Optional
fields may be added to a version, as in-toto's rules allow: readers ignore what they do not know, and the statement keeps it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from synthml.attestation.predicates.deployment import (
    DEPLOYMENT,
    RETIREMENT,
    DeploymentPredicate,
    RetirementPredicate,
    deployment_statement,
    deployment_v1,
    retirement_statement,
    retirement_v1,
)
from synthml.attestation.predicates.derivation import (
    ACTIVITIES,
    DERIVATION,
    DerivationPredicate,
    Material,
    derivation_statement,
    derivation_v1,
)
from synthml.attestation.predicates.evidence import EVIDENCE, EvidencePredicate, evidence_statement, evidence_v1
from synthml.attestation.predicates.names import NAMESPACE, Signatory
from synthml.attestation.predicates.recall import (
    RECALL,
    RECALL_LIFT,
    RecallLiftPredicate,
    RecallPredicate,
    recall_lift_statement,
    recall_lift_v1,
    recall_statement,
    recall_v1,
)
from synthml.attestation.predicates.release import RELEASE, ReleasePredicate, release_v1
from synthml.attestation.predicates.review import (
    REVIEW,
    WAIVER,
    ReviewPredicate,
    WaiverPredicate,
    review_statement,
    review_v1,
    waiver_statement,
    waiver_v1,
)
from synthml.attestation.predicates.verdict import TEST_RESULT, VerdictPredicate, verdict_v01
from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synthml.attestation.statement import Statement

__all__ = [
    "ACTIVITIES",
    "DEPLOYMENT",
    "DERIVATION",
    "EVIDENCE",
    "KIND_OF",
    "NAMESPACE",
    "RECALL",
    "RECALL_LIFT",
    "RELEASE",
    "RETIREMENT",
    "REVIEW",
    "TEST_RESULT",
    "WAIVER",
    "DeploymentPredicate",
    "DerivationPredicate",
    "EvidencePredicate",
    "Material",
    "Predicate",
    "RecallLiftPredicate",
    "RecallPredicate",
    "ReleasePredicate",
    "RetirementPredicate",
    "ReviewPredicate",
    "Signatory",
    "VerdictPredicate",
    "WaiverPredicate",
    "deployment_statement",
    "derivation_statement",
    "evidence_statement",
    "kind_of",
    "known_predicate",
    "read_as",
    "read_predicate",
    "recall_lift_statement",
    "recall_statement",
    "retirement_statement",
    "review_statement",
    "waiver_statement",
]

Predicate = (
    ReleasePredicate
    | EvidencePredicate
    | DerivationPredicate
    | VerdictPredicate
    | RecallPredicate
    | RecallLiftPredicate
    | ReviewPredicate
    | WaiverPredicate
    | DeploymentPredicate
    | RetirementPredicate
)
P = TypeVar("P")
_READERS: Mapping[str, Callable[[Mapping[str, Any]], Predicate]] = MappingProxyType(
    {
        RELEASE: release_v1,
        EVIDENCE: evidence_v1,
        DERIVATION: derivation_v1,
        TEST_RESULT: verdict_v01,
        RECALL: recall_v1,
        RECALL_LIFT: recall_lift_v1,
        REVIEW: review_v1,
        WAIVER: waiver_v1,
        DEPLOYMENT: deployment_v1,
        RETIREMENT: retirement_v1,
    }
)
# one word a kind, whatever its version: what tags in a registry say
KIND_OF: Mapping[str, str] = MappingProxyType(
    {
        RELEASE: "release",
        EVIDENCE: "evidence",
        DERIVATION: "derivation",
        TEST_RESULT: "verdict",
        RECALL: "recall",
        RECALL_LIFT: "recall-lift",
        REVIEW: "review",
        WAIVER: "waiver",
        DEPLOYMENT: "deployment",
        RETIREMENT: "retirement",
    }
)


def known_predicate(predicate_type: str) -> None:
    """Raises AttestationError when no reader knows the type."""
    if predicate_type not in _READERS:
        raise AttestationError(
            f"this synthml does not know the predicate {predicate_type[:80]!r}; a newer one may. It knows {', '.join(_READERS)}"
        )


def kind_of(statement: Statement) -> str:
    """The word of a statement's kind; a refusal is told apart from an approval. Raises AttestationError."""
    known_predicate(statement.predicate_type)
    word = KIND_OF[statement.predicate_type]
    if word == "review":
        return "refusal" if statement.predicate.get("decision") == "refused" else "approval"
    return word


def read_predicate(statement: Statement) -> Predicate:
    """What a statement claims, read by the reader of its version. Raises AttestationError."""
    known_predicate(statement.predicate_type)
    return _READERS[statement.predicate_type](statement.predicate)


def read_as(statement: Statement, kind: type[P]) -> P:
    """What a statement claims, which must be of one kind. Raises AttestationError."""
    found = read_predicate(statement)
    if not isinstance(found, kind):
        raise AttestationError(f"the statement is a {kind_of(statement)}, which is not what is expected here")
    return found
