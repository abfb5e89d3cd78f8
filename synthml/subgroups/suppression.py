"""Which groups are withheld, so that no small group can be read off or worked out.

Primary: a group with fewer than `minimum_cell.rows` rows, or, when the outcome is binary, fewer than `minimum_cell.events` rows
of either class, or fewer than ten subjects. Its figures, rows and events stand nowhere.

Complementary: what is published adds up. The rows of all groups of a column are the holdout's rows; the cells of an intersection
add up to each group of the columns it is made of. So further groups are withheld, the smallest first, until in every such sum at
least two groups are withheld that together hold the minimum *beyond what a reader already knows of them* (of a complementary
one: that it reaches the minimum). Intersections link the sums, and a chain of sums can pin down a group that each sum alone
hides: for them linear programs find the narrowest range that a reader could work out for each withheld group, and groups are
withheld until no range is narrower than the minimum (the audit of Fischetti & Salazar 2001, doi 10.1287/mnsc.47.7.1008.9837).

Everything is deterministic: ties go to the group that comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from synthml.study.schema import MinimumCell
    from synthml.subgroups.naming import Members

__all__ = ["Relation", "Withheld", "Withholding", "feasible_ranges", "relations", "withhold"]

_SLACK = 1e-6


class Withheld(Enum):
    """Why a group is not shown."""

    SMALL = "small"
    COMPLEMENTARY = "complementary"


@dataclass(frozen=True)
class Relation:
    """A sum that any reader knows: sum of sign * rows over cells (and the same of events) equals a published total.

    cells, signs (k,): which cells, over all groupings; total: for each kind of count, 0 when the relation links two groupings.
    """

    cells: NDArray[np.int64]
    signs: NDArray[np.int64]
    total: NDArray[np.int64]


@dataclass(frozen=True)
class Withholding:
    """What is withheld in each grouping: None where a group may be shown."""

    by_grouping: tuple[tuple[Withheld | None, ...], ...]
    minimum: MinimumCell
    binary: bool

    def reason(self, grouping: int, group: int) -> str | None:
        """Why a group is not shown, in words that give no count away."""
        why = self.by_grouping[grouping][group]
        if why is None:
            return None
        if why is Withheld.COMPLEMENTARY:
            return "withheld so that a smaller group cannot be worked out from the total"
        events = f" and {self.minimum.events} of either outcome" if self.binary else ""
        return f"smaller than the minimum cell of {self.minimum.rows} rows{events}"


def counts_of(members: Sequence[Members], truth: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(cells, kinds) rows without and with the event over all groupings one after another; rows alone when truth is None."""
    blocks = []
    for member in members:
        groups = len(member.grouping.labels)
        if truth is None:
            blocks.append(member.rows[:, None])
        else:
            table = np.bincount(member.grouping.codes * 2 + truth, minlength=2 * groups)
            blocks.append(table.reshape(groups, 2))
    return np.concatenate(blocks).astype(np.int64) if blocks else np.zeros((0, 1), dtype=np.int64)


def relations(members: Sequence[Members], total: NDArray[np.int64]) -> list[Relation]:
    """Every sum between published counts: each grouping with the total, and groupings that share columns with each other."""
    start = np.cumsum([0, *(len(member.grouping.labels) for member in members)])
    found = [
        Relation(np.arange(start[i], start[i + 1]), np.ones(start[i + 1] - start[i], dtype=np.int64), total)
        for i in range(len(members))
    ]
    nothing = np.zeros_like(total)
    for i, one in enumerate(members):
        for j, other in enumerate(members[:i]):
            shared = [column for column in one.grouping.columns if column in other.grouping.columns]
            if not shared:
                continue
            sums: dict[tuple[tuple[str, str], ...], list[tuple[int, int]]] = {}
            for sign, at, member in ((1, i, one), (-1, j, other)):
                for group, labels in enumerate(member.grouping.labels):
                    key = tuple((column, label) for column, label in labels if column in shared)
                    sums.setdefault(tuple(sorted(key)), []).append((int(start[at]) + group, sign))
            found += [
                Relation(np.array([cell for cell, _ in terms]), np.array([sign for _, sign in terms]), nothing)
                for terms in sums.values()
            ]
    return found


def withhold(members: Sequence[Members], truth: NDArray[np.int64] | None, minimum: MinimumCell) -> Withholding:
    """Decide which groups of which grouping are withheld. truth (n,) 0/1 of the rows when binary, else None."""
    counts = counts_of(members, truth)
    people = np.concatenate([member.people for member in members]) if members else np.zeros(0, dtype=np.int64)
    rows = counts.sum(axis=1)
    small = (rows < minimum.rows) | (people < FEWEST)
    if truth is not None:
        small |= counts.min(axis=1) < minimum.events
    total = counts[: len(members[0].grouping.labels)].sum(axis=0) if members else np.zeros(counts.shape[1], dtype=np.int64)
    state = _State(counts, small, np.zeros_like(small), minimum, relations(members, total))
    while state.close_sums() or state.close_chains():
        pass
    flags: list[Withheld | None] = [
        Withheld.SMALL if s else Withheld.COMPLEMENTARY if c else None
        for s, c in zip(state.small, state.complementary, strict=True)
    ]
    start = np.cumsum([0, *(len(member.grouping.labels) for member in members)])
    blocks = tuple(tuple(flags[start[i] : start[i + 1]]) for i in range(len(members)))
    return Withholding(blocks, minimum, truth is not None)


@dataclass
class _State:
    """The cells while withholding grows. counts (cells, kinds); small, complementary (cells,) bool."""

    counts: NDArray[np.int64]
    small: NDArray[np.bool_]
    complementary: NDArray[np.bool_]
    minimum: MinimumCell
    relations: list[Relation]

    @property
    def hidden(self) -> NDArray[np.bool_]:
        return self.small | self.complementary

    def known_least(self) -> NDArray[np.float64]:
        """(cells, kinds) what a reader knows of a withheld cell: a complementary one reaches the minimum of events."""
        least = self.minimum.events if self.counts.shape[1] == 2 else self.minimum.rows
        return np.where(self.complementary[:, None], least, 0.0) * np.ones(self.counts.shape[1])

    def hide_smallest(self, cells: Iterable[int]) -> bool:
        """Withhold the smallest cell that is still shown; False when none is."""
        shown = [cell for cell in cells if not self.hidden[cell]]
        if not shown:
            return False
        self.complementary[min(shown, key=lambda cell: (int(self.counts[cell].sum()), cell))] = True
        return True

    def close_sums(self) -> bool:
        """One pass over every sum on its own; True when something was withheld."""
        changed = False
        for relation in self.relations:
            unknown = relation.cells[self.hidden[relation.cells]]
            if unknown.size and not self._sum_hides(relation, unknown):
                changed |= self.hide_smallest(relation.cells.tolist())
        return changed

    def _sum_hides(self, relation: Relation, unknown: NDArray[np.int64]) -> bool:
        counts = self.counts[unknown]
        if np.count_nonzero(counts.sum(axis=1)) < 2:
            return False
        if np.unique(relation.signs[self.hidden[relation.cells]]).size == 2:
            return True  # neither side is known: only the audit can tell
        rows_known = np.where(self.complementary[unknown], self.minimum.rows, 0).sum()
        if counts.sum() - rows_known < self.minimum.rows:
            return False
        beyond = counts.sum(axis=0) - self.known_least()[unknown].sum(axis=0)
        return counts.shape[1] == 1 or bool((beyond >= self.minimum.events).all())

    def close_chains(self) -> bool:
        """Audit by linear programs where sums are linked; True when something was withheld."""
        linked = any((relation.signs < 0).any() for relation in self.relations)
        hidden = np.flatnonzero(self.hidden)
        if not linked or hidden.size == 0:
            return False
        return any(self.hide_smallest(self._near(cell)) for cell in self.too_narrow())

    def _near(self, cell: int) -> list[int]:
        """The cells that share a sum with this one; sums further off are added until a cell is still shown, or none is left."""
        reach = {cell}
        while True:
            wider = {int(other) for sum_ in self.relations if not reach.isdisjoint(sum_.cells.tolist()) for other in sum_.cells}
            if wider <= reach or any(not self.hidden[other] for other in wider):
                return sorted(wider)
            reach |= wider

    def too_narrow(self) -> list[int]:
        """Withheld cells whose rows or events a reader could work out to within the minimum."""
        wanted = [("rows", float(self.minimum.rows))]
        if self.counts.shape[1] == 2:
            wanted += [("without", float(self.minimum.events)), ("with", float(self.minimum.events))]
        narrow: set[int] = set()
        for kind, width in wanted:
            ranges = feasible_ranges(
                self.counts,
                self.hidden,
                self.known_least(),
                self.complementary,
                self.minimum.rows,
                self.relations,
                kind,
                enough=width,
            )
            narrow.update(cell for cell, (low, high) in ranges.items() if high - low < width - _SLACK)
        return sorted(narrow)


def feasible_ranges(
    counts: NDArray[np.int64],
    hidden: NDArray[np.bool_],
    least: NDArray[np.float64],
    complementary: NDArray[np.bool_],
    minimum_rows: int,
    sums: Sequence[Relation],
    kind: str,
    *,
    enough: float = np.inf,
) -> dict[int, tuple[float, float]]:
    """What a reader who knows every sum could work out about each withheld cell: cell -> (least, most) of a count.

    counts (cells, kinds), hidden (cells,), least (cells, kinds) lower limits known of withheld cells, complementary (cells,):
    those known to reach `minimum_rows`. kind: "rows", "without" or "with" the event. A range `enough` wide is not widened
    further.
    """
    cells = np.flatnonzero(hidden)
    kinds = counts.shape[1]
    place = {int(cell): i for i, cell in enumerate(cells)}
    rows_at: list[NDArray[np.int64]] = []
    columns_at: list[NDArray[np.int64]] = []
    signs: list[NDArray[np.int64]] = []
    right: list[int] = []
    for relation in sums:
        unknown = hidden[relation.cells]
        if not unknown.any():
            continue
        known = (relation.signs[~unknown, None] * counts[relation.cells[~unknown]]).sum(axis=0)
        for k in range(kinds):
            at = np.array([place[int(cell)] for cell in relation.cells[unknown]]) * kinds + k
            rows_at.append(np.full(at.size, len(right)))
            columns_at.append(at)
            signs.append(relation.signs[unknown])
            right.append(int(relation.total[k] - known[k]))
    reach = np.flatnonzero(complementary[cells])
    at_least = np.zeros((reach.size, cells.size * kinds))
    for i, cell in enumerate(reach):
        at_least[i, cell * kinds : (cell + 1) * kinds] = -1
    stacked = [np.concatenate(parts) for parts in (rows_at, columns_at, signs)]
    program = {
        "A_eq": sparse.csr_matrix((stacked[2], (stacked[0], stacked[1])), shape=(len(right), cells.size * kinds)),
        "b_eq": np.array(right),
        "A_ub": at_least if reach.size else None,
        "b_ub": np.full(reach.size, -float(minimum_rows)) if reach.size else None,
        "bounds": [(low, None) for low in least[cells].ravel()],
        "method": "highs",
    }
    part = {"rows": np.ones(kinds), "without": np.eye(kinds)[0], "with": np.eye(kinds)[-1]}[kind]
    return dict(zip(cells.tolist(), _ranges(program, counts[cells] @ part, part, enough), strict=True))


def _ranges(
    program: dict[str, Any], truth: NDArray[np.float64], part: NDArray[np.float64], enough: float
) -> list[tuple[float, float]]:
    """The least and most of part @ cell over all points that a linear program allows; the truth is one of them."""
    low, high = truth.astype(np.float64), truth.astype(np.float64)

    def solve(weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """The cells where the weighted sum is greatest, which widens every range; None when there is no greatest."""
        solved = linprog(-np.outer(weights, part).ravel(), **program)
        if solved.x is None:
            return None
        cells: NDArray[np.float64] = solved.x.reshape(truth.size, part.size) @ part
        np.minimum(low, cells, out=low)
        np.maximum(high, cells, out=high)
        return cells

    # corners in random directions settle most cells at a fraction of the cost of one program a cell and direction
    rng = np.random.default_rng(0)
    open_cells = high - low < enough
    while np.isfinite(enough) and open_cells.sum() > 4:
        before = open_cells.sum()
        solve(open_cells * rng.uniform(0.5, 1.5, truth.size))
        open_cells = high - low < enough
        if before - open_cells.sum() < 4:
            break
    for cell in np.flatnonzero(open_cells):
        for direction in (1.0, -1.0):
            if high[cell] - low[cell] < enough and solve(direction * np.eye(truth.size)[cell]) is None:
                low[cell], high[cell] = -np.inf, np.inf
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
