"""Recompute every digest and every signature of a logged model, and say of each what holds. Nothing is decided, nothing written.

A check holds, does not hold, or is open: told for whoever reads it, and no fault. Open are evidence that nobody signed (whether
that counts is for a policy), a review that has expired, and tables whose origin cannot be followed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError, EvidenceError
from synthml_tracking.attachments import Attached, judged
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of
from synthml_tracking.clock import now as time_now
from synthml_tracking.documents import is_of_table, learned_table, stood_by
from synthml_tracking.facts import gather_facts
from synthml_tracking.registry import Found, find
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synthml.attestation import Claim, Trust

__all__ = ["Check", "Verification", "verify"]

_EV, _DIGEST = "synthml.ev.", "synthml.model_digest"


@dataclass(frozen=True)
class Check:
    """One thing that was recomputed. holds: None when it is open."""

    what: str
    holds: bool | None
    found: str

    def __str__(self) -> str:
        word = {True: "holds", False: "DOES NOT HOLD", None: "open"}[self.holds]
        return f"{word:14}{self.what}: {self.found}"


@dataclass(frozen=True)
class Verification:
    """True only when nothing was found that does not hold."""

    model_id: str
    model_digest: str
    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return all(check.holds is not False for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        checks = [{"what": one.what, "holds": one.holds, "found": one.found} for one in self.checks]
        return {"model": self.model_id, "model_digest": self.model_digest, "holds": bool(self), "checks": checks}


def verify(
    model_uri: str,
    *,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Verification:
    """Everything that is attached to a model, recomputed. Raises InputError for what is no model, TrackingError."""
    judge, moment = find_trust(trust), now or time_now()
    uri = tracking_uri_of(tracking_uri)
    with address(uri), patience("reading what is attached to the model"):
        found = find(load_mlflow().MlflowClient(tracking_uri=uri), model_uri)
    attached = judged(found.attestations, found.tags, judge, moment)
    checks = [*_model(found), *_evidence(found, attached), *(_statement(one, found, moment) for one in attached)]
    if all(check.holds is not False for check in checks):
        checks += _tables(model_uri, found, judge, uri, moment)  # with a changed document the tables are not known
    return Verification(found.model_id, found.digest, tuple(checks))


def _model(found: Found) -> Iterator[Check]:
    """The digest of the files against what run and versions say of it; copies keep the tags of what they were copied from."""
    given = [("the run", found.run_tags), *((version.uri, version.tags) for version in found.versions)]
    said = [(who, tags[_DIGEST]) for who, tags in given if _DIGEST in tags]
    if not said:
        yield Check("model", None, f"its files are {found.digest}; nobody noted what they should be")
    for who, digest in said:
        same = digest == found.digest
        yield Check(f"model, as {who} says", same, found.digest if same else f"its files are {found.digest}, noted is {digest}")


def _evidence(found: Found, attached: tuple[Attached, ...]) -> Iterator[Check]:
    signed = {digest for one in attached if one and one.claim for digest in stood_by(one.claim.statement)}
    named = {key.removeprefix(_EV) for key in found.tags if key.startswith(_EV)}
    for key in sorted(named | set(found.evidence)):
        raw = found.evidence.get(key)
        what = f"evidence {key[:12]}"
        if raw is None:
            yield Check(what, False, "a tag names it and it is not there")
            continue
        digest = hashlib.sha256(raw).hexdigest()
        if digest[:32] != key:
            yield Check(what, False, "it was changed after it was attached: its name is not its digest")
            continue
        yield _document(what, f"sha256:{digest}", raw, found, signed)


def _document(what: str, digest: str, raw: bytes, found: Found, signed: set[str]) -> Check:
    from synthml.evidence import Dossier

    try:
        dossier = Dossier.from_json(raw)
    except EvidenceError as error:
        return Check(what, False, str(error))
    about = (dossier.model or {}).get("digest")
    if about is None and not is_of_table(dossier, learned_table(found)):
        return Check(what, False, "it is about neither the model nor the table that the model learned from")
    if about not in (None, found.digest):
        return Check(what, False, f"it is about another model, {str(about)[:19]}")
    told = ("" if about else "of the table alone, ") + f"measured as {dossier.producer}: {', '.join(dossier.kinds) or 'nothing'}"
    return Check(what, True, f"{told}; signed") if digest in signed else Check(what, None, f"{told}; no signature that counts")


def _statement(one: Attached, found: Found, now: datetime) -> Check:
    what = f"{one.kind} {one.key[:12]}"
    if one.problem or one.claim is None:
        return Check(what, False, one.problem)
    if not one:
        return Check(what, False, str(one.claim.standing))
    told = f"signed by {one.claim.standing}"
    model = one.claim.statement.digest_of("model")
    if model is not None and model != found.digest:
        return Check(what, False, f"{told}, about another model, {model[:19]}")
    evidence = one.claim.statement.digest_of("evidence")
    if one.kind == "evidence" and evidence not in {
        f"sha256:{hashlib.sha256(raw).hexdigest()}" for raw in found.evidence.values()
    }:
        return Check(what, False, f"{told}, about a document that is not here")
    return _said(what, told, one.claim, now)


def _said(what: str, told: str, claim: Claim, now: datetime) -> Check:
    """Of a verdict what it came to, of a review until when it is good."""
    from synthml.attestation import ReviewPredicate, VerdictPredicate, WaiverPredicate, read_predicate
    from synthml.policy import verdict_of

    predicate = read_predicate(claim.statement)
    if isinstance(predicate, VerdictPredicate):
        try:
            verdict = verdict_of(claim.statement)
        except AttestationError as error:
            return Check(what, False, str(error))
        return Check(what, True, f"{told}: {verdict.outcome} under {verdict.policy} at {verdict.decided}")
    if isinstance(predicate, (ReviewPredicate, WaiverPredicate)) and predicate.expires is not None:
        over = datetime.fromisoformat(predicate.expires) <= now
        return Check(what, None if over else True, f"{told}, {'expired' if over else 'until'} {predicate.expires[:10]}")
    return Check(what, True, told)


def _tables(model_uri: str, found: Found, trust: Trust, uri: str, now: datetime) -> list[Check]:
    """Whether a table behind the model is recalled."""
    from synthml.policy import Policy

    open_policy = Policy(name="verify", version=1)  # asks for nothing, so every document counts
    gathered = gather_facts(model_uri, open_policy, trust=trust, tracking_uri=uri, now=now, found=found)
    if gathered.origin is None:
        return [Check("tables", None, gathered.facts.told.get("lineage.no_recall", "their origin is not known"))]
    if not gathered.recalls:
        return [Check("tables", True, f"none of {len(gathered.origin.tables)} is recalled")]
    return [Check(f"table {recall.digest[:12]}", False, str(recall)) for recall, _ in gathered.recalls]
