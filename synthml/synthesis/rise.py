"""Numbers that never fall from one row of a subject to the next: dates of visits, ages, running counts.

The first row's value is drawn as any other; each later one is the row before it plus a drawn gap, so that a synthetic patient's
visits stay in order and the time between them is as in the source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthml.synthesis.columns import NULL, plain_column
from synthml.synthesis.smoothing import Smoother
from synthml.synthesis.steps import Drawn, Predictor, fit_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column
    from synthml.synthesis.steps import Key, Step

__all__ = ["Rise", "fit_rise", "rises"]


def rises(column: Column, units: NDArray[np.int64], min_leaf: int) -> bool:
    """Whether a column without nulls never falls within a subject, and grows in enough of them. Rows stand subject by subject."""
    if not column.is_number or (column.codes == NULL).any():
        return False
    gaps = np.diff(column.codes)[np.diff(units) == 0]
    several = np.unique(units[1:][np.diff(units) == 0]).size
    return bool(several >= max(min_leaf, 2) and (gaps >= 0).all() and (gaps > 0).any())


@dataclass(frozen=True)
class Rise:
    """How such a column is drawn: `first` for a subject's first row, then `gap` on the column's scale, up to `ceiling`."""

    column: Column
    first: Step
    gap: Step
    ceiling: float

    def draw(self, known: Mapping[Key, NDArray[np.floating]], n: int, rng: np.random.Generator) -> Drawn:
        """The column for n rows that all stand at the same place among their subject's rows."""
        before = known["point", self.column.name]
        if np.isnan(before).any():
            return self.first.draw(known, n, rng)
        points = before + self.gap.draw(known, n, rng).values
        room = np.maximum(self.ceiling - before, 0.0)
        points = np.where(points > self.ceiling, before + room * rng.random(n), points)
        values = self.column.snap(points)
        return Drawn(values, self.column.locate(values))


def fit_rise(
    column: Column, known: Mapping[Key, Predictor], units: NDArray[np.int64], *, min_leaf: int, seed: Sequence[int]
) -> Rise:
    """Learn a rising column; units (n,): the rows' subjects, rows standing subject by subject."""
    follows = np.r_[False, np.diff(units) == 0]
    heads, tails = np.flatnonzero(~follows), np.flatnonzero(follows)
    points = column.points(column.levels)[column.codes]
    gaps = plain_column(column.name, points[tails] - points[tails - 1])
    never_null = np.zeros(column.levels.shape[0] + 1, dtype=bool)

    def at(rows: NDArray[np.int64], kinds: Sequence[str]) -> dict[Key, Predictor]:
        return {key: Predictor(p.position[rows], p.levels) for key, p in known.items() if key[0] in kinds}

    return Rise(
        column,
        fit_step(
            replace(column, codes=column.codes[heads]),
            never_null,
            at(heads, ("value", "rows")),
            None,
            min_leaf=min_leaf,
            seed=[*seed, 0],
        ),
        fit_step(
            gaps,
            never_null,
            at(tails, ("value", "rows", "last", "mean", "place")),
            units[tails],
            min_leaf=min_leaf,
            seed=[*seed, 1],
        ),
        Smoother.fit(column, units, min_leaf, np.random.default_rng([*seed, 2])).bounds[1],
    )
