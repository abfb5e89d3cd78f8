"""A table as the rules read it: numbers, nulls, and values told apart by the distinct ones of the rows learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.subgroups.naming import people_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study.schema import Kind

__all__ = ["FEW", "Field", "Levels", "Seen", "columns_as_learned"]

FEW = 12  # numbers with at most so many distinct values are read like labels
_MOST = 1000  # a column with more distinct values is no set of levels
_GLANCE = 2000
_DAY = 86_400e6


@dataclass(frozen=True, eq=False)
class Levels:
    """The distinct values of a column. values: labels, or numbers in rising order. Codes: place, then null, then unseen."""

    values: pd.Index[Any]

    @property
    def null(self) -> int:
        """Code of a null."""
        return len(self.values)

    @property
    def size(self) -> int:
        """Codes, the last one that of values which the rows learned from do not have."""
        return len(self.values) + 2

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """(n,) the code of each value."""
        found, distinct = pd.factorize(values)
        place = self.values.get_indexer(pd.Index(distinct))
        onto = np.append(np.where(place < 0, self.null + 1, place), self.null)  # factorize's code of a null is -1, the last
        return np.asarray(onto[found], dtype=np.int64)


def columns_as_learned(frame: pd.DataFrame, subject: str | None, kinds: Mapping[str, Kind]) -> dict[str, Column]:
    """What the rows that rules are learned from say of each column but the subject."""
    found = {}
    for name in frame.columns:
        if name == subject:
            continue
        codes, distinct = pd.factorize(frame[name].to_numpy(), sort=kinds[name] != "categorical")
        few = len(distinct) <= _MOST
        levels = Levels(pd.Index(distinct)) if few else None
        found[str(name)] = Column(str(name), kinds[name], len(distinct), levels, bool((codes < 0).any()))
    return found


@dataclass(frozen=True, eq=False)
class Column:
    """kind: as in the schema. distinct: how many values. levels: them, None when too many. nulls: whether it has any."""

    name: str
    kind: Kind
    distinct: int
    levels: Levels | None
    nulls: bool

    @property
    def number(self) -> bool:
        """Whether it has an order: numbers and dates, but not yes and no."""
        return self.kind in ("numeric", "datetime")


class Seen:
    """The rows of one table. Each form of a column is made once."""

    def __init__(self, frame: pd.DataFrame, columns: Mapping[str, Column], subjects: NDArray[np.int64] | None) -> None:
        self.frame, self.columns, self.subjects = frame, columns, subjects
        self._kept: dict[tuple[str, str], NDArray[Any]] = {}

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.frame)

    @property
    def glance(self) -> slice:
        """Some two thousand rows, spread over the table, that tell most pairs of columns without a rule."""
        return slice(None, None, max(1, self.rows // _GLANCE))

    @cached_property
    def people(self) -> float:
        """Independent units per row: 1 without subjects. What is expected of so many rows is expected of fewer people."""
        return 1.0 if self.subjects is None else len(np.unique(self.subjects)) / max(self.rows, 1)

    def has(self, names: Sequence[str]) -> bool:
        """Whether all of these columns are there."""
        return all(name in self.frame.columns for name in names)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(n,) float64, dates as days since 1970, NaN for null."""
        key = ("numbers", name)
        if key not in self._kept:
            values = self.frame[name].to_numpy()
            if values.dtype.kind == "M":
                days = values.astype("datetime64[us]").astype("int64") / _DAY
                values = np.where(np.isnat(values), np.nan, days)
            self._kept[key] = values
        return self._kept[key]

    def codes(self, name: str) -> NDArray[np.int64]:
        """(n,) in the column's levels."""
        key = ("codes", name)
        if key not in self._kept:
            levels = self.columns[name].levels
            assert levels is not None
            self._kept[key] = levels.codes(self.frame[name].to_numpy())
        return self._kept[key]

    def carriers(self, field: Field) -> NDArray[np.int64]:
        """(codes,) how many people carry each."""
        key = ("carriers", f"{field.null} {field.column.name}")
        if key not in self._kept:
            self._kept[key] = people_in(field.codes(self), field.size, self.subjects)
        return self._kept[key]

    def null(self, name: str) -> NDArray[np.bool_]:
        """(n,) where the column is null."""
        key = ("null", name)
        if key not in self._kept:
            self._kept[key] = self.frame[name].isna().to_numpy()
        return self._kept[key]


@dataclass(frozen=True, eq=False)
class Field:
    """What a dependency links: a column's values, or (null) whether it is null."""

    column: Column
    null: bool = False

    @property
    def size(self) -> int:
        """How many codes."""
        if self.null:
            return 2
        assert self.column.levels is not None
        return self.column.levels.size

    def codes(self, seen: Seen) -> NDArray[np.int64]:
        """(n,) of each row."""
        name = self.column.name
        return seen.null(name).astype(np.int64) if self.null else seen.codes(name)
