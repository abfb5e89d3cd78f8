"""Decide on a logged model from what is attached to it: the evidence documents in the store, and the model's files.

The documents are believed only as far as they hold together: each must be the content that its name says, and be about the model
whose files stand in the store now. Signatures are not looked at: a policy that asks for one is not met.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import EvidenceError
from synthml_tracking.client import address, load_mlflow, logged_model_id, patience, tracking_uri_of
from synthml_tracking.clock import now as time_now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from synthml.evidence import Dossier
    from synthml.policy import Policy, Verdict

__all__ = ["combined", "dossiers_of", "gate"]

_PLACE = "synthml/evidence"


def gate(model_uri: str, policy: Policy | str, *, tracking_uri: str | None = None, now: datetime | None = None) -> Verdict:
    """The verdict of a policy on a logged model, from the evidence attached to it.

    model_uri: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID/model. now: time of the decision, by default the
    clock's.

    Raises EvidenceError when a document is not what its name says, InputError for what is no model or policy, TrackingError when
    the store fails. A model without evidence is no error: its verdict is `insufficient`.
    """
    from synthml import Dossier as Document
    from synthml import Policy as PolicyFile
    from synthml import decide

    chosen = policy if not isinstance(policy, str) else PolicyFile.load(policy)
    uri = tracking_uri_of(tracking_uri)
    with address(uri), patience("reading the evidence"):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        model_id = logged_model_id(client, model_uri)
        digest = _digest(model_id)
        found = dossiers_of(client, model_id)
    about = [dossier for dossier in found if (dossier.model or {}).get("digest") == digest]
    dossier = combined(about) if about else Document(figures={}).with_model(digest, f"models:/{model_id}")
    return decide(dossier, chosen, now=now or time_now())


def _digest(model_id: str) -> str:
    """The digest of the model's files as they stand in the store."""
    from synthml.digest import folder_digest

    with tempfile.TemporaryDirectory(prefix="synthml-model-") as place:
        return folder_digest(load_mlflow().artifacts.download_artifacts(f"models:/{model_id}", dst_path=place))


def dossiers_of(client: Any, model_id: str) -> list[Dossier]:
    """Every evidence document attached to the run that trained a model. Raises EvidenceError when one was changed."""
    from synthml import Dossier as Document

    run_id = client.get_logged_model(model_id).source_run_id
    if run_id is None:
        return []
    found = []
    with tempfile.TemporaryDirectory(prefix="synthml-evidence-") as place:
        for entry in client.list_artifacts(run_id, _PLACE):
            raw = Path(client.download_artifacts(run_id, entry.path, place)).read_bytes()
            if hashlib.sha256(raw).hexdigest()[:32] != Path(entry.path).stem:
                raise EvidenceError(f"{entry.path} of run {run_id} was changed after it was attached: its name is not its digest")
            found.append(Document.from_json(raw))
    return found


def combined(dossiers: Iterable[Dossier]) -> Dossier:
    """One dossier out of several about the same model: of each figure, the one that was measured last.

    So a later evaluation counts even where it is worse. Raises EvidenceError when there is none.
    """
    ordered = sorted(dossiers, key=lambda dossier: (dossier.created or "", dossier.digest))
    if not ordered:
        raise EvidenceError("there is no evidence to combine")
    whole = ordered[0]
    for later in ordered[1:]:
        whole = replace(
            later,
            figures={**whole.figures, **later.figures},
            tables={**whole.tables, **later.tables},
            datasets={**whole.datasets, **later.datasets},
            generation=later.generation or whole.generation,
            kinds=tuple(dict.fromkeys((*whole.kinds, *later.kinds))),
            notes=tuple(dict.fromkeys((*whole.notes, *later.notes))),
        )
    return whole
