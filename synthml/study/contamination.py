"""Contamination: rows of the holdout that the generator or the model may have seen.

Three signs, from the surest on: one table in two roles, a subject in two tables, and rows that stand identically in both.

Rows do stand twice by chance, the more so the fewer distinct values a table has, so a twin proves nothing; too many of them do.
When source and holdout were split at random (subjects of one pool, dealt to two sides), every dealing of the same subjects is as
likely as the one at hand. So the pool is dealt anew a hundred times, and the number of holdout rows with a twin in the source,
always among different subjects, is held against what these dealings give. That takes care of low cardinality, small tables,
popular rows and several rows a subject alike. More than four standard deviations and five rows above the mean is an error: where
no row stands twice otherwise, 12 copies are enough at a split of 70 to 30.

In the same way, rows of the holdout must not be found in the synthetic table more often than rows of the source are: a generator
that never saw them has no reason to know them better. Here the mean and the variance over all dealings have closed forms
(sampling subjects without replacement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.study.problems import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study.problems import Problems

__all__ = ["Contamination", "check_contamination", "check_same_tables", "row_codes"]

_DEALINGS = 100
_SIGMAS = 4.0
_ROWS = 5.0
_SPLIT = "Contamination: split by subject (synthml.split_by_subject), or drop these rows from the holdout."
U64 = np.uint64


@dataclass(frozen=True)
class Contamination:
    """What was found. subjects: in source and holdout (None without subject column); twins: rows of the holdout that stand
    identically in the source; expected: as many as chance alone gives. None where a table is missing.
    """

    subjects: int | None = None
    twins: int | None = None
    expected: float | None = None


def check_same_tables(digests: Mapping[str, str], problems: Problems, notes: list[str]) -> None:
    """One table in two roles, by digest."""
    for other in ("source", "synthetic"):
        if "holdout" in digests and digests.get(other) == digests["holdout"]:
            problems.add("holdout", f"is the same table as {other}", "Hold real rows back that neither generator nor model saw.")
    if "source" in digests and digests.get("synthetic") == digests["source"]:
        notes.append("synthetic: is the same table as source, row by row; what follows describes real rows.")


def check_contamination(
    frames: Mapping[str, pd.DataFrame],
    columns: Sequence[str],
    subjects: Mapping[str, NDArray[np.int64]],
    subject: str | None,
    problems: Problems,
) -> Contamination:
    """Subjects and rows of the holdout that stand in the source, or too often in the synthetic table.

    columns: features and target, on which rows are compared (the subject is not: its name does not make a row another one).
    """
    if "source" not in frames or "holdout" not in frames or not len(frames["source"]) or not len(frames["holdout"]):
        return Contamination()
    shared = _shared_subjects(subjects, subject, problems)
    roles = [role for role in ("source", "holdout", "synthetic") if role in frames and set(columns) <= set(frames[role].columns)]
    if roles[:2] != ["source", "holdout"] or not columns:
        return Contamination(shared)
    codes = row_codes([frames[role] for role in roles], columns)
    units = _units(frames, subjects)
    if shared:  # told already; their rows say nothing about anybody else's
        return Contamination(shared)
    held = np.concatenate([np.zeros(len(codes[0]), dtype=bool), np.ones(len(codes[1]), dtype=bool)])
    twins, expected, spread = _twins(np.concatenate(codes[:2]), units, held)
    count = int(twins.sum())
    if count - expected > max(_SIGMAS * spread, _ROWS):
        told = f"{rows_of(twins)} stand identically in the source; chance gives about {expected:.0f}"
        problems.add("holdout", told, _SPLIT)
    if len(roles) == 3:
        _known_to_generator(codes, units, held, problems)
    return Contamination(shared, count, round(expected, 1))


def _shared_subjects(subjects: Mapping[str, NDArray[np.int64]], subject: str | None, problems: Problems) -> int | None:
    if "source" not in subjects or "holdout" not in subjects:
        return None
    inside = np.isin(subjects["holdout"], subjects["source"])
    shared = len(np.unique(subjects["holdout"][inside]))
    if shared:
        told = f"{shared} subjects stand in the source too, with {rows_of(inside)}"
        problems.add(f"holdout.{subject}", told, _SPLIT)
    return shared


def _units(frames: Mapping[str, pd.DataFrame], subjects: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """(source + holdout rows,) whose row it is; without subjects every row is its own."""
    if "source" in subjects and "holdout" in subjects:
        return np.unique(np.concatenate([subjects["source"], subjects["holdout"]]), return_inverse=True)[1].astype(np.int64)
    return np.arange(len(frames["source"]) + len(frames["holdout"]))


def row_codes(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> list[NDArray[np.uint64]]:
    """A 64-bit code of each row's values in `columns`, equal for equal rows of any of the frames (nulls equal nulls).

    Two different rows share a code with probability 2^-64.
    """
    sizes = [len(frame) for frame in frames]
    code = np.zeros(sum(sizes), dtype=U64)
    for name in columns:
        parts = [frame[name].to_numpy() for frame in frames]
        if any(part.dtype == object for part in parts):
            bits = pd.factorize(np.concatenate([part.astype(object) for part in parts]))[0].astype(np.int64).view(U64)
        else:
            values = np.concatenate(parts)
            if values.dtype == np.float64:
                values = values + 0.0  # -0.0 is 0.0
                values[np.isnan(values)] = np.nan  # one NaN
            bits = values.view(U64)
        code = _mixed(code * U64(0x9E3779B97F4A7C15) + bits + U64(1))
    return list(np.split(code, np.cumsum(sizes)[:-1]))


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195): a bijection that spreads every bit."""
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
    return x ^ (x >> U64(31))


def _twins(
    codes: NDArray[np.uint64], units: NDArray[np.int64], held: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], float, float]:
    """(which holdout rows have a twin in the source, how many chance gives, its standard deviation)."""
    group = pd.factorize(codes)[0]
    none = np.zeros(int(held.sum()), dtype=bool)
    # only groups that rows of two units share can ever lie on both sides
    first = np.full(group.max() + 1, -1, dtype=np.int64)
    first[group[::-1]] = units[::-1]
    several = np.zeros(len(first), dtype=bool)
    several[group[units != first[group]]] = True
    rows = np.flatnonzero(several[group])
    if not len(rows):
        return none, 0.0, 0.0
    group, unit = pd.factorize(group[rows])[0], units[rows]
    count = int(group.max()) + 1

    def crossing(side: NDArray[np.bool_]) -> NDArray[np.bool_]:
        in_source = np.zeros(count, dtype=bool)
        in_source[group[~side]] = True
        return side & in_source[group]

    observed = crossing(held[rows])
    mask = np.zeros(len(held), dtype=bool)
    mask[rows] = observed
    twins = mask[held]
    if observed.sum() <= _ROWS:
        return twins, _mean(_dealt(crossing, unit, units, held, 20)), 0.0
    dealt = _dealt(crossing, unit, units, held, _DEALINGS)
    return twins, _mean(dealt), float(np.std(dealt, ddof=1))


def _mean(counts: NDArray[np.float64]) -> float:
    return float(np.mean(counts))


def _dealt(
    crossing: Any, unit: NDArray[np.int64], units: NDArray[np.int64], held: NDArray[np.bool_], times: int
) -> NDArray[np.float64]:
    """Counts of twins when as many units as now are dealt to the holdout at random. Seeded: one study, one answer."""
    total = int(units.max()) + 1
    side = np.zeros(total, dtype=bool)
    side[units[held]] = True
    rng = np.random.default_rng(0)
    return np.array([crossing(rng.permutation(side)[unit]).sum() for _ in range(times)], dtype=np.float64)


def _known_to_generator(
    codes: Sequence[NDArray[np.uint64]], units: NDArray[np.int64], held: NDArray[np.bool_], problems: Problems
) -> None:
    """Whether rows of the holdout stand in the synthetic table clearly more often than rows of the source do."""
    found = np.isin(np.concatenate(codes[:2]), codes[2])
    by_unit = np.bincount(units, weights=found)
    total = len(by_unit)
    side = np.zeros(total, dtype=bool)
    side[units[held]] = True
    n = int(side.sum())
    expected = n * by_unit.mean()
    spread = float(np.sqrt(n * (1 - n / total) * by_unit.var(ddof=1))) if total > 1 else 0.0
    inside = found[held]
    if inside.sum() - expected > max(_SIGMAS * spread, _ROWS):
        told = f"{rows_of(inside)} stand identically in the synthetic table; by the source's rate about {expected:.0f} would"
        remedy = "Contamination: the generator saw rows of the holdout. Hold back rows before it is fitted."
        problems.add("holdout", told, remedy)
