"""Does a file that is about to be logged hold a rare value of the tables?

Encoders keep category values, nearest-neighbour models keep rows: a model file can carry what no report would. Before anything is
logged, every file is searched for values that stand in fewer rows than `rare_below`: labels as UTF-8, UTF-16 and JSON text;
numbers as decimal text and as the bytes of a 64-bit float, when they are so particular that chance would not put them there.
Archives are opened. What is reported is the column, how many of its rare values were found, and the file; never a value.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd

    from synthml import Study

__all__ = ["Finding", "contents", "rare_values", "scan"]

_SHORTEST_LABEL = 5
_SIGNIFICANT_DIGITS = 7
_MOST_VALUES = 20_000
_DEEPEST = 3


@dataclass(frozen=True)
class Finding:
    """Rare values of a column stand in a file. count: how many different ones."""

    role: str
    column: str
    file: str
    count: int

    def __str__(self) -> str:
        values = "1 rare value" if self.count == 1 else f"{self.count} rare values"
        return f"{values} of {self.role}.{self.column} in {self.file}"


def rare_values(study: Study, rare_below: int) -> dict[tuple[str, str], list[bytes]]:
    """(role, column) -> the byte strings that would give a rare value away.

    Labels of fewer than five characters and numbers of fewer than seven significant digits are no evidence of anything: they
    stand in every file by chance.
    """
    found: dict[tuple[str, str], list[bytes]] = {}
    for role in study.roles:
        frame = study.tables[role].frame
        for name in frame.columns:
            if str(name) == study.schema.subject:
                continue
            needles = [needle for value in _rare(frame[name], rare_below) for needle in _needles(value)]
            if needles:
                found[role, str(name)] = needles
    return found


def _rare(column: pd.Series[Any], rare_below: int) -> Iterable[Any]:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return ()
    counts = column.value_counts(dropna=True)
    values = counts.index[counts.to_numpy() < rare_below]
    if pd.api.types.is_numeric_dtype(column):
        return [v for v in values.tolist() if _particular(float(v))][:_MOST_VALUES]
    return [v for v in values.tolist() if len(str(v)) >= _SHORTEST_LABEL][:_MOST_VALUES]


def _particular(number: float) -> bool:
    """Whether a number has so many significant digits that it names a row."""
    digits = f"{abs(number):.12g}".replace(".", "").lstrip("0").split("e")[0].rstrip("0")
    return len(digits) >= _SIGNIFICANT_DIGITS


def _needles(value: Any) -> Iterator[bytes]:
    if isinstance(value, (int, float)):
        number = float(value)
        yield struct.pack("<d", number)
        yield repr(number).encode() if not number.is_integer() else str(int(number)).encode()
        return
    text = str(value)
    yield text.encode("utf-8")
    yield text.encode("utf-16-le")
    escaped = json.dumps(text)[1:-1].encode()
    if escaped != text.encode("utf-8"):
        yield escaped


def contents(path: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of a file, and of every file inside it when it is an archive."""
    yield from _unpacked(path.relative_to(root).as_posix(), path.read_bytes(), 0)


def _unpacked(name: str, raw: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    yield name, raw
    if depth >= _DEEPEST:
        return
    try:
        if raw[:2] == b"\x1f\x8b":
            yield from _unpacked(name, gzip.decompress(raw), depth + 1)
        elif zipfile.is_zipfile(io.BytesIO(raw)):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                for member in archive.namelist():
                    yield from _unpacked(f"{name}/{member}", archive.read(member), depth + 1)
    except (OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return  # only looks like an archive, or is locked: its raw bytes were given above


def scan(files: Iterable[tuple[str, bytes]], rare: dict[tuple[str, str], list[bytes]]) -> list[Finding]:
    """Search files for the byte strings of `rare_values`."""
    found: dict[tuple[str, str, str], int] = {}
    for name, raw in files:
        for (role, column), needles in rare.items():
            count = sum(needle in raw for needle in needles)
            if count:
                key = (role, column, name)
                found[key] = max(found.get(key, 0), count)
    return [Finding(role, column, name, count) for (role, column, name), count in sorted(found.items())]
