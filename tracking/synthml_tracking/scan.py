"""Does a file that is about to be logged hold a rare value of the tables?

Before anything is logged, every file is searched (see synthml.telling) for telling values:

    labels     of five characters or more that fewer than `rare_below` real rows hold (synthetic rows where there are no real ones
               with it)
    numbers    of six significant digits or more that fewer than `rare_below` real rows hold

Shorter values stand in every file by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.telling import SHORTEST_LABEL, Finding, Needles, contents, particular, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synthml import Study

__all__ = ["Finding", "Needles", "contents", "files_of", "scan", "telling_values"]


def telling_values(study: Study, rare_below: int) -> dict[str, tuple[Any, ...]]:
    """Column -> labels (str) and numbers (float) that would point at somebody."""
    words = {study.schema.target, *(study.schema.features or ()), *study.schema.mentioned()}
    real = [role for role in study.roles if role != "synthetic"]
    columns = dict.fromkeys(str(name) for role in study.roles for name in study.frame(role).columns)
    found = {}
    for name in columns:
        held = [study.frame(role)[name] for role in real if name in study.frame(role).columns]
        made = study.frame("synthetic").get(name) if "synthetic" in study.roles else None
        values = _telling(held, made, rare_below, words)
        if values:
            found[name] = values
    return found


def _telling(real: list[pd.Series[Any]], made: pd.Series[Any] | None, rare_below: int, words: set[str]) -> tuple[Any, ...]:
    if any(pd.api.types.is_datetime64_any_dtype(column) for column in (*real, *(() if made is None else (made,)))):
        return ()
    counts = pd.concat(real).value_counts() if real else pd.Series(dtype=np.int64)
    rare = counts.index[counts.to_numpy() < rare_below]
    if all(pd.api.types.is_numeric_dtype(column) for column in (*real, *(() if made is None else (made,)))):
        return tuple(number for number in (float(v) for v in rare) if particular(number))
    invented: list[Any] = []
    if made is not None:
        drawn = made.value_counts()
        invented = [v for v in drawn.index[drawn.to_numpy() < rare_below] if v not in counts.index]
    return tuple(str(v) for v in (*rare, *invented) if len(str(v)) >= SHORTEST_LABEL and str(v) not in words)


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Relative path and bytes of every file in a folder, and of every file inside its archives."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from contents(path.relative_to(folder).as_posix(), path.read_bytes())
