"""Decide on a logged model: gather the facts at one captured time, and hold them against a policy.

What counts as a fact is written in `facts`; deciding itself is pure (`synthml.policy.decide`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml_tracking.facts import gather_facts

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from synthml.attestation import Trust
    from synthml.policy import Policy, Verdict

__all__ = ["gate"]


def gate(
    model_uri: str,
    policy: Policy | str,
    *,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Verdict:
    """The verdict of a policy on a logged model, from what is attached to it and what the ledger says of its tables.

    model_uri: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID/model. trust: the trust file, by default SYNTHML_TRUST.
    now: time of the decision, by default the clock's.

    Raises EvidenceError when a document is not what its name says or is gone, InputError for what is no model, policy or trust
    file, TrackingError when the store fails. A model without evidence is no error: its verdict is `insufficient`.
    """
    from synthml import Policy as PolicyFile
    from synthml import decide

    chosen = policy if not isinstance(policy, str) else PolicyFile.load(policy)
    gathered = gather_facts(model_uri, chosen, trust=trust, tracking_uri=tracking_uri, now=now)
    return decide(gathered.dossier, chosen, now=gathered.now, facts=gathered.facts)
