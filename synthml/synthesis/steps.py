"""One column given others: first whether the value is missing, then which value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import InputError
from synthml.synthesis.columns import NULL, holders
from synthml.synthesis.leaves import Leaves, grow
from synthml.synthesis.smoothing import Smoother

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column

__all__ = ["Drawn", "Key", "Predictor", "Step", "fit_step", "told_levels"]

Key = tuple[str, str]
"""What a predictor is, and of which column: ("value", "age") of the same row or subject; ("last", "age"), ("mean", "age") and
("point", "age") of the subject's rows before it; ("rows", "") how many rows the subject has; ("place", "") how many came before.
"""

_FEW_LEVELS = 10  # a number with so few values is told apart value by value, not by its mean


@dataclass(frozen=True)
class Predictor:
    """A column as trees see it. position (n,): index of the value among the column's levels, NULL when missing.

    levels: how many a category has; 0 for numbers, whose order counts.
    """

    position: NDArray[np.float32]
    levels: int


@dataclass(frozen=True)
class Drawn:
    """A synthetic column. values (n,): in the column's own units, category codes for categories. position (n,): see Predictor."""

    values: NDArray[Any]
    position: NDArray[np.float32]

    @property
    def null(self) -> NDArray[np.bool_]:
        """(n,) where the value is missing."""
        return self.position < 0


@dataclass(frozen=True)
class Step:
    """How one column is drawn given the predictors named by `keys`.

    codes (r,): of the rows that train the values. nulls: the tree of missingness with `missing` (n,), None when nothing is
    missing or it may not be told.
    """

    column: Column
    keys: tuple[Key, ...]
    codes: NDArray[np.int64]
    values: Leaves
    nulls: Leaves | None
    missing: NDArray[np.bool_]
    smoother: Smoother | None

    def draw(self, known: Mapping[Key, NDArray[np.floating]], n: int, rng: np.random.Generator) -> Drawn:
        """The column for n rows whose predictors are `known`."""
        given = [known[key] for key in self.keys]
        codes = self.codes[self.values.draw(given, n, rng)]
        if self.smoother is None:
            return Drawn(codes, codes.astype(np.float32))
        values, position = self.smoother.draw(codes, rng)
        if self.nulls is not None:
            position[self.missing[self.nulls.draw(given, n, rng)]] = NULL
        return Drawn(values, position)


def told_levels(column: Column, units: NDArray[np.int64] | None, min_leaf: int) -> NDArray[np.bool_]:
    """(levels + 1,) which levels, and last null, enough subjects hold to be told.

    Raises InputError when nothing of the column may be told.
    """
    held = holders(column.codes, column.levels.shape[0], units)
    enough = max(min_leaf, 2)
    who = "rows" if units is None else "subjects"
    if column.is_number:
        present = column.codes != NULL
        count = int(present.sum()) if units is None else np.unique(units[present]).size
        if count < enough:
            raise InputError(
                f"column '{column.name}' has values in {count} {who}, fewer than {enough} (min_leaf): none may be told. "
                "Leave the column out, or lower min_leaf"
            )
    elif not (held[:-1] >= enough).any():
        raise InputError(
            f"column '{column.name}' has no category that {enough} {who} (min_leaf) share: none may be told. "
            "Leave the column out, as identifiers have no place in a synthetic table, or make its categories broader"
        )
    return held >= enough


def fit_step(
    column: Column,
    told: NDArray[np.bool_],
    known: Mapping[Key, Predictor],
    units: NDArray[np.int64] | None,
    *,
    min_leaf: int,
    seed: Sequence[int],
) -> Step:
    """Learn a column from the training rows' predictors `known`.

    told: see told_levels. units (n,): the rows' subjects, None when every row is its own.
    """
    given, categories = [p.position for p in known.values()], [p.levels for p in known.values()]
    rng = np.random.default_rng(seed)
    tree_seed = int(rng.integers(2**31))
    missing = column.null

    def grown(rows: NDArray[np.int64], response: NDArray[Any], classes: int) -> Leaves:
        whole = rows.size == missing.size
        return grow(
            given if whole else [position[rows] for position in given],
            categories,
            response,
            units if units is None or whole else units[rows],
            classes=classes,
            min_leaf=min_leaf,
            seed=tree_seed,
        )

    if not column.is_number:
        # Rows whose category is too rare lend nothing: others in their leaf stand in for them. Code -1, null, is the last entry.
        rows = np.flatnonzero(told[column.codes])
        codes = column.codes[rows]
        levels = column.levels.shape[0]
        values = grown(rows, np.where(codes == NULL, levels, codes), levels + 1)
        return Step(column, tuple(known), codes, values, None, missing, None)
    rows = np.flatnonzero(~missing)
    codes = column.codes[rows]
    values = grown(rows, *_response(column, codes))
    nulls = grown(np.arange(missing.size), missing.astype(np.int64), 2) if told[-1] else None
    return Step(column, tuple(known), codes, values, nulls, missing, Smoother.fit(column, units, min_leaf, rng))


def _response(column: Column, codes: NDArray[np.int64]) -> tuple[NDArray[Any], int]:
    """What the tree of a number separates, and in how many classes; 0: the numbers' ranks, which no outlier can pull."""
    levels = column.levels.shape[0]
    if levels <= _FEW_LEVELS:
        return codes, levels
    count = np.bincount(codes, minlength=levels)
    return ((np.cumsum(count) - count / 2) / codes.size)[codes], 0
