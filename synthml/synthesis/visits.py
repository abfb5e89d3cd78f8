"""The rows of a subject, drawn one after another.

A row is drawn from what is constant in its subject (sex, plan), how many rows the subject has, how many came before, what the row
before it held, and the mean of what all rows before it held. The last two carry both kinds of likeness that rows of one person
show: that of neighbours in time, and that which never fades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.synthesis.chain import Chain, predictor
from synthml.synthesis.columns import NULL
from synthml.synthesis.rise import rises
from synthml.synthesis.steps import Drawn, Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column
    from synthml.synthesis.steps import Key

__all__ = ["Visits"]


class Visits:
    """The row-level columns of a table with subjects."""

    def __init__(
        self,
        columns: Mapping[Key, Column],
        subjects: Mapping[Key, Column],
        units: NDArray[np.int64],
        *,
        min_leaf: int,
        seed: Sequence[int],
    ) -> None:
        """columns: of the rows, which stand subject by subject. subjects: columns with one row per subject.

        units (n,): 0, 1, ... the rows' subjects.
        """
        counts = np.bincount(units)
        starts = np.cumsum(counts) - counts
        place = np.arange(units.size) - starts[units]
        beside = {key: predictor(column, units) for key, column in subjects.items()}
        beside["place", ""] = Predictor(place.astype(np.float32), 0)
        self._rising = {key for key, column in columns.items() if rises(column, units, min_leaf)}
        for key, column in columns.items():
            beside["last", column.name], mean = _history(predictor(column), place, starts[units])
            if column.is_number and key not in self._rising:
                beside["mean", column.name] = mean
        self._chain = Chain(columns, beside=beside, units=units, min_leaf=min_leaf, seed=seed, rising=self._rising)
        self._chain.steps()

    @property
    def columns(self) -> Mapping[Key, Column]:
        """The row-level columns in visit order."""
        return self._chain.columns

    @property
    def told(self) -> Mapping[Key, NDArray[np.bool_]]:
        """(levels + 1,) for each column: which levels, and last null, may be told."""
        return self._chain.told

    @property
    def withheld(self) -> tuple[str, ...]:
        """Columns with a category or a missing value that may not be told."""
        return self._chain.withheld

    def draw(
        self, subjects: Mapping[Key, NDArray[np.floating]], counts: NDArray[np.int64], rng: np.random.Generator
    ) -> dict[Key, Drawn]:
        """Rows for subjects of which the positions are known, `counts` for each, subject by subject."""
        columns = self._chain.columns
        if not columns:
            return {}
        total, starts = int(counts.sum()), np.cumsum(counts) - counts
        out = {
            key: Drawn(
                np.zeros(total, dtype=column.levels.dtype if column.is_number else np.int64), np.zeros(total, dtype=np.float32)
            )
            for key, column in columns.items()
        }
        memory = {key: _Memory(counts.size) for key in columns}
        for place in range(int(counts.max())):
            alive = np.flatnonzero(counts > place)
            known: dict[Key, NDArray[np.floating]] = {key: position[alive] for key, position in subjects.items()}
            known["place", ""] = np.full(alive.size, place, dtype=np.float32)
            for key, column in columns.items():
                known.update(memory[key].told(column.name, alive))
            for key, drawn in self._chain.draw(known, alive.size, rng).items():
                out[key].values[starts[alive] + place] = drawn.values
                out[key].position[starts[alive] + place] = drawn.position
                memory[key].add(alive, drawn, columns[key] if key in self._rising else None)
        return out


class _Memory:
    """What the synthetic rows drawn so far say of one column, per subject."""

    def __init__(self, subjects: int) -> None:
        self._last = np.full(subjects, NULL, dtype=np.float32)
        self._point = np.full(subjects, np.nan)
        self._sum, self._count = np.zeros(subjects), np.zeros(subjects)

    def told(self, name: str, alive: NDArray[np.int64]) -> dict[Key, NDArray[np.floating]]:
        count = self._count[alive]
        mean = np.where(count > 0, self._sum[alive] / np.maximum(count, 1), NULL)
        return {
            ("last", name): self._last[alive],
            ("mean", name): mean.astype(np.float32),
            ("point", name): self._point[alive],
        }

    def add(self, alive: NDArray[np.int64], drawn: Drawn, rising: Column | None) -> None:
        self._last[alive] = drawn.position
        self._sum[alive] += np.where(drawn.null, 0, drawn.position)
        self._count[alive] += ~drawn.null
        if rising is not None:
            self._point[alive] = rising.points(drawn.values)


def _history(current: Predictor, place: NDArray[np.int64], start: NDArray[np.int64]) -> tuple[Predictor, Predictor]:
    """The row before, and the mean of all rows of the subject before it, for rows that stand subject by subject."""
    position = current.position
    last = np.where(place > 0, np.roll(position, 1), NULL).astype(np.float32)
    present = position >= 0
    sums = np.r_[0.0, np.cumsum(np.where(present, position, 0.0), dtype=np.float64)]
    counts = np.r_[0, np.cumsum(present)]
    rows = np.arange(position.size)
    held = counts[rows] - counts[start]
    mean = np.where(held > 0, (sums[rows] - sums[start]) / np.maximum(held, 1), NULL).astype(np.float32)
    return Predictor(last, current.levels), Predictor(mean, 0)
