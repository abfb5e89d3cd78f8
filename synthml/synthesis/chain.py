"""Columns drawn one after another, each from a tree on those before it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from synthml.synthesis.columns import NULL
from synthml.synthesis.rise import fit_rise
from synthml.synthesis.steps import Predictor, fit_step, told_levels

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column
    from synthml.synthesis.rise import Rise
    from synthml.synthesis.steps import Drawn, Key, Step

__all__ = ["Chain", "predictor"]


def predictor(column: Column, rows: NDArray[np.int64] | None = None) -> Predictor:
    """A column as trees see it, at some of its rows."""
    codes = column.codes if rows is None else column.codes[rows]
    return Predictor(codes.astype(np.float32), 0 if column.is_number else column.levels.shape[0])


class Chain:
    """The columns of one level, subjects or rows, with the trees that were grown for them so far.

    A tree is grown when an order first asks for it, and kept: orders that put the same columns before another share its tree.
    """

    def __init__(
        self,
        columns: Mapping[Key, Column],
        *,
        beside: Mapping[Key, Predictor],
        units: NDArray[np.int64] | None,
        min_leaf: int,
        seed: Sequence[int],
        rising: Collection[Key] = (),
    ) -> None:
        """columns: in visit order. beside: predictors that are known before any of them. units (n,): the rows' subjects.

        rising: columns that never fall from one row of a subject to the next.
        """
        self.columns = dict(columns)
        self.told = {key: told_levels(column, units, min_leaf) for key, column in columns.items()}
        self._predictors = {**beside, **{key: predictor(column) for key, column in columns.items()}}
        self._beside = tuple(beside)
        self._units, self._min_leaf, self._seed = units, min_leaf, tuple(seed)
        self._rising = frozenset(rising)
        self._grown: dict[tuple[Key, frozenset[Key]], Step | Rise] = {}

    @property
    def withheld(self) -> tuple[str, ...]:
        """Columns with a category or a missing value that may not be told."""
        present = {key: np.unique(column.codes) for key, column in self.columns.items()}
        return tuple(
            column.name
            for key, column in self.columns.items()
            if not self.told[key][present[key][present[key] == NULL] if column.is_number else present[key]].all()
        )

    def steps(self, given: Sequence[Key] = ()) -> tuple[Step | Rise, ...]:
        """A step for every column that is not given, in visit order, grown on all processors."""
        before = set(self._beside) | set(given)
        wanted = []
        for key in self.columns:
            if key not in given:
                wanted.append((key, frozenset(before)))
                before.add(key)
        missing = [want for want in wanted if want not in self._grown]
        if missing:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                # The last trees know the most columns and take longest: they start first.
                self._grown.update(zip(reversed(missing), pool.map(self._grow, reversed(missing)), strict=True))
        return tuple(self._grown[want] for want in wanted)

    def _grow(self, want: tuple[Key, frozenset[Key]]) -> Step | Rise:
        key, before = want
        column, seed = self.columns[key], [*self._seed, list(self.columns).index(key)]
        # The mean of a column's past tells of that column; for all others their last value and what stands beside them will do.
        known = {
            name: position
            for name, position in self._predictors.items()
            if name in before and (name[0] != "mean" or name[1] == column.name)
        }
        if key in self._rising:
            assert self._units is not None, "only rows of subjects follow one another"
            return fit_rise(column, known, self._units, min_leaf=self._min_leaf, seed=seed)
        return fit_step(column, self.told[key], known, self._units, min_leaf=self._min_leaf, seed=seed)

    def draw(
        self, known: Mapping[Key, NDArray[np.floating]], n: int, rng: np.random.Generator, given: Sequence[Key] = ()
    ) -> dict[Key, Drawn]:
        """Every column that is not given, for n rows of which the positions `known` are there already."""
        positions, drawn = dict(known), {}
        for key, step in zip((key for key in self.columns if key not in given), self.steps(given), strict=True):
            drawn[key] = step.draw(positions, n, rng)
            positions[key] = drawn[key].position
        return drawn
