"""Which groups of a table are shown: one decision for every kind of evidence.

Two kinds that withheld different groups of one table would together show what each of them hides. So the decision is made here,
from the tables alone, in one order: the holdout by itself, then the source, then the others. A group that is withheld in an
earlier table is the first choice in a later one, so that little more is lost where figures of two tables are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from synthml.subgroups.naming import named_groupings
from synthml.subgroups.suppression import Withheld, withhold

if TYPE_CHECKING:
    from synthml.study import Study
    from synthml.study.schema import Role
    from synthml.subgroups.naming import Labels, Members
    from synthml.subgroups.suppression import Withholding

__all__ = ["shown_groups"]

_ORDER: tuple[Role, ...] = ("holdout", "source", "reference", "production")


def shown_groups(study: Study, role: str) -> tuple[tuple[Members, ...], Withholding]:
    """The groupings of a real table under labels that may be published, and which of their groups are withheld."""
    before: set[Labels] = set()
    for earlier in _ORDER[: _ORDER.index(cast("Role", role))]:
        if earlier in study.roles:
            before |= _hidden(*_decided(study, earlier, before))
    return _decided(study, cast("Role", role), before)


def _decided(study: Study, role: Role, before: set[Labels]) -> tuple[tuple[Members, ...], Withholding]:
    members = named_groupings(study, role)
    truth = study.target(role).astype(np.int64) if study.schema.task == "binary" and role in ("holdout", "source") else None
    return members, withhold(members, truth, study.schema.minimum_cell, before)


def _hidden(members: tuple[Members, ...], decided: Withholding) -> set[Labels]:
    return {
        labels
        for member, reasons in zip(members, decided.by_grouping, strict=True)
        for labels, why in zip(member.grouping.labels, reasons, strict=True)
        if why not in (None, Withheld.EMPTY)
    }
