"""Is every group as large a part of the synthetic table as of the source, and of the source as of the population?

LD_g = ln(odds of g in the table / odds of g in what it is compared with): 0 where nothing changed, -0.223 where the odds fell to
four fifths. Source, synthetic table and reference are taken for independent samples; where the generator keeps the source's own
sizes the interval is wider than it need be, never narrower. Shares of the population that are stated have no error.

A group that the synthetic table lost has no odds. It is still a figure, far below zero, whose upper end says how large a part the
group could at most have been for none of it to show (Wilson); the lower end stands for none at all. The same, turned round, for a
group that the generator invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.bias.bounds import Bounded, Table, exact_odds, less, odds
from synthml.estimate import Estimate
from synthml.study.groups import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.bias.ground import Sides

__all__ = ["lost_groups", "representation"]

_COMPARED = (("synthetic", "source"), ("source", "reference"))


@dataclass(frozen=True, eq=False)
class _Side:
    """Shares of every group in one table, or as they were stated. total: rows, None where shares are stated."""

    share: NDArray[np.float64]
    odds: Bounded
    rows: NDArray[np.int64] | None
    total: int | None


def representation(
    sides: Sides,
    tables: Mapping[str, Table],
    stated: Mapping[str, float] | None,
    confidence: float,
    figures: dict[str, Estimate],
    rows: list[dict[str, Any]],
) -> None:
    """Figures bias.representation.synthetic|source/<group>, and rows of the table "bias_representation".

    tables: role -> groups of its rows; stated: label -> share of the population for this column, or None.
    """
    for table, base in _COMPARED:
        known = base == "reference" and stated is not None
        if table not in tables or not (known or base in tables):
            continue
        if known and stated is not None:
            one, against = _without_missing(sides, tables[table], confidence), _stated(sides, stated)
        else:
            one, against = _side(tables[table], confidence), _side(tables[base], confidence)
        found = less(one.odds, against.odds)
        for group, of in enumerate(sides.names):
            figure = _figure(sides, group, table, base, one, against, found, confidence)
            figures[f"bias.representation.{table}/{of}"] = figure
            rows.append(_row(sides, group, table, base, one, against, figure))


def lost_groups(sides: Sides) -> tuple[list[str], list[str]]:
    """Groups of the source that the synthetic table has no row of, and groups that only the synthetic table has."""
    if not {"source", "synthetic"} <= sides.rows.keys():
        return [], []
    source, synthetic = sides.rows["source"], sides.rows["synthetic"]
    lost = [sides.names[g] for g in np.flatnonzero((source > 0) & (synthetic == 0))]
    new = [sides.names[g] for g in np.flatnonzero((source == 0) & (synthetic > 0))]
    return lost, new


def _side(table: Table, confidence: float) -> _Side:
    total = int(table.n.sum())
    return _Side(table.n / total, odds(table, confidence), table.n, total)


def _without_missing(sides: Sides, table: Table, confidence: float) -> _Side:
    """The table's rows whose value is known, for shares that are of people whose value is known."""
    missing = [group for group, labels in enumerate(sides.labels) if labels[0][1] == MISSING]
    kept = ~np.isin(table.codes, missing)
    subjects = None if table.subjects is None else table.subjects[kept]
    return _side(Table(table.codes[kept], table.groups, subjects), confidence)


def _stated(sides: Sides, stated: Mapping[str, float]) -> _Side:
    total = sum(stated.values())
    share = np.array([stated.get(labels[0][1], np.nan) for labels in sides.labels]) / total
    return _Side(share, exact_odds(share), None, None)


def _figure(
    sides: Sides, group: int, table: str, base: str, one: _Side, other: _Side, found: Bounded, confidence: float
) -> Estimate:
    if (sides.scarce if base == "reference" else sides.withheld)[group]:
        return Estimate.insufficient(sides.reason)
    if np.isnan(found.value[group]):
        return Estimate.insufficient("the stated shares have no such group")
    counts = [side.rows for side in (one, other) if side.rows is not None]
    if len(counts) == 2 and all(rows[group] == 0 for rows in counts):
        return Estimate.insufficient("neither table has a row of this group")
    totals = [side.total for side in (one, other) if side.total is not None]
    if len(counts) == 2 and all(rows[group] == total for rows, total in zip(counts, totals, strict=True)):
        return Estimate.insufficient("both tables are of this group alone: there is nothing to compare")
    method = "difference of log odds (Wilson, MOVER)" if other.total is not None else "log odds (Wilson) against a stated share"
    if any(rows[group] == 0 for rows in counts):
        method += "; no row in one table: half a row added (Haldane), the open end stands for a share of 1e-9"
    value, low, high = found.value[group], found.low[group], found.high[group]
    return Estimate(value, low, high, n=min(totals), method=method, confidence=confidence)


def _row(sides: Sides, group: int, table: str, base: str, one: _Side, other: _Side, figure: Estimate) -> dict[str, Any]:
    shown = figure.value is not None
    return {
        **sides.facts(group),
        "table": table,
        "against": base if other.total is not None else "stated shares",
        "n": int(one.rows[group]) if shown and one.rows is not None else None,
        "n_against": int(other.rows[group]) if shown and other.rows is not None else None,
        "share": float(one.share[group]) if shown else None,
        "share_against": float(other.share[group]) if shown else None,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "status": figure.status,
        "reason": figure.reason,
    }
