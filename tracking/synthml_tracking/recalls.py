"""Recalls of tables: which are in force. `recalling` declares and lifts them.

What counts, and why an unverified recall does, is written in `ledger`. In force is every recall of a digest that no lift ends. A
lift ends the recalls that it names, when its signature was verified for a role that the trust file lets lift. It needs no time to
be believed: a recall that came later is another statement.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError, InputError
from synthml_tracking.client import experiment_ids
from synthml_tracking.clock import now as time_now
from synthml_tracking.items import short_digest
from synthml_tracking.ledger import Ledger, open_ledger
from synthml_tracking.plain import MOST_OF_A_REASON
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from synthml.attestation import Claim, Trust
    from synthml_tracking.entries import Entry

__all__ = ["Recall", "full_digests", "in_force", "is_digest", "recalls_of", "resolve_digest"]

_FULL = re.compile(r"(sha256|hmac-sha256):[0-9a-f]{64}")
_PREFIX = re.compile(r"(?:(?:sha256|hmac-sha256):)?([0-9a-f]{12,64})")


@dataclass(frozen=True)
class Recall:
    """A recall in force. digest: as it was asked for. by: who declared it, or why that is not known. verified: whether it is.

    identity: what a lift names it by. reason, declared: what the statement says, empty when it cannot be read.
    """

    digest: str
    reason: str
    declared: str
    by: str
    verified: bool
    identity: str
    run_id: str
    deleted: bool = False

    def __str__(self) -> str:
        who = self.by if self.verified else f"unverified: {self.by}"
        told = f"recalled on {self.declared[:10]} ({who})" if self.declared else f"recalled ({who})"
        return f"{told}: {self.reason}" if self.reason else told

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def in_force(digest: str, entries: Iterable[Entry], trust: Trust, now: datetime) -> tuple[Recall, ...]:
    """The recalls of one digest that stand, from what the ledger says of it. Pure."""
    from synthml.attestation import RecallLiftPredicate, read_as

    found, lifted = [], set[str]()
    for entry in entries:
        claim = _claim(entry, trust, now)
        kind = entry.kind if claim is None else claim.kind
        if claim is not None and short_digest(digest) not in {short_digest(one) for one in claim.statement.digests}:
            continue  # a tag that points at something which the statement is not about
        if kind == "recall":
            found.append(_recall(digest, entry, claim))
        elif kind == "recall-lift" and claim:
            lifted |= set(read_as(claim.statement, RecallLiftPredicate).recalls)
    standing = (one for one in found if one.identity not in lifted)
    return tuple(sorted(standing, key=lambda one: (one.declared, one.identity)))


def _claim(entry: Entry, trust: Trust, now: datetime) -> Claim | None:
    """The document as it was written; None when it is damaged."""
    if not entry.whole:
        return None
    try:
        return trust.claim(entry.raw, now)
    except AttestationError:
        return None


def _recall(digest: str, entry: Entry, claim: Claim | None) -> Recall:
    from synthml.attestation import RecallPredicate, read_as

    if claim is None:
        return Recall(digest, "", "", "its document is damaged", False, entry.identity, entry.run_id, entry.deleted)
    predicate = read_as(claim.statement, RecallPredicate)
    by, told = str(claim.standing), bool(claim)
    return Recall(digest, _plain(predicate.reason), predicate.declared, by, told, entry.identity, entry.run_id, entry.deleted)


def _plain(text: str) -> str:
    """Anybody may have written it: no line ends, control characters or marks that turn the direction, and not endless."""
    return "".join(c if c.isprintable() else " " for c in text[:MOST_OF_A_REASON])


def recalls_of(
    digest: str, *, trust: Trust | Path | str | None = None, tracking_uri: str | None = None, now: datetime | None = None
) -> tuple[Recall, ...]:
    """The recalls of one table that are in force. Two requests. Raises InputError, TrackingError."""
    judge = find_trust(trust)
    with open_ledger(tracking_uri, "reading the ledger") as ledger:
        return in_force(digest, ledger.about(digest), judge, now or time_now())


def is_digest(text: str) -> bool:
    """Whether it looks like one, in full or by 12 hex or more."""
    return _PREFIX.fullmatch(text) is not None


def resolve_digest(client: Any, text: str, ledger: Ledger | None = None) -> str:
    """The full digest of a table. A full one is taken as it is, known or not: a table may be recalled before anybody uses it.

    A prefix of 12 hex or more is looked for in the ledger and among the inputs of all runs. Raises InputError when it names no
    table, or several.
    """
    text = text.strip()
    if _FULL.fullmatch(text):
        return text
    match = _PREFIX.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text[:90]!r} is no digest: expected sha256:<64 hex>, hmac-sha256:<64 hex>, or the first 12 hex or more of one. "
            "`synthml digest FILE` prints the digest of a table."
        )
    prefix = match.group(1)
    found = (ledger or Ledger(client)).known_digests(prefix) | _among_inputs(client, prefix)
    kind = text.rpartition(":")[0]
    found = {digest for digest in found if not kind or digest.startswith(f"{kind}:")}
    if not found:
        raise InputError(f"no table in this registry has a digest that begins with {prefix}; give it in full")
    if len(found) > 1:
        raise InputError(f"{prefix} names {len(found)} tables: {', '.join(sorted(found)[:3])}; give more of it")
    return found.pop()


def _among_inputs(client: Any, prefix: str) -> set[str]:
    """Full digests of inputs of runs: one, and another one when there is, since two make it ambiguous."""
    from mlflow.entities import ViewType

    experiments = experiment_ids(client, ViewType.ALL)
    told, found = f"dataset.digest LIKE '{prefix[:32]}%'", set[str]()
    for _ in range(2):
        runs = client.search_runs(experiments, told, ViewType.ALL, 1) if experiments else []
        new = {digest for run in runs for digest in full_digests(run) if digest.partition(":")[2].startswith(prefix)} - found
        if not new:
            break
        found |= new
        told += "".join(f" AND dataset.digest != '{short_digest(digest)}'" for digest in new)
    return found


def full_digests(run: Any) -> list[str]:
    """Digests in full of a run's inputs, as far as synthml logged them."""
    import json

    found = []
    for one in run.inputs.dataset_inputs:
        try:
            found.append(str(json.loads(one.dataset.source)["tags"]["synthml.digest"]))
        except (ValueError, KeyError, TypeError):
            continue  # a dataset that was logged by something else
    return found
