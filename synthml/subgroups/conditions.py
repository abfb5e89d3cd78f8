"""Conditions that a slice of rows may be described by: `age >= 65`, `plan = free`, `income is missing`.

Cut points are quantiles rounded to two digits of the column's spread, and the outer bins are open, so that no label repeats the
value of one patient; a value or category stands in a label only when the minimum cell of rows carries it. Categories below
that are read as `(rare)` together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthml.subgroups.naming import RARE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from synthml.study import Study
    from synthml.subgroups.naming import Members

__all__ = ["Condition", "conditions"]

_CUTS = (0.2, 0.4, 0.6, 0.8)
_FEW = 10  # numbers with at most this many distinct values are described value by value
_COMMON = 0.2  # a single number that this share of rows carries (zero visits) has a condition of its own
_CATEGORIES = 30


@dataclass(frozen=True, eq=False)
class Condition:
    """column: two conditions of one column never meet in a slice. text: how it reads. rows (n,) bool: where it holds."""

    column: str
    text: str
    rows: NDArray[np.bool_]


def conditions(study: Study, members: Iterable[tuple[Members, Collection[int]]], *, minimum_rows: int) -> list[Condition]:
    """Every condition on the holdout's features and sensitive columns that `minimum_rows` rows or more meet, but not all.

    members: each grouping with the groups that may be shown.
    """
    found: list[Condition] = []
    single: set[str] = set()
    for member, shown in members:
        if len(member.grouping.columns) == 1:
            column = member.grouping.columns[0]
            single.add(column)
            labels = member.grouping.labels
            found += [Condition(column, f"{column} = {labels[g][0][1]}", member.grouping.codes == g) for g in shown]
    features = study.features("holdout")
    for column in features.columns:
        if column in single:
            continue
        kind = study.schema.kinds.get(column)
        found += [
            Condition(column, text, rows) for text, rows in _of_column(column, features[column].to_numpy(), kind, minimum_rows)
        ]
    n = len(features)
    return [condition for condition in found if minimum_rows <= int(condition.rows.sum()) < n]


def _of_column(
    column: str, values: NDArray[np.generic], kind: str | None, minimum_rows: int
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    missing = pd.isna(values)
    yield f"{column} is missing", np.asarray(missing, dtype=bool)
    if values.dtype == object:
        yield from _categories(column, values, minimum_rows)
        return
    if values.dtype.kind == "M":
        yield from _dates(column, values, np.asarray(missing, dtype=bool))
        return
    numbers = values.astype(np.float64)
    distinct, counts = np.unique(numbers[~missing], return_counts=True)
    if distinct.size <= _FEW:
        for value in distinct:
            text = ("yes" if value else "no") if kind == "boolean" else _plain(float(value))
            yield f"{column} = {text}", numbers == value
        return
    known = numbers[~missing]
    mode = distinct[counts.argmax()]
    if counts.max() > _COMMON * known.size:
        yield f"{column} = {_plain(float(mode))}", numbers == mode
        known = known[known != mode]
    yield from _between(column, numbers, _rounded_cuts(known))


def _categories(column: str, values: NDArray[np.generic], minimum_rows: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    codes, labels = pd.factorize(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    order = np.argsort(-counts, kind="stable")[:_CATEGORIES]
    shown = [int(code) for code in order if counts[code] >= minimum_rows]
    for code in shown:
        yield f"{column} = {labels[code]}", codes == code
    yield f"{column} = {RARE}", (codes >= 0) & ~np.isin(codes, shown)


def _rounded_cuts(known: NDArray[np.float64]) -> list[float]:
    """Quantiles rounded to two digits of the spread between the outer ones."""
    raw = np.quantile(known, _CUTS)
    spread = float(raw[-1] - raw[0]) or float(known.max() - known.min())
    step = 10.0 ** (math.floor(math.log10(spread)) - 1)
    cuts = sorted({round(float(cut) / step) * step for cut in raw})
    return [float(f"{cut:.12g}") for cut in cuts]


def _between(column: str, numbers: NDArray[np.float64], cuts: list[float]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield f"{column} < {_plain(cuts[0])}", numbers < cuts[0]
    for low, high in pairwise(cuts):
        yield f"{_plain(low)} <= {column} < {_plain(high)}", (numbers >= low) & (numbers < high)
    yield f"{column} >= {_plain(cuts[-1])}", numbers >= cuts[-1]


def _dates(column: str, values: NDArray[np.generic], missing: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Cut at the first of a month; the label names the month."""
    months = values.astype("datetime64[M]").astype(np.float64)
    months[missing] = np.nan
    known = months[~missing]
    if known.size == 0:
        return
    cuts = sorted({float(round(cut)) for cut in np.quantile(known, _CUTS)})
    names = {cut: str(np.datetime64(int(cut), "M")) for cut in cuts}
    yield f"{column} < {names[cuts[0]]}", months < cuts[0]
    for low, high in pairwise(cuts):
        yield f"{names[low]} <= {column} < {names[high]}", (months >= low) & (months < high)
    yield f"{column} >= {names[cuts[-1]]}", months >= cuts[-1]


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"
