"""Columns as a handful of levels that the source fixes, so that tables are compared by counting.

Numbers and dates are cut at the source's deciles, or told apart one by one where the source has few distinct values; labels are
levels of their own, the less common ones together. A null is a level, and so is whatever the source never had.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Coding", "numbers_of"]

_DECILES = np.linspace(0.1, 0.9, 9)
_FEW = 12  # numbers with at most this many distinct values have a level for each
_LABELS = 20


def numbers_of(values: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) float64; points in time as days since 1970, nulls as NaN."""
    if values.dtype.kind == "M":
        days = values.astype("datetime64[us]").astype("int64") / 86_400e6
        return np.where(np.isnat(values), np.nan, days)
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Numbers:
    """cuts (k,): where levels end; a value belongs to the level whose cut is the first above it."""

    cuts: NDArray[np.float64]

    @property
    def levels(self) -> int:
        return len(self.cuts) + 2

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        numbers = numbers_of(values)
        codes = np.searchsorted(self.cuts, numbers, side="right")
        codes[np.isnan(numbers)] = len(self.cuts) + 1
        return codes.astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Labels:
    """common: labels with a level of their own; then come other labels of the source, labels it never had, and nulls."""

    common: Sequence[str]
    known: frozenset[str]

    @property
    def levels(self) -> int:
        return len(self.common) + 3

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        found, labels = pd.factorize(values)
        place = {label: at for at, label in enumerate(self.common)}
        other = len(self.common)
        onto = [place.get(label, other if label in self.known else other + 1) for label in labels]
        return np.array([*onto, other + 2], dtype=np.int64)[found]  # factorize's code of a null is -1, the last


@dataclass(frozen=True, eq=False)
class Coding:
    """The levels of every column. columns: in the source's order; numeric: those that are numbers or dates."""

    columns: tuple[str, ...]
    by_column: Mapping[str, _Numbers | _Labels]

    @classmethod
    def of(cls, source: pd.DataFrame) -> Coding:
        """Levels fixed by a normalised table."""
        return cls(tuple(source.columns), {str(name): _levels(source[name].to_numpy()) for name in source.columns})

    @property
    def numeric(self) -> tuple[str, ...]:
        """Columns of numbers, dates and yes/no."""
        return tuple(name for name in self.columns if isinstance(self.by_column[name], _Numbers))

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(columns,) levels."""
        return np.array([self.by_column[name].levels for name in self.columns], dtype=np.int64)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(columns,) where the levels of a column begin among those of all."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes)

    def codes(self, frame: pd.DataFrame) -> NDArray[np.int64]:
        """(n, columns) the level of every cell, counted over all columns: `starts` of its column and upwards."""
        return np.column_stack(
            [
                self.by_column[name].codes(frame[name].to_numpy()) + start
                for name, start in zip(self.columns, self.starts, strict=True)
            ]
        )

    def counts(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """(levels,) rows at every level of every column."""
        return np.bincount(codes.ravel(), minlength=int(self.sizes.sum())).astype(np.float64)


def _levels(values: NDArray[Any]) -> _Numbers | _Labels:
    if values.dtype == object:
        counts = pd.Series(values).value_counts()
        ranked = sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
        return _Labels([str(label) for label, _ in ranked[:_LABELS]], frozenset(str(label) for label in counts.index))
    numbers = numbers_of(values)
    known = numbers[~np.isnan(numbers)]
    distinct = np.unique(known)
    if len(distinct) <= _FEW:
        return _Numbers((distinct[:-1] + distinct[1:]) / 2)
    cuts = np.unique(np.quantile(known, _DECILES))
    return _Numbers(cuts[cuts > distinct[0]])
