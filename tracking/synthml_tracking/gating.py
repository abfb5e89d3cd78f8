"""Decide on a logged model: gather the facts at one captured time, hold them against a policy, and record the verdict.

What counts as a fact is written in `facts`; deciding itself is pure (`synthml.policy.decide`). What is recorded:

    synthml.verdict            tag of the run and of every version: the outcome and the policy, for whoever looks at the page
    synthml/verdict.json       artifact of the run: the newest verdict
    description                of every version, when it is a card of ours or empty: recalls, and the card with this verdict
    synthml/attestations/...   the verdict as a signed statement, when there is a key
    the ledger                 that this model was judged on its holdouts, signed or not: it wears them out

The tag, the card and the artifact are for reading. Nothing is ever decided from them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthml_tracking.client import tracking_uri_of
from synthml_tracking.facts import gather_facts
from synthml_tracking.notices import is_ours, with_notice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from securesystemslib.signer import Signer

    from synthml.attestation import Trust
    from synthml.policy import Policy, Verdict
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.facts import Gathered
    from synthml_tracking.items import Item

__all__ = ["Judgement", "gate", "judge", "recorded"]

_NOTE = "mlflow.note.content"


@dataclass(frozen=True)
class Judgement:
    """A verdict, what it was decided from, and what became of it.

    attached: the signed statement, when there was a key. recorded: whether anything was written; a model that was logged outside
    of a run has no place for it.
    """

    verdict: Verdict
    gathered: Gathered
    attached: Attachment | None = None
    recorded: bool = False


def gate(
    model_uri: str,
    policy: Policy | str | Path,
    *,
    trust: Trust | Path | str | None = None,
    signer: Signer | None = None,
    record: bool = True,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Verdict:
    """The verdict of a policy on a logged model, from what is attached to it and what the ledger says of its tables.

    model_uri: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID/model. trust: the trust file, by default SYNTHML_TRUST.
    signer: signs the verdict. record: whether it is attached and counted. now: time of the decision, by default the clock's.

    Raises EvidenceError when a document is not what its name says or is gone, InputError for what is no model, policy or trust
    file, TrackingError when the store fails; it names a spool when the verdict was taken and could not be recorded whole. A model
    without evidence is no error: its verdict is `insufficient`.
    """
    return judge(model_uri, policy, trust=trust, signer=signer, record=record, tracking_uri=tracking_uri, now=now).verdict


def judge(
    model_uri: str,
    policy: Policy | str | Path,
    *,
    trust: Trust | Path | str | None = None,
    signer: Signer | None = None,
    record: bool = True,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Judgement:
    """As `gate`, with everything that the verdict was decided from."""
    from synthml import Policy as PolicyFile
    from synthml import decide

    chosen = policy if isinstance(policy, PolicyFile) else PolicyFile.load(policy)
    gathered = gather_facts(model_uri, chosen, trust=trust, tracking_uri=tracking_uri, now=now)
    verdict = decide(gathered.dossier, chosen, now=gathered.now, facts=gathered.facts)
    judged = Judgement(verdict, gathered)
    return recorded(judged, signer=signer, tracking_uri=tracking_uri) if record else judged


def recorded(judged: Judgement, *, signer: Signer | None = None, tracking_uri: str | None = None) -> Judgement:
    """Attach and count a verdict that was taken. Raises TrackingError, which names a spool."""
    if judged.gathered.found.run_id is None:
        return judged
    attached = _record(judged.verdict, judged.gathered, signer, tracking_uri_of(tracking_uri))
    return replace(judged, attached=attached, recorded=True)


def _record(verdict: Verdict, gathered: Gathered, signer: Signer | None, uri: str) -> Attachment | None:
    """Through the spool, so that what was cut off is finished by `synthml resume`; gating again repairs it as well."""
    from synthml.attestation import sign
    from synthml.policy import verdict_statement
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.entries import entry_item
    from synthml_tracking.spool import Plan, Spool, Target
    from synthml_tracking.writer import write

    statement = verdict_statement(verdict)
    raw = statement.to_json() if signer is None else sign(statement, signer)
    attached = None if signer is None else Attachment(raw, "verdict")
    found = gathered.found
    holdouts = sorted(key for key, roles in gathered.tables.items() if "holdout" in roles)
    listed = (*_items(verdict, gathered, attached), entry_item(raw, holdouts=holdouts))
    document = json.dumps(verdict.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
    files = {"synthml/verdict.json": document.encode("utf-8")} | ({} if attached is None else {attached.path: attached.raw})
    target = Target(uri, found.experiment_id, str(found.run_id), time.time_ns() // 1_000_000, str(found.artifact_uri))
    spool = Spool.begin()
    spool.seal(Plan(target, listed), files)
    write(spool)
    spool.remove()
    return attached


def _items(verdict: Verdict, gathered: Gathered, attached: Attachment | None) -> Iterator[Item]:
    from synthml_tracking.items import ArtifactItem, TagItem, VersionTagItem, VersionTextItem, attaching, card

    found = gathered.found
    text = with_notice(card(gathered.dossier, verdict), [recall for recall, _ in gathered.recalls])
    told = f"{verdict.outcome} under {verdict.policy}"[:500]
    if attached is not None:
        versions = [(version.name, version.number) for version in found.versions]
        yield from attaching([attached.path], {attached.tag: attached.kind}, versions)
    yield ArtifactItem("synthml/verdict.json")
    yield TagItem("synthml.verdict", told)
    if is_ours(found.run_tags.get(_NOTE, "")):
        yield TagItem(_NOTE, text)
    for version in found.versions:
        yield VersionTagItem(version.name, version.number, "synthml.verdict", told)
        if is_ours(version.description):
            yield VersionTextItem(version.name, version.number, text)
