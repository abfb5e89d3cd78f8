"""The checks of values at the door. Each appends what it finds to one list of problems; none stops at the first.

A message names role and column, the count, the first position (rows are counted from 0) and a remedy, never a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.study.columns import MAIN, REAL
from synthml.study.problems import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from synthml.study.problems import Problems
    from synthml.study.schema import Schema, Task

__all__ = ["FLOOR_EVENTS", "FLOOR_ROWS", "check_classes", "check_sizes", "check_target", "check_values", "note_features"]

FLOOR_ROWS = 20
FLOOR_EVENTS = 2


def check_values(frames: Mapping[str, pd.DataFrame], problems: Problems) -> None:
    """Infinite values, and columns that are null throughout."""
    for role, frame in frames.items():
        if not len(frame):
            continue
        for name in frame.columns:
            values = frame[name].to_numpy()
            if values.dtype == np.float64:
                infinite = np.isinf(values)
                if infinite.any():
                    problems.add(f"{role}.{name}", f"is infinite in {rows_of(infinite)}", "Write a null or a number instead.")
            if role != "production" and bool(frame[name].isna().all()) and not problems.told(f"{role}.{name}"):
                problems.add(
                    f"{role}.{name}", f"all {len(frame)} values are null", "Fill it, or leave the column out everywhere."
                )


def check_target(frames: Mapping[str, pd.DataFrame], target: str, problems: Problems) -> None:
    """A target that is null or constant where it must teach or judge."""
    for role in MAIN:
        if role not in frames or target not in frames[role].columns or not len(frames[role]):
            continue
        missing = frames[role][target].isna().to_numpy()
        if missing.all():
            continue  # told as a column that is null throughout
        if missing.any():
            remedy = "Drop these rows: nothing can be learned or judged there."
            problems.add(f"{role}.{target}", f"the target is null in {rows_of(missing)}", remedy)
        if frames[role][target].nunique(dropna=True) == 1:
            remedy = "Check how the target was made: a model needs more than one outcome."
            problems.add(f"{role}.{target}", f"the target is constant: one value in all {int((~missing).sum())} rows", remedy)


def check_classes(
    codes: Mapping[str, NDArray[np.int64]], classes: Sequence[object], target: str, problems: Problems, notes: list[str]
) -> None:
    """Classes that one role has and another has not: what is not there can be neither learned nor judged."""
    counts = {role: np.bincount(code[code >= 0], minlength=len(classes)) for role, code in codes.items() if role in MAIN}
    present = {role: count > 0 for role, count in counts.items()}
    real = [present[role] for role in REAL if role in present]
    if real and "synthetic" in counts:
        unseen = present["synthetic"] & ~np.any(real, axis=0)
        if unseen.any():
            rows = int(counts["synthetic"][unseen].sum())
            told = f"{rows} of {len(codes['synthetic'])} rows have {_classes(int(unseen.sum()))} that no real row has"
            problems.add(f"synthetic.{target}", told, "Drop these rows, or mend the generator.")
    for learner in ("synthetic", "source"):
        others = [counts[role] for role in REAL if role in counts and role != learner]
        if learner not in counts or not others or present[learner].sum() < 2:
            continue  # with a single class the target is constant, which is told already
        absent = ~present[learner] & (np.sum(others, axis=0) > 0)
        if absent.any():
            rows = int(np.sum(others, axis=0)[absent].sum())
            told = f"has no row of {int(absent.sum())} of {_classes(len(classes))}, which {rows} real rows elsewhere have"
            problems.add(
                f"{learner}.{target}", told, "Merge rare classes, or draw more rows: what is not there cannot be learned."
            )
    if "holdout" in counts and len(classes) > 2 and not present["holdout"].all():
        gone = int((~present["holdout"]).sum())
        notes.append(f"holdout: has no row of {gone} of {_classes(len(classes))}; averages over classes are undefined there.")
    for role, code in codes.items():
        if role not in MAIN and counts and (code == -2).any():
            unknown = code == -2
            problems.add(
                f"{role}.{target}", f"has classes that no other role has in {rows_of(unknown)}", "Map them to known classes."
            )


def _classes(count: int) -> str:
    return f"{count} class" if count == 1 else f"{count} classes"


def check_sizes(
    frames: Mapping[str, pd.DataFrame],
    codes: Mapping[str, NDArray[np.int64]],
    subjects: Mapping[str, NDArray[np.int64]],
    schema: Schema,
    task: Task | None,
    problems: Problems,
) -> None:
    """Fewer rows, events or subjects than evidence needs.

    A table smaller than `minimum_cell` is itself a cell too small to report: every figure on it would be suppressed. Below 20
    rows, 20 subjects or 2 rows of a class nothing can be split, trained or judged, whatever `minimum_cell` allows.
    """
    rows = max(schema.minimum_cell.rows, FLOOR_ROWS)
    events = max(schema.minimum_cell.events, FLOOR_EVENTS)
    for role in (*MAIN, "reference"):
        if role not in frames or not len(frames[role]):
            continue
        count = len(frames[role])
        if count < rows:
            problems.add(role, f"has {count} rows, fewer than the {rows} that evidence needs", _smaller(rows, "rows", FLOOR_ROWS))
            continue
        if role in REAL and role in subjects:
            people = len(np.unique(subjects[role]))
            if people < FLOOR_ROWS:
                told = f"has rows of {people} subjects, fewer than the {FLOOR_ROWS} that an interval needs"
                problems.add(role, told, "Give rows of more subjects; more rows of the same ones do not help.")
        if role != "reference" and task == "binary" and role in codes:
            rarer = int(np.bincount(codes[role][codes[role] >= 0], minlength=2).min())
            if 0 < rarer < events:
                told = f"has {rarer} rows of the rarer class, fewer than the {events} that evidence needs"
                problems.add(f"{role}.{schema.target}", told, _smaller(events, "events", FLOOR_EVENTS))


def _smaller(needed: int, name: str, floor: int) -> str:
    if needed == floor:
        return "Give more rows."
    return f"Give more rows, or lower minimum_cell.{name} (to no less than {floor}) and accept what a small table can tell."


def note_features(frames: Mapping[str, pd.DataFrame], features: Sequence[str], target: str, notes: list[str]) -> None:
    """What a model could learn and should not: the target under another name, names and free text."""
    held = [frame for role, frame in frames.items() if role in MAIN and target in frame.columns]
    copies = [name for name in features if held and all(_equal(frame[name], frame[target]) for frame in held)]
    notes += [f"features: '{name}' equals the target in every row; a model that sees it proves nothing." for name in copies]
    _note_identifiers(frames, features, notes)


def _equal(left: pd.Series[Any], right: pd.Series[Any]) -> bool:
    return left.dtype == right.dtype and bool((left.iloc[:50] == right.iloc[:50]).all()) and bool((left == right).all())


def _note_identifiers(frames: Mapping[str, pd.DataFrame], features: Sequence[str], notes: list[str]) -> None:
    """A text feature with a new value in every other row is a name, an id or free text: noted, for a model learns it."""
    for name in features:
        for role in REAL:
            if role not in frames or name not in frames[role].columns:
                continue
            values: pd.Series[Any] = frames[role][name]
            if values.dtype == object and len(values) >= FLOOR_ROWS and values.nunique() > 0.5 * len(values):
                notes.append(
                    f"{role}.{name}: {values.nunique()} distinct texts in {len(values)} rows; if it is an id, a name or free "
                    "text, leave it out under features."
                )
                break
