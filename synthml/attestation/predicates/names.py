"""The names that several families of predicates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import mapping, optional_text, text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMESPACE", "Signatory", "signatory"]

NAMESPACE = "https://synthml.dev/attestation"


@dataclass(frozen=True)
class Signatory:
    """Who makes a claim. key: the id of the key that signs; name: what they call themselves; the trust file knows better."""

    key: str
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a predicate."""
        return {"key": self.key} if self.name is None else {"key": self.key, "name": self.name}


def signatory(data: Mapping[str, Any], name: str) -> Signatory:
    """Read one. Raises AttestationError."""
    value = mapping(data, name)
    return Signatory(text(value, "key"), optional_text(value, "name"))
