"""What is logged, decided by pure code: typed items, made from a study's facts and a dossier. `writer` writes them.

Nothing here does I/O or knows MLflow, so what would be logged can be tested without a server.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict

__all__ = [
    "DatasetItem",
    "MetricItem",
    "ModelItem",
    "VersionItem",
    "artifacts",
    "datasets",
    "evidence_key",
    "metrics",
    "model_item",
    "params",
    "run_tags",
    "short_digest",
    "version_item",
]

_PARAM = 500
_TAG = 4000
_MEASURED_ON = {"trts": "synthetic"}


def short_digest(digest: str) -> str:
    """The first 32 hex of a `sha256:` or `hmac-sha256:` digest: what fits MLflow's dataset digest, and names tags and files."""
    return digest.rpartition(":")[2][:32]


def evidence_key(dossier: Dossier) -> str:
    """The first 32 hex of the evidence document's own SHA-256: its file name and its tag."""
    return hashlib.sha256(dossier.to_json()).hexdigest()[:32]


@dataclass(frozen=True)
class DatasetItem:
    """A dataset input. roles: sorted; one table in two roles is one input. profile: flat facts that the UI shows."""

    digest: str
    roles: tuple[str, ...]
    columns: Mapping[str, str]
    profile: Mapping[str, Any]

    @property
    def context(self) -> str:
        """MLflow's context: the roles, joined by commas."""
        return ",".join(self.roles)

    @property
    def name(self) -> str:
        """The dataset's name in MLflow."""
        return self.context


@dataclass(frozen=True)
class MetricItem:
    """One number under its figure's id, linked to the dataset that it was measured on."""

    key: str
    value: float
    dataset: str


@dataclass(frozen=True)
class ModelItem:
    """The LoggedModel: its name, type, params and tags."""

    name: str
    model_type: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class VersionItem:
    """A registered version: tags and description go in when it is made."""

    description: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def datasets(study: Study) -> tuple[DatasetItem, ...]:
    """One item a table; tables of equal content are one item with several roles."""
    by_digest: dict[str, list[str]] = {}
    for role in study.roles:
        by_digest.setdefault(study.tables[role].digest, []).append(role)
    return tuple(_dataset(study, digest, tuple(sorted(roles))) for digest, roles in by_digest.items())


def _dataset(study: Study, digest: str, roles: tuple[str, ...]) -> DatasetItem:
    table = study.tables[roles[0]]
    profile: dict[str, Any] = {
        "role": ",".join(roles),
        "rows": table.rows,
        "columns": table.columns,
        "digest_sha256": digest,
    }
    if table.subjects is not None:
        profile["subjects"] = table.subjects
    if "synthetic" in roles and study.generation is not None:
        profile |= _generation_profile(study.generation.redacted().to_dict())
    kinds = study.schema.kinds
    columns = {str(name): kinds.get(str(name), "numeric") for name in table.frame.columns}
    return DatasetItem(digest, roles, columns, profile)


def _generation_profile(record: Mapping[str, Any]) -> dict[str, Any]:
    generator, privacy = record.get("generator") or {}, record.get("privacy") or {}
    facts = {
        "synthetic": "yes",
        "generator": " ".join(str(generator[k]) for k in ("name", "version") if generator.get(k)),
        "min_leaf": (generator.get("parameters") or {}).get("min_leaf"),
        "epsilon": privacy.get("epsilon"),
        "delta": privacy.get("delta"),
        "purpose": record.get("purpose"),
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}


def metrics(dossier: Dossier) -> tuple[MetricItem, ...]:
    """Every value and bound, each with the digest of the dataset that it was measured on."""
    digests = {role: str(facts["digest"]) for role, facts in dossier.datasets.items()}
    items = []
    for key, value in dossier.metrics().items():
        variant = key.partition("/")[0].split(".")
        role = next((_MEASURED_ON[part] for part in variant if part in _MEASURED_ON), "holdout")
        items.append(MetricItem(key, value, digests.get(role, "")))
    return tuple(items)


def params(dossier: Dossier, estimator: object) -> dict[str, str]:
    """What was trained and how it was measured; under `synthml.` so that autolog's own names stay free."""
    settings = dossier.study.get("settings") or {}
    found: dict[str, Any] = {
        "synthml.estimator": type(estimator).__name__ if not callable(estimator) or hasattr(estimator, "fit") else "callable",
        "synthml.seed": dossier.seed,
        "synthml.target": dossier.study.get("target"),
        "synthml.task": dossier.study.get("task"),
        "synthml.threshold_rule": json.dumps(settings.get("threshold")),
        "synthml.features": len(dossier.study.get("features") or ()),
    }
    if hasattr(estimator, "get_params"):
        for name, value in sorted(estimator.get_params(deep=False).items()):
            if value is not None and isinstance(value, (str, int, float, bool)):
                found[f"synthml.estimator.{name}"] = value
    return {key: str(value)[:_PARAM] for key, value in found.items() if value is not None}


def run_tags(dossier: Dossier, verdict: Verdict | None, items: tuple[DatasetItem, ...]) -> dict[str, str]:
    """Tags of run and version alike: one per dataset, one per evidence document, the verdict."""
    tags = {f"synthml.ds.{short_digest(item.digest)}": ",".join(item.roles) for item in items}
    tags[f"synthml.ev.{evidence_key(dossier)}"] = dossier.producer
    if verdict is not None:
        tags["synthml.verdict"] = f"{verdict.outcome} under {verdict.policy}"[:_TAG]
    return tags


def model_item(dossier: Dossier, name: str) -> ModelItem:
    """The LoggedModel of a run."""
    task = dossier.study.get("task")
    facts = dossier.model or {}
    tags = {"synthml.model_digest": str(facts.get("digest")), "synthml.trained_on": "synthetic"}
    threshold = facts.get("threshold")
    found = {} if threshold is None else {"threshold": f"{threshold:.6g}"}
    return ModelItem(name, "regressor" if task == "regression" else "classifier", found, tags)


def artifacts(dossier: Dossier, verdict: Verdict | None) -> dict[str, bytes]:
    """Path under the run's artifacts -> content."""
    from synthml.report import report_html

    files = {
        f"synthml/evidence/{evidence_key(dossier)}.json": dossier.to_json(),
        "synthml/report.html": report_html(dossier, verdict).encode("utf-8"),
    }
    if verdict is not None:
        document = json.dumps(verdict.to_dict(), sort_keys=True, indent=1, ensure_ascii=False)
        files["synthml/verdict.json"] = document.encode("utf-8")
    return files


def version_item(dossier: Dossier, verdict: Verdict | None, items: tuple[DatasetItem, ...]) -> VersionItem:
    """The registered version: the reviewer's card as its description, and the tags that lineage and gates search."""
    from synthml.report import reviewer_card

    tags = run_tags(dossier, verdict, items)
    tags["synthml.model_digest"] = str((dossier.model or {}).get("digest"))
    return VersionItem(reviewer_card(dossier, verdict), tags)
