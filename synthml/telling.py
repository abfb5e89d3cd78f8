"""Does a file that is about to leave hold a rare value of the tables?

Encoders keep category values, nearest-neighbour models keep rows, plots keep points. A file is searched for given telling values
in every form in which they may stand in it: labels as UTF-8, UTF-16, UTF-32 and as JSON and HTML write them, numbers as decimal
text, as 64-bit float and integer, and the most extreme ones of a column as 32-bit float too, in files so small that chance would
not find them. Archives are opened. What is reported is the column, how many of its values were found, and the file: no value.
"""

from __future__ import annotations

import bz2
import gzip
import html
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["SHORTEST_LABEL", "Finding", "Needles", "contents", "particular", "scan"]

SHORTEST_LABEL = 5  # shorter ones stand in every file by chance
_SIGNIFICANT_DIGITS = 6
_AS_FLOAT32 = 10
_CHANCE = 0.01  # of a single find of a 32-bit float in random bytes
_LARGEST_FLOAT32 = 3e38
_DEEPEST = 4
_LARGEST = 1 << 30  # bytes of an unpacked archive member
_SHORT = 7  # a label up to here may be the tail of a longer word
_NUMBER = re.compile(rb"-?[0-9.]+(e[+-]?[0-9]+)?")
_TABLE_BITS = 20
_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: spreads keys over the table


@dataclass(frozen=True)
class Finding:
    """Telling values of a column stand in a file. count: how many different ones."""

    column: str
    file: str
    count: int

    def __str__(self) -> str:
        values = "1 value" if self.count == 1 else f"{self.count} values"
        return f"{values} of column '{self.column}' that point at few people (in {self.file})"


def particular(number: float, digits: int = _SIGNIFICANT_DIGITS) -> bool:
    """Whether a number has so many significant digits that chance does not write it."""
    return len(f"{abs(number):.15g}".split("e")[0].replace(".", "").strip("0")) >= digits


class Needles:
    """The byte strings of telling values, ready to be looked for in any number of files at once.

    Every position of a file is looked up in a table of hashed prefixes, so a search costs the same for ten values and for a
    hundred thousand.
    """

    def __init__(self, values: Mapping[str, tuple[Any, ...]], *, numbers: bool = True) -> None:
        self.owners: dict[bytes, tuple[str, int]] = {}
        self._singles: set[bytes] = set()
        for column, found in values.items():
            extreme = _extreme(found)
            for i, value in enumerate(found):
                if isinstance(value, str) or numbers:
                    self.owners |= dict.fromkeys(_forms(value), (column, i))
                    if i in extreme and numbers and abs(value) < _LARGEST_FLOAT32:
                        singles = {struct.pack("<f", value), struct.pack(">f", value)}
                        self.owners |= dict.fromkeys(singles, (column, i))
                        self._singles |= singles
        self._prefixes = {width: self._by_prefix(width) for width in (8, 4)}

    def _by_prefix(self, width: int) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for needle in self.owners:
            if (8 if len(needle) >= 8 else 4) == width:
                found.setdefault(int.from_bytes(needle[:width], "little"), []).append(needle)
        return found

    def within(self, raw: bytes) -> set[tuple[str, int]]:
        """(column, number of the value) of everything that stands in these bytes."""
        found: set[bytes] = set()
        for width, prefixes in self._prefixes.items():
            if prefixes and len(raw) >= width:
                for position, key in _places(raw, width, np.array(list(prefixes), dtype=f"<u{width}")):
                    found |= {needle for needle in prefixes[key] if _stands(raw, position, needle)}
        if len(raw) * len(self._singles) > _CHANCE * 2**32:
            found -= self._singles
        return {self.owners[needle] for needle in found}


def _stands(raw: bytes, position: int, needle: bytes) -> bool:
    """There, and not the tail of a longer word, nor a part of a longer number: files are full of those."""
    if not raw.startswith(needle, position):
        return False
    before = raw[position - 1 : position]
    if _NUMBER.fullmatch(needle):
        return not before.isdigit() and not raw[position + len(needle) :][:1].isdigit()
    return len(needle) > _SHORT or not (needle[:1].isalpha() and before.isalpha())


def _places(raw: bytes, width: int, keys: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """(position, key) of every place in `raw` where one of the keys stands."""
    shift = np.uint64(64 - _TABLE_BITS)
    table = np.zeros(1 << _TABLE_BITS, dtype=bool)
    with np.errstate(over="ignore"):
        table[(keys.astype(np.uint64) * np.uint64(_ODD)) >> shift] = True
        for start in range(width):
            count = (len(raw) - start) // width
            words = np.frombuffer(raw, dtype=f"<u{width}", count=count, offset=start)
            maybe = np.flatnonzero(table[(words.astype(np.uint64) * np.uint64(_ODD)) >> shift])
            hits = maybe[np.isin(words[maybe], keys)]
            yield from zip((hits * width + start).tolist(), words[hits].tolist(), strict=True)


def _extreme(values: tuple[Any, ...]) -> set[int]:
    """Positions of the numbers farthest from the column's middle."""
    numbers = np.array([value for value in values if isinstance(value, float)])
    if not len(numbers):
        return set()
    return set(np.argsort(-np.abs(numbers - np.median(numbers)), kind="stable")[:_AS_FLOAT32].tolist())


def _forms(value: Any) -> Iterator[bytes]:
    """How a value may stand in a file."""
    if isinstance(value, float):
        yield struct.pack("<d", value)
        yield struct.pack(">d", value)
        if value.is_integer() and abs(value) < 1 << 63:
            yield struct.pack("<q", int(value))
            yield str(int(value)).encode()
        else:
            yield repr(value).encode()
        return
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        yield value.encode(encoding, "surrogatepass")
    yield json.dumps(value)[1:-1].encode()
    yield html.escape(value).encode("utf-8", "surrogatepass")


def contents(name: str, raw: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """The bytes themselves and, when they are an archive, what is inside, under the same name."""
    yield name, raw
    if depth < _DEEPEST:
        for content in _unpacked(raw):
            yield from contents(name, content, depth + 1)


def _unpacked(raw: bytes) -> Iterator[bytes]:
    try:
        if raw[:2] == b"\x1f\x8b":
            yield gzip.decompress(raw)
        elif raw[:3] == b"BZh":
            yield bz2.decompress(raw)
        elif raw[:6] == b"\xfd7zXZ\x00":
            yield lzma.decompress(raw)
        elif raw[:2] in (b"x\x01", b"x\x9c", b"x\xda", b"x\x5e"):
            yield zlib.decompress(raw)
        elif raw[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                for member in archive.infolist():
                    if member.file_size <= _LARGEST:
                        yield archive.read(member)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return  # only looks like an archive, or is locked: its raw bytes were searched


def scan(files: Iterable[tuple[str, bytes]], needles: Needles) -> list[Finding]:
    """What was found, by file and column."""
    found: dict[tuple[str, str], set[int]] = {}
    for name, raw in files:
        for column, value in needles.within(raw):
            found.setdefault((name, column), set()).add(value)
    return [Finding(column, name, len(values)) for (name, column), values in sorted(found.items())]
