"""`Study`: the tables, their roles and the schema, checked once, at the door."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.digest import arrow_digest
from synthml.errors import InputError, Problem, StudyError
from synthml.generation import GenerationRecord
from synthml.reading import read_table
from synthml.study.checks import check_classes, check_sizes, check_target, check_values
from synthml.study.columns import REAL, Columns, check_names, resolve_columns
from synthml.study.groups import Grouping, cross, default_bins, group_rows
from synthml.study.schema import ROLES, Schema, Task
from synthml.study.tables import Table, frame_of, label_of, normalise
from synthml.study.target import MAXIMUM_CLASSES, class_codes, classes_of, infer_task, positive_class

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from synthml.reading import Reading

__all__ = ["Study"]

_WITHOUT = {
    "source": "no source: what a real-trained model would do (TRTR), fidelity and disclosure cannot be told",
    "synthetic": "no synthetic: nothing can be trained on it (TSTR)",
    "holdout": "no holdout: nothing is measured on real, unseen rows",
}


class Study:
    """Tables in roles, normalised, with everything that the schema left open filled in.

    source      real rows that the generator learned from       holdout     real rows that neither generator nor model saw
    synthetic   rows that the generator made                    reference, production: a population; rows met in use

    A table is a pandas or polars DataFrame, an Arrow table, a duckdb relation, or the path of a Parquet, CSV or Arrow file. At
    least one is needed; what a missing role leaves out stands in `notes`. Raises StudyError with every problem that was found.

    schema      the schema with task, positive class, features, kinds, bins and secrets filled in
    roles       the roles that are there, in the order above
    tables      role -> Table
    classes     the labels of the target as they stand in the tables, in the order of the codes; binary: (negative, positive)
    notes       what was chosen for want of a word in the schema, and what cannot be told
    """

    schema: Schema
    roles: tuple[str, ...]
    tables: Mapping[str, Table]
    generation: GenerationRecord | None
    classes: tuple[object, ...]
    notes: tuple[str, ...]

    def __init__(
        self,
        schema: Schema,
        *,
        source: object = None,
        synthetic: object = None,
        holdout: object = None,
        reference: object = None,
        production: object = None,
        generation: GenerationRecord | Mapping[str, Any] | None = None,
        digest_key: bytes | None = None,
    ) -> None:
        given = dict(zip(ROLES, (source, synthetic, holdout, reference, production), strict=True))
        self.generation = (
            generation
            if isinstance(generation, GenerationRecord) or generation is None
            else GenerationRecord.from_dict(generation)
        )
        problems: list[Problem] = []
        notes: list[str] = []
        readings = _read({role: table for role, table in given.items() if table is not None}, schema, problems)
        self.roles = tuple(readings)
        arrows = check_names(readings, problems)
        columns = resolve_columns(schema, arrows, {role: reading.index for role, reading in readings.items()}, problems, notes)
        frames = {role: _normalised(role, arrow, columns, problems) for role, arrow in arrows.items()}
        check_values(frames, problems)
        check_target(frames, schema.target, problems)
        self.schema = replace(
            schema, features=columns.features or None, kinds=columns.kinds, secrets=schema.secrets or (schema.target,)
        )
        self.classes = ()
        self._targets: dict[str, NDArray[Any]] = {}
        self._resolve_target(frames, problems, notes)
        check_sizes(frames, self._targets, schema, self.schema.task, problems)
        self._bins: dict[str, str] = {}
        self._resolve_bins(frames, problems, notes)
        self._subjects = _subjects(arrows, frames, schema.subject, problems)
        if problems:
            raise StudyError(problems)
        notes += [f"{_WITHOUT[role]}." for role in _WITHOUT if role not in self.roles]
        notes += [note for reading in readings.values() for note in reading.notes]
        self.notes = tuple(notes)
        self.tables = MappingProxyType(
            {role: self._table(role, arrow, frames[role], digest_key) for role, arrow in arrows.items()}
        )

    @classmethod
    def from_file(cls, path: str | Path, *, digest_key: bytes | None = None) -> Study:
        """The study of a study file (YAML). Raises StudyError."""
        from synthml.study.file import StudyFile

        return StudyFile.load(path).study(digest_key=digest_key)

    def frame(self, role: str) -> pd.DataFrame:
        """(n, columns) of a role, normalised; to be read, not written. Raises InputError when the role is not there."""
        if role not in self.tables:
            raise InputError(f"the study has no {role} table; it has {', '.join(self.roles)}")
        return self.tables[role].frame

    def features(self, role: str) -> pd.DataFrame:
        """(n, features) in the order of `schema.features`."""
        return self.frame(role)[list(self.schema.features or ())]

    def target(self, role: str) -> NDArray[Any]:
        """(n,) binary: int64, 1 = positive; multiclass: int64 position in `classes`; regression: float64.

        A production table may have rows without an outcome yet: -1 (NaN for a regression). Raises InputError without the column.
        """
        self.frame(role)
        if role not in self._targets:
            raise InputError(f"the {role} table has no target column '{self.schema.target}'")
        return self._targets[role]

    def subjects(self, role: str) -> NDArray[np.int64] | None:
        """(n,) code of the subject of each row, or None without subject column.

        Equal codes in two real roles are one person. Subjects of the synthetic table are nobody: their codes stand apart.
        """
        self.frame(role)
        return self._subjects.get(role)

    def groupings(self, role: str) -> tuple[Grouping, ...]:
        """One grouping per sensitive column that the role has, then one per intersection."""
        frame = self.frame(role)
        single = {
            name: group_rows(name, frame[name], self.schema.bins.get(name), boolean=self.schema.kinds.get(name) == "boolean")
            for name in self.schema.sensitive
            if name in frame.columns
        }
        crossed = [
            cross([single[name] for name in names])
            for names in self.schema.intersections
            if all(name in single for name in names)
        ]
        return (*single.values(), *crossed)

    def summary(self) -> dict[str, object]:
        """The schema as it was used, as JSON: scalars, lists and maps. Class labels only when every class is common enough."""
        schema = self.schema
        common = self._labels_may_be_told()
        return {
            "target": schema.target,
            "task": schema.task,
            "positive": schema.positive if common else None,
            "classes": [*self.classes] if common else None,
            "features": list(schema.features or ()),
            "sensitive": list(schema.sensitive),
            "intersections": [list(names) for names in schema.intersections],
            "bins": {name: [None if np.isinf(edge) else edge for edge in edges] for name, edges in schema.bins.items()},
            "kinds": {name: schema.kinds[name] for name in sorted(schema.kinds)},
            "subject": schema.subject,
            "quasi_identifiers": list(schema.quasi_identifiers),
            "secrets": list(schema.secrets),
            "minimum_cell": {"rows": schema.minimum_cell.rows, "events": schema.minimum_cell.events},
            "rules": list(schema.rules),
            "maximum_groups": schema.maximum_groups,
            "notes": list(self.notes),
        }

    def dataset_facts(self) -> dict[str, dict[str, object]]:
        """role -> digest, rows, columns and subjects of the table as it was given."""
        return {
            role: {"digest": table.digest, "rows": table.rows, "columns": table.columns, "subjects": table.subjects}
            for role, table in self.tables.items()
        }

    def _labels_may_be_told(self) -> bool:
        """A label that few real rows carry is a value of these rows."""
        least = max(self.schema.minimum_cell.events, 1)
        real = [self._targets[role] for role in REAL if role in self._targets] or list(self._targets.values())
        return (
            all(bool((np.bincount(codes[codes >= 0], minlength=len(self.classes)) >= least).all()) for codes in real)
            if self.classes
            else False
        )

    def _resolve_target(self, frames: Mapping[str, pd.DataFrame], problems: list[Problem], notes: list[str]) -> None:
        schema, name = self.schema, self.schema.target
        held = {role: frame[name] for role, frame in frames.items() if name in frame.columns and len(frame)}
        kind = schema.kinds.get(name)
        if not held or kind is None:
            return
        if kind == "datetime":
            problems.append(
                Problem(f"schema.target '{name}'", "is a date", "Predict a number or a class, for example the days until then.")
            )
            return
        classes = classes_of(list(held.values()), kind)
        task = schema.task
        if task is None:
            task, why = infer_task(classes, kind)
            notes.append(f"task: {task}, told from the target ({why}); say schema.task to choose another.")
        self.schema = replace(schema, task=task) if schema.positive is None or task == "binary" else schema
        if task == "regression":
            if kind == "categorical":
                problems.append(
                    Problem(
                        f"schema.target '{name}'",
                        "is text, which a regression cannot predict",
                        "Say task: multiclass, or kinds: numeric.",
                    )
                )
                return
            self._targets = {role: column.to_numpy() for role, column in held.items()}
            return
        if schema.positive is not None and task != "binary":
            problems.append(
                Problem(
                    "schema.positive", f"has no meaning for a target of {len(classes)} classes", "Leave it out, or merge classes."
                )
            )
            return
        self._resolve_classes(held, classes, task, problems, notes)

    def _resolve_classes(
        self,
        held: Mapping[str, pd.Series[Any]],
        classes: tuple[object, ...],
        task: Task,
        problems: list[Problem],
        notes: list[str],
    ) -> None:
        name = self.schema.target
        if len(classes) > MAXIMUM_CLASSES:
            problems.append(
                Problem(
                    f"schema.target '{name}'",
                    f"has {len(classes)} classes, more than {MAXIMUM_CLASSES}",
                    "Merge classes, or say task: regression if it is a number.",
                )
            )
            return
        if task == "binary" and len(classes) != 2:
            if len(classes) > 2:
                counts = ", ".join(f"{column.nunique()} in {role}" for role, column in held.items())
                problems.append(
                    Problem(
                        f"schema.target '{name}'",
                        f"is binary but has {len(classes)} distinct values ({counts})",
                        "Merge or drop the others, or say task: multiclass.",
                    )
                )
            return
        if task == "binary":
            positive, why = positive_class(classes, self.schema.positive)
            if positive is None:
                problems.append(
                    Problem(
                        "schema.positive",
                        "is neither of the two labels of the target",
                        "Write the label as it stands in the tables.",
                    )
                )
                return
            if self.schema.positive is None:
                notes.append(f"positive class: {label_of(positive)}, {why}; say schema.positive to choose the other.")
            classes = (classes[1], classes[0]) if positive == classes[0] else classes
            self.schema = replace(self.schema, positive=positive)
        self.classes = classes
        self._targets = {role: class_codes(column, classes) for role, column in held.items()}
        check_classes(self._targets, classes, name, problems, notes)

    def _resolve_bins(self, frames: Mapping[str, pd.DataFrame], problems: list[Problem], notes: list[str]) -> None:
        bins = dict(self.schema.bins)
        kinds = self.schema.kinds
        for name in list(bins):
            if name in kinds and kinds[name] != "numeric":
                problems.append(
                    Problem(
                        f"schema.bins.{name}",
                        f"the column is {kinds[name]}, and only numbers have bins",
                        "Leave the bins out, or say kinds: numeric.",
                    )
                )
                del bins[name]
        order = [role for role in ("source", "holdout", "reference", "production", "synthetic") if role in frames]
        for name in self.schema.sensitive:
            held = [frames[role][name] for role in order if name in frames[role].columns and frames[role][name].notna().any()]
            if not held or name not in kinds:
                continue
            if kinds[name] == "datetime":
                problems.append(
                    Problem(
                        f"schema.sensitive '{name}'",
                        "is a date, which has no groups",
                        "Add a column with the period, such as the year, and name that.",
                    )
                )
            elif kinds[name] == "numeric" and name not in bins:
                distinct = np.unique(np.concatenate([column.dropna().unique() for column in held]))
                if not np.isfinite(distinct).all():
                    continue  # told as infinite values
                try:
                    edges, why = default_bins(name, held[0].to_numpy(), distinct)
                except ValueError as error:
                    problems.append(
                        Problem(
                            f"schema.bins.{name}",
                            f"the column needs bins: {error}",
                            f"Write {{{name}: [0, 0.5, 1]}} with edges that mean something.",
                        )
                    )
                    continue
                notes.append(f"groups of {name}: {why}; say schema.bins to choose others.")
                if edges is not None:
                    bins[name] = edges
        self.schema = replace(self.schema, bins=bins)
        self._check_groups(frames, problems)

    def _check_groups(self, frames: Mapping[str, pd.DataFrame], problems: list[Problem]) -> None:
        limit = self.schema.maximum_groups
        for role, frame in frames.items():
            for name in self.schema.sensitive:
                if name not in frame.columns or not len(frame) or self.schema.kinds.get(name) == "datetime":
                    continue
                count = int(frame[name].nunique(dropna=False)) if name not in self.schema.bins else 0
                if count > limit:
                    problems.append(
                        Problem(
                            f"{role}.{name}",
                            f"has {count} groups, more than maximum_groups = {limit}",
                            "Merge values, give bins if it is a number, or raise maximum_groups.",
                        )
                    )

    def _table(self, role: str, arrow: pa.Table, frame: pd.DataFrame, key: bytes | None) -> Table:
        codes = self._subjects.get(role)
        subjects = None if codes is None else len(np.unique(codes))
        return Table(role, frame, arrow_digest(arrow, key=key), arrow.num_rows, arrow.num_columns, subjects)


def _read(given: Mapping[str, object], schema: Schema, problems: list[Problem]) -> dict[str, Reading]:
    if not given:
        raise StudyError([Problem("study", "has no table", "Give at least one of source, synthetic and holdout.")])
    readings = {}
    for role, table in given.items():
        try:
            readings[role] = read_table(table, where=role, kinds=schema.kinds)
        except StudyError as error:
            problems += error.problems
    if problems:
        raise StudyError(problems)
    return readings


def _normalised(role: str, arrow: pa.Table, columns: Columns, problems: list[Problem]) -> pd.DataFrame:
    arrays = {}
    for name in columns.used[role]:
        arrays[name], problem = normalise(arrow.column(name), columns.kinds[name], f"{role}.{name}")
        if problem is not None:
            problems.append(problem)
    return frame_of(arrays)


def _subjects(
    arrows: Mapping[str, pa.Table], frames: Mapping[str, pd.DataFrame], subject: str | None, problems: list[Problem]
) -> dict[str, NDArray[np.int64]]:
    """role -> codes of its subjects; real roles share theirs, the synthetic one has its own."""
    if subject is None:
        return {}
    held = {role: frame[subject] for role, frame in frames.items() if subject in frame.columns}
    real = [role for role in held if role != "synthetic"]
    out: dict[str, NDArray[np.int64]] = {}
    start = 0
    for roles in (real, [role for role in held if role == "synthetic"]):
        if not roles:
            continue
        codes, uniques = pd.factorize(np.concatenate([held[role].to_numpy() for role in roles]))
        done = 0
        for role in roles:
            out[role] = (codes[done : done + len(held[role])] + start).astype(np.int64)
            done += len(held[role])
        start += len(uniques)
    if "source" in out and "holdout" in out:
        both = np.intersect1d(out["source"], out["holdout"])
        if len(both):
            rows = np.isin(out["holdout"], both)
            problems.append(
                Problem(
                    f"holdout.{subject}",
                    f"{len(both)} subjects stand in the source too, with {int(rows.sum())} rows here (first: row {int(np.argmax(rows))})",
                    "Contamination: split by subject (synthml.split_by_subject), or drop these rows from the holdout.",
                )
            )
    return out
