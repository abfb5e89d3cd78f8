"""What of the source a table reaches, and what it has that the source never had.

Of labels and few-valued numbers, coverage is the share of those that at least ten people carry and that occur at all: rarer ones
had better not be in a synthetic table. Of other numbers it is the share of the central range, between the 1st and the 99th
percentile, that lies within the other table's: extremes are single persons.

What a sample of the other table's size would miss follows from the shares alone, (1 - share) to the power of its people. How much
of a fresh sample would be new is about the share of people whose label nobody else carries (Good 1953, doi
10.1093/biomet/40.3-4.237).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.floor import Departures, joined
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from synthml.fidelity.distributions import Comparison

__all__ = ["new_categories", "uncovered"]


def uncovered(comparison: Comparison, shortfall: Departures, rng: np.random.Generator) -> Departures:
    """One minus coverage, of every column. shortfall: of the ranges of numbers."""
    people = comparison.other.rows * comparison.people / max(comparison.source.rows, 1)
    parts = []
    for at, column in enumerate(comparison.columns):
        place = slice(at, at + 1)
        part = Departures(shortfall.value[place], shortfall.floor[:, place], shortfall.drawn[:, place], 0.0, 1.0)
        if column.common is not None and column.reached is not None and len(column.common):
            value = np.atleast_1d(1 - column.reached.mean())
            missed = rng.random((comparison.repeats, len(column.common))) < (1 - column.common) ** people
            part = Departures(value, missed.mean(axis=1, keepdims=True), np.tile(value, (comparison.repeats, 1)), 0.0, 1.0)
        parts.append(part)
    return joined(parts)


def new_categories(comparison: Comparison, rng: np.random.Generator) -> Departures:
    """The share of the other table's rows with a value that the source never had; NaN for columns where any number may occur."""
    people = max(comparison.other.rows * comparison.people / max(comparison.source.rows, 1), 1.0)
    least = FEWEST / max(comparison.people, 1)
    sizes = comparison.other_sampled @ comparison.other.sizes()
    nothing = np.full((comparison.repeats, 1), np.nan)
    parts = []
    for column in comparison.columns:
        if column.new is None:
            parts.append(Departures(np.full(1, np.nan), nothing, nothing, least, 1.0))
            continue
        alone = max(column.alone * comparison.people, 0.0)
        unseen = rng.gamma(alone, size=comparison.repeats) / comparison.people if alone else np.zeros(comparison.repeats)
        floor = np.minimum(rng.poisson(unseen * people) / people, 1.0)
        made = comparison.other_sampled @ comparison.other.blocks.counts(column.new.astype(np.int64), 2)[:, 1]
        drawn = made / np.where(sizes > 0, sizes, np.nan)
        parts.append(Departures(np.atleast_1d(column.new.mean()), floor[:, None], drawn[:, None], least, 1.0))
    return joined(parts)
