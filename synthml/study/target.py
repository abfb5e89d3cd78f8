"""The target: which task it is, which classes there are and which of them is the event.

Left out, the task is told from all tables together: two distinct values are binary; texts, or at most ten distinct whole numbers,
are multiclass; other numbers are regression. The positive class of a binary target is the larger number, True, or the text that
says yes where the other says no (`yes`, `true`, `positive`, ...), else the text that sorts last. The choice is told in the study's
notes, and depends on the labels alone, so that whoever holds only some of the tables chooses alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.study.tables import label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.study.schema import Kind, Task

__all__ = ["MAXIMUM_CLASSES", "class_codes", "classes_of", "infer_task", "positive_class"]

FEW_CLASSES = 10
MAXIMUM_CLASSES = 100
_YES = frozenset(
    {"yes", "y", "true", "t", "positive", "pos", "case", "event", "dead", "died", "deceased", "readmitted", "high", "1"}
)
_NO = frozenset(
    {"no", "n", "false", "f", "negative", "neg", "control", "none", "alive", "survived", "not readmitted", "low", "0"}
)


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
    """(n,) position of each value in `classes`; -1 for null or for a value that is not among them."""
    values = column.to_numpy()
    if values.dtype == object:
        return pd.Index(classes, dtype=object).get_indexer(values).astype(np.int64)
    return pd.Index(np.array([float(c) for c in classes])).get_indexer(values).astype(np.int64)  # type: ignore[arg-type]
