"""The checks of values at the door. Each appends what it finds to one list of problems; none stops at the first.

A message names role and column, the count, the first position (rows are counted from 0) and a remedy, never a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import Problem
from synthml.study.columns import MAIN, REAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from synthml.study.schema import Schema, Task

__all__ = ["check_classes", "check_sizes", "check_target", "check_values"]

FLOOR_ROWS = 20
FLOOR_EVENTS = 2


def _rows(mask: NDArray[Any]) -> str:
    return f"{int(mask.sum())} of {len(mask)} rows (first: row {int(np.argmax(mask))})"


def check_values(frames: Mapping[str, pd.DataFrame], problems: list[Problem]) -> None:
    """All-null columns and infinite values."""
    for role, frame in frames.items():
        if not len(frame):
            continue
        for name in frame.columns:
            values = frame[name].to_numpy()
            if values.dtype == np.float64:
                infinite = np.isinf(values)
                if infinite.any():
                    problems.append(
                        Problem(
                            f"{role}.{name}", f"is infinite in {_rows(infinite)}", "Replace infinity by a null or by a number."
                        )
                    )
            if role != "production" and bool(frame[name].isna().all()):
                problems.append(
                    Problem(f"{role}.{name}", f"all {len(frame)} values are null", "Fill it, or leave the column out everywhere.")
                )


def check_target(frames: Mapping[str, pd.DataFrame], target: str, problems: list[Problem]) -> None:
    """A target that is null or constant where it must teach or judge."""
    for role in MAIN:
        if role not in frames or target not in frames[role].columns or not len(frames[role]):
            continue
        missing = frames[role][target].isna().to_numpy()
        if missing.all():
            continue  # told as an all-null column
        if missing.any():
            problems.append(
                Problem(
                    f"{role}.{target}",
                    f"the target is null in {_rows(missing)}",
                    "Drop these rows: nothing can be learned or judged there.",
                )
            )
        if frames[role][target].nunique(dropna=True) == 1:
            problems.append(
                Problem(
                    f"{role}.{target}",
                    f"the target is constant: one value in all {int((~missing).sum())} rows",
                    "Check how the target was made; a model needs both outcomes.",
                )
            )


def check_classes(
    codes: Mapping[str, NDArray[np.int64]], classes: Sequence[object], target: str, problems: list[Problem], notes: list[str]
) -> None:
    """Classes that one role has and another has not: a model cannot learn, or cannot be judged on, what is not there."""
    counts = {role: np.bincount(code[code >= 0], minlength=len(classes)) for role, code in codes.items() if role in MAIN}
    real = [counts[role] for role in REAL if role in counts]
    if real and "synthetic" in counts:
        known = np.sum(real, axis=0) > 0
        unseen = (counts["synthetic"] > 0) & ~known
        if unseen.any():
            told = int(counts["synthetic"][unseen].sum())
            problems.append(
                Problem(
                    f"synthetic.{target}",
                    f"{told} of {len(codes['synthetic'])} rows have {int(unseen.sum())} classes that no real row has",
                    "Drop these rows, or mend the generator.",
                )
            )
    for learner in ("synthetic", "source"):
        if learner not in counts:
            continue
        judge = [counts[role] for role in ("source", "holdout") if role in counts and role != learner]
        if not judge:
            continue
        absent = (counts[learner] == 0) & (np.sum(judge, axis=0) > 0)
        if absent.any() and (counts[learner] > 0).sum() > 1:
            rows = int(np.sum(judge, axis=0)[absent].sum())
            problems.append(
                Problem(
                    f"{learner}.{target}",
                    f"has no row of {int(absent.sum())} of {len(classes)} classes, which {rows} real rows of other roles have",
                    "Merge rare classes, or draw more rows: a model cannot learn a class that is not there.",
                )
            )
    if "holdout" in counts and len(classes) > 2:
        gone = int((counts["holdout"] == 0).sum())
        if gone:
            notes.append(
                f"holdout: has no row of {gone} of {len(classes)} classes; figures that average over classes are undefined there."
            )


def check_sizes(
    frames: Mapping[str, pd.DataFrame],
    codes: Mapping[str, NDArray[np.int64]],
    schema: Schema,
    task: Task | None,
    problems: list[Problem],
) -> None:
    """Fewer rows, or fewer events, than evidence needs.

    A table that is itself smaller than `minimum_cell` could only give figures that are suppressed; below 20 rows or 2 rows of a
    class nothing can be split, trained or judged, whatever the schema allows.
    """
    rows = max(schema.minimum_cell.rows, FLOOR_ROWS)
    events = max(schema.minimum_cell.events, FLOOR_EVENTS)
    for role in (*MAIN, "reference"):
        if role not in frames or not len(frames[role]):
            continue
        if len(frames[role]) < rows:
            problems.append(
                Problem(
                    role,
                    f"has {len(frames[role])} rows, fewer than the {rows} that evidence needs",
                    "Give more rows" + _smaller(rows, "rows", FLOOR_ROWS),
                )
            )
            continue
        if role == "reference" or task != "binary" or role not in codes:
            continue
        rarer = int(np.bincount(codes[role][codes[role] >= 0], minlength=2).min())
        if 0 < rarer < events:
            problems.append(
                Problem(
                    f"{role}.{schema.target}",
                    f"{rarer} rows of the rarer class, fewer than the {events} that evidence needs",
                    "Give more rows" + _smaller(events, "events", FLOOR_EVENTS),
                )
            )


def _smaller(needed: int, name: str, floor: int) -> str:
    return (
        "."
        if needed == floor
        else f", or lower minimum_cell.{name} (to {floor} at least) and accept what a small table can tell."
    )
