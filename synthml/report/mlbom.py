"""The machine learning bill of materials: CycloneDX 1.6 in JSON, through its library, from the evidence.

The library writes components, hashes and dependencies. It has no classes for a model card nor for the data of a component, so
these two are put into its JSON; the tests hold the whole against the library's validator. https://cyclonedx.org/docs/1.6/json/

Digests. Each of the model's files has its own SHA-256. The digest of the whole model is no checksum of a file, and a table's is
of its content, so these stand as properties: as a hash, whoever checks a file against it would find it wrong.

The same input gives the same bytes: the time is passed in, and the serial number comes of the content.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from synthml.errors import MissingExtraError
from synthml.evidence import canonical_json, digest_json
from synthml.figures import ALL
from synthml.report.model_facts import check_verdict
from synthml.report.reading import Reading, standing
from synthml.report.summary import summarise
from synthml.report.wording import count, label, prose, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict
    from synthml.report.model_facts import ModelFacts

__all__ = ["check_installed", "ml_bom"]

_MODEL = "model"
_HEX = re.compile(r"[0-9a-f]{64}")
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:==([A-Za-z0-9.!+_-]+))?(?:\s*;.*)?")
_TASKS = {"binary": "binary classification", "multiclass": "classification", "regression": "regression"}
_OUTPUTS = {"binary": "probability of the outcome", "multiclass": "probability for each class", "regression": "number"}
_STANDING = {
    "within": "within the margin",
    "beyond": "beyond the margin",
    "open": "not decided against the margin",
    "unknown": "",
}


def check_installed() -> None:
    """Raises MissingExtraError when the library is not there: asked before anything is measured or fetched."""
    try:
        import cyclonedx.model.bom  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("cyclonedx-python-lib", "the bill of materials", "pip install 'synthml[bom]'") from error


def ml_bom(dossier: Dossier, model: ModelFacts, verdict: Verdict | None = None, *, made: datetime | None = None) -> bytes:
    """The document. made: when it is made; None leaves the time out.

    Raises InputError when the verdict is about another model, MissingExtraError without the library.
    """
    check_verdict(dossier, verdict)
    check_installed()
    reading = Reading(dossier)
    document = _written(reading, model, verdict, made)
    if made is None:
        document["metadata"].pop("timestamp", None)
    document["metadata"]["component"]["modelCard"] = _model_card(reading, model, verdict)
    data = {_reference(role): _data(reading, role) for role in dossier.datasets}
    for component in document["components"]:
        if component["bom-ref"] in data:
            component["data"] = [data[component["bom-ref"]]]
    document.pop("serialNumber", None)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"https://synthml.dev/bom/{digest_json(document)}")
    return canonical_json({**document, "serialNumber": serial.urn})


# ---- components, by the library ------------------------------------------------------------------------------------------


def _written(reading: Reading, model: ModelFacts, verdict: Verdict | None, made: datetime | None) -> dict[str, Any]:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    subject = Component(
        name=_short(model.name),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=_MODEL,
        version=_short(model.version) or None,
        components=list(_files(model)),
        properties=list(_properties(_facts(reading, model, verdict))),
    )
    tool = Component(
        name="synthml", version=_short(reading.dossier.synthml) or None, type=ComponentType.APPLICATION, bom_ref="tool:synthml"
    )
    tables = [
        Component(
            name=_short(role),
            type=ComponentType.DATA,
            bom_ref=_reference(role),
            properties=list(_properties({"synthml:digest": _short(facts.get("digest"))})),
        )
        for role, facts in reading.dossier.datasets.items()
    ]
    libraries = list(_libraries(model))
    bom = Bom(
        components=[*tables, *libraries],
        metadata=BomMetaData(component=subject, tools=ToolRepository(components=[tool]), timestamp=made),
    )
    bom.register_dependency(subject, [*tables, *libraries])
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document.setdefault("components", [])
    return document


def _files(model: ModelFacts) -> Iterator[Any]:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    for i, (path, digest) in enumerate(sorted(model.files.items())):
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if _HEX.fullmatch(digest) else []
        yield Component(name=label(path, cut=240).shown, type=ComponentType.FILE, bom_ref=f"file:{i}", hashes=hashes)


def _libraries(model: ModelFacts) -> Iterator[Any]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    for name, version in dict.fromkeys(named for line in model.requirements if (named := _requirement(line))):
        url = PackageURL("pypi", None, re.sub(r"[-_.]+", "-", name).lower(), version)
        yield Component(name=name, type=ComponentType.LIBRARY, bom_ref=f"library:{url}", version=version, purl=url)


def _requirement(line: str) -> tuple[str, str | None] | None:
    """Name and version of a line of requirements.txt; None for a line that pins nothing by name, such as an address."""
    found = _PINNED.fullmatch(line.strip())
    return None if found is None else (found[1], found[2])


def _facts(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> dict[str, str]:
    dossier = reading.dossier
    facts = {
        "synthml:digest": _short((dossier.model or {}).get("digest")),
        "synthml:evidence": dossier.digest,
        "synthml:evidence-created": _short(dossier.created),
        "synthml:seed": str(dossier.seed),
        "synthml:release": prose(model.release, cut=400),
        "synthml:recalls": prose(" ".join(model.recalls), cut=1000),
        "synthml:requirements-not-understood": str(sum(_requirement(line) is None for line in model.requirements) or ""),
    }
    if verdict is not None:
        facts |= {
            "synthml:verdict": verdict.outcome,
            "synthml:verdict-decided": _short(verdict.decided),
            "synthml:verdict-policy": _short(verdict.policy),
            "synthml:verdict-policy-digest": _short(verdict.policy_digest),
            "synthml:verdict-evidence": _short(verdict.evidence_digest),
            "synthml:verdict-told": prose(model.verdict, cut=400),
        }
    return facts


def _properties(facts: Mapping[str, str]) -> Iterator[Any]:
    from cyclonedx.model import Property

    yield from (Property(name=name, value=value) for name, value in facts.items() if value)


def _reference(role: str) -> str:
    """Roles are ours, but a document may hold any text."""
    return f"table:{_short(role)}"


# ---- what the library has no classes for ---------------------------------------------------------------------------------


def _data(reading: Reading, role: str) -> dict[str, Any]:
    facts = reading.dossier.datasets[role]
    people = f", {count(facts['subjects'])} people" if facts.get("subjects") else ""
    kind = {
        "synthetic": "Synthetic table",
        "holdout": "Real rows held out",
        "source": "Real rows that the generator learned from",
    }
    size = f"{count(facts.get('rows'))} rows, {count(facts.get('columns'))} columns{people}"
    data: dict[str, Any] = {
        "type": "dataset",
        "name": _short(role),
        "description": f"{kind.get(role, 'Table')}: {size}.",
        "contents": {"properties": [{"name": "synthml:digest", "value": _short(facts.get("digest"))}]},
    }
    sensitive = reading.schema("sensitive")
    if isinstance(sensitive, (list, tuple)) and sensitive:
        data["sensitiveData"] = [_short(name) for name in sensitive]
    return data


def _model_card(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> dict[str, Any]:
    purpose, unsupported = reading.document("purpose"), reading.document("unsupported_uses")
    limits = [*model.recalls, *summarise(reading, verdict).missing]
    if unsupported:
        told = unsupported if isinstance(unsupported, list) else [unsupported]
        limits += [f"Unsupported use of the synthetic table: {text}" for text in told]
    considerations = {
        "useCases": [f"The synthetic table was made for: {prose(purpose, cut=400)}"] if purpose else [],
        "technicalLimitations": [prose(text, cut=600) for text in limits],
        "fairnessAssessments": list(_fairness(reading)),
    }
    return {
        "bom-ref": "model-card",
        "modelParameters": _parameters(reading),
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(reading))},
        "considerations": {name: value for name, value in considerations.items() if value},
    }


def _parameters(reading: Reading) -> dict[str, Any]:
    kinds, features = reading.schema("kinds"), reading.schema("features")
    known = kinds if hasattr(kinds, "get") else {}
    estimator = (reading.dossier.model or {}).get("estimator")
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "task": _TASKS.get(reading.task),
        "modelArchitecture": _short(estimator) or None,
        "datasets": [{"ref": _reference(role)} for role in reading.dossier.datasets],
        "inputs": [
            {"format": f"{_short(name)}: {_short(known.get(name)) or 'kind unknown'}"}
            for name in (features if isinstance(features, (list, tuple)) else ())
        ],
        "outputs": [{"format": _OUTPUTS[reading.task]}] if reading.task in _OUTPUTS else [],
    }
    return {name: value for name, value in parameters.items() if value}


def _metrics(reading: Reading) -> Iterator[dict[str, Any]]:
    """Every figure on real rows, of the model and of its loss, for everyone and for every group that is shown."""
    for of in (ALL, *(group.of for group in reading.shown_groups)):
        for metric in reading.metrics:
            for protocol in ("tstr", "trtr", "loss"):
                figure = reading.utility(metric.name, protocol, of)
                if figure is None or figure.value is None or not figure.ok:
                    continue
                entry: dict[str, Any] = {"type": f"utility.{metric.name}.{protocol}", "value": f"{figure.value:.6g}"}
                if of != ALL:
                    entry["slice"] = reading.group_title(of).shown
                if figure.low is not None and figure.high is not None:
                    entry["confidenceInterval"] = {"lowerBound": f"{figure.low:.6g}", "upperBound": f"{figure.high:.6g}"}
                yield entry


def _fairness(reading: Reading) -> Iterator[dict[str, str]]:
    """What was measured of each group, as the harm to look at; benefits are not for a measurement to claim."""
    metric = reading.headline
    if metric is None:
        return
    for group in reading.groups:
        if group.reason:
            told = f"Not shown: {prose(group.reason, cut=200)}"
        else:
            tstr, loss = (reading.utility(metric.name, protocol, group.of) for protocol in ("tstr", "loss"))
            told = f"{metric.title} {spoken(tstr, digits=metric.digits)} on {count(group.rows)} real rows"
            if loss is not None and loss.value is not None:
                words = _STANDING[standing(loss, reading.margin)]
                told += (
                    f"; loss against training on real rows {spoken(loss, digits=metric.digits)}{', ' + words if words else ''}"
                )
        yield {"groupAtRisk": group.name.shown, "harms": told, "mitigationStrategy": "None is recorded in the evidence."}


def _short(value: object) -> str:
    return "" if value is None else label(value, cut=120).shown
