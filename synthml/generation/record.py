"""The fields of the record, its document and its public view."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from synthml.errors import Problem, StudyError

__all__ = ["SCHEMA_VERSION", "GenerationRecord"]

SCHEMA_VERSION = "1"
Number = int | float


class _Part(BaseModel):
    """Strict, so that nothing is turned into something else; open, so that nothing is lost."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class Limitations(_Part):
    """What is known to be wrong with the source."""

    missingness: str | None = None
    labels: str | None = None  # how the labels were made
    label_error: str | Number | None = None
    bias: str | None = None
    group_rows: dict[str, int] | None = None


class Source(_Part):
    """The real rows that the generator learned from."""

    owner: str | None = None
    site: str | None = None
    period: str | None = None
    n: int | None = None
    subjects: int | None = None
    lawful_basis: str | None = None
    ethics_reference: str | None = None
    digest: str | None = None
    limitations: str | list[str] | Limitations | None = None


class Column(_Part):
    """One entry of the data dictionary."""

    name: str
    description: str | None = None
    kind: str | None = None
    unit: str | None = None
    classification: Literal["direct", "quasi", "sensitive", "none"] | None = None


class Preparation(_Part):
    """What was done to the source before the generator saw it."""

    dropped: str | list[str] | None = None
    pseudonymised: str | list[str] | None = None
    outliers: str | None = None
    rare_cells: str | None = None


class Generator(_Part):
    """What made the table."""

    name: str | None = None
    library: str | None = None
    version: str | None = None
    libraries: dict[str, str] | None = None
    parameters: dict[str, Any] | None = None
    seeds: int | list[int] | dict[str, int] | None = None
    training_rows: int | None = None
    conditioning: str | list[str] | dict[str, Any] | None = None


class Privacy(_Part):
    """Differential privacy, when it was used. unit: whose participation is hidden (row, subject, site)."""

    mechanism: str | None = None
    epsilon: Number | None = None
    delta: Number | None = None
    unit: str | None = None
    accountant: str | None = None
    preprocessing_inside: bool | None = None


class Holdout(_Part):
    """The real rows that were kept away from the generator."""

    never_seen: bool | None = None
    split_digest: str | None = None
    rows: int | None = None
    subjects: int | None = None


class Output(_Part):
    """What came out. drawn: number of tables that were drawn; chosen: how this one was chosen among them."""

    n: int | None = None
    rejected_rows: int | None = None
    drawn: int | None = None
    chosen: str | None = None


class GenerationRecord(BaseModel):
    """How a synthetic table was made.

    Every field may be missing; what is there has a type. Law: `GenerationRecord.from_dict(d).to_dict() == d`, fields that this
    version does not know included, so that a document's digest never changes on its way. Raises StudyError.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    schema_version: str = SCHEMA_VERSION
    id: str | None = None
    version: str | None = None
    digest: str | None = None
    created: str | None = None
    label: Literal["synthetic"] | None = None
    synthesis: Literal["full", "partial"] | None = None
    purpose: str | None = None
    supported_uses: list[str] | None = None
    unsupported_uses: list[str] | None = None
    recipients: list[str] | None = None
    release_scope: Literal["open", "controlled", "internal"] | None = None
    source: Source | None = None
    dictionary: list[Column] | None = None
    preparation: Preparation | None = None
    generator: Generator | None = None
    privacy: Privacy | None = None
    holdout: Holdout | None = None
    output: Output | None = None
    attacks: list[dict[str, Any]] | None = None
    thresholds: list[dict[str, Any]] | None = None
    residual_risks: str | list[str] | None = None
    controls: str | list[str] | None = None
    agreement: str | None = None
    incident_plan: str | None = None
    approvals: list[dict[str, Any]] | None = None
    decision: str | None = None
    conditions: str | list[str] | None = None
    expiry: str | None = None
    view: Literal["full", "public"] | None = None

    PUBLIC: ClassVar[Mapping[str, Any]] = {
        "schema_version": True, "id": True, "version": True, "digest": True, "created": True, "label": True, "synthesis": True,
        "purpose": True, "supported_uses": True, "unsupported_uses": True, "release_scope": True,
        "source": {
            "period": True, "n": True, "subjects": True, "lawful_basis": True,
            "limitations": {"missingness": True, "labels": True, "label_error": True, "bias": True},
        },
        "dictionary": {"name": True, "description": True, "kind": True, "unit": True, "classification": True},
        "preparation": {"dropped": True, "pseudonymised": True, "outliers": True, "rare_cells": True},
        "generator": {
            "name": True, "library": True, "version": True, "libraries": True, "parameters": "numbers", "training_rows": True,
        },
        "privacy": {
            "mechanism": True, "epsilon": True, "delta": True, "unit": True, "accountant": True, "preprocessing_inside": True,
        },
        "holdout": {"never_seen": True, "rows": True, "subjects": True},
        "output": {"n": True, "rejected_rows": True, "drawn": True, "chosen": True},
        "attacks": True, "thresholds": True, "residual_risks": True, "controls": True,
        "decision": True, "conditions": True, "expiry": True,
    }  # fmt: skip

    def __init__(self, **data: Any) -> None:
        try:
            plain = json.loads(json.dumps(data, allow_nan=False, default=_plain))
        except (TypeError, ValueError) as error:
            raise StudyError(
                [Problem("generation", f"cannot be written as JSON ({error})", "Use text, numbers, lists and maps.")]
            ) from None
        try:
            super().__init__(**plain)
        except ValidationError as error:
            raise StudyError(_problems(error)) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GenerationRecord:
        """Read a record. Raises StudyError: a field of the wrong type, a newer schema_version, or something that is no JSON."""
        if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
            raise StudyError([Problem("generation", "is not a map with text keys", "Write {id: ..., purpose: ...}.")])
        version = data.get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise StudyError(
                [
                    Problem(
                        "generation.schema_version",
                        f"is {version!r}; this synthml reads '{SCHEMA_VERSION}'",
                        "Write it as text, or install a newer synthml.",
                    )
                ]
            )
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """The record as a document: the fields that were given, unknown ones included."""
        return self.model_dump(exclude_unset=True)

    def redacted(self) -> GenerationRecord:
        """The public view: without what points to the source's owner, site, ethics file or digest, without seeds (whoever has one
        can draw the table again), names of people and recipients, counts per group, conditioning, and internal plans. Of the
        parameters only numbers and switches stay. Fields that this version does not know are left out, since nobody judged them.
        """
        return type(self)(**{**_public(self.to_dict(), self.PUBLIC), "view": "public"})

    @classmethod
    def from_synthesizer(cls, synthesizer: object, **known: Any) -> GenerationRecord:
        """The record of a fitted synthesizer, as far as it can tell, with what you know beside it (`known` wins).

        Reads SDV, synthcity and mostlyai by what their objects look like, and any other object by its constructor's parameters;
        none of these libraries is imported. Tables and arrays among the parameters are replaced by their shape.
        """
        from synthml.generation.readers import read_synthesizer

        return cls.from_dict(_merged(read_synthesizer(synthesizer), known))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date):  # YAML makes dates of what looks like one
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _merged(found: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(found)
    for key, value in known.items():
        out[key] = _merged(out[key], value) if isinstance(value, Mapping) and isinstance(out.get(key), Mapping) else value
    return out


def _public(value: Any, allowed: Any) -> Any:
    """What of a document may be shown. allowed: True, a map of what is allowed, or `numbers`."""
    if allowed is True:
        return value
    if isinstance(value, list):
        return [_public(item, allowed) for item in value]
    if not isinstance(value, dict):
        return value if allowed != "numbers" else None
    if allowed == "numbers":
        return {key: item for key, item in value.items() if _harmless(key, item)}
    return {key: _public(item, allowed[key]) for key, item in value.items() if key in allowed}


def _harmless(key: str, value: object) -> bool:
    """A number or a switch whose name does not say that it seeds the draw."""
    if "seed" in key.lower() or "random_state" in key.lower():
        return False
    return value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _problems(error: ValidationError) -> list[Problem]:
    """Pydantic's findings in our words, one per place: its own messages repeat the input."""
    expected: dict[str, list[str]] = {}
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        branches = ("str", "int", "float", "Limitations")  # of a union, which pydantic names in the path
        steps = [str(step) for step in item["loc"] if str(step) not in branches and not (isinstance(step, str) and "[" in step)]
        told = item["msg"].removeprefix("Input should be ").removeprefix("a valid ")
        expected.setdefault(".".join(["generation", *steps]), []).append("" if item["type"] == "missing" else told)
    remedy = "See the fields of the generation record."
    return [
        Problem(
            where, f"has the wrong type: {' or '.join(dict.fromkeys(told))} is expected" if any(told) else "is missing", remedy
        )
        for where, told in expected.items()
    ]
