"""Declaring a recall, and lifting it: the statement in the ledger first, then a line on the page of every version concerned.

From the statement on every gate that asks fails what depends on the table. The lines are for people: where one cannot be written
the recall stands all the same, and that is told.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from synthml.errors import InputError, SynthmlError, TrackingError
from synthml_tracking.client import patience
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.impacts import Reached
from synthml_tracking.ledger import open_ledger
from synthml_tracking.notices import with_notice, without_notices
from synthml_tracking.plain import reason_of
from synthml_tracking.recalls import Recall, in_force, resolve_digest
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from securesystemslib.signer import Signer

    from synthml.attestation import Trust
    from synthml_tracking.impacts import AffectedVersion
    from synthml_tracking.ledger import Ledger

__all__ = ["lift_recall", "recall"]

_log = logging.getLogger("synthml.recall")
_STEP = 500  # versions between two lines of progress
_GIVE_UP = 3  # pages in a row that cannot be written: the store has gone, or this user may not


def recall(
    digest: str,
    reason: str,
    *,
    signer: Signer | None = None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Recall:
    """Declare that a table must not be relied on: from then on every gate that asks fails what depends on it.

    digest: in full, or the first 12 hex or more when they name one known table. Without a key it is not signed, and blocks all
    the same. trust: to say of it what others will. progress: called with lines of text while the pages of versions are written.
    A page that cannot be written is logged (`synthml.recall`) and changes nothing.

    Raises InputError for a digest that names no table or several, TrackingError when the store fails.
    """
    from synthml.attestation import RecallPredicate, recall_statement, sign

    judge, moment = find_trust(trust), now or time_now()
    with open_ledger(tracking_uri, "recording the recall") as ledger:
        full = resolve_digest(ledger.client, digest, ledger)
        statement = recall_statement([full], RecallPredicate(reason_of(reason), iso(moment)))
        raw = statement.to_json() if signer is None else sign(statement, signer)
        ledger.append(raw)
        identity = "sha256:" + hashlib.sha256(raw).hexdigest()
        written = next((one for one in in_force(full, ledger.about(full), judge, moment) if one.identity == identity), None)
        if written is None:
            raise TrackingError(f"the recall of {full} was written and is not found again: look at the ledger, '{ledger.name}'")
        _tell(ledger, full, lambda text: with_notice(text, [written]), progress)
    return written


def lift_recall(
    digest: str,
    reason: str,
    *,
    signer: Signer | None,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Recall, ...]:
    """End every recall of a table that is in force now; returns them. A later recall stands again. progress: as for `recall`.

    Raises InputError: nothing is in force, no key, or a key whose lift would not count under the trust file; TrackingError.
    """
    from synthml.attestation import RecallLiftPredicate, recall_lift_statement, sign

    if signer is None:
        raise InputError("a lift counts only when it is signed: give --sign-key, or SYNTHML_SIGNING_KEY")
    judge, moment = find_trust(trust), now or time_now()
    with open_ledger(tracking_uri, "recording the end of the recall") as ledger:
        full = resolve_digest(ledger.client, digest, ledger)
        standing = in_force(full, ledger.about(full), judge, moment)
        if not standing:
            raise InputError(f"no recall of {full} is in force: there is nothing to lift")
        predicate = RecallLiftPredicate(tuple(one.identity for one in standing), reason_of(reason), iso(moment))
        raw = sign(recall_lift_statement([full], predicate), signer)
        claim = judge.claim(raw, moment)
        if not claim:
            raise InputError(f"this lift would not count: {claim.standing}. Who may lift is said in the trust file (--trust)")
        ledger.append(raw)
        _tell(ledger, full, lambda text: without_notices(text, [one.identity for one in standing]), progress)
    return standing


def _tell(ledger: Ledger, digest: str, change: Callable[[str], str], progress: Callable[[str], None]) -> None:
    """Change the description of every version that depends on a table, copies too. What the store raises is logged."""
    try:
        with patience("looking for the versions that depend on the table"):
            versions = Reached.below(ledger, digest).found_versions()
    except SynthmlError as error:
        _log.warning("the statement counts; the pages that should tell of it do not: %s", error)
        return
    changed = [(one, text) for one in versions if (text := change(one.description)) != one.description]
    done = row = 0
    for count, (version, text) in enumerate(changed, start=1):
        written = _written(ledger, version, text)
        done, row = done + written, 0 if written else row + 1
        if row == _GIVE_UP:
            break
        if count % _STEP == 0 and count < len(changed):
            progress(f"pages of versions: {count:,} of {len(changed):,}")
    progress(f"pages of versions changed: {done:,}, of {len(versions):,} that depend on the table")
    if done < len(changed):
        _log.warning("the statement counts; the pages of %s versions do not tell of it", f"{len(changed) - done:,}")


def _written(ledger: Ledger, version: AffectedVersion, text: str) -> bool:
    try:
        with patience(f"writing the page of {version.uri[:200]}"):
            ledger.client.update_model_version(version.name, version.number, text)
    except SynthmlError as error:
        _log.warning("%s", error)
        return False
    return True
