"""Text that anybody may have written, on its way to a terminal, a picture or a sheet. Pure."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["csv_text", "one_line"]

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")


def one_line(text: str, most: int = 1000) -> str:
    """No line ends, control characters or marks that turn the direction of writing, and not endless."""
    kept = text[: most - 1] + "…" if len(text) > most else text
    return "".join(c if c.isprintable() else " " for c in kept)


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
