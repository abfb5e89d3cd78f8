"""Columns that the user gives, and the check that the generator knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.errors import InputError
from synthml.synthesis.columns import NULL, read_column
from synthml.synthesis.smoothing import Smoother

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column

__all__ = ["Given", "read_conditions"]


@dataclass(frozen=True)
class Given:
    """A given column: as it will stand in the table, and as trees see it. One row when it is the same everywhere."""

    series: pd.Series
    position: NDArray[np.float32]

    def repeated(self, n: int) -> Given:
        """For n rows."""
        if self.position.shape[0] != 1:
            return self
        return Given(self.series.iloc[np.zeros(n, dtype=np.int64)].reset_index(drop=True), np.repeat(self.position, n))


def read_conditions(
    conditions: Mapping[str, Any] | pd.DataFrame | None,
    columns: Mapping[str, Column],
    dtypes: Mapping[str, Any],
    told: Mapping[str, NDArray[np.bool_]],
    *,
    varying: Sequence[str],
    min_leaf: int,
) -> dict[str, Given]:
    """The given columns by name. Raises InputError, naming columns and positions, never a value.

    columns: that may be given. varying: columns that may not, since they vary within a subject.
    """
    if conditions is None:
        return {}
    if not isinstance(conditions, (Mapping, pd.DataFrame)):
        raise InputError(
            f"conditions are a mapping from column to value, or a DataFrame of given columns, not a {type(conditions).__name__}"
        )
    if isinstance(conditions, pd.DataFrame):
        if not len(conditions):
            raise InputError("conditions hold no row. Give one row for each row (with subjects: each subject) that is wanted")
        if not conditions.columns.is_unique:
            raise InputError("conditions name a column twice. Give each column once")
        asked = {name: conditions[name].reset_index(drop=True) for name in conditions.columns}
    else:
        for name, value in conditions.items():
            if not pd.api.types.is_scalar(value):
                raise InputError(f"the condition on column '{name}' is not a single value. Give several rows as a DataFrame")
        asked = {name: pd.Series([value], dtype=object, name=name) for name, value in conditions.items()}
    for name in asked:
        if name in varying:
            raise InputError(
                f"column '{name}' varies within a subject: only columns that are constant in every subject can be given. "
                "Leave it out, or fit without subject"
            )
        if name not in columns:
            raise InputError(f"column '{name}' cannot be given: the generator was not fitted on such a column")
    return {name: _read(columns[name], series, dtypes[name], told[name], min_leaf) for name, series in asked.items()}


def _read(column: Column, series: pd.Series, dtype: Any, told: NDArray[np.bool_], min_leaf: int) -> Given:
    null = series.isna().to_numpy(dtype=bool)
    position = np.full(series.shape[0], NULL, dtype=np.float32)
    unknown = null & ~told[-1]
    if column.is_number:
        series = _as_source(column, series, dtype, null)
        if not null.all():
            read = read_column(column.name, series)
            position[~null] = column.locate(read.levels)[read.codes[~null]]
            low, high = Smoother.fit(column, None, min_leaf, np.random.default_rng(0)).bounds
            points = column.points(read.levels)[read.codes]
            unknown |= ~null & ((points < low) | (points > high))
    else:
        code_of = {level: code for code, level in enumerate(column.levels.tolist()) if told[code]}
        codes = np.array([code_of.get(value, NULL) for value in series.to_numpy(dtype=object)], dtype=np.int64)
        unknown |= ~null & (codes == NULL)
        position[:] = codes
        if not unknown.any():
            series = column.build(codes, null, told)
    if unknown.any():
        raise InputError(
            f"column '{column.name}' is given {int(unknown.sum())} values that the generator does not know, the first at "
            f"position {int(np.flatnonzero(unknown)[0])}. "
            "Give categories that enough rows of the source hold, and numbers within its range"
        )
    return Given(series.rename(column.name), position)


def _as_source(column: Column, series: pd.Series, dtype: Any, null: NDArray[np.bool_]) -> pd.Series:
    """Given numbers or dates in the source's dtype, unchanged in value."""
    failure = InputError(f"the values given for column '{column.name}' are not of the source's kind, {dtype}. Convert them")
    try:
        converted = series.astype(dtype)
        fractions = pd.api.types.is_integer_dtype(dtype) and (pd.to_numeric(series[~null]) % 1 != 0).any()
    except (ValueError, TypeError, OverflowError):
        raise failure from None
    if fractions:
        raise failure
    return converted
