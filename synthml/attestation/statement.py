"""A statement: what is claimed of which digests (in-toto Statement v1, https://github.com/in-toto/attestation/tree/main/spec/v1).

A subject is named by the digest of its content, never by its place. `sha256` in the digest set of a table is the SHA-256 of its
canonical content (`synthml.digest`), not of the bytes of a file, so that CSV and Parquet of one table are one subject; the
predicate says so under `digestForm`. A digest under a key, `hmac-sha256:...`, has no name in in-toto's list; here it is
`hmacSha256`, and whoever does not know that name has nothing to compare, as the specification wants it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError
from synthml.evidence import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATEMENT", "Statement", "Subject"]

STATEMENT = "https://in-toto.io/Statement/v1"
_TO_INTOTO = {"sha256": "sha256", "hmac-sha256": "hmacSha256"}
_FROM_INTOTO = {name: ours for ours, name in _TO_INTOTO.items()}
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Subject:
    """What a statement is about. digest: `sha256:<hex>` or `hmac-sha256:<hex>`; further: digests under other names."""

    name: str
    digest: str
    further: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind, _, value = self.digest.partition(":")
        if kind not in _TO_INTOTO or not _HEX.fullmatch(value):
            raise AttestationError("a subject's digest is sha256:<64 hex> or hmac-sha256:<64 hex>")

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the statement."""
        kind, _, value = self.digest.partition(":")
        return {**self.extra, "name": self.name, "digest": {**self.further, _TO_INTOTO[kind]: value}}

    @classmethod
    def from_dict(cls, data: Any) -> Subject:
        """Read one. Raises AttestationError when it has no digest that this version can compare."""
        digests = data.get("digest") if isinstance(data, dict) else None
        if not isinstance(digests, dict):
            raise AttestationError("a subject of the statement has no digest")
        known = [name for name in _FROM_INTOTO if name in digests]
        if not known:
            raise AttestationError(f"a subject of the statement has no digest named {' or '.join(_FROM_INTOTO)}")
        return cls(
            name=str(data.get("name") or ""),
            digest=f"{_FROM_INTOTO[known[0]]}:{digests[known[0]]}",
            further={name: value for name, value in digests.items() if name != known[0]},
            extra={key: value for key, value in data.items() if key not in ("name", "digest")},
        )


@dataclass(frozen=True)
class Statement:
    """A claim (`predicate`, of the kind `predicate_type`) about its subjects. extra: fields that this version does not know."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.subjects:
            raise AttestationError("a statement needs a subject")

    def digest_of(self, name: str) -> str | None:
        """The digest of the subject of that name; None when there is none, or when several have it."""
        found = [subject.digest for subject in self.subjects if subject.name == name]
        return found[0] if len(found) == 1 else None

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all subjects, each once."""
        return tuple(dict.fromkeys(subject.digest for subject in self.subjects))

    def to_dict(self) -> dict[str, Any]:
        """The document."""
        return {
            **self.extra,
            "_type": STATEMENT,
            "subject": [subject.to_dict() for subject in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }

    def to_json(self) -> bytes:
        """Canonical JSON: equal claims are equal bytes."""
        return canonical_json(self.to_dict())

    @classmethod
    def from_json(cls, raw: bytes) -> Statement:
        """Read a document. Law: `Statement.from_json(s.to_json()).to_json() == s.to_json()`. Raises AttestationError."""
        data = parsed(raw, "the statement")
        kind = data.get("_type")
        if kind != STATEMENT:
            raise AttestationError(f"the statement is of type {str(kind)[:80]!r}; this synthml reads {STATEMENT}")
        subjects, predicate_type, predicate = data.get("subject"), data.get("predicateType"), data.get("predicate")
        if not isinstance(subjects, list) or not isinstance(predicate_type, str) or not isinstance(predicate, dict):
            raise AttestationError("the statement is incomplete: it needs subject, predicateType and predicate")
        return cls(
            subjects=tuple(map(Subject.from_dict, subjects)),
            predicate_type=predicate_type,
            predicate=predicate,
            extra={k: v for k, v in data.items() if k not in ("_type", "subject", "predicateType", "predicate")},
        )


def parsed(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object, strictly: a name that stands twice or NaN would read differently elsewhere."""
    try:
        data = json.loads(raw, object_pairs_hook=_once, parse_constant=_refused)
    except AttestationError:
        raise
    except (ValueError, RecursionError) as error:
        raise AttestationError(f"{what} is not JSON") from error
    if not isinstance(data, dict):
        raise AttestationError(f"{what} is not a JSON object")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise AttestationError("a name stands twice in one object of the document")
    return data


def _refused(constant: str) -> None:
    raise AttestationError(f"the document holds {constant}, which JSON has no word for")
