"""Deployment: a model serves somewhere since a time; and retirement: it does no more. Subject: `model`.

in-toto's own deployment predicate says where an artifact may go. This one says where it went: a record, not leave. History is
kept: a retirement is a statement of its own, which names the deployment that it ends by the SHA-256 of that statement's document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import moment, optional_text, text
from synthml.attestation.predicates.names import NAMESPACE
from synthml.attestation.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEPLOYMENT",
    "RETIREMENT",
    "DeploymentPredicate",
    "RetirementPredicate",
    "deployment_statement",
    "deployment_v1",
    "retirement_statement",
    "retirement_v1",
]

DEPLOYMENT = f"{NAMESPACE}/deployment/v1"
RETIREMENT = f"{NAMESPACE}/retirement/v1"


@dataclass(frozen=True)
class DeploymentPredicate:
    """until: when it is meant to end, if that is known. by: who or what deployed. version: `models:/NAME/1` at that time."""

    environment: str
    endpoint: str
    since: str
    by: str
    until: str | None = None
    version: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "environment": self.environment,
            "endpoint": self.endpoint,
            "since": self.since,
            "until": self.until,
            "by": self.by,
            "version": self.version,
        }


@dataclass(frozen=True)
class RetirementPredicate:
    """deployment: `sha256:<hex>` of the deployment's document."""

    deployment: str
    until: str
    by: str
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {"deployment": self.deployment, "until": self.until, "by": self.by, "reason": self.reason}


def deployment_v1(data: Mapping[str, Any]) -> DeploymentPredicate:
    """Read version 1. Raises AttestationError."""
    return DeploymentPredicate(
        environment=text(data, "environment"),
        endpoint=text(data, "endpoint"),
        since=moment(data, "since"),
        by=text(data, "by"),
        until=None if data.get("until") is None else moment(data, "until"),
        version=optional_text(data, "version"),
    )


def retirement_v1(data: Mapping[str, Any]) -> RetirementPredicate:
    """Read version 1. Raises AttestationError."""
    return RetirementPredicate(text(data, "deployment"), moment(data, "until"), text(data, "by"), optional_text(data, "reason"))


def deployment_statement(predicate: DeploymentPredicate, *, model: str) -> Statement:
    """model: digest of the model's files."""
    return Statement((Subject("model", model),), DEPLOYMENT, predicate.to_dict())


def retirement_statement(predicate: RetirementPredicate, *, model: str | None) -> Statement:
    """model: digest of the model's files; None for a damaged record: then the statement is about the record alone."""
    subject = Subject("deployment", predicate.deployment) if model is None else Subject("model", model)
    return Statement((subject,), RETIREMENT, predicate.to_dict())
