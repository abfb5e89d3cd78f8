"""The facts that a gate decides from: everything that is attached to a model, its tables and their origin, at one captured time.

Rules.

The model is its files: the digest is computed from them, and evidence about another digest is not looked at, so that nothing
copied from another version counts.

Evidence counts as `documents` says. A refusal that is attached and cannot be read stops the gate.

Tables. What the model learned from stands in its own files, so its digest covers it. Run, versions and evidence may add tables,
never take any away. From each the ledger and the releases lead on to what it was made of. Recalls are looked for on all of them,
holdouts too, since evidence that rests on a withdrawn table is withdrawn; contamination as `ancestry.seen_holdouts` says. It is
unknown, not absent, when nobody says what a synthetic table was made of.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError, EvidenceError
from synthml_tracking.ancestry import Ancestry, Edge, followed, seen_holdouts
from synthml_tracking.attachments import Attached, holding, judged
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.derivations import edges_of
from synthml_tracking.documents import OF_TABLES, Document, authors, combined, withheld, without_word_on_tables
from synthml_tracking.documents import documents as documents_of
from synthml_tracking.documents import signatures as signed_roles
from synthml_tracking.items import short_digest
from synthml_tracking.ledger import Ledger
from synthml_tracking.recalls import Recall, in_force
from synthml_tracking.registry import Found, find
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from synthml.attestation import Claim, Trust
    from synthml.evidence import Dossier
    from synthml.policy import Approval, Facts, Policy, Waiver
    from synthml_tracking.entries import Entry

__all__ = ["Gathered", "gather_facts"]

_LEARNED = ("source", "synthetic")
_DS = "synthml.ds."
_SKEW = timedelta(minutes=5)
_TOLD = 5


@dataclass(frozen=True)
class Gathered:
    """What `synthml.policy.decide` is given, and everything that it came from, for whoever explains it.

    dossier: the evidence that counts, as one. attached: every statement with what it is worth. recalls: those in force, with the
    chain from one of the model's tables to the recalled one. origin: the tables and their edges.
    """

    found: Found
    dossier: Dossier
    facts: Facts
    documents: tuple[Document, ...]
    attached: tuple[Attached, ...]
    recalls: tuple[tuple[Recall, tuple[str, ...]], ...]
    origin: Ancestry | None
    tables: Mapping[str, frozenset[str]]
    now: datetime

    def __iter__(self) -> Iterator[Any]:
        """`dossier, facts = gather_facts(...)`."""
        yield self.dossier
        yield self.facts


def gather_facts(
    model_uri: str,
    policy: Policy,
    *,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
    found: Found | None = None,
) -> Gathered:
    """Everything that a policy is decided from.

    trust: the trust file; by default SYNTHML_TRUST, else nobody is trusted. now: the one time that everything is judged at.
    found: the model, when it was read already.

    Raises EvidenceError when a document was changed or is gone, InputError for what is no model, TrackingError when the store
    fails.
    """
    judge, moment = find_trust(trust), now or time_now()
    uri = tracking_uri_of(tracking_uri)
    with address(uri), patience("reading what is attached to the model"):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        found = find(client, model_uri) if found is None else found
        attached = judged(found.attestations, found.tags, judge, moment)
        documents = documents_of(found, attached, policy)
        tables = _tables(found, documents)
        ledger = Ledger(client)
        entries: dict[str, tuple[Entry, ...]] = {}
        origin, trouble = _origin(tables, attached, ledger, entries)
        taken = _verdicts_taken(policy, tables, ledger, found.digest)
    recalls = _recalls(origin, tables, entries, judge, moment)
    lacking = withheld(found, documents, _claims(attached, entries, judge, moment)) if policy.require.signatures else ()
    return _gathered(found, policy, documents, attached, tables, origin, recalls, trouble, taken, lacking, moment)


def _claims(attached: Sequence[Attached], entries: Mapping[str, Sequence[Entry]], trust: Trust, now: datetime) -> Iterator[Claim]:
    """The statements that count: what is attached, and the releases of the model's tables and their origin in the ledger."""
    yield from (one.claim for one in attached if one and one.claim is not None)
    for entry in (entry for about in entries.values() for entry in about if entry.kind == "release" and entry.whole):
        with suppress(AttestationError):
            yield trust.claim(entry.raw, now)


# ---- tables ---------------------------------------------------------------------------------------------------------------


def _tables(found: Found, documents: Sequence[Document]) -> dict[str, frozenset[str]]:
    """First 32 hex of a digest -> roles, from everything that names a table of this model: more only makes a gate stricter."""
    named: dict[str, set[str]] = {}

    def add(digest: Any, roles: Iterable[str]) -> None:
        key = short_digest(str(digest))
        if digest and len(key) == 32:
            named.setdefault(key, set()).update(role for role in roles if role)

    noted = found.noted.get("datasets")
    for role, digest in (noted if isinstance(noted, dict) else {}).items():
        add(digest, [str(role)])
    for key, value in found.tags.items():
        if key.startswith(_DS):
            add(key.removeprefix(_DS), value.split(","))
    for digest, context in found.datasets:
        add(digest, context.split(","))
    for document in documents:
        for role, facts in document.dossier.datasets.items():
            add(facts.get("digest"), ["control" if document.of_table and role == "holdout" else role])
    return {key: frozenset(roles) for key, roles in named.items()}


def _origin(
    tables: Mapping[str, frozenset[str]], attached: Sequence[Attached], ledger: Ledger, entries: dict[str, tuple[Entry, ...]]
) -> tuple[Ancestry | None, str]:
    """The tables behind the model, one request to the ledger for each; what the ledger says of them is kept in `entries`."""

    def edges(table: str) -> list[Edge]:
        entries[table] = ledger.about(table)
        return [edge for entry in entries[table] for edge in edges_of(entry.raw, "the ledger")]

    sources = [key for key, roles in tables.items() if "source" in roles]
    made = [key for key, roles in tables.items() if "synthetic" in roles]
    known = [Edge(table, source, told="the model's run") for table in made for source in sources if table != source]
    known += [edge for one in attached if one.claim is not None for edge in edges_of(one.claim.raw, "a release")]
    try:
        return followed(sorted(tables), known, edges), ""
    except EvidenceError as error:
        return None, str(error)


def _recalls(
    origin: Ancestry | None,
    tables: Mapping[str, frozenset[str]],
    entries: Mapping[str, tuple[Entry, ...]],
    trust: Trust,
    now: datetime,
) -> tuple[tuple[Recall, tuple[str, ...]], ...]:
    found = []
    for table in () if origin is None else origin.tables:
        standing = in_force(table, entries.get(table, ()), trust, now)
        if standing:
            paths = sorted((path for root in sorted(tables) if (path := origin.path(root, table))), key=len) if origin else []
            found += [(one, paths[0] if paths else (table,)) for one in standing]
    return tuple(found)


def _verdicts_taken(policy: Policy, tables: Mapping[str, frozenset[str]], ledger: Ledger, model: str) -> int | None:
    """Models that were judged on the holdout that was used most, this one included; None when nobody asks, or there is none."""
    limit = policy.lineage.holdout_verdicts_at_most
    holdouts = [key for key, roles in tables.items() if "holdout" in roles]
    if limit is None or not holdouts:
        return None
    return 1 + max(ledger.judged(holdout, besides=model, most=limit) for holdout in holdouts)


# ---- reviews and release --------------------------------------------------------------------------------------------------


def _release(
    attached: Sequence[Attached], tables: Mapping[str, frozenset[str]], found: Found, now: datetime
) -> tuple[bool | None, str]:
    """Whether every table that the model was trained on was released, signed by a custodian that counts; what was found."""
    from synthml.attestation import ReleasePredicate, read_as

    trained = sorted(key for key, roles in tables.items() if "synthetic" in roles)
    if not trained:
        return None, "the synthetic table is not known"
    last: dict[str, tuple[str, bool, str]] = {}
    for claim in holding(attached, "release"):
        predicate = read_as(claim.statement, ReleasePredicate)
        over = _expired(predicate.generation, now)
        good = predicate.outcome == "pass" and not over
        why = over or f"{predicate.outcome}, signed by {claim.standing}"
        for digest in claim.statement.digests:
            # of two decisions about one table the later counts, of the same time the refusal
            entry = (predicate.decided, not good, why)
            last[short_digest(digest)] = max(last.get(short_digest(digest), entry), entry)
    missing = [table for table in trained if table not in last]
    if missing:
        return None, _no_release(attached, missing)
    refused = [last[table][2] for table in trained if last[table][1]]
    return (False, f"not released: {refused[0]}") if refused else (True, last[trained[0]][2])


def _no_release(attached: Sequence[Attached], missing: Sequence[str]) -> str:
    held = [one for one in attached if one.kind == "release"]
    doubts = [one.told for one in held if not one]
    if doubts:
        return f"no release that counts: {doubts[0]}"
    return "the release is about another table" if held else "no release attestation"


def _expired(generation: Mapping[str, Any] | None, now: datetime) -> str:
    """The record's own expiry, when it is a date that has passed, or cannot be read."""
    given = (generation or {}).get("expiry")
    if not given:
        return ""
    try:
        end = datetime.combine(date.fromisoformat(str(given)[:10]), time.max, UTC)
    except ValueError:
        return ""  # an expiry in words, such as "with the agreement", is for people to judge
    return f"the release expired on {end:%Y-%m-%d}" if now > end else ""


def _approvals(attached: Sequence[Attached]) -> Iterator[Approval]:
    from synthml.attestation import ReviewPredicate, read_as
    from synthml.policy import Approval

    for kind in ("approval", "refusal"):
        for claim in holding(attached, kind):
            predicate = read_as(claim.statement, ReviewPredicate)
            yield Approval(
                by=str(claim.standing.name),
                model_digest=claim.statement.digest_of("model") or "",
                evidence_digest=claim.statement.digest_of("evidence") or "",
                policy_digest=claim.statement.digest_of("policy") or "",
                decided=datetime.fromisoformat(predicate.decided),
                expires=None if predicate.expires is None else datetime.fromisoformat(predicate.expires),
                decision="approved" if predicate.decision == "approved" else "refused",
                reason=predicate.reason,
            )


def _waivers(attached: Sequence[Attached], now: datetime) -> Iterator[Waiver]:
    from synthml.attestation import WaiverPredicate, read_as
    from synthml.policy import Waiver

    for claim in holding(attached, "waiver"):
        predicate = read_as(claim.statement, WaiverPredicate)
        if datetime.fromisoformat(predicate.granted) <= now + _SKEW:
            yield Waiver(
                criterion=predicate.criterion,
                model_digest=claim.statement.digest_of("model") or "",
                policy_digest=claim.statement.digest_of("policy") or "",
                by=str(claim.standing.name),
                reason=predicate.reason,
                expires=datetime.fromisoformat(predicate.expires),
            )


# ---- together -------------------------------------------------------------------------------------------------------------


def _gathered(
    found: Found,
    policy: Policy,
    documents: tuple[Document, ...],
    attached: tuple[Attached, ...],
    tables: Mapping[str, frozenset[str]],
    origin: Ancestry | None,
    recalls: tuple[tuple[Recall, tuple[str, ...]], ...],
    trouble: str,
    taken: int | None,
    lacking: tuple[str, ...],
    now: datetime,
) -> Gathered:
    from synthml.evidence import Dossier
    from synthml.policy import Facts

    _no_lost_refusal(attached, found)
    counting, asked = [document for document in documents if document.counts], policy.require
    if lacking:
        counting = [without_word_on_tables(document, policy) for document in counting]
    whole = Dossier(figures={})
    if counting:
        whole = combined(counting, first=frozenset(asked.signatures), required=asked.kinds, until=iso(now + _SKEW))
    dossier = whole.with_model(found.digest, f"models:/{found.model_id}")
    signatures, words = signed_roles(documents, attached, policy, model=found.digest, tables=tables)
    contaminated, seen = _contamination(origin, tables)
    release, released = _release(attached, tables, found, now)
    told = {f"signature.{role}": what for role, what in words.items()}
    told |= {"lineage.release": released, "lineage.no_contamination": seen or trouble}
    told["lineage.no_recall"] = trouble or _recalls_told(recalls, tables, origin)
    told |= {f"evidence.{kind}": _lacking_told(lacking) for kind in OF_TABLES if lacking and kind not in dossier.kinds}
    facts = Facts(
        recalls=None if origin is None else tuple(dict.fromkeys(recall.digest for recall, _ in recalls)),
        contaminated=contaminated,
        signatures=signatures,
        release=release,
        holdout_verdicts=taken,
        approvals=tuple(_approvals(attached)),
        waivers=tuple(_waivers(attached, now)),
        authors=authors(documents),
        told={condition: what for condition, what in told.items() if what},
    )
    return Gathered(found, dossier, facts, documents, attached, recalls, origin, tables, now)


def _lacking_told(lacking: Sequence[str]) -> str:
    return (
        f"not measured: the custodian's evidence {short_digest(lacking[0])[:12]} is known and not attached (`synthml attach`); "
        "what others measured of the table does not take its place"
    )


def _no_lost_refusal(attached: Sequence[Attached], found: Found) -> None:
    lost = [one for one in attached if one.kind == "refusal" and one.problem]
    if lost:
        raise EvidenceError(f"a reviewer's refusal is attached to run {found.run_id} and cannot be read: {lost[0].problem}")


def _contamination(origin: Ancestry | None, tables: Mapping[str, frozenset[str]]) -> tuple[bool | None, str]:
    """Whether a holdout was seen by the model or by a generator behind it; None when the origin of a table is not known."""
    holdouts = [key for key, roles in tables.items() if "holdout" in roles]
    learned = [key for key, roles in tables.items() if roles & set(_LEARNED)]
    if origin is None or not holdouts or not learned:
        return None, ""
    seen = seen_holdouts(origin, learned, holdouts)
    if seen:
        holdout, how = next(iter(seen.items()))
        return True, f"the holdout {holdout[:12]} was seen: {how}"
    unknown = [key for key, roles in tables.items() if "synthetic" in roles and not origin.above([key])]
    return (None if unknown else False), ""


def _recalls_told(
    recalls: Sequence[tuple[Recall, tuple[str, ...]]], tables: Mapping[str, frozenset[str]], origin: Ancestry | None
) -> str:
    if not recalls:
        return f"none of {len(origin.tables)} tables is recalled" if origin is not None and origin.tables else ""
    lines = []
    for one, path in recalls[:_TOLD]:
        roles = ", ".join(sorted(tables.get(path[0], ()))) or "table"
        chain = "" if len(path) == 1 else f", behind the {roles} table {path[0][:12]}"
        lines.append(f"{'table' if chain else f'{roles} table'} {one.digest[:12]}{chain} {one}")
    more = len(recalls) - _TOLD
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")
