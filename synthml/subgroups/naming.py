"""Which groups are named: a label that only a few people carry would itself point at them.

A label of fewer than `FEWEST` people (rows, when subjects are unknown) in holdout and source together is read as `(rare)`, along
with the column's other rare labels, in intersections too; the labels of bins are the schema's own and stay. A group that the
model was trained for and that has no holdout row is kept, empty: silence about it would read as if nobody had asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.study.groups import Grouping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study import Study
    from synthml.study.schema import Role

__all__ = ["FEWEST", "RARE", "Members", "named_groupings"]

FEWEST = 10
RARE = "(rare)"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Members:
    """A grouping of one table's rows, and who is in each group.

    rows, people (groups,): rows and distinct subjects (rows again when subjects are unknown)
    """

    grouping: Grouping
    rows: NDArray[np.int64]
    people: NDArray[np.int64]

    def of(self, group: int) -> NDArray[np.intp]:
        """Positions of the rows of a group."""
        return np.flatnonzero(self.grouping.codes == group)


def people_in(codes: NDArray[np.int64], groups: int, subjects: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(groups,) distinct subjects, or rows when there are none."""
    if subjects is None:
        return np.bincount(codes, minlength=groups).astype(np.int64)
    _, subject = np.unique(subjects, return_inverse=True)
    pairs = np.unique(codes * (int(subject.max(initial=0)) + 1) + subject)
    return np.bincount(pairs // (int(subject.max(initial=0)) + 1), minlength=groups).astype(np.int64)


def named_groupings(study: Study, role: Role = "holdout") -> tuple[Members, ...]:
    """The groupings of a table (one per sensitive column and intersection) under labels that may be published.

    Source and holdout say which labels are rare; one of the two must be there.
    """
    subjects = study.subjects(role)
    wanted = dict.fromkeys(("holdout", "source", "synthetic", role))
    known: dict[str, _Role] = {name: _Role(study, name) for name in wanted if name in study.roles}
    real = [known[name] for name in ("holdout", "source") if name in known]
    rare = _rare_labels(real, study.schema.bins)
    others = [table for name, table in known.items() if name != role]
    found = []
    for grouping in known[role].groupings.values():
        merged = _merged(grouping, rare, _unseen(grouping, others))
        groups = len(merged.labels)
        rows = np.bincount(merged.codes, minlength=groups)
        found.append(Members(merged, rows, people_in(merged.codes, groups, subjects)))
    return tuple(found)


class _Role:
    """The groupings of one table by their columns, and its subjects."""

    def __init__(self, study: Study, role: str) -> None:
        self.groupings = {grouping.columns: grouping for grouping in study.groupings(role)}
        self.subjects = study.subjects(role)

    def people(self, columns: tuple[str, ...]) -> dict[Labels, int]:
        """How many people are in each group."""
        grouping = self.groupings.get(columns)
        if grouping is None:
            return {}
        counts = people_in(grouping.codes, len(grouping.labels), self.subjects)
        return dict(zip(grouping.labels, counts.tolist(), strict=True))


def _rare_labels(real: Sequence[_Role], bins: Mapping[str, object]) -> set[tuple[str, str]]:
    """The (column, label) pairs that too few people carry."""
    people: dict[tuple[str, str], int] = {}
    for columns in real[0].groupings:
        if len(columns) == 1 and columns[0] not in bins:
            for role in real:
                for labels, count in role.people(columns).items():
                    people[labels[0]] = people.get(labels[0], 0) + count
    return {pair for pair, count in people.items() if count < FEWEST}


def _unseen(grouping: Grouping, others: Iterable[_Role]) -> list[Labels]:
    """Groups of the other tables that have no row here, when enough people are in them to be named."""
    seen = set(grouping.labels)
    found: dict[Labels, None] = {}
    for role in others:
        counts = role.people(grouping.columns)
        found.update({labels: None for labels, count in counts.items() if labels not in seen and count >= FEWEST})
    return list(found)


def _merged(grouping: Grouping, rare: set[tuple[str, str]], unseen: Iterable[Labels]) -> Grouping:
    """With rare labels read as one, groups of equal labels put together, and unseen groups appended."""
    place: dict[Labels, int] = {}
    onto = [place.setdefault(_renamed(labels, rare), len(place)) for labels in grouping.labels]
    for labels in unseen:
        place.setdefault(_renamed(labels, rare), len(place))
    return Grouping(grouping.columns, tuple(place), np.array(onto, dtype=np.int64)[grouping.codes])


def _renamed(labels: Labels, rare: set[tuple[str, str]]) -> Labels:
    return tuple((column, RARE if (column, label) in rare else label) for column, label in labels)


def group_label(labels: Labels) -> str:
    """How a group is called in a table: its labels, without the columns."""
    return ", ".join(label for _, label in labels)


def columns_label(columns: Sequence[str]) -> str:
    """How a grouping is called in a table."""
    return ", ".join(columns)
