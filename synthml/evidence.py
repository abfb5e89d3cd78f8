"""Evidence and the dossier that holds it; the canonical document that leaves the process.

Evidence holds aggregates only: figures (Estimates by id) and small tables of scalars, never rows. A dossier is all evidence on
one subject. Its document is canonical JSON (sorted keys, UTF-8, no insignificant space), so equal content has equal digests;
fields that this version does not know survive a round trip, so a digest never changes on the way.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from synthml.errors import EvidenceError
from synthml.estimate import Estimate

__all__ = ["DRAWS", "SCHEMA_VERSION", "Dossier", "Evidence", "canonical_json", "digest_json"]

SCHEMA_VERSION = "1"
DRAWS = "draws"  # the table that holds the figures of further draws
_DRAWN = ("value", "low", "high", "n", "status", "reason")
Row = Mapping[str, Any]


def canonical_json(value: Any) -> bytes:
    """Sorted keys, UTF-8, no insignificant space; refuses NaN and infinity, which JSON has no word for."""
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8")  # half of a surrogate pair, which JSON can spell, is no text
    except ValueError as error:
        raise EvidenceError(f"evidence must be finite numbers, text, lists and maps: {error}") from error


def digest_json(value: Any) -> str:
    """`sha256:<hex>` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def _frozen(mapping: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping or {}))


@dataclass(frozen=True)
class Evidence:
    """One kind of finding. figures by id; tables: name -> rows of scalars; notes: what was left out, and why."""

    kind: str
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dossier:
    """All evidence on one subject (a dataset, or a model).

    datasets: role -> {"digest", "rows", "columns", "subjects"}; model: {"digest", "uri", ...} or None; study: what the columns
    are and which settings held; `extra`: fields of the document that this version does not know. Frozen; `with_*` return copies.
    """

    figures: Mapping[str, Estimate]
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None
    kinds: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    producer: str = "engineer"
    created: str | None = None
    synthml: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("figures", "tables", "datasets", "study", "extra"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))

    def adding(self, evidence: Evidence) -> Dossier:
        """With one more kind of evidence; a kind without any figure was not measured.

        Raises EvidenceError when a figure stands there already.
        """
        twice = sorted(set(self.figures) & set(evidence.figures))
        if twice:
            raise EvidenceError(f"figure {twice[0]} was measured twice")
        return replace(
            self,
            figures={**self.figures, **evidence.figures},
            tables={**self.tables, **evidence.tables},
            kinds=(*self.kinds, evidence.kind) if evidence.figures else self.kinds,
            notes=(*self.notes, *evidence.notes),
        )

    @property
    def synthetic(self) -> str | None:
        """Digest of the synthetic table; None when the evidence names none."""
        digest = (self.datasets.get("synthetic") or {}).get("digest")
        return None if digest is None else str(digest)

    def with_draws(self, others: Iterable[Dossier]) -> Dossier:
        """With the figures of further tables that the same generator made, measured alike; `tables["draws"]` holds them.

        Raises EvidenceError when one of them, or two, is about the same table.
        """
        measured = [(other.synthetic, other) for other in others]
        tables = [self.synthetic, *(table for table, _ in measured)]
        if len(set(tables)) < len(tables):
            raise EvidenceError("two draws are the same table, which tells nothing of how tables of this generator differ")
        rows = [
            {"table": table, "figure": name, **{key: getattr(figure, key) for key in _DRAWN}}
            for table, other in measured
            for name, figure in other.figures.items()
        ]
        return replace(self, tables={**self.tables, DRAWS: (*self.tables.get(DRAWS, ()), *rows)})

    @cached_property
    def draws(self) -> tuple[Mapping[str, Estimate], ...]:
        """The figures of each further draw. Raises EvidenceError for rows that are none."""
        found: dict[str, dict[str, Estimate]] = {}
        try:
            for row in self.tables.get(DRAWS, ()):
                if row["table"] != self.synthetic:
                    figure = Estimate(**{key: row[key] for key in _DRAWN})
                    found.setdefault(str(row["table"]), {})[str(row["figure"])] = figure
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the table of draws is damaged: {error}") from error
        return tuple(found[table] for table in sorted(found))

    def stamped(self, *, created: str, producer: str | None = None) -> Dossier:
        """With the time (ISO 8601, UTC, `Z`) and the role of whoever measured: both are captured at the edge, never here."""
        return replace(self, created=created, producer=producer or self.producer)

    def noting(self, *notes: str) -> Dossier:
        """With further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def with_model(self, digest: str | None, uri: str | None = None, **facts: Any) -> Dossier:
        """With the model that the evidence is about; `facts` are added to what is known of it."""
        model = {**(self.model or {}), **facts, "digest": digest}
        if uri is not None:
            model["uri"] = uri
        return replace(self, model=model)

    def to_dict(self) -> dict[str, Any]:
        """The evidence document."""
        return {
            **self.extra,
            "schema_version": SCHEMA_VERSION,
            "created": self.created,
            "synthml": self.synthml,
            "seed": self.seed,
            "producer": self.producer,
            "kinds": list(self.kinds),
            "notes": list(self.notes),
            "study": dict(self.study),
            "datasets": {role: dict(facts) for role, facts in self.datasets.items()},
            "generation": None if self.generation is None else dict(self.generation),
            "model": None if self.model is None else dict(self.model),
            "figures": {name: figure.to_dict() for name, figure in self.figures.items()},
            "tables": {name: [_plain_row(row) for row in rows] for name, rows in self.tables.items()},
        }

    def to_json(self) -> bytes:
        """Canonical JSON of the document."""
        return canonical_json(self.to_dict())

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the document."""
        return "sha256:" + hashlib.sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, raw: bytes | str) -> Dossier:
        """Read a document. Law: `Dossier.from_json(d.to_json()).to_json() == d.to_json()`. Raises EvidenceError."""
        try:
            data = json.loads(raw)
            text = raw if isinstance(raw, str) else raw.decode("utf-8")
            if "\\ud" in text.lower():
                canonical_json(data)  # so that half a surrogate pair is noticed here
        except (ValueError, RecursionError) as error:
            raise EvidenceError(f"the evidence is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise EvidenceError("the evidence is not a JSON object")
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Dossier:
        """Read a document that is already parsed."""
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise EvidenceError(
                f"the evidence has schema_version {version!r}; this synthml reads {SCHEMA_VERSION!r}. "
                "Install a newer synthml if the document is newer."
            )
        known = {
            "schema_version", "created", "synthml", "seed", "producer", "kinds", "notes",
            "study", "datasets", "generation", "model", "figures", "tables",
        }  # fmt: skip
        try:
            return cls(
                figures={name: Estimate.from_dict(figure) for name, figure in data["figures"].items()},
                tables={name: tuple(rows) for name, rows in data.get("tables", {}).items()},
                datasets=data.get("datasets", {}),
                study=data.get("study", {}),
                generation=data.get("generation"),
                model=data.get("model"),
                kinds=tuple(data.get("kinds", ())),
                notes=tuple(data.get("notes", ())),
                seed=data.get("seed", 0),
                producer=data.get("producer", "engineer"),
                created=data.get("created"),
                synthml=data.get("synthml", ""),
                extra={key: value for key, value in data.items() if key not in known},
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise EvidenceError(f"the evidence document is incomplete: {error}") from error

    def metrics(self) -> dict[str, float]:
        """Every number as an MLflow metric: values, and bounds under `.low` and `.high`. Figures without a value have none."""
        numbers: dict[str, float] = {}
        for name, figure in sorted(self.figures.items()):
            stem, _, of = name.partition("/")
            for bound, number in (("", figure.value), (".low", figure.low), (".high", figure.high)):
                if number is not None:
                    numbers[f"{stem}{bound}/{of}"] = number
        return numbers

    def _repr_html_(self) -> str:
        from synthml.report.notebook import dossier_html

        return dossier_html(self)


def _plain_row(row: Row) -> dict[str, Any]:
    """Scalars only: a table of the evidence is no place for arrays, and a NaN in it is an error upstream."""
    for key, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise EvidenceError(f"a table holds a number that is not finite under '{key}'")
        if not (value is None or isinstance(value, (str, bool, int, float))):
            raise EvidenceError(f"a table holds a {type(value).__name__} under '{key}'; only scalars may stand there")
    return dict(row)
