"""Numbers or dates of which one never exceeds the other: `admission <= discharge`.

Chance is what the two columns would do if their rows had been shuffled apart: the expectation over all permutations follows from
the margins alone. An inequality that the margins force (an age below a year of birth) is no rule between columns.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.constraints.learned import DIRT, EXPECTED, OF_CHANCE, Breaks, Learned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from synthml.fidelity.constraints.tables import Column, Seen

__all__ = ["inequalities"]

_LEAST_KNOWN = 100
_LEAST_CHANCE = 0.01  # of the rows where both are known


def inequalities(seen: Seen, columns: Mapping[str, Column]) -> Iterator[Learned]:
    """Inequalities and equalities of the rows learned from, without those that follow from others."""
    found: dict[tuple[str, str], Learned] = {}
    copies: set[str] = set()  # columns that equal an earlier one: what holds of that holds of them
    scales = [column for column in columns.values() if column.number and column.distinct > 2]
    for one, other in combinations(scales, 2):
        if one.kind != other.kind or one.name in copies or other.name in copies:
            continue
        for rule in _between(seen, one.name, other.name):
            found[rule.columns[0], rule.columns[1]] = rule
            if rule.label == f"{one.name} == {other.name}":
                copies.add(other.name)
    for (low, high), rule in found.items():
        if not any((low, middle) in found and (middle, high) in found for middle in columns):
            yield rule


def _between(seen: Seen, one: str, other: str) -> Iterator[Learned]:
    left, right = seen.numbers(one), seen.numbers(other)
    glance = np.sign(left[seen.glance] - right[seen.glance])
    if min(np.count_nonzero(glance > 0), np.count_nonzero(glance < 0)) > 0.01 * len(glance):
        return
    known = ~(np.isnan(left) | np.isnan(right))
    rows = int(known.sum())
    left, right = left[known], right[known]
    if rows * seen.people < _LEAST_KNOWN:
        return
    above, below = int(np.count_nonzero(left > right)), int(np.count_nonzero(left < right))
    by_chance = _by_chance(left, right)  # above, equal, below
    if (
        above + below <= _allowed((by_chance[0] + by_chance[2]) * rows, rows, seen.people)
        and by_chance[0] + by_chance[2] >= _LEAST_CHANCE
    ):
        share = (by_chance[0] + by_chance[2]) * rows / seen.rows
        yield Learned(f"{one} == {other}", "inequality", (one, other), share, _breaks(one, other, "!="))
        return
    for low, high, broken, chance in ((one, other, above, by_chance[0]), (other, one, below, by_chance[2])):
        if chance < _LEAST_CHANCE or broken > _allowed(chance * rows, rows, seen.people):
            continue
        equal = rows - above - below
        strict = equal <= _allowed(by_chance[1] * rows, rows, seen.people) and by_chance[1] * rows * seen.people >= EXPECTED
        sign, share = ("<", chance + by_chance[1]) if strict else ("<=", chance)
        breaks = _breaks(low, high, ">=" if strict else ">")
        yield Learned(f"{low} {sign} {high}", "inequality", (low, high), share * rows / seen.rows, breaks)


def _allowed(expected: float, rows: int, people: float) -> float:
    """Rows that may break a rule which chance would let `expected` rows break; below 0 when it could not be told from chance."""
    return -1.0 if expected * people < EXPECTED else min(DIRT * rows, OF_CHANCE * expected)


def _by_chance(left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float, float]:
    """Shares of left above, equal to and below right over all pairings of their values."""
    ordered = np.sort(right)
    values, counts = np.unique(left, return_counts=True)
    under, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    pairs = len(left) * len(right)
    above, equal = float(counts @ under) / pairs, float(counts @ (upto - under)) / pairs
    return above, equal, 1 - above - equal


def _breaks(one: str, other: str, sign: str) -> Breaks:
    """Rows where one <sign> other; a null breaks nothing."""

    def breaks(table: Seen) -> NDArray[np.bool_]:
        left, right = table.numbers(one), table.numbers(other)
        if sign == "!=":
            return np.asarray((left < right) | (left > right))
        return np.asarray(left > right if sign == ">" else left >= right)

    return breaks
