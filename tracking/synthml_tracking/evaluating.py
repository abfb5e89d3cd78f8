"""Measure a model that was logged before, on real rows, and attach the evidence to it.

The evaluator may hold only the real holdout, maybe inside an enclave; the engineer who trained may never have seen it. Evidence
is added, never overwritten: an evaluation is a run of its own, under the run that trained the model, so that figures of another
evaluator, another holdout or another day stand beside the first ones. Its metrics are linked to the LoggedModel and to the
table that they were measured on. The evidence document also goes to the run that trained the model, named by its own digest,
and each version of the model gets a tag that names it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError, TrackingError
from synthml.settings import MeasureSettings
from synthml_tracking import items, openlineage
from synthml_tracking.attachments import signed_evidence
from synthml_tracking.client import address, load_mlflow, logged_model_id, patience, tracking_uri_of, without_autolog
from synthml_tracking.clock import now_iso
from synthml_tracking.registry import versions_of
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from securesystemslib.signer import Signer

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml_tracking.models import LoadedModel

__all__ = ["FoundModel", "check_fit", "evaluate", "find_model", "measured"]


def evaluate(
    model_uri: str,
    study: Study,
    *,
    tracking_uri: str | None = None,
    producer: str = "evaluator",
    seed: int = 0,
    settings: MeasureSettings | None = None,
    signer: Signer | None = None,
    progress: Callable[[str], None] = lambda _: None,
    observer: Observer = lambda _: None,
) -> Dossier:
    """Measure `model_uri` (models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID/model) on the study's holdout.

    With a source table, and a model that can be trained again, TRTR and the loss are measured too. The decision threshold is
    the one that was chosen at training time. The evidence binds the model by the digest of its files as they stand in the store.
    signer: whose key signs the evidence (`synthml_tracking.keys.signing_key`); the signed statement is attached with it.

    Raises InputError when model and study do not fit, TrackingError when the server fails; what was measured by then waits in a
    spool that the error names.
    """
    if "holdout" not in study.roles:
        raise InputError("the study has no holdout table: a model is measured on real rows that it has not seen")
    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        progress("loading the logged model")
        with patience("loading the model"):
            found = find_model(client, model_uri)
        check_fit(study, found.loaded.metadata)
        with patience("starting the evaluation's run"):
            run = _start(client, found)
        openlineage.started(study, found.experiment_id, run.info.run_id, activity="evaluation")
        target = Target(uri, found.experiment_id, run.info.run_id, _milliseconds(), run.info.artifact_uri, found.model_id)
        pages: dict[str, str] = {}
        try:
            dossier = measured(
                study,
                found.loaded,
                found.model_id,
                seed=seed,
                settings=settings or MeasureSettings(),
                pages=pages.__setitem__,
                progress=progress,
            )
            dossier = dossier.stamped(created=now_iso(), producer=producer)
            spool = _sealed(study, dossier, found, replace(target, timestamp=_milliseconds()), signer, pages)
        except BaseException as error:
            _give_up(client, run.info.run_id, error)
            known = items.known(study, None, seed=seed, error=type(error).__name__, status="FAILED")
            openlineage.ended(target, (*known, items.ModelInputItem(found.model_id)))
            raise
        progress("attaching the evidence")
        write(spool, observer=observer)
        spool.remove()
    return dossier


@dataclass(frozen=True)
class FoundModel:
    """A logged model, where it came from, and the versions that it stands under."""

    model_id: str
    name: str
    run_id: str | None
    experiment_id: str
    versions: Mapping[tuple[str, str], Mapping[str, str]]
    loaded: LoadedModel


def find_model(client: Any, model_uri: str) -> FoundModel:
    """A logged model, loaded. Raises InputError for an address that names none."""
    from synthml_tracking.models import load_predictor

    model_id = logged_model_id(client, model_uri)
    logged = client.get_logged_model(model_id)
    versions = {(one.name, one.number): one.tags for one in versions_of(client, model_id, logged.source_run_id)}
    loaded = load_predictor(f"models:/{model_id}")
    return FoundModel(model_id, logged.name, logged.source_run_id, str(logged.experiment_id), versions, loaded)


def check_fit(study: Study, noted: Mapping[str, Any]) -> None:
    """The model's features and task must be the study's."""
    expected, given = noted.get("features"), list(study.schema.features or ())
    if expected is not None and set(expected) != set(given):
        missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
        parts = (("missing:", missing), ("not known to the model:", extra))
        told = "; ".join(f"{word} {', '.join(columns)}" for word, columns in parts if columns)
        raise InputError(f"the study's features are not the model's ({told}). Name the model's features in schema.features.")
    if noted.get("task") not in (None, study.schema.task):
        raise InputError(f"the model was trained for a {noted['task']} task; the study's is {study.schema.task}")
    for word in ("target", "positive"):
        known = noted.get(word)
        if known is not None and known != getattr(study.schema, word):
            raise InputError(f"the model was trained for another {word} than the study's: set schema.{word} to what it was")


def _start(client: Any, found: FoundModel) -> Any:
    tags = {"mlflow.runName": f"evaluation of {found.name}"}
    if found.run_id is not None:
        tags["mlflow.parentRunId"] = found.run_id
    return client.create_run(found.experiment_id, tags=tags)


def measured(
    study: Study,
    loaded: LoadedModel,
    model_id: str | None,
    *,
    seed: int,
    settings: MeasureSettings,
    kinds: Iterable[str] | None = None,
    pages: Callable[[str, str], None] = lambda _name, _html: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Dossier:
    """The dossier of a loaded model: its own threshold, its columns in its own order, and the digests it was trained with."""
    from synthml import measure
    from synthml.utility.preparation import is_estimator

    predictor, noted = loaded.predictor, loaded.metadata
    threshold = noted.get("threshold") if study.schema.task == "binary" else None
    with without_autolog():
        dossier = measure(
            study,
            model=predictor if is_estimator(predictor) else None,
            fitted=_InOrder(predictor, noted["features"]) if noted.get("features") else predictor,
            threshold=threshold,
            kinds=kinds,
            seed=seed,
            settings=settings,
            pages=pages,
            progress=progress,
        )
    # what the model learned from is known by digest, though the evaluator may not hold it
    learned = {role: {"digest": digest} for role, digest in (noted.get("datasets") or {}).items() if role != "holdout"}
    other = [role for role in ("source", "synthetic") if role in dossier.datasets and role in learned]
    differ = [role for role in other if dossier.datasets[role]["digest"] != learned[role]["digest"]]
    notes = (f"the {role} table is not the one that the model was trained with: their digests differ" for role in differ)
    dossier = replace(dossier, datasets={**learned, **dossier.datasets}).noting(*notes)
    uri = None if model_id is None else f"models:/{model_id}"
    return dossier.with_model(loaded.digest, uri, threshold=threshold)


class _InOrder:
    """A predictor that gets its columns in the order that it learned them, whatever the order of the study's."""

    def __init__(self, predictor: Any, columns: Sequence[str]) -> None:
        self._predictor, self._columns = predictor, list(columns)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._predictor, name)
        return (lambda X: found(X[self._columns])) if name in ("predict", "predict_proba") else found

    def __call__(self, X: pd.DataFrame) -> Any:
        return self._predictor(X[self._columns])


def _sealed(
    study: Study, dossier: Dossier, found: FoundModel, target: Target, signer: Signer | None, pages: Mapping[str, str]
) -> Spool:
    signed = signed_evidence(dossier, signer)
    files = items.artifact_files(dossier, None, signed=signed, pages=pages)
    listed = items.evaluation(
        study,
        dossier,
        artifacts=sorted(files),
        source_run=found.run_id,
        versions=found.versions,
        signed=signed,
        ledger=items.descent(study, dossier, signer),
    )
    spool = Spool.begin()
    spool.seal(Plan(target, tuple(listed)), files)
    return spool


def _give_up(client: Any, run_id: str, error: BaseException) -> None:
    try:
        with patience("marking the evaluation as failed"):
            client.set_terminated(run_id, status="FAILED")
    except TrackingError as cause:
        error.add_note(f"Besides, {cause}")


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
