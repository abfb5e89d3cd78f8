"""Write down that tables were made from tables, where no run and no release tells of it: a sample, a split, an augmented table.

Runs, evaluations, sweeps and releases say by themselves what their synthetic table was made from. Whatever is done to a table
besides, before it is trained on or released, is told here; recall, impact and contamination follow it from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.errors import InputError, TrackingError
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.derivations import Making, making_of
from synthml_tracking.entries import MOST
from synthml_tracking.ledger import open_ledger
from synthml_tracking.recalls import resolve_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securesystemslib.signer import Signer

    from synthml_tracking.ledger import Ledger

__all__ = ["record_derivation"]

_LONGEST = 200


def record_derivation(
    derived: str | Sequence[str],
    materials: str | Sequence[str],
    *,
    activity: str,
    generator: str | None = None,
    signer: Signer | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Making:
    """Record that tables were made from other tables, in the ledger. The same given twice is there once.

    derived, materials: digests in full, or 12 hex or more of one that this registry knows. activity: synthesis, augmentation,
    transformation (all of the rows went in), sampling or split (a part did, so that two parts do not contaminate each other).
    generator: what made them, name and version. Unsigned it counts too: it can only make a gate stricter.

    Raises InputError for what is no digest, no activity, or a table made from itself; TrackingError when the store fails.
    """
    from synthml.attestation import ACTIVITIES, DerivationPredicate, Material, derivation_statement, sign

    if activity not in ACTIVITIES:
        raise InputError(f"'{activity[:40]}' is no activity: expected {', '.join(ACTIVITIES)}")
    if generator is not None and len(generator) > _LONGEST:
        raise InputError(f"the generator's name has {len(generator):,} characters; at most {_LONGEST} are kept")
    with open_ledger(tracking_uri, "recording the derivation") as ledger:
        made, used = _digests(ledger, derived), _digests(ledger, materials)
        if not made or not used:
            raise InputError("a derivation names at least one table that was made, and one that it was made from")
        if set(made) & set(used):
            raise InputError(f"{next(iter(set(made) & set(used)))} cannot be made from itself: the two tables are the same")
        if len(made) + len(used) > MOST:
            raise InputError(f"{len(made) + len(used)} tables in one statement; at most {MOST}: record it in parts")
        predicate = DerivationPredicate(tuple(map(Material, used)), activity, iso(now or time_now()), generator)
        statement = derivation_statement([("table", digest) for digest in made], predicate)
        raw = statement.to_json() if signer is None else sign(statement, signer)
        ledger.append(raw)
    making = making_of(raw)
    if making is None:
        raise TrackingError("the derivation was written and cannot be read")
    return making


def _digests(ledger: Ledger, given: str | Sequence[str]) -> tuple[str, ...]:
    """In full, each once, in their order."""
    told = [given] if isinstance(given, str) else given
    return tuple(dict.fromkeys(resolve_digest(ledger.client, one, ledger) for one in told))
