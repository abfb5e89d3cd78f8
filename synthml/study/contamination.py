"""Contamination: rows of the holdout that the generator or the model may have seen.

Three signs, from the surest on: one table in two roles, a subject in two tables, and rows that stand identically in both.

Rows do stand twice by chance, the more so the fewer distinct values a table has, so a twin proves nothing; too many of them do.
When source and holdout were split at random (subjects of one pool, dealt to two sides), every dealing of the same subjects is as
likely as the one at hand. So the pool is dealt anew a hundred times. Counted are the distinct rows that stand on both sides, of
different subjects: copies always do, pairs that chance made do so in less than half of the dealings, and rows that everybody
shares do so in every dealing and add no noise. That takes care of low cardinality, small tables, popular rows and several rows a
subject alike. More than four standard deviations and five rows above the mean is an error: where no row stands twice otherwise,
15 copies are enough at a split of 70 to 30.

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
    from collections.abc import Iterator, Mapping, Sequence

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
    """What was found; None where a table is missing.

    subjects: in source and holdout alike; rows: of the holdout that stand identically in the source; distinct: rows, each counted
    once, that stand on both sides; by_chance: as many of these as random splits of the same subjects give on average.
    """

    subjects: int | None = None
    rows: int | None = None
    distinct: int | None = None
    by_chance: float | None = None


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
    notes: list[str],
) -> Contamination:
    """Subjects and rows of the holdout that stand in the source, or too often in the synthetic table.

    columns: features and target, on which rows are compared (the subject is not: its name does not make a row another one).
    """
    if "holdout" in frames and "synthetic" in frames and "source" not in frames:
        _note_unexplained(frames, columns, notes)
    if "source" not in frames or "holdout" not in frames or not len(frames["source"]) or not len(frames["holdout"]):
        return Contamination()
    shared = _shared_subjects(subjects, subject, problems)
    roles = [role for role in ("source", "holdout", "synthetic") if role in frames and set(columns) <= set(frames[role].columns)]
    if roles[:2] != ["source", "holdout"] or not columns:
        return Contamination(shared)
    codes = row_codes([frames[role] for role in roles], columns)
    units = _units(frames, subjects)
    if shared:  # told already; their rows say nothing about others
        return Contamination(shared)
    held = np.concatenate([np.zeros(len(codes[0]), dtype=bool), np.ones(len(codes[1]), dtype=bool)])
    twins = _twins(np.concatenate(codes[:2]), units, held)
    if twins.too_many:
        told = (
            f"{rows_of(twins.rows)} stand identically in the source; {twins.both} distinct rows stand on both sides, "
            f"where chance gives about {twins.mean:.0f}"
        )
        problems.add("holdout", told, _SPLIT)
    elif subject is None and twins.mean - twins.both > max(_SIGMAS * twins.spread, _ROWS):
        notes.append(
            f"source and holdout share {twins.both} distinct rows, where a split row by row would share about {twins.mean:.0f}: "
            "rows seem to belong together. If several are of one person, name the subject column, or intervals are too narrow."
        )
    if len(roles) == 3:
        _known_to_generator(codes, units, held, problems)
    return Contamination(shared, int(twins.rows.sum()), twins.both, round(twins.mean, 1))


def _note_unexplained(frames: Mapping[str, pd.DataFrame], columns: Sequence[str], notes: list[str]) -> None:
    """Without the source nothing tells how many rows of the holdout a generator makes by chance."""
    held = [frames["holdout"], frames["synthetic"]]
    if not columns or not all(set(columns) <= set(frame.columns) and len(frame) for frame in held):
        return
    holdout, synthetic = row_codes(held, columns)
    inside = np.isin(holdout, synthetic)
    if inside.any():
        notes.append(
            f"holdout: {rows_of(inside)} stand identically in the synthetic table; without the source nothing tells how many "
            "would by chance."
        )


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


@dataclass(frozen=True)
class _Twins:
    """rows: which holdout rows have a twin in the source; both: distinct rows that stand on both sides, with the mean and the
    standard deviation over the dealings.
    """

    rows: NDArray[np.bool_]
    both: int = 0
    mean: float = 0.0
    spread: float = 0.0

    @property
    def too_many(self) -> bool:
        return self.both - self.mean > max(_SIGMAS * self.spread, _ROWS)


def _twins(codes: NDArray[np.uint64], units: NDArray[np.int64], held: NDArray[np.bool_]) -> _Twins:
    group = pd.factorize(codes)[0]
    several = _of_several_units(group, units)
    rows = np.flatnonzero(several[group])
    if not len(rows):
        return _Twins(np.zeros(int(held.sum()), dtype=bool))
    group, unit = pd.factorize(group[rows])[0], units[rows]
    count = int(group.max()) + 1

    def sides(holdout: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(groups,) whether a group stands in the source, and in the holdout."""
        here, there = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        here[group[~holdout]] = True
        there[group[holdout]] = True
        return here, there

    now = held[rows]
    here, there = sides(now)
    twin = np.zeros(len(held), dtype=bool)
    twin[rows] = now & here[group]
    both = int((here & there).sum())
    if not both:
        return _Twins(twin[held])
    dealt = np.array([np.logical_and(*sides(holdout[unit])).sum() for holdout in _dealings(units, held)], dtype=np.float64)
    return _Twins(twin[held], both, float(dealt.mean()), float(dealt.std(ddof=1)))


def _of_several_units(group: NDArray[Any], units: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(groups,) whether rows of two units share it: only then can it ever lie on both sides."""
    first = np.empty(int(group.max()) + 1, dtype=np.int64)
    first[group] = units
    several = np.zeros(len(first), dtype=bool)
    several[group[units != first[group]]] = True
    return several


def _dealings(units: NDArray[np.int64], held: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """(units,) who is in the holdout, when as many units as now are dealt to it at random. Seeded: one study, one answer."""
    side = np.zeros(int(units.max()) + 1, dtype=bool)
    side[units[held]] = True
    rng = np.random.default_rng(0)
    for _ in range(_DEALINGS):
        yield rng.permutation(side)


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
