"""Measure a model that was logged before, on real rows, and attach the evidence to it.

The evaluator may hold only the real holdout, maybe inside an enclave; the engineer who trained may never have seen it.
Evidence is added, never overwritten: its file is named by its own digest, and each version of the model gets a tag that names it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml_tracking import items
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of
from synthml_tracking.clock import now_iso
from synthml_tracking.spool import Spool
from synthml_tracking.writer import timestamp, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.settings import MeasureSettings

__all__ = ["evaluate"]


def evaluate(
    model_uri: str,
    study: Study,
    *,
    tracking_uri: str | None = None,
    producer: str = "evaluator",
    seed: int = 0,
    settings: MeasureSettings | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Dossier:
    """Measure `model_uri` (models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID/model) on the study's holdout.

    With a source table, and a model that can be trained again, TRTR and the loss are measured too. The decision threshold is
    the one that was chosen at training time. Raises InputError when model and study do not fit, TrackingError when the server
    fails.
    """
    if "holdout" not in study.roles:
        raise InputError("the study has no holdout table: a model is measured on real rows that it has not seen")
    from synthml import measure
    from synthml.utility.preparation import is_estimator
    from synthml_tracking.models import load_predictor
    from synthml_tracking.run import without_autolog

    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        progress("loading the logged model")
        with patience("loading the model"):
            found = _find(model_uri, uri)
            predictor, noted, digest = load_predictor(f"models:/{found['model_id']}")
    _check_fit(study, noted)
    threshold = noted.get("threshold") if study.schema.task == "binary" else None
    with without_autolog():
        dossier = measure(
            study,
            model=predictor if is_estimator(predictor) else None,
            fitted=predictor,
            threshold=threshold,
            seed=seed,
            settings=settings,
            progress=progress,
        )
    dossier = dossier.with_model(digest, f"models:/{found['model_id']}", threshold=threshold)
    dossier = dossier.stamped(created=now_iso(), producer=producer)
    progress("attaching the evidence")
    _attach(dossier, study, found, uri)
    return dossier


def _find(model_uri: str, uri: str) -> dict[str, Any]:
    """Model id, run, experiment and versions behind a model URI."""
    mlflow = load_mlflow()
    client = mlflow.MlflowClient(tracking_uri=uri)
    model_id = _model_id(client, model_uri)
    logged = client.get_logged_model(model_id)
    versions = [
        f"{version.name}/{version.version}"
        for version in client.search_model_versions(f"run_id = '{logged.source_run_id}'")
        if version.source.rstrip("/").endswith(model_id)
    ]
    return {
        "model_id": model_id,
        "run_id": logged.source_run_id,
        "experiment_id": logged.experiment_id,
        "versions": versions,
        "names": {d.dataset.digest: d.dataset.name for d in client.get_run(logged.source_run_id).inputs.dataset_inputs},
        "measured": {metric.key for metric in logged.metrics or ()},
    }


def _model_id(client: Any, model_uri: str) -> str:
    kind, _, rest = model_uri.partition(":/")
    rest = rest.strip("/")
    if kind == "models" and rest.startswith("m-") and "/" not in rest:
        return rest
    if kind == "models" and "@" in rest:
        name, _, alias = rest.rpartition("@")
        source = client.get_model_version_by_alias(name, alias).source
    elif kind == "models" and "/" in rest:
        name, _, number = rest.rpartition("/")
        source = client.get_model_version(name, number).source
    elif kind == "runs":
        run_id = rest.partition("/")[0]
        outputs = client.get_run(run_id).outputs.model_outputs
        if len(outputs) != 1:
            raise InputError(f"the run has {len(outputs)} logged models; name one as models:/m-...")
        return str(outputs[0].model_id)
    else:
        raise InputError(
            f"'{model_uri}' is no model: expected models:/NAME/1, models:/NAME@alias, models:/m-... or runs:/ID/model"
        )
    if not source.startswith("models:/m-"):
        raise InputError(f"the version behind '{model_uri}' is not a logged model of MLflow 3; log and register it again")
    return str(source.removeprefix("models:/"))


def _check_fit(study: Study, noted: dict[str, Any]) -> None:
    """The model's features must be the study's."""
    expected, given = noted.get("features"), list(study.schema.features or ())
    if expected is not None and set(expected) != set(given):
        missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
        told = "; ".join(
            f"{word} {', '.join(columns)}"
            for word, columns in (("missing:", missing), ("not known to the model:", extra))
            if columns
        )
        raise InputError(f"the study's features are not the model's ({told}). Name the model's features in schema.features.")
    if noted.get("task") not in (None, study.schema.task):
        raise InputError(f"the model was trained for a {noted['task']} task; the study's is {study.schema.task}")


def _attach(dossier: Dossier, study: Study, found: dict[str, Any], uri: str) -> None:
    tables = items.datasets(study)
    evidence = items.evidence_key(dossier)
    files = {name: content for name, content in items.artifacts(dossier, None).items() if name.endswith(".json")}
    files[f"synthml/evidence/{evidence}.html"] = items.artifacts(dossier, None)["synthml/report.html"]
    tags = items.run_tags(dossier, None, tables)
    plan = {
        "run_id": found["run_id"],
        "experiment_id": found["experiment_id"],
        "model_id": found["model_id"],
        "tracking_uri": uri,
        "timestamp": timestamp(),
        "datasets": [{**asdict(item), "name": item.name, "context": item.context} for item in tables],
        "dataset_names": found["names"],
        "metrics": [asdict(item) for item in items.metrics(dossier)],
        "repeats": bool(found["measured"]),
        "tags": tags,
        "version_tags": dict.fromkeys(found["versions"], tags),
    }
    spool = Spool.create(plan, artifacts=files)
    write(spool)
    spool.remove()
