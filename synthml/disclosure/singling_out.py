"""Singling out: does a description drawn from the synthetic table fit exactly one real person?

A predicate that is true for exactly one synthetic row is tried on the source; it singles somebody out when it is true for exactly
one patient (Cohen & Nissim 2020, doi 10.1073/pnas.1914598117; Giomi et al. 2023, doi 10.56553/popets-2023-0055). `univariate`
tries every value that stands once in its column, and the extremes; `multivariate` combines 2 to 5 of the quasi-identifiers of a
random synthetic row: its label, or its number as a cut on the far side of the median.

How often a predicate fits exactly one person depends on how many there are, so source and holdout are cut to equally many
patients, several times when one is larger, and the shares are averaged; where the source was cut, a leak is met with the chance
of the cut, and the risk is divided by it. Main and control share their predicates. Each predicate counts as one trial, but never
more trials than patients. The baseline draws numbers from the source's range and labels from its categories, without the
synthetic table. In groups the share is that of the group's patients whom any predicate singles out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.disclosure.attack import Attack, ThreatModel, measured
from synthml.disclosure.finding import NO_HOLDOUT, Attempt, Finding, Rates, Share, Trials, attempt_of, compared, proportion
from synthml.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["ATTACK", "Columns", "Predicate", "finding"]

_SIZES = (2, 3, 4, 5)
_LEAST = 100  # with fewer predicates a rate says nothing, and its wide interval would drown the other mode's
_DRAWS = 5  # for each predicate wanted
_GUESSES = 2000
_CUTS = 5  # how often the larger table is cut to the size of the smaller
Condition = tuple[int, str, float]
Predicate = tuple[Condition, ...]


@dataclass(frozen=True, eq=False)
class Columns:
    """A table as numbers, ready for predicates: labels are codes shared by all tables, null is NaN.

    values: per column (n,) float64; order: per column the rows sorted by value, nulls last; sorted: the values in that order.
    """

    values: tuple[NDArray[np.float64], ...]
    order: tuple[NDArray[np.int64], ...]
    sorted: tuple[NDArray[np.float64], ...]
    units: NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[NDArray[np.float64]], units: NDArray[np.int64]) -> Columns:
        """Sort every column once."""
        order = tuple(np.argsort(column, kind="stable") for column in values)
        return cls(tuple(values), order, tuple(column[rows] for column, rows in zip(values, order, strict=True)), units)

    def cut(self, rows: NDArray[np.int64]) -> Columns:
        """Only these rows."""
        return Columns.of([column[rows] for column in self.values], self.units[rows])

    def rows_of(self, condition: Condition) -> NDArray[np.int64]:
        """Rows for which a condition (column, `<=` `>=` `==` or `null`, value) holds, as a slice of the sorted rows."""
        column, sign, value = condition
        values, known = self.sorted[column], self._known(column)
        if sign == "null":
            return self.order[column][known:]
        start = 0 if sign == "<=" else int(np.searchsorted(values[:known], value, "left"))
        end = known if sign == ">=" else int(np.searchsorted(values[:known], value, "right"))
        return self.order[column][start:end]

    def _known(self, column: int) -> int:
        return int(np.searchsorted(np.isnan(self.sorted[column]), True))

    def matching(self, predicate: Predicate) -> NDArray[np.int64]:
        """Rows for which all conditions hold: from the rarest condition on."""
        sets = sorted((self.rows_of(condition) for condition in predicate), key=len)
        rows = sets[0]
        if len(rows) and len(predicate) > 1:
            for condition in predicate:
                if not len(rows):
                    break
                rows = rows[_holds(self.values[condition[0]][rows], condition)]
        return rows

    def patients_with(self, column: int, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """(values,) the row of the one patient who has a value (his first), or -1."""
        rows, known = self.order[column], self._known(column)
        held = self.sorted[column][:known]
        if not known:
            return np.full(len(values), -1, dtype=np.int64)
        starts = np.flatnonzero(np.r_[True, held[1:] != held[:-1]])
        units = self.units[rows[:known]]
        alone = np.minimum.reduceat(units, starts) == np.maximum.reduceat(units, starts)
        place = np.minimum(np.searchsorted(held[starts], values), len(starts) - 1)
        return np.where((held[starts][place] == values) & alone[place], rows[starts][place], -1)

    def patient_of(self, predicate: Predicate) -> int:
        """The row of the one patient whom a predicate fits (his first), or -1."""
        rows = self.matching(predicate)
        if not len(rows):
            return -1
        units = self.units[rows]
        return int(rows.min()) if (units == units[0]).all() else -1


def _holds(values: NDArray[np.float64], condition: Condition) -> NDArray[np.bool_]:
    _, sign, value = condition
    if sign == "null":
        return np.isnan(values)
    if sign == "==":
        return np.equal(values, value)
    return np.less_equal(values, value) if sign == "<=" else np.greater_equal(values, value)


@dataclass(frozen=True, eq=False)
class _Tables:
    """The three tables as numbers, and what the columns are."""

    names: tuple[str, ...]
    ordered: tuple[bool, ...]
    source: Columns
    synthetic: Columns
    holdout: Columns | None


def _tables(ground: Ground) -> _Tables:
    names = ground.columns
    sides = [side for side in (ground.source, ground.synthetic, ground.holdout) if side is not None]
    ordered = tuple(ground.kinds[name] in ("numeric", "datetime") for name in names)
    values: list[list[NDArray[np.float64]]] = [[] for _ in sides]
    for name, is_ordered in zip(names, ordered, strict=True):
        for part, numbers in zip(values, _numbers([side.frame[name] for side in sides], is_ordered), strict=True):
            part.append(numbers)
    made = [Columns.of(part, side.units) for part, side in zip(values, sides, strict=True)]
    return _Tables(names, ordered, made[0], made[1], made[2] if len(made) > 2 else None)


def _numbers(columns: list[pd.Series[Any]], is_ordered: bool) -> list[NDArray[np.float64]]:
    if is_ordered:
        if columns[0].dtype.kind == "M":
            stamps = [column.to_numpy().astype("datetime64[us]") for column in columns]
            return [np.where(np.isnat(stamp), np.nan, stamp.astype(np.int64).astype(np.float64)) for stamp in stamps]
        return [column.to_numpy(dtype=np.float64) for column in columns]
    codes = pd.factorize(pd.concat(columns, ignore_index=True), sort=True)[0].astype(np.float64)
    codes[codes < 0] = np.nan
    return list(np.split(codes, np.cumsum([len(column) for column in columns])[:-1]))


@dataclass(frozen=True, eq=False)
class Predicates:
    """Predicates of one mode. equal: column -> values that stand once in the synthetic table; others: one by one."""

    equal: Mapping[int, NDArray[np.float64]]
    others: Sequence[Predicate]

    def __len__(self) -> int:
        return sum(len(values) for values in self.equal.values()) + len(self.others)

    @property
    def lengths(self) -> list[int]:
        """How many conditions each has."""
        return [1] * (len(self) - len(self.others)) + [len(predicate) for predicate in self.others]

    def hits(self, table: Columns) -> NDArray[np.int64]:
        """(predicates,) the row of the one patient each fits, or -1."""
        parts = [table.patients_with(column, values) for column, values in self.equal.items()]
        parts.append(np.array([table.patient_of(predicate) for predicate in self.others], dtype=np.int64))
        return np.concatenate(parts)


def _univariate(tables: _Tables) -> Predicates:
    """Every value that stands once, a null that stands alone, and extremes that one row has."""
    made = tables.synthetic
    equal: dict[int, NDArray[np.float64]] = {}
    others: list[Predicate] = []
    for column, is_ordered in enumerate(tables.ordered):
        known = made.sorted[column][: made._known(column)]
        values, counts = np.unique(known, return_counts=True)
        equal[column] = values[counts == 1]
        if len(known) == len(made.units) - 1:
            others.append(((column, "null", 0.0),))
        if is_ordered and len(values) > 1:
            others += [((column, "<=", float(values[0])),)] if counts[0] == 1 else []
            others += [((column, ">=", float(values[-1])),)] if counts[-1] == 1 else []
    return Predicates(equal, others)


def _multivariate(tables: _Tables, ground: Ground, rng: np.random.Generator) -> Predicates:
    """Distinct predicates that fit one synthetic row, from several quasi-identifiers of a row drawn at random."""
    made = tables.synthetic
    usable = [at for at, name in enumerate(tables.names) if name in ground.quasi_identifiers]
    medians = [_median(made, column) for column in range(len(tables.names))]
    found: dict[Predicate, None] = {}
    sizes = [size for size in _SIZES if size <= len(usable)]
    for size in sizes:
        wanted = -(-ground.settings.predicates // len(sizes))
        before = len(found)
        for _ in range(_DRAWS * wanted):  # most draws fit several rows, or none but a row's like
            if len(found) - before >= wanted:
                break
            row = int(rng.integers(len(made.units)))
            columns = sorted(rng.choice(usable, size, replace=False).tolist())
            predicate = tuple(
                _condition(column, made.values[column][row], tables.ordered[column], medians[column]) for column in columns
            )
            if predicate not in found and len(made.matching(predicate)) == 1:
                found[predicate] = None
    return Predicates({}, list(found))


def _median(columns: Columns, column: int) -> float:
    known = columns.sorted[column][: columns._known(column)]
    return float(known[len(known) // 2]) if len(known) else 0.0


def _condition(column: int, value: float, is_ordered: bool, median: float) -> Condition:
    if np.isnan(value):
        return column, "null", 0.0
    if not is_ordered:
        return column, "==", float(value)
    return column, ">=" if value >= median else "<=", float(value)


def _guessed(tables: _Tables, ground: Ground, sizes: Sequence[int], rng: np.random.Generator) -> list[Predicate]:
    """As many predicates as were made, of the same lengths, without looking at the synthetic table."""
    usable = [at for at, name in enumerate(tables.names) if name in ground.quasi_identifiers]
    found = []
    for size in sizes:
        columns = rng.choice(usable if size > 1 else len(tables.names), size, replace=False)
        found.append(tuple(_guessed_condition(tables, int(column), rng) for column in np.atleast_1d(columns)))
    return found


def _guessed_condition(tables: _Tables, column: int, rng: np.random.Generator) -> Condition:
    known = tables.source.sorted[column][: tables.source._known(column)]
    if not len(known):
        return column, "null", 0.0
    if tables.ordered[column]:
        value = float(rng.uniform(known[0], known[-1]))
        return column, ">=" if value >= _median(tables.source, column) else "<=", value
    return column, "==", float(rng.integers(int(known[-1]) + 1))


def _attempts(ground: Ground) -> list[Attempt]:
    tables = _tables(ground)
    by_mode = {"univariate": _univariate(tables), "multivariate": _multivariate(tables, ground, ground.rng("predicates"))}
    return [_attempt(ground, tables, mode, predicates) for mode, predicates in by_mode.items()]


def _attempt(ground: Ground, tables: _Tables, mode: str, predicates: Predicates) -> Attempt:
    if len(predicates) < _LEAST:
        reason = f"{len(predicates)} {mode} predicates fit exactly one synthetic row: too few for a rate"
        nothing = Estimate.insufficient(reason, n=len(predicates))
        return Attempt(mode, Rates(nothing, nothing, nothing, nothing, nothing))
    rng = ground.rng("singling_out", mode)
    lengths = predicates.lengths
    guesses = _guessed(tables, ground, lengths[:: -(-len(lengths) // _GUESSES)], rng)
    chance = float(np.mean([tables.source.patient_of(predicate) >= 0 for predicate in guesses]))
    if ground.holdout is None or tables.holdout is None:
        hits = predicates.hits(tables.source)
        rates = _rates(hits[:, None], None, chance, ground, ground.source.count)
        return Attempt(mode, rates, hits=np.unique(hits[hits >= 0]))
    count = min(ground.source.count, ground.holdout.count)
    main, rows = _singled(tables.source, ground.source, predicates, count, rng)
    control, others = _singled(tables.holdout, ground.holdout, predicates, count, rng)
    met = Trials(
        _marked(main[:, 0], ground.source, rows),
        _marked(control[:, 0], ground.holdout, others),
        np.zeros(len(rows)),
        rows,
        others,
    )
    plain = attempt_of(ground, mode, met)
    if ground.leaked is not None:
        return plain
    rates = _rates(main, control, chance, ground, count).per_share(count / ground.source.count)
    return replace(plain, rates=rates, hits=np.unique(main[main >= 0]))


def _singled(
    columns: Columns, side: Side, predicates: Predicates, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(predicates, cuts) the row of the one patient each predicate fits, or -1; and the rows of the first cut."""
    if count == side.count:
        hits = predicates.hits(columns)
        return hits[:, None], np.arange(len(side), dtype=np.int64)
    cuts = [side.rows_of_units(count, rng) for _ in range(_CUTS)]
    found = []
    for rows in cuts:
        part = columns.cut(rows)
        hits = predicates.hits(part)
        found.append(np.where(hits >= 0, rows[np.maximum(hits, 0)], -1))
    return np.stack(found, axis=1), cuts[0]


def _marked(hits: NDArray[np.int64], side: Side, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(rows,) whether the patient of a row was singled out."""
    found = np.zeros(side.count, dtype=bool)
    found[side.units[hits[hits >= 0]]] = True
    return found[side.units[rows]]


def _rates(main: NDArray[np.int64], control: NDArray[np.int64] | None, chance: float, ground: Ground, patients: int) -> Rates:
    """Shares of predicates; a predicate is one trial, but never more trials than patients."""
    unit = f"{len(main)} predicates"
    size = min(len(main), patients)
    hit = Share(float((main >= 0).mean()), size, len(main))
    method = f"share of {unit} (Wilson)"
    told = proportion(hit, ground.confidence, method)
    guess = Estimate(chance, n=len(main), method=f"share of {len(main)} random predicates", confidence=ground.confidence)
    if control is None:
        missing = Estimate.insufficient(NO_HOLDOUT, n=len(main))
        return Rates(told, missing, guess, missing, missing)
    met = Share(float((control >= 0).mean()), size, len(main))
    return compared(hit, met, told, proportion(met, ground.confidence, method), guess, unit)


ATTACK = Attack(
    "singling_out",
    ThreatModel(
        question="Can a person be singled out?",
        knows="the synthetic table, and how many people are behind it",
        tries="descriptions that fit exactly one synthetic row, such as a rare value or a combination of known facts",
        succeeds="when a description fits exactly one real patient more often than it fits exactly one stranger",
    ),
    _attempts,
)


def finding(ground: Ground) -> Finding:
    """Rates, risk and worst group."""
    return measured(ATTACK, ground)
