"""A reviewer's decisions, signed and attached: approval, refusal, and waiver of one criterion.

An approval or refusal is bound to the digests of the model, of the evidence that counts under the policy, and of the policy; a
waiver to model and policy. What would not count is not attached but refused here, with what is missing: a key that the trust file
does not let review, an approver who made the model, an author whom nobody knows, a criterion that may not be waived.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml_tracking.attaching import attach
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.facts import gather_facts
from synthml_tracking.plain import reason_of
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from pathlib import Path

    from securesystemslib.signer import Signer

    from synthml.attestation import Statement, Trust
    from synthml.policy import Policy
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.facts import Gathered

__all__ = ["approve", "refuse", "waive"]


def approve(
    model_uri: str,
    policy: Policy | str | Path,
    reason: str,
    expires: datetime | date | str,
    *,
    signer: Signer | None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Attachment:
    """Approve a model under a policy, on the evidence that is there now; further evidence needs a further approval.

    expires: a day, which still counts, or a moment with its zone. Raises InputError when the approval would not count, or there
    is no evidence to approve; TrackingError.
    """
    from synthml.attestation import ReviewPredicate, Signatory, review_statement

    key, chosen, moment = _signer(signer), _policy(policy), now or time_now()
    judge, until = find_trust(trust), _until(expires, moment)
    gathered = gather_facts(model_uri, chosen, trust=judge, tracking_uri=tracking_uri, now=moment)
    if not any(document.counts for document in gathered.documents):
        raise InputError(f"there is no evidence that counts under {chosen.name}: there is nothing to approve")
    predicate = ReviewPredicate("approved", reason_of(reason), iso(moment), Signatory(key.public_key.keyid), iso(until))
    statement = review_statement(predicate, model=gathered.found.digest, evidence=gathered.dossier.digest, policy=chosen.digest)
    return _attached(statement, key, gathered, judge, tracking_uri, by_another=True)


def refuse(
    model_uri: str,
    policy: Policy | str | Path,
    reason: str,
    expires: datetime | date | str | None = None,
    *,
    signer: Signer | None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Attachment:
    """Refuse a model under a policy: the gate fails until it expires, or until the same person approves.

    Raises InputError when the refusal would not count; TrackingError.
    """
    from synthml.attestation import ReviewPredicate, Signatory, review_statement

    key, chosen, moment = _signer(signer), _policy(policy), now or time_now()
    judge, until = find_trust(trust), None if expires is None else iso(_until(expires, moment))
    gathered = gather_facts(model_uri, chosen, trust=judge, tracking_uri=tracking_uri, now=moment)
    predicate = ReviewPredicate("refused", reason_of(reason), iso(moment), Signatory(key.public_key.keyid), until)
    statement = review_statement(predicate, model=gathered.found.digest, evidence=gathered.dossier.digest, policy=chosen.digest)
    return _attached(statement, key, gathered, judge, tracking_uri, by_another=False)


def waive(
    model_uri: str,
    criterion: str,
    policy: Policy | str | Path,
    reason: str,
    expires: datetime | date | str,
    *,
    signer: Signer | None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Attachment:
    """Let one criterion of a policy through for this model until a day. Raises InputError when it would not count."""
    from synthml.attestation import Signatory, WaiverPredicate, waiver_statement
    from synthml.documents import did_you_mean

    key, chosen, moment = _signer(signer), _policy(policy), now or time_now()
    judge, until = find_trust(trust), _until(expires, moment)
    asked = {one.id: one for one in chosen.criteria}
    if criterion not in asked:
        raise InputError(f"{chosen.name} has no criterion '{criterion[:80]}'.{did_you_mean(criterion, asked)}")
    if not asked[criterion].waivable:
        raise InputError(f"{chosen.name} does not let '{criterion}' be waived")
    gathered = gather_facts(model_uri, chosen, trust=judge, tracking_uri=tracking_uri, now=moment)
    predicate = WaiverPredicate(criterion, reason_of(reason), iso(moment), iso(until), Signatory(key.public_key.keyid))
    statement = waiver_statement(predicate, model=gathered.found.digest, policy=chosen.digest)
    return _attached(statement, key, gathered, judge, tracking_uri, by_another=True)


# ---- their parts ----------------------------------------------------------------------------------------------------------


def _attached(
    statement: Statement, signer: Signer, gathered: Gathered, trust: Trust, tracking_uri: str | None, *, by_another: bool
) -> Attachment:
    """Signed, seen to count, attached."""
    from synthml.attestation import sign

    raw = sign(statement, signer)
    claim = trust.claim(raw, gathered.now)
    if not claim:
        raise InputError(f"it would not count: {claim.standing}. Who may review is said in the trust file (--trust)")
    authors = gathered.facts.authors
    if by_another and authors is None:
        raise InputError("it would not count: who made the model is not known, since no evidence of its engineer is signed")
    if by_another and claim.standing.name in (authors or ()):
        raise InputError(f"it would not count: {claim.standing.name} made the model, and its author may not review it")
    return attach(f"models:/{gathered.found.model_id}", raw, tracking_uri=tracking_uri)


def _policy(policy: Policy | str | Path) -> Policy:
    from synthml import Policy as PolicyFile

    return policy if isinstance(policy, PolicyFile) else PolicyFile.load(policy)


def _signer(signer: Signer | None) -> Signer:
    if signer is None:
        raise InputError("a review counts only when it is signed: give --sign-key, or SYNTHML_SIGNING_KEY")
    return signer


def _until(expires: datetime | date | str, now: datetime) -> datetime:
    """The end of that day in UTC, or the moment. Raises InputError when it is no date, has no zone, or is over."""
    given = _read(expires) if isinstance(expires, str) else expires
    end = given if isinstance(given, datetime) else datetime.combine(given, time(23, 59, 59), UTC)
    if end.tzinfo is None:
        raise InputError("the expiry needs a zone: 2030-01-31T12:00:00Z")
    if end <= now:
        raise InputError(f"the expiry {iso(end)} lies in the past")
    return end


def _read(text: str) -> datetime | date:
    try:
        return date.fromisoformat(text) if len(text) == len("2030-01-31") else datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"'{text[:40]}' is no expiry: expected 2030-01-31, or 2030-01-31T12:00:00Z") from None
