"""The same comparison within every sensitive group: a table may be like its source on the whole and unlike it for some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.bias.ground import sides_of
from synthml.fidelity.missing import nulls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from synthml.bias.ground import Sides
    from synthml.fidelity.distributions import Comparison
    from synthml.fidelity.floor import Departures
    from synthml.study import Study

__all__ = ["GROUP_MEASURES", "Group", "groups_of"]

GROUP_MEASURES = ("tvd", "jensen_shannon", "ks", "wasserstein", "missingness", "pair_tvd", "association")
GROUP_HALVES = 99
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
    for each in sides_of(study):
        if "source" not in each.codes:
            continue
        for group in range(len(each.labels)):
            facts = each.facts(group)
            reason = _lacking(each, group)
            if reason:
                yield Group(facts["of"], facts["column"], facts["group"], reason=reason)
                continue
            rows = np.flatnonzero(each.codes["source"] == group)
            made = np.flatnonzero(each.codes["synthetic"] == group)
            people = len(rows) if subjects is None else len(np.unique(subjects[rows]))
            inside = comparison.within(rows, made, people, GROUP_HALVES)
            yield Group(
                facts["of"],
                facts["column"],
                facts["group"],
                len(rows),
                len(made),
                found=_found(inside, None if subjects is None else subjects[rows], pairs=pairs),
            )


def _lacking(each: Sides, group: int) -> str:
    if each.withheld[group]:
        return each.reason
    if not each.rows["source"][group]:
        return "the source has no row of this group"
    if "synthetic" not in each.codes:
        return "the synthetic table has no such column"
    made = int(each.rows["synthetic"][group])
    if not made:
        return "the synthetic table has no row of this group"
    return "" if made >= _LEAST else f"the synthetic table has fewer than {_LEAST} rows of this group"


def _found(inside: Comparison, subjects: NDArray[np.int64] | None, *, pairs: bool) -> dict[str, Departures]:
    found = inside.by_column()
    del found["shortfall"]
    found["missingness"] = nulls(inside, subjects).gaps
    if pairs:
        both = inside.by_pair()
        found["pair_tvd"], found["association"] = both.tvd, both.association
    return found
