"""Skewed representation: how large the smallest group is, how many groups there are in effect, and which cannot be measured.

The effective number of groups is one over the chance that two rows are of one group (Simpson 1949, doi 10.1038/163688a0; Hill
1973): as many groups of equal size would meet as often. Where a small group is withheld neither figure is told, for both would
give its size away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtri

from synthml.estimate import Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import quantile
from synthml.quality.ground import Finding
from synthml.quality.shares import share_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.cells import Cells
    from synthml.quality.ground import Ground

__all__ = ["effective_groups", "finding"]

_SMALLEST = "share of the smallest group (Wilson)"
_EFFECTIVE = "inverse Simpson index, linearised"
_WITHHELD = "a group of this column is withheld, and its size must not be worked out"


def effective_groups(codes: NDArray[np.int64], subjects: NDArray[np.int64] | None, confidence: float) -> Estimate:
    """One over the sum of squared shares, between 1 and the number of groups that occur."""
    shares = np.bincount(codes) / len(codes)
    value = float(1 / (shares**2).sum())
    influence = -2 * value**2 * (shares[codes] - (shares**2).sum()) / len(codes)
    seen = spread(influence, subjects)
    if not np.isfinite(seen.variance):
        return Estimate.insufficient("a single independent unit gives no interval", n=len(codes), method=_EFFECTIVE)
    groups, units = int((shares > 0).sum()), len(codes) if subjects is None else len(np.unique(subjects))
    half = quantile(confidence) * seen.error
    # where all groups are alike the index is at its top, and falls short of it by a chi-square and not by a slope
    short = value * float(chdtri(max(groups - 1, 1), 1 - confidence)) / units
    low, high = max(1.0, value - half), min(float(groups), value + half + short)
    return Estimate(value, min(low, value), max(high, value), len(codes), _EFFECTIVE, confidence=confidence)


def finding(ground: Ground) -> Finding:
    """`quality.smallest_group.<role>/<column>`, `quality.effective_groups.<role>/<column>` and the table "quality_groups"."""
    figures: dict[str, Estimate] = {}
    table: list[dict[str, Any]] = []
    for role in ground.roles:
        for cells in ground.cells[role]:
            _of_column(ground, role, cells, figures)
            table += _rows(ground, role, cells)
    return Finding(figures, {"quality_groups": tuple(table)} if table else {})


def _of_column(ground: Ground, role: str, cells: Cells, figures: dict[str, Estimate]) -> None:
    smallest, effective = f"quality.smallest_group.{role}/{cells.of}", f"quality.effective_groups.{role}/{cells.of}"
    if cells.hides:
        figures[smallest] = Estimate.insufficient(_WITHHELD, method=_SMALLEST)
        figures[effective] = Estimate.insufficient(_WITHHELD, method=_EFFECTIVE)
        return
    held = [group for group in cells.groups if len(group.rows)]
    least = min(held, key=lambda group: (len(group.rows), group.of))
    subjects = ground.study.subjects(role)
    inside = np.zeros(len(cells.codes), dtype=bool)
    inside[least.rows] = True
    figures[smallest] = share_of(inside, subjects).estimate(ground.confidence, _SMALLEST)
    figures[effective] = effective_groups(cells.codes, subjects, ground.confidence)


def _rows(ground: Ground, role: str, cells: Cells) -> list[dict[str, Any]]:
    """Every group with its rows and events, or why it cannot be measured in this table."""
    y = ground.study.target(role) if ground.task == "binary" else None
    minimum = ground.study.schema.minimum_cell
    return [
        {
            "role": role,
            "of": group.of,
            "column": cells.column,
            "group": group.label,
            "rows": None if group.reason else len(group.rows),
            "share": None if group.reason else len(group.rows) / len(cells.codes),
            "events": None if group.reason or y is None else int(y[group.rows].sum()),
            "rows_asked": minimum.rows,
            "events_asked": minimum.events,
            "reason": group.reason,
        }
        for group in cells.groups
    ]
