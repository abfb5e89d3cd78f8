"""Is a table that somebody holds the study's own, and how does its form differ from the study's?

Told by content, never by name or place. A table is held against a role of the study column by column, each brought into the
study's form first, so that dtype, index, library and column order do not matter. Numbers may have gone through 32 bits, and may
differ in the last digit, which readers of CSV do not agree on.

    rows       every row must stand in the role's table, and no row more often than there; the order of rows does not matter
    columns    some of the features, in any order. An array has no names: its columns are the features, or the numeric ones, in
               the study's order or the table's, or whatever features its columns equal row by row
    target     the labels, their codes, or any other coding that is one to one

Rows are compared by 64-bit hashes over all columns together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.errors import InputError, StudyError
from synthml.reading import read_table
from synthml.study.tables import label_of, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from synthml import Study

__all__ = ["Form", "Match", "Recogniser", "form_of", "holdout_of"]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_LAST_DIGIT = 1e-12  # relative; pandas' reader of CSV is a few 1e-16 off
_LEAST_PAIRS = 20  # rows from which on an equal target is no accident


@dataclass(frozen=True)
class Form:
    """How somebody's table differs in form from the study's features. dtypes: those that the study's form does not keep."""

    columns: tuple[str, ...]
    is_array: bool
    dtypes: Mapping[str, Any]

    def rebuilding(self) -> Callable[[pd.DataFrame], Any]:
        """A function from the study's features to this form; it pickles by value, so that it loads without synthml."""
        columns, dtypes, is_array = list(self.columns), dict(self.dtypes), self.is_array

        def rebuild(X: Any) -> Any:
            import pandas

            table = X[columns].copy()
            for name, dtype in dtypes.items():
                values = table[name]
                categories = getattr(dtype, "categories", None)
                kind = categories.dtype.kind if categories is not None else getattr(dtype, "kind", "O")
                if values.dtype == object and kind in "iuf":
                    values = pandas.to_numeric(values, errors="coerce")
                elif values.dtype == object and kind == "b":
                    values = values.map({"True": True, "False": False})
                whole = kind in "iub" and categories is None
                table[name] = values if whole and values.isna().any() else values.astype(dtype)
            return table.to_numpy() if is_array else table

        return rebuild


def form_of(X: Any, columns: Sequence[str], kinds: Mapping[str, str], *, whole_numbers: bool) -> Form:
    """The form of a table whose columns are known. whole_numbers: whether integers are to be integers again."""
    if isinstance(X, np.ndarray):
        return Form(tuple(columns), True, {})
    kept = {} if not isinstance(X, pd.DataFrame) else {str(name): X[name].dtype for name in X.columns}
    dtypes = {name: kept[name] for name in columns if name in kept and not _plain(kept[name], kinds[name], whole_numbers)}
    return Form(tuple(columns), False, dtypes)


def _plain(dtype: Any, kind: str, whole_numbers: bool) -> bool:
    """Whether the study's form of a column serves whoever learned from a column of this dtype."""
    if kind == "categorical":
        text = pd.api.types.is_string_dtype(dtype) or pd.api.types.is_object_dtype(dtype)
        return text and not isinstance(dtype, pd.CategoricalDtype)
    if kind == "datetime":
        return bool(dtype == np.dtype("datetime64[us]"))
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return False
    return pd.api.types.is_float_dtype(dtype) or (pd.api.types.is_integer_dtype(dtype) and not whole_numbers)


@dataclass(frozen=True)
class Match:
    """A table that is the study's. positions: (n,) the study's row behind each; total: rows of the study's table.

    codes: what the labels of the given target are in the study, in pairs; empty in a regression.
    """

    form: Form
    positions: NDArray[np.int64]
    total: int
    codes: tuple[tuple[Any, int], ...]


class Recogniser:
    """Holds tables against the synthetic table of a study. Hashes of the study's own rows are kept."""

    def __init__(self, study: Study, *, least_rows: float) -> None:
        self.study, self.least_rows = study, least_rows
        self._total = study.tables["synthetic"].rows
        self._rows: dict[tuple[str, tuple[str, ...], frozenset[str]], NDArray[np.uint64]] = {}

    def may_be(self, rows: int) -> bool:
        """Whether a table of so many rows can be the synthetic one: asked first, since it costs nothing."""
        return self.least_rows * self._total <= rows <= self._total

    def look(self, X: Any, y: Any) -> Match | str | None:
        """A Match; or, when only the target is the synthetic table's, what is different about the features; or None."""
        target = _vector(y)
        if target is None or len(target) != len(X) or not self.may_be(len(target)):
            return None
        for columns in self._candidates(X):
            normal = self._normal(X, columns)
            if normal is None:
                continue
            arrays, narrow = normal
            rows = _mixed(self._snapped("synthetic", arrays, narrow))
            positions = _places(rows, self._hashes("synthetic", columns, narrow))
            if positions is None:
                continue
            codes = self._codes(target, positions, rows, columns, narrow)
            if codes is None:
                continue
            real = self._real_too(columns, arrays, narrow, target, codes) if len(target) < self._total else None
            if real is not None:
                return f"its rows stand in the {real} table as well, so it cannot be told whose they are"
            form = form_of(X, columns, self.study.schema.kinds, whole_numbers=False)
            return Match(form, positions, self._total, codes)
        return self._near(X, target)

    def _candidates(self, X: Any) -> Iterator[tuple[str, ...]]:
        """What the columns of X may be."""
        features = tuple(self.study.schema.features or ())
        if not isinstance(X, np.ndarray):
            names = tuple(str(name) for name in getattr(X, "columns", ()))
            if names and len(set(names)) == len(names) and set(names) <= set(features):
                yield names
            return
        if X.ndim != 2:
            return
        kinds = self.study.schema.kinds
        in_table = tuple(str(name) for name in self.study.frame("synthetic").columns if name in features)
        numeric = [tuple(n for n in names if kinds[n] in ("numeric", "boolean")) for names in (features, in_table)]
        found = [names for names in (features, in_table, *numeric) if len(names) == X.shape[1]]
        if X.dtype.kind in "fiub" and len(X) == self._total:
            equal = self._equal_columns(X)
            found += [equal] if equal else []
        yield from dict.fromkeys(found)

    def _equal_columns(self, X: NDArray[Any]) -> tuple[str, ...] | None:
        """The features that the columns of an array equal, row by row."""
        frame, kinds = self.study.features("synthetic"), self.study.schema.kinds
        free = [str(name) for name in frame.columns if kinds[str(name)] in ("numeric", "boolean")]
        found = []
        for column in X.T:
            values, single = column.astype(np.float64), X.dtype == np.float32
            name = next((n for n in free if _equal(_single(frame[n].to_numpy(), single), values).all()), None)
            if name is None:
                return None
            free.remove(name)
            found.append(name)
        return tuple(found)

    def _normal(self, X: Any, columns: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], frozenset[str]] | None:
        """Columns in the study's form, and which of them came as 32-bit floats; None when they cannot be brought into it."""
        table = pd.DataFrame(X, columns=list(columns)).infer_objects() if isinstance(X, np.ndarray) else X
        try:
            arrow = read_table(table).arrow
        except (StudyError, InputError):
            return None
        arrays = {}
        for name in columns:
            arrays[name], problem = normalise(arrow.column(name), self.study.schema.kinds[name], name)
            if problem is not None:
                return None
        return arrays, frozenset(name for name in columns if str(arrow.schema.field(name).type) in ("float", "halffloat"))

    def _hashes(self, role: str, columns: tuple[str, ...], narrow: frozenset[str]) -> NDArray[np.uint64]:
        key = (role, columns, narrow)
        if key not in self._rows:
            frame = self.study.frame(role)
            self._rows[key] = _mixed({name: _single(frame[name].to_numpy(), name in narrow) for name in columns})
        return self._rows[key]

    def _snapped(self, role: str, arrays: Mapping[str, NDArray[Any]], narrow: frozenset[str]) -> dict[str, NDArray[Any]]:
        """Numbers that differ from one of the role's column in the last digit only, as that one."""
        frame = self.study.frame(role)
        return {
            name: _snap(values, _single(frame[name].to_numpy(), name in narrow)) if values.dtype.kind == "f" else values
            for name, values in arrays.items()
        }

    def _codes(
        self,
        target: NDArray[Any],
        at: NDArray[np.int64],
        rows: NDArray[np.uint64],
        columns: tuple[str, ...],
        narrow: frozenset[str],
    ) -> tuple[tuple[Any, int], ...] | None:
        """The coding of the target, () in a regression; None when it is not the synthetic table's target."""
        truth, known = self.study.target("synthetic"), self._hashes("synthetic", columns, narrow)
        if self.study.schema.task == "regression":
            numbers = _numbers(target)
            if numbers is None:
                return None
            truth = _single(truth, target.dtype == np.float32)
            return None if _places(_with(rows, _snap(numbers, truth)), _with(known, truth)) is None else ()
        inverse, labels = pd.factorize(target)
        if (inverse < 0).any() or len(labels) > len(self.study.classes):
            return None
        counts = np.unique(known, return_counts=True)
        alone = np.isin(known[at], counts[0][counts[1] == 1])
        if len(at) == len(known) and (at == np.arange(len(at))).all():
            alone[:] = True
        coded = _coding(inverse[alone], truth[at[alone]], len(labels)) if alone.any() else None
        if coded is None:
            coded = self._by_label(labels)
        if coded is None or _places(_with(rows, coded[inverse]), _with(known, truth)) is None:
            return None
        return tuple((label, int(code)) for label, code in zip(labels.tolist(), coded, strict=True))

    def _by_label(self, labels: Any) -> NDArray[np.int64] | None:
        """Codes of labels that stand in the study's table as they are."""
        known = {label_of(label): code for code, label in enumerate(self.study.classes)}
        codes = [known.get(label_of(label), -1) for label in labels]
        return np.array(codes) if -1 not in codes and len(set(codes)) == len(codes) else None

    def _real_too(
        self,
        columns: tuple[str, ...],
        arrays: Mapping[str, NDArray[Any]],
        narrow: frozenset[str],
        target: NDArray[Any],
        codes: tuple[tuple[Any, int], ...],
    ) -> str | None:
        """A real table of the study that holds all of these rows, with their outcomes."""
        for role in self.study.roles:
            held = self.study.frame(role).columns
            if role == "synthetic" or any(name not in held for name in (*columns, self.study.schema.target)):
                continue
            truth = self.study.target(role)
            if codes:
                outcome: NDArray[Any] | None = np.array(list(map(dict(codes).get, target.tolist())))
            else:
                truth = _single(truth, target.dtype == np.float32)
                outcome = None if _numbers(target) is None else _snap(target.astype(np.float64), truth)
            rows = _mixed(self._snapped(role, arrays, narrow))
            if (
                outcome is not None
                and _places(_with(rows, outcome), _with(self._hashes(role, columns, narrow), truth)) is not None
            ):
                return role
        return None

    def _near(self, X: Any, target: NDArray[Any]) -> str | None:
        """Why features that come with the synthetic table's target, row by row, are not its features."""
        truth = self.study.target("synthetic")
        if len(target) != len(truth) or len(target) < _LEAST_PAIRS or not self._is_target(target, truth):
            return None
        names = [str(name) for name in getattr(X, "columns", ())]
        other = [name for name in names if name not in (self.study.schema.features or ())]
        if not names or not other:
            return "its columns are not the study's features as they stand there: prepare them inside a Pipeline"
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        return f"it has columns that are no features of the study ({shown}): prepare them inside a Pipeline, or leave them out"

    def _is_target(self, target: NDArray[Any], truth: NDArray[Any]) -> bool:
        if self.study.schema.task == "regression":
            numbers = _numbers(target)
            return numbers is not None and bool(_equal(_single(truth, target.dtype == np.float32), numbers).all())
        inverse, labels = pd.factorize(target)
        if (inverse < 0).any() or len(labels) < 2:
            return False
        coded = _coding(inverse, truth, len(labels))
        return coded is not None and bool((coded[inverse] == truth).all())


def _vector(y: Any) -> NDArray[Any] | None:
    """(n,) of a target, or None."""
    if y is None:
        return None
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return values if values.ndim == 1 else None


def _numbers(target: NDArray[Any]) -> NDArray[np.float64] | None:
    return target.astype(np.float64) if target.dtype.kind in "fiub" else None


def _single(values: NDArray[Any], single: bool) -> NDArray[Any]:
    """Numbers as they are after a passage through 32 bits."""
    return values.astype(np.float32).astype(np.float64) if single and values.dtype.kind == "f" else values


def _equal(known: NDArray[Any], values: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether values are the same, numbers but for the last digit; null is null."""
    if known.dtype.kind == "f" and values.dtype.kind == "f":
        return np.asarray(np.isclose(values, known, rtol=_LAST_DIGIT, atol=0, equal_nan=True), dtype=bool)
    same: NDArray[np.bool_] = np.asarray((values == known) | (pd.isna(values) & pd.isna(known)), dtype=bool)
    return same


def _snap(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value as the nearest known one when they differ in the last digit only, else as it is."""
    levels = np.unique(known[~np.isnan(known)])
    if not len(levels):
        return values
    above = np.clip(np.searchsorted(levels, values), 0, len(levels) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(np.abs(levels[below] - values) < np.abs(levels[above] - values), levels[below], levels[above])
    return np.where(_equal(nearest, values), nearest, values)


def _coding(inverse: NDArray[np.int64], truth: NDArray[Any], labels: int) -> NDArray[np.int64] | None:
    """(labels,) the code that each label most often stands for; None when two stand for one, or one for none."""
    table = np.zeros((labels, int(truth.max()) + 1), dtype=np.int64)
    np.add.at(table, (inverse, truth), 1)
    codes = table.argmax(axis=1)
    return codes if (table.max(axis=1) > 0).all() and len(set(codes.tolist())) == labels else None


def _mixed(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """(n,) one hash a row, over all columns by name."""
    mixed: NDArray[np.uint64] | None = None
    for name in sorted(columns):
        values = columns[name]
        mixed = _with(np.zeros(len(values), dtype=np.uint64) if mixed is None else mixed, values)
    return np.zeros(0, dtype=np.uint64) if mixed is None else mixed


def _with(rows: NDArray[np.uint64], values: NDArray[Any]) -> NDArray[np.uint64]:
    if values.dtype.kind in "iubf":
        values = values.astype(np.float64) + 0.0  # -0.0 is 0.0, and a copy
        values[np.isnan(values)] = np.nan  # of many, one
    mixed: NDArray[np.uint64] = rows * _ODD + pd.util.hash_array(values)
    return mixed ^ (mixed >> _SHIFT)


def _places(rows: NDArray[np.uint64], table: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """(n,) position in `table` of each of `rows`; None when one is missing there, or there less often."""
    if len(rows) == len(table) and np.array_equal(rows, table):
        return np.arange(len(table))
    order = np.argsort(table, kind="stable")
    sorted_table = table[order]
    found = np.searchsorted(sorted_table, rows)
    if (found >= len(table)).any() or (sorted_table[found] != rows).any():
        return None
    values, counts = np.unique(rows, return_counts=True)
    left, right = np.searchsorted(sorted_table, values), np.searchsorted(sorted_table, values, side="right")
    return order[found] if (counts <= right - left).all() else None


# ---- the holdout ----------------------------------------------------------------------------------------------------------


def holdout_of(study: Study, table: pd.DataFrame) -> Study:
    """The study, whose holdout is `table`: it has it already, in these rows and in this order, or gets it.

    Columns that the study does not use are not looked at. Raises InputError when the study's holdout is another table, or when
    `table` lacks a feature or the target; StudyError when it cannot be a holdout of this study.
    """
    if "holdout" not in study.roles:
        return _with_holdout(study, table)
    from synthml.digest import table_digest

    held = study.tables["holdout"]
    if held.digest.startswith("sha256:") and table_digest(table) == held.digest:
        return study
    schema = study.schema
    needed = [*(schema.features or ()), schema.target]
    lacking = [name for name in needed if name not in table.columns]
    if lacking:
        raise InputError(f"the data lack {len(lacking)} columns of the study's holdout: {', '.join(lacking[:5])}")
    if len(table) != held.rows:
        raise InputError(f"the data are not the study's holdout: {len(table):,} rows, the holdout has {held.rows:,}")
    shared = [name for name in held.frame.columns if name in table.columns]
    arrow = read_table(table[shared], where="data").arrow
    for name in shared:
        values, problem = normalise(arrow.column(str(name)), schema.kinds.get(str(name), "categorical"), f"data.{name}")
        differ = ~_equal(held.frame[name].to_numpy(), values)
        if problem is not None or differ.any():
            first = f" (first at row {int(np.argmax(differ))})" if differ.any() else ""
            raise InputError(
                f"the data are not the study's holdout: column '{name}' differs in {int(differ.sum()):,} rows{first}"
            )
    return study


def _with_holdout(study: Study, table: pd.DataFrame) -> Study:
    """A study of the same tables and one more. The tables that were there keep the digests of what was given."""
    from synthml import Study as NewStudy

    held: dict[str, Any] = {role: study.frame(role) for role in study.roles}
    grown = NewStudy(study.schema, **held, holdout=table, generation=study.generation)
    for role in study.roles:
        if grown.tables[role].subjects != study.tables[role].subjects:
            raise InputError(
                f"the subjects of the {role} table are numbers too large to be told apart here; name the holdout in the study"
            )
    grown.tables = {**grown.tables, **study.tables}
    return grown
