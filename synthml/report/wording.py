"""How numbers and labels are written: the same way in the report, in the card and in notebooks.

A label is whatever stood in somebody's table, so it is cleaned before it is shown: line breaks and control characters become a
space, characters that turn the direction of writing or are invisible become U+FFFD, and a long label is cut with a short digest
of the whole, so that two labels that are cut alike stay apart.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml.figures import ALL, parse_of, unescape_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synthml.estimate import Estimate

__all__ = [
    "EVERYONE",
    "Label",
    "clean",
    "column_title",
    "count",
    "group_label",
    "group_pairs",
    "interval",
    "label",
    "listed",
    "number",
    "plural",
    "prose",
    "short_digest",
    "spoken",
]

EVERYONE = "Everyone"
_CUT = 72
_TITLE = 240
_TWISTING = frozenset("\u200b\u200e\u200f\u2060\ufeff") | frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def clean(text: object) -> str:
    """Text that cannot break a line, turn the direction of writing, or hide characters. Equal text gives equal text."""
    parts = []
    for char in str(text):
        category = unicodedata.category(char)
        if char in _TWISTING or category == "Cs":
            parts.append("\ufffd")
        elif category in ("Cc", "Zl", "Zp"):
            parts.append(" ")
        else:
            parts.append(char)
    return "".join(parts)


@dataclass(frozen=True)
class Label:
    """A label as it is shown, and as it stands (`full`: at most 240 characters, empty when nothing was cut)."""

    shown: str
    full: str = ""

    def __str__(self) -> str:
        return self.shown


def label(text: object, *, cut: int = _CUT) -> Label:
    """Cleaned and, above `cut` characters, cut: the beginning, an ellipsis and six digits of the SHA-256 of the whole."""
    whole = str(text)
    head = clean(whole[: max(cut, _TITLE) + 1])
    if len(whole) <= cut:
        return Label(head)
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    full = head if len(whole) <= _TITLE else f"{head[:_TITLE]}… ({len(whole):,} characters)"
    return Label(f"{head[: max(1, cut - 9)]}… #{mark}", full)


def prose(text: object, *, cut: int) -> str:
    """A sentence of somebody's, cleaned; above `cut` characters it ends at a word, with an ellipsis."""
    whole = str(text)
    head = clean(whole[: cut + 1]).strip()
    if len(whole) <= cut:
        return head
    head = head[:cut]
    return f"{head.rsplit(' ', 1)[0] if ' ' in head[cut // 2 :] else head}…"


def column_title(of: str) -> str:
    """`sex race` as a disparity's `<of>` has it -> `sex × race`, unescaped."""
    try:
        return label(" × ".join(unescape_label(part) for part in of.split(" "))).shown
    except UnicodeError:
        return label(of).shown


def group_label(of: str, *, cut: int = _CUT) -> Label:
    """`sex:F race:Black` -> `sex: F × race: Black`; `all` -> `Everyone`; anything that is no group stays as it is."""
    if of == ALL:
        return Label(EVERYONE)
    pairs = group_pairs(of)
    return label(of if pairs is None else " × ".join(f"{column}: {value}" for column, value in pairs), cut=cut)


def group_pairs(of: str) -> tuple[tuple[str, str], ...] | None:
    """The columns and exact labels of a group, or None when `of` names something else."""
    try:
        return parse_of(of)
    except (InputError, UnicodeError):
        return None


def number(value: float | None, *, digits: int | None = 3) -> str:
    """Fixed decimals, or with `digits=None` four significant figures; a true minus sign; an em dash for nothing."""
    if value is None:
        return "—"
    if not math.isfinite(value):
        return "not finite"
    if digits is None:
        size = abs(value)
        decimals = 0 if size >= 10_000 else 3 if size == 0 else min(6, max(0, 3 - math.floor(math.log10(size))))
        text = f"{value:,.{decimals}f}"
    else:
        text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if not any(char in "123456789" for char in text) else "−" + text[1:]
    return text


def interval(estimate: Estimate | None, *, digits: int | None = 3) -> str:
    """`0.631 to 0.672`, or nothing when there is no interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{number(estimate.low, digits=digits)} to {number(estimate.high, digits=digits)}"


def spoken(estimate: Estimate | None, *, digits: int | None = 3) -> str:
    """`0.652 (0.631 to 0.672)`; the status when there is no value."""
    if estimate is None:
        return "not measured"
    if estimate.value is None:
        return estimate.status
    bounds = interval(estimate, digits=digits)
    return number(estimate.value, digits=digits) + (f" ({bounds})" if bounds else "")


def count(value: object) -> str:
    """A whole number with separators; an em dash for nothing."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "—"


def plural(n: int, one: str, many: str | None = None) -> str:
    """`1 group`, `2 groups`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(items: Iterable[str], *, most: int | None = None) -> str:
    """`a`, `a and b`, `a, b and c`; beyond `most` items `a, b and 3 more`."""
    words = list(items)
    if most is not None and len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def short_digest(digest: object) -> str:
    """`sha256:1f3a…` with twelve digits, for sentences; tables show the whole."""
    text = clean(digest)
    head, colon, tail = text.partition(":")
    return f"{head}:{tail[:12]}…" if colon and len(tail) > 16 else text[:28]
