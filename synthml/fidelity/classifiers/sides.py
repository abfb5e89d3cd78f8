"""The rows of two tables that are compared: whole subjects, at random, equally many rows of either table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Side", "drawn", "labels_of", "numbers_of", "paired"]

_DAY = 86_400e6


@dataclass(frozen=True, eq=False)
class Side:
    """A table. frame: its rows; units (n,): whose row it is, 0 and upwards, every row its own where nothing is known;
    clustered: whether subjects are known."""

    frame: pd.DataFrame
    units: NDArray[np.int64]
    clustered: bool

    @classmethod
    def of(cls, frame: pd.DataFrame, subjects: NDArray[np.int64] | None) -> Side:
        """Of a normalised table and its subjects."""
        if subjects is None:
            return cls(frame, np.arange(len(frame)), False)
        return cls(frame, np.unique(subjects, return_inverse=True)[1].astype(np.int64), True)

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: NDArray[Any]) -> Side:
        """Some rows: a mask or positions."""
        units = np.unique(self.units[rows], return_inverse=True)[1]
        return Side(self.frame.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows], units.astype(np.int64), self.clustered)


def drawn(side: Side, sizes: Sequence[int], rng: np.random.Generator) -> list[Side]:
    """Disjoint parts of about as many rows as asked, never more: whole subjects in random order fill one after the other."""
    count = int(side.units.max(initial=-1)) + 1
    order = rng.permutation(count)
    filled = np.cumsum(np.bincount(side.units, minlength=count)[order])
    part = np.empty(count, dtype=np.int64)
    part[order] = np.searchsorted(np.cumsum(sizes), filled, side="left")
    of_row = part[side.units]
    return [side.take(of_row == at) for at in range(len(sizes))]


def paired(one: Side, other: Side) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Rows of both, one after the other; (n,) whose row it is; (n,) 0 for the first table, 1 for the other."""
    frame = pd.concat([one.frame, other.frame[one.frame.columns]], ignore_index=True)
    units = np.concatenate([one.units, other.units + int(one.units.max(initial=-1)) + 1])
    return frame, units, np.repeat([0, 1], [len(one), len(other)])


def numbers_of(values: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) float64, dates as days since 1970, NaN for null."""
    if values.dtype.kind == "M":
        days = values.astype("datetime64[us]").astype("int64") / _DAY
        return np.where(np.isnat(values), np.nan, days)
    return np.asarray(values, dtype=np.float64)


def labels_of(values: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) codes of labels by how common they are in both tables together, 0 the commonest; -1 for null."""
    codes, labels = pd.factorize(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    rank = np.empty(len(labels) + 1, dtype=np.int64)
    rank[sorted(range(len(labels)), key=lambda at: (-counts[at], str(labels[at])))] = np.arange(len(labels))
    rank[-1] = -1
    return rank[codes]
