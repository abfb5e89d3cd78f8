"""Any table, from memory or from a file, as Arrow: the one form that the digest and the study start from.

`frames`   pandas, and whatever narwhals can turn into Arrow (polars, pyarrow, duckdb)
`files`    Parquet, Arrow/Feather and CSV, with errors that say where a file breaks
`csv`      what a column of a CSV is: declared, or inferred by rules that lose nothing

Nothing here looks at roles or targets, and no message repeats a value of a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synthml.reading.files import SUFFIXES, parquet_columns, read_file
from synthml.reading.frames import ColumnSource, Reading, from_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SUFFIXES", "ColumnSource", "Reading", "open_columns", "read_table"]


def read_table(table: object, *, where: str = "table", kinds: Mapping[str, str] | None = None) -> Reading:
    """`table` as Arrow. A str or Path is a file, told by its suffix; anything else is a table in memory.

    where: how errors call it (a role). kinds: what the columns of a CSV are; other forms carry their own types.
    Raises StudyError.
    """
    if isinstance(table, (str, Path)):
        return read_file(Path(table), where=where, kinds=kinds or {})
    return from_memory(table, where=where)


def open_columns(table: object, *, where: str = "table", kinds: Mapping[str, str] | None = None) -> ColumnSource:
    """The columns of `table`, to be fetched one by one, so that a Parquet file may be larger than memory. Raises StudyError."""
    if isinstance(table, (str, Path)):
        columns = parquet_columns(Path(table), where=where)
        if columns is not None:
            return columns
    arrow = read_table(table, where=where, kinds=kinds).arrow
    return ColumnSource(arrow.schema, arrow.num_rows, arrow.column)
