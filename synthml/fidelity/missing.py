"""Nulls: the share in every column, and which columns are null together.

Fewer than ten people of the source without a value count as none, and so do fewer than ten with a pattern of their own: a share
would point at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.columns import total_variation
from synthml.fidelity.floor import Departures
from synthml.subgroups.naming import FEWEST, people_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.fidelity.distributions import Comparison

__all__ = ["Nulls", "Pattern", "Patterns", "nulls", "patterns"]

_PATTERNS = 100


@dataclass(frozen=True, eq=False)
class Nulls:
    """gaps: difference of the shares of nulls, NaN for columns without nulls. source, other (columns,): the shares."""

    gaps: Departures
    source: NDArray[np.float64]
    other: NDArray[np.float64]


def nulls(comparison: Comparison, subjects: NDArray[np.int64] | None) -> Nulls:
    """Shares of nulls. subjects (n,): whose row each of the source is."""
    last = np.array([[column.levels - 1] for column in comparison.columns])
    lacking = comparison.source.codes == last
    for at in np.flatnonzero(lacking.any(axis=1)):
        people = people_in(lacking[at].astype(np.int64), 2, subjects)
        if people[1] < FEWEST:
            lacking[at] = False
        elif people[0] < FEWEST:
            lacking[at] = True
    real = np.stack([comparison.source.blocks.counts(row.astype(np.int64), 2)[:, 1] for row in lacking], axis=1)
    made = np.stack([comparison.other.blocks.counts((row == end).astype(np.int64), 2)[:, 1]
                     for row, end in zip(comparison.other.codes, last, strict=True)], axis=1)  # fmt: skip
    shares = real.sum(axis=0) / max(comparison.source.rows, 1), made.sum(axis=0) / max(comparison.other.rows, 1)
    sizes = comparison.parts(comparison.source.sizes(), comparison.other.sizes())
    one, two, half, other_half = (
        part / np.where(rows > 0, rows, np.nan)[:, None] for part, rows in zip(comparison.parts(real, made), sizes, strict=True)
    )
    value = np.where((shares[0] > 0) | (shares[1] > 0), np.abs(shares[0] - shares[1]), np.nan)
    found = Departures(
        value,
        np.abs(one - two) * comparison.factor()[:, None],
        np.abs(half - other_half),
        FEWEST / max(comparison.people, 1),
        1.0,
    )
    return Nulls(found, *shares)


@dataclass(frozen=True)
class Pattern:
    """Columns that are null together, by place; source, other: shares of rows."""

    places: tuple[int, ...]
    source: float
    other: float


@dataclass(frozen=True, eq=False)
class Patterns:
    """distance: total variation of the patterns; common: those that at least ten people of the source have, the most different
    first."""

    distance: Departures
    common: tuple[Pattern, ...]


def patterns(comparison: Comparison, subjects: NDArray[np.int64] | None) -> Patterns | None:
    """How the joint patterns of nulls differ; None where nothing is null."""
    last = np.array([[column.levels - 1] for column in comparison.columns])
    lacking = np.concatenate([comparison.source.codes == last, comparison.other.codes == last], axis=1)
    if not lacking.any():
        return None
    packed = np.ascontiguousarray(np.packbits(lacking, axis=0).T)
    words = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, codes = np.unique(words, return_index=True, return_inverse=True)
    rows = comparison.source.rows
    people = people_in(codes[:rows], len(first), subjects)
    ranked = [at for at in np.argsort(-people, kind="stable").tolist() if people[at] >= FEWEST][:_PATTERNS]
    level = np.full(len(first), len(ranked))
    level[ranked] = np.arange(len(ranked))
    levels, start = len(ranked) + 1, np.zeros(1, dtype=np.int64)
    real = comparison.source.blocks.counts(level[codes[:rows]], levels)
    made = comparison.other.blocks.counts(level[codes[rows:]], levels)
    whole, other = real.sum(axis=0) / rows, made.sum(axis=0) / comparison.other.rows
    sizes = comparison.parts(comparison.source.sizes(), comparison.other.sizes())
    one, two, half, other_half = (
        part / np.where(n > 0, n, np.nan)[:, None] for part, n in zip(comparison.parts(real, made), sizes, strict=True)
    )
    distance = Departures(
        total_variation(whole, other, start),
        total_variation(one, two, start) * comparison.factor()[:, None],
        total_variation(half, other_half, start),
        FEWEST / max(comparison.people, 1),
        1.0,
    )
    common = [
        Pattern(tuple(np.flatnonzero(lacking[:, first[at]]).tolist()), float(whole[place]), float(other[place]))
        for place, at in enumerate(ranked)
    ]
    return Patterns(distance, tuple(sorted(common, key=lambda p: (-abs(p.source - p.other), p.places))))
