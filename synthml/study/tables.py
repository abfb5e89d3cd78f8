"""Normalisation: every column in one of four forms, whatever library, file or version of pandas it came from.

    numeric      float64, null = NaN
    boolean      float64 0.0 / 1.0, null = NaN
    categorical  object of str, null = NaN (never pandas' own `str` dtype, which pandas 2 does not have)
    datetime     datetime64[us], naive, in UTC, null = NaT

Texts are shared: equal labels of a column are one Python object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthml.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.study.schema import Kind

__all__ = ["NOT_A_COLUMN", "Table", "frame_of", "label_of", "natural_kind", "normalise"]

Array = np.ndarray[Any, np.dtype[Any]]
NOT_A_COLUMN = "unsupported"
_TRUE = ("true", "yes", "y", "t", "1")
_FALSE = ("false", "no", "n", "f", "0")


@dataclass(frozen=True)
class Table:
    """One role's table. frame: normalised and read-only by agreement; digest: of the table as it was given, all columns."""

    role: str
    frame: pd.DataFrame
    digest: str
    rows: int
    columns: int
    subjects: int | None = None


def natural_kind(t: pa.DataType) -> Kind | str | None:
    """What a stored type says a column is: a kind, None for a column without any value, or `unsupported`."""
    if pa.types.is_dictionary(t):
        inner = natural_kind(t.value_type)
        return "categorical" if inner in ("numeric", "boolean") else inner
    if pa.types.is_null(t):
        return None
    if pa.types.is_boolean(t):
        return "boolean"
    if pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t):
        return "numeric"
    if pa.types.is_string(t) or pa.types.is_large_string(t) or t == pa.string_view():
        return "categorical"
    if pa.types.is_timestamp(t) or pa.types.is_date(t):
        return "datetime"
    return NOT_A_COLUMN


def label_of(value: object) -> str:
    """A value as the text it has as a category: 1 and 1.0 are `1`, True is `True`."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)
    return str(value)


def frame_of(columns: Mapping[str, Array], rows: int) -> pd.DataFrame:
    """Arrays as a frame whose dtypes are the arrays' own under pandas 2 and 3 alike; no copy."""
    series = {name: pd.Series(values, dtype=values.dtype, copy=False) for name, values in columns.items()}
    frame = pd.DataFrame(series, index=pd.RangeIndex(rows), copy=False)
    frame.columns = pd.Index(list(columns), dtype=object)
    return frame


def normalise(column: pa.ChunkedArray, kind: Kind, where: str) -> tuple[Array, Problem | None]:
    """One column in the form of its kind; a Problem when values do not fit, which are null then."""
    if pa.types.is_null(column.type):
        return _nothing(len(column), kind), None
    if kind == "categorical":
        return _texts(column), None
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    natural = natural_kind(column.type)
    if kind == "datetime":
        return _datetimes(column, natural, where)
    if natural == "categorical":
        return _from_text(column, kind, where)
    if natural == "datetime":
        return _nothing(len(column), kind), Problem(
            where, f"holds {len(column)} dates where the study has {kind}", "Say datetime under kinds, or store numbers."
        )
    numbers = _floats(column)
    if kind == "boolean" and natural == "numeric":
        wrong = ~(np.isnan(numbers) | (numbers == 0) | (numbers == 1))
        return _blank(numbers, wrong, where, "neither 0 nor 1, in a boolean column")
    return numbers, None


def _nothing(rows: int, kind: Kind) -> Array:
    if kind == "datetime":
        return np.full(rows, np.datetime64("NaT", "us"), dtype="datetime64[us]")
    return np.full(rows, np.nan, dtype=object if kind == "categorical" else np.float64)


def _floats(column: pa.ChunkedArray) -> Array:
    """(n,) float64 of its own: never a view into the memory of whoever gave the table."""
    out = np.empty(len(column), dtype=np.float64)
    done = 0
    for chunk in column.chunks:
        values = pc.cast(chunk, pa.float64(), safe=False) if not pa.types.is_floating(chunk.type) else chunk
        out[done : done + len(chunk)] = values.to_numpy(zero_copy_only=False)
        done += len(chunk)
    return out


def _texts(column: pa.ChunkedArray) -> Array:
    """(n,) object of str and NaN, built from the distinct values: as many Python strings as there are labels."""
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    coded = coded.unify_dictionaries()
    out = np.empty(len(column), dtype=object)
    done = 0
    labels: Array | None = None
    for chunk in coded.chunks:
        if labels is None:
            values = [np.nan if value is None else label_of(value) for value in chunk.dictionary.to_pylist()]
            values = [np.nan if value == "nan" and not _is_text(chunk.type) else value for value in values]
            labels = np.array([*values, np.nan], dtype=object)
        codes = pc.fill_null(chunk.indices, len(labels) - 1) if chunk.indices.null_count else chunk.indices
        out[done : done + len(chunk)] = labels[codes.to_numpy(zero_copy_only=False)]
        done += len(chunk)
    return out


def _is_text(t: pa.DataType) -> bool:
    return natural_kind(t.value_type) == "categorical"


def _from_text(column: pa.ChunkedArray, kind: Kind, where: str) -> tuple[Array, Problem | None]:
    texts = pd.Series(_texts(column), dtype=object)
    if kind == "numeric":
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    else:
        lowered = texts.str.strip().str.lower()
        numbers = np.where(lowered.isin(_TRUE), 1.0, np.where(lowered.isin(_FALSE), 0.0, np.nan))
    wrong = np.isnan(numbers) & texts.notna().to_numpy()
    return _blank(numbers, wrong, where, f"not {kind}, as the study has it")


def _datetimes(column: pa.ChunkedArray, natural: str | None, where: str) -> tuple[Array, Problem | None]:
    if natural == "categorical":
        texts = pd.Series(_texts(column), dtype=object)
        stamps = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
        wrong = (stamps.isna() & texts.notna()).to_numpy()
        found = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return _blank(found, wrong, where, "not ISO 8601 dates, as the study has it", np.datetime64("NaT", "us"))
    if natural != "datetime":
        return _nothing(len(column), "datetime"), Problem(
            where, f"holds {len(column)} values stored as {natural} where the study has dates", "Store dates, or change its kind."
        )
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = pc.cast(column, pa.timestamp(column.type.unit, "UTC"))
        column = pc.cast(column, pa.timestamp(column.type.unit))
    return pc.cast(column, pa.timestamp("us"), safe=False).to_numpy().astype("datetime64[us]", copy=True), None


def _blank(
    values: Array, wrong: Array, where: str, what: str, null: float | np.datetime64 = np.nan
) -> tuple[Array, Problem | None]:
    count = int(wrong.sum())
    if not count:
        return values, None
    values = values.copy()
    values[wrong] = null
    return values, Problem(where, f"{count} of {len(values)} values are {what} (first at row {int(np.argmax(wrong))})", _MEND)


_MEND = "Mend the values, or say another kind for the column under kinds."
