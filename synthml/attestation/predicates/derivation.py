"""Derivation: a table was made from other tables. Subjects: the tables that were made.

Recall and contamination follow these statements from table to table, through any chain. `activity` says how much of the material
went in: all of its rows (`synthesis`, `augmentation`, `transformation`), or a part (`sampling`, `split`), which is why the two
halves of a split do not contaminate each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import choice, mappings, moment, optional_text, text
from synthml.attestation.predicates.names import NAMESPACE
from synthml.attestation.statement import Statement, Subject
from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ACTIVITIES",
    "DERIVATION",
    "DerivationPredicate",
    "Material",
    "derivation_statement",
    "derivation_v1",
    "materials",
]

DERIVATION = f"{NAMESPACE}/derivation/v1"
ACTIVITIES = ("synthesis", "augmentation", "transformation", "sampling", "split")


@dataclass(frozen=True)
class Material:
    """A table that went in. digest: `sha256:<hex>` or `hmac-sha256:<hex>`; role: `source`, or what it was to the maker."""

    digest: str
    role: str = "source"

    def __post_init__(self) -> None:
        Subject(self.role, self.digest)  # the same digests as a subject's, and the same error

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a predicate: a resource descriptor of in-toto."""
        return Subject(self.role, self.digest).to_dict()


def materials(data: Mapping[str, Any], name: str) -> tuple[Material, ...]:
    """Read a list of them. Raises AttestationError."""
    found = (Subject.from_dict(item) for item in mappings(data, name))
    return tuple(Material(subject.digest, subject.name) for subject in found)


@dataclass(frozen=True)
class DerivationPredicate:
    """materials: what the subjects were made from. recorded: when this was written down. generator: name and version, if any."""

    materials: tuple[Material, ...]
    activity: str
    recorded: str
    generator: str | None = None

    def __post_init__(self) -> None:
        if not self.materials:
            raise AttestationError("a derivation names at least one material")

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "materials": [material.to_dict() for material in self.materials],
            "activity": self.activity,
            "recorded": self.recorded,
            "generator": self.generator,
        }


def derivation_v1(data: Mapping[str, Any]) -> DerivationPredicate:
    """Read version 1. Raises AttestationError."""
    choice(data, "activity", ACTIVITIES)
    return DerivationPredicate(
        materials(data, "materials"), text(data, "activity"), moment(data, "recorded"), optional_text(data, "generator")
    )


def derivation_statement(derived: Iterable[tuple[str, str]], predicate: DerivationPredicate) -> Statement:
    """derived: (name, digest) of each table that was made."""
    return Statement(tuple(Subject(name, digest) for name, digest in derived), DERIVATION, predicate.to_dict())
