"""The name of a figure: `<family>.<measure>[.<variant>...]/<of>`.

One id serves evidence, MLflow metrics, policies and the report. `<of>` is `all`, a group `sex:F`, an intersection
`sex:F race:Black`, a column, or a pair. Labels are escaped byte by byte so that an id is a legal MLflow metric name on every
system that allows a colon; `parse_of` gives the exact labels back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from synthml.errors import InputError

__all__ = ["ALL", "FigureId", "escape_label", "group_of", "parse_of", "unescape_label"]

ALL = "all"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")
_ESCAPED = re.compile(r"_x([0-9a-f]{2})_")
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def escape_label(text: str) -> str:
    """ASCII letters, digits, `-` and `.` as they are, every other UTF-8 byte as `_xHH_`. Injective."""
    return "".join(chr(b) if b in _PLAIN else f"_x{b:02x}_" for b in text.encode("utf-8"))


def unescape_label(text: str) -> str:
    """The inverse of `escape_label`."""
    parts = _ESCAPED.split(text)
    raw = b"".join(part.encode("ascii") if i % 2 == 0 else bytes([int(part, 16)]) for i, part in enumerate(parts))
    return raw.decode("utf-8")


def group_of(labels: tuple[tuple[str, str], ...]) -> str:
    """`(("sex", "F"), ("race", "Black"))` -> `sex:F race:Black`, escaped; `()` -> `all`."""
    if not labels:
        return ALL
    return " ".join(f"{escape_label(column)}:{escape_label(label)}" for column, label in labels)


def parse_of(of: str) -> tuple[tuple[str, str], ...]:
    """The columns and exact labels of a group; empty for `all`. Raises InputError when `of` is not a group."""
    if of == ALL:
        return ()
    pairs = [part.partition(":") for part in of.split(" ")]
    if any(not colon for _, colon, _ in pairs):
        raise InputError(f"'{of}' is not a group: expected `column:label`, joined by one space")
    return tuple((unescape_label(column), unescape_label(label)) for column, _, label in pairs)


@dataclass(frozen=True, order=True)
class FigureId:
    """A parsed figure id. Law: `FigureId.parse(str(f)) == f`."""

    name: str
    of: str = ALL
    bound: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(f"'{self.name}' is not a figure name: expected `family.measure[.variant]` in lower case")

    @classmethod
    def parse(cls, text: str) -> FigureId:
        """`utility.auroc.tstr.low/sex:F` -> name `utility.auroc.tstr`, of `sex:F`, bound `low`."""
        name, slash, of = text.partition("/")
        if not slash or not of:
            raise InputError(f"'{text}' is not a figure id: expected `<family>.<measure>[.<variant>]/<of>`")
        stem, _, last = name.rpartition(".")
        if last in ("low", "high"):
            return cls(stem, of, last)
        return cls(name, of)

    @property
    def family(self) -> str:
        """The part before the first dot."""
        return self.name.partition(".")[0]

    def with_bound(self, bound: str) -> FigureId:
        """The id of the lower (`low`) or upper (`high`) bound of this figure."""
        return replace(self, bound=bound)

    def __str__(self) -> str:
        return f"{self.name}{'' if self.bound is None else '.' + self.bound}/{self.of}"
