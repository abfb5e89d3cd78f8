"""What two samples of one population show of each other: random halves of the source, by patient.

Every figure is computed between halves too. The patients are dealt into blocks once, and each half is a random half of the
blocks, so that whatever is a sum over rows is counted once per block and then added up for hundreds of halves.

Halves are smaller than the tables that are compared, so what they show is scaled to the sizes of these: differences of shares, of
distribution functions and of correlations shrink with the root of the size.

The distances here are norms of a difference between two tables, or metrics. So what the sampling of both adds to or takes from
the true distance is at most the distance that sampling alone shows (triangle inequality), and what is above the floor's 95th
percentile lies above zero with that confidence. Sampling adds more than it takes (a norm is convex), so the upper bound needs no
allowance beyond the figure's own spread. That comes from half-samples: halves of either table against each other vary around the
whole as samples of full size vary around the population (McCarthy 1969, doi 10.2307/1402116).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.proportions import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["BLOCKS", "HALVES", "Blocks", "Departure", "Departures", "halves", "scale_to", "share_for"]

BLOCKS = 64
HALVES = 199


@dataclass(frozen=True, eq=False)
class Blocks:
    """The rows of a table, dealt into blocks by patient. codes (n,): the block of each row."""

    codes: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, rows: int, subjects: NDArray[np.int64] | None, rng: np.random.Generator) -> Blocks:
        """As many as `BLOCKS`, or one per patient where there are fewer."""
        units = np.arange(rows) if subjects is None else np.unique(subjects, return_inverse=True)[1]
        people = int(units.max(initial=-1)) + 1
        count = max(min(BLOCKS, people), 1)
        return cls((rng.permutation(people) % count)[units].astype(np.int64), count)

    def counts(self, codes: NDArray[np.int64], levels: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """(blocks, levels) rows at each level. rows: which of them."""
        block = self.codes if rows is None else self.codes[rows]
        found = np.bincount(block * levels + codes, minlength=self.count * levels)
        return found.reshape(self.count, levels).astype(np.float64)


def halves(blocks: int, repeats: int, rng: np.random.Generator, *, first: float = 0.5) -> NDArray[np.float64]:
    """(repeats, blocks) 1 for the blocks of the first part, 0 for those of the second. first: its share."""
    order = rng.permuted(np.tile(np.arange(blocks), (repeats, 1)), axis=1)
    return (order < min(max(round(blocks * first), 1), blocks - 1)).astype(np.float64)


def share_for(rows: int, other: int) -> float:
    """The share of the source that plays the source, when the rest plays a table of `other` rows.

    Parts in the proportion of the tables shrink alike when they are scaled up, and so do figures that are no plain difference
    (Cramer's V of either). Half and half where the other table is larger: a small part would know little of rare levels.
    """
    return min(max(rows / max(rows + other, 1), 0.5), 0.875)


def scale_to(
    rows: float, other: float, first: NDArray[np.float64] | float, second: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Factor from two parts of the source, of `first` and `second` rows, to the source and another table, by their rows."""
    with np.errstate(divide="ignore"):
        return np.sqrt((1 / max(rows, 1) + 1 / max(other, 1)) / (1 / np.asarray(first) + 1 / np.asarray(second)))


@dataclass(frozen=True)
class Departure:
    """A figure beside its floor. floor: the median of what the halves show; floor_low, floor_high: its percentiles (5 and 95 at
    a confidence of 0.95). low, high: of the true departure. excess: beyond the floor's mean, with its bounds."""

    value: float
    low: float
    high: float
    floor: float
    floor_low: float
    floor_high: float
    excess: float
    excess_low: float
    excess_high: float

    complement: bool = False

    @property
    def departs(self) -> bool:
        """Whether it is more than two samples of the source show of each other."""
        return self.value < self.floor_low if self.complement else self.value > self.floor_high

    def complemented(self) -> Departure:
        """One minus the figure: of a share that is lacking, the share that is there."""
        return Departure(
            value=1 - self.value,
            low=1 - self.high,
            high=1 - self.low,
            floor=1 - self.floor,
            floor_low=1 - self.floor_high,
            floor_high=1 - self.floor_low,
            excess=-self.excess,
            excess_low=-self.excess_high,
            excess_high=-self.excess_low,
            complement=True,
        )


@dataclass(frozen=True, eq=False)
class Departures:
    """One measure over columns or pairs. value (k,); floor, drawn (repeats, k): between halves of the source, scaled; between
    half-samples of both tables. NaN where the measure does not exist. least: what the halves cannot tell from nothing;
    ceiling: the largest value there is."""

    value: NDArray[np.float64]
    floor: NDArray[np.float64]
    drawn: NDArray[np.float64]
    least: float = 0.0
    ceiling: float = math.inf

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """(k,) where the measure exists, for the tables and for enough halves."""
        told = [np.isnan(found).mean(axis=0) < 0.5 for found in (self.floor, self.drawn)]
        return np.asarray(~np.isnan(self.value) & told[0] & told[1])

    def mean(self) -> Departures:
        """The mean over all columns or pairs, as one."""
        at = self.there
        if not at.any():
            nothing = np.full((len(self.floor), 1), np.nan)
            return Departures(np.full(1, np.nan), nothing, nothing, self.least, self.ceiling)
        return Departures(
            self.value[at].mean(keepdims=True),
            self.floor[:, at].mean(axis=1, keepdims=True),
            self.drawn[:, at].mean(axis=1, keepdims=True),
            self.least / int(at.sum()),
            self.ceiling,
        )

    def at(self, place: int, confidence: float) -> Departure | None:
        """One of them, or None where it does not exist."""
        if not self.there[place]:
            return None
        value, floor = float(self.value[place]), np.sort(self.floor[~np.isnan(self.floor[:, place]), place])
        drawn = self.drawn[~np.isnan(self.drawn[:, place]), place]
        middle, bottom = float(np.median(floor)), _ranked(floor, 1 - confidence)
        top = max(_ranked(floor, confidence), self.least)
        reach = quantile(confidence) * float(drawn.std(ddof=1)) if len(drawn) > 1 else 0.0
        beyond = value - float(floor.mean())
        return Departure(
            value,
            max(0.0, value - top),
            max(value, min(self.ceiling, value + reach)),
            middle,
            bottom,
            top,
            beyond,
            beyond - reach,
            beyond + reach,
        )

    def departing(self, confidence: float) -> tuple[int, int, NDArray[np.float64]]:
        """How many depart, of how many, and how many of the halves' own figures would (repeats,)."""
        at = np.flatnonzero(self.there)
        limit = np.array(
            [max(_ranked(np.sort(self.floor[:, i][~np.isnan(self.floor[:, i])]), confidence), self.least) for i in at]
        )
        with np.errstate(invalid="ignore"):
            return (
                int((self.value[at] > limit).sum()),
                len(at),
                (self.floor[:, at] > limit).sum(axis=1).astype(np.float64),
            )


def _ranked(found: NDArray[np.float64], share: float) -> float:
    """The order statistic that a further draw exceeds with probability 1 - share. found: sorted."""
    rank = math.ceil(share * (len(found) + 1) - 1e-9)
    return float(found[min(max(rank, 1), len(found)) - 1])


def joined(parts: Sequence[Departures]) -> Departures:
    """Departures of several columns or pairs, side by side."""
    return Departures(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.floor for part in parts], axis=1),
        np.concatenate([part.drawn for part in parts], axis=1),
        parts[0].least,
        parts[0].ceiling,
    )
