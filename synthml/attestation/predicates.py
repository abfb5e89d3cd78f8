"""The kinds of claims. A predicate's type is a name under a namespace of ours, not a page that could be fetched.

A version, once released, is never changed: a new one is added here with its reader, and the older readers stay. Readers ignore
fields that they do not know; the statement keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError

if TYPE_CHECKING:
    from synthml.attestation.statement import Statement

__all__ = ["NAMESPACE", "RELEASE", "ReleasePredicate", "known_predicate", "read_predicate"]

NAMESPACE = "https://synthml.dev/attestation"
RELEASE = f"{NAMESPACE}/release/v1"


@dataclass(frozen=True)
class ReleasePredicate:
    """What a custodian claims of a synthetic table.

    outcome: the worst over the policies. policies: name with version -> {"outcome", "digest", "verdict"} (digests of policy and
    verdict). evidence, datasheet: digests of the documents that went with it. generation: the public view of the generation
    record. decided: ISO 8601, UTC.
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
        }


def _release_v1(data: Mapping[str, Any]) -> ReleasePredicate:
    return ReleasePredicate(
        outcome=_text(data, "outcome"),
        policies=_map(data, "policies"),
        evidence=_text(data, "evidence"),
        datasheet=_text(data, "datasheet"),
        decided=_text(data, "decided"),
        seed=int(data.get("seed") or 0),
        synthml=_text(data, "synthml"),
        digest_form=_text(data, "digestForm"),
        generation=data.get("generation"),
        documents=data.get("documents") or {},
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise AttestationError(f"the predicate has no '{name}'")
    return value


def _map(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise AttestationError(f"the predicate has no '{name}'")
    return value


_READERS: Mapping[str, Callable[[Mapping[str, Any]], ReleasePredicate]] = MappingProxyType({RELEASE: _release_v1})


def known_predicate(predicate_type: str) -> None:
    """Raises AttestationError when no reader knows the type."""
    if predicate_type not in _READERS:
        raise AttestationError(
            f"this synthml does not know the predicate {predicate_type[:80]!r}; a newer one may. It knows {', '.join(_READERS)}"
        )


def read_predicate(statement: Statement) -> ReleasePredicate:
    """What a statement claims, read by the reader of its version. Raises AttestationError."""
    known_predicate(statement.predicate_type)
    return _READERS[statement.predicate_type](statement.predicate)
