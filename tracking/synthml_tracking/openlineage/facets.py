"""The facets that events carry. Pure.

Of the standard ones only those whose meaning fits; addresses are those of the specification that the client library ships. Ours
begin with `synthml_` and are described in `facets.json` beside this module.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from synthml import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["EVENTS", "NAMESPACE", "PRODUCER", "SCHEMAS", "dataset", "facet", "job", "model", "of_table", "run_facets", "tags"]

NAMESPACE = "synthml"
PRODUCER = "https://synthml.dev"
EVENTS = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
_SPEC, _OURS = "https://openlineage.io/spec/facets", "https://synthml.dev/openlineage/1-0-0/facets.json#/$defs"
SCHEMAS = {
    "datasetType": f"{_SPEC}/1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet",
    "errorMessage": f"{_SPEC}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
    "inputStatistics": f"{_SPEC}/1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet",
    "jobType": f"{_SPEC}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "processing_engine": f"{_SPEC}/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
    "schema": f"{_SPEC}/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
    "tags": f"{_SPEC}/1-0-0/TagsDatasetFacet.json#/$defs/TagsDatasetFacet",
    "version": f"{_SPEC}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
    "synthml_generation": f"{_OURS}/GenerationDatasetFacet",
    "synthml_registered": f"{_OURS}/RegisteredDatasetFacet",
    "synthml_role": f"{_OURS}/RoleInputDatasetFacet",
    "synthml_run": f"{_OURS}/RecordedRunFacet",
}
_USES = {
    "synthetic": "trained on",
    "source": "what the synthetic table was made from; a model trained on it is measured for comparison and thrown away",
    "holdout": "measured on",
    "reference": "the population that shares are compared with",
    "production": "rows that the deployed model met",
}


def facet(kind: str, /, **told: Any) -> dict[str, Any]:
    """A facet by its kind, a key of `SCHEMAS`."""
    return {"_producer": PRODUCER, "_schemaURL": SCHEMAS[kind], **told}


def dataset(namespace: str, name: str, facets: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A dataset of an event."""
    return {"namespace": namespace, "name": name, "facets": dict(facets), **more}


def of_table(digest: str, kind: str) -> dict[str, Any]:
    """Facets of a table: its version is its content."""
    return {
        "version": facet("version", datasetVersion=digest),
        "datasetType": facet("datasetType", datasetType="TABLE", subType=kind),
    }


def model(model_id: str, **facets: Any) -> dict[str, Any]:
    """A LoggedModel as a dataset: `models:/m-...`."""
    told = {"datasetType": facet("datasetType", datasetType="MODEL", subType="LOGGED_MODEL"), **facets}
    return dataset(NAMESPACE, f"models:/{model_id}", told)


def job(activity: str, of: str) -> dict[str, Any]:
    """A job. Each run of ours is a job of its own, so that a consumer that shows a job's last run loses no model's tables."""
    told = facet("jobType", processingType="BATCH", integration="SYNTHML", jobType=activity.upper()[:100])
    return {"namespace": NAMESPACE, "name": f"{activity}.{of}"[:1000], "facets": {"jobType": told}}


def uses(roles: Iterable[str]) -> str:
    """What a table was used for, in words."""
    return "; ".join(_USES.get(role, role) for role in roles)


def tags(found: Mapping[str, str]) -> dict[str, Any]:
    """Tags of a dataset."""
    return facet("tags", tags=[{"key": key, "value": value, "source": "SYNTHML"} for key, value in found.items()])


def run_facets() -> dict[str, Any]:
    """What ran."""
    mlflow = importlib.metadata.version("mlflow")
    return {"processing_engine": facet("processing_engine", version=mlflow, name="mlflow", openlineageAdapterVersion=__version__)}
