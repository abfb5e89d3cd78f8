"""Which columns a study uses, whether every role has them, and what kind each one is.

A study uses the features, the target, the subject, the sensitive columns, the quasi-identifiers, the secrets and what its rules
name; when the schema names no features, that is every column. Source, synthetic and holdout must have the same ones. Only the
synthetic table may lack the subject, for its people do not exist, and sensitive columns that no model uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from synthml.digest import without_digest
from synthml.study.problems import listed
from synthml.study.rules import Misread, columns_in, problem_of
from synthml.study.schema import nearest_word
from synthml.study.tables import NOT_A_COLUMN, natural_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.reading import Reading
    from synthml.study.problems import Problems
    from synthml.study.schema import Kind, Schema

__all__ = ["MAIN", "REAL", "Columns", "check_names", "resolve_columns"]

MAIN = ("source", "synthetic", "holdout")  # the roles that must agree on their columns
REAL = ("source", "holdout")
_TOGETHER = 5  # more missing columns than this are told in one line
_WRITTEN_INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__")


@dataclass
class Columns:
    """What was resolved. features: in table order; kinds: column -> kind; used: role -> columns of its normalised frame."""

    features: tuple[str, ...] = ()
    kinds: dict[str, Kind] = field(default_factory=dict)
    used: dict[str, tuple[str, ...]] = field(default_factory=dict)


def check_names(readings: Mapping[str, Reading], problems: Problems) -> dict[str, pa.Table]:
    """The tables, without columns of which two have one name and without columns that have no digest; empty tables."""
    tables = {}
    for role, reading in readings.items():
        table = reading.arrow
        names = table.schema.names
        if len(set(names)) < len(names):
            for name in dict.fromkeys(name for name in names if names.count(name) > 1):
                places = [str(i) for i, other in enumerate(names) if other == name]
                told = f"{len(places)} columns have this name (columns {', '.join(places)})"
                problems.add(f"{role}.{name}", told, "Rename them, or drop all but one.")
            table = table.select([names.index(name) for name in dict.fromkeys(names)])
        for name in without_digest(table.schema):
            stored = _shortened(str(table.schema.field(name).type))
            told = f"holds {stored}, which is neither number, text, boolean, date nor time"
            problems.add(f"{role}.{name}", told, "Flatten it into plain columns, or drop it.")
            table = table.drop_columns([name])
        if not table.num_columns:
            problems.add(role, "has no column", "Give a table with columns, or leave the role out.")
        elif not table.num_rows:
            problems.add(role, f"has {table.num_columns} columns and 0 rows", "Give a table with rows, or leave the role out.")
        tables[role] = table
    return tables


def resolve_columns(
    schema: Schema,
    tables: Mapping[str, pa.Table],
    index: Mapping[str, Sequence[str]],
    problems: Problems,
    notes: list[str],
    *,
    complete: bool = True,
) -> Columns:
    """Features, kinds and used columns; a problem for each column that is missing, superfluous or of two kinds.

    index: role -> names of pandas index levels, which are no columns. complete: False when a table could not be read, so that a
    column which stands in none of the others is no mistake of the schema.
    """
    have = {role: set(table.schema.names) for role, table in tables.items()}
    known = set().union(*have.values())
    main = [role for role in tables if role in MAIN] or list(tables)
    if complete:
        _check_words(schema, tables, known, index, problems)
        _check_rules(schema, known, problems)
    features = _features(schema, tables, main)
    named = (schema.target, *features, *schema.sensitive, *schema.quasi_identifiers, *schema.secrets)
    wanted = list(
        dict.fromkeys(name for name in (*named, *_in_rules(schema.rules, known)) if name in known and name != schema.subject)
    )
    alone = _extra(schema, main, have, wanted, problems)
    for role in tables:
        _check_presence(schema, role, [name for name in wanted if name not in alone], features, have, main, problems, notes)
    _check_subject(schema, have, problems)
    columns = Columns(features=tuple(name for name in features if name in known and name not in alone))
    _check_written_index(columns.features, problems)
    for name in wanted:
        kind = _kind(name, schema, tables, problems)
        if kind is not None:
            columns.kinds[name] = kind
    subject = None if schema.subject is None else _subject_kind(schema.subject, schema, tables, problems)
    if schema.subject is not None and subject is not None:
        columns.kinds[schema.subject] = subject
    for role, table in tables.items():
        columns.used[role] = tuple(
            name
            for name in table.schema.names
            if name in columns.kinds and not (name == schema.subject and role == "synthetic" and _differs(table, name, subject))
        )
        unused = [name for name in table.schema.names if name not in wanted and name != schema.subject]
        if unused:
            notes.append(f"{role}: columns that the schema does not use are left out: {listed(unused)}.")
    return columns


def _check_words(
    schema: Schema,
    tables: Mapping[str, pa.Table],
    known: set[str],
    index: Mapping[str, Sequence[str]],
    problems: Problems,
) -> None:
    """Columns that the schema names and no table has."""
    for name, setting in schema.mentioned().items():
        if name in known or (setting == "subject" and set(tables) == {"synthetic"}):
            continue  # who holds only the synthetic table has no subjects
        inside = sorted(role for role, names in index.items() if name in names)
        remedy = nearest_word(name, sorted(known)) if len(known) <= 40 else _near(name, known)
        if inside:
            remedy = f"It is the index of {', '.join(inside)}, which is no column: call reset_index() first."
        problems.add(f"schema.{setting}", f"column '{name}' stands in none of the tables ({', '.join(tables)})", remedy)


def _check_rules(schema: Schema, known: set[str], problems: Problems) -> None:
    """Columns that a rule names and no table has, or that no rule may name."""
    for rule in schema.rules:
        for name, place in columns_in(rule):
            if name == schema.subject:
                problems.append(problem_of(rule, Misread("names the subject", "A rule is about values, not about ids.", place)))
            elif name not in known:
                remedy = f'{_near(name, known)} A text stands in "quotes".'
                told = Misread(f"names '{name[:40]}', which is a column of no table", remedy, place)
                problems.append(problem_of(rule, told))


def _near(name: str, known: set[str]) -> str:
    told = nearest_word(name, sorted(known))
    return told if told.startswith("Did") else "Check its spelling."


def _features(schema: Schema, tables: Mapping[str, pa.Table], main: Sequence[str]) -> tuple[str, ...]:
    if schema.features is not None:
        return tuple(schema.features)
    union = dict.fromkeys(name for role in main for name in tables[role].schema.names)
    return tuple(name for name in union if name not in (schema.target, schema.subject))


def _in_rules(rules: Sequence[str], known: set[str]) -> list[str]:
    return sorted({name for rule in rules for name, _ in columns_in(rule)} & known)


def _extra(
    schema: Schema, main: Sequence[str], have: Mapping[str, set[str]], wanted: Sequence[str], problems: Problems
) -> set[str]:
    """Columns that only one of several roles has and nobody named: superfluous there, rather than missing everywhere else."""
    if schema.features is not None or len(main) < 2:
        return set()
    named = schema.mentioned()
    alone = set()
    for name in wanted:
        holders = [role for role in main if name in have[role]]
        if len(holders) == 1 and name not in named:
            alone.add(name)
            others = " and ".join(role for role in main if role not in holders)
            remedy = "Drop it, or list under features the columns that a model may use."
            problems.add(f"{holders[0]}.{name}", f"is an extra column: it is not in {others}", remedy)
    return alone


def _check_presence(
    schema: Schema,
    role: str,
    wanted: Sequence[str],
    features: Sequence[str],
    have: Mapping[str, set[str]],
    main: Sequence[str],
    problems: Problems,
    notes: list[str],
) -> None:
    if problems.told(role):
        return  # an empty table lacks everything
    lacking = [name for name in wanted if name not in have[role] and not problems.told(f"{role}.{name}")]
    if role not in main and role == "reference":
        if wanted and len(lacking) == len(wanted):
            problems.add(role, "has no column of the study", "Give a population with the same columns, or leave the role out.")
        elif lacking:
            notes.append(f"reference: has no {listed(lacking)}; comparisons with it leave these out.")
        return
    if role not in main:  # production: what a model needs; outcomes come later
        lacking = [name for name in lacking if name in features]
    elif role == "synthetic":
        needed = (*features, schema.target, *schema.secrets, *schema.quasi_identifiers)
        excused = [name for name in lacking if name not in needed]
        if excused:
            notes.append(f"synthetic: has no {listed(excused)}; how it represents these cannot be told.")
        lacking = [name for name in lacking if name in needed]
    if len(lacking) > _TOGETHER:
        remedy = "Add them, or list under features the columns that a model may use."
        problems.add(role, f"lacks {len(lacking)} columns of the study: {listed(lacking, _TOGETHER)}", remedy)
        return
    for name in lacking:
        others = " and ".join(other for other in have if name in have[other])
        remedy = "Add it, or leave it out of the schema and of the other tables."
        problems.add(f"{role}.{name}", f"the column is missing; it is in {others}", remedy)


def _check_subject(schema: Schema, have: Mapping[str, set[str]], problems: Problems) -> None:
    for role in REAL:
        if (
            schema.subject is not None
            and role in have
            and schema.subject not in have[role]
            and any(schema.subject in h for h in have.values())
        ):
            problems.add(
                f"{role}.{schema.subject}", "the subject column is missing", "Add it: without it nothing tells whose row it is."
            )


def _check_written_index(features: Sequence[str], problems: Problems) -> None:
    """A row number that was written with the table is learned from, and never met again."""
    for name in features:
        if _WRITTEN_INDEX.fullmatch(name):
            remedy = "Write tables without it (index=False), or leave it out under features."
            problems.add(f"features.{name}", "is a row number that was written with the table", remedy)


def _stored(name: str, tables: Mapping[str, pa.Table]) -> dict[str, pa.DataType]:
    return {role: table.schema.field(name).type for role, table in tables.items() if name in table.schema.names}


def _kind(name: str, schema: Schema, tables: Mapping[str, pa.Table], problems: Problems) -> Kind | None:
    """The declared kind, else the one on which all roles agree; None with a problem when they do not."""
    stored = _stored(name, tables)
    natural = {role: natural_kind(t) for role, t in stored.items()}
    bad = [role for role, kind in natural.items() if kind == NOT_A_COLUMN]
    for role in bad:
        told = f"holds {_shortened(str(stored[role]))}, which is neither number, text, boolean nor date"
        problems.add(f"{role}.{name}", told, "Convert it (a duration to days, a time to hours), or leave it out of features.")
    if bad:
        return None
    declared = schema.kinds.get(name)
    kinds = {kind for kind in natural.values() if kind is not None}
    if declared == "datetime" or (declared is None and kinds == {"datetime"}):
        _check_zones(name, stored, problems)
    if declared is not None:
        return declared
    if len(kinds) <= 1:  # a column without any value anywhere is told as all null
        return cast("Kind", kinds.pop() if kinds else "numeric")
    if kinds == {"boolean", "numeric"}:
        return "boolean"  # 0 and 1 beside False and True; any other number is a problem when values are looked at
    coded = all(kind != "categorical" or _codes_numbers(stored[role]) for role, kind in natural.items())
    if kinds == {"categorical", "numeric"} and coded:
        return "categorical"  # pandas' Categorical of numbers beside plain numbers: the same labels
    held = {role: kind for role, kind in natural.items() if kind is not None}
    told = ", ".join(f"{kind} in {role}" for role, kind in held.items())
    odd = min(held, key=lambda role: list(held.values()).count(held[role]))
    remedy = f"Store it alike everywhere, or declare it: kinds: {{{name}: categorical}} or {{{name}: numeric}}."
    problems.add(f"{odd}.{name}", f"the kinds of the column disagree: {told}", remedy)
    return None


def _subject_kind(name: str, schema: Schema, tables: Mapping[str, pa.Table], problems: Problems) -> Kind | None:
    """The subject's kind over the real roles; who stands in the synthetic table is nobody, whatever form the ids have."""
    real = {role: table for role, table in tables.items() if role != "synthetic" and name in table.schema.names}
    held = real or {role: table for role, table in tables.items() if name in table.schema.names}
    return _kind(name, schema, held, problems) if held else None


def _differs(table: pa.Table, name: str, kind: Kind | None) -> bool:
    return natural_kind(table.schema.field(name).type) not in (kind, None)


def _check_zones(name: str, stored: Mapping[str, pa.DataType], problems: Problems) -> None:
    """Times of which some have a zone and others have none cannot be compared; two zones can, as instants."""
    aware = [role for role, t in stored.items() if pa.types.is_timestamp(t) and t.tz is not None]
    naive = [role for role, t in stored.items() if pa.types.is_timestamp(t) and t.tz is None]
    if aware and naive:
        told = f"time zones mix: {' and '.join(aware)} have one, {' and '.join(naive)} have none"
        problems.add(
            f"{naive[0]}.{name}",
            told,
            "Give all tables a zone (dt.tz_localize), or none (dt.tz_convert('UTC').dt.tz_localize(None)).",
        )


def _codes_numbers(t: pa.DataType) -> bool:
    return pa.types.is_dictionary(t) and natural_kind(t.value_type) == "numeric"


def _shortened(stored: str) -> str:
    return stored if len(stored) <= 40 else stored[:40] + "..."
