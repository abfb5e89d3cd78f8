"""Add a signed statement to a model that stands already: to the run that trained it, and to every version of it.

Through the spool, as everything that is recorded: cut off anywhere, `synthml resume` adds what is missing and nothing twice.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml_tracking import items
from synthml_tracking.attachments import Attachment
from synthml_tracking.client import address, load_mlflow, logged_model_id, patience, tracking_uri_of
from synthml_tracking.registry import versions_of
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthml_tracking.items import LedgerItem

__all__ = ["attach"]


def attach(
    model_uri: str,
    raw: bytes,
    *,
    ledger: Sequence[LedgerItem] = (),
    tracking_uri: str | None = None,
    observer: Observer = lambda _: None,
) -> Attachment:
    """Attach an envelope. It is not judged here: what it is worth is judged whenever it is read.

    ledger: entries that belong to it, written in the same recording. Raises AttestationError when the envelope cannot be read,
    InputError for what is no model or has no run, TrackingError, which names a spool, when the store fails.
    """
    attachment = Attachment.of(raw)
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
        spool.seal(Plan(target, (*items.attaching(attachment, versions), *ledger)), {attachment.path: attachment.raw})
        write(spool, observer=observer)
        spool.remove()
    return attachment
