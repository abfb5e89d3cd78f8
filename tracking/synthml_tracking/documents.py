"""The evidence documents of a model and of the table that it learned from: which of them count, and as whose.

The model's digest is that of its files. Whoever holds the source measures disclosure and fidelity of the synthetic table, often
before there is a model. Such a document names no model; it counts for every model whose own files name that table, and only for
what can be said of a table without one (`OF_TABLES`). It is the custodian's.

Where the policy asks for no signature, every document counts. Where it asks for one, a document counts only with a
statement that is signed in the role in which it was measured, and whose digests are this document's and this model's, or this
table's; the others are left out, and told. A release signs the evidence that it names. Of each figure the last measurement
counts, so a later one counts even where it is worse; but what a role measured that the policy asks for, and what the custodian
measured of the table, is never replaced by what another role did, whatever the times. Nor does it step into its place: where a
custodian is known to have measured the table, by a statement that is attached or in the ledger, and that document is not here,
what other roles say of the table is left out (`withheld`). The whole is as old as the oldest kind of evidence in it that the
policy requires. The evaluator's signature is there when it covers every kind that the policy requires and
that is measured on the holdout (utility, subgroups). The custodian's is the release, or evidence of theirs.

A document that is not what its name says, or that a tag names and that is gone, stops the gate: somebody may have taken away what
spoke against the model. The same with a refusal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError, EvidenceError
from synthml.evidence import DRAWS
from synthml_tracking.attachments import holding
from synthml_tracking.items import short_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from synthml.attestation import Accepted, Claim, Statement
    from synthml.estimate import Estimate
    from synthml.evidence import Dossier
    from synthml.policy import Policy
    from synthml_tracking.attachments import Attached
    from synthml_tracking.registry import Found

__all__ = [
    "OF_TABLES",
    "Document",
    "authors",
    "combined",
    "documents",
    "dossiers_of",
    "is_of_table",
    "learned_table",
    "signatures",
    "stood_by",
    "withheld",
    "without_word_on_tables",
]

OF_TABLES = frozenset({"disclosure", "fidelity", "quality"})
_TABLES = ("disclosure_", "fidelity_", "quality_", "threat_models")
_CUSTODIAN = "custodian"
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
    """An evidence document. signed: the claims that count over it; counts: whether the decision reads it; why: why not.

    of_table: the document is about the table that the model learned from; `dossier` is then what may be said without a model.
    """

    key: str
    dossier: Dossier
    signed: tuple[Claim, ...] = ()
    counts: bool = True
    why: str = ""
    of_table: bool = False


def documents(found: Found, attached: Sequence[Attached], policy: Policy) -> tuple[Document, ...]:
    """The evidence about this model, each document with what is signed over it. Raises EvidenceError."""
    named = {key.removeprefix(_EV) for key in found.tags if key.startswith(_EV)}
    gone = sorted(named - set(found.evidence))
    if gone:
        raise EvidenceError(
            f"evidence {gone[0]} is named by a tag of run {found.run_id} and is not there; "
            "a recording that was cut off is finished by `synthml resume`"
        )
    return tuple(_document(key, found, dossier, attached, policy) for key, dossier in _about(found, of_table=True).items())


def dossiers_of(found: Found) -> tuple[Dossier, ...]:
    """The evidence about the model's files as they stand, signed or not. Raises EvidenceError when a document was changed."""
    return tuple(_about(found).values())


def learned_table(found: Found) -> str | None:
    """Digest of the synthetic table that the model learned from, as its own files say."""
    noted = found.noted.get("datasets")
    digest = noted.get("synthetic") if isinstance(noted, dict) else None
    return digest if isinstance(digest, str) and digest else None


def _about(found: Found, *, of_table: bool = False) -> dict[str, Dossier]:
    """Key -> document, of those about these very files, and about the table behind them when that is asked for."""
    from synthml.evidence import Dossier

    read, table = {}, learned_table(found) if of_table else None
    for key, raw in sorted(found.evidence.items()):
        if hashlib.sha256(raw).hexdigest()[:32] != key:
            raise EvidenceError(
                f"evidence {key} of run {found.run_id} was changed after it was attached: its name is not its digest"
            )
        dossier = Dossier.from_json(raw)
        model = (dossier.model or {}).get("digest")
        if model == found.digest or (of_table and is_of_table(dossier, table)):
            read[key] = dossier
    return read


def is_of_table(dossier: Dossier, table: str | None) -> bool:
    """Whether a document is a custodian's about this table, without a model."""
    without = (dossier.model or {}).get("digest") is None and dossier.producer == _CUSTODIAN
    return without and table is not None and dossier.synthetic == table


def _document(key: str, found: Found, dossier: Dossier, attached: Sequence[Attached], policy: Policy) -> Document:
    digest = "sha256:" + hashlib.sha256(found.evidence[key]).hexdigest()
    of_table = (dossier.model or {}).get("digest") is None
    about = [one for one in attached if one.claim is not None and digest in stood_by(one.claim.statement)]
    signs = _signs_table if of_table else _signs_model
    signed = tuple(
        one.claim for one in about if one and one.claim is not None and signs(one.claim, dossier, digest, found.digest)
    )
    shown = _without_model(dossier) if of_table else dossier
    if not policy.require.signatures or signed:
        return Document(key, shown, signed, of_table=of_table)
    doubts = [str(one.claim.standing) for one in about if one.claim is not None and not one]
    return Document(key, shown, counts=False, why=doubts[0] if doubts else "it is not signed", of_table=of_table)


def _signs_model(claim: Claim, dossier: Dossier, digest: str, model: str) -> bool:
    statement = claim.statement
    bound = statement.digest_of("model") == model and statement.digest_of("evidence") == digest
    return claim.kind == "evidence" and bound and _signed_as(claim, dossier)


def _signs_table(claim: Claim, dossier: Dossier, digest: str, _model: str) -> bool:
    """A release of the table that names the document, or a statement about the document."""
    table = dossier.synthetic
    if claim.kind == "release":
        return table in claim.statement.digests
    bound = claim.statement.digest_of("synthetic") == table and claim.statement.digest_of("evidence") == digest
    return claim.kind == "evidence" and bound and _signed_as(claim, dossier)


def _signed_as(claim: Claim, dossier: Dossier) -> bool:
    from synthml.attestation import EvidencePredicate, read_as

    return read_as(claim.statement, EvidencePredicate).producer == dossier.producer


def stood_by(statement: Statement) -> tuple[str, ...]:
    """Digests of the documents that a statement stands by: evidence by its own, a release by the one that it rests on."""
    from synthml.attestation import EvidencePredicate, ReleasePredicate, read_predicate

    try:
        predicate = read_predicate(statement)
    except AttestationError:
        return ()
    return (predicate.evidence,) if isinstance(predicate, (EvidencePredicate, ReleasePredicate)) else ()


def _without_model(dossier: Dossier) -> Dossier:
    """What may be said of a table without a model; figures of a model that nobody knows are left out."""
    part = _of_tables(dossier)
    kinds = tuple(kind for kind in dossier.kinds if kind in OF_TABLES)
    return replace(dossier, figures=part.figures, tables=part.all_tables, kinds=kinds)


def withheld(found: Found, given: Sequence[Document], claims: Iterable[Claim]) -> tuple[str, ...]:
    """Digests of what a custodian measured of the model's table, as the claims that count tell, and that is not given."""
    table, here = learned_table(found), {document.key for document in given}
    named = {digest for claim in claims if _custodian_signs(claim, table) for digest in stood_by(claim.statement)}
    return tuple(sorted(digest for digest in named if short_digest(digest) not in here))


def _custodian_signs(claim: Claim, table: str | None) -> bool:
    from synthml.attestation import EvidencePredicate, read_as

    if not claim or table is None or table not in claim.statement.digests:
        return False
    if claim.kind != "evidence":
        return claim.kind == "release"
    return read_as(claim.statement, EvidencePredicate).producer == _CUSTODIAN and claim.statement.digest_of("model") is None


def without_word_on_tables(document: Document, policy: Policy) -> Document:
    """The document of a role that may not say anything of the table in the custodian's place; that of others as it is."""
    dossier = document.dossier
    if document.of_table or dossier.producer in (_CUSTODIAN, *policy.require.signatures):
        return document
    part = _of_model(dossier)
    kinds = tuple(kind for kind in dossier.kinds if kind not in OF_TABLES)
    return replace(document, dossier=replace(dossier, figures=part.figures, tables=part.all_tables, kinds=kinds, generation=None))


def combined(
    given: Iterable[Document], *, first: frozenset[str] = frozenset(), required: Collection[str] = (), until: str = "9999"
) -> Dossier:
    """One dossier out of several about the same model: of each figure, the one that was measured last.

    So a later evaluation counts even where it is worse. Its digest depends on every document. first: roles of producers whose
    figures others never replace; the custodian's of the table are never replaced either. required: kinds of evidence whose age
    is the whole's; until: ISO 8601, UTC, what lies beyond is in the future. Raises EvidenceError when there is none.
    """
    ordered = sorted(given, key=lambda one: (_stands(one, first), one.dossier.created or "", one.dossier.digest))
    if not ordered:
        raise EvidenceError("there is no evidence to combine")
    dossiers = [one.dossier for one in ordered]
    if len(dossiers) == 1:
        return replace(dossiers[0], datasets=_origin_of(dossiers[0])) if ordered[0].of_table else dossiers[0]
    of_model = [one.dossier for one in ordered if not one.of_table]
    of_table = [one.dossier for one in ordered if one.of_table]
    whole, parts = (of_model or dossiers)[-1], _parts_in_order(ordered, first)
    generations = [one.generation for one in (*of_model, *of_table) if one.generation]
    return replace(
        whole,
        figures={name: figure for part in parts for name, figure in part.figures.items()},
        tables={name: rows for part in parts for name, rows in part.tables.items()} | _drawn(parts),
        study={**whole.study, **_smallest_cell(dossiers)},
        datasets={
            role: facts for one in (*map(_origin_of, of_table), *(m.datasets for m in of_model)) for role, facts in one.items()
        },
        generation=generations[-1] if generations else None,
        kinds=tuple(dict.fromkeys(kind for one in dossiers for kind in one.kinds)),
        notes=tuple(dict.fromkeys(note for one in dossiers for note in one.notes)),
        created=_measured(dossiers, required, until),
        # so that a document which changes no figure still makes it another dossier than the one that a reviewer saw
        extra={**whole.extra, "combined": sorted(one.digest for one in dossiers)},
    )


def _stands(document: Document, first: frozenset[str]) -> bool:
    return document.of_table or document.dossier.producer in first


@dataclass(frozen=True)
class _Part:
    """What a document says of the table, or of the model. draws: (table, figure) -> row, of further draws of the generator."""

    figures: Mapping[str, Estimate]
    tables: Mapping[str, Any]
    draws: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def all_tables(self) -> dict[str, tuple[Mapping[str, Any], ...]]:
        """With the table of draws, when there is one."""
        return {**self.tables, **({DRAWS: tuple(self.draws.values())} if self.draws else {})}


def _parts_in_order(ordered: Sequence[Document], first: frozenset[str]) -> list[_Part]:
    """What replaces comes after what it replaces. A custodian's measurement of the table stands, in whatever document it is."""
    parts = []
    for one in ordered:
        stands = _stands(one, first)
        parts.append((stands or one.dossier.producer == _CUSTODIAN, _of_tables(one.dossier)))
        parts.append((stands, _of_model(one.dossier)))
    return [part for _, part in sorted(parts, key=lambda pair: pair[0])]


def _of_tables(dossier: Dossier) -> _Part:
    return _part(dossier, of_table=True)


def _of_model(dossier: Dossier) -> _Part:
    return _part(dossier, of_table=False)


def _part(dossier: Dossier, *, of_table: bool) -> _Part:
    figures = {name: figure for name, figure in dossier.figures.items() if _is_of_table(name) is of_table}
    tables = {name: rows for name, rows in dossier.tables.items() if name.startswith(_TABLES) is of_table and name != DRAWS}
    drawn = {(str(row.get("table")), str(row.get("figure"))): row for row in dossier.tables.get(DRAWS, ())}
    return _Part(figures, tables, {key: row for key, row in drawn.items() if _is_of_table(key[1]) is of_table})


def _is_of_table(figure: str) -> bool:
    return figure.partition(".")[0] in OF_TABLES


def _drawn(parts: Sequence[_Part]) -> dict[str, tuple[Mapping[str, Any], ...]]:
    rows = {key: row for part in parts for key, row in part.draws.items()}
    return {DRAWS: tuple(rows[key] for key in sorted(rows))} if rows else {}


def _smallest_cell(dossiers: Sequence[Dossier]) -> dict[str, Any]:
    """The smallest group that any of the documents may show."""
    cells = [cell for one in dossiers if isinstance(cell := one.study.get("minimum_cell"), dict)]
    if not cells:
        return {}
    return {"minimum_cell": {name: min((cell[name] for cell in cells if name in cell), default=0) for name in ("rows", "events")}}


def _origin_of(dossier: Dossier) -> dict[str, Mapping[str, Any]]:
    """The tables of a table's evidence but its holdout: the attacks' control is not what the model was measured on."""
    return {role: facts for role, facts in dossier.datasets.items() if role != "holdout"}


def _measured(dossiers: Sequence[Dossier], required: Collection[str], until: str) -> str | None:
    """When the oldest of the required kinds was measured last; of all kinds when none is. None when one carries no time.

    A document from beyond `until` gives the time of the whole, so that whoever decides sees it.
    """
    newest = max(one.created or "" for one in dossiers)
    if newest > until:
        return newest
    kinds = {kind for one in dossiers for kind in one.kinds}
    times = [max(one.created or "" for one in dossiers if kind in one.kinds) for kind in (kinds & set(required)) or kinds]
    return min(times, default=newest) or None


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
