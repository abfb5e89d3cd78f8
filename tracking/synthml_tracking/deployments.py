"""Where models serve: recorded in the ledger, never changed, ended by a second statement.

A deployment binds the digest of the model's files, computed here, and names the version by which it was found. Writers need not
know of each other: each entry is made by one call, so that pipelines that record at the same time lose nothing, and the same
deployment recorded twice is one.

What counts. A record that nobody signed, or whose document is damaged, or whose run was deleted in MLflow, still tells that
something serves: it is listed, with what it is worth. An end must be worth as much as the record that it ends: what a trusted key
recorded, and what is damaged, only a trusted key retires, or anybody could take an endpoint off the list of those to take down. A
planned end that has passed is no retirement: such a deployment is `overdue`, and stays on the list until somebody says that it
was taken down.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError, InputError, TrackingError
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.entries import serving_item
from synthml_tracking.ledger import Ledger, open_ledger
from synthml_tracking.plain import one_line
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from securesystemslib.signer import Signer

    from synthml.attestation import Claim, RetirementPredicate, Statement, Trust
    from synthml_tracking.entries import Entry
    from synthml_tracking.registry import Found

__all__ = ["Deployment", "all_deployments", "folded", "list_deployments", "moment_of", "record_deployment", "retire_deployment"]

_LONGEST = 1000
_IDENTITY = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
_DAMAGED = "its document is damaged"


@dataclass(frozen=True)
class Deployment:
    """A model that serves, or did. identity: `sha256:<hex>` of the statement; model: digest of its files; version: as recorded.

    state: live, planned (since is yet to come), overdue (its planned end has passed, nobody retired it) or retired.
    signature: who signed, or why that does not count; verified: whether it does. ended_by, reason: of the retirement.
    doubtful: an end was told and does not count, with why. tables: 32 hex -> roles, and logged: LoggedModels, as tags say.
    """

    identity: str
    model: str
    version: str | None
    environment: str
    endpoint: str
    since: str
    until: str | None
    by: str
    state: str
    verified: bool
    signature: str
    ended: str | None = None
    ended_by: str | None = None
    reason: str | None = None
    doubtful: str | None = None
    deleted: bool = False
    tables: tuple[tuple[str, str], ...] = ()
    logged: tuple[str, ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether its document cannot be read any more; nobody knows then who had signed it."""
        return self.signature == _DAMAGED

    @property
    def serves(self) -> bool:
        """Whether it is to be taken down when it must not serve: everything that was not retired."""
        return self.state != "retired"

    @property
    def serving(self) -> str:
        """The version on its way to a terminal; empty when none is named."""
        return one_line(self.version or "")

    def __str__(self) -> str:
        where = f"{self.environment}  {self.endpoint}  {self.serving or 'model ' + self.model[:19]}"
        times = f"since {self.since}" + (f" until {self.ended or self.until}" if self.ended or self.until else "")
        told = "" if self.doubtful is None else f"; an end was told that does not count: {self.doubtful}"
        return f"{self.state}  {where}  {times}, by {self.by}  ({self.signature}){told}"

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        given = asdict(self)
        return {**given, "tables": dict(self.tables), "logged": list(self.logged)}


# ---- what counts: pure ----------------------------------------------------------------------------------------------------


def folded(entries: Iterable[Entry], trust: Trust, now: datetime) -> tuple[Deployment, ...]:
    """Deployments with what ended them, from entries of the ledger; in order of environment, endpoint and time. Pure."""
    from synthml.attestation import RetirementPredicate, read_as

    made: list[Deployment] = []
    ends: dict[str, list[tuple[Claim, RetirementPredicate]]] = {}
    for entry in entries:
        claim = _claim(entry, trust, now)
        kind = entry.kind if claim is None else claim.kind
        if kind == "deployment":
            made.append(_deployment(entry, claim, now))
        elif kind == "retirement" and claim is not None:
            predicate = read_as(claim.statement, RetirementPredicate)
            ends.setdefault(predicate.deployment, []).append((claim, predicate))
    found = (_ended(one, ends.get(one.identity, ()), now) for one in made)
    return tuple(sorted(found, key=lambda one: (one.environment, one.endpoint, one.since, one.identity)))


def _claim(entry: Entry, trust: Trust, now: datetime) -> Claim | None:
    """The document as it was written, with a predicate that can be read; None when it is damaged."""
    from synthml.attestation import read_predicate

    if not entry.whole:
        return None
    try:
        claim = trust.claim(entry.raw, now)
        read_predicate(claim.statement)
    except AttestationError:
        return None
    return claim


def _deployment(entry: Entry, claim: Claim | None, now: datetime) -> Deployment:
    from synthml.attestation import DeploymentPredicate, read_as

    tags: dict[str, Any] = {"deleted": entry.deleted, "tables": entry.tables, "logged": entry.logged}
    if claim is None:
        model = f"sha256:{entry.subjects[0]}" if entry.subjects else ""
        return Deployment(entry.identity, model, None, "?", "?", "?", None, "?", "live", False, _DAMAGED, **tags)
    told = read_as(claim.statement, DeploymentPredicate)
    state = "live"
    if datetime.fromisoformat(told.since) > now:
        state = "planned"
    elif told.until is not None and datetime.fromisoformat(told.until) <= now:
        state = "overdue"
    return Deployment(
        identity=entry.identity,
        model=claim.statement.digest_of("model") or claim.statement.digests[0],
        version=told.version,
        environment=one_line(told.environment),
        endpoint=one_line(told.endpoint),
        since=one_line(told.since),
        until=None if told.until is None else one_line(told.until),
        by=one_line(told.by),
        state=state,
        verified=bool(claim),
        signature=_signature(claim),
        **tags,
    )


def _signature(claim: Claim) -> str:
    if claim:
        return f"signed by {one_line(str(claim.standing))}"
    return "not signed" if claim.key_id is None else f"unverified: {one_line(str(claim.standing))}"


def _ended(one: Deployment, ends: Sequence[tuple[Claim, Any]], now: datetime) -> Deployment:
    """The deployment with the earliest end that counts; else with why the one that was told does not."""
    doubts: list[str] = []
    for claim, predicate in sorted(ends, key=lambda end: (datetime.fromisoformat(end[1].until), end[0].digest)):
        if one.verified and not claim:
            doubts.append(f"the deployment is signed, its end is {_signature(claim)}")
        elif one.damaged and not claim:
            doubts.append(f"what the record said cannot be read, and its end is {_signature(claim)}")
        elif (one.identity if one.damaged else one.model) not in claim.statement.digests:
            doubts.append("it is about another model")
        elif datetime.fromisoformat(predicate.until) > now:
            one = replace(one, until=one_line(predicate.until))
        else:
            reason = None if predicate.reason is None else one_line(predicate.reason)
            return replace(one, state="retired", ended=one_line(predicate.until), ended_by=one_line(predicate.by), reason=reason)
    return replace(one, doubtful=doubts[0]) if doubts else one


# ---- the doors ------------------------------------------------------------------------------------------------------------


def record_deployment(
    model_uri: str,
    *,
    environment: str,
    endpoint: str,
    by: str,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    signer: Signer | None = None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Deployment:
    """Record that a model serves. Its digest is computed from its files, so they are downloaded.

    model_uri: models:/NAME/1, models:/NAME@alias (the version that it points at now), or anything that names one LoggedModel.
    since: by default now. until: a planned end. Without a key it is not signed, and listed as that.

    Raises InputError for what is no model or no time, TrackingError when the store fails.
    """
    from synthml.attestation import DeploymentPredicate, deployment_statement
    from synthml_tracking.registry import find

    judge, moment = find_trust(trust), now or time_now()
    begin = iso(moment) if since is None else moment_of(since, "since")
    end = None if until is None else moment_of(until, "until")
    if end is not None and datetime.fromisoformat(end) <= datetime.fromisoformat(begin):
        raise InputError(f"until {end} is not after since {begin}")
    fields = {"environment": environment, "endpoint": endpoint, "by": by}
    told = {name: _told(text, name) for name, text in fields.items()}
    with open_ledger(tracking_uri, "recording the deployment") as ledger:
        version = _version(ledger.client, model_uri)
        found = find(ledger.client, version or model_uri)
        predicate = DeploymentPredicate(**told, since=begin, until=end, version=version or _only_version(found))
        raw = _document(deployment_statement(predicate, model=found.digest), signer)
        item = serving_item(raw, tables=_tables(found), logged=[found.model_id])
        ledger.write(item)
        entries = ledger.serving(found.model_id)
    same = [one for one in folded(entries, judge, moment) if _same(one, predicate, found.digest)]
    if not same:
        raise TrackingError(f"the deployment was written and is not found again: look at the ledger, '{ledger.name}'")
    identity = "sha256:" + hashlib.sha256(raw).hexdigest()
    made = next((one for one in same if one.identity == identity), same[-1])
    if made.serves:
        return made
    if since is not None:
        raise InputError(
            f"this deployment was recorded before and is retired, {made.identity[7:19]}: give the time of the new one"
        )
    # what was retired within the second that it was recorded in, and serves again: the same words, one second later
    return record_deployment(
        model_uri,
        environment=environment,
        endpoint=endpoint,
        by=by,
        since=datetime.fromisoformat(begin) + timedelta(seconds=1),
        until=until,
        signer=signer,
        trust=judge,
        tracking_uri=tracking_uri,
        now=moment,
    )


def retire_deployment(
    which: str,
    *,
    by: str,
    environment: str | None = None,
    reason: str | None = None,
    until: str | datetime | None = None,
    signer: Signer | None = None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Deployment:
    """Record that a deployment serves no more, or will not from `until` on.

    which: its identity (12 hex or more of it), or its endpoint, with the environment where several have that.

    Raises InputError: nothing of that name serves, several do, or this end would not count; TrackingError.
    """
    from synthml.attestation import RetirementPredicate, retirement_statement

    judge, moment = find_trust(trust), now or time_now()
    end = iso(moment) if until is None else moment_of(until, "until")
    with open_ledger(tracking_uri, "recording the end of the deployment") as ledger:
        one = _one(all_deployments(ledger, judge, moment), which, environment)
        told = None if reason is None else _told(reason, "reason")
        predicate = RetirementPredicate(one.identity, end, _told(by, "by"), told)
        raw = _document(retirement_statement(predicate, model=None if one.damaged else one.model), signer)
        if (one.verified or one.damaged) and not judge.claim(raw, moment):
            why, what = judge.claim(raw, moment).standing, "damaged" if one.damaged else "signed"
            raise InputError(f"this end would not count, for the record is {what}: {why}. Give a key that the trust file lets")
        ledger.write(serving_item(raw, tables=dict(one.tables), logged=one.logged))
        return _one_of(all_deployments(ledger, judge, moment), one.identity)


def list_deployments(
    *,
    model_uri: str | None = None,
    environment: str | None = None,
    live: bool = False,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> tuple[Deployment, ...]:
    """Deployments, past ones too. live: only what was not retired. One request for each thousand of the whole history."""
    from synthml_tracking.client import logged_model_id

    judge, moment = find_trust(trust), now or time_now()
    with open_ledger(tracking_uri, "reading the deployments") as ledger:
        if model_uri is None:
            found = all_deployments(ledger, judge, moment)
        else:
            found = folded(ledger.serving(logged_model_id(ledger.client, model_uri)), judge, moment)
    return tuple(one for one in found if (environment is None or one.environment == environment) and (one.serves or not live))


def all_deployments(ledger: Ledger, trust: Trust, now: datetime) -> tuple[Deployment, ...]:
    """Everything that the ledger says of where models serve."""
    return folded((*ledger.all("deployment"), *ledger.all("retirement")), trust, now)


def moment_of(given: str | datetime, name: str) -> str:
    """A time as it stands in documents; a date alone is its beginning, in UTC. Raises InputError."""
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise InputError(f"{name} is {given[:40]!r}; expected is a time such as 2030-01-31T12:00:00Z, or a date") from None
        if len(given) == len("2030-01-31"):
            moment = moment.replace(tzinfo=UTC)
    else:
        moment = given
    if moment.tzinfo is None:
        raise InputError(f"{name} needs a timezone, such as 2030-01-31T12:00:00Z")
    return iso(moment)


def _document(statement: Statement, signer: Signer | None) -> bytes:
    from synthml.attestation import sign

    return statement.to_json() if signer is None else sign(statement, signer)


def _told(text: str, name: str) -> str:
    text = text.strip()
    if not text:
        raise InputError(f"{name} is empty")
    if len(text) > _LONGEST or not text.isprintable():
        raise InputError(f"{name} has {len(text):,} characters; at most {_LONGEST:,} are taken, in one line of printable text")
    return text


def _version(client: Any, model_uri: str) -> str | None:
    """`models:/NAME/1`, the alias followed; None when the address names no version."""
    from synthml_tracking.client import version_named

    named = version_named(client, model_uri)
    return None if named is None else "models:/{}/{}".format(*named)


def _only_version(found: Found) -> str | None:
    return found.versions[0].uri if len(found.versions) == 1 else None


def _tables(found: Found) -> dict[str, str]:
    """32 hex -> roles, from everything that names a table of this model."""
    named: dict[str, set[str]] = {}
    noted = found.noted.get("datasets")
    given = [(str(digest), str(role)) for role, digest in (noted if isinstance(noted, dict) else {}).items()]
    given += [(key.removeprefix("synthml.ds."), roles) for key, roles in found.tags.items() if key.startswith("synthml.ds.")]
    for digest, roles in (*given, *found.datasets):
        key = digest.rpartition(":")[2][:32]
        if re.fullmatch(r"[0-9a-f]{32}", key):
            named.setdefault(key, set()).update(role for role in roles.split(",") if role)
    return {key: ",".join(sorted(roles)) for key, roles in named.items()}


def _same(one: Deployment, predicate: Any, model: str) -> bool:
    mine = (predicate.environment, predicate.endpoint, predicate.since, predicate.by, predicate.version, model)
    return (one.environment, one.endpoint, one.since, one.by, one.version, one.model) == mine


def _one(found: Sequence[Deployment], which: str, environment: str | None) -> Deployment:
    match = _IDENTITY.fullmatch(which)
    named = [
        one
        for one in found
        if one.endpoint == which or (match is not None and one.identity.removeprefix("sha256:").startswith(match.group(1)))
    ]
    serving = [one for one in named if one.serves and environment in {None, one.environment}]
    if len(serving) == 1:
        return serving[0]
    if not serving:
        raise InputError(f"nothing that serves is named {one_line(which, 90)!r}" + ("; it was retired already" if named else ""))
    told = "\n".join(f"  {one.identity[7:23]}  {one.environment}  {one.serving or one.model}" for one in serving[:10])
    raise InputError(f"{one_line(which, 90)!r} names {len(serving)} deployments; name one by its first hex:\n{told}")


def _one_of(found: Iterable[Deployment], identity: str) -> Deployment:
    return next(one for one in found if one.identity == identity)
