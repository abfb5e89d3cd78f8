"""The evidence documents of a model: which of them count, and as whose.

Where the policy asks for no signature, every document counts. Where it asks for one, a document counts only with a
statement that is signed in the role in which it was measured, and whose digests are this document's and this model's; the others
are left out, and told. Of each figure the last measurement counts, so a later one counts even where it is worse; but what a role
measured that the policy asks for is never replaced by what another role did, whatever the times. The evaluator's signature is
there when it covers every kind that the policy requires and that is measured on the holdout (utility, subgroups). The custodian's
is the release, or evidence of theirs.

A document that is not what its name says, or that a tag names and that is gone, stops the gate: somebody may have taken away what
spoke against the model. The same with a refusal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from synthml.errors import EvidenceError
from synthml_tracking.attachments import holding
from synthml_tracking.items import short_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from synthml.attestation import Accepted, Claim
    from synthml.evidence import Dossier
    from synthml.policy import Policy
    from synthml_tracking.attachments import Attached
    from synthml_tracking.registry import Found

__all__ = ["Document", "authors", "combined", "documents", "dossiers_of", "signatures"]

_EVALUATORS = frozenset({"utility", "subgroups"})
_EV = "synthml.ev."
# kinds of statements, besides evidence, in which a role's signature on a model is found
_OF_ROLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "custodian": ("release",),
        "reviewer": ("approval",),
        "gate": ("verdict",),
        "operator": ("deployment",),
    }
)


@dataclass(frozen=True)
class Document:
    """An evidence document. signed: the claims that count over it; counts: whether the decision reads it; why: why not."""

    key: str
    dossier: Dossier
    signed: tuple[Claim, ...] = ()
    counts: bool = True
    why: str = ""


def documents(found: Found, attached: Sequence[Attached], policy: Policy) -> tuple[Document, ...]:
    """The evidence about this model, each document with what is signed over it. Raises EvidenceError."""
    named = {key.removeprefix(_EV) for key in found.tags if key.startswith(_EV)}
    gone = sorted(named - set(found.evidence))
    if gone:
        raise EvidenceError(
            f"evidence {gone[0]} is named by a tag of run {found.run_id} and is not there; "
            "a recording that was cut off is finished by `synthml resume`"
        )
    about = _about(found)
    return tuple(_document(key, found.evidence[key], dossier, attached, found.digest, policy) for key, dossier in about.items())


def dossiers_of(found: Found) -> tuple[Dossier, ...]:
    """The evidence about the model's files as they stand, signed or not. Raises EvidenceError when a document was changed."""
    return tuple(_about(found).values())


def _about(found: Found) -> dict[str, Dossier]:
    """Key -> document, of those about these very files."""
    from synthml.evidence import Dossier

    read = {}
    for key, raw in sorted(found.evidence.items()):
        if hashlib.sha256(raw).hexdigest()[:32] != key:
            raise EvidenceError(
                f"evidence {key} of run {found.run_id} was changed after it was attached: its name is not its digest"
            )
        dossier = Dossier.from_json(raw)
        if (dossier.model or {}).get("digest") == found.digest:
            read[key] = dossier
    return read


def _document(key: str, raw: bytes, dossier: Dossier, attached: Sequence[Attached], model: str, policy: Policy) -> Document:
    from synthml.attestation import EvidencePredicate, read_as

    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    about = [one for one in attached if one.kind == "evidence" and one.claim is not None and _evidence_of(one.claim) == digest]
    signed = tuple(
        claim
        for claim in holding(about, "evidence")
        if claim.statement.digest_of("model") == model
        and claim.statement.digest_of("evidence") == digest
        and read_as(claim.statement, EvidencePredicate).producer == dossier.producer
    )
    if not policy.require.signatures or signed:
        return Document(key, dossier, signed)
    doubts = [str(one.claim.standing) for one in about if one.claim is not None and not one]
    return Document(key, dossier, signed, counts=False, why=doubts[0] if doubts else "it is not signed")


def _evidence_of(claim: Claim) -> str | None:
    return claim.statement.digest_of("evidence")


def combined(dossiers: Iterable[Dossier], *, first: frozenset[str] = frozenset()) -> Dossier:
    """One dossier out of several about the same model: of each figure, the one that was measured last.

    So a later evaluation counts even where it is worse. Its digest depends on every document. first: roles of producers whose
    figures others never replace. Raises EvidenceError when there is none.
    """
    ordered = sorted(dossiers, key=lambda one: (one.producer in first, one.created or "", one.digest))
    if not ordered:
        raise EvidenceError("there is no evidence to combine")
    whole = ordered[0]
    for later in ordered[1:]:
        whole = replace(
            later,
            figures={**whole.figures, **later.figures},
            tables={**whole.tables, **later.tables},
            datasets={**whole.datasets, **later.datasets},
            generation=later.generation or whole.generation,
            kinds=tuple(dict.fromkeys((*whole.kinds, *later.kinds))),
            notes=tuple(dict.fromkeys((*whole.notes, *later.notes))),
        )
    if len(ordered) == 1:
        return whole
    # so that a document which changes no figure still makes it another dossier than the one that a reviewer saw
    return replace(whole, extra={**whole.extra, "combined": sorted(one.digest for one in ordered)})


def signatures(
    given: Sequence[Document], attached: Sequence[Attached], policy: Policy, *, model: str, tables: Collection[str]
) -> tuple[frozenset[str], dict[str, str]]:
    """(roles whose signature is there, role -> what was found) of the roles that the policy asks for.

    model: digest of the model; tables: first 32 hex of the digests of its tables. A statement about another model or table, which
    was attached here, is no signature.
    """
    there, told = set[str](), {}
    for role in policy.require.signatures:
        mine = [document for document in given if role in {one.role for one in _signers(document)}]
        names = {one.name for document in mine for one in _signers(document) if one.role == role}
        for kind in _OF_ROLE.get(role, ()):
            about = (claim for claim in holding(attached, kind) if _is_about(claim, model, tables))
            names |= {claim.accepted.name for claim in about if claim.accepted is not None}
        covered = {kind for document in mine for kind in document.dossier.kinds}
        lacking = sorted((_EVALUATORS & set(policy.require.kinds)) - covered) if role == "evaluator" else []
        if not names:
            told[role] = _why_not(role, given)
        elif lacking:
            told[role] = f"signed by {', '.join(sorted(names))}, but not for {' and '.join(lacking)}"
        else:
            told[role] = f"signed by {', '.join(sorted(names))}"
            there.add(role)
    return frozenset(there), told


def _signers(document: Document) -> Iterator[Accepted]:
    return (claim.accepted for claim in document.signed if claim.accepted is not None)


def _is_about(claim: Claim, model: str, tables: Collection[str]) -> bool:
    if claim.kind == "release":
        return any(short_digest(digest) in tables for digest in claim.statement.digests)
    return claim.statement.digest_of("model") == model


def _why_not(role: str, given: Sequence[Document]) -> str:
    doubts = [document.why for document in given if document.dossier.producer == role and document.why]
    return f"no verified signature: {doubts[0]}" if doubts else "no verified signature"


def authors(given: Sequence[Document]) -> frozenset[str] | None:
    """Who made the model: whoever signed evidence as its engineer. None when nobody did."""
    return frozenset(one.name for document in given for one in _signers(document) if one.role == "engineer") or None
