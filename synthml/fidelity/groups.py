"""The same comparison within every sensitive group: a table may be like its source on the whole and unlike it for some.

A group is withheld here when it is too small in any real table, or when showing it would give such a group away, so that this
chapter never narrows what another one hides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthml.fidelity.crossing import pairs_of
from synthml.fidelity.missing import nulls
from synthml.subgroups.naming import columns_label, group_label, named_groupings
from synthml.subgroups.showing import shown_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.fidelity.distributions import Comparison
    from synthml.fidelity.floor import Departures
    from synthml.study import Study
    from synthml.subgroups.naming import Members

__all__ = ["Group", "groups_of"]

Labels = tuple[tuple[str, str], ...]
GROUP_HALVES = 59
_LEAST = 20  # synthetic rows of a group below which it says nothing about the generator


@dataclass(frozen=True, eq=False)
class Group:
    """One group. of, column, group: its names; rows, made: of the source and of the synthetic table, None when withheld.

    found: measure -> departures of all columns or pairs; empty when `reason` says why it is not shown.
    """

    of: str
    column: str
    group: str
    rows: int | None = None
    made: int | None = None
    reason: str = ""
    found: dict[str, Departures] | None = None


def groups_of(study: Study, comparison: Comparison, *, pairs: bool) -> Iterator[Group]:
    """Every group of the sensitive columns and intersections that the source has. pairs: whether pairs are looked at."""
    subjects = study.subjects("source")
    # any table may be named: which labels are rare is judged on the real ones, whichever is asked for
    synthetic = {m.grouping.columns: m for m in named_groupings(study, "synthetic")}
    withheld = _withheld(study)
    for here in named_groupings(study, "source"):
        grouping = here.grouping
        there = synthetic.get(grouping.columns)
        place = {} if there is None else {labels: at for at, labels in enumerate(there.grouping.labels)}
        found: list[tuple[Group, Comparison, NDArray[np.int64] | None]] = []
        for group, labels in enumerate(grouping.labels):
            names = grouping.names[group], columns_label(grouping.columns), group_label(labels)
            rows = here.of(group)
            made = np.zeros(0, dtype=np.int64) if there is None or labels not in place else there.of(place[labels])
            reason = withheld.get((grouping.columns, labels)) or _lacking(len(rows), len(made), there)
            if reason:
                yield Group(*names, reason=reason)
                continue
            whose = None if subjects is None else subjects[rows]
            people = len(rows) if whose is None else len(np.unique(whose))
            inside = comparison.within(rows, made, people, GROUP_HALVES)
            found.append((Group(*names, len(rows), len(made)), inside, whose))
        yield from _measured(found, pairs=pairs)


def _withheld(study: Study) -> Mapping[tuple[tuple[str, ...], Labels], str]:
    """Columns and labels of groups that may not be shown -> why."""
    found: dict[tuple[tuple[str, ...], Labels], str] = {}
    for role in ("holdout", "source"):
        if role not in study.roles:
            continue
        members, decided = shown_groups(study, role)
        for at, member in enumerate(members):
            for group, labels in enumerate(member.grouping.labels):
                reason = decided.reason(at, group)
                if reason and member.rows[group]:
                    found[member.grouping.columns, labels] = reason
    return found


def _lacking(rows: int, made: int, there: Members | None) -> str:
    if not rows:
        return "the source has no row of this group"
    if there is None:
        return "the synthetic table has no such column"
    if not made:
        return "the synthetic table has no row of this group"
    return "" if made >= _LEAST else f"the synthetic table has fewer than {_LEAST} rows of this group"


def _measured(found: Sequence[tuple[Group, Comparison, NDArray[np.int64] | None]], *, pairs: bool) -> Iterator[Group]:
    """The groups of one grouping with their departures, the pairs of all of them at once."""
    crossed = pairs_of([inside for _, inside, _ in found]) if pairs and found else [None] * len(found)
    for (group, inside, subjects), both in zip(found, crossed, strict=True):
        departures = inside.by_column()
        del departures["shortfall"]
        departures["missingness"] = nulls(inside, subjects).gaps
        if both is not None:
            departures["pair_tvd"], departures["association"] = both.tvd, both.association
        yield replace(group, found=departures)
