"""Where it comes from: the tables by digest, the generation record, the settings, the methods, and every figure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.report.charts import Cell, Column, Section, Sheet
from synthml.report.reading import KIND_TITLES
from synthml.report.terms import METRIC_TERMS, PROTOCOLS, metric_term
from synthml.report.wording import clean, count, interval, label, number, prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml.estimate import Estimate
    from synthml.report.reading import Reading

__all__ = [
    "Fact",
    "Family",
    "FigureBlock",
    "dataset_sheet",
    "dictionary_sheet",
    "families",
    "figure_blocks",
    "flattened",
    "generation_facts",
    "methods",
    "model_facts",
    "study_facts",
]

_ROLES = {
    "source": "real rows the generator learned from",
    "synthetic": "rows the model learned from",
    "holdout": "real rows that neither generator nor model saw",
    "reference": "the population",
    "production": "rows seen in use",
}
_CUT = 600
_MOST_FACTS = 120
_MOST_COLUMNS = 200
MOST_FIGURES = 1500


@dataclass(frozen=True)
class Fact:
    """A field and what it says; `mono` for digests and the like."""

    name: str
    value: str
    mono: bool = False


def dataset_sheet(reading: Reading) -> Sheet | None:
    """The tables with role, rows and the whole digest."""
    datasets = reading.dossier.datasets
    roles = [*(role for role in _ROLES if role in datasets), *sorted(set(datasets) - set(_ROLES))]
    if not roles:
        return None
    columns = (
        Column("Table", "label"),
        Column("Rows", "number"),
        Column("Columns", "number"),
        Column("Persons", "number"),
        Column("Digest"),
    )
    rows = tuple(
        (
            Cell(clean(role)[:40], _ROLES.get(role, "")),
            Cell(count(datasets[role].get("rows"))),
            Cell(count(datasets[role].get("columns"))),
            Cell(count(datasets[role].get("subjects"))),
            Cell(label(datasets[role].get("digest") or "—", cut=100).shown, tone="mono"),
        )
        for role in roles
    )
    return Sheet("tables", "The tables behind every figure, by content digest.", columns, (Section("", rows),))


def flattened(data: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Leaves of nested maps with their paths, keys in order. A list of maps counts its entries from 1."""
    for key in sorted(data, key=str):
        value, path = data[key], (*prefix, str(key))
        if isinstance(value, Mapping) and value:
            yield from flattened(value, path)
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
            for place, item in enumerate(value, 1):
                if isinstance(item, Mapping):
                    yield from flattened(item, (*path, str(place)))
                else:
                    yield (*path, str(place)), item
        else:
            yield path, value


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(" × ".join(map(str, i)) if isinstance(i, (list, tuple)) else prose(i, cut=120) for i in value[:40])
        return shown + (f" and {len(value) - 40} more" if len(value) > 40 else "")
    return prose(value, cut=_CUT)


def _facts(data: Mapping[str, Any]) -> tuple[tuple[Fact, ...], tuple[str, ...]]:
    """Fields that say something, and the names of those that are empty."""
    facts, empty = [], []
    for path, value in flattened(data):
        name = " · ".join(label(part.replace("_", " "), cut=60).shown for part in path)
        if value in (None, "", [], {}, ()):
            empty.append(name)
        else:
            text = value if isinstance(value, str) else ""
            facts.append(Fact(name, _told(value), "sha256:" in text))
    return tuple(facts[:_MOST_FACTS]), tuple(empty[:_MOST_FACTS])


_RECORD_ORDER = (
    "id", "version", "created", "label", "synthesis", "purpose", "supported_uses", "unsupported_uses", "recipients",
    "release_scope", "source", "preparation", "generator", "privacy", "holdout", "output", "attacks", "thresholds",
    "residual_risks", "controls", "agreement", "incident_plan", "approvals", "decision", "conditions", "expiry", "digest",
)  # fmt: skip
_RECORD_FORM = ("schema_version", "view", "dictionary")


def generation_facts(reading: Reading) -> tuple[tuple[Fact, ...], tuple[str, ...]]:
    """What the generation record says, in the order of a datasheet, and which of its fields are empty."""
    record = {key: value for key, value in (reading.dossier.generation or {}).items() if key not in _RECORD_FORM}
    order = {key: place for place, key in enumerate(_RECORD_ORDER)}
    keys = sorted(record, key=lambda key: (order.get(key, len(order)), str(key)))
    parts = [_facts({key: record[key]}) for key in keys]
    facts, empty = (tuple(item for part in parts for item in part[i]) for i in (0, 1))
    return facts[:_MOST_FACTS], empty[:_MOST_FACTS]  # type: ignore[return-value]


def dictionary_sheet(reading: Reading) -> Sheet | None:
    """The data dictionary of the generation record."""
    entries = reading.document("dictionary")
    entries = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, (list, tuple)) else []
    if not entries:
        return None
    names = ("name", "description", "kind", "unit", "classification")
    there = [name for name in names if name == "name" or any(entry.get(name) for entry in entries)]
    columns = tuple(Column(name.capitalize(), "label" if name == "name" else "text") for name in there)
    rows = tuple(tuple(Cell(prose(entry.get(name) or "—", cut=200)) for name in there) for entry in entries[:_MOST_COLUMNS])
    more = f" The first {_MOST_COLUMNS} of {len(entries):,}." if len(entries) > _MOST_COLUMNS else ""
    return Sheet("dictionary", f"Columns of the table, by the record.{more}", columns, (Section("", rows),))


def model_facts(reading: Reading) -> tuple[Fact, ...]:
    """What is known of the model."""
    return _facts(reading.dossier.model or {})[0]


def study_facts(reading: Reading) -> tuple[Fact, ...]:
    """What the columns are and which settings held. Kinds of columns stand the other way round: a kind and its columns."""
    study = {key: value for key, value in reading.dossier.study.items() if key != "notes"}
    kinds = study.pop("kinds", None)
    if isinstance(kinds, Mapping):
        by_kind: dict[str, list[str]] = {}
        for column in sorted(kinds):
            by_kind.setdefault(str(kinds[column]), []).append(column)
        study |= {f"{kind} columns": columns for kind, columns in by_kind.items()}
    order = {key: place for place, key in enumerate(_STUDY_ORDER)}
    keys = sorted(study, key=lambda key: (order.get(key, len(order)), key))
    return tuple(fact for key in keys for fact in _facts({key: study[key]})[0])[:_MOST_FACTS]


_STUDY_ORDER = ("target", "task", "positive", "classes", "subject", "features", "sensitive", "intersections", "bins")


def methods(reading: Reading) -> tuple[tuple[str, str], ...]:
    """Each method, and the measures whose intervals it gave. Methods that differ in a number only are one."""
    used: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for name, figures in reading.by_name.items():
        for figure in figures.values():
            if figure.method and figure.value is not None:
                text = _method(name, figure.method)
                texts, measures = used.setdefault(_NUMBER.sub("…", text), ({}, {}))
                texts[text] = None
                measures[_measure_title(name)] = None
    told = [(next(iter(texts)) if len(texts) == 1 else key, ", ".join(sorted(ms))) for key, (texts, ms) in used.items()]
    return tuple(sorted(told))


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def _method(name: str, method: str) -> str:
    """Without the worst group's name and the count of groups, which stand with the figures."""
    if name.endswith(".worst"):
        method = method.partition("; ")[2] or method
    return prose(re.sub(r", over \d+ of \d+ groups$", "", method), cut=300)


def _measure_title(name: str) -> str:
    parts = name.split(".")
    return metric_term(parts[1]).title if len(parts) > 1 and parts[1] in METRIC_TERMS else " ".join(parts).replace("_", " ")


@dataclass(frozen=True)
class FigureBlock:
    """All figures of one name: its id, its title, and rows of (of, value, interval, n, status)."""

    name: str
    title: str
    rows: tuple[tuple[str, str, str, str, str], ...]


def figure_blocks(reading: Reading, *, most: int = MOST_FIGURES) -> tuple[tuple[FigureBlock, ...], int]:
    """Every figure by name, at most `most` of them, and how many are left to evidence.json."""
    blocks, left = [], most
    total = sum(len(figures) for figures in reading.by_name.values())
    # where not all fit, those of fidelity, which stand in the sheets of their chapter, are the first to go
    for name, figures in sorted(reading.by_name.items(), key=lambda item: item[0].startswith("fidelity.")):
        if left <= 0:
            break
        rows = tuple(_figure_row(reading, name, of, figure) for of, figure in list(figures.items())[:left])
        left -= len(rows)
        blocks.append(FigureBlock(name, _figure_title(name), rows))
    return tuple(blocks), max(0, total - most)


def _figure_title(name: str) -> str:
    parts = name.split(".")
    protocol = next((p.short for p in PROTOCOLS if len(parts) > 2 and p.key == parts[2]), "")
    return ", ".join(
        part for part in (_measure_title(name) if len(parts) > 1 and parts[1] in METRIC_TERMS else "", protocol) if part
    )


def _figure_row(reading: Reading, name: str, of: str, figure: Estimate) -> tuple[str, str, str, str, str]:
    parts = name.split(".")
    digits = metric_term(parts[1]).digits if len(parts) > 1 and parts[1] in METRIC_TERMS else None
    status = "" if figure.status == "ok" else figure.status + (f": {prose(figure.reason, cut=80)}" if figure.reason else "")
    value = "" if figure.value is None else number(figure.value, digits=digits)
    return (
        reading.group_title(of, cut=48).shown,
        value,
        interval(figure, digits=digits),
        "" if figure.n is None else count(figure.n),
        status,
    )


@dataclass(frozen=True)
class Family:
    """A kind of evidence that has no chapter of its own: its figures as they are."""

    key: str
    title: str
    blocks: tuple[FigureBlock, ...]


_OWN_CHAPTER = (
    "utility", "disparity", "learners", "explain", "bias", "fidelity", "quality", "drift", "disclosure", "sweep", "privacy_cost",
)  # fmt: skip


def families(reading: Reading) -> tuple[Family, ...]:
    """Families of figures beyond those that the chapters read, so that a new kind of evidence shows without a change here."""
    blocks, _ = figure_blocks(reading)
    found: dict[str, list[FigureBlock]] = {}
    for block in blocks:
        family = block.name.partition(".")[0]
        if family not in _OWN_CHAPTER:
            found.setdefault(family, []).append(block)
    return tuple(Family(key, KIND_TITLES.get(key, key).capitalize(), tuple(each)) for key, each in sorted(found.items()))
