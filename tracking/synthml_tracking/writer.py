"""The one interpreter of a plan: it writes to MLflow what a spool holds, in the order that keeps a run fast and linked.

inputs -> model -> figures, parameters and tags -> artifacts -> end of run -> version. Each step is noted in the spool's
journal once the store has confirmed it. A step that is written again after a cut looks first for what is there already, so
that resuming adds nothing twice; the first time it does not look, which keeps the calls few.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml_tracking.client import address, load_mlflow, patience
from synthml_tracking.items import short_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml_tracking.spool import Spool

__all__ = ["Recorded", "write"]

_BATCH = 1000
_TAGS = 100
_PARAMS = 100
SPOOL_TAG = "synthml.spool"
Observer = Callable[[str], None]


@dataclass(frozen=True)
class Recorded:
    """What the store holds after writing. version: number of the registered version, when one was asked for."""

    run_id: str
    model_id: str | None = None
    name: str | None = None
    version: str | None = None

    @property
    def model_uri(self) -> str | None:
        """`models:/m-...`."""
        return None if self.model_id is None else f"models:/{self.model_id}"


def write(spool: Spool, *, again: bool = False, observer: Observer = lambda _: None) -> Recorded:
    """Write what the spool's journal does not have yet. again: after a cut, look before writing.

    observer: called with `before <step>` and `after <step>`. Raises TrackingError, which names the spool, on any failure.
    """
    plan = spool.plan
    with patience("recording", spool=str(spool.folder)), address(plan["tracking_uri"]):
        client = load_mlflow().MlflowClient(tracking_uri=plan["tracking_uri"], registry_uri=plan.get("registry_uri"))
        writing = _Writing(client, spool, plan, spool.done(), again)
        for name, step in writing.steps():
            if name in writing.done:
                continue
            observer(f"before {name}")
            result = step()
            spool.record(name, result)
            writing.done[name] = result
            observer(f"after {name}")
    model = writing.done.get("model", {})
    version = writing.done.get("version", {})
    return Recorded(plan["run_id"], model.get("model_id") or plan.get("model_id"), version.get("name"), version.get("version"))


class _Writing:
    """The steps of one plan against one client."""

    def __init__(self, client: Any, spool: Spool, plan: dict[str, Any], done: dict[str, dict[str, Any]], again: bool) -> None:
        self.client, self.spool, self.plan, self.done, self.again = client, spool, plan, done, again
        self.run_id: str = plan["run_id"]

    def steps(self) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        """The steps of this plan, in order; a batch of metrics is a step of its own."""
        if self.plan.get("datasets"):
            yield "inputs", self.inputs
        if self.plan.get("model"):
            yield "model", self.model
            yield "model files", self.model_files
            yield "model output", self.model_output
        for i, batch in enumerate(self.batches()):
            yield f"figures {i}", lambda batch=batch, first=i == 0: self.figures(batch, first)  # type: ignore[misc]
        if self.spool.artifacts.is_dir():
            yield "artifacts", self.artifacts
        for name, tags in self.plan.get("version_tags", {}).items():
            yield f"tags {name}", lambda name=name, tags=tags: self.version_tags(name, tags)  # type: ignore[misc]
        if self.plan.get("end"):
            yield "end", self.end
        if self.plan.get("version"):
            yield "version", self.version

    def inputs(self) -> dict[str, Any]:
        """All datasets in one call; the store itself keeps one input per dataset and run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = []
        for item in self.plan["datasets"]:
            dataset = Dataset(
                name=item["name"],
                digest=short_digest(item["digest"]),
                source_type="synthml",
                source=json.dumps({"digest": item["digest"]}),
                schema=json.dumps({"mlflow_colspec": [{"name": n, "type": kind} for n, kind in item["columns"].items()]}),
                profile=json.dumps(item["profile"]),
            )
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", item["context"])]))
        self.client.log_inputs(self.run_id, inputs)
        return {}

    def model(self) -> dict[str, Any]:
        """Create the LoggedModel. After a cut it may exist: it carries the spool's name in a tag."""
        item = self.plan["model"]
        if self.again:
            found = self.client.search_logged_models(
                [self.plan["experiment_id"]], filter_string=f"tags.`{SPOOL_TAG}` = '{self.spool.folder.name}'"
            )
            if found:
                return {"model_id": found[0].model_id}
        created = self.client.create_logged_model(
            self.plan["experiment_id"],
            name=item["name"],
            source_run_id=self.run_id,
            tags={**item["tags"], SPOOL_TAG: self.spool.folder.name},
            params=item["params"],
            model_type=item["model_type"],
        )
        return {"model_id": created.model_id}

    @property
    def model_id(self) -> str | None:
        """The LoggedModel that figures are linked to: the one just created, or one that stood already."""
        found = self.done.get("model", {}).get("model_id") or self.plan.get("model_id")
        return None if found is None else str(found)

    def model_files(self) -> dict[str, Any]:
        """Upload the folder and declare the model ready; both can be repeated."""
        self.client.log_model_artifacts(self.model_id, str(self.spool.model))
        self.client.finalize_logged_model(self.model_id, "READY")
        return {}

    def model_output(self) -> dict[str, Any]:
        """Link the model to the run."""
        from mlflow.entities import LoggedModelOutput

        if self.again and self.model_id in {m.model_id for m in self.client.get_run(self.run_id).outputs.model_outputs}:
            return {}
        self.client.log_outputs(self.run_id, [LoggedModelOutput(self.model_id, 0)])
        return {}

    def batches(self) -> list[list[dict[str, Any]]]:
        """Metrics in batches; the first leaves room for the parameters and tags that go with it."""
        metrics = self.plan.get("metrics", [])
        first = _BATCH - min(_PARAMS, len(self.plan.get("params", {}))) - min(_TAGS, len(self.plan.get("tags", {})))
        batches = [metrics[:first]]
        batches += [metrics[i : i + _BATCH] for i in range(first, len(metrics), _BATCH)]
        return batches

    def figures(self, batch: list[dict[str, Any]], first: bool) -> dict[str, Any]:
        """One batch of metrics, linked to model and dataset. After a cut, those that arrived are not written again."""
        from mlflow.entities import Metric, Param, RunTag

        names = {short_digest(item["digest"]): item["name"] for item in self.plan.get("datasets", [])}
        names |= self.plan.get("dataset_names", {})
        present = set(self.client.get_run(self.run_id).data.metrics) if self.again and not self.plan.get("repeats") else set()
        if self.again and self.plan.get("repeats"):
            present = self.arrived(batch)
        moment = int(self.plan["timestamp"])
        metrics = []
        for item in batch:
            if item["key"] in present:
                continue
            digest = short_digest(item["dataset"])
            linked = {"dataset_name": names[digest], "dataset_digest": digest} if digest in names else {}
            metrics.append(Metric(item["key"], item["value"], moment, 0, model_id=self.model_id, run_id=self.run_id, **linked))
        params = [Param(k, v) for k, v in self.plan.get("params", {}).items()][:_PARAMS] if first else []
        tags = [RunTag(k, v) for k, v in self.plan.get("tags", {}).items()][:_TAGS] if first else []
        if metrics or params or tags:
            self.client.log_batch(self.run_id, metrics=metrics, params=params, tags=tags)
        return {}

    def arrived(self, batch: list[dict[str, Any]]) -> set[str]:
        """Of figures that were measured before, those that this spool has written already: they carry its time."""
        moment = int(self.plan["timestamp"])
        found = set()
        for item in batch:
            history = self.client.get_metric_history(self.run_id, item["key"])
            if any(metric.timestamp == moment for metric in history):
                found.add(item["key"])
        return found

    def artifacts(self) -> dict[str, Any]:
        """Files are named by content or replaced whole: uploading twice changes nothing."""
        self.client.log_artifacts(self.run_id, str(self.spool.artifacts))
        return {}

    def version_tags(self, name: str, tags: dict[str, str]) -> dict[str, Any]:
        """Tags on a version that stands already."""
        model, _, version = name.rpartition("/")
        for key, value in tags.items():
            self.client.set_model_version_tag(model, version, key, value)
        return {}

    def end(self) -> dict[str, Any]:
        """Close the run with the status that the plan names."""
        self.client.set_terminated(self.run_id, status=self.plan["end"])
        return {}

    def version(self) -> dict[str, Any]:
        """Register. After a cut the version may exist: it carries the spool's name in a tag."""
        from mlflow.exceptions import MlflowException

        item = self.plan["version"]
        name = item["name"]
        if self.again:
            quoted = name.replace("'", "''")
            found = self.client.search_model_versions(f"name = '{quoted}' AND tags.`{SPOOL_TAG}` = '{self.spool.folder.name}'")
            if found:
                return {"name": name, "version": str(found[0].version)}
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self.client.create_model_version(
            name,
            source=f"models:/{self.model_id}",
            run_id=self.run_id,
            tags={**item["tags"], SPOOL_TAG: self.spool.folder.name},
            description=item["description"],
            await_creation_for=0,
            model_id=self.model_id,
        )
        return {"name": name, "version": str(version.version)}


def timestamp() -> int:
    """Milliseconds, the unit of MLflow's metrics."""
    return int(time.time() * 1000)
