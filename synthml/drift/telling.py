"""What Evidently is about to draw is searched for what masking should have removed, before a page is made of it.

Masking works by construction; this is the second look, for the day when Evidently draws something new. Looked for are labels of
five characters or more that too few rows hold, precise numbers (six significant digits at the ends of a column, eight inside it,
so that a rounded mean is not taken for somebody's value) that too few rows hold, and days that stand in a column of dates.
When any is found there is no page, and a note names the column and the count, never a value.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.subgroups.naming import FEWEST, RARE
from synthml.telling import SHORTEST_LABEL, Needles, particular

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from synthml.drift.engine import Drawing

__all__ = ["held_back"]

_INSIDE = 8
_ENDS = 10
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_OWN_WORDS = (
    "almost constant columns", "almost duplicated columns", "characteristic", "columns", "constant", "count", "counts", "current",
    "data", "dataset", "detected", "distribution", "drift", "drifted", "duplicated", "empty", "frequency", "index", "labels",
    "median", "metric", "missing", "percent", "reference", "score", "share", "stacked", "summary", "total", "unique",
    "value", "values",
)  # fmt: skip


def held_back(
    drawing: Drawing | None, raw: Sequence[pd.DataFrame], masked: Sequence[pd.DataFrame], title: str
) -> tuple[Drawing | None, tuple[str, ...]]:
    """The drawing and no note, or None and a note when something that points at few people stands in it.

    raw: the tables as they are; masked: as Evidently saw them, whose values may be told. title: of the comparison.
    """
    if drawing is None:
        return None, ()
    texts, numbers = _content({"dashboard": drawing.dashboard, "graphs": drawing.graphs})
    shown = {str(label) for frame in masked for name in frame for label in _labels(frame[name])}
    shown |= {str(name) for frame in masked for name in frame}
    allowed = np.concatenate([np.zeros(0), *(_numbers(frame[name]) for frame in masked for name in frame)])
    suspects = np.setdiff1d(_rounded(numbers), _rounded(allowed))
    told = _without("\n".join(sorted(texts - shown)), shown)
    found = {}
    for name in dict.fromkeys(str(name) for table in raw for name in table):
        columns = [table[name] for table in raw if name in table]
        count = _labels_in(told, name, columns, shown) + _numbers_in(suspects, columns) + _days_in(told, columns)
        if count:
            found[name] = count
    if not found:
        return drawing, ()
    listed = ", ".join(f"{count} of column '{name}'" for name, count in found.items())
    return None, (f"drift: there is no page for {title}: values that point at few people would stand in it ({listed}).",)


def _content(value: Any) -> tuple[set[str], NDArray[np.float64]]:
    """Every text, and every number (in texts and packed arrays too) of a JSON value."""
    texts: set[str] = set()
    numbers: list[float] = []
    for leaf in _leaves(value):
        if isinstance(leaf, str):
            texts.add(leaf)
        else:
            numbers.append(float(leaf))
    numbers += [float(number) for text in texts for number in _NUMBER.findall(text)]
    found = np.unique(np.array(numbers, dtype=np.float64))
    return texts, found[np.isfinite(found)]


def _leaves(value: Any) -> Iterator[str | float]:
    if isinstance(value, dict):
        packed = _packed(value)
        yield from packed
        for key, inner in value.items():
            yield str(key)
            yield from _leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield value


def _packed(value: dict[str, Any]) -> list[float]:
    """An array that plotly packs as {"dtype": "f8", "bdata": base64}."""
    if not isinstance(value.get("bdata"), str):
        return []
    try:
        numbers = np.frombuffer(base64.b64decode(value["bdata"]), dtype=str(value.get("dtype"))).astype(np.float64)
    except (binascii.Error, TypeError, ValueError):
        return []
    return [float(number) for number in numbers]


def _labels(column: pd.Series) -> NDArray[np.object_]:
    values = column.to_numpy()
    return np.asarray(pd.unique(values[pd.notna(values)])) if values.dtype == object else np.zeros(0, dtype=object)


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    values = column.to_numpy()
    return np.zeros(0) if values.dtype == object else np.unique(values[np.isfinite(values)].astype(np.float64))


def _rounded(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each to twelve significant digits, so that 0.1 + 0.2 is 0.3."""
    size = np.where(numbers == 0, 1.0, np.abs(numbers))
    scale = 10.0 ** (11 - np.clip(np.floor(np.log10(size)), -250, 250))
    return np.asarray(np.round(numbers * scale) / scale)


def _without(text: str, shown: set[str]) -> str:
    """The text without names and labels that may stand in it, and without Evidently's own words."""
    words = sorted({*shown, RARE} - {""}, key=lambda word: (-len(word), word))
    for word in words:
        if len(word) >= SHORTEST_LABEL and word in text:
            text = text.replace(word, "\n")
    return re.sub(rf"\b(?:{'|'.join(map(re.escape, _OWN_WORDS))})\b", "\n", text, flags=re.IGNORECASE)


def _labels_in(text: str, name: str, columns: Sequence[pd.Series], shown: set[str]) -> int:
    held = [column for column in columns if column.to_numpy().dtype == object]
    if not held:
        return 0
    counts = pd.concat(held).value_counts()
    rare = [str(label) for label in counts.index[counts.to_numpy() < FEWEST]]
    telling = tuple(label for label in rare if len(label) >= SHORTEST_LABEL and label not in shown)
    return len(Needles({name: telling}, numbers=False).within(text.encode("utf-8", "surrogatepass"))) if telling else 0


def _numbers_in(suspects: NDArray[np.float64], columns: Sequence[pd.Series]) -> int:
    held = [column.to_numpy() for column in columns if column.to_numpy().dtype == np.float64]
    if not held:
        return 0
    values, counts = np.unique(np.concatenate(held), return_counts=True)
    keep = np.isfinite(values)
    values, counts = values[keep], counts[keep]
    ends = np.zeros(len(values), dtype=bool)
    ends[:_ENDS], ends[-_ENDS:] = True, True
    hits = (counts < FEWEST) & np.isin(_rounded(values), suspects)
    return sum(
        particular(value) if end else particular(value, _INSIDE)
        for value, end in zip(values[hits].tolist(), ends[hits].tolist(), strict=True)
    )


def _days_in(text: str, columns: Sequence[pd.Series]) -> int:
    held = [column.to_numpy().astype("datetime64[D]") for column in columns if column.to_numpy().dtype.kind == "M"]
    if not held:
        return 0
    days = {str(day) for day in np.unique(np.concatenate(held)) if not np.isnat(day)}
    return len(days & set(_DAY.findall(text)))
