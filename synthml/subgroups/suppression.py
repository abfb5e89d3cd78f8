"""Which groups are withheld, so that no small group can be read off or worked out.

Primary: a group with fewer than `minimum_cell.rows` rows, or, when the outcome is binary, fewer than `minimum_cell.events` rows
of either class, or fewer than ten subjects. Its figures, rows and events stand nowhere. A group
without any row is no secret: nobody is in it.

Complementary: what is published adds up. The rows of all groups of a column are the holdout's rows; the cells of an intersection
add up to each group of the columns it is made of. So further groups are withheld, the smallest first, until in every such sum at
least two groups are withheld that together hold the minimum *beyond what a reader already knows of them* (of a complementary
one: that it reaches the minimum). Intersections link the sums, and a chain of sums can pin down a group that each sum alone
hides: for them linear programs find the narrowest range that a reader could work out for each withheld group, and groups are
withheld until no range is narrower than the minimum (the audit of Fischetti & Salazar 2001, doi 10.1287/mnsc.47.7.1008.9837).

Groups that this made needless to withhold are shown again, the largest first. Everything is deterministic: ties go to the
group that comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from synthml.subgroups.audit import Known, Relation, narrow_cells
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from synthml.study.schema import MinimumCell
    from synthml.subgroups.naming import Labels, Members

__all__ = ["Withheld", "Withholding", "relations", "withhold"]


class Withheld(Enum):
    """Why a group is not shown."""

    EMPTY = "empty"
    SMALL = "small"
    COMPLEMENTARY = "complementary"


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
        if why is Withheld.EMPTY:
            return "no row of the holdout is in this group"
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


def withhold(
    members: Sequence[Members],
    truth: NDArray[np.int64] | None,
    minimum: MinimumCell,
    before: AbstractSet[Labels] = frozenset(),
) -> Withholding:
    """Decide which groups of which grouping are withheld.

    truth (n,): 0/1 of the rows when binary, else None. before: groups that are withheld in another table, by their labels: they
    are withheld here first, and shown only where that takes no other group's place.
    """
    counts = counts_of(members, truth)
    people = np.concatenate([member.people for member in members]) if members else np.zeros(0, dtype=np.int64)
    rows = counts.sum(axis=1)
    small = (rows < minimum.rows) | (people < FEWEST)
    if truth is not None:
        small |= counts.min(axis=1) < minimum.events
    empty = rows == 0
    small &= ~empty
    total = counts[: len(members[0].grouping.labels)].sum(axis=0) if members else np.zeros(counts.shape[1], dtype=np.int64)
    asked = np.array([labels in before and small.any() for member in members for labels in member.grouping.labels], dtype=bool)
    state = _State(counts, empty, small, asked & ~empty & ~small, minimum, relations(members, total))
    while state.close_sums() or state.close_chains():
        pass
    state.show_again()
    flags = np.full(rows.size, None, dtype=object)
    flags[empty], flags[state.small], flags[state.complementary] = Withheld.EMPTY, Withheld.SMALL, Withheld.COMPLEMENTARY
    start = np.cumsum([0, *(len(member.grouping.labels) for member in members)])
    blocks = tuple(tuple(flags[start[i] : start[i + 1]]) for i in range(len(members)))
    return Withholding(blocks, minimum, truth is not None)


@dataclass
class _State:
    """The cells while withholding grows. counts (cells, kinds); empty, small, complementary (cells,) bool."""

    counts: NDArray[np.int64]
    empty: NDArray[np.bool_]
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
        shown = [cell for cell in cells if not self.hidden[cell] and not self.empty[cell]]
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
        if unknown.size < 2:
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
        return any(self.hide_smallest(self._near(cell)) for cell in self.narrow())

    def show_again(self) -> None:
        """Show complementary groups that later ones made needless, the largest first."""
        open_sums, open_cells = self._open_sums(), self.narrow()  # after everything: what nothing could help
        for cell in sorted(np.flatnonzero(self.complementary).tolist(), key=lambda c: (-int(self.counts[c].sum()), c)):
            self.complementary[cell] = False
            if self._open_sums() != open_sums or self.narrow() != open_cells:
                self.complementary[cell] = True

    def _open_sums(self) -> list[int]:
        """Sums that hide too little."""
        return [
            at
            for at, relation in enumerate(self.relations)
            if (unknown := relation.cells[self.hidden[relation.cells]]).size and not self._sum_hides(relation, unknown)
        ]

    def narrow(self) -> list[int]:
        """Withheld cells whose counts chains of sums give away to within the minimum; none where no sums are linked."""
        if not self.hidden.any() or not any((relation.signs < 0).any() for relation in self.relations):
            return []
        known = Known(self.counts, self.hidden, self.known_least(), self.complementary, self.relations)
        return narrow_cells(known, self.minimum)

    def _near(self, cell: int) -> list[int]:
        """The cells that share a sum with this one; sums further off are added until a cell is still shown, or none is left."""
        reach = {cell}
        while True:
            wider = {int(other) for sum_ in self.relations if not reach.isdisjoint(sum_.cells.tolist()) for other in sum_.cells}
            if wider <= reach or any(not self.hidden[other] and not self.empty[other] for other in wider):
                return sorted(wider)
            reach |= wider
