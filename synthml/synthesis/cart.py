"""Sequential synthesis by classification and regression trees.

The method is synthpop's (Nowok, Raab & Dibben 2016, doi 10.18637/jss.v074.i11; Reiter 2005): the joint distribution of a table is
drawn column by column, each from a tree on the columns before it. Ours differs where health data ask for it: numbers are smoothed
over neighbours instead of copied, rare categories and extremes are never told, and a table whose rows belong to subjects is drawn
on two levels, subjects first and their rows after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthml.errors import InputError
from synthml.generation import GenerationRecord
from synthml.synthesis.chain import Chain
from synthml.synthesis.columns import plain_column, read_column
from synthml.synthesis.conditions import read_conditions
from synthml.synthesis.steps import Drawn
from synthml.synthesis.subjects import NewSubjects, subject_codes
from synthml.synthesis.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.synthesis.columns import Column
    from synthml.synthesis.conditions import Given
    from synthml.synthesis.steps import Key

__all__ = ["CartSynthesizer"]

_ROWS: Key = ("rows", "")
_MANY_LEVELS = 100  # beyond so many distinct values columns are visited in the table's order


@dataclass(frozen=True)
class _Fitted:
    """What was learned. `top` draws subjects, or rows when there are none; `visits` the rows of subjects."""

    names: tuple[str, ...]
    dtypes: dict[str, Any]
    rows: int
    subjects: int | None
    top: Chain
    visits: Visits | None
    varying: tuple[str, ...]
    ids: NewSubjects | None
    subject: str | None


@dataclass(frozen=True)
class _Last:
    """The last table that was drawn."""

    rows: int
    seed: int
    given: tuple[str, ...]


class CartSynthesizer:
    """The embedded generator.

    min_leaf: the disclosure control, counted in subjects, or in rows when no subject column is given. Every draw is made among
    the values of at least so many; a category (or a missing value) that fewer hold is never told, the others in its leaf stand
    in for it; a number is told as it stands only when so many hold it, otherwise it is spread over as many neighbours on either
    side; nothing is told beyond the so-many-th smallest and largest value. Larger is safer and plainer.
    seed: of the trees, and of `sample` when it is given none.
    visit: columns in the order in which they are drawn; those left out follow. By default columns with few distinct values come
    first and those with a hundred or more last, in the table's order: coarse columns make cheap trees, and what is drawn early
    (most outcomes have few values) helps to draw all the rest.

    It gives no differential privacy: what it gives away is for `synthml.measure` to find. The fitted object holds the values of
    the source and is as sensitive as the source: only the tables that it draws may leave, once they were measured.
    """

    def __init__(self, *, min_leaf: int = 10, seed: int = 0, visit: Sequence[str] | None = None) -> None:
        self.min_leaf = _whole("min_leaf", min_leaf, at_least=1)
        self.seed = _whole("seed", seed, at_least=0)
        if isinstance(visit, str):
            raise InputError("visit is a list of column names; this is one text. Write [...] around it")
        self.visit = None if visit is None else tuple(visit)
        self._fitted: _Fitted | None = None
        self._last: _Last | None = None
        self._draws = 0

    def __repr__(self) -> str:
        return f"CartSynthesizer(min_leaf={self.min_leaf}, seed={self.seed}, visit={self.visit})"

    def fit(self, table: pd.DataFrame, *, subject: str | None = None) -> Self:
        """Learn from a table of real rows.

        subject: the column that says whose rows they are. Columns that are constant in every subject are then drawn once per
        subject, the others row by row, and leaves are counted in subjects. Rows of one subject are taken in the table's order.

        Raises InputError: no rows or columns, fewer rows (subjects) than `min_leaf`, column names that are no text or not
        unique, a column without values, with infinite values, of a kind that cannot be drawn, or of which nothing may be told.
        """
        _check_table(table, subject)
        units = None if subject is None else subject_codes(table[subject])
        count, enough = len(table) if units is None else int(units.max()) + 1, max(self.min_leaf, 2)
        if count < enough:
            raise InputError(
                f"the table has {count} {'rows' if units is None else 'subjects'}, fewer than {enough} (min_leaf): "
                "no draw could be made among so many. Give more rows, or lower min_leaf"
            )
        columns = {name: read_column(name, table[name], units) for name in table.columns if name != subject}
        columns = {name: columns[name] for name in self._order(columns)}
        visits: Visits | None = None
        varying: tuple[str, ...] = ()
        if units is None:
            top = Chain(_keyed(columns), beside={}, units=None, min_leaf=self.min_leaf, seed=[self.seed, 0])
        else:
            order = np.argsort(units, kind="stable")
            sizes = np.bincount(units)
            first = order[np.cumsum(sizes) - sizes]
            varying = tuple(name for name, c in columns.items() if (c.codes != c.codes[first][units]).any())
            upper = _keyed({name: replace(c, codes=c.codes[first]) for name, c in columns.items() if name not in varying})
            upper[_ROWS] = plain_column("rows per subject", sizes)
            lower = _keyed({name: replace(columns[name], codes=columns[name].codes[order]) for name in varying})
            top = Chain(upper, beside={}, units=None, min_leaf=self.min_leaf, seed=[self.seed, 0])
            visits = Visits(lower, upper, units[order], min_leaf=self.min_leaf, seed=[self.seed, 1])
        top.steps()
        self._fitted = _Fitted(
            tuple(table.columns),
            {name: table[name].dtype for name in table.columns},
            len(table),
            None if units is None else count,
            top,
            visits,
            varying,
            None if subject is None else NewSubjects(table[subject]),
            subject,
        )
        self._last, self._draws = None, 0
        return self

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        conditions: Mapping[str, Any] | pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """A synthetic table with the source's columns, their order and dtypes; equal arguments give equal tables.

        n: rows. Left out, as many rows as the source, or as many subjects, whose number of rows is drawn; with subjects and n the
        last subject may be cut short. Subjects get new ids, never one of the source's.
        conditions: columns that are given instead of drawn: {column: value} for all rows, or a DataFrame with one row for each
        row (with subjects: each subject) that is wanted. They stand in the table exactly as given and everything else is drawn
        given them: trees that this needs are grown first, so the first use costs up to another `fit`. With subjects only columns
        that are constant in every subject can be given.

        Raises InputError: not fitted, n below 1 or unlike the conditions' rows, unknown columns, categories that the generator
        does not tell, numbers outside its range.
        """
        fitted = self._known()
        seed = self.seed if seed is None else _whole("seed", seed, at_least=0)
        names = {key[1]: column for key, column in fitted.top.columns.items() if key[0] == "value"}
        told = {key[1]: levels for key, levels in fitted.top.told.items()}
        given = read_conditions(conditions, names, fitted.dtypes, told, varying=fitted.varying, min_leaf=self.min_leaf)
        wanted = _wanted(n, conditions, subjects=fitted.subjects is not None)
        rng = np.random.default_rng([seed, self.seed])
        if fitted.visits is None:
            size = wanted or fitted.rows
            drawn, _ = _top(fitted, given, size, rng)
            table = _table(fitted, drawn, given, np.arange(size))
        else:
            table = _with_subjects(fitted, fitted.visits, given, wanted, n, rng)
        self._last, self._draws = _Last(len(table), seed, tuple(given)), self._draws + 1
        return table

    def record(self) -> GenerationRecord:
        """How the last table was made, without any value of the source. Raises InputError when not fitted."""
        fitted = self._known()
        last = self._last
        seeds = {"fit": self.seed} if last is None else {"fit": self.seed, "sample": last.seed}
        who = "rows" if fitted.subjects is None else "subjects"
        withheld = len(fitted.top.withheld) + (len(fitted.visits.withheld) if fitted.visits is not None else 0)
        source = {"n": fitted.rows} if fitted.subjects is None else {"n": fitted.rows, "subjects": fitted.subjects}
        record: dict[str, Any] = {
            "label": "synthetic",
            "synthesis": "partial" if last is not None and last.given else "full",
            "source": source,
            "preparation": {
                "rare_cells": f"categories and missing values held by fewer than {max(self.min_leaf, 2)} {who} are never drawn; "
                f"this concerns {withheld} columns",
                "outliers": f"nothing is drawn beyond the {self.min_leaf} smallest and largest {who} of a number, "
                f"except values that as many hold",
            },
            "generator": {
                "name": "CartSynthesizer",
                "library": "synthml",
                "version": version("synthml"),
                "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "pandas")},
                "parameters": {"min_leaf": self.min_leaf, "visit": None if self.visit is None else list(self.visit)},
                "seeds": seeds,
                "training_rows": fitted.rows,
                "conditioning": list(last.given) if last is not None else [],
            },
            "privacy": {"mechanism": "none"},
            "residual_risks": ["no differential privacy; the fitted generator holds values of the source and must not leave"],
        }
        if last is not None:
            record["output"] = {"n": last.rows, "drawn": self._draws, "rejected_rows": 0}
        return GenerationRecord(**record)

    def _known(self) -> _Fitted:
        if self._fitted is None:
            raise InputError("the generator has not learned from a table yet. Call fit first")
        return self._fitted

    def _order(self, columns: Mapping[str, Column]) -> list[str]:
        visit = self.visit or ()
        unknown = [name for name in visit if name not in columns]
        if unknown or len(set(visit)) < len(visit):
            raise InputError(
                f"visit names columns that cannot be drawn: {', '.join(map(str, unknown))}. Name columns of the table"
                if unknown
                else "visit names a column twice. Name each column once"
            )
        rest = [name for name in columns if name not in visit]
        return [*visit, *sorted(rest, key=lambda name: min(columns[name].levels.shape[0], _MANY_LEVELS))]


def _top(
    fitted: _Fitted, given: Mapping[str, Given], n: int, rng: np.random.Generator
) -> tuple[dict[Key, Drawn], dict[Key, NDArray[np.floating]]]:
    """n subjects, or rows when there are none: what was drawn, and all positions, given ones included."""
    known: dict[Key, NDArray[np.floating]] = {("value", name): g.repeated(n).position for name, g in given.items()}
    drawn = fitted.top.draw(known, n, rng, given=tuple(known))
    return drawn, {**known, **{key: column.position for key, column in drawn.items()}}


def _with_subjects(
    fitted: _Fitted, visits: Visits, given: Mapping[str, Given], subjects: int | None, n: int | None, rng: np.random.Generator
) -> pd.DataFrame:
    """Subjects and then their rows: as many subjects as asked, or as it takes for n rows."""
    assert fitted.subjects is not None
    parts: list[dict[Key, Drawn]] = []
    owners: list[NDArray[np.int64]] = []
    rows = made = 0
    while not parts or (n is not None and rows < n):
        size = (subjects or fitted.subjects) if n is None else 1 + int((n - rows) * fitted.subjects / fitted.rows)
        drawn, positions = _top(fitted, given, size, rng)
        counts = drawn.pop(_ROWS).values
        owner = np.repeat(np.arange(size), counts)
        spread = {key: Drawn(column.values[owner], column.position[owner]) for key, column in drawn.items()}
        parts.append({**spread, **visits.draw(positions, counts, rng)})
        owners.append(owner + made)
        rows, made = rows + owner.size, made + size
    joined = {
        key: Drawn(
            np.concatenate([part[key].values for part in parts])[:n], np.concatenate([part[key].position for part in parts])[:n]
        )
        for key in parts[0]
    }
    return _table(fitted, joined, given, np.concatenate(owners)[:n])


def _table(fitted: _Fitted, drawn: Mapping[Key, Drawn], given: Mapping[str, Given], owner: NDArray[np.int64]) -> pd.DataFrame:
    """The drawn and given columns in the source's order and dtypes. owner (n,): which given row each row has."""
    chains = (fitted.top,) if fitted.visits is None else (fitted.top, fitted.visits)
    columns = {key: (column, chain.told[key]) for chain in chains for key, column in chain.columns.items()}
    series = {}
    for name in fitted.names:
        if name == fitted.subject and fitted.ids is not None:
            series[name] = fitted.ids.series(owner)
        elif name in given:
            rows = owner if given[name].position.shape[0] > 1 else np.zeros_like(owner)
            series[name] = given[name].series.iloc[rows].reset_index(drop=True)
        else:
            key = ("value", name)
            column, told = columns[key]
            series[name] = column.build(drawn[key].values, drawn[key].null, told)
    return pd.DataFrame(series)


def _keyed(columns: Mapping[str, Column]) -> dict[Key, Column]:
    return {("value", name): column for name, column in columns.items()}


def _wanted(n: int | None, conditions: object, *, subjects: bool) -> int | None:
    """How many rows, or subjects, are wanted; None when that is left open."""
    if n is not None:
        _whole("n", n, at_least=1)
    if not isinstance(conditions, pd.DataFrame):
        return None if subjects else n
    if n is not None and (subjects or n != len(conditions)):
        raise InputError(f"n={n} beside conditions of {len(conditions)} rows: one row is drawn for each of them. Leave n out")
    return len(conditions)


def _whole(name: str, value: object, *, at_least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < at_least:
        raise InputError(f"{name} must be a whole number, {at_least} or more")
    return int(value)


def _check_table(table: pd.DataFrame, subject: str | None) -> None:
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"a pandas DataFrame is needed, not a {type(table).__name__}. Convert it, for instance with .to_pandas()"
        )
    odd = [position for position, name in enumerate(table.columns) if not isinstance(name, str)]
    if odd:
        raise InputError(f"{len(odd)} column names are no text, the first at position {odd[0]}. Name columns with text")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"column name '{twice[0]}' stands more than once. Rename or drop the others")
    if subject is not None and subject not in table.columns:
        raise InputError(f"the subject column '{subject}' is not in the table. Name the column that says whose rows they are")
    if not len(table) or not len(table.columns.drop(subject) if subject is not None else table.columns):
        raise InputError("the table is empty: there is nothing to learn from. Give rows and columns")
