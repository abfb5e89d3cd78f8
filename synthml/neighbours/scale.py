"""Gower's distance between rows of mixed tables, its scale fixed from the source (Gower 1971, doi 10.2307/2528823).

The distance of two rows is the (weighted) mean over columns of

    numbers, dates    |a - b| / range, at most 1; the range is that between the source's 1% and 99% quantiles
    categories        0 when equal, 1 when not; booleans are categories
    nulls             0 between two nulls, 1 between a null and a value

Where the two quantiles are one value the range is that from minimum to maximum; where the source is constant, or has no value,
any difference counts 1. Values are rounded once, to 2^-20 of the range, and distances are sums of whole numbers from then on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Self

__all__ = ["NULL", "Axis", "Encoded", "Scale"]

Array = np.ndarray[Any, np.dtype[Any]]
_RESOLUTION = 2**20
_FARTHEST = 2**29  # in units: numbers farther from the source than 512 ranges are all taken to be there
NULL = 2**30  # at least one range from every number, and differences still fit 32 bits
_TAILS = (0.01, 0.99)


@dataclass(frozen=True)
class Axis:
    """One column's part of the distance, in whole numbers.

    unit: what a distance of 1 in this column adds to a sum. width: the range of the source, None where values are labels.
    labels: the source's labels and their codes, from 1; 0 is null.
    """

    name: str
    unit: int
    low: float = 0.0
    width: float | None = None
    labels: Mapping[Hashable, int] = field(default_factory=dict)

    def encode(self, values: Array) -> tuple[Array, tuple[Hashable, ...]]:
        """(n,) int32, and the labels that the source does not have, in the order of their codes."""
        if self.width is None:
            return self._codes(values)
        numbers = _numbers(values)
        with np.errstate(over="ignore"):
            steps = np.rint((numbers - self.low) / self.width * self.unit)
        steps = np.clip(steps, -_FARTHEST, _FARTHEST)
        steps[np.isnan(numbers)] = NULL
        return steps.astype(np.int32), ()

    def _codes(self, values: Array) -> tuple[Array, tuple[Hashable, ...]]:
        at, distinct = pd.factorize(values if values.dtype == object else _numbers(values))
        unknown = [label for label in distinct if label not in self.labels]
        code = {**self.labels, **{label: len(self.labels) + 1 + place for place, label in enumerate(unknown)}}
        codes = np.array([*(code[label] for label in distinct), 0], dtype=np.int32)
        return codes[at], tuple(unknown)


@dataclass(frozen=True)
class Scale:
    """The distance, fixed from the source. axes: one for each column, in order."""

    axes: tuple[Axis, ...]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        kinds: Mapping[str, str],
        columns: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Self:
        """The scale of a source table.

        frame: a normalised frame of a study. kinds: numeric, boolean, categorical or datetime for each column. columns: those
        that the distance reads, by default all of the frame. weights: a column that is not named weighs 1.
        Raises InputError for a column that is missing or named twice, for no column, and for a weight that is not positive.
        """
        names = list(frame.columns) if columns is None else list(columns)
        missing = [name for name in names if name not in frame.columns or name not in kinds]
        if missing or not names or len(set(names)) < len(names):
            found = f"{', '.join(missing)} not found" if missing else "no column is named, or one is named twice"
            raise InputError(f"a distance needs columns of the source: {found}. Name columns that the source has, each once.")
        given = {name: float((weights or {}).get(name, 1.0)) for name in names}
        if not all(0 < weight < math.inf for weight in given.values()):
            raise InputError("a weight of the distance is not a positive number. Leave out the column instead of weighing it 0.")
        # sums of all columns stay below 2^31
        resolution = min(_RESOLUTION, 2 ** (30 - max(len(names) - 1, 1).bit_length()))
        heaviest = max(given.values())
        return cls(tuple(
            _axis(name, frame[name].to_numpy(), kinds[name], max(1, round(given[name] / heaviest * resolution))) for name in names
        ))  # fmt: skip

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the distance reads."""
        return tuple(axis.name for axis in self.axes)

    def encode(self, frame: pd.DataFrame) -> Encoded:
        """A table's rows, ready for search. Labels that the source does not have differ from each other and from all others.

        Raises InputError when the frame lacks a column.
        """
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            raise InputError(f"the table lacks {len(missing)} columns of the distance: {', '.join(missing)}. Give them.")
        values, unknown = {}, {}
        for axis in self.axes:
            values[axis.name], unknown[axis.name] = axis.encode(frame[axis.name].to_numpy())
        return Encoded(self, values, unknown, len(frame))


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows of one table in whole numbers. Make it by `Scale.encode`.

    values: (n,) int32 for each column: steps on its range or the code of its label. unknown: the labels beyond the source's.
    """

    scale: Scale
    values: Mapping[str, Array]
    unknown: Mapping[str, tuple[Hashable, ...]]
    length: int

    def __len__(self) -> int:
        return self.length

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that distances between these rows read."""
        return tuple(self.values)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The scale's axes of these columns, in the order of the scale."""
        return tuple(axis for axis in self.scale.axes if axis.name in self.values)

    def rows(self, positions: Array | Sequence[int]) -> Encoded:
        """A subset of rows, in the order of `positions` (or a boolean mask)."""
        at = np.asarray(positions)
        at = np.flatnonzero(at) if at.dtype == bool else at.astype(np.intp)
        return replace(self, values={name: column[at] for name, column in self.values.items()}, length=len(at))

    def columns(self, names: Sequence[str]) -> Encoded:
        """A subset of columns; their distances stay what they are, the mean is over them alone. No copy.

        Raises InputError when a name is not among the columns, or none is given.
        """
        missing = [name for name in names if name not in self.values]
        if missing or not names:
            raise InputError(
                f"the distance does not read {', '.join(missing) or 'no column at all'}. Name columns that it reads."
            )
        return replace(self, values={name: self.values[name] for name in names})


def _axis(name: str, values: Array, kind: str, unit: int) -> Axis:
    if kind in ("numeric", "datetime"):
        numbers = _numbers(values)
        numbers = numbers[np.isfinite(numbers)]
        if len(numbers):
            for low, high in (np.quantile(numbers, _TAILS), (numbers.min(), numbers.max())):
                if 0 < high - low < math.inf:
                    return Axis(name, unit, float(low), float(high - low))
    distinct = pd.factorize(values if values.dtype == object else _numbers(values))[1]
    return Axis(name, unit, labels={label: code for code, label in enumerate(distinct, start=1)})


def _numbers(values: Array) -> Array:
    """(n,) float64, null = NaN; dates in microseconds, which float64 holds exactly for 285 years around 1970."""
    if values.dtype.kind != "M":
        return values.astype(np.float64, copy=False)
    stamps = values.astype("datetime64[us]", copy=False)
    numbers = stamps.view(np.int64).astype(np.float64)
    numbers[np.isnat(stamps)] = np.nan
    return numbers
