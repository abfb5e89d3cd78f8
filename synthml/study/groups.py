"""Groups of rows: one grouping per sensitive column and per intersection, with labels fit for a figure's name.

Categories are groups as they are. Numbers need bins: those of the schema, or defaults that `default_bins` chooses and the notes
of the study tell. A bin [lo, hi) is labelled `lo-hi`; the last edge is included; what lies outside has a group of its own, `<lo`
or `>hi`. A null is the group `(missing)`, an empty text `(empty)`.
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
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study.problems import Problems
    from synthml.study.schema import Kind, Schema

__all__ = ["AGE_BANDS", "MISSING", "Grouping", "bin_label", "cross", "default_bins", "group_rows", "groupings_of", "resolve_bins"]

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
        codes, uniques = pd.factorize(values)
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
    labels.append(MISSING)
    codes = np.where(codes < 0, len(labels) - 1, codes)
    if len(set(labels)) < len(labels):  # a text that reads `(missing)` is no group of its own
        first = {label: i for i, label in reversed(list(enumerate(labels)))}
        codes = np.array([first[label] for label in labels])[codes]
    return _compact((name,), [((name, label),) for label in labels], codes)


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
    codes = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
    codes[values == edges[-1]] = len(edges) - 1  # the last edge belongs to the last bin
    codes[np.isnan(values)] = -1
    between = [bin_label(low, high) for low, high in pairwise(edges)]
    return codes, [f"<{_number(float(edges[0]))}", *between, f">{_number(float(edges[-1]))}"]


def default_bins(name: str, values: NDArray[np.float64], everywhere: NDArray[np.float64]) -> tuple[tuple[float, ...] | None, str]:
    """(edges or None for categories, why) for a numeric sensitive column without bins.

    values: the column of the table that fixes quartiles (the source when there is one); everywhere: the distinct values over all
    roles. Whole numbers with at most six distinct values are categories. An age, by its name and with nobody above 120, gets the
    bands 0-18-40-65-120. Everything else is cut at its quartiles, rounded to three digits so that no label repeats the value of
    somebody, with open ends. Raises ValueError when that leaves one group.
    """
    if len(everywhere) <= FEW and bool((everywhere == np.trunc(everywhere)).all()):
        return None, f"its {len(everywhere)} distinct values"
    if _AGE.search(name) and everywhere.min() >= 0 and everywhere.max() <= AGE_BANDS[-1]:
        return AGE_BANDS, "age bands " + ", ".join(bin_label(low, high) for low, high in pairwise(AGE_BANDS))
    known = values[~np.isnan(values)]
    cuts = sorted({float(f"{cut:.3g}") for cut in np.quantile(known, [0.25, 0.5, 0.75])})
    cuts = [cut for cut in cuts if (known < cut).any() and (known >= cut).any()]
    if not cuts:
        raise ValueError("most of its rows have one value, so its quartiles do not divide it")
    edges = (-math.inf, *cuts, math.inf)
    return edges, "quartiles " + ", ".join(bin_label(low, high) for low, high in pairwise(edges))


def resolve_bins(
    schema: Schema, kinds: Mapping[str, Kind], frames: Mapping[str, pd.DataFrame], problems: Problems, notes: list[str]
) -> dict[str, Sequence[float]]:
    """The bins of the schema, and defaults where a numeric sensitive column has none; too many groups are a problem."""
    bins = {name: edges for name, edges in schema.bins.items() if kinds.get(name, "numeric") == "numeric"}
    for name in schema.bins.keys() - bins.keys():
        remedy = "Leave the bins out, or say kinds: numeric."
        problems.add(f"schema.bins.{name}", f"the column is {kinds[name]}, and only numbers have bins", remedy)
    for name in schema.sensitive:
        if name not in kinds:
            continue
        if kinds[name] == "datetime":
            remedy = "Add a column with the period, such as the year, and name that."
            problems.add("schema.sensitive", f"'{name}' is a date, which has no groups", remedy)
            continue
        if kinds[name] == "numeric" and name not in bins:
            edges = _default(name, frames, problems, notes)
            if edges is not None:
                bins[name] = edges
        if name not in bins:
            _check_count(name, frames, schema.maximum_groups, problems)
    for names in schema.intersections:
        _check_crossed(names, bins, kinds, frames, schema.maximum_groups, problems)
    return bins


def _default(name: str, frames: Mapping[str, pd.DataFrame], problems: Problems, notes: list[str]) -> tuple[float, ...] | None:
    order = [role for role in ("source", "holdout", "reference", "production", "synthetic") if role in frames]
    held = [frames[role][name] for role in order if name in frames[role].columns and frames[role][name].notna().any()]
    if not held:
        return None  # told as a column that is null throughout
    distinct = np.unique(np.concatenate([column.dropna().unique() for column in held]))
    if not np.isfinite(distinct).all():
        return None  # told as infinite values
    try:
        edges, why = default_bins(name, held[0].to_numpy(), distinct)
    except ValueError as error:
        remedy = f"Write bins: {{{name}: [0, 0.5, 1]}} with edges that mean something."
        problems.add(f"schema.bins.{name}", f"the column needs bins: {error}", remedy)
        return None
    notes.append(f"groups of {name}: {why}; say schema.bins to choose others.")
    return edges


def _check_count(name: str, frames: Mapping[str, pd.DataFrame], limit: int, problems: Problems) -> None:
    for role, frame in frames.items():
        count = int(frame[name].nunique(dropna=False)) if name in frame.columns else 0
        if count > limit:
            remedy = "Merge values, give bins if it is a number, or raise maximum_groups."
            problems.add(f"{role}.{name}", f"has {count} groups, more than maximum_groups = {limit}", remedy)


def _check_crossed(
    names: Sequence[str],
    bins: Mapping[str, Sequence[float]],
    kinds: Mapping[str, Kind],
    frames: Mapping[str, pd.DataFrame],
    limit: int,
    problems: Problems,
) -> None:
    """An intersection may have ten times as many groups as a column: most are small then, and suppressed one by one."""
    for role, frame in frames.items():
        if not all(name in frame.columns and kinds.get(name) != "datetime" for name in names) or not len(frame):
            continue
        single = [group_rows(name, frame[name], bins.get(name), boolean=kinds.get(name) == "boolean") for name in names]
        if any(len(grouping.labels) > limit for grouping in single):
            continue  # told for the column
        count = len(cross(single).labels)
        if count > 10 * limit:
            told = f"the intersection of {', '.join(names)} has {count} groups, more than ten times maximum_groups = {limit}"
            problems.add(role, told, "Merge values, cross fewer columns, or raise maximum_groups.")


def groupings_of(frame: pd.DataFrame, schema: Schema) -> tuple[Grouping, ...]:
    """One grouping per sensitive column of the frame, then one per intersection. schema: with kinds and bins resolved."""
    single = {
        name: group_rows(name, frame[name], schema.bins.get(name), boolean=schema.kinds.get(name) == "boolean")
        for name in schema.sensitive
        if name in frame.columns
    }
    crossed = [cross([single[name] for name in names]) for names in schema.intersections if all(name in single for name in names)]
    return (*single.values(), *crossed)
