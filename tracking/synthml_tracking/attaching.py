"""Add a signed statement to a model that stands already: to the run that trained it, and to every version of it.

Through the spool, as everything that is recorded: cut off anywhere, `synthml resume` adds what is missing and nothing twice.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml_tracking import items
from synthml_tracking.attachments import Attachment
from synthml_tracking.client import address, load_mlflow, logged_model_id, patience, tracking_uri_of
from synthml_tracking.entries import entry_item
from synthml_tracking.items import short_digest
from synthml_tracking.registry import versions_of
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from synthml_tracking.items import LedgerItem

__all__ = ["attach", "statement_with_evidence"]


def attach(
    model_uri: str,
    raw: bytes,
    *,
    evidence: bytes | None = None,
    ledger: Sequence[LedgerItem] = (),
    tracking_uri: str | None = None,
    observer: Observer = lambda _: None,
) -> Attachment:
    """Attach an envelope. It is not judged here: what it is worth is judged whenever it is read.

    evidence: the document that the statement stands by, attached with it. ledger: entries that belong to it, written in the same
    recording; a release is entered by itself. Raises AttestationError when the envelope cannot be read, InputError for what is no
    model or has no run, and for evidence that the statement does not name, TrackingError, which names a spool, when the store
    fails.
    """
    attachment = Attachment.of(raw)
    files, tags = _with_evidence(attachment, evidence)
    entries = (*ledger, *((entry_item(raw),) if attachment.kind == "release" else ()))
    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        with patience("looking for the model"):
            model_id = logged_model_id(client, model_uri)
            run_id = client.get_logged_model(model_id).source_run_id
            if run_id is None:
                raise InputError(f"{model_uri} was logged outside of a run: there is no place to attach a statement to")
            run = client.get_run(run_id)
            versions = [(one.name, one.number) for one in versions_of(client, model_id, run_id)]
        target = Target(uri, str(run.info.experiment_id), run_id, time.time_ns() // 1_000_000, str(run.info.artifact_uri))
        spool = Spool.begin()
        spool.seal(Plan(target, (*items.attaching(files, tags, versions), *entries)), files)
        write(spool, observer=observer)
        spool.remove()
    return attachment


def statement_with_evidence(path: Path, evidence: Path | None = None) -> tuple[bytes, bytes | None]:
    """An envelope and the document that it stands by: the one that is named, else `evidence.json` beside it when it is that one.

    Raises AttestationError when the envelope cannot be read, InputError for a file that cannot.
    """
    from synthml.attestation import unverified
    from synthml_tracking.documents import stood_by
    from synthml_tracking.releases import document_beside

    try:
        raw = path.read_bytes()
        if evidence is not None:
            return raw, evidence.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    found = (document_beside(path, digest) for digest in stood_by(unverified(raw).statement))
    return raw, next((one for one in found if one is not None), None)


def _with_evidence(attachment: Attachment, evidence: bytes | None) -> tuple[dict[str, bytes], dict[str, str]]:
    """Files and tags of a statement, and of the document that it stands by."""
    from synthml.attestation import unverified
    from synthml.evidence import Dossier
    from synthml_tracking.documents import stood_by

    files, tags = {attachment.path: attachment.raw}, {attachment.tag: attachment.kind}
    if evidence is None:
        return files, tags
    digest = "sha256:" + hashlib.sha256(evidence).hexdigest()
    if digest not in stood_by(unverified(attachment.raw).statement):
        raise InputError(f"the evidence is not what the {attachment.kind} names: its digest is {digest[:19]}")
    key = short_digest(digest)
    return {**files, f"synthml/evidence/{key}.json": evidence}, {
        **tags,
        f"synthml.ev.{key}": Dossier.from_json(evidence).producer,
    }
