"""Tables in memory as Arrow, column by column; numbers are not copied."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthml.errors import Problem, StudyError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ColumnSource", "Reading", "from_memory", "without_index"]


@dataclass(frozen=True)
class Reading:
    """A table as it was given. index: names of pandas index levels, which are no columns; notes: what the reader noticed."""

    arrow: pa.Table
    index: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnSource:
    """Columns by name: fetch(name) gives one. It may be called from several threads."""

    schema: pa.Schema
    rows: int
    fetch: Callable[[str], pa.ChunkedArray]


def from_memory(table: object, *, where: str) -> Reading:
    """A pandas DataFrame, an Arrow table, or anything narwhals turns into Arrow. Raises StudyError."""
    if isinstance(table, pd.DataFrame):
        return _from_pandas(table, where)
    if isinstance(table, pa.Table):
        return without_index(table)
    if isinstance(table, pa.RecordBatch):
        return without_index(pa.Table.from_batches([table]))
    if isinstance(table, pa.RecordBatchReader):
        return without_index(table.read_all())
    return without_index(_by_narwhals(table, where))


def _by_narwhals(table: Any, where: str) -> pa.Table:
    import narwhals as nw

    try:
        frame = nw.from_native(table)
    except TypeError:
        if hasattr(table, "__arrow_c_stream__"):
            return pa.table(table)
        raise StudyError(
            [
                Problem(
                    where,
                    f"is a {type(table).__module__}.{type(table).__qualname__}, which is no table",
                    "Give a pandas or polars DataFrame, an Arrow table, a duckdb relation, or the path of a file.",
                )
            ]
        ) from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect("pyarrow")
    return frame.to_arrow()


def _from_pandas(frame: pd.DataFrame, where: str) -> Reading:
    problems: list[Problem] = []
    if isinstance(frame.columns, pd.MultiIndex):
        raise StudyError(
            [Problem(where, f"its columns have {frame.columns.nlevels} levels", "Join the levels into one name a column.")]
        )
    unnamed = [position for position, name in enumerate(frame.columns) if not isinstance(name, str)]
    if unnamed:
        problems.append(
            Problem(
                where,
                f"{len(unnamed)} of {frame.shape[1]} columns are not named by text (first: column {unnamed[0]})",
                "Rename them: frame.columns = frame.columns.astype(str).",
            )
        )
        raise StudyError(problems)
    columns = []
    for position, name in enumerate(frame.columns):
        series = frame.iloc[:, position]
        try:
            columns.append(_array(series))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            problems.append(_unreadable(series, f"{where}.{name}"))
    if problems:
        raise StudyError(problems)
    index = tuple(str(name) for name in frame.index.names if name is not None)
    return Reading(pa.Table.from_arrays(columns, names=list(frame.columns)), index)


def _array(series: pd.Series[Any]) -> pa.Array | pa.ChunkedArray:
    dense = np.asarray(series) if isinstance(series.dtype, pd.SparseDtype) else series
    array = pa.array(dense, from_pandas=True)
    if isinstance(array.type, pa.BaseExtensionType):
        raise TypeError("a pandas type of its own, such as Period or Interval")
    if series.dtype == object and _mixes(series, array.type):
        raise TypeError("Arrow would make one type of two")
    return array


def _mixes(series: pd.Series[Any], t: pa.DataType) -> bool:
    """Whether Arrow made one column of values that are not of one type: text and bytes, times with and without a zone."""
    if pa.types.is_binary(t):
        return bool(pd.api.types.infer_dtype(series, skipna=True) != "bytes")
    if pa.types.is_floating(t):  # a boolean among floats would become 1.0
        return bool(pd.api.types.infer_dtype(series, skipna=True) == "mixed")
    if pa.types.is_timestamp(t):
        return len({getattr(value, "tzinfo", None) is None for value in series[series.notna()]}) > 1
    return False


def _unreadable(series: pd.Series[Any], where: str) -> Problem:
    """Why a pandas column has no Arrow form. Python's type names say it without a value."""
    if series.dtype != object:
        return Problem(
            where, f"has dtype {series.dtype}, which has no Arrow form", "Convert it to numbers, text, booleans or dates."
        )
    kinds = Counter(type(value).__name__ for value in series[series.notna()])
    if set(kinds) <= {"datetime", "Timestamp"}:
        return Problem(where, f"mixes {kinds.total()} times with and without a time zone", "Give all a zone, or none.")
    if len(kinds) == 1:
        kind, count = next(iter(kinds.items()))
        return Problem(
            where,
            f"holds {count} Python objects of type {kind}, which cannot be stored as a column",
            "Convert them to numbers, text, booleans or dates; whole numbers must fit in 64 bits.",
        )
    rarest = kinds.most_common()[-1][0]
    first = next(i for i, value in enumerate(series) if type(value).__name__ == rarest)
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    return Problem(
        where,
        f"mixes types in one column: {told} (first {rarest} at row {first})",
        "Convert the column to one type, for example with .astype(str) or pandas.to_numeric.",
    )


def _plain(table: pa.Table) -> pa.Table:
    """Extension types that are plain values in disguise, as those values: UUIDs and JSON as text, 8-bit booleans as booleans."""
    for position, field in enumerate(table.schema):
        column = table.column(position)
        name = getattr(field.type, "extension_name", "")
        if name == "arrow.uuid":
            texts = [None if value is None else str(value) for value in column.to_pylist()]
            column = pa.chunked_array([pa.array(texts, pa.large_string())])
        elif name in ("arrow.json", "arrow.bool8"):
            plain = pa.bool_() if name == "arrow.bool8" else pa.large_string()
            column = pa.chunked_array([chunk.storage.cast(plain) for chunk in column.chunks], plain)
        else:
            continue
        table = table.set_column(position, field.name, column)
    return table


def without_index(table: pa.Table) -> Reading:
    """Without the columns that pandas' metadata calls an index: an index is no content, whichever way a table travels."""
    table = _plain(table)
    raw = (table.schema.metadata or {}).get(b"pandas")
    if raw is None:
        return Reading(table)
    try:
        listed = json.loads(raw).get("index_columns", [])
    except (ValueError, AttributeError):
        return Reading(table.replace_schema_metadata(None))
    names = [name for name in listed if isinstance(name, str) and table.schema.names.count(name) == 1]
    kept = table.drop_columns(names) if names else table
    shown = tuple(name for name in names if not name.startswith("__index_level_"))
    return Reading(kept.replace_schema_metadata(None), shown)
