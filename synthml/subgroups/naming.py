"""Which groups are named: a label that only a few people carry would itself point at them.

A label of fewer than `FEWEST` rows (subjects, when they are known) is read as `(rare)` together with the column's other rare
labels, in intersections too. A group that the model was trained for and that has no holdout row is kept, empty: silence about it
would read as if nobody had asked.
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

__all__ = ["FEWEST", "RARE", "Members", "named_groupings"]

FEWEST = 10
RARE = "(rare)"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Members:
    """A grouping of the holdout's rows, and who is in each group.

    rows, people (groups,): holdout rows and distinct subjects (rows again when subjects are unknown)
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


def named_groupings(study: Study) -> tuple[Members, ...]:
    """The holdout's groupings (one per sensitive column and intersection) under labels that may be published."""
    subjects = study.subjects("holdout")
    trained_on = [role for role in ("source", "synthetic") if role in study.roles]
    elsewhere = [({g.columns: g for g in study.groupings(role)}, study.subjects(role)) for role in trained_on]
    holdout = study.groupings("holdout")
    rare = _rare_labels(holdout, subjects)
    found = []
    for grouping in holdout:
        columns = grouping.columns
        unseen = _unseen(grouping, [(theirs[columns], known) for theirs, known in elsewhere if columns in theirs])
        merged = _merged(grouping, rare, unseen)
        groups = len(merged.labels)
        found.append(Members(merged, np.bincount(merged.codes, minlength=groups), people_in(merged.codes, groups, subjects)))
    return tuple(found)


def _rare_labels(groupings: Sequence[Grouping], subjects: NDArray[np.int64] | None) -> set[tuple[str, str]]:
    """The (column, label) pairs that too few people carry."""
    people: dict[tuple[str, str], int] = {}
    for grouping in groupings:
        for place, column in enumerate(grouping.columns):
            pairs = sorted({labels[place] for labels in grouping.labels})
            code = {pair: i for i, pair in enumerate(pairs)}
            onto = np.array([code[labels[place]] for labels in grouping.labels], dtype=np.int64)
            counts = people_in(onto[grouping.codes], len(pairs), subjects)
            people.update({(column, label): int(counts[code[column, label]]) for _, label in pairs})
    return {pair for pair, count in people.items() if count < FEWEST}


def _unseen(grouping: Grouping, elsewhere: Iterable[tuple[Grouping, NDArray[np.int64] | None]]) -> list[Labels]:
    """Groups of the tables trained on that have no holdout row, when enough people are in them to be named."""
    seen = set(grouping.labels)
    found: dict[Labels, None] = {}
    for other, subjects in elsewhere:
        counts = people_in(other.codes, len(other.labels), subjects)
        found.update(
            {labels: None for labels, count in zip(other.labels, counts, strict=True) if labels not in seen and count >= FEWEST}
        )
    return list(found)


def _merged(grouping: Grouping, rare: set[tuple[str, str]], unseen: Iterable[Labels]) -> Grouping:
    """With rare labels read as one, groups of equal labels put together, and unseen groups appended."""
    place: dict[Labels, int] = {}
    onto = [place.setdefault(_renamed(labels, rare), len(place)) for labels in grouping.labels]
    for labels in unseen:
        place.setdefault(labels, len(place))
    return Grouping(grouping.columns, tuple(place), np.array(onto, dtype=np.int64)[grouping.codes])


def _renamed(labels: Labels, rare: set[tuple[str, str]]) -> Labels:
    return tuple((column, RARE if (column, label) in rare else label) for column, label in labels)


def group_label(labels: Labels) -> str:
    """How a group is called in a table: its labels, without the columns."""
    return ", ".join(label for _, label in labels)


def columns_label(columns: Sequence[str] | Mapping[str, object]) -> str:
    """How a grouping is called in a table."""
    return ", ".join(columns)
