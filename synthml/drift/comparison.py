"""`compare`: two tables by Evidently, each column by the method of its kind, with an interval, and a page to look at.

Evidently chooses its methods by the size of the reference: tests with p-values up to 1,000 rows, where a *small* score means
drift, distances above. Figures that turn round with the size of a table cannot be followed over time, so the methods are fixed
here to those that Evidently takes for large tables, with its thresholds: drift is a score of 0.1 or more, at any size.

    numbers and dates          Wasserstein distance over the reference's standard deviation
    labels, yes/no, numbers    Jensen-Shannon distance (natural logarithm: 0 to 0.83)
      of up to five values

Small tables score high by chance alone, so each score has an interval (see `margin`): drift is beyond doubt when its low end
reaches the threshold. Evidently sees masked tables (see `masking`) of at most 100,000 rows. It leaves missing values out; how
many there are stands in the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.drift.engine import JENSEN_SHANNON, WASSERSTEIN, Drawing, Method, Scores, evidently_scores
from synthml.drift.margin import margins
from synthml.drift.masking import (
    FEW_VALUES,
    Coded,
    coded_labels,
    coded_numbers,
    common_labels,
    labels_of,
    numbers_of,
)
from synthml.drift.page import page_of, shown_names
from synthml.drift.telling import held_back
from synthml.errors import InputError
from synthml.estimate import CONFIDENCE, Estimate
from synthml.figures import ALL, escape_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["LEAST_ROWS", "MOST_ROWS", "Comparison", "compare"]

MOST_ROWS = 100_000
LEAST_ROWS = 50
_STREAM = 4400
_ROLE = re.compile(r"[a-z][a-z0-9]*")
_MOST_RARE = 0.5
_LARGEST_JENSEN_SHANNON = float(np.sqrt(np.log(2)))
_SMALL = 0.01  # Evidently takes no standard deviation below 0.001: smaller columns are given to it in other units
Subjects = tuple["NDArray[np.int64] | None", "NDArray[np.int64] | None"]


@dataclass(frozen=True)
class Comparison:
    """What Evidently says of two tables.

    figures: `drift.<method>.<reference>_<current>/<column>` Evidently's score, and `drift.share.<reference>_<current>/all` the
    share of measured columns that drift; rows: for the table "drift"; notes: what was left out; drawing: what the page shows,
    None when there is nothing to show or the page was held back.
    """

    names: tuple[str, str]
    figures: Mapping[str, Estimate]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()
    drawing: Drawing | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """`source_synthetic`: the reference, and what is compared with it."""
        return "_".join(self.names)

    @cached_property
    def html(self) -> str:
        """A page that needs nothing but itself; empty when there is no drawing. Several comparisons on one: `page_of`."""
        return page_of([self])


@dataclass(frozen=True)
class _Column:
    """A column on its way: how it is measured, or why it is not."""

    name: str
    kind: str
    method: Method
    known: tuple[int, int] = (0, 0)
    missing: tuple[float | None, float | None] = (None, None)
    coded: Coded | None = None
    reason: str | None = None
    units: float = 1.0


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    names: tuple[str, str],
    kinds: Mapping[str, str],
    common: Mapping[str, frozenset[str]] | None = None,
    subjects: tuple[NDArray[np.int64] | None, NDArray[np.int64] | None] = (None, None),
    seed: int = 0,
    drawn: bool = True,
) -> Comparison:
    """Evidently's drift of every column in `kinds`, and a page with its drift and summary presets.

    reference, current: normalised tables (see study.tables). names: what they are called, such as ("holdout", "production").
    kinds: column -> numeric, categorical, boolean or datetime; leave out whatever says who somebody is. common: column ->
    labels that may be told; for other columns, those that ten people carry in the tables that are not called "synthetic".
    subjects: (n,) whose row it is, in each table; codes of one person are equal in both. drawn: False leaves the page out.

    A column that one table lacks, or that has no value there, is `insufficient`. Raises InputError for names that are no
    names, and for a table without rows; MissingExtraError without Evidently.
    """
    if len(names) != 2 or names[0] == names[1] or not all(_ROLE.fullmatch(name) for name in names):
        raise InputError("drift.compare needs two different names of small letters and digits, such as ('holdout', 'production')")
    for name, table in zip(names, (reference, current), strict=True):
        if not len(table):
            raise InputError(f"the {name} table has no rows: there is nothing to compare")
    rng = np.random.default_rng([seed, _STREAM])
    sampled = [_sample(table, who, rng) for table, who in zip((reference, current), subjects, strict=True)]
    tables, whose = (sampled[0][0], sampled[1][0]), (sampled[0][1], sampled[1][1])
    told = dict(common or {})
    columns = [
        _prepare(name, kind, tables, whose, names, told.get(name), (reference, current), subjects)
        for name, kind in kinds.items()
        if name in reference.columns or name in current.columns
    ]
    measured = [column for column in columns if column.coded is not None]
    notes = _sample_notes(names, (reference, current))
    if not measured:
        share = Estimate.insufficient("no column could be measured")
        figures = {**dict(_unmeasured(names, columns)), f"drift.share.{'_'.join(names)}/{ALL}": share}
        return Comparison(names, figures, tuple(_row(names, column) for column in columns), notes)
    shown = shown_names([column.name for column in measured], [column.units for column in measured])
    frames = [_frame(measured, shown, side) for side in (0, 1)]
    scores = evidently_scores(frames[0], frames[1], {shown[c.name]: c.method for c in measured}, drawn=drawn)
    margin = margins({c.name: (_coded(c), c.method) for c in measured}, whose, rng, CONFIDENCE)
    found = {c.name: _estimate(c, scores.by_column[shown[c.name]], margin[c.name], scores.version) for c in measured}
    drawing, refused = held_back(scores.drawing, (reference, current), frames, "_".join(names))
    figures = {
        **dict(_unmeasured(names, columns)),
        **{_id(names, column): found[column.name] for column in measured},
        f"drift.share.{'_'.join(names)}/{ALL}": _share(measured, found, scores, min(len(table) for table in tables)),
    }
    return Comparison(
        names, figures, tuple(_row(names, column, found.get(column.name)) for column in columns), (*notes, *refused), drawing
    )


def _sample(
    table: pd.DataFrame, subjects: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.int64] | None]:
    """At most `MOST_ROWS` rows, in an order that says nothing."""
    chosen = rng.permutation(len(table))[:MOST_ROWS]
    return table.iloc[chosen].reset_index(drop=True), None if subjects is None else subjects[chosen]


def _sample_notes(names: tuple[str, str], tables: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[str, ...]:
    return tuple(
        f"drift: {MOST_ROWS:,} of {len(table):,} {name} rows, drawn at random, were given to Evidently."
        for name, table in zip(names, tables, strict=True)
        if len(table) > MOST_ROWS
    )


def _prepare(
    name: str,
    kind: str,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    subjects: Subjects,
    names: tuple[str, str],
    common: frozenset[str] | None,
    whole: tuple[pd.DataFrame, pd.DataFrame],
    whose: Subjects,
) -> _Column:
    """Mask a column and choose its method."""
    usual = JENSEN_SHANNON if kind in ("categorical", "boolean") else WASSERSTEIN
    lacking = [table for table, frame in zip(names, tables, strict=True) if name not in frame.columns]
    if lacking:
        return _Column(name, kind, usual, reason=f"the {lacking[0]} table lacks this column")
    columns = tables[0][name], tables[1][name]
    known = int(columns[0].notna().sum()), int(columns[1].notna().sum())
    missing = 1 - known[0] / len(columns[0]), 1 - known[1] / len(columns[1])
    column = _Column(name, kind, usual, known, missing)
    for table, count in zip(names, known, strict=True):
        if count < LEAST_ROWS:
            reason = f"no value in the {table} table" if not count else f"fewer than {LEAST_ROWS} values in the {table} table"
            return replace(column, reason=reason)
    if usual is WASSERSTEIN:
        numbers = numbers_of(columns[0], kind), numbers_of(columns[1], kind)
        coded = coded_numbers(*numbers, kind, subjects)
        if len(np.unique(numbers[0][~np.isnan(numbers[0])])) > FEW_VALUES and len(coded.values[0]) > 1:
            return replace(column, coded=coded, units=_units(coded))
    if common is None:
        real = [at for at in (0, 1) if names[at] != "synthetic"]
        common = common_labels((labels_of(whole[at][name], kind), whose[at]) for at in real)
    coded = coded_labels(labels_of(columns[0], kind), labels_of(columns[1], kind), common)
    if coded.share_rare(0) > _MOST_RARE:
        reason = f"most {names[0]} rows carry labels that too few people share for them to be told"
        return replace(column, method=JENSEN_SHANNON, reason=reason)
    return replace(column, method=JENSEN_SHANNON, coded=coded)


def _units(coded: Coded) -> float:
    """1, or the power of ten that lifts a column of tiny numbers out of Evidently's smallest standard deviation."""
    values = coded.column(0).astype(np.float64)
    spread = float(np.nanstd(values))
    return 1.0 if spread >= _SMALL else float(10.0 ** -np.floor(np.log10(spread)))


def _coded(column: _Column) -> Coded:
    if column.coded is None:
        raise ValueError("a column that is not measured has no levels")
    return column.coded


def _frame(columns: Sequence[_Column], shown: Mapping[str, str], side: int) -> pd.DataFrame:
    """The masked table that Evidently sees."""
    found: dict[str, pd.Series] = {}
    for column in columns:
        values = _coded(column).column(side)
        if column.units != 1.0:
            values = values.astype(np.float64) * column.units
        found[shown[column.name]] = pd.Series(values, dtype=values.dtype)
    frame = pd.DataFrame(found)
    frame.columns = pd.Index(list(found), dtype=object)
    return frame


def _id(names: tuple[str, str], column: _Column) -> str:
    return f"drift.{column.method.name}.{'_'.join(names)}/{escape_label(column.name)}"


def _unmeasured(names: tuple[str, str], columns: Sequence[_Column]) -> list[tuple[str, Estimate]]:
    return [
        (_id(names, column), Estimate.insufficient(column.reason, method=column.method.title))
        for column in columns
        if column.reason is not None
    ]


def _estimate(column: _Column, score: float, margin: float, version: str) -> Estimate:
    method = column.method
    largest = np.inf if method is WASSERSTEIN else _LARGEST_JENSEN_SHANNON
    told = f"Evidently {version}, {method.title}; drift from {method.threshold:g}; masked values; margin by bootstrap"
    return Estimate(score, max(0.0, score - margin), min(score + margin, float(max(largest, score))), min(column.known), told)


def _share(measured: Sequence[_Column], found: Mapping[str, Estimate], scores: Scores, n: int) -> Estimate:
    """Share of measured columns that drift; from those that do beyond doubt to those that may."""

    def drifting(bounds: Sequence[float | None]) -> float:
        pairs = zip(measured, bounds, strict=True)
        return sum(bound is not None and bound >= column.method.threshold for column, bound in pairs) / len(measured)

    estimates = [found[column.name] for column in measured]
    low, high = drifting([e.low for e in estimates]), drifting([e.high for e in estimates])
    told = f"Evidently {scores.version}, share of {len(measured)} columns that reach their threshold"
    return Estimate(scores.share, low, high, n, told)


def _row(names: tuple[str, str], column: _Column, found: Estimate | None = None) -> Mapping[str, Any]:
    measured = found is not None and found.value is not None
    return {
        "comparison": "_".join(names),
        "column": column.name,
        "kind": column.kind,
        "method": column.method.title,
        "score": found.value if found is not None else None,
        "low": found.low if found is not None else None,
        "high": found.high if found is not None else None,
        "threshold": column.method.threshold,
        "drifted": bool(found.value >= column.method.threshold) if found is not None and found.value is not None else None,
        "n_reference": column.known[0] if measured else None,
        "n_current": column.known[1] if measured else None,
        "missing_reference": None if column.missing[0] is None else round(column.missing[0], 2),
        "missing_current": None if column.missing[1] is None else round(column.missing[1], 2),
        "reason": column.reason,
    }
