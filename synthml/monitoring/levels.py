"""Levels of a column that may leave the hospital: a production batch is compared with the holdout by counting rows at each.

Numbers are cut at deciles rounded to two digits of the column's spread, so that no cut is one person's value; a number that
every fifth row carries (zero visits) has a level of its own, as has each of a few values. Labels stand by name where the minimum
cell of rows, and ten people, carry them; all others are one level, the rest, which itself is empty or as large. Neighbours are
merged until no level is a small cell. A null has no level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.study.groups import group_rows
from synthml.subgroups.naming import FEWEST, people_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Groups", "Labels", "Levels", "Numbers", "label_levels", "names_of", "number_levels", "numbers_of"]

_DECILES = np.linspace(0.1, 0.9, 9)
_FEW = 12  # numbers with at most this many common values have a level for each
_COMMON = 0.2
_LABELS = 20
NULL = -1


@dataclass(frozen=True, eq=False)
class Numbers:
    """cuts (k,), rising: a value at or below the first cut has level 0, one above the last has level k."""

    cuts: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Levels."""
        return len(self.cuts) + 1

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """(n,) level of each value, -1 for a null."""
        numbers = numbers_of(values)
        codes = np.searchsorted(self.cuts, numbers, side="left").astype(np.int64)
        codes[np.isnan(numbers)] = NULL
        return codes


@dataclass(frozen=True, eq=False)
class Labels:
    """labels: those with a level of their own; the last level is the rest."""

    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        """Levels, the rest among them."""
        return len(self.labels) + 1

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """(n,) level of each label, -1 for a null."""
        found, labels = pd.factorize(values)
        place = {label: at for at, label in enumerate(self.labels)}
        onto = np.array([*(place.get(str(label), len(self.labels)) for label in labels), NULL], dtype=np.int64)
        return onto[found]  # factorize's code of a null is -1, the last


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a sensitive column, under the labels that the evidence names; the last level is the rest, a null a group."""

    labels: tuple[str, ...]
    bins: tuple[float, ...] | None = None
    boolean: bool = False

    @property
    def size(self) -> int:
        """Levels, the rest among them."""
        return len(self.labels) + 1

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """(n,) level of each value."""
        grouping = group_rows("", pd.Series(values), self.bins, boolean=self.boolean)
        place = {label: at for at, label in enumerate(self.labels)}
        onto = np.array([place.get(pairs[0][1], len(self.labels)) for pairs in grouping.labels], dtype=np.int64)
        return onto[grouping.codes]


Levels = Numbers | Labels | Groups


def numbers_of(values: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) float64 of a normalised column of numbers or of yes and no."""
    return np.asarray(values, dtype=np.float64)


def number_levels(values: NDArray[Any], subjects: NDArray[np.int64] | None, minimum: int) -> Numbers:
    """Levels of numbers, none of them with fewer than `minimum` rows or ten people, as far as there are as many."""
    numbers = numbers_of(values)
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return Numbers(np.empty(0))
    distinct, counts = np.unique(known, return_counts=True)
    common = distinct[counts >= max(minimum, FEWEST)]
    if len(distinct) <= _FEW:
        # midpoints between common values only: one beside a rare value would give that value away
        cuts = (common[:-1] + common[1:]) / 2
    else:
        cuts = _rounded(known, np.quantile(known, _DECILES))
        frequent = distinct[counts >= max(_COMMON * known.size, minimum, FEWEST)]
        cuts = np.unique(np.concatenate([cuts, frequent]))
    return _merged(numbers, cuts, subjects, minimum)


def _rounded(known: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    """To two digits of the spread between the outer cuts."""
    spread = float(cuts[-1] - cuts[0]) or float(known.max() - known.min())
    step = 10.0 ** (math.floor(math.log10(spread)) - 1)
    return np.unique([float(f"{round(float(cut) / step) * step:.12g}") for cut in cuts])


def _merged(numbers: NDArray[np.float64], cuts: NDArray[np.float64], subjects: NDArray[np.int64] | None, minimum: int) -> Numbers:
    """Without the cuts beside levels that are too small: each goes with its smaller neighbour, the smallest first."""
    known = ~np.isnan(numbers)
    held = None if subjects is None else subjects[known]
    kept = list(cuts)
    while kept:
        levels = Numbers(np.array(kept))
        codes = levels.codes(numbers[known])
        rows = np.bincount(codes, minlength=levels.size)
        small = np.flatnonzero((rows < minimum) | (people_in(codes, levels.size, held) < FEWEST))
        if not small.size:
            break
        at = int(small[rows[small].argmin()])
        beside = [other for other in (at - 1, at + 1) if 0 <= other < levels.size]
        with_ = min(beside, key=lambda other: (int(rows[other]), other))
        del kept[min(at, with_)]  # the cut between two levels has the number of the lower one
    return Numbers(np.array(kept, dtype=np.float64))


def label_levels(values: NDArray[Any], subjects: NDArray[np.int64] | None, minimum: int) -> Labels:
    """Common labels in order of their rows; what is left is empty, or no small cell."""
    codes, labels = pd.factorize(values)
    known = codes >= 0
    rows = np.bincount(codes[known], minlength=len(labels))
    people = people_in(codes[known], len(labels), None if subjects is None else subjects[known])
    ranked = sorted(range(len(labels)), key=lambda at: (-int(rows[at]), str(labels[at])))
    kept = [at for at in ranked if rows[at] >= minimum and people[at] >= FEWEST][:_LABELS]
    rest = [at for at in ranked if at not in set(kept)]
    while kept and rest and (rows[rest].sum() < minimum or people[rest].max(initial=0) < FEWEST):
        rest.append(kept.pop())
    return Labels(tuple(str(labels[at]) for at in kept))


def names_of(levels: Levels) -> Sequence[str]:
    """How each level reads."""
    if isinstance(levels, Numbers):
        cuts = [f"{cut:.6g}" for cut in levels.cuts]
        if not cuts:
            return ["any"]
        return [f"<= {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"> {cuts[-1]}"]
    return [*levels.labels, "(rest)"]
