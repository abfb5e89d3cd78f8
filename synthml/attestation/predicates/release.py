"""Release: what a custodian claims of a synthetic table. Subject: `synthetic`, the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.derivation import Material, materials
from synthml.attestation.predicates.fields import mapping, text
from synthml.attestation.predicates.names import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RELEASE", "ReleasePredicate", "release_v1"]

RELEASE = f"{NAMESPACE}/release/v1"


@dataclass(frozen=True)
class ReleasePredicate:
    """What a custodian claims of a synthetic table.

    outcome: the worst over the policies. policies: name with version -> {"outcome", "digest", "verdict"} (digests of policy and
    verdict). evidence, datasheet: digests of the documents that went with it. generation: the public view of the generation
    record. decided: ISO 8601, UTC. derived_from: the tables that it was made from, so that a recall of one of them finds it.
    """

    outcome: str
    policies: Mapping[str, Mapping[str, Any]]
    evidence: str
    datasheet: str
    decided: str
    seed: int
    synthml: str
    digest_form: str
    generation: Mapping[str, Any] | None = None
    documents: Mapping[str, str] = field(default_factory=dict)
    derived_from: tuple[Material, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "outcome": self.outcome,
            "policies": {name: dict(facts) for name, facts in self.policies.items()},
            "evidence": self.evidence,
            "datasheet": self.datasheet,
            "documents": dict(self.documents),
            "decided": self.decided,
            "seed": self.seed,
            "synthml": self.synthml,
            "digestForm": self.digest_form,
            "generation": None if self.generation is None else dict(self.generation),
            "derivedFrom": [material.to_dict() for material in self.derived_from],
        }


def release_v1(data: Mapping[str, Any]) -> ReleasePredicate:
    """Read version 1. Raises AttestationError."""
    return ReleasePredicate(
        outcome=text(data, "outcome"),
        policies=mapping(data, "policies"),
        evidence=text(data, "evidence"),
        datasheet=text(data, "datasheet"),
        decided=text(data, "decided"),
        seed=int(data.get("seed") or 0),
        synthml=text(data, "synthml"),
        digest_form=text(data, "digestForm"),
        generation=data.get("generation"),
        documents=data.get("documents") or {},
        derived_from=materials(data, "derivedFrom"),
    )
