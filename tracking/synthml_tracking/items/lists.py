"""The lists: what a wrapped run, an evaluation, a sweep and a registration log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synthml.lineage import generator_name
from synthml_tracking.items.kinds import (
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
    short_digest,
)
from synthml_tracking.items.parts import (
    VALUE,
    card,
    common_tags,
    datasets,
    evidence_key,
    evidence_path,
    metrics,
    model_id,
    params,
    release_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from securesystemslib.signer import Signer

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.releases import AttachedRelease

__all__ = [
    "artifact_files",
    "attaching",
    "descent",
    "draw",
    "evaluated",
    "evaluation",
    "known",
    "recording",
    "sweep",
    "version",
]


def known(study: Study, estimator: object, *, seed: int, error: str | None, status: str) -> Iterator[Item]:
    """What is known of a run that measured nothing. error: class of what went wrong; its words may hold a value."""
    yield from datasets(study)
    yield from params(study.summary(), estimator, seed)
    if error is not None:
        yield TagItem("synthml.error", error)
    yield EndItem(status)


def recording(
    study: Study,
    dossier: Dossier,
    verdict: Verdict,
    estimator: object,
    *,
    artifacts: Iterable[str],
    release: AttachedRelease | None = None,
    signed: Sequence[Attachment] = (),
    ledger: Sequence[LedgerItem] = (),
) -> Iterator[Item]:
    """Everything that a wrapped run logs. artifacts: paths of its files, those of `signed` among them.

    signed: statements that go with it, besides the release; ledger: how its tables descend. Raises InputError when the dossier
    has no model URI.
    """
    tables = datasets(study)
    yield from tables
    yield ModelItem(model_id(dossier))
    yield from params(dossier.study, estimator, dossier.seed)
    yield from common_tags(dossier, verdict, tables)
    yield from release_tags(release)
    yield from (TagItem(one.tag, one.kind) for one in signed)
    yield TagItem("mlflow.note.content", card(dossier, verdict))
    yield from metrics(dossier)
    yield from (ArtifactItem(path) for path in artifacts)
    yield from ledger
    yield EndItem("FINISHED")


def evaluation(
    study: Study,
    dossier: Dossier,
    *,
    artifacts: Iterable[str],
    source_run: str | None,
    versions: Mapping[tuple[str, str], Mapping[str, str]],
    signed: Sequence[Attachment] = (),
    ledger: Sequence[LedgerItem] = (),
) -> Iterator[Item]:
    """Evidence on a model that was logged before: a run of its own, and a mark on the model's run and on each version.

    versions: (name, number) -> the tags that it has. A table's roles are added to those that it had: one that was a source and is
    now a holdout is both, and must be seen as both.
    """
    tables = datasets(study)
    yield from tables
    yield ModelInputItem(model_id(dossier))
    yield from params(dossier.study, None, dossier.seed)
    yield from common_tags(dossier, None, tables)
    yield from metrics(dossier)
    yield from (ArtifactItem(path) for path in artifacts)
    yield from _marks(dossier, tables, source_run, versions, signed)
    yield from ledger
    yield EndItem("FINISHED")


def evaluated(
    study: Study,
    dossier: Dossier,
    verdict: Verdict | None,
    *,
    artifacts: Iterable[str],
    source_run: str | None,
    versions: Mapping[tuple[str, str], Mapping[str, str]],
    logged_by_mlflow: Iterable[str],
) -> Iterator[Item]:
    """What MLflow's own `evaluate` leaves to an evaluator. The run is the user's: it gets no parameter and no end from here."""
    tables, theirs = datasets(study), frozenset(logged_by_mlflow)
    yield from tables
    bound = (dossier.model or {}).get("digest") is not None
    yield from (tag for tag in common_tags(dossier, verdict, tables) if bound or tag.key != "synthml.model_digest")
    yield from (item for item in metrics(dossier) if item.key not in theirs)
    yield from (ArtifactItem(path) for path in artifacts)
    yield from _marks(dossier, tables, source_run, versions)


def _marks(
    dossier: Dossier,
    tables: Iterable[DatasetItem],
    source_run: str | None,
    versions: Mapping[tuple[str, str], Mapping[str, str]],
    signed: Sequence[Attachment] = (),
) -> Iterator[Item]:
    """The evidence, added to the run that trained the model and told to each version, whose roles of a table are kept."""
    evidence, key = evidence_path(dossier), f"synthml.ev.{evidence_key(dossier)}"
    if source_run is not None:
        yield ArtifactItem(evidence, source_run)
        yield TagItem(key, dossier.producer, source_run)
        for one in signed:
            yield ArtifactItem(one.path, source_run)
            yield TagItem(one.tag, one.kind, source_run)
    for (name, number), held in versions.items():
        yield VersionTagItem(name, number, key, dossier.producer)
        yield from (VersionTagItem(name, number, one.tag, one.kind) for one in signed)
        for item in tables:
            tag = f"synthml.ds.{short_digest(item.digest)}"
            roles = {*item.roles, *filter(None, held.get(tag, "").split(","))}
            yield VersionTagItem(name, number, tag, ",".join(sorted(roles)))


def draw(study: Study, dossier: Dossier, setting: Mapping[str, Any], number: int, outcome: str) -> Iterator[Item]:
    """One draw of a sweep: its tables, the setting, every figure and the evidence."""
    tables = datasets(study)
    yield from tables
    yield from params(dossier.study, None, dossier.seed)
    for key, value in setting.items():
        yield ParamItem(f"synthml.sweep.{key}"[:250], str(value)[:VALUE])
    yield ParamItem("synthml.sweep.draw", str(number))
    for item in tables:
        yield TagItem(f"synthml.ds.{short_digest(item.digest)}", item.context)
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.verdict", outcome[:VALUE])
    yield from metrics(dossier)
    yield ArtifactItem(evidence_path(dossier))
    yield EndItem("FINISHED")


def sweep(
    dossier: Dossier, generator: str, policy: str, outcomes: Mapping[str, str], *, artifacts: Iterable[str]
) -> Iterator[Item]:
    """The whole sweep: its summary, and which settings the policy would pass."""
    yield ParamItem("synthml.sweep.generator", generator[:VALUE])
    yield ParamItem("synthml.seed", str(dossier.seed))
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.sweep.policy", policy[:VALUE])
    passing = [name for name, outcome in outcomes.items() if outcome == "pass"]
    yield TagItem("synthml.sweep.passing", ("; ".join(passing) or "none")[:VALUE])
    for key, value in dossier.metrics().items():
        yield MetricItem(key, value, None)
    yield from (ArtifactItem(path) for path in artifacts)
    yield EndItem("FINISHED")


def version(
    name: str,
    study: Study,
    dossier: Dossier,
    verdict: Verdict,
    release: AttachedRelease | None = None,
    signed: Sequence[Attachment] = (),
) -> VersionItem:
    """A registration: the reviewer's card as the description, and the tags that lineage and gates search."""
    named = (TagItem(one.tag, one.kind) for one in signed)
    given = (*common_tags(dossier, verdict, datasets(study)), *release_tags(release), *named)
    tags = {item.key: item.value for item in given}
    return VersionItem(name, card(dossier, verdict), tags)


def artifact_files(
    dossier: Dossier,
    verdict: Verdict | None,
    release: AttachedRelease | None = None,
    signed: Sequence[Attachment] = (),
    pages: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Path under the run's artifacts -> content. pages: further HTML by file name, such as Evidently's."""
    from synthml.report.html import report_html

    files = {
        evidence_path(dossier): dossier.to_json(),
        "synthml/report.html": report_html(dossier, verdict).encode("utf-8"),
    }
    if verdict is not None:
        document = json.dumps(verdict.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
        files["synthml/verdict.json"] = document.encode("utf-8")
    files |= {f"synthml/{name}": text.encode("utf-8") for name, text in (pages or {}).items()}
    return {**files, **({} if release is None else release.files), **{one.path: one.raw for one in signed}}


def attaching(files: Iterable[str], tags: Mapping[str, str], versions: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """What is added to a model that stands already: files and tags for the run that trained it, the tags for each version."""
    yield from (ArtifactItem(path) for path in files)
    yield from (TagItem(key, value) for key, value in tags.items())
    yield from (VersionTagItem(name, number, key, value) for name, number in versions for key, value in tags.items())


def descent(
    study: Study, dossier: Dossier, signer: Signer | None = None, release: AttachedRelease | None = None
) -> tuple[LedgerItem, ...]:
    """That the synthetic table was made from the source, for the ledger: a recall of the source finds whoever uses the table.

    Signed when there is a key; unsigned it counts too, for it can only make a gate stricter. The release says it as well, to
    those who never saw the source.
    """
    from synthml.attestation import DerivationPredicate, Material, derivation_statement, sign
    from synthml_tracking.entries import entry_item

    released = () if release is None else (entry_item(release.raw),)
    digests = {role: study.tables[role].digest for role in ("source", "synthetic") if role in study.roles}
    if len(digests) < 2 or digests["source"] == digests["synthetic"]:
        return released
    name = generator_name(dossier.generation) or None
    predicate = DerivationPredicate((Material(digests["source"]),), "synthesis", str(dossier.created), name)
    statement = derivation_statement([("synthetic", digests["synthetic"])], predicate)
    return (entry_item(statement.to_json() if signer is None else sign(statement, signer)), *released)
