"""Watch a model in use: each production batch becomes one step of a series in the version's own experiment.

What a batch is compared with stands in the evidence of the version (`synthml.monitoring.profile`), so that a scheduler needs the
registry and nothing else. Whoever holds the holdout may give it, for Evidently's comparison of rows; it must be the one that the
evidence names, by digest.

One run for each model, below the run that trained it, found by a tag. A batch is known by its digest: measuring it again changes
nothing and gives the recorded answer. Its step is claimed by a tag before it is recorded, so that two monitors at once take two
steps; a monitor that was cut off leaves a spool as every recording does, and one that starts anew takes up the same step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.version import __version__
from synthml_tracking.client import address, load_mlflow, patience, quiet, tracking_uri_of, without_autolog
from synthml_tracking.clock import iso
from synthml_tracking.clock import now as time_now
from synthml_tracking.documents import dossiers_of
from synthml_tracking.items import (
    ArtifactItem,
    DatasetItem,
    EndItem,
    MetricItem,
    ModelInputItem,
    TagItem,
    VersionTagItem,
    evidence_key,
    short_digest,
)
from synthml_tracking.registry import find
from synthml_tracking.series import BATCH_TAG, PLACE, RecordedBatch, Series
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from synthml import Study
    from synthml.evidence import Dossier, Evidence
    from synthml.monitoring import Batch
    from synthml.policy import Policy, Verdict
    from synthml.study import Schema
    from synthml_tracking.items import Item
    from synthml_tracking.models import LoadedModel

__all__ = ["MonitorResult", "Watched", "monitor"]

_NOTE = 4000
_TYPES = {"numeric": "double", "boolean": "boolean", "categorical": "string", "datetime": "datetime"}


@dataclass(frozen=True)
class MonitorResult:
    """What a batch came to. repeated: it was measured before, and nothing was recorded now; step: its place in the series.

    markdown: the message for a chat or an e-mail; headline: one line of it.
    """

    dossier: Dossier
    verdict: Verdict
    run_id: str
    step: int
    headline: str
    markdown: str
    repeated: bool = False

    @property
    def outcome(self) -> str:
        """`pass` (quiet), `fail` (alert) or `insufficient`."""
        return self.verdict.outcome

    @property
    def exit_code(self) -> int:
        """0, 1 or 3, for schedulers."""
        from synthml.monitoring import EXIT_CODES

        return EXIT_CODES[self.verdict.outcome]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        rows: Sequence[Mapping[str, Any]] = self.dossier.tables.get("production_columns", ())
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "repeated": self.repeated,
            "headline": self.headline,
            "run_id": self.run_id,
            "step": self.step,
            "at": self.dossier.created,
            "batch_digest": self.dossier.datasets["production"]["digest"],
            "evidence_digest": self.dossier.digest,
            "failed": [{"criterion": d.id, "of": d.of, "found": d.found} for d in self.verdict.failed],
            "undecided": [{"criterion": d.id, "of": d.of, "found": d.found} for d in self.verdict.open],
            "findings": [row["finding"] for row in self.dossier.tables.get("batch_checks", ())],
            "columns": [dict(row) for row in rows],
        }


def monitor(
    model_uri: str,
    batch: object,
    *,
    reference: Study | object | None = None,
    policy: Policy | str = "monitor-default",
    at: datetime | None = None,
    again: bool = False,
    tracking_uri: str | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
    observer: Observer = lambda _: None,
) -> MonitorResult:
    """Compare a production batch with what the version was proven on, decide, and record both.

    model_uri: models:/NAME/1, models:/NAME@alias, models:/m-... or runs:/ID/model. batch: a table or its file; with the target
    column, performance is measured where the outcome is known. reference: a study or a table with the very holdout of the
    evidence, for Evidently. at: when the batch is of, by default now; it must have a time zone. again: record a batch of equal
    content a second time.

    Raises InputError for what is no model, batch or policy, for a version without a reference, and for another holdout than the
    evidence's; TrackingError when the server fails, with a spool once the batch is measured.
    """
    from synthml import Policy as PolicyFile

    chosen = policy if not isinstance(policy, str) else PolicyFile.load(policy)
    if at is not None and at.tzinfo is None:
        raise InputError("the time of a batch needs a time zone, such as 2030-01-31T12:00:00Z")
    uri = tracking_uri_of(tracking_uri)
    with address(uri):
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        progress("loading the model and its evidence")
        with patience("loading the model and its evidence"):
            watched = _watched(client, model_uri, uri)
        progress("reading the batch")
        looked_at = _read(watched, batch)
        held = _reference(watched, reference)
        with patience("reading the series"):
            series = Series.find(client, watched)
        key = short_digest(looked_at.digest)
        before = series.batches.get(key)
        if before is not None and before.complete and not again:
            with patience("reading what was recorded"):
                recorded = series.evidence(before)
            if recorded is not None:
                return _repeated(watched, recorded, before, chosen)
        if before is not None and not before.complete and at is None:
            at = before.at  # cut off: the same figures at the same time are one point
        moment = (at or time_now()).replace(microsecond=0)
        dossier, pages = _measured(watched, looked_at, held, seed, progress)
        dossier = dossier.stamped(created=iso(moment), producer="operator")
        verdict = _decided(dossier, chosen, moment)
        progress("recording")
        with patience("claiming a step of the series"):
            run_id, artifact_uri, step = series.claim(key, moment, again=again)
        result = _result(watched, dossier, verdict, run_id, step)
        stamp = f"{moment.astimezone(_utc()):%Y%m%dT%H%M%SZ}-{key[:8]}"
        files = _files(f"{PLACE}/{stamp}", result, pages)
        listed = tuple(_items(watched, looked_at, result, files, f"{PLACE}/{stamp}"))
        milliseconds = int(moment.timestamp() * 1000)
        registry = load_mlflow().get_registry_uri()
        target = Target(
            uri,
            watched.experiment_id,
            run_id,
            milliseconds,
            artifact_uri,
            registry_uri=registry if registry != uri else None,
            step=step,
        )
        spool = Spool.begin()
        spool.seal(Plan(target, listed), files)
        write(spool, observer=observer)
        spool.remove()
    return result


def _utc() -> Any:
    from datetime import UTC

    return UTC


@dataclass(frozen=True)
class Watched:
    """A logged model with the evidence that its batches are held against.

    proven: the latest document about these very files, one with a reference profile if there is any; about: all of them.
    """

    uri: str
    asked: str
    model_id: str
    name: str
    run_id: str | None
    experiment_id: str
    versions: tuple[tuple[str, str], ...]
    loaded: LoadedModel
    proven: Dossier
    about: tuple[Dossier, ...]
    schema: Schema


def _watched(client: Any, model_uri: str, uri: str) -> Watched:
    from synthml.monitoring import TABLE, schema_of
    from synthml_tracking.models import load_predictor

    found = find(client, model_uri)
    model_id, about = found.model_id, dossiers_of(found)
    logged = client.get_logged_model(model_id)
    loaded = load_predictor(f"models:/{model_id}")
    measured = [d for d in about if "utility" in d.kinds and "holdout" in d.datasets]
    if not measured:
        raise InputError(
            f"{model_uri} has no evidence on real rows that is about its files as they stand: measure it first with "
            "`synthml evaluate`"
        )
    proven = max(measured, key=lambda d: (TABLE in d.tables, d.created or "", d.digest))
    return Watched(
        uri,
        model_uri,
        model_id,
        logged.name,
        logged.source_run_id,
        str(logged.experiment_id),
        tuple((one.name, one.number) for one in found.versions),
        loaded,
        proven,
        tuple(about),
        schema_of(proven.study),
    )


def _read(watched: Watched, batch: object) -> Batch:
    from synthml.monitoring import read_batch

    roles: dict[str, list[str]] = {}
    for dossier in watched.about:
        for role, facts in dossier.datasets.items():
            if facts.get("digest") and role not in roles.setdefault(str(facts["digest"]), []):
                roles[str(facts["digest"])].append(role)
    return read_batch(batch, watched.schema, {digest: ",".join(sorted(held)) for digest, held in roles.items()})


def _reference(watched: Watched, reference: object | None) -> Study | None:
    """The holdout's rows, when they are given. Raises InputError when they are not those that the evidence is about."""
    from synthml import Study
    from synthml.monitoring import TABLE

    if reference is None:
        if TABLE not in watched.proven.tables:
            raise InputError(
                f"the evidence of {watched.asked} holds no reference profile: measure it again with `synthml evaluate`, or give "
                "the holdout with --reference"
            )
        return None
    study = reference if isinstance(reference, Study) else Study(watched.schema, holdout=reference)
    if "holdout" not in study.roles:
        raise InputError("the study has no holdout table, which is the reference")
    given = study.tables["holdout"].digest
    known = dict.fromkeys(str(d.datasets["holdout"]["digest"]) for d in watched.about if "holdout" in d.datasets)
    if given not in known:
        raise InputError(
            f"the reference is not the holdout that {watched.asked} was proven on: its digest is {given}, and the evidence names "
            f"{', '.join(known)}"
        )
    return study


def _measured(
    watched: Watched, batch: Batch, held: Study | None, seed: int, progress: Callable[[str], None]
) -> tuple[Dossier, dict[str, str]]:
    from synthml import Dossier as Document
    from synthml.monitoring import Profile, measure_batch, scores_of

    noted = watched.loaded.metadata
    threshold = noted.get("threshold")
    classes = tuple(watched.proven.study.get("classes") or ())
    columns = tuple(noted.get("features") or watched.schema.features or ())
    count = len(classes) or len(getattr(watched.loaded.predictor, "classes_", ())) or 2
    progress("predicting the batch, and comparing it with the reference")
    with without_autolog(), quiet():
        scores, why = scores_of(batch, watched.loaded.predictor, columns, count)
        rows = _profile_rows(watched, held, columns, count)
        found: Evidence = measure_batch(
            batch,
            Profile.from_rows(rows, watched.schema.bins, watched.schema.kinds),
            watched.proven.figures,
            scores,
            why=why,
            threshold=threshold,
            classes=classes,
            seed=seed,
        )
    pages: dict[str, str] = {}
    if held is not None and batch.rows:
        progress("comparing rows by Evidently")
        found, pages = _by_evidently(found, held, batch, seed)
    dossier = Document(
        figures={},
        datasets={**watched.proven.datasets, "production": batch.facts()},
        study=watched.proven.study,
        seed=seed,
        synthml=__version__,
    )
    return dossier.adding(found).with_model(watched.loaded.digest, f"models:/{watched.model_id}", threshold=threshold), pages


def _profile_rows(watched: Watched, held: Study | None, columns: tuple[str, ...], classes: int) -> Sequence[Mapping[str, Any]]:
    """The profile of the evidence; made from the holdout's rows where older evidence has none."""
    from synthml.metrics import Outcome
    from synthml.monitoring import TABLE, reference_profile
    from synthml.utility.protocols import predict

    if TABLE in watched.proven.tables or held is None:
        return watched.proven.tables[TABLE]
    scores = predict(watched.loaded.predictor, held.features("holdout")[list(columns)], str(held.schema.task), classes)
    threshold = watched.loaded.metadata.get("threshold")
    outcome = Outcome(str(held.schema.task), held.target("holdout"), scores, threshold, held.subjects("holdout"))  # type: ignore[arg-type]
    return reference_profile(held, outcome)


def _by_evidently(found: Evidence, held: Study, batch: Batch, seed: int) -> tuple[Evidence, dict[str, str]]:
    from synthml.drift import compare
    from synthml.drift.measure import tellable_labels

    real, schema = held.frame("holdout"), held.schema
    kinds = {name: str(kind) for name, kind in schema.kinds.items() if name in batch.frame.columns and name in real.columns}
    kinds.pop(str(schema.subject), None)
    whose = held.subjects("holdout")
    other = batch.subjects if whose is None or batch.subjects is None else batch.subjects + int(whose.max()) + 1
    compared = compare(
        real,
        batch.frame,
        names=("holdout", "production"),
        kinds=kinds,
        common=tellable_labels(held),
        subjects=(whose, other),
        seed=seed,
    )
    more = replace(
        found,
        figures={**compared.figures, **found.figures},
        tables={**found.tables, **({"drift": compared.rows} if compared.rows else {})},
        notes=(*found.notes, *compared.notes),
    )
    return more, ({"drift.html": compared.html} if compared.html else {})


def _decided(dossier: Dossier, policy: Policy, moment: datetime) -> Verdict:
    from synthml.monitoring import decide_batch

    labelled = any(name.partition("/")[0].endswith(".production") for name in dossier.figures)
    return decide_batch(dossier, policy, now=moment, labelled=labelled)


def _result(
    watched: Watched, dossier: Dossier, verdict: Verdict, run_id: str, step: int, *, repeated: bool = False
) -> MonitorResult:
    from synthml.monitoring import alert_markdown
    from synthml.monitoring.alert import headline

    links = {"run": run_id, "step of the series": str(step)}
    if watched.versions:
        links = {"version": ", ".join(f"models:/{name}/{number}" for name, number in watched.versions), **links}
    if watched.uri.startswith("http"):
        links["page"] = f"{watched.uri}/#/experiments/{watched.experiment_id}/runs/{run_id}"
    text = alert_markdown(dossier, verdict, model=watched.asked, links=links)
    return MonitorResult(dossier, verdict, run_id, step, headline(dossier, verdict, watched.asked), text, repeated)


def _repeated(watched: Watched, dossier: Dossier, before: RecordedBatch, policy: Policy) -> MonitorResult:
    """The recorded figures under the policy that is asked for now."""
    verdict = _decided(dossier, policy, before.at)
    return _result(watched, dossier, verdict, before.run_id, before.step, repeated=True)


# ---- what is recorded -----------------------------------------------------------------------------------------------------


def _files(place: str, result: MonitorResult, pages: Mapping[str, str]) -> dict[str, bytes]:
    verdict = json.dumps(result.verdict.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
    return {
        f"{place}/{evidence_key(result.dossier)}.json": result.dossier.to_json(),
        f"{place}/verdict.json": verdict.encode("utf-8"),
        f"{place}/alert.md": result.markdown.encode("utf-8"),
        **{f"{place}/{name}": text.encode("utf-8") for name, text in pages.items()},
    }


def _items(watched: Watched, batch: Batch, result: MonitorResult, files: Mapping[str, bytes], place: str) -> Iterator[Item]:
    """One step of the series: the table, the model, figures, marks of the run and of each version."""
    key, dossier, verdict = short_digest(batch.digest), result.dossier, result.verdict
    kinds = watched.schema.kinds
    columns = {str(name): _TYPES[kinds.get(str(name), "numeric")] for name in batch.frame.columns}
    facts = {"role": "production", **{k: v for k, v in batch.facts().items() if v is not None}, "step": result.step}
    yield DatasetItem(batch.digest, ("production",), columns, {**facts, "at": dossier.created})
    yield ModelInputItem(watched.model_id)
    told = f"{verdict.outcome} under {verdict.policy}"
    yield TagItem(f"{BATCH_TAG}{key}", f"{result.step} {dossier.created} {verdict.outcome} {evidence_key(dossier)}")
    yield TagItem(f"synthml.ds.{key}", "production")
    yield TagItem("synthml.monitor.last", str(dossier.created))
    yield TagItem("synthml.monitor.outcome", told)
    yield TagItem("mlflow.note.content", result.markdown[:_NOTE])
    for name, value in dossier.metrics().items():
        yield MetricItem(name, value, None)
    yield MetricItem("monitor.failed_criteria/all", float(len(verdict.failed)), None)
    yield MetricItem("monitor.undecided_criteria/all", float(len(verdict.open)), None)
    yield from (ArtifactItem(path) for path in sorted(files))
    for name, number in watched.versions:
        yield VersionTagItem(name, number, "synthml.monitor.last", str(dossier.created))
        yield VersionTagItem(name, number, "synthml.monitor.outcome", told)
        yield VersionTagItem(name, number, "synthml.monitor.run", result.run_id)
    yield EndItem("FINISHED")
