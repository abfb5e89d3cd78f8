"""What the columns are: `Schema`, its words and the form it has in a study file.

A constructor does no I/O and sees no table: it checks only its own words. What needs a table is checked by `Study`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from synthml.errors import Problem, StudyError
from synthml.study.rules import syntax_problems
from synthml.study.shares import stated_shares

__all__ = ["KINDS", "ROLES", "TASKS", "Kind", "MinimumCell", "Role", "Schema", "Task", "nearest_word"]

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical", "boolean", "datetime"]
Role = Literal["source", "synthetic", "holdout", "reference", "production"]
TASKS: tuple[str, ...] = get_args(Task)
KINDS: tuple[str, ...] = get_args(Kind)
ROLES: tuple[str, ...] = get_args(Role)


def nearest_word(word: str, words: Sequence[str]) -> str:
    """`Did you mean 'sensitive'?`, or the list of words when none is near."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(words)}."


@dataclass(frozen=True)
class MinimumCell:
    """The smallest group that is reported: `rows` rows of which at least `events` are events and as many are not."""

    rows: int = 100
    events: int = 20


@dataclass(frozen=True)
class Schema:
    """What the columns are.

    target             the column a model predicts
    task               binary, multiclass or regression; inferred from the target when left out
    positive           the class that counts as an event (binary)
    features           columns a model may use; default: every column but target and subject
    sensitive          columns whose groups are measured one by one; `intersections` combine some of them (kept in this order)
    bins               column -> rising edges, at least two; [lo, hi), the last edge included; infinite ends are allowed
    kinds              column -> numeric, categorical, boolean or datetime, where the stored type misleads
    subject            the column that says whose row it is: several rows of one person stay together everywhere
    quasi_identifiers  what an attacker may know; `secrets`: what an attacker may infer (default: the target)
    minimum_cell       smaller groups are insufficient and suppressed
    reference_shares   sensitive column -> group -> known share of the population, such as {sex: {F: 0.51, M: 0.49}}
    rules              statements that hold in every real row, such as `discharge >= admission` (docs/rules.md)
    maximum_groups     a sensitive column with more groups than this is a mistake

    Law: `Schema.from_dict(schema.to_dict()) == schema`. Raises StudyError with every problem of its own words.
    """

    target: str
    task: Task | None = None
    positive: object | None = None
    features: Sequence[str] | None = None
    sensitive: Sequence[str] = ()
    intersections: Sequence[Sequence[str]] = ()
    bins: Mapping[str, Sequence[float]] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    subject: str | None = None
    quasi_identifiers: Sequence[str] = ()
    secrets: Sequence[str] = ()
    minimum_cell: MinimumCell = MinimumCell()
    rules: Sequence[str] = ()
    maximum_groups: int = 30
    reference_shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        for name in ("sensitive", "quasi_identifiers", "secrets", "rules", "features"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _names(given, f"schema.{name}", problems))
        if isinstance(self.intersections, str) or not isinstance(self.intersections, Sequence):
            problems.append(Problem("schema.intersections", "is not a list of lists", "Write [[sex, race]]."))
            object.__setattr__(self, "intersections", ())
        object.__setattr__(
            self, "intersections", tuple(_names(names, "schema.intersections", problems) for names in self.intersections)
        )
        order = {column: i for i, column in enumerate(self.sensitive)}
        ranked = tuple(tuple(sorted(names, key=lambda name: order.get(name, len(order)))) for names in self.intersections)
        object.__setattr__(self, "intersections", ranked)
        object.__setattr__(self, "bins", _bins(self.bins, problems))
        object.__setattr__(self, "kinds", _kinds(self.kinds, problems))
        object.__setattr__(self, "reference_shares", stated_shares(self.reference_shares, problems))
        if isinstance(self.minimum_cell, Mapping):
            object.__setattr__(self, "minimum_cell", _cell(self.minimum_cell, problems))
        item = getattr(self.positive, "item", None)
        if callable(item):  # a NumPy scalar, which no document can hold
            object.__setattr__(self, "positive", item())
        problems += _own_words(self)
        if problems:
            raise StudyError(problems)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """Read the `schema` part of a study file. Raises StudyError; an unknown key names the nearest one."""
        if not isinstance(data, Mapping):
            raise StudyError([Problem("schema", f"is a {type(data).__name__}, not a map", "Write `schema: {target: ...}`.")])
        known = [f.name for f in fields(cls)]
        problems = [
            Problem(f"schema.{key}", "is not a setting of a schema", nearest_word(str(key), known))
            for key in data
            if key not in known
        ]
        if not data.get("target"):
            problems.append(Problem("schema.target", "is missing", "Name the column that the model predicts."))
        settings = {key: value for key, value in data.items() if key in known and value is not None}
        if problems:
            raise StudyError(problems)
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """The form it has in a study file: only what differs from the default, lists and scalars."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if value in (None, (), {}) or (f.name == "maximum_groups" and value == f.default):
                continue
            if isinstance(value, MinimumCell):
                if value != MinimumCell():
                    out[f.name] = {"rows": value.rows, "events": value.events}
            elif isinstance(value, tuple):
                out[f.name] = [list(v) if isinstance(v, tuple) else v for v in value]
            elif isinstance(value, Mapping):
                out[f.name] = {key: _written(v) for key, v in value.items()}
            else:
                out[f.name] = value
        return out

    def mentioned(self) -> dict[str, str]:
        """Every column that the schema names -> the setting that names it first."""
        said: dict[str, str] = {self.target: "target"}
        for name in ("features", "sensitive", "quasi_identifiers", "secrets"):
            for column in getattr(self, name) or ():
                said.setdefault(column, name)
        for columns in self.intersections:
            for column in columns:
                said.setdefault(column, "intersections")
        for column in self.bins:
            said.setdefault(column, "bins")
        for column in self.kinds:
            said.setdefault(column, "kinds")
        if self.subject is not None:
            said.setdefault(self.subject, "subject")
        return said


def _written(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _names(given: object, where: str, problems: list[Problem]) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Sequence):
        problems.append(Problem(where, f"is a {type(given).__name__}, not a list", "Write a list of column names."))
        return ()
    wrong = sum(not isinstance(name, str) or not name for name in given)
    if wrong:
        problems.append(Problem(where, f"{wrong} of {len(given)} entries are not text", "Columns are named by text."))
    names = tuple(name for name in given if isinstance(name, str) and name)
    if len(set(names)) < len(names):
        problems.append(Problem(where, f"{len(names) - len(set(names))} names stand there twice", "Name each once."))
    return names


def _bins(given: object, problems: list[Problem]) -> dict[str, tuple[float, ...]]:
    if not isinstance(given, Mapping):
        problems.append(Problem("schema.bins", "is not a map", "Write {age: [0, 18, 40, 65, 120]}."))
        return {}
    bins: dict[str, tuple[float, ...]] = {}
    for column, edges in given.items():
        where = f"schema.bins.{column}"
        numbers = not isinstance(edges, (str, Mapping)) and all(
            isinstance(edge, (int, float)) and not isinstance(edge, bool) and not math.isnan(edge)
            for edge in (list(edges) if hasattr(edges, "__iter__") else [None])
        )
        if not numbers or len(list(edges)) < 2:
            problems.append(Problem(where, "needs at least two edges that are numbers", "Write [0, 18, 40, 65, 120]."))
            continue
        bins[column] = tuple(edges)
        if any(lo >= hi for lo, hi in zip(bins[column], bins[column][1:], strict=False)):
            problems.append(Problem(where, "the edges do not rise", "Write them from small to large, each once."))
    return bins


def _kinds(given: object, problems: list[Problem]) -> dict[str, str]:
    if not isinstance(given, Mapping):
        problems.append(Problem("schema.kinds", "is not a map", "Write {zip: categorical}."))
        return {}
    for column, kind in given.items():
        if kind not in KINDS:
            problems.append(Problem(f"schema.kinds.{column}", f"'{kind}' is not a kind", nearest_word(str(kind), KINDS)))
    return dict(given)


def _cell(given: Mapping[str, Any], problems: list[Problem]) -> MinimumCell:
    if not set(given) <= {"rows", "events"}:
        problems.append(Problem("schema.minimum_cell", "has settings that are unknown", "Write {rows: 100, events: 20}."))
        return MinimumCell()
    return MinimumCell(**given)


_NOT_THE_SUBJECT = {
    "sensitive": "Groups of one person each are not groups.",
    "quasi_identifiers": "The subject identifies by itself; name what an attacker may know beside it.",
    "secrets": "The subject says whose row it is; name what an attacker may infer.",
}


def _own_words(schema: Schema) -> list[Problem]:
    problems: list[Problem] = []

    def wrong(where: str, what: str, remedy: str) -> None:
        problems.append(Problem(f"schema.{where}", what, remedy))

    if not isinstance(schema.target, str) or not schema.target:
        wrong("target", "is not the name of a column", "Name the column that the model predicts.")
    if schema.task is not None and schema.task not in TASKS:
        wrong("task", f"'{schema.task}' is not a task", nearest_word(str(schema.task), TASKS))
    if schema.positive is not None and schema.task in ("multiclass", "regression"):
        wrong("positive", f"has no meaning for {schema.task}", "Leave it out, or say task: binary.")
    if schema.positive is not None and not isinstance(schema.positive, (str, bool, int, float)):
        wrong("positive", f"is a {type(schema.positive).__name__}", "Write the label: a number, a text, true or false.")
    if schema.subject is not None and (not isinstance(schema.subject, str) or not schema.subject):
        wrong("subject", "is not the name of a column", "Name the column that says whose row it is.")
    if schema.subject == schema.target:
        wrong("subject", "is the target", "The subject says whose row it is; the target is what is predicted.")
    if schema.features is not None:
        if not schema.features:
            wrong("features", "is empty", "Name at least one column, or leave `features` out to use all.")
        if schema.target in schema.features:
            wrong("features", "contain the target", "Leave the target out: a model that sees it proves nothing.")
        if schema.subject in schema.features:
            wrong("features", "contain the subject", "Leave the subject out: it identifies a person.")
    for name, why in _NOT_THE_SUBJECT.items():
        if schema.subject is not None and schema.subject in getattr(schema, name):
            wrong(name, "contain the subject", why)
    if len(set(schema.intersections)) < len(schema.intersections):
        wrong("intersections", "an intersection stands there twice", "Name each once, whatever the order of its columns.")
    for columns in schema.intersections:
        if len(columns) < 2:
            wrong("intersections", "an intersection has fewer than two columns", "Write [[sex, race]].")
        unknown = [column for column in columns if column not in schema.sensitive]
        if unknown:
            wrong("intersections", f"{', '.join(unknown)} not among `sensitive`", "List every column of it there too.")
    for column in schema.reference_shares:
        if column not in schema.sensitive:
            wrong(f"reference_shares.{column}", "is not among `sensitive`", "List the column there too, or leave its shares out.")
    cell = schema.minimum_cell
    if not isinstance(cell, MinimumCell) or not all(
        isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in (cell.rows, cell.events)
    ):
        wrong("minimum_cell", "is not two whole numbers", "Write {rows: 100, events: 20}.")
    groups = schema.maximum_groups
    if not isinstance(groups, int) or isinstance(groups, bool) or groups < 2:
        wrong("maximum_groups", "is not a whole number of at least 2", "The default is 30.")
    return [*problems, *syntax_problems(schema.rules)]
