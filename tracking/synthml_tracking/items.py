"""What is logged, decided by pure code: typed items made from the study's facts, the dossier and the verdict.

Nothing here does I/O or knows MLflow, so what would be logged can be tested without a server. `recording` is the list for a
wrapped run, `evaluation` the one for evidence that is added later, `version` a registration. An item turns into JSON and back,
because a list of items is what the spool keeps; `writer` is the one interpreter.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from securesystemslib.signer import Signer

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict
    from synthml_tracking.attachments import Attachment
    from synthml_tracking.releases import AttachedRelease

__all__ = [
    "ArtifactItem",
    "DatasetItem",
    "EndItem",
    "Item",
    "LedgerItem",
    "MetricItem",
    "ModelInputItem",
    "ModelItem",
    "ParamItem",
    "TagItem",
    "VersionItem",
    "VersionTagItem",
    "VersionTextItem",
    "artifact_files",
    "attaching",
    "datasets",
    "descent",
    "draw",
    "evaluated",
    "evaluation",
    "evidence_key",
    "known",
    "params",
    "recording",
    "short_digest",
    "sweep",
    "version",
]

_VALUE = 500  # characters of a param or tag; MLflow cuts params at 6,000 and tags at 8,000, silently
# the first of these that stands in a figure's name says which table the figure is about; the others are about the holdout
_ABOUT = {
    "production": "production", "holdout_production": "production", "synthetic_holdout": "holdout",
    "source_synthetic": "synthetic",
    "trts": "synthetic", "disclosure": "synthetic", "fidelity": "synthetic",
    "source": "source", "synthetic": "synthetic", "holdout": "holdout", "excess": "synthetic",
}  # fmt: skip
_TYPES = {"numeric": "double", "boolean": "boolean", "categorical": "string", "datetime": "datetime"}


@dataclass(frozen=True)
class DatasetItem:
    """A dataset input. roles: sorted, one table in two roles is one input; columns: name -> MLflow's type.

    profile: flat facts that the UI's dataset drawer shows.
    """

    digest: str
    roles: tuple[str, ...]
    columns: Mapping[str, str]
    profile: Mapping[str, Any]

    @property
    def context(self) -> str:
        """MLflow's context of the input."""
        return ",".join(self.roles)

    @property
    def name(self) -> str:
        """The dataset's name: what it is, since tables of a study have no other."""
        return self.context


@dataclass(frozen=True)
class ModelInputItem:
    """A LoggedModel that was evaluated."""

    model_id: str


@dataclass(frozen=True)
class ModelItem:
    """The model folder of the spool, to be uploaded to the LoggedModel and linked to the run."""

    model_id: str


@dataclass(frozen=True)
class ParamItem:
    """One parameter of the run."""

    key: str
    value: str


@dataclass(frozen=True)
class TagItem:
    """One tag of the run, or of another one."""

    key: str
    value: str
    run_id: str | None = None


@dataclass(frozen=True)
class MetricItem:
    """One number under its figure's id. dataset: digest of the table that it was measured on, or None."""

    key: str
    value: float
    dataset: str | None


@dataclass(frozen=True)
class ArtifactItem:
    """A file of the spool's `artifacts` folder, for the run, or for another one too."""

    path: str
    run_id: str | None = None


@dataclass(frozen=True)
class VersionItem:
    """A version to be registered; tags and description go in when it is made."""

    name: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class VersionTagItem:
    """A tag on a version that stands already."""

    name: str
    version: str
    key: str
    value: str


@dataclass(frozen=True)
class VersionTextItem:
    """The description of a version that stands already."""

    name: str
    version: str
    text: str


@dataclass(frozen=True)
class LedgerItem:
    """An entry of the ledger, as the tags of a run of its own. once: a tag that an entry which says the same would have."""

    once: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class EndItem:
    """The end of the run."""

    status: str


Item = (
    DatasetItem
    | ModelInputItem
    | ModelItem
    | ParamItem
    | TagItem
    | MetricItem
    | ArtifactItem
    | VersionItem
    | VersionTagItem
    | VersionTextItem
    | LedgerItem
    | EndItem
)
_KINDS: dict[str, type[Item]] = {
    "dataset": DatasetItem,
    "model_input": ModelInputItem,
    "model": ModelItem,
    "param": ParamItem,
    "tag": TagItem,
    "metric": MetricItem,
    "artifact": ArtifactItem,
    "version": VersionItem,
    "version_tag": VersionTagItem,
    "version_text": VersionTextItem,
    "ledger": LedgerItem,
    "end": EndItem,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}


def to_dict(item: Item) -> dict[str, Any]:
    """JSON form. Law: `from_dict(to_dict(item)) == item`."""
    return {"item": _WORDS[type(item)], **asdict(item)}


def from_dict(data: Mapping[str, Any]) -> Item:
    """Read an item back. Raises InputError when this version does not know its kind."""
    fields = {key: value for key, value in data.items() if key != "item"}
    if data.get("item") not in _KINDS:
        raise InputError(
            f"the spool holds an item of kind '{data.get('item')}', which this synthml does not know; use a newer one"
        )
    if "roles" in fields:
        fields["roles"] = tuple(fields["roles"])
    return _KINDS[data["item"]](**fields)


def short_digest(digest: str) -> str:
    """The first 32 hex of a `sha256:` or `hmac-sha256:` digest: what fits MLflow's dataset digest, and names tags and files."""
    return digest.rpartition(":")[2][:32]


def evidence_key(dossier: Dossier) -> str:
    """The first 32 hex of the evidence document's own SHA-256: its file name and its tag."""
    return short_digest(dossier.digest)


# ---- the lists ------------------------------------------------------------------------------------------------------------


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
    yield ModelItem(_model_id(dossier))
    yield from params(dossier.study, estimator, dossier.seed)
    yield from _tags(dossier, verdict, tables)
    yield from _release_tags(release)
    yield from (TagItem(one.tag, one.kind) for one in signed)
    yield TagItem("mlflow.note.content", _card(dossier, verdict))
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
    yield ModelInputItem(_model_id(dossier))
    yield from params(dossier.study, None, dossier.seed)
    yield from _tags(dossier, None, tables)
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
    yield from (tag for tag in _tags(dossier, verdict, tables) if bound or tag.key != "synthml.model_digest")
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
    evidence, key = _evidence_path(dossier), f"synthml.ev.{evidence_key(dossier)}"
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
        yield ParamItem(f"synthml.sweep.{key}"[:250], str(value)[:_VALUE])
    yield ParamItem("synthml.sweep.draw", str(number))
    for item in tables:
        yield TagItem(f"synthml.ds.{short_digest(item.digest)}", item.context)
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.verdict", outcome[:_VALUE])
    yield from metrics(dossier)
    yield ArtifactItem(_evidence_path(dossier))
    yield EndItem("FINISHED")


def sweep(
    dossier: Dossier, generator: str, policy: str, outcomes: Mapping[str, str], *, artifacts: Iterable[str]
) -> Iterator[Item]:
    """The whole sweep: its summary, and which settings the policy would pass."""
    yield ParamItem("synthml.sweep.generator", generator[:_VALUE])
    yield ParamItem("synthml.seed", str(dossier.seed))
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.sweep.policy", policy[:_VALUE])
    passing = [name for name, outcome in outcomes.items() if outcome == "pass"]
    yield TagItem("synthml.sweep.passing", ("; ".join(passing) or "none")[:_VALUE])
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
    given = (*_tags(dossier, verdict, datasets(study)), *_release_tags(release), *named)
    tags = {item.key: item.value for item in given}
    return VersionItem(name, _card(dossier, verdict), tags)


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
        _evidence_path(dossier): dossier.to_json(),
        "synthml/report.html": report_html(dossier, verdict).encode("utf-8"),
    }
    if verdict is not None:
        document = json.dumps(verdict.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
        files["synthml/verdict.json"] = document.encode("utf-8")
    files |= {f"synthml/{name}": text.encode("utf-8") for name, text in (pages or {}).items()}
    return {**files, **({} if release is None else release.files), **{one.path: one.raw for one in signed}}


def attaching(signed: Attachment, versions: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """A statement on a model that stands already: for the run that trained it, and each version of it."""
    yield ArtifactItem(signed.path)
    yield TagItem(signed.tag, signed.kind)
    yield from (VersionTagItem(name, number, signed.tag, signed.kind) for name, number in versions)


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
    generator = (dossier.generation or {}).get("generator") or {}
    name = " ".join(str(generator[key]) for key in ("name", "version") if generator.get(key)) or None
    predicate = DerivationPredicate((Material(digests["source"]),), "synthesis", str(dossier.created), name)
    statement = derivation_statement([("synthetic", digests["synthetic"])], predicate)
    return (entry_item(statement.to_json() if signer is None else sign(statement, signer)), *released)


# ---- their parts ----------------------------------------------------------------------------------------------------------


def datasets(study: Study) -> tuple[DatasetItem, ...]:
    """One item a table; tables of equal content are one item with several roles."""
    by_digest: dict[str, list[str]] = {}
    for role in study.roles:
        by_digest.setdefault(study.tables[role].digest, []).append(role)
    return tuple(_dataset(study, digest, tuple(sorted(roles))) for digest, roles in by_digest.items())


def _dataset(study: Study, digest: str, roles: tuple[str, ...]) -> DatasetItem:
    table = study.tables[roles[0]]
    profile: dict[str, Any] = {"role": ",".join(roles), "rows": table.rows, "columns": table.columns, "digest": digest}
    if table.subjects is not None:
        profile["subjects"] = table.subjects
    if "synthetic" in roles and study.generation is not None:
        profile |= _generation_profile(study.generation.redacted().to_dict())
    kinds = study.schema.kinds
    columns = {str(name): _TYPES[kinds.get(str(name), "numeric")] for name in table.frame.columns}
    return DatasetItem(digest, roles, columns, profile)


def _generation_profile(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a reviewer asks of a synthetic table first, flat."""
    generator, privacy = record.get("generator") or {}, record.get("privacy") or {}
    parameters = generator.get("parameters") or {}
    facts = {
        "label": "synthetic",
        "id": record.get("id"),
        "version": record.get("version"),
        "generator": " ".join(str(generator[k]) for k in ("name", "version") if generator.get(k)),
        "min_leaf": parameters.get("min_leaf"),
        "epsilon": privacy.get("epsilon"),
        "delta": privacy.get("delta"),
        "purpose": record.get("purpose"),
        "expiry": record.get("expiry"),
    }
    return {key: value for key, value in facts.items() if isinstance(value, (str, int, float)) and value != ""}


def metrics(dossier: Dossier) -> Iterator[MetricItem]:
    """Every value and bound, each with the digest of the dataset that it was measured on."""
    digests = {role: str(facts["digest"]) for role, facts in dossier.datasets.items() if facts.get("digest")}
    for key, value in dossier.metrics().items():
        yield MetricItem(key, value, digests.get(_about(key)))


def _about(key: str) -> str:
    """The role of the table that a figure is about."""
    parts = key.partition("/")[0].split(".")
    return next((role for word, role in _ABOUT.items() if word in parts), "holdout")


def estimator_name(estimator: object) -> str:
    """The class of an estimator, or the name of a function."""
    if hasattr(estimator, "fit"):
        return type(estimator).__name__
    return str(getattr(estimator, "__name__", type(estimator).__name__))


def params(study: Mapping[str, Any], estimator: object, seed: int) -> tuple[ParamItem, ...]:
    """What was trained and how it was measured; under `synthml.`, so that the user's own names stay free."""
    settings = study.get("settings") or {}
    found: dict[str, Any] = {
        "synthml.seed": seed,
        "synthml.target": study.get("target"),
        "synthml.task": study.get("task"),
        "synthml.features": len(study.get("features") or ()),
    }
    found |= {f"synthml.settings.{k}": v if isinstance(v, (str, int, float)) else json.dumps(v) for k, v in settings.items()}
    if estimator is not None:
        found["synthml.estimator"] = estimator_name(estimator)
    if hasattr(estimator, "get_params"):
        given = estimator.get_params(deep=True)
        found |= {f"synthml.estimator.{k}": v for k, v in sorted(given.items()) if isinstance(v, (str, int, float, bool))}
    return tuple(ParamItem(key[:250], str(value)[:_VALUE]) for key, value in found.items() if value is not None)


def _tags(dossier: Dossier, verdict: Verdict | None, tables: Iterable[DatasetItem]) -> Iterator[TagItem]:
    """Tags of run and version alike: one per dataset, one for the evidence document, the model's digest, the verdict."""
    for item in tables:
        yield TagItem(f"synthml.ds.{short_digest(item.digest)}", item.context)
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.model_digest", str((dossier.model or {}).get("digest")))
    if verdict is not None:
        yield TagItem("synthml.verdict", f"{verdict.outcome} under {verdict.policy}"[:_VALUE])


def _release_tags(release: AttachedRelease | None) -> Iterator[TagItem]:
    if release is not None:
        yield from (TagItem(key, value) for key, value in release.tags.items())


def _card(dossier: Dossier, verdict: Verdict) -> str:
    from synthml.report.card import reviewer_card

    return reviewer_card(dossier, verdict)


def _evidence_path(dossier: Dossier) -> str:
    return f"synthml/evidence/{evidence_key(dossier)}.json"


def _model_id(dossier: Dossier) -> str:
    uri = str((dossier.model or {}).get("uri") or "")
    if not uri.startswith("models:/m-"):
        raise InputError("the dossier does not say which logged model it is about")
    return uri.removeprefix("models:/")
