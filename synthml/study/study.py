"""`Study`: the tables, their roles and the schema, checked once, at the door."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthml.digest import arrow_digest
from synthml.errors import InputError, Problem, StudyError
from synthml.generation import GenerationRecord
from synthml.reading import read_table
from synthml.study.checks import check_sizes, check_target, check_values, note_features
from synthml.study.columns import REAL, Columns, check_names, resolve_columns
from synthml.study.contamination import Contamination, check_contamination, check_same_tables
from synthml.study.groups import Grouping, groupings_of, resolve_bins
from synthml.study.problems import Problems, listed, rows_of
from synthml.study.rules import Rule, bind_rules, label_notes
from synthml.study.schema import ROLES, Schema
from synthml.study.shares import check_shares
from synthml.study.tables import Table, frame_of, normalise
from synthml.study.target import Target, resolve_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from synthml.reading import Reading

__all__ = ["Study"]

_WITHOUT = {
    "source": "no source: what a real-trained model would do (TRTR), fidelity and disclosure cannot be told.",
    "synthetic": "no synthetic: nothing is trained on synthetic rows (TSTR) here.",
    "holdout": "no holdout: nothing can be measured on real, unseen rows.",
}


class Study:
    """Tables in roles, normalised, with everything that the schema left open filled in.

    source      real rows that the generator learned from       holdout     real rows that neither generator nor model saw
    synthetic   rows that the generator made                    reference, production: a population; rows met in use

    A table is a pandas or polars DataFrame, an Arrow table, a duckdb relation, or the path of a Parquet, CSV or Arrow file. At
    least one is needed; what a missing role leaves out stands in `notes`. Raises StudyError with every problem that was found.

    schema         the schema with task, positive class, features, kinds, bins and secrets filled in
    roles          the roles that are there, in the order above
    tables         role -> Table
    classes        the labels of the target as they stand in the tables, in the order of the codes; binary: (negative, positive)
    contamination  subjects and rows that source and holdout share, beside what chance gives
    rules          the rules of the schema, read and checked against the columns
    notes          what was chosen for want of a word in the schema, and what cannot be told
    """

    schema: Schema
    roles: tuple[str, ...]
    tables: Mapping[str, Table]
    generation: GenerationRecord | None
    classes: tuple[object, ...]
    contamination: Contamination
    rules: tuple[Rule, ...]
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
        problems, notes = Problems(), list[str]()
        self.generation = _record(generation, problems)
        given = dict(zip(ROLES, (source, synthetic, holdout, reference, production), strict=True))
        readings = _read({role: table for role, table in given.items() if table is not None}, schema, problems)
        complete = len(readings) == sum(table is not None for table in given.values())
        self.roles = tuple(readings)
        arrows = check_names(readings, problems)
        index = {role: reading.index for role, reading in readings.items()}
        columns = resolve_columns(schema, arrows, index, problems, notes, complete=complete)
        frames = {role: _normalised(role, arrow, columns, problems) for role, arrow in arrows.items()}
        check_values(frames, problems)
        check_target(frames, schema.target, problems)
        self.rules, misread = bind_rules(schema.rules, columns.kinds)
        problems += misread
        target = resolve_target(schema, frames, columns.kinds.get(schema.target, "numeric"), problems, notes)
        bins = resolve_bins(schema, columns.kinds, frames, problems, notes)
        check_shares(schema, columns.kinds, bins, frames, problems, notes)
        self._subjects = _subject_codes(arrows, frames, schema.subject, problems, notes)
        check_sizes(frames, target.codes, self._subjects, schema, target.task, problems)
        compared = [name for name in (*columns.features, schema.target) if name in columns.kinds]
        self.contamination = check_contamination(frames, compared, self._subjects, schema.subject, problems, notes)
        digests = {} if problems else _digests(arrows, digest_key, problems)
        check_same_tables(digests, problems, notes)
        if problems:
            raise StudyError(problems)
        note_features(frames, columns.features, schema.target, notes)
        notes += label_notes(self.rules, frames)
        notes += [text for role, text in _WITHOUT.items() if role not in self.roles]
        notes += [note for reading in readings.values() for note in reading.notes]
        self.notes = tuple(notes)
        self.schema = _resolved(schema, columns, target, bins)
        self.classes, self._targets = target.classes, target.codes
        self.tables = {
            role: _table(role, arrow, frames[role], digests[role], self._subjects.get(role)) for role, arrow in arrows.items()
        }

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
        """(n, features) in the order of `schema.features`. Raises InputError when a reference table has not all of them."""
        frame = self.frame(role)
        lacking = [name for name in self.schema.features or () if name not in frame.columns]
        if lacking:
            raise InputError(f"the {role} table lacks {len(lacking)} features: {listed(lacking)}")
        return frame[list(self.schema.features or ())]

    def target(self, role: str) -> NDArray[Any]:
        """(n,) binary: int64, 1 = positive; multiclass: int64 position in `classes`; regression: float64.

        Rows of reference and production may lack an outcome: -1 there, NaN in a regression. Raises InputError if it has none.
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
        return groupings_of(self.frame(role), self.schema)

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
            "reference_shares": sorted(schema.reference_shares),
            "contamination": {
                "subjects": self.contamination.subjects,
                "rows": self.contamination.rows,
                "distinct_rows": self.contamination.distinct,
                "distinct_rows_by_chance": self.contamination.by_chance,
            },
            "notes": list(self.notes),
        }

    def dataset_facts(self) -> dict[str, dict[str, object]]:
        """role -> digest, rows, columns and subjects of the table as it was given."""
        return {
            role: {"digest": table.digest, "rows": table.rows, "columns": table.columns, "subjects": table.subjects}
            for role, table in self.tables.items()
        }

    def __repr__(self) -> str:
        sizes = ", ".join(f"{role} {table.rows:,} rows" for role, table in self.tables.items())
        return f"Study({self.schema.task} '{self.schema.target}'; {sizes})"

    def _labels_may_be_told(self) -> bool:
        """A label that few real rows carry is a value of these rows."""
        least = max(self.schema.minimum_cell.events, 1)
        real = [self._targets[role] for role in REAL if role in self._targets] or list(self._targets.values())
        counts = [np.bincount(codes[codes >= 0], minlength=len(self.classes)) for codes in real] if self.classes else []
        return bool(counts) and all(bool((count >= least).all()) for count in counts)


def _record(given: GenerationRecord | Mapping[str, Any] | None, problems: Problems) -> GenerationRecord | None:
    if given is None or isinstance(given, GenerationRecord):
        return given
    try:
        return GenerationRecord.from_dict(given)
    except StudyError as error:
        problems += error.problems
        return None


def _read(given: Mapping[str, object], schema: Schema, problems: Problems) -> dict[str, Reading]:
    if not isinstance(schema, Schema):
        raise StudyError([Problem("schema", f"is a {type(schema).__name__}", "Give synthml.Schema(target=...).")])
    if not given:
        raise StudyError([Problem("study", "has no table", "Give at least one of source, synthetic and holdout.")])
    readings = {}
    for role, table in given.items():
        try:
            readings[role] = read_table(table, where=role, kinds=schema.kinds)
        except StudyError as error:
            problems += error.problems
    if not readings:
        raise StudyError(problems)
    return readings


def _digests(arrows: Mapping[str, pa.Table], key: bytes | None, problems: Problems) -> dict[str, str]:
    digests = {}
    for role, arrow in arrows.items():
        try:
            digests[role] = arrow_digest(arrow, key=key)
        except InputError as error:
            problems.add(role, str(error), "The digest tells tables apart in the record; without it nothing can be traced.")
    return digests


def _normalised(role: str, arrow: pa.Table, columns: Columns, problems: Problems) -> pd.DataFrame:
    arrays = {}
    for name in columns.used[role]:
        arrays[name], problem = normalise(arrow.column(name), columns.kinds[name], f"{role}.{name}")
        if problem is not None:
            problems.append(problem)
    return frame_of(arrays, arrow.num_rows)


def _resolved(schema: Schema, columns: Columns, target: Target, bins: Mapping[str, Any]) -> Schema:
    return replace(
        schema,
        task=target.task,
        positive=target.positive,
        features=columns.features,
        kinds=columns.kinds,
        bins=bins,
        secrets=schema.secrets or (schema.target,),
    )


def _table(role: str, arrow: pa.Table, frame: pd.DataFrame, digest: str, subjects: NDArray[np.int64] | None) -> Table:
    people = None if subjects is None else len(np.unique(subjects))
    return Table(role, frame, digest, arrow.num_rows, arrow.num_columns, people)


def _subject_codes(
    arrows: Mapping[str, pa.Table], frames: Mapping[str, pd.DataFrame], subject: str | None, problems: Problems, notes: list[str]
) -> dict[str, NDArray[np.int64]]:
    """role -> code of each row's subject; real roles share their codes, the synthetic one has its own."""
    if subject is None:
        return {}
    held = {role: _ids(arrows[role], frame, subject) for role, frame in frames.items() if subject in frame.columns}
    real = {role: ids for role, ids in held.items() if role != "synthetic"}
    out: dict[str, NDArray[np.int64]] = {}
    count = 0
    if real:
        codes, uniques = pd.factorize(np.concatenate(list(real.values())))
        parts = np.split(codes.astype(np.int64), np.cumsum([len(ids) for ids in real.values()])[:-1])
        out, count = dict(zip(real, parts, strict=True)), len(uniques)
        for role, part in out.items():
            if (part < 0).any():
                remedy = "Drop these rows, or give each a subject of its own."
                problems.add(f"{role}.{subject}", f"the subject is null in {rows_of(part < 0)}", remedy)
    if "synthetic" in held:
        codes, uniques = pd.factorize(held["synthetic"])
        nobody = codes < 0
        codes = np.where(nobody, len(uniques) + np.cumsum(nobody) - 1, codes)
        out["synthetic"] = (codes + count).astype(np.int64)
        known = int(pd.Index(uniques).isin(np.concatenate(list(real.values()))).sum()) if real else 0
        if known:
            notes.append(
                f"synthetic.{subject}: {known} of {len(uniques)} ids stand in a real table too. They are taken for nobody; real "
                "identifiers do not belong in a synthetic table."
            )
    return out


def _ids(arrow: pa.Table, frame: pd.DataFrame, subject: str) -> NDArray[Any]:
    """Ids in a form that tells large whole numbers apart, which float64 does not."""
    column = arrow.column(subject)
    if pa.types.is_integer(column.type) and not column.null_count and not pa.types.is_uint64(column.type):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    return frame[subject].to_numpy()
