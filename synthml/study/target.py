"""The target: which task it is, which classes there are and which of them is the event.

Left out, the task is told from all tables together: two distinct values are binary; texts, or at most ten distinct whole numbers,
are multiclass; other numbers are regression. The positive class of a binary target is the larger number, True, or the text that
says yes where the other says no (`yes`, `true`, `positive`, ...), else the text that sorts last. The choice is told in the notes,
and depends on the labels alone, so that whoever holds only some of the tables chooses alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.study.checks import check_classes
from synthml.study.columns import MAIN
from synthml.study.problems import listed
from synthml.study.tables import label_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.study.problems import Problems
    from synthml.study.schema import Kind, Schema, Task

__all__ = ["MAXIMUM_CLASSES", "Target", "class_codes", "classes_of", "infer_task", "positive_class", "resolve_target"]

FEW_CLASSES = 10
MAXIMUM_CLASSES = 100
_YES = frozenset(
    {"yes", "y", "true", "t", "positive", "pos", "case", "event", "dead", "died", "deceased", "readmitted", "high", "1"}
)
_NO = frozenset(
    {"no", "n", "false", "f", "negative", "neg", "control", "none", "alive", "survived", "not readmitted", "low", "0"}
)


@dataclass
class Target:
    """What was resolved. codes: role -> the target as `Study.target` gives it; classes: in the order of the codes."""

    task: Task | None = None
    positive: object | None = None
    classes: tuple[object, ...] = ()
    codes: dict[str, NDArray[Any]] = field(default_factory=dict)


def resolve_target(
    schema: Schema, frames: Mapping[str, pd.DataFrame], kind: Kind, problems: Problems, notes: list[str]
) -> Target:
    """Task, classes, positive class and coded targets; problems with each of them."""
    name = schema.target
    held = {role: frame[name] for role, frame in frames.items() if name in frame.columns and len(frame)}
    out = Target(task=schema.task, positive=schema.positive)
    if not held:
        return out
    if kind == "datetime":
        problems.add("schema.target", f"'{name}' is a date", "Predict a number or a class, for example the days until then.")
        return out
    teaching = [column for role, column in held.items() if role in MAIN] or list(held.values())
    classes = classes_of(teaching, kind)
    if out.task is None:
        out.task, why = infer_task(classes, kind)
        notes.append(f"task: {out.task}, told from the target ({why}); say schema.task to choose another.")
    if out.task == "regression":
        if kind == "categorical":
            problems.add(
                "schema.task", f"'{name}' is text, which a regression cannot predict", "Say multiclass, or kinds: numeric."
            )
        else:
            out.codes = {role: column.to_numpy() for role, column in held.items()}
        return out
    if len(classes) > MAXIMUM_CLASSES:
        told = f"'{name}' has {len(classes)} classes, more than {MAXIMUM_CLASSES}"
        problems.add("schema.target", told, "Merge classes, or say task: regression if it is a number.")
    elif out.task == "binary" and len(classes) > 2:
        counts = listed([f"{column.nunique()} in {role}" for role, column in held.items()])
        told = f"is binary, but '{name}' has {len(classes)} distinct values ({counts})"
        problems.add("schema.task", told, "Merge or drop the others, or say task: multiclass.")
    elif out.task == "multiclass" and schema.positive is not None:
        remedy = "Leave it out, or merge classes until there are two."
        problems.add("schema.positive", f"has no meaning for a target of {len(classes)} classes", remedy)
    elif out.task == "multiclass" or len(classes) == 2:
        _resolve_classes(out, held, classes, name, problems, notes)
    return out  # one class only: told as a constant target


def _resolve_classes(
    out: Target,
    held: Mapping[str, pd.Series[Any]],
    classes: tuple[object, ...],
    name: str,
    problems: Problems,
    notes: list[str],
) -> None:
    if out.task == "binary":
        positive, why = positive_class(classes, out.positive)
        if positive is None:
            remedy = "Write the label as it stands in the tables."
            problems.add("schema.positive", f"is neither of the two labels of '{name}'", remedy)
            return
        if out.positive is None:
            notes.append(f"positive class: {label_of(positive)}, {why}; say schema.positive to choose the other.")
        out.positive = positive
        classes = (classes[1], classes[0]) if positive == classes[0] else classes
    out.classes = classes
    out.codes = {role: class_codes(column, classes) for role, column in held.items()}
    check_classes(out.codes, classes, name, problems, notes)
    for codes in out.codes.values():
        np.maximum(codes, -1, out=codes)


def classes_of(columns: Sequence[pd.Series[Any]], kind: Kind) -> tuple[object, ...]:
    """Distinct values over the roles, sorted, as a user writes them: int where whole, bool, str."""
    distinct = [column.dropna().unique() for column in columns]
    if kind == "categorical":
        return tuple(sorted({value for values in distinct for value in values}))
    merged = np.unique(np.concatenate(distinct)) if distinct else np.empty(0)
    if kind == "boolean":
        return tuple(bool(value) for value in merged)
    return tuple(int(value) if float(value).is_integer() else float(value) for value in merged[np.isfinite(merged)])


def infer_task(classes: Sequence[object], kind: Kind) -> tuple[Task, str]:
    """(task, why)."""
    count = len(classes)
    if count == 2:
        return "binary", "two distinct values"
    if kind == "categorical":
        return "multiclass", f"{count} distinct texts"
    if count <= FEW_CLASSES and all(isinstance(value, int) for value in classes):
        return "multiclass", f"{count} distinct whole numbers"
    return "regression", "many distinct numbers"


def positive_class(classes: Sequence[object], asked: object | None) -> tuple[object | None, str]:
    """(the positive class as it stands in the tables, or None when `asked` is not one of them; why)."""
    low, high = classes
    if asked is not None:
        same = [value for value in classes if label_of(value) == label_of(asked)]
        if not same and isinstance(low, bool):
            same = [value for value in classes if str(asked).lower() in ((*_YES, "1") if value else (*_NO, "0"))]
        elif not same and isinstance(asked, bool):
            same = [value for value in classes if str(value).strip().lower() in ((*_YES, "1") if asked else (*_NO, "0"))]
        return (same[0] if len(same) == 1 else None), "as the schema says"
    if isinstance(low, str) and isinstance(high, str):
        for yes, no in ((low, high), (high, low)):
            if yes.strip().lower() in _YES and no.strip().lower() in _NO:
                return yes, "the label that says yes"
        return high, "the label that sorts last"
    return high, "True" if isinstance(high, bool) else "the larger number"


def class_codes(column: pd.Series[Any], classes: Sequence[object]) -> NDArray[np.int64]:
    """(n,) position of each value in `classes`; -1 for null, -2 for a value that is not among them."""
    labels = np.array(classes, dtype=object if column.dtype == object else np.float64)
    found = pd.Index(labels, dtype=labels.dtype).get_indexer(pd.Index(column.to_numpy(), dtype=labels.dtype))
    codes = np.array(found, dtype=np.int64)
    codes[(codes < 0) & column.notna().to_numpy()] = -2
    return codes
