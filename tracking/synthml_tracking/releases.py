"""The release of the table that a run trains on: found, checked against the table, and carried along.

The statement lies beside the table as `release.dsse.json`, or in a folder `release` beside it, or is named. Its subject must be
the digest of the very table that the study holds; a table that was changed by one value is another table, and that is an error.
The signature is checked with the trusted keys. Without any, the digest still is, and that nobody looked at the signature is
recorded with it.

The evidence that the release rests on lies beside the statement as `evidence.json`. When it is the document that the statement
names, it travels too: what the custodian attacked and measured of the table reaches the gate of every model that learns from it.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthml.errors import AttestationError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from securesystemslib.signer import SSlibKey

    from synthml import Study

__all__ = ["AttachedRelease", "document_beside", "find_release", "load_release"]

_NAME, _EVIDENCE = "release.dsse.json", "evidence.json"
_LARGEST, _LARGEST_EVIDENCE = 10_000_000, 50_000_000


@dataclass(frozen=True)
class AttachedRelease:
    """A release statement about the study's synthetic table. raw: the envelope; payload: the statement in it.

    checked: whether the signature was verified with a trusted key. evidence: the document that the statement names; None when it
    does not lie beside it.
    """

    raw: bytes
    payload: bytes
    outcome: str
    key_id: str
    checked: bool
    evidence: bytes | None = None

    @property
    def key(self) -> str:
        """The first 32 hex of the envelope's SHA-256: its file name and its tag."""
        return hashlib.sha256(self.raw).hexdigest()[:32]

    @property
    def evidence_key(self) -> str | None:
        """The first 32 hex of the evidence document's SHA-256; None without it."""
        return None if self.evidence is None else hashlib.sha256(self.evidence).hexdigest()[:32]

    @property
    def files(self) -> dict[str, bytes]:
        """Path under the run's artifacts -> content."""
        found = {f"synthml/attestations/{self.key}.dsse.json": self.raw}
        return found if self.evidence is None else {**found, f"synthml/evidence/{self.evidence_key}.json": self.evidence}

    @property
    def tags(self) -> dict[str, str]:
        """What a search finds it by, on run and version: its outcome with the key's id, the statement, and the evidence."""
        found = {"synthml.release": self.told, f"synthml.at.{self.key}": "release"}
        return found if self.evidence is None else {**found, f"synthml.ev.{self.evidence_key}": "custodian"}

    @property
    def told(self) -> str:
        """`pass, signed by 0123456789abcdef`."""
        return f"{self.outcome}, signed by {self.key_id[:16]}" + ("" if self.checked else " (signature not checked)")


def find_release(table: Path) -> Path | None:
    """The statement beside a table's file, when there is one."""
    return next((place for place in (table.parent / _NAME, table.parent / "release" / _NAME) if place.is_file()), None)


def load_release(path: Path, study: Study, keys: Sequence[SSlibKey] = ()) -> AttachedRelease:
    """Read, verify and hold against the study's synthetic table.

    Raises AttestationError when the statement cannot be read or its signature does not hold; InputError when it is about another
    table. A table that was not released is warned of, not refused: that is for the gate to decide.
    """
    from synthml.attestation import ReleasePredicate, read_as, unverified, verify

    raw = _read(path)
    found = verify(raw, keys) if keys else unverified(raw)
    predicate = read_as(found.statement, ReleasePredicate)
    if "synthetic" not in study.roles:
        raise InputError("the study has no synthetic table that a release could be about")
    digest, named = study.tables["synthetic"].digest, [subject.digest for subject in found.statement.subjects]
    if digest not in named:
        raise InputError(_another_table(path, digest, named))
    if predicate.outcome != "pass":
        warnings.warn(f"the synthetic table was not released: the outcome was '{predicate.outcome}'", UserWarning, stacklevel=3)
    evidence = document_beside(path, predicate.evidence)
    return AttachedRelease(raw, found.statement.to_json(), predicate.outcome, found.key_id, bool(keys), evidence)


def document_beside(path: Path, digest: str) -> bytes | None:
    """The document that the statement names; another one of that name is somebody else's, and left alone."""
    try:
        beside = path.parent / _EVIDENCE
        raw = beside.read_bytes() if beside.stat().st_size <= _LARGEST_EVIDENCE else b""
    except OSError:
        return None
    return raw if "sha256:" + hashlib.sha256(raw).hexdigest() == digest else None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise AttestationError(f"{path} is too large to be a release statement")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"the release {path} cannot be read: {error.strerror}") from error
    if b'"payloadType"' not in raw and b'"predicateType"' in raw:
        raise AttestationError(f"{path} is a statement without a signature; a release that travels along is signed ({_NAME})")
    return raw


def _another_table(path: Path, digest: str, named: list[str]) -> str:
    mine, theirs = digest.partition(":")[0], named[0].partition(":")[0]
    if mine != theirs:
        return (
            f"the release {path.name} names its table by {theirs}, the study by {mine}: read the study with the key that the "
            "release was made with"
        )
    return (
        f"the synthetic table was changed after its release, or is another one: {path.name} is about {_short(named[0])}, "
        f"the study's table is {_short(digest)}. Train on the released table, or have this one released."
    )


def _short(digest: str) -> str:
    kind, _, value = digest.partition(":")
    return f"{kind}:{value[:16]}…"
