"""Linkability: can two partial records of one person be put together through the synthetic table?

An intruder holds two records that share no column, one with columns A and one with columns B, and looks both up in the synthetic
table (Giomi et al. 2023, doi 10.56553/popets-2023-0055). When the k rows nearest by A and the k rows nearest by B have a row in
common, he takes the records for one person's. By default A is what he may know (the quasi-identifiers) and B everything else;
without quasi-identifiers the columns are halved at random, several times, and the worst split counts.

Equally near rows are drawn by lot, apart for A and for B, so that a guess among many ties links no more than chance does. Chance
is 1 - C(n - k, k) / C(n, k) for a table of n rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.disclosure.attack import Attack, ThreatModel, measured
from synthml.disclosure.finding import Attempt, Finding, Trials, attempt_of
from synthml.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["ATTACK", "chance", "finding", "splits"]

_NEAR = (1, 10)
_SPLITS = 5


def splits(ground: Ground) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(name, A, B): the quasi-identifiers against the rest, or halves drawn at random when none are named."""
    named = tuple(name for name in ground.schema.quasi_identifiers if name in ground.columns)
    rest = tuple(name for name in ground.columns if name not in named)
    if named and rest:
        return [("quasi-identifiers and the rest", named, rest)]
    columns = named or ground.columns
    if len(columns) < 2:
        return []
    rng = ground.rng("linkability")
    drawn: dict[tuple[str, ...], tuple[str, ...]] = {}
    for _ in range(_SPLITS):
        order = [columns[i] for i in rng.permutation(len(columns))]
        half = tuple(sorted(order[: len(order) // 2]))
        drawn.setdefault(half, tuple(sorted(order[len(order) // 2 :])))
    return [(f"random halves {at + 1}", a, b) for at, (a, b) in enumerate(drawn.items())]


def chance(rows: int, k: int) -> float:
    """That two draws of k of `rows` have one in common."""
    if 2 * k > rows:
        return 1.0
    return -math.expm1(2 * math.lgamma(rows - k + 1) - math.lgamma(rows - 2 * k + 1) - math.lgamma(rows + 1))


def _attempts(ground: Ground) -> list[Attempt]:
    found = []
    for at, (name, one, other) in enumerate(splits(ground)):
        links = {side.role: _linked(side, ground, one, other, at) for side in (ground.source, ground.holdout) if side is not None}
        for place, k in enumerate(_NEAR):
            control = links["holdout"][place] if "holdout" in links else None
            guess = np.full(len(ground.source), chance(len(ground.synthetic), k))
            found.append(attempt_of(ground, f"{name}, k = {k}", Trials(links["source"][place], control, guess)))
    return found


def _linked(
    side: Side, ground: Ground, one: tuple[str, ...], other: tuple[str, ...], split: int
) -> tuple[NDArray[np.bool_], ...]:
    """Per k: (n,) whether the k nearest by A and by B share a row."""
    near = []
    for part, columns in enumerate((one, other)):
        lot = ground.rng("linkability", split, part).permutation(len(ground.synthetic))
        k = min(max(_NEAR), len(lot))
        rows = nearest(side.encoded.columns(columns), ground.synthetic.encoded.columns(columns).rows(lot), k=k).index
        near.append(lot[rows])
    return tuple(_share(near[0][:, :k], near[1][:, :k]) for k in _NEAR)


def _share(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(len(one), dtype=bool)
    for column in other.T:
        found |= (one == column[:, None]).any(axis=1)
    return found


ATTACK = Attack(
    "linkability",
    ThreatModel(
        question="Can two records of one person be linked?",
        knows="two partial records that share no column, for instance one with demographics and one with laboratory values",
        tries="to find both in the synthetic table, and takes them for one person's when the nearest rows are the same",
        succeeds="when the two records of one person lead to the same synthetic row more often than records of strangers do",
    ),
    _attempts,
)


def finding(ground: Ground) -> Finding:
    """Rates, risk and worst group; insufficient when there are not two sets of columns."""
    return measured(ATTACK, ground)
