"""The sensitive groups of every table under labels that may be told, and why a group is not shown.

Names come from the real tables (`subgroups.naming`); a group of the synthetic table has the name that its real namesake has, and
labels that no real row has are read as `(rare)` together. What is withheld is decided table by table (`subgroups.suppression`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from synthml.study.groups import Grouping
from synthml.subgroups.naming import FEWEST, RARE, Members, columns_label, group_label, named_groupings, people_in
from synthml.subgroups.showing import shown_groups
from synthml.subgroups.suppression import withhold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.study import Study
    from synthml.subgroups.suppression import Withholding

__all__ = ["Cells", "Group", "cells_of"]

_REAL: Mapping[str, Literal["source", "holdout"]] = {"source": "source", "holdout": "holdout"}


@dataclass(frozen=True, eq=False)
class Group:
    """One group of one table. of: as in figure ids. rows: positions; reason: why nothing of it is shown, or None."""

    of: str
    label: str
    rows: NDArray[np.intp]
    reason: str | None


@dataclass(frozen=True, eq=False)
class Cells:
    """One grouping of one table. of: as in ids (`sex race`); column: as in tables (`sex, race`); codes (n,): each row's group."""

    of: str
    column: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    codes: NDArray[np.int64]

    @property
    def shown(self) -> tuple[Group, ...]:
        """Groups that may be shown."""
        return tuple(group for group in self.groups if group.reason is None)

    @property
    def hides(self) -> bool:
        """Whether a group with rows is withheld: then what the groups add up to is not told either."""
        return any(group.reason is not None and len(group.rows) for group in self.groups)


def cells_of(study: Study, role: str) -> tuple[Cells, ...]:
    """The groupings of a table: one per sensitive column that it has, then one per intersection."""
    if not study.groupings(role):
        return ()
    members, withheld = shown_groups(study, role) if role in _REAL else _of_nobody(study, role)
    found = []
    for at, member in enumerate(members):
        grouping = member.grouping
        reasons = [withheld.reason(at, i) for i in range(len(grouping.labels))]
        groups = tuple(
            Group(of, group_label(labels), member.of(i), reason and _in(role, reason))
            for i, (of, labels, reason) in enumerate(zip(grouping.names, grouping.labels, reasons, strict=True))
        )
        found.append(Cells(grouping.column_name, columns_label(grouping.columns), grouping.columns, groups, grouping.codes))
    return tuple(found)


def _in(role: str, reason: str) -> str:
    return reason.replace("of the holdout", f"of the {role} table")


def _of_nobody(study: Study, role: str) -> tuple[tuple[Members, ...], Withholding]:
    """Of the synthetic table, whose rows are nobody's: what is too small to say anything is withheld all the same."""
    members = _members(study, role)
    truth = study.target(role).astype(np.int64) if study.schema.task == "binary" and role == "synthetic" else None
    return members, withhold(members, truth, study.schema.minimum_cell)


def _members(study: Study, role: str) -> tuple[Members, ...]:
    known: dict[tuple[str, str], None] = {}
    real = next((known_as for name, known_as in _REAL.items() if name in study.roles), None)
    if real is not None:
        known = {pair: None for member in named_groupings(study, real) for labels in member.grouping.labels for pair in labels}
    subjects = study.subjects(role)
    groupings = study.groupings(role)
    if real is None:
        for grouping in groupings:
            if len(grouping.columns) == 1:
                many = people_in(grouping.codes, len(grouping.labels), subjects) >= FEWEST
                known |= {labels[0]: None for labels, enough in zip(grouping.labels, many, strict=True) if enough}
    return tuple(_renamed(grouping, known, subjects) for grouping in groupings)


def _renamed(grouping: Grouping, known: dict[tuple[str, str], None], subjects: NDArray[np.int64] | None) -> Members:
    """With labels that are not known read as one."""
    place: dict[tuple[tuple[str, str], ...], int] = {}
    onto = []
    for labels in grouping.labels:
        told = tuple((column, label if (column, label) in known else RARE) for column, label in labels)
        onto.append(place.setdefault(told, len(place)))
    merged = Grouping(grouping.columns, tuple(place), np.array(onto, dtype=np.int64)[grouping.codes])
    count = len(merged.labels)
    return Members(merged, np.bincount(merged.codes, minlength=count), people_in(merged.codes, count, subjects))
