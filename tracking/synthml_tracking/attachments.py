"""Statements attached to a logged model, and what each of them is worth.

    artifact   synthml/attestations/<first 32 hex of its SHA-256>.dsse.json, on the run that trained the model
    tag        synthml.at.<the same 32 hex> = kind, on that run and on every version of the model

A statement is added, never overwritten. Its name is its content, so that a changed one is noticed; its tag says that it must be
there, so that a missing one is. Tags and names are for finding: what counts is the signature, and that what is signed are the
digests of the very model, evidence and policy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthml.errors import AttestationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from securesystemslib.signer import Signer

    from synthml.attestation import Claim, Trust
    from synthml.evidence import Dossier

__all__ = ["PLACE", "SUFFIX", "TAG", "Attached", "Attachment", "holding", "judged", "signed_evidence"]

PLACE = "synthml/attestations"
SUFFIX = ".dsse.json"
TAG = "synthml.at."


@dataclass(frozen=True)
class Attachment:
    """A signed statement on its way into the registry. kind: its word, as in `synthml.attestation.kind_of`."""

    raw: bytes
    kind: str

    @classmethod
    def of(cls, raw: bytes) -> Attachment:
        """From an envelope. Raises AttestationError when it cannot be read."""
        from synthml.attestation import kind_of, unverified

        return cls(raw, kind_of(unverified(raw).statement))

    @property
    def key(self) -> str:
        """The first 32 hex of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:32]

    @property
    def path(self) -> str:
        """Where it lies under the run's artifacts."""
        return f"{PLACE}/{self.key}{SUFFIX}"

    @property
    def tag(self) -> str:
        """The tag that names it."""
        return f"{TAG}{self.key}"


def signed_evidence(dossier: Dossier, signer: Signer | None) -> tuple[Attachment, ...]:
    """The statement by which whoever measured stands by a dossier; none without a key."""
    from synthml.attestation import evidence_statement, sign
    from synthml.digest import FORM

    if signer is None:
        return ()
    return (Attachment(sign(evidence_statement(dossier, digest_form=FORM), signer), "evidence"),)


@dataclass(frozen=True)
class Attached:
    """A statement as it was found in the registry. True only when it counts.

    kind: of the statement when it can be read, else what the tag says. problem: why it cannot be read, or is not what it was.
    """

    key: str
    kind: str
    claim: Claim | None = None
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.claim) and not self.problem

    @property
    def told(self) -> str:
        """`evidence 0123456789ab: holds, signed by evaluation team (evaluator)`."""
        if self.problem or self.claim is None:
            return f"{self.kind} {self.key[:12]}: does not hold, {self.problem}"
        standing = self.claim.standing
        word = f"holds, signed by {standing}" if standing else f"does not hold, {standing}"
        return f"{self.kind} {self.key[:12]}: {word}"


def judged(found: Mapping[str, bytes], tags: Mapping[str, str], trust: Trust, now: datetime) -> tuple[Attached, ...]:
    """What each statement is worth, at one captured time. Pure.

    found: 32 hex -> content of the artifact of that name. tags: of the run and its versions, all kinds of them.
    """
    named = {key.removeprefix(TAG): kind for key, kind in tags.items() if key.startswith(TAG)}
    return tuple(_judged(key, found.get(key), named.get(key, "statement"), trust, now) for key in sorted({*found, *named}))


def _judged(key: str, raw: bytes | None, kind: str, trust: Trust, now: datetime) -> Attached:
    if raw is None:
        return Attached(key, kind, problem="a tag names it and it is not there")
    if hashlib.sha256(raw).hexdigest()[:32] != key:
        return Attached(key, kind, problem="it was changed after it was attached: its name is not its digest")
    try:
        claim = trust.claim(raw, now)
    except AttestationError as error:
        return Attached(key, kind, problem=str(error))
    return Attached(key, claim.kind, claim)


def holding(attached: Iterable[Attached], kind: str) -> Iterator[Claim]:
    """The claims of a kind that count."""
    return (one.claim for one in attached if one and one.claim is not None and one.kind == kind)
