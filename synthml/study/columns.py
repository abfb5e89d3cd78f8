"""Which columns a study uses, whether every role has them, and what kind each one is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from synthml.errors import Problem
from synthml.study.schema import nearest_word
from synthml.study.tables import NOT_A_COLUMN, natural_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from synthml.reading import Reading
    from synthml.study.schema import Kind, Schema

__all__ = ["MAIN", "REAL", "Columns", "check_names", "resolve_columns"]

MAIN = ("source", "synthetic", "holdout")  # the roles that must agree on their columns
REAL = ("source", "holdout")
_TOGETHER = 5  # more missing columns than this are told in one line


@dataclass
class Columns:
    """What was resolved. features: in table order; used: role -> the columns that its normalised frame holds."""

    features: tuple[str, ...] = ()
    kinds: dict[str, Kind] = field(default_factory=dict)
    used: dict[str, tuple[str, ...]] = field(default_factory=dict)


def check_names(readings: Mapping[str, Reading], problems: list[Problem]) -> dict[str, pa.Table]:
    """Tables without columns that stand twice, which nothing can be said about."""
    tables = {}
    for role, reading in readings.items():
        table = reading.arrow
        names = table.schema.names
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        for name in twice:
            places = [str(i) for i, other in enumerate(names) if other == name]
            problems.append(
                Problem(
                    f"{role}.{name}",
                    f"{len(places)} columns have this name (columns {', '.join(places)})",
                    "Rename or drop all but one.",
                )
            )
        if table.num_rows == 0:
            problems.append(
                Problem(role, f"has {table.num_columns} columns and 0 rows", "Give a table with rows, or leave the role out.")
            )
        tables[role] = table.select([names.index(name) for name in dict.fromkeys(names)]) if twice else table
    return tables


def resolve_columns(
    schema: Schema,
    tables: Mapping[str, pa.Table],
    index: Mapping[str, tuple[str, ...]],
    problems: list[Problem],
    notes: list[str],
) -> Columns:
    """Features, kinds and used columns; a problem for each column that is missing, superfluous or of two kinds."""
    known = {name for table in tables.values() for name in table.schema.names}
    main = [role for role in tables if role in MAIN] or list(tables)
    wrong = _typos(schema, tables, known, index, problems)
    features = _features(schema, tables, main)
    wanted = [
        name
        for name in (schema.target, *features, *schema.sensitive, *schema.quasi_identifiers, *schema.secrets)
        if name in known
    ]
    wanted += [name for name in _in_rules(schema.rules, known) if name not in wanted]
    wanted = list(dict.fromkeys(wanted))
    _presence(schema, tables, main, [name for name in wanted if name not in wrong], features, problems, notes)
    out = Columns(features=tuple(name for name in features if name not in wrong))
    everything = [*wanted, *([schema.subject] if schema.subject in known and schema.subject is not None else [])]
    for name in everything:
        kind = _kind(name, schema, tables, problems)
        if kind is not None:
            out.kinds[name] = kind
    for role, table in tables.items():
        out.used[role] = tuple(name for name in table.schema.names if name in out.kinds)
        unused = [name for name in table.schema.names if name not in everything]
        if unused:
            notes.append(
                f"{role}: {len(unused)} columns that the schema does not use were left out: {', '.join(unused[:8])}{'...' if len(unused) > 8 else ''}."
            )
    return out


def _typos(
    schema: Schema, tables: Mapping[str, pa.Table], known: set[str], index: Mapping[str, tuple[str, ...]], problems: list[Problem]
) -> set[str]:
    """Columns that the schema names and no table has."""
    wrong = set()
    for name, setting in schema.mentioned().items():
        if name in known:
            continue
        wrong.add(name)
        if setting in ("subject",) and set(tables) == {"synthetic"}:
            continue  # the engineer who has only the synthetic table has no patients
        inside = sorted(role for role, names in index.items() if name in names)
        remedy = (
            f"It is the index of {', '.join(inside)}, which is no column: call reset_index() first."
            if inside
            else nearest_word(name, sorted(known))
        )
        problems.append(
            Problem(f"schema.{setting}", f"column '{name}' stands in none of the tables ({', '.join(tables)})", remedy)
        )
    return wrong


def _features(schema: Schema, tables: Mapping[str, pa.Table], main: list[str]) -> tuple[str, ...]:
    if schema.features is not None:
        return tuple(schema.features)
    union = dict.fromkeys(name for role in main for name in tables[role].schema.names)
    return tuple(name for name in union if name not in (schema.target, schema.subject))


def _in_rules(rules: object, known: set[str]) -> list[str]:
    assert isinstance(rules, tuple)
    words = {word for rule in rules for word in re.findall(r"[^\s<>=!()+*/,]+", rule)}
    return [name for name in sorted(known) if name in words]


def _presence(
    schema: Schema,
    tables: Mapping[str, pa.Table],
    main: list[str],
    wanted: list[str],
    features: tuple[str, ...],
    problems: list[Problem],
    notes: list[str],
) -> None:
    have = {role: set(table.schema.names) for role, table in tables.items()}
    for role in tables:
        lacking = [name for name in wanted if name not in have[role]]
        if role == "synthetic" and schema.features is not None:
            lacking = _excused(schema, lacking, features, role, notes)
        if role == "reference" and role not in main:
            if lacking:
                notes.append(f"reference: {len(lacking)} columns of the study are not in it; comparisons with it leave them out.")
            continue
        if role == "production" and role not in main:
            lacking = [name for name in lacking if name in features]
        extra = [name for name in lacking if name in features and schema.features is None and _alone(name, role, main, have)]
        _missing(role, [name for name in lacking if name not in extra], have, problems)
    if schema.features is None:
        for role in main:
            for name in sorted(have[role]):
                if (
                    name in wanted
                    and len(main) > 1
                    and [other for other in main if name in have[other]] == [role]
                    and name not in schema.mentioned()
                ):
                    others = " and ".join(other for other in main if other != role)
                    problems.append(
                        Problem(f"{role}.{name}", f"is an extra column: {others} {'have' if ' and ' in others else 'has'} none of this name",
                                "Drop it, or list under features the columns that a model may use.")
                    )  # fmt: skip
    if schema.subject is not None:
        for role in REAL:
            if role in tables and schema.subject not in have[role] and any(schema.subject in names for names in have.values()):
                problems.append(
                    Problem(
                        f"{role}.{schema.subject}",
                        "the subject column is missing",
                        "Add it: without it nothing tells whose row it is.",
                    )
                )


def _alone(name: str, role: str, main: list[str], have: Mapping[str, set[str]]) -> bool:
    """Whether one role only has this column, so that it is superfluous there rather than missing everywhere else."""
    return role in main and len([other for other in main if name in have[other]]) == 1


def _excused(schema: Schema, lacking: list[str], features: tuple[str, ...], role: str, notes: list[str]) -> list[str]:
    """A sensitive column that no model uses may be missing in the synthetic table: groups are told on real rows."""
    excused = [
        name
        for name in lacking
        if name in schema.sensitive and name not in (*features, *schema.secrets, *schema.quasi_identifiers)
    ]
    if excused:
        notes.append(f"{role}: has no {', '.join(excused)}; how it represents these groups cannot be told.")
    return [name for name in lacking if name not in excused]


def _missing(role: str, lacking: list[str], have: Mapping[str, set[str]], problems: list[Problem]) -> None:
    if len(lacking) > _TOGETHER:
        shown = ", ".join(lacking[:_TOGETHER])
        problems.append(
            Problem(
                role,
                f"lacks {len(lacking)} columns of the study: {shown} and {len(lacking) - _TOGETHER} more",
                "Add them, or list under features those that a model may use.",
            )
        )
        return
    for name in lacking:
        others = " and ".join(other for other in have if name in have[other])
        problems.append(
            Problem(
                f"{role}.{name}",
                f"the column is missing; it stands in {others}",
                "Add it, or leave it out of the schema and the other tables.",
            )
        )


def _kind(name: str, schema: Schema, tables: Mapping[str, pa.Table], problems: list[Problem]) -> Kind | None:
    """The declared kind, else the one on which all roles agree; None with a problem when they do not."""
    natural = {role: natural_kind(table.schema.field(name).type) for role, table in tables.items() if name in table.schema.names}
    for role, kind in natural.items():
        if kind == NOT_A_COLUMN:
            stored = _plain_type(str(tables[role].schema.field(name).type))
            problems.append(
                Problem(
                    f"{role}.{name}",
                    f"holds {stored}, which is neither number, text, boolean nor date",
                    "Convert it, for example a duration to days, or leave it out of features.",
                )
            )
    if NOT_A_COLUMN in natural.values():
        return None
    declared = schema.kinds.get(name)
    if declared is not None:
        return declared
    kinds = {kind for kind in natural.values() if kind is not None}
    if not kinds:
        return "numeric"  # no role has a value: reported as an all-null column
    if len(kinds) == 1:
        return cast("Kind", kinds.pop())
    coded = [
        role
        for role, table in tables.items()
        if role in natural and str(table.schema.field(name).type).startswith("dictionary") and not _of_text(table, name)
    ]
    if kinds == {"categorical", "numeric"} and all(role in coded or natural[role] != "categorical" for role in natural):
        return "categorical"  # pandas' Categorical of numbers beside plain numbers: the same labels
    if kinds == {"boolean", "numeric"}:
        return "boolean"  # 0 and 1 beside False and True; any other number is a problem when values are looked at
    told = ", ".join(f"{kind} in {role}" for role, kind in natural.items() if kind is not None)
    problems.append(
        Problem(
            f"{name}",
            f"its kinds disagree: {told}",
            f"Store it alike everywhere, or declare it: kinds: {{{name}: categorical}} (or numeric).",
        )
    )
    return None


def _of_text(table: pa.Table, name: str) -> bool:
    t = table.schema.field(name).type
    return natural_kind(t.value_type) == "categorical"


def _plain_type(stored: str) -> str:
    return stored if len(stored) <= 40 else stored[:40] + "..."
