"""Tables as Evidently may see them: nothing in them belongs to fewer than ten people.

Evidently draws what it is given: every label, every minimum and maximum, the ends of every histogram. So it is given tables in
which each shown value stands for a crowd:

    labels   a label that too few people carry is `(rare)`, the same ones in both tables, so that two equal tables stay equal
    numbers  rounded to a grid of 1, 2 or 5 times a power of ten, two hundred steps between the 1st and 99th percentile of the
             reference; then neighbours are put together, table by table, until ten people share each value, their median. The
             smallest and largest value are those of ten people too
    dates    by month, in years (2019.25 is April 2019), then as numbers

Row order goes: Evidently draws means along it. Synthetic rows are nobody's, and go the same way, so that the tables stay alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthml.subgroups.naming import FEWEST, RARE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Coded", "coded_labels", "coded_numbers", "common_labels", "labels_of", "numbers_of"]

FEW_VALUES = 5  # a number with no more different values than this in the reference is compared by its values, as Evidently does
_STEPS = 200
_MONTHS = 12


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of both tables.

    values: what each level is (labels, or numbers in rising order, by table, for levels of numbers are a table's own); codes:
    (n,) the level of each row of the reference and of the current table, -1 = missing. moved: the distance between
    each masked table and the real one, with numbers beyond the outer levels taken as if at them.
    """

    values: tuple[NDArray[np.object_] | NDArray[np.float64], NDArray[np.object_] | NDArray[np.float64]]
    codes: tuple[NDArray[np.int64], NDArray[np.int64]]
    moved: tuple[float, float] = (0.0, 0.0)

    @property
    def numeric(self) -> bool:
        """Whether the levels are numbers."""
        return self.values[0].dtype != object

    def known(self, side: int) -> int:
        """Rows of a side (0 reference, 1 current) that have a value."""
        return int((self.codes[side] >= 0).sum())

    def share_rare(self, side: int) -> float:
        """Share of a side's rows with a value that are `(rare)`."""
        if self.numeric or not self.known(side):
            return 0.0
        rare = np.flatnonzero(self.values[side] == RARE)
        return float(np.isin(self.codes[side], rare).sum() / self.known(side))

    def column(self, side: int) -> NDArray[np.object_] | NDArray[np.float64]:
        """(n,) the masked values of a side, null = NaN."""
        values = self.values[side]
        return np.append(values, np.array([np.nan], dtype=values.dtype))[self.codes[side]]


def labels_of(column: pd.Series, kind: str) -> NDArray[np.object_]:
    """(n,) the values of a column as labels, the same as those of its groups; null = NaN."""
    values = column.to_numpy()
    if values.dtype == object:
        return np.asarray(values)
    codes, found = pd.factorize(numbers_of(column, kind))
    labels = [str(bool(value)) if kind == "boolean" else _written(value) for value in found.tolist()]
    return np.array([*labels, np.nan], dtype=object)[codes]  # the code of a null is -1, the last


def _written(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.12g}"


def numbers_of(column: pd.Series, kind: str) -> NDArray[np.float64]:
    """(n,) the values of a column as numbers, dates as years by month; null and infinite = NaN."""
    values = column.to_numpy()
    if kind == "datetime":
        months = values.astype("datetime64[M]")
        numbers = months.astype(np.int64).astype(np.float64)
        numbers[np.isnat(months)] = np.nan
        return np.asarray(1970 + numbers / _MONTHS)
    numbers = values.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def common_labels(tables: Iterable[tuple[NDArray[np.object_], NDArray[np.int64] | None]]) -> frozenset[str]:
    """Labels that at least `FEWEST` people carry in the tables together. tables: labels (n,), subjects (n,) or None for rows."""
    people: dict[str, int] = {}
    for labels, subjects in tables:
        for label, count in zip(*_people(labels, subjects), strict=True):
            people[label] = people.get(label, 0) + count
    return frozenset(label for label, count in people.items() if count >= FEWEST)


def _people(labels: NDArray[np.object_], subjects: NDArray[np.int64] | None) -> tuple[list[str], list[int]]:
    codes, found = pd.factorize(labels)
    return [str(label) for label in found], _carriers(codes.astype(np.int64), len(found), subjects).tolist()


def _carriers(codes: NDArray[np.int64], levels: int, subjects: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(levels,) how many people (rows, when subjects are unknown) are at each level; -1 is no level."""
    known = codes >= 0
    if subjects is None:
        return np.bincount(codes[known], minlength=levels).astype(np.int64)
    width = int(subjects.max(initial=0)) + 1
    pairs = np.unique(codes[known] * width + subjects[known])
    return np.bincount(pairs // width, minlength=levels).astype(np.int64)


def coded_labels(reference: NDArray[np.object_], current: NDArray[np.object_], common: frozenset[str]) -> Coded:
    """Labels of both tables (n,) with all but the common ones read as `(rare)`."""
    codes, found = pd.factorize(np.concatenate([reference, current]))
    kept = sorted({str(label) for label in found} & common)
    place = {label: at for at, label in enumerate(kept)}
    onto = np.array([*(place.get(str(label), len(kept)) for label in found), -1], dtype=np.int64)
    levels = np.array([*kept, RARE], dtype=object)
    merged = onto[codes]
    return Coded((levels, levels), (merged[: len(reference)], merged[len(reference) :]))


def grid_of(reference: NDArray[np.float64], kind: str) -> float:
    """The step that numbers are rounded to."""
    if kind == "datetime":
        return 1 / _MONTHS
    known = reference[~np.isnan(reference)]
    low, high = np.quantile(known, [0.01, 0.99])
    spread = float(high - low) or float(known.max() - known.min())
    if not spread:
        return 0.0
    fine = spread / _STEPS
    power = 10.0 ** math.floor(math.log10(fine))
    return power * next(step for step in (1, 2, 5, 10) if step * power >= fine * (1 - 1e-9))


def coded_numbers(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    kind: str,
    subjects: tuple[NDArray[np.int64] | None, NDArray[np.int64] | None] = (None, None),
) -> Coded:
    """Numbers of both tables (n,), NaN = missing, each value shared by at least `FEWEST` people of its table.

    A table with fewer people than that has one level only, which says nothing: see `Coded.known` before using it.
    """
    step = grid_of(reference, kind)
    one, other = (_shared(numbers, step, who) for numbers, who in zip((reference, current), subjects, strict=True))
    moved = _moved(reference, *one), _moved(current, *other)
    return Coded((one[0], other[0]), (one[1], other[1]), moved)


def _moved(numbers: NDArray[np.float64], values: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    known = codes >= 0
    if not known.any():
        return 0.0
    return float(np.abs(np.clip(numbers[known], values[0], values[-1]) - values[codes[known]]).mean())


def _shared(
    numbers: NDArray[np.float64], step: float, subjects: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(levels,) values, (n,) codes."""
    codes = np.full(len(numbers), -1, dtype=np.int64)
    known = ~np.isnan(numbers)
    if not known.any():
        return np.zeros(0), codes
    cells, place = np.unique(np.round(numbers[known] / step) if step else numbers[known], return_inverse=True)
    who = None if subjects is None else subjects[known]
    rows = np.bincount(place, minlength=len(cells))
    groups = _grouped(_carriers(place, len(cells), who), FEWEST)
    if who is not None:
        need = FEWEST  # one person may stand in several cells of a group: ask for more until ten people are in each
        while groups[-1] and int(_carriers(groups[place], int(groups[-1]) + 1, who).min()) < FEWEST:
            need *= 2
            groups = _grouped(_carriers(place, len(cells), who), need)
    codes[known] = groups[place]
    values = _medians(cells, rows, groups)
    return (_on_grid(values, step) if step else values), codes


def _grouped(carriers: NDArray[np.int64], need: int) -> NDArray[np.int64]:
    """(cells,) the group of each cell: neighbours together until each group has `need`; what is left joins the last."""
    groups, held = np.empty(len(carriers), dtype=np.int64), 0
    group = 0
    for at, count in enumerate(carriers.tolist()):
        groups[at] = group
        held += count
        if held >= need:
            group, held = group + 1, 0
    if held and group:
        groups[groups == group] = group - 1
    return groups


def _medians(cells: NDArray[np.float64], rows: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(groups,) the lower median of each group's rows."""
    ends = np.cumsum(rows)
    last = np.flatnonzero(np.append(np.diff(groups) > 0, True))
    total = ends[last]
    before = np.concatenate([[0], total[:-1]])
    return np.asarray(cells[np.searchsorted(ends, before + (total - before + 1) // 2)])


def _on_grid(cells: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Multiples of the step as the decimal numbers they stand for: 3 of 0.1 is 0.3."""
    digits = max(0, -math.floor(math.log10(step)) + 1)
    return np.array([round(cell * step, min(digits, 15)) for cell in cells.tolist()])
