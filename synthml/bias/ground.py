"""The same groups in every table, and which of them are withheld in all of them.

A figure of this chapter compares one group's rows in several tables, so a group is either shown everywhere or nowhere: a group
that is too small in one real table, or would give such a group away, is withheld in all. Withholding more than one table asks
for never narrows what a reader can work out of it. A group without any row in a table is no secret: it is told, and what needs
its rows is insufficient there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from synthml.study.columns import REAL
from synthml.study.groups import Grouping
from synthml.subgroups.naming import FEWEST, RARE, columns_label, group_label, named_groupings
from synthml.subgroups.showing import shown_groups
from synthml.subgroups.suppression import Withheld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study import Study
    from synthml.study.schema import Role
    from synthml.subgroups.naming import Members

__all__ = ["Sides", "sides_of"]

Labels = tuple[tuple[str, str], ...]
TABLES = ("source", "synthetic", "holdout", "reference")
_WORDS = {"source": "the source", "synthetic": "the synthetic table", "holdout": "the holdout", "reference": "the reference"}


@dataclass(frozen=True, eq=False)
class Sides:
    """One column, or intersection, in every table that has it.

    labels: the groups of all tables together. codes: role -> (n,) group of each row. rows: role -> (groups,) rows. withheld:
    (groups,) too small in a real table, or withheld to protect such a group. scarce: the same, for what is compared with the
    reference. on_holdout: (groups,) shown when only the holdout is looked at. reason: why a group is withheld, in general words.
    """

    labels: tuple[Labels, ...]
    columns: tuple[str, ...]
    codes: Mapping[str, NDArray[np.int64]]
    rows: Mapping[str, NDArray[np.int64]]
    withheld: NDArray[np.bool_]
    scarce: NDArray[np.bool_]
    on_holdout: NDArray[np.bool_]
    reason: str

    @property
    def names(self) -> tuple[str, ...]:
        """The `<of>` of each group."""
        return Grouping(self.columns, self.labels, np.zeros(0, dtype=np.int64)).names

    @property
    def column_name(self) -> str:
        """The `<of>` of a figure about the column."""
        return Grouping(self.columns, self.labels, np.zeros(0, dtype=np.int64)).column_name

    def facts(self, group: int) -> dict[str, str]:
        """How a row of a table names a group."""
        return {
            "of": self.names[group],
            "column": columns_label(self.columns),
            "group": group_label(self.labels[group]),
        }

    def lacking(self, role: str, group: int, least: int) -> str | None:
        """Why a figure that needs `least` rows of a group in a table cannot be had; None when it can."""
        if self.withheld[group]:
            return self.reason
        if role not in self.rows:
            return f"{_WORDS[role]} has no such column"
        rows = int(self.rows[role][group])
        if rows == 0:
            return f"{_WORDS[role]} has no row of this group"
        if rows < least:  # only the synthetic table comes here, whose rows are nobody's
            return f"{_WORDS[role]} has fewer than {least} rows of this group"
        if rows == self.rows[role].sum():
            return f"{_WORDS[role]} has no row outside this group"
        return None


def sides_of(study: Study) -> tuple[Sides, ...]:
    """Every sensitive column and intersection; none without a real table, whose people say which labels may be named."""
    if not any(role in study.roles for role in REAL):
        return ()
    members = {role: _members(study, role) for role in TABLES if role in study.roles}
    hidden = {role: _hidden(study, role) for role in members if role != "synthetic"}
    strange = _strange(members)
    there = {member.grouping.columns for each in members.values() for member in each}
    return tuple(_sides(study, columns, members, hidden, strange) for columns in _asked(study) if columns in there)


def _asked(study: Study) -> list[tuple[str, ...]]:
    return [*((name,) for name in study.schema.sensitive), *(tuple(names) for names in study.schema.intersections)]


def _members(study: Study, role: str) -> tuple[Members, ...]:
    return named_groupings(study, cast("Role", role))


def _hidden(study: Study, role: str) -> dict[tuple[str, ...], set[Labels]]:
    """Columns -> groups that are withheld in a table; those without a row are none of them."""
    members, decided = shown_groups(study, role)
    found: dict[tuple[str, ...], set[Labels]] = {}
    for member, each in zip(members, decided.by_grouping, strict=True):
        pairs = zip(member.grouping.labels, each, strict=True)
        found[member.grouping.columns] = {labels for labels, why in pairs if why is not None and why is not Withheld.EMPTY}
    return found


def _strange(members: Mapping[str, Sequence[Members]]) -> set[tuple[str, str]]:
    """The (column, label) pairs that no real table has and few rows carry: they might repeat somebody's value."""
    single = {role: [member.grouping for member in each if len(member.grouping.columns) == 1] for role, each in members.items()}
    known = {labels[0] for role in REAL for grouping in single.get(role, ()) for labels in grouping.labels}
    sized = [
        (labels[0], rows)
        for role in members.keys() - set(REAL)
        for grouping in single[role]
        for labels, rows in zip(grouping.labels, grouping.sizes.tolist(), strict=True)
    ]
    return {pair for pair, rows in sized if pair not in known and rows < FEWEST}


def _sides(
    study: Study,
    columns: tuple[str, ...],
    members: Mapping[str, Sequence[Members]],
    hidden: Mapping[str, Mapping[tuple[str, ...], set[Labels]]],
    strange: set[tuple[str, str]],
) -> Sides:
    place: dict[Labels, int] = {}
    codes: dict[str, NDArray[np.int64]] = {}
    for role, each in members.items():
        for grouping in (member.grouping for member in each if member.grouping.columns == columns):
            named = [tuple((column, RARE) if (column, label) in strange else (column, label) for column, label in labels)
                     for labels in grouping.labels]  # fmt: skip
            onto = np.array([place.setdefault(labels, len(place)) for labels in named], dtype=np.int64)
            codes[role] = onto[grouping.codes]
    if columns[0] in study.schema.bins and len(columns) == 1:
        # a bin of the population in which no table has anybody is a finding too; categories that no table has stop at the door
        for label in study.schema.reference_shares.get(columns[0], {}):
            place.setdefault(((columns[0], label),), len(place))
    rows = {role: np.bincount(code, minlength=len(place)).astype(np.int64) for role, code in codes.items()}

    def among(*roles: str) -> NDArray[np.bool_]:
        gone: set[Labels] = set().union(*(hidden.get(role, {}).get(columns, set()) for role in roles))
        return np.array([labels in gone for labels in place], dtype=bool)

    withheld = among(*REAL)
    on_holdout = ~among("holdout") & (rows["holdout"] > 0) if "holdout" in rows else np.zeros(len(place), dtype=bool)
    return Sides(tuple(place), columns, codes, rows, withheld, withheld | among("reference"), on_holdout, _why(study))


def _why(study: Study) -> str:
    cell = study.schema.minimum_cell
    events = f" and {cell.events} of either outcome" if study.schema.task == "binary" else ""
    return f"smaller than the minimum cell of {cell.rows} rows{events} in a real table, or withheld to protect such a group"
