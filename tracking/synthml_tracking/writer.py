"""The one interpreter of items: it writes to MLflow what a spool holds, in the order that keeps a run fast and linked.

    inputs -> model files -> model -> batches of figures, parameters and tags -> artifacts -> marks on versions -> ledger ->
    version -> end

The LoggedModel itself was created before anything was measured: so its id stands in the model's own files and in the evidence,
and MLflow asks nothing for every metric that is there already. Each step is noted in the spool's journal once the store has
confirmed it. After a cut, a step that may have reached the store looks first for what is there; the first time it does not
look, which keeps the calls few. Metrics carry one time, fixed in the plan, so that a metric that is sent twice is one metric.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from synthml_tracking import openlineage
from synthml_tracking.client import address, load_mlflow, patience
from synthml_tracking.items import (
    ArtifactItem,
    DatasetItem,
    EndItem,
    Item,
    LedgerItem,
    MetricItem,
    ModelInputItem,
    ModelItem,
    ParamItem,
    TagItem,
    VersionItem,
    VersionTagItem,
    VersionTextItem,
    short_digest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synthml_tracking.spool import Plan, Spool

__all__ = ["Observer", "Recorded", "write"]

SPOOL_TAG = "synthml.spool"
MODEL_VERSIONS_TAG = "mlflow.modelVersions"
# what MLflow takes in one call, all kinds together, and of each kind
_BATCH, _PARAMS, _TAGS = 1000, 100, 100

Observer = Callable[[str], None]
T = TypeVar("T")
Batch = tuple[tuple[MetricItem, ...], tuple[ParamItem, ...], tuple[TagItem, ...]]


@dataclass(frozen=True)
class Recorded:
    """What the store holds after writing. name, version: the registered version, when one was asked for."""

    run_id: str
    model_id: str | None = None
    name: str | None = None
    version: str | None = None

    @property
    def model_uri(self) -> str | None:
        """`models:/m-...`."""
        return None if self.model_id is None else f"models:/{self.model_id}"


def write(spool: Spool, *, again: bool = False, end: bool = True, observer: Observer = lambda _: None) -> Recorded:
    """Write what the spool's journal does not have yet.

    again: after a cut, look before writing. end: whether the run is closed too. observer: called with `before <step>`,
    `stored <step>` (the store has it, the journal not yet) and `noted <step>`.

    Raises TrackingError, which names the spool, when the store fails; InputError when another process writes from this spool.
    """
    with spool.locked():
        plan = spool.plan()
        writing = _Writing(spool, plan, again)
        with address(plan.target.tracking_uri):
            for name, step in writing.steps():
                if name in writing.done or (name == "end" and not end):
                    continue
                observer(f"before {name}")
                with patience(f"recording the {name}", spool=spool.folder):
                    result = step()
                observer(f"stored {name}")
                spool.note(name, result)
                writing.done[name] = result
                observer(f"noted {name}")
    if "end" in writing.done and end:
        openlineage.ended(plan.target, plan.items)
    version = writing.done.get("version", {})
    return Recorded(plan.target.run_id, plan.target.model_id, version.get("name"), version.get("version"))


class _Writing:
    """The steps of one plan."""

    def __init__(self, spool: Spool, plan: Plan, again: bool) -> None:
        self.spool, self.plan, self.again = spool, plan, again
        self.done = spool.done()
        self.target = plan.target
        self._client: Any = None

    @property
    def client(self) -> Any:
        """Made at the first call, so that a store that cannot even be opened is told as such."""
        if self._client is None:
            self._client = load_mlflow().MlflowClient(self.target.tracking_uri, registry_uri=self.target.registry_uri)
        return self._client

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """The items of one kind."""
        return tuple(item for item in self.plan.items if isinstance(item, kind))

    def steps(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """The steps that this plan asks for, in order."""
        if any(isinstance(item, (DatasetItem, ModelInputItem)) for item in self.plan.items):
            yield "inputs", self.inputs
        if self.of(ModelItem):
            yield "model files", self.model_files
            yield "model", self.model_ready
            yield "model output", self.model_output
        for i, batch in enumerate(self.batches()):
            yield f"figures {i}", lambda batch=batch: self.figures(batch)  # type: ignore[misc]
        if any(item.run_id is None for item in self.of(ArtifactItem)):
            yield "artifacts", self.artifacts
        if self.marks():
            yield "marks", self.mark
        for i, item in enumerate(self.of(LedgerItem)):
            yield f"ledger {i}", lambda item=item: self.ledger(item)  # type: ignore[misc]
        if self.of(VersionItem):
            yield "registered model", self.registered_model
            yield "version", self.version
            yield "model's versions", self.model_versions
        if self.of(EndItem):
            yield "end", self.end

    def inputs(self) -> dict[str, Any]:
        """All datasets in one call, each with all its roles; the store itself keeps one input per dataset and run."""
        from mlflow.entities import DatasetInput, InputTag, LoggedModelInput

        inputs = [DatasetInput(_dataset(item), [InputTag("mlflow.data.context", item.context)]) for item in self.of(DatasetItem)]
        models = [LoggedModelInput(item.model_id) for item in self.of(ModelInputItem)]
        self.client.log_inputs(self.target.run_id, inputs, models or None)
        return {}

    def model_files(self) -> dict[str, Any]:
        """Upload the folder; uploading twice changes nothing."""
        self.upload(self.spool.model, str(self.target.model_location))
        return {}

    def upload(self, folder: Path, place: str) -> None:
        """Files to where they stand; the client's own call would ask the server for the place first."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        get_artifact_repository(place, tracking_uri=self.target.tracking_uri).log_artifacts(str(folder))

    def model_ready(self) -> dict[str, Any]:
        """Declare the model complete."""
        self.client.finalize_logged_model(self.target.model_id, "READY")
        return {}

    def model_output(self) -> dict[str, Any]:
        """Link the model to the run."""
        from mlflow.entities import LoggedModelOutput

        if self.again:
            outputs = self.client.get_run(self.target.run_id).outputs
            if outputs and any(output.model_id == self.target.model_id for output in outputs.model_outputs):
                return {}
        self.client.log_outputs(self.target.run_id, [LoggedModelOutput(self.target.model_id, 0)])
        return {}

    def batches(self) -> list[Batch]:
        """Metrics, params and tags in as few calls as MLflow allows."""
        metrics, params = self.of(MetricItem), self.of(ParamItem)
        tags = tuple(tag for tag in self.of(TagItem) if tag.run_id is None)
        found: list[Batch] = []
        while metrics or params or tags:
            few_params, few_tags = params[:_PARAMS], tags[:_TAGS]
            room = _BATCH - len(few_params) - len(few_tags)
            found.append((metrics[:room], few_params, few_tags))
            metrics, params, tags = metrics[room:], params[_PARAMS:], tags[_TAGS:]
        return found

    def figures(self, batch: Batch) -> dict[str, Any]:
        """One batch, its metrics linked to model and dataset."""
        from mlflow.entities import Metric, Param, RunTag

        target = self.target
        names = {item.digest: item.name for item in self.of(DatasetItem)}
        arrived = self.arrived() if self.again else set()
        metrics = []
        for item in batch[0]:
            if item.key in arrived:
                continue
            linked: dict[str, Any] = {"model_id": target.model_id, "run_id": target.run_id}
            if item.dataset is not None and item.dataset in names:
                linked |= {"dataset_name": names[item.dataset], "dataset_digest": short_digest(item.dataset)}
            metrics.append(Metric(item.key, item.value, target.timestamp, target.step, **linked))
        params = [Param(item.key, item.value) for item in batch[1]]
        tags = [RunTag(item.key, item.value) for item in batch[2]]
        self.client.log_batch(target.run_id, metrics=metrics, params=params, tags=tags)
        return {}

    def arrived(self) -> set[str]:
        """Metrics that the store has: on the model, which gets them after the run does.

        One that only the run has is sent again: it stays one, for it carries the same time. One that the model has must not be:
        MLflow 3.17 fails on more than a hundred of those in a batch.
        """
        if self.target.step:
            return set()  # a series has these names at other steps; what is sent again stays one
        if self.target.model_id is None:
            return set(self.client.get_run(self.target.run_id).data.metrics)
        moment, run_id = self.target.timestamp, self.target.run_id
        logged = self.client.get_logged_model(self.target.model_id).metrics or ()
        return {metric.key for metric in logged if metric.run_id == run_id and metric.timestamp == moment}

    def artifacts(self) -> dict[str, Any]:
        """Files are named by their content or replaced whole: uploading twice changes nothing."""
        self.upload(self.spool.artifacts, self.target.artifact_uri)
        return {}

    def marks(self) -> tuple[Item, ...]:
        """What is added to other runs and to versions that stand already."""
        elsewhere = tuple(
            item for item in self.plan.items if isinstance(item, (ArtifactItem, TagItem)) and item.run_id is not None
        )
        return (*elsewhere, *self.of(VersionTagItem), *self.of(VersionTextItem))

    def mark(self) -> dict[str, Any]:
        """Add them; each of them can be repeated."""
        for item in self.marks():
            if isinstance(item, ArtifactItem):
                place = str(PurePosixPath(item.path).parent)
                self.client.log_artifact(item.run_id, str(self.spool.artifacts / item.path), place)
            elif isinstance(item, TagItem):
                self.client.set_tag(item.run_id, item.key, item.value)
            elif isinstance(item, VersionTagItem):
                self.client.set_model_version_tag(item.name, item.version, item.key, item.value)
            elif isinstance(item, VersionTextItem):
                self.client.update_model_version(item.name, item.version, item.text)
        return {}

    def ledger(self, item: LedgerItem) -> dict[str, Any]:
        """An entry, unless the ledger says the same already; who may not write there is told, and the rest goes on."""
        from mlflow.exceptions import MlflowException

        from synthml_tracking.ledger import Ledger

        ledger = Ledger(self.client)
        try:
            return {"written": ledger.write(item)}
        except MlflowException as error:
            if error.error_code != "PERMISSION_DENIED":
                raise
            warnings.warn(
                f"no leave to write to the ledger, experiment '{ledger.name}': how the tables descend is not recorded there",
                UserWarning,
                stacklevel=2,
            )
            return {"written": False}

    def registered_model(self) -> dict[str, Any]:
        """The name that the version stands under; usually it is there already."""
        from mlflow.exceptions import MlflowException

        (item,) = self.of(VersionItem)
        try:
            self.client.create_registered_model(item.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return {}

    def version(self) -> dict[str, Any]:
        """The version, tags and description in one call. After a cut it may exist: it carries the spool's name in a tag."""
        (item,) = self.of(VersionItem)
        if self.again:
            quoted = item.name.replace("'", "''")
            marked = f"name = '{quoted}' AND tags.`{SPOOL_TAG}` = '{self.spool.folder.name}'"
            found = self.client.search_model_versions(marked)
            if found:
                return {"name": item.name, "version": str(found[0].version)}
        version = self.client.create_model_version(
            item.name,
            source=f"models:/{self.target.model_id}",
            run_id=self.target.run_id,
            tags={**item.tags, SPOOL_TAG: self.spool.folder.name},
            description=item.description,
            await_creation_for=0,
            model_id=self.target.model_id,
        )
        return {"name": item.name, "version": str(version.version)}

    def model_versions(self) -> dict[str, Any]:
        """The list of versions that MLflow's page of the model shows; repeating it changes nothing."""
        known = json.loads(self.client.get_logged_model(self.target.model_id).tags.get(MODEL_VERSIONS_TAG) or "[]")
        made = {"name": self.done["version"]["name"], "version": int(self.done["version"]["version"])}
        if all((one["name"], int(one["version"])) != (made["name"], made["version"]) for one in known):
            self.client.set_logged_model_tags(self.target.model_id, {MODEL_VERSIONS_TAG: json.dumps([*known, made])})
        return {}

    def end(self) -> dict[str, Any]:
        """Close the run."""
        (item,) = self.of(EndItem)
        self.client.set_terminated(self.target.run_id, status=item.status)
        return {}


def _dataset(item: DatasetItem) -> Any:
    """MLflow's entity: no path, no row; the digest cut to what its field holds, in full in source and profile."""
    from mlflow.entities import Dataset

    columns = [{"name": name, "type": kind, "required": False} for name, kind in item.columns.items()]
    return Dataset(
        name=item.name,
        digest=short_digest(item.digest),
        source_type="code",
        source=json.dumps({"tags": {"mlflow.source.name": "synthml.Study", "synthml.digest": item.digest}}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps(item.profile),
    )
