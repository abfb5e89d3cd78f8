"""A production batch, read and looked over: whatever is wrong with it is a finding, told in words, and never a traceback.

What cannot be read as a table at all is an InputError. Everything else goes on with what is there: a column that is missing or
of another type is not compared, and the findings say so. Nothing here repeats a value of the batch.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.digest import arrow_digest, without_digest
from synthml.errors import EvidenceError, InputError, StudyError
from synthml.reading import read_table
from synthml.study.problems import listed
from synthml.study.schema import MinimumCell, Schema
from synthml.study.tables import NOT_A_COLUMN, frame_of, natural_kind, normalise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Batch", "Finding", "read_batch", "schema_of"]

_NEAR = 0.6


@dataclass(frozen=True)
class Finding:
    """One thing about a batch. grave: it stands in the way of the comparison; else it is good to know."""

    check: str
    text: str
    column: str = ""
    count: int | None = None
    grave: bool = False


@dataclass(frozen=True, eq=False)
class Batch:
    """frame: the columns that could be read, normalised; digest: of the table as it was given; subjects (n,) or None.

    missing: features that are not there; unreadable: columns of which some or all values are of another type.
    """

    frame: pd.DataFrame
    digest: str
    rows: int
    columns: int
    schema: Schema
    subjects: NDArray[np.int64] | None
    missing: tuple[str, ...]
    unreadable: tuple[str, ...]
    same_as: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,) rows whose outcome is known."""
        if self.schema.target not in self.frame.columns:
            return np.zeros(self.rows, dtype=bool)
        return self.frame[self.schema.target].notna().to_numpy()

    @property
    def complete(self) -> bool:
        """Whether a model can be asked for predictions."""
        return self.rows > 0 and all(name in self.frame.columns for name in self.schema.features or ())

    def facts(self) -> dict[str, object]:
        """As it stands among the datasets of the evidence."""
        people = None if self.subjects is None else len(np.unique(self.subjects))
        return {"digest": self.digest, "rows": self.rows, "columns": self.columns, "subjects": people}


def schema_of(summary: Mapping[str, Any]) -> Schema:
    """The schema that evidence was measured under, from its `study`. Raises EvidenceError when it holds none."""
    try:
        bins = {
            name: tuple((-np.inf if at == 0 else np.inf) if edge is None else float(edge) for at, edge in enumerate(edges))
            for name, edges in summary["bins"].items()
        }
        return Schema(
            target=summary["target"],
            task=summary["task"],
            positive=summary["positive"],
            features=tuple(summary["features"]),
            sensitive=tuple(summary["sensitive"]),
            intersections=tuple(tuple(names) for names in summary["intersections"]),
            bins=bins,
            kinds=dict(summary["kinds"]),
            subject=summary["subject"],
            minimum_cell=MinimumCell(**summary["minimum_cell"]),
            maximum_groups=int(summary["maximum_groups"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"the evidence does not say what its columns are ({type(error).__name__})") from error


def read_batch(table: object, schema: Schema, known: Mapping[str, str]) -> Batch:
    """Read and look over. known: digest -> what the table of that digest is (`holdout`, `synthetic`).

    Raises InputError when the table cannot be read at all.
    """
    findings: list[Finding] = []
    arrow = _read(table, schema)
    digest = _digest(arrow, findings)
    columns, unreadable = _columns(arrow, schema, findings)
    frame = frame_of(columns, arrow.num_rows)
    missing = _missing(arrow, schema, findings)
    subjects = _subjects(arrow, schema, frame, findings)
    same = tuple(role for role in known.get(digest, "").split(",") if role)
    if same:
        told = f"is the {' and '.join(same)} table itself, by its digest: it says nothing about patients met in use"
        findings.append(Finding("contaminated", told, grave=True))
    if not arrow.num_rows:
        findings.append(Finding("no_rows", "has no rows: nothing arrived, or nothing was exported", count=0, grave=True))
    else:
        _look_over(frame, schema, findings)
    return Batch(
        frame.drop(columns=[schema.subject], errors="ignore") if schema.subject else frame,
        digest,
        arrow.num_rows,
        arrow.num_columns,
        schema,
        subjects,
        missing,
        tuple(dict.fromkeys(unreadable)),
        same,
        tuple(findings),
    )


def _read(table: object, schema: Schema) -> pa.Table:
    try:
        arrow = read_table(table, where="batch", kinds=schema.kinds).arrow
    except StudyError:
        # values that are not of the declared kind stop a CSV at the door; read without, they become a finding
        arrow = read_table(table, where="batch").arrow
    names = arrow.schema.names
    if len(set(names)) < len(names):
        raise InputError(f"batch: {len(names) - len(set(names))} column names stand in the table twice. Name each column once.")
    return arrow


def _digest(arrow: pa.Table, findings: list[Finding]) -> str:
    """Of what has a digest: a nested column that nobody asked for is no reason not to know the batch again."""
    odd = without_digest(arrow.schema)
    if odd:
        told = f"columns that are neither numbers, texts nor dates are left out: {listed(odd)}"
        findings.append(Finding("nested_columns", told, count=len(odd)))
    return arrow_digest(arrow.drop_columns(odd) if odd else arrow)


def _columns(arrow: pa.Table, schema: Schema, findings: list[Finding]) -> tuple[dict[str, NDArray[Any]], list[str]]:
    wanted = dict.fromkeys((*(schema.features or ()), *schema.sensitive, schema.target, schema.subject))
    columns: dict[str, NDArray[Any]] = {}
    unreadable: list[str] = []
    for name in wanted:
        if name is None or name not in arrow.schema.names:
            continue
        stored, kind = arrow.column(name), schema.kinds.get(name, "categorical")
        if natural_kind(stored.type) == NOT_A_COLUMN:
            told = f"'{name}' is of a type that is neither number, text nor date; {kind} was expected"
            findings.append(Finding("wrong_type", told, name, arrow.num_rows, grave=True))
            unreadable.append(name)
            continue
        columns[name], problem = normalise(stored, kind, f"batch.{name}")
        if problem is not None:
            findings.append(Finding("wrong_type", f"'{name}': {problem.what}; they count as missing", name, grave=True))
            unreadable.append(name)
        columns[name] = _finite(name, columns[name], findings)
    return columns, unreadable


def _finite(name: str, values: NDArray[Any], findings: list[Finding]) -> NDArray[Any]:
    infinite = np.isinf(values) if values.dtype == np.float64 else np.zeros(0, dtype=bool)
    if infinite.any():
        count = int(infinite.sum())
        told = f"'{name}' is infinite in {count} of {len(values)} rows; they count as missing"
        findings.append(Finding("infinite", told, name, count, grave=True))
        return np.where(infinite, np.nan, values)
    return values


def _missing(arrow: pa.Table, schema: Schema, findings: list[Finding]) -> tuple[str, ...]:
    """Columns that the model or the groups need, each with the nearest name that is there and asked for by nobody."""
    features = schema.features or ()
    used = {*features, *schema.sensitive, schema.target, schema.subject}
    extra = [name for name in arrow.schema.names if name not in used]
    missing = [name for name in features if name not in arrow.schema.names]
    for name in missing:
        told = f"the column '{name}', which the model needs, is missing{_nearest(name, extra)}"
        findings.append(Finding("missing_column", told, name, grave=True))
    groups = [name for name in schema.sensitive if name not in features and name not in arrow.schema.names]
    findings += [
        Finding("missing_group_column", f"the column '{name}' is missing{_nearest(name, extra)}; its groups cannot be told", name)
        for name in groups
    ]
    if schema.subject is not None and schema.subject not in arrow.schema.names:
        told = f"the subject column '{schema.subject}' is missing{_nearest(schema.subject, extra)}; rows are taken for persons"
        findings.append(Finding("missing_subject", told, schema.subject))
    if extra:
        findings.append(Finding("extra_columns", f"columns that the model does not use: {listed(extra)}", count=len(extra)))
    return tuple(missing)


def _nearest(name: str, others: list[str]) -> str:
    lowered = {other.lower(): other for other in others}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=_NEAR)
    return f"; there is '{lowered[near[0]]}'" if near else ""


def _subjects(arrow: pa.Table, schema: Schema, frame: pd.DataFrame, findings: list[Finding]) -> NDArray[np.int64] | None:
    """(n,) code of each row's subject; a null is a person of its own."""
    if schema.subject is None or schema.subject not in arrow.schema.names:
        return None
    codes = np.array(pd.factorize(arrow.column(schema.subject).to_pandas())[0], dtype=np.int64)
    nobody = codes < 0
    codes[nobody] = codes.max(initial=-1) + 1 + np.arange(int(nobody.sum()))
    people = len(np.unique(codes))
    if nobody.any():
        told = f"the subject is null in {int(nobody.sum())} of {len(codes)} rows; each is taken for a person of its own"
        findings.append(Finding("null_subjects", told, schema.subject, int(nobody.sum())))
    if people < len(codes):
        told = f"{len(codes)} rows are of {people} persons: intervals are by person"
        findings.append(Finding("rows_of_one_person", told, schema.subject, len(codes) - people))
    return codes


def _look_over(frame: pd.DataFrame, schema: Schema, findings: list[Finding]) -> None:
    nothing = [name for name in schema.features or () if name in frame.columns and frame[name].isna().all()]
    findings += [Finding("all_null", f"'{name}' is null in every row", name, len(frame), grave=True) for name in nothing]
    repeated = int(frame.duplicated().sum()) if schema.subject in frame.columns else 0
    if repeated:
        findings.append(
            Finding("repeated_rows", f"{repeated} of {len(frame)} rows repeat another row of the person", count=repeated)
        )
