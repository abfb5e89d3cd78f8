"""Groups of rows: one grouping per sensitive column and per intersection, with labels fit for a figure's name.

Categories are groups as they are. Numbers need bins: those of the schema, or defaults that `default_bins` chooses and the study's
notes tell. A bin [lo, hi) is labelled `lo-hi`; the last edge is included; what lies outside has a group of its own, `<lo` or `>hi`.
A null is the group `(missing)`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.figures import escape_label, group_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["AGE_BANDS", "MISSING", "Grouping", "bin_label", "cross", "default_bins", "group_rows"]

MISSING = "(missing)"
EMPTY = "(empty)"
AGE_BANDS = (0.0, 18.0, 40.0, 65.0, 120.0)
FEW = 6  # whole numbers with at most this many distinct values are categories, not a scale
_AGE = re.compile(r"(?:^|[^a-z])age(?:$|[^a-z])", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Rows of one role, sorted into groups.

    labels: per group ((column, label), ...); only groups that have a row, in a stable order: bins rise, categories are sorted,
    `(missing)` comes last. codes (n,) int64: the group of each row. Groups of two roles are the same when their labels are.
    """

    columns: tuple[str, ...]
    labels: tuple[tuple[tuple[str, str], ...], ...]
    codes: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """The `<of>` of each group, such as `sex:F race:Black`."""
        return tuple(group_of(label) for label in self.labels)

    @property
    def column_name(self) -> str:
        """The `<of>` of a disparity: `sex`, or `sex race` for an intersection."""
        return " ".join(escape_label(column) for column in self.columns)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(groups,) rows in each group."""
        return np.bincount(self.codes, minlength=len(self.labels)).astype(np.int64)


def group_rows(name: str, column: pd.Series[Any], bins: Sequence[float] | None, *, boolean: bool = False) -> Grouping:
    """The groups of one normalised column: by `bins` when it is numeric and they are given, else by its values."""
    values = column.to_numpy()
    if values.dtype == object:
        codes, uniques = pd.factorize(values, sort=False)
        ranked = np.argsort(np.array(uniques, dtype=object), kind="stable")
        labels = [uniques[i] or EMPTY for i in ranked]
        rank = np.empty(len(ranked) + 1, dtype=np.int64)
        rank[ranked] = np.arange(len(ranked))
        rank[-1] = -1  # factorize's code of a null
        codes = rank[codes]
    elif bins is not None:
        codes, labels = _binned(values, bins)
    else:
        codes, uniques = pd.factorize(values, sort=True)
        labels = [("True" if value else "False") if boolean else _number(float(value)) for value in uniques]
    return _compact((name,), [((name, label),) for label in (*labels, MISSING)], np.where(codes < 0, len(labels), codes))


def _compact(columns: tuple[str, ...], labels: Sequence[tuple[tuple[str, str], ...]], codes: NDArray[Any]) -> Grouping:
    """Only the groups that have a row, in the order given."""
    seen = np.bincount(codes, minlength=len(labels)) > 0
    place = np.cumsum(seen) - 1
    kept = tuple(label for label, there in zip(labels, seen, strict=True) if there)
    return Grouping(columns, kept, place[codes].astype(np.int64))


def cross(groupings: Sequence[Grouping]) -> Grouping:
    """The intersection of groupings of the same rows: only combinations that occur."""
    codes = np.zeros(len(groupings[0].codes), dtype=np.int64)
    labels: list[tuple[tuple[str, str], ...]] = [()]
    columns: tuple[str, ...] = ()
    for grouping in groupings:
        codes = codes * len(grouping.labels) + grouping.codes
        labels = [(*left, *right) for left in labels for right in grouping.labels]
        columns += grouping.columns
        crossed = _compact(columns, labels, codes)
        codes, labels = crossed.codes, list(crossed.labels)
    return Grouping(columns, tuple(labels), codes)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.12g}"


def bin_label(low: float, high: float) -> str:
    """`18-40`; `<18` and `>=65` where an edge is infinite; `-10..-5` where a minus sign would mislead."""
    if math.isinf(low) and math.isinf(high):
        return "any"
    if math.isinf(low):
        return f"<{_number(high)}"
    if math.isinf(high):
        return f">={_number(low)}"
    return f"{_number(low)}{'..' if low < 0 else '-'}{_number(high)}"


def _binned(values: NDArray[Any], edges: Sequence[float]) -> tuple[NDArray[Any], list[str]]:
    """Codes in the order: below the edges, the bins, above the edges; -1 for null."""
    last = len(edges) - 1
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
    codes[values == edges[-1]] = last  # the last edge belongs to the last bin
    codes[np.isnan(values)] = -1
    between = [bin_label(low, high) for low, high in pairwise(edges)]
    return codes, [
        f"<{_number(edges[0])}" if math.isfinite(edges[0]) else "",
        *between,
        f">{_number(edges[-1])}" if math.isfinite(edges[-1]) else "",
    ]


def default_bins(name: str, values: NDArray[np.float64], everywhere: NDArray[np.float64]) -> tuple[tuple[float, ...] | None, str]:
    """(edges or None for categories, why) for a numeric sensitive column without bins.

    values: those of the table that fixes quartiles; everywhere: the distinct values over all roles. An age by name and range gets
    the bands 0-18-40-65-120; whole numbers with at most six distinct values are categories; everything else is cut at the quartiles of
    `values`, rounded to three digits so that no label repeats somebody's value, with open ends. Raises ValueError when that leaves
    one group.
    """
    if len(everywhere) <= FEW and bool((everywhere == np.trunc(everywhere)).all()):
        return None, f"its {len(everywhere)} values as categories"
    if _AGE.search(name) and everywhere.min() >= 0 and everywhere.max() <= AGE_BANDS[-1]:
        return AGE_BANDS, "age bands 0-18, 18-40, 40-65, 65-120"
    known = values[~np.isnan(values)]
    cuts = sorted({float(f"{cut:.3g}") for cut in np.quantile(known, [0.25, 0.5, 0.75])})
    cuts = [cut for cut in cuts if (known < cut).any()]
    if not cuts:
        raise ValueError("its quartiles do not divide it")
    edges = (-math.inf, *cuts, math.inf)
    return edges, "quartiles: " + ", ".join(bin_label(low, high) for low, high in pairwise(edges))
