"""What the values of one column have in common: never below zero, whole, one of a few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.constraints.learned import DIRT, Breaks, Learned
from synthml.fidelity.constraints.tables import FEW, Column, Field, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["values"]

_SET = 50
_MET = 5  # people who have each value of a set: then next to nothing else is to be expected (Good 1953)
_SPREADS = 3.0


def values(seen: Seen, columns: Mapping[str, Column]) -> Iterator[Learned]:
    """Rules on the values of single columns."""
    for name, column in columns.items():
        if column.kind == "numeric" and column.distinct > FEW:
            numbers = seen.numbers(name)
            known = numbers[~np.isnan(numbers)]
            # a column far above zero could not be below it by mistake
            if np.count_nonzero(known < 0) <= DIRT * len(known) and known.mean() < _SPREADS * known.std():
                yield Learned(f"{name} >= 0", "values", (name,), 0.0, _negative(name))
            if np.count_nonzero(known != np.floor(known)) <= DIRT * len(known):
                yield Learned(f"{name} is whole", "values", (name,), 0.0, _fractional(name))
        elif column.kind != "boolean" and column.levels is not None and column.distinct <= _SET and _met(seen, column):
            yield Learned(f"{name} has a known value", "values", (name,), 0.0, _unseen(column))


def _met(seen: Seen, column: Column) -> bool:
    return int(seen.carriers(Field(column))[: column.distinct].min(initial=_MET)) >= _MET


def _negative(name: str) -> Breaks:
    return lambda table: np.asarray(table.numbers(name) < 0)


def _fractional(name: str) -> Breaks:
    def breaks(table: Seen) -> NDArray[np.bool_]:
        numbers = table.numbers(name)
        return np.asarray(~np.isnan(numbers) & (numbers != np.floor(numbers)))

    return breaks


def _unseen(column: Column) -> Breaks:
    assert column.levels is not None
    unseen = column.levels.null + 1
    return lambda table: np.asarray(table.codes(column.name) == unseen)
