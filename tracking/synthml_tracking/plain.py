"""Text of people: reasons on their way in; what anybody may have written on its way to a terminal, a picture or a sheet. Pure."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MOST_OF_A_REASON", "csv_text", "one_line", "reason_of"]

MOST_OF_A_REASON = 1000  # characters

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")


def one_line(text: str, most: int = 1000) -> str:
    """No line ends, control characters or marks that turn the direction of writing, and not endless."""
    kept = text[: most - 1] + "…" if len(text) > most else text
    return "".join(c if c.isprintable() else " " for c in kept)


def reason_of(text: str) -> str:
    """A reason that somebody gives for what they sign. Raises InputError when there is none, or too much of it."""
    reason = text.strip()
    if not reason:
        raise InputError("a reason is needed")
    if len(reason) > MOST_OF_A_REASON:
        raise InputError(f"the reason has {len(reason):,} characters; at most {MOST_OF_A_REASON:,} are kept")
    return reason


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV that no spreadsheet takes for a formula: every cell is quoted, and one that would begin a formula has a `'` in front.

    What is given is told in full, but for line ends and control characters, which become spaces.
    """
    out = io.StringIO()
    sheet = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in (header, *rows):
        sheet.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: str) -> str:
    plain = one_line(value, len(value) + 1)
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain
