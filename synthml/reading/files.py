"""Tables in files: Parquet, Arrow/Feather, CSV and TSV (also gzipped), told apart by their suffix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from synthml.errors import Problem, StudyError
from synthml.reading.csv import read_csv
from synthml.reading.frames import ColumnSource, Reading, without_index

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SUFFIXES", "parquet_columns", "read_file"]

_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather", ".ipc")
_TEXT = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
SUFFIXES = (*_PARQUET, *_ARROW, *_TEXT)
Stop = Callable[[str, str], StudyError]


def read_file(path: Path, *, where: str, kinds: Mapping[str, str]) -> Reading:
    """The table in a file. kinds: what the columns of a CSV are; Parquet and Arrow carry their own types. Raises StudyError."""

    stop = _stop(path, where)
    if path.is_dir():
        raise stop("is a folder", "Name one file; join the parts of a partitioned table first.")
    if not path.is_file():
        raise stop("no such file", "Paths in a study file are relative to that file.")
    if path.stat().st_size == 0:
        raise stop("the file is empty (0 bytes)", "Write it again.")
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return _parquet(path, stop)
    if name.endswith(_ARROW):
        return _arrow(path, stop)
    for suffix, delimiter in _TEXT.items():
        if name.endswith(suffix):
            return read_csv(path, where=where, kinds=kinds, delimiter=delimiter)
    raise stop(f"the suffix '{path.suffix}' is not known", f"Known are: {', '.join(SUFFIXES)}.")


def _stop(path: Path, where: str) -> Stop:
    def stop(what: str, remedy: str) -> StudyError:
        return StudyError([Problem(where, f"{path}: {what}", remedy)])

    return stop


def parquet_columns(path: Path, *, where: str) -> ColumnSource | None:
    """The columns of a Parquet file, each read when it is fetched; None for other files, and where names leave it open."""
    import pyarrow.parquet as pq

    if not (path.name.lower().endswith(_PARQUET) and path.is_file() and path.stat().st_size):
        return None
    stop = _stop(path, where)
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = without_index(file.schema_arrow.empty_table()).arrow.schema, file.metadata.num_rows
    except (pa.ArrowException, OSError):
        raise _broken(path, "Parquet", (b"PAR1",), stop) from None
    if len(set(schema.names)) < len(schema.names):
        return None

    def fetch(name: str) -> pa.ChunkedArray:
        try:
            with pq.ParquetFile(path) as file:
                table = file.read(columns=[name], use_threads=False)
        except (pa.ArrowException, OSError):
            raise _broken(path, "Parquet", (b"PAR1",), stop) from None
        return without_index(table.select([name])).arrow.column(0)

    return ColumnSource(schema, rows, fetch)


def _parquet(path: Path, stop: Stop) -> Reading:
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError):
        raise _broken(path, "Parquet", (b"PAR1",), stop) from None
    return without_index(table)


def _arrow(path: Path, stop: Stop) -> Reading:
    from pyarrow import feather

    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head == b"ARROW1":
            with pa.ipc.open_file(path) as reader:
                table = reader.read_all()
        elif head[:4] == b"FEA1":
            table = feather.read_table(path)
        else:
            with pa.OSFile(str(path)) as stream, pa.ipc.open_stream(stream) as reader:
                table = reader.read_all()
    except (pa.ArrowException, OSError):
        raise _broken(path, "Arrow", (b"ARROW1",), stop) from None
    return without_index(table)


def _broken(path: Path, form: str, magics: tuple[bytes, ...], stop: Stop) -> StudyError:
    """Truncated, or never of this format: the first and the last bytes tell. Arrow's own words may quote content."""
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(max(0, path.stat().st_size - 8))
        tail = file.read()
    size = path.stat().st_size
    begins = any(head.startswith(magic) for magic in magics)
    ends = any(tail.endswith(magic) for magic in magics)
    if begins and not ends:
        return stop(f"the {form} file is cut off after {size:,} bytes: its footer is missing", "Copy or write it again.")
    if begins:
        return stop(f"the {form} file ({size:,} bytes) is damaged", "Copy or write it again.")
    return stop(f"is not {form}, whatever its suffix says", "Check the file, or give it the suffix of what it is.")
