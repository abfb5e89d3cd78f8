"""What a reader could work out about withheld counts from everything that is published: an audit by linear programs.

Fischetti & Salazar 2001 (doi 10.1287/mnsc.47.7.1008.9837); the attacker knows every published count and total, which groups are
withheld, and for each that is withheld to protect another that it reaches the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.study.schema import MinimumCell

__all__ = ["Known", "Relation", "narrow_cells"]

_SLACK = 1e-6
_WORTHWHILE = 2  # ranges that a program must settle to be worth more than asking for one range alone


@dataclass(frozen=True)
class Relation:
    """A sum that any reader knows: sum of sign * rows over cells (and the same of events) equals a published total.

    cells, signs (k,): which cells, over all groupings; total: for each kind of count, 0 when the relation links two groupings.
    """

    cells: NDArray[np.int64]
    signs: NDArray[np.int64]
    total: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Known:
    """What is published, and what is known of the rest.

    counts (cells, kinds): rows without and with the event, or rows alone; hidden (cells,). Of the hidden: least (cells, kinds),
    lower limits, and reaching (cells,) those known to reach the minimum of rows. relations: every sum.
    """

    counts: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    least: NDArray[np.float64]
    reaching: NDArray[np.bool_]
    relations: Sequence[Relation]


def narrow_cells(known: Known, minimum: MinimumCell) -> list[int]:
    """Hidden cells whose rows, events or non-events can be pinned to a range narrower than the minimum."""
    kinds = known.counts.shape[1]
    if kinds == 2:
        parts, widths = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), np.array([minimum.rows, minimum.events, minimum.events])
    else:
        parts, widths = np.ones((1, 1)), np.array([minimum.rows])
    cells = np.flatnonzero(known.hidden)
    low, high = _ranges(_program(known, cells, minimum.rows), known.counts[cells] @ parts.T, parts, widths - _SLACK)
    narrow: list[int] = cells[(high - low < widths - _SLACK).any(axis=1)].tolist()
    return narrow


def _program(known: Known, cells: NDArray[np.intp], minimum_rows: int) -> dict[str, Any]:
    """The constraints on the hidden cells' counts, as scipy's linprog takes them."""
    kinds = known.counts.shape[1]
    place = np.full(known.hidden.size, -1)
    place[cells] = np.arange(cells.size)
    rows_at: list[NDArray[np.int64]] = []
    columns_at: list[NDArray[np.int64]] = []
    signs: list[NDArray[np.int64]] = []
    right: list[int] = []
    for relation in known.relations:
        unknown = known.hidden[relation.cells]
        if not unknown.any():
            continue
        published = (relation.signs[~unknown, None] * known.counts[relation.cells[~unknown]]).sum(axis=0)
        for kind in range(kinds):
            at = place[relation.cells[unknown]] * kinds + kind
            rows_at.append(np.full(at.size, len(right)))
            columns_at.append(at)
            signs.append(relation.signs[unknown])
            right.append(int(relation.total[kind] - published[kind]))
    where = (np.concatenate(rows_at), np.concatenate(columns_at))
    reach = np.flatnonzero(known.reaching[cells])
    own = (reach[:, None] * kinds + np.arange(kinds)).ravel()
    at_least = sparse.csr_matrix(
        (-np.ones(own.size), (np.repeat(np.arange(reach.size), kinds), own)), shape=(reach.size, cells.size * kinds)
    )
    return {
        "A_eq": sparse.csr_matrix((np.concatenate(signs), where), shape=(len(right), cells.size * kinds)),
        "b_eq": np.array(right),
        "A_ub": at_least if reach.size else None,
        "b_ub": np.full(reach.size, -float(minimum_rows)) if reach.size else None,
        "bounds": np.column_stack([known.least[cells].ravel(), np.full(cells.size * kinds, np.inf)]),
        "method": "highs",
    }


def _ranges(
    program: dict[str, Any], truth: NDArray[np.float64], parts: NDArray[np.float64], enough: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(cells, parts) least and most of every count over all points that the program allows, at least until it is `enough` wide.

    Every solution is a point that the reader cannot rule out, so it widens the ranges of all cells at once; the truth is one.
    """
    low, high = truth.copy(), truth.copy()

    def solve(weights: NDArray[np.float64]) -> None:
        solved = linprog(-(weights @ parts).ravel(), **program)
        if solved.x is not None:  # else the ranges stay as they are, and count as narrow
            point = solved.x.reshape(truth.shape[0], -1) @ parts.T
            np.minimum(low, point, out=low)
            np.maximum(high, point, out=high)

    # corners in random directions settle most ranges at a fraction of the cost of one program a range and end
    rng = np.random.default_rng(0)
    unsettled = high - low < enough
    while unsettled.any():
        before = unsettled.sum()
        solve(unsettled * rng.uniform(0.5, 1.5, truth.shape))
        unsettled = high - low < enough
        if before - unsettled.sum() < _WORTHWHILE:
            break
    for cell, part in np.argwhere(unsettled):
        for direction in (1.0, -1.0):
            if high[cell, part] - low[cell, part] < enough[part]:
                alone = np.zeros_like(truth)
                alone[cell, part] = direction
                solve(alone)
    return low, high
