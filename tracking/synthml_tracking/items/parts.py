"""What the lists are made of: tables, figures, parameters and tags, drawn from a study and its dossier."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.lineage import generator_name
from synthml_tracking.items.kinds import DatasetItem, MetricItem, ParamItem, TagItem, short_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict
    from synthml_tracking.releases import AttachedRelease

__all__ = [
    "NOTICE",
    "VALUE",
    "card",
    "common_tags",
    "datasets",
    "estimator_name",
    "evidence_key",
    "evidence_path",
    "metrics",
    "model_id",
    "params",
    "release_tags",
]

NOTICE = 600  # characters of a description that a card leaves free for the notice of a recall
VALUE = 500  # characters of a param or tag; MLflow cuts params at 6,000 and tags at 8,000, silently
# the first of these that stands in a figure's name says which table the figure is about; the others are about the holdout
_ABOUT = {
    "production": "production", "holdout_production": "production", "synthetic_holdout": "holdout",
    "source_synthetic": "synthetic",
    "trts": "synthetic", "disclosure": "synthetic", "fidelity": "synthetic",
    "source": "source", "synthetic": "synthetic", "holdout": "holdout", "excess": "synthetic",
}  # fmt: skip
_TYPES = {"numeric": "double", "boolean": "boolean", "categorical": "string", "datetime": "datetime"}


def evidence_key(dossier: Dossier) -> str:
    """The first 32 hex of the evidence document's own SHA-256: its file name and its tag."""
    return short_digest(dossier.digest)


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
        "generator": generator_name(record),
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
    return tuple(ParamItem(key[:250], str(value)[:VALUE]) for key, value in found.items() if value is not None)


def common_tags(dossier: Dossier, verdict: Verdict | None, tables: Iterable[DatasetItem]) -> Iterator[TagItem]:
    """Tags of run and version alike: one per dataset, one for the evidence document, the model's digest, the verdict."""
    for item in tables:
        yield TagItem(f"synthml.ds.{short_digest(item.digest)}", item.context)
    yield TagItem(f"synthml.ev.{evidence_key(dossier)}", dossier.producer)
    yield TagItem("synthml.model_digest", str((dossier.model or {}).get("digest")))
    if verdict is not None:
        yield TagItem("synthml.verdict", f"{verdict.outcome} under {verdict.policy}"[:VALUE])


def release_tags(release: AttachedRelease | None) -> Iterator[TagItem]:
    """Tags of the release that travels along, when there is one."""
    if release is not None:
        yield from (TagItem(key, value) for key, value in release.tags.items())


def card(dossier: Dossier, verdict: Verdict) -> str:
    """The reviewer's card: the description of run and version, with room left for the notice of a recall."""
    from synthml.report.card import LIMIT, reviewer_card

    return reviewer_card(dossier, verdict, limit=LIMIT - NOTICE)


def evidence_path(dossier: Dossier) -> str:
    """Where the document lies under the run's artifacts."""
    return f"synthml/evidence/{evidence_key(dossier)}.json"


def model_id(dossier: Dossier) -> str:
    """Id of the LoggedModel. Raises InputError when the dossier does not say it."""
    uri = str((dossier.model or {}).get("uri") or "")
    if not uri.startswith("models:/m-"):
        raise InputError("the dossier does not say which logged model it is about")
    return uri.removeprefix("models:/")
