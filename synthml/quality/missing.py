"""Missing values: how many in each column, and whether they depend on the group or on the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.figures import escape_label
from synthml.quality.ground import Finding
from synthml.quality.shares import gap, share_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.cells import Cells, Group
    from synthml.quality.ground import Ground

__all__ = ["finding"]

_MISSING = "share of missing values (Wilson)"
_GAP = "largest minus smallest share over groups, in the column where it is clearest (Newcombe, for all pairs and columns)"
_OUTCOME = "largest minus smallest share missing over outcomes (Newcombe, for all pairs)"
_HALVES = "share missing in the upper half of the target minus that in the lower (Newcombe)"


def finding(ground: Ground) -> Finding:
    """`quality.missingness.<role>/<column>`, `.gap.<role>/<sensitive column>`, `.outcome.<role>/<column>` and their table."""
    figures: dict[str, Estimate] = {}
    table: list[dict[str, Any]] = []
    for role in ground.roles:
        frame, subjects = ground.study.frame(role), ground.study.subjects(role)
        nulls = {str(name): frame[name].isna().to_numpy() for name in frame.columns if name != ground.study.schema.subject}
        nulls = {name: missing for name, missing in nulls.items() if missing.any()}
        for name, missing in nulls.items():
            overall = share_of(missing, subjects).estimate(ground.confidence, _by(_MISSING, subjects))
            figures[f"quality.missingness.{role}/{escape_label(name)}"] = overall
            table.append(_row(role, name, "share", overall))
            outcome = _by_outcome(ground, role, missing, subjects)
            figures[f"quality.missingness.outcome.{role}/{escape_label(name)}"] = outcome
            table.append(_row(role, name, "by outcome", outcome))
        if nulls:
            for cells in ground.cells[role]:
                _by_group(ground, role, cells, nulls, subjects, figures, table)
    return Finding(figures, {"quality_missingness": tuple(table)} if table else {})


def _by(method: str, subjects: NDArray[np.int64] | None) -> str:
    return method if subjects is None else f"{method}, by subject"


def _row(role: str, name: str, what: str, figure: Estimate, **more: Any) -> dict[str, Any]:
    return {
        "role": role, "column": name, "what": what, "sensitive": "", "most": "", "least": "", "n": figure.n,
        "value": figure.value, "low": figure.low, "high": figure.high, "reason": figure.reason, **more,
    }  # fmt: skip


def _by_outcome(ground: Ground, role: str, missing: NDArray[np.bool_], subjects: NDArray[np.int64] | None) -> Estimate:
    """How much the share of missing values differs between outcomes; of a number, between its halves."""
    y = ground.study.target(role)
    if not ground.classes:
        sides = [y < np.median(y), y >= np.median(y)]
    else:
        sides = [y == k for k in range(ground.classes)]
    least = ground.study.schema.minimum_cell.events
    held = [side for side in sides if side.sum() >= max(least, 2)]
    method = _by(_OUTCOME if ground.classes else _HALVES, subjects)
    if len(held) < 2:
        return Estimate.insufficient("fewer than two outcomes have enough rows", n=len(y), method=method)
    shares = [share_of(missing[side], None if subjects is None else subjects[side]) for side in held]
    if len(shares) > 2:
        return gap(shares, ground.confidence, method)[0]
    # two outcomes have a direction: more is missing where there is the event (or the larger number), or less
    found, most, _ = gap(shares, ground.confidence, method)
    if most == 1 or found.value is None or found.low is None or found.high is None:
        return found
    return Estimate(-found.value, -found.high, -found.low, found.n, method, confidence=ground.confidence)


def _by_group(
    ground: Ground,
    role: str,
    cells: Cells,
    nulls: dict[str, NDArray[np.bool_]],
    subjects: NDArray[np.int64] | None,
    figures: dict[str, Estimate],
    table: list[dict[str, Any]],
) -> None:
    """The column whose missing values differ most clearly between the groups; all columns in the table."""
    name = f"quality.missingness.gap.{role}/{cells.of}"
    shown = cells.shown
    if len(shown) < 2:
        figures[name] = Estimate.insufficient("fewer than two groups are large enough to compare", method=_by(_GAP, subjects))
        return
    found: dict[str, tuple[Estimate, Group, Group]] = {}
    # a sensitive column is a group of its own where it is missing: that tells nothing
    told = {column: missing for column, missing in nulls.items() if column not in cells.columns}
    for column, missing in told.items():
        shares = [share_of(missing[g.rows], None if subjects is None else subjects[g.rows]) for g in shown]
        figure, most, least = gap(shares, ground.confidence, _by(_GAP, subjects), comparisons=len(told))
        found[column] = figure, shown[most], shown[least]
        table.append(
            _row(role, column, "by group", figure, sensitive=cells.column, most=shown[most].label, least=shown[least].label)
        )
    if found:
        figures[name] = max((figure for figure, _, _ in found.values()), key=lambda f: (f.low or 0.0, f.value or 0.0))
