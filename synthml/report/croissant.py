"""The synthetic table for dataset catalogues: Croissant 1.0 JSON-LD of MLCommons, with its terms for responsible AI.

http://mlcommons.org/croissant/1.0 and http://mlcommons.org/croissant/RAI/1.0. Columns, types and digest, never a value and no
statistics of columns. Only `rai:` terms that the specification lists are used; what it has no term for stands in the datasheet.
A digest under a key is no checksum of Croissant's, so it is only in the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthml.evidence import canonical_json
from synthml.lineage import generator_name
from synthml.policy.comparison import worst_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict

__all__ = ["CONTEXT", "croissant_json"]

# the context that the specification's appendix recommends
_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
    "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace",
    "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_TYPES = {"numeric": "sc:Float", "boolean": "sc:Boolean", "categorical": "sc:Text", "datetime": "sc:DateTime"}
_FILE = "synthetic-table"


def croissant_json(
    dossier: Dossier,
    verdicts: Sequence[Verdict],
    columns: Mapping[str, str],
    *,
    file_name: str | None = "synthetic.parquet",
    file_format: str = "application/vnd.apache.parquet",
    file_sha256: str | None = None,
) -> bytes:
    """The document. columns: name -> kind, of the synthetic table. file_name: last part of its path; file_sha256: of its bytes.

    Croissant wants the checksum of every file, and a record set wants a file. So without a file at hand (file_name None) there
    is neither, and the columns stand as schema.org's `variableMeasured`.
    """
    record = dossier.generation or {}
    facts = dossier.datasets.get("synthetic", {})
    digest = str(facts.get("digest") or "")
    name = str(record.get("id") or "synthetic-table")
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": _description(record, facts, verdicts, digest),
        "isLiveDataset": False,
        "keywords": ["synthetic data", "health"],
        "version": str(record.get("version") or "1"),
        **_content(columns, record, file_name, file_format, file_sha256),
        **_responsible(record, dossier),
    }
    if record.get("created") or dossier.created:
        document["datePublished"] = str(dossier.created or record["created"])
    if record.get("created"):
        document["dateCreated"] = str(record["created"])
    # the digest of the content, which is no checksum of the file's bytes: so an identifier, and not `sha256`
    document["identifier"] = digest
    return canonical_json(document)


def _description(record: Mapping[str, Any], facts: Mapping[str, Any], verdicts: Sequence[Verdict], digest: str) -> str:
    purpose = record.get("purpose")
    told = [f"Synthetic table of {facts.get('rows')} rows and {facts.get('columns')} columns, drawn by a generator."]
    if purpose:
        told.append(f"Purpose: {purpose}")
    if verdicts:
        decided = "; ".join(f"{verdict.policy}: {verdict.outcome}" for verdict in verdicts)
        told.append(f"Release decision: {worst_outcome(verdicts)} ({decided}). No claim of compliance with any law.")
    told.append(f"Digest of its content: {digest}.")
    return " ".join(told)


def _content(
    columns: Mapping[str, str], record: Mapping[str, Any], name: str | None, encoding: str, sha256: str | None
) -> dict[str, Any]:
    """The file and what its columns are; of a file that is not at hand the columns alone."""
    if name is None:
        return {"variableMeasured": [{"@type": "sc:PropertyValue", **field} for field in _described(columns, record)]}
    file = {
        "@type": "cr:FileObject",
        "@id": _FILE,
        "name": name,
        "description": "The synthetic table. It is not published with this document.",
        "contentUrl": name,
        "encodingFormat": encoding,
    }
    if sha256 is not None:
        file["sha256"] = sha256
    return {"distribution": [file], "recordSet": [_record_set(columns, record)]}


def _described(columns: Mapping[str, str], record: Mapping[str, Any]) -> list[dict[str, str]]:
    known = {str(entry.get("name")): entry for entry in record.get("dictionary") or () if isinstance(entry, Mapping)}
    told = ((name, known.get(name, {}).get("description")) for name in columns)
    return [{"name": name, "description": str(text)} if text else {"name": name} for name, text in told]


def _record_set(columns: Mapping[str, str], record: Mapping[str, Any]) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows/{i}",
            **described,
            "dataType": _TYPES.get(columns[described["name"]], "sc:Text"),
            "source": {"fileObject": {"@id": _FILE}, "extract": {"column": described["name"]}},
        }
        for i, described in enumerate(_described(columns, record))
    ]
    return {"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}


def _responsible(record: Mapping[str, Any], dossier: Dossier) -> dict[str, Any]:
    """The terms of RAI 1.0 that the record and the evidence can fill."""
    source, preparation = record.get("source") or {}, record.get("preparation") or {}
    limitations = source.get("limitations")
    limits = limitations if isinstance(limitations, Mapping) else {}
    made, output = generator_name(record), record.get("output") or {}
    personal = [*(dossier.study.get("quasi_identifiers") or ()), *(dossier.study.get("secrets") or ())]
    dropped, pseudonymised = preparation.get("dropped"), preparation.get("pseudonymised")
    raw = {"rows": source.get("n"), "people": source.get("subjects"), "period": source.get("period")}
    drawn = f"Drawn from a generator{': ' + made if made else ''}, trained on real rows that are not published."
    attacked = "Synthetic. Columns that describe people and were attacked: " + ", ".join(dict.fromkeys(personal))
    terms: dict[str, Any] = {
        "rai:dataCollection": drawn,
        "rai:dataCollectionType": "Others",
        "rai:dataCollectionRawData": _text(raw),
        "rai:dataCollectionMissingData": _text(limits.get("missingness")),
        "rai:dataPreprocessingProtocol": _text(
            {"dropped": dropped, "outliers": preparation.get("outliers"), "rare cells": preparation.get("rare_cells")}
        ),
        "rai:dataManipulationProtocol": _text({"pseudonymised": pseudonymised, "rejected rows": output.get("rejected_rows")}),
        "rai:dataAnnotationProtocol": _text(limits.get("labels")),
        "rai:dataLimitations": _text({"source": limitations, "unsupported uses": record.get("unsupported_uses")}),
        "rai:dataBiases": _text(limits.get("bias")),
        "rai:dataUseCases": _text({"purpose": record.get("purpose"), "supported uses": record.get("supported_uses")}),
        "rai:personalSensitiveInformation": attacked if personal else "",
        "rai:dataSocialImpact": _text(record.get("residual_risks")),
        "rai:dataReleaseMaintenancePlan": _text({"expiry": record.get("expiry"), "conditions": record.get("conditions")}),
    }
    return {name: value for name, value in terms.items() if value}


def _text(value: Any) -> str:
    """One line of text of anything in the record; empty for what is not there."""
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        parts = [(str(key).replace("_", " "), _text(item)) for key, item in value.items()]
        return "; ".join(f"{key}: {text}" for key, text in parts if text)
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return str(value)
