"""The columns of a table, taken apart into codes and distinct values, and put together again in their source dtype.

A column is either a *number* (integers, floats, dates, durations: ordered, may be smoothed) or a *category* (text, booleans,
pandas categoricals: drawn as they stand). Numbers remember the grid they lie on: whole numbers stay whole, two decimals stay two
decimals, days stay days, and multiples of 0.25 stay multiples of 0.25.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthml.errors import InputError

__all__ = ["NULL", "Column", "holders", "plain_column", "read_column"]

NULL = -1
_MOST_DECIMALS = 8
_MOST_MISSED_SHARE, _MOST_MISSED = 0.1, 9  # how much of a column may miss the grid of the rest
_EXACT = 2**53  # whole numbers up to here are exact in float64

Build = Callable[[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]], pd.Series]
Points = Callable[[NDArray[Any]], NDArray[np.float64]]
Snap = Callable[[NDArray[np.float64]], NDArray[Any]]


@dataclass(frozen=True)
class Column:
    """One column as codes into its distinct values.

    levels (k,): numbers ascending (int64 or float64), categories in order of appearance or of their dtype.
    codes (n,): index into `levels`, NULL where the value is missing.
    scale (k,): the levels on the scale that numbers are smoothed on: steps of the column's grid, counted from its smallest value.
    points, snap: from values to that scale and back, onto the grid.
    build: values or codes, a null mask, and which levels may be told (levels + 1,) to a Series in the source dtype.
    """

    name: str
    levels: NDArray[Any]
    codes: NDArray[np.int64]
    is_number: bool
    scale: NDArray[np.float64]
    points: Points
    snap: Snap
    build: Build

    @property
    def null(self) -> NDArray[np.bool_]:
        """(n,) where the value is missing."""
        null: NDArray[np.bool_] = self.codes == NULL
        return null

    def locate(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Where numbers stand among the levels: a level's index, or one half below the next higher level's."""
        right = np.searchsorted(self.levels, values, side="right")
        left = np.searchsorted(self.levels, values, side="left")
        return np.where(right > left, left, left - 0.5).astype(np.float32)


def read_column(name: str, series: pd.Series, units: NDArray[np.int64] | None = None) -> Column:
    """A source column as a `Column`. units (n,): whose rows they are; None: every row is its own.

    Raises InputError, naming the column, for kinds of values that cannot be synthesised.
    """
    null = series.isna().to_numpy(dtype=bool)
    if null.all():
        raise InputError(f"column '{name}' holds no value at all: nothing can be learned from it. Leave it out")
    return _on_grid(_read(name, series, null), units, single=series.dtype == np.float32)


def holders(codes: NDArray[np.int64], levels: int, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(levels + 1,) how many subjects hold each level, the last for null. units (n,): each row's subject; None: one a row."""
    shifted = np.where(codes == NULL, levels, codes)
    if units is not None:
        base = int(units.max()) + 1
        shifted = np.unique(shifted * base + units) // base
    return np.bincount(shifted, minlength=levels + 1)


def plain_column(name: str, values: NDArray[Any]) -> Column:
    """Numbers without nulls, counts or gaps, that help to draw a table and never enter one."""
    null = np.zeros(values.shape[0], dtype=bool)
    return _on_grid(_number(name, values, null, lambda drawn, _null, _told: pd.Series(drawn, name=name)), None, single=False)


def _read(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(name, series)
    if pd.api.types.is_bool_dtype(dtype):
        return _boolean(name, series, null)
    if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
        return _numeric(name, series, null)
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return _temporal(name, series, null)
    if pd.api.types.is_string_dtype(dtype) or pd.api.types.is_object_dtype(dtype):
        return _object(name, series, null)
    raise _unsupported(name, str(dtype))


def _unsupported(name: str, what: str) -> InputError:
    return InputError(
        f"column '{name}' holds values of kind '{what}', which cannot be synthesised. "
        "Convert it to numbers, text, booleans or dates, or leave it out"
    )


def _categorical(name: str, series: pd.Series) -> Column:
    categories = series.cat.categories
    ordered = bool(series.cat.ordered)
    codes = series.cat.codes.to_numpy().astype(np.int64)

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], told: NDArray[np.bool_]) -> pd.Series:
        # A dtype that listed every category of the source would carry the rare ones out of the house.
        kept = np.flatnonzero(told[:-1])
        codes = np.where(null, NULL, np.searchsorted(kept, drawn))
        return pd.Series(pd.Categorical.from_codes(codes, categories=categories[kept], ordered=ordered), name=name)

    return _category(name, categories.to_numpy(dtype=object), codes, build)


def _boolean(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    codes = np.full(series.shape[0], NULL, dtype=np.int64)
    codes[~null] = series.to_numpy(dtype=object)[~null].astype(bool)
    dtype = series.dtype

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], _told: NDArray[np.bool_]) -> pd.Series:
        return _restored(drawn.astype(bool), null, dtype, name)

    return _category(name, np.array([False, True]), codes, build)


def _text(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    present = series.to_numpy(dtype=object)[~null]
    found, levels = pd.factorize(present)
    codes = np.full(series.shape[0], NULL, dtype=np.int64)
    codes[~null] = found
    dtype = series.dtype

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], _told: NDArray[np.bool_]) -> pd.Series:
        values = levels[np.where(null, 0, drawn)]
        if null.any():
            values[null] = None
        return pd.Series(values, dtype=dtype, name=name)

    return _category(name, levels, codes, build)


def _category(name: str, levels: NDArray[Any], codes: NDArray[np.int64], build: Build) -> Column:
    scale = np.arange(levels.shape[0], dtype=np.float64)
    return Column(name, levels, codes, False, scale, np.asarray, np.asarray, build)


def _numeric(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    dtype = series.dtype
    present = series[~null]
    if pd.api.types.is_integer_dtype(dtype):
        if int(present.max()) > np.iinfo(np.int64).max:
            raise _unsupported(name, "integer beyond 63 bits")
        values: NDArray[Any] = np.zeros(series.shape[0], dtype=np.int64)
        values[~null] = present.to_numpy(dtype=np.int64)
    else:
        values = np.zeros(series.shape[0], dtype=np.float64)
        values[~null] = present.to_numpy(dtype=np.float64)
        _refuse_infinite(name, values)

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], _told: NDArray[np.bool_]) -> pd.Series:
        return _restored(drawn, null, dtype, name)

    return _number(name, values, null, build)


def _refuse_infinite(name: str, values: NDArray[Any]) -> None:
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise InputError(
            f"column '{name}' holds {infinite.size} infinite values, the first at position {infinite[0]}. "
            "Make them null, or leave those rows out"
        )


def _temporal(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    dtype = series.dtype
    zone = getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
    # Times with a zone are synthesised as wall-clock times, so that midnight stays midnight on both sides of a change of clocks.
    naive = series.dt.tz_localize(None) if zone is not None else series
    if isinstance(naive.dtype, pd.ArrowDtype):
        naive = naive.astype("timedelta64[us]" if pd.api.types.is_timedelta64_dtype(dtype) else "datetime64[us]")
    native = naive.to_numpy()
    values = native.astype(np.int64)
    values[null] = 0

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], _told: NDArray[np.bool_]) -> pd.Series:
        moments = drawn.astype(np.int64).view(native.dtype).copy()
        moments[null] = "NaT"
        restored: Any = pd.Series(moments, name=name)
        if zone is not None:
            restored = restored.dt.tz_localize(zone, ambiguous=np.zeros(len(restored), dtype=bool), nonexistent="shift_forward")
        return cast("pd.Series", restored.astype(dtype))

    return _number(name, values, null, build)


def _object(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    inferred = pd.api.types.infer_dtype(series, skipna=True)
    if inferred == "string":
        return _text(name, series, null)
    if inferred == "boolean":
        return _boolean(name, series, null)
    if inferred in ("integer", "floating", "mixed-integer-float"):
        values = np.zeros(series.shape[0], dtype=np.int64 if inferred == "integer" else np.float64)
        values[~null] = series.to_numpy(dtype=object)[~null].astype(values.dtype)
        _refuse_infinite(name, values)
        return _number(name, values, null, lambda drawn, null, _told: _restored(drawn, null, np.dtype(object), name))
    if inferred in ("date", "datetime"):
        return _temporal_object(name, series, null, as_date=inferred == "date")
    raise _unsupported(name, inferred)


def _temporal_object(name: str, series: pd.Series, null: NDArray[np.bool_], *, as_date: bool) -> Column:
    try:
        moments = pd.Series(pd.to_datetime(series), name=name)
    except (ValueError, TypeError, OverflowError) as error:
        raise _unsupported(name, "dates beyond the years that can be told apart, or of several time zones") from error
    column = _temporal(name, moments, null)

    def build(drawn: NDArray[Any], null: NDArray[np.bool_], told: NDArray[np.bool_]) -> pd.Series:
        restored = column.build(drawn, null, told)
        values = (restored.dt.date if as_date else restored).to_numpy(dtype=object, copy=True)
        values[null] = None
        return pd.Series(values, dtype=object, name=name)

    return replace(column, build=build)


def _restored(drawn: NDArray[Any], null: NDArray[np.bool_], dtype: Any, name: str) -> pd.Series:
    """Values without nulls, then with them, in the dtype that the source had."""
    if not null.any():
        return pd.Series(drawn, name=name).astype(dtype)
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return pd.Series(np.where(null, np.nan, drawn), name=name).astype(dtype)
    series = pd.Series(drawn, name=name).astype(dtype)
    series[null] = None if dtype == np.dtype(object) else pd.NA
    return series


def _number(name: str, values: NDArray[Any], null: NDArray[np.bool_], build: Build) -> Column:
    levels, found = np.unique(values[~null], return_inverse=True)
    codes = np.full(values.shape[0], NULL, dtype=np.int64)
    codes[~null] = found
    return Column(name, levels, codes, True, levels.astype(np.float64), np.asarray, np.asarray, build)


def _on_grid(column: Column, units: NDArray[np.int64] | None, *, single: bool) -> Column:
    """A number column with its grid: the coarsest that holds every value which two subjects share.

    It may miss a few others: one odd reading, written with more decimals than all others, shall not show in how everybody's
    synthetic values are written. When it misses more than a few, the grid that holds every value is taken.
    """
    if not column.is_number:
        return column
    levels = column.levels
    common = levels[holders(column.codes, levels.shape[0], units)[:-1] > 1]
    points, snap = _exact_grid(levels, levels[0], single=single)
    if 1 < common.size < levels.size:
        coarse = _exact_grid(common, levels[0], single=single)
        missed = coarse[1](coarse[0](levels)) != levels
        if missed.mean() <= _MOST_MISSED_SHARE and missed.sum() <= _MOST_MISSED:
            points, snap = coarse
    return replace(column, scale=points(levels), points=points, snap=snap)


def _exact_grid(levels: NDArray[Any], smallest: Any, *, single: bool) -> tuple[Points, Snap]:
    """The coarsest grid that holds all of `levels`."""
    is_whole = levels.dtype.kind == "i"
    decimals = 0 if is_whole else _decimals(levels, single=single)
    if decimals is None:
        return np.asarray, np.asarray
    power = 10.0**decimals

    def whole(values: NDArray[Any]) -> NDArray[np.int64]:
        return values.astype(np.int64) if is_whole else np.rint(values * power).astype(np.int64)

    grid = whole(levels)
    step = max(int(np.gcd.reduce(np.diff(grid))), 1) if grid.size > 1 else 1
    # Counted from the smallest value, numbers with many digits keep them all.
    origin = int(grid[0]) - step * int(np.ceil((int(grid[0]) - int(whole(np.asarray(smallest)))) / step))

    def points(values: NDArray[Any]) -> NDArray[np.float64]:
        steps: NDArray[np.float64] = (whole(values) - origin).astype(np.float64) / step
        return steps

    def snap(points: NDArray[np.float64]) -> NDArray[Any]:
        snapped: NDArray[Any] = origin + np.rint(points).astype(np.int64) * step
        return snapped if is_whole else snapped / power

    return points, snap


def _decimals(levels: NDArray[np.float64], *, single: bool) -> int | None:
    """How many decimals write every level exactly; None when more than eight, or more digits than float64 holds, are needed."""
    written = levels.astype(np.float32) if single else levels
    largest = float(np.abs(levels).max())
    for decimals in range(_MOST_DECIMALS + 1):
        if largest * 10.0**decimals >= _EXACT:
            return None
        rounded = np.rint(levels * 10.0**decimals) / 10.0**decimals
        if np.array_equal(rounded.astype(np.float32) if single else rounded, written):
            return decimals
    return None
