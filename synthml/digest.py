"""The digest of a table's content and of a model's folder.

A table's digest is SHA-256 over a canonical form that does not depend on the library, its version, the file format, the index,
the chunking or the order of the columns. It changes with any value in any row, and with the order of the rows.

Each column, by name, becomes three streams: the positions of its nulls, its values, and the lengths of its texts.

    null        no value at all, whatever type was declared for it
    int64       whole numbers, however they are stored: int8 to uint64, nullable, or floats that are all whole
    float64     other numbers; -0.0 is 0.0, NaN is null
    decimal     decimals with more than 15 digits, which a float cannot tell apart
    bool, text, bytes
    timestamp   dates and times in microseconds of UTC, with the zone recorded (nanoseconds only where there are some)
    time, duration

That a column of whole numbers is one column, be it int64, nullable or float64 with NaN, is on purpose: it is how one and the
same CSV comes out of different readers. The digest of a column is SHA-256 over its name, type, length and streams; the digest of
the table is SHA-256 over the sorted list of these, or HMAC-SHA-256 of it under a key, so that a small table cannot be confirmed
by guessing it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthml.errors import InputError
from synthml.reading import open_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["arrow_digest", "files_digest", "folder_digest", "folder_files", "table_digest", "without_digest"]

FORM = "synthml-table-1"
_ROWS = 1 << 17  # rows that are held in a canonical copy at a time
_INT64 = float(1 << 63)
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/Zulu", "Zulu", "GMT", "+00:00", "-00:00", "Z"})
Array = np.ndarray[Any, np.dtype[Any]]


class _HasKinds(Protocol):
    @property
    def kinds(self) -> Mapping[str, Any]: ...


def table_digest(table: object, *, schema: _HasKinds | None = None, key: bytes | None = None) -> str:
    """`sha256:<hex>` of a table's content, or `hmac-sha256:<hex>` under a key.

    table: pandas, polars, Arrow, duckdb, or the path of a Parquet, Arrow or CSV file. schema: its `kinds` say what the columns
    of a CSV are (`synthml.reading.csv` has the rules when it is left out); a table that carries its own types has the same digest
    with and without it. A Parquet file is read a column at a time. Raises InputError, or StudyError for a file that is broken.
    """
    columns = open_columns(table, kinds=None if schema is None else schema.kinds)
    return _digest(columns.schema, columns.rows, columns.fetch, key)


def arrow_digest(table: pa.Table, *, key: bytes | None = None) -> str:
    """The same for a table that is Arrow already. Raises InputError for two columns of one name, nested values, an empty key."""
    return _digest(table.schema, table.num_rows, table.column, key)


def _digest(schema: pa.Schema, rows: int, fetch: Callable[[str], pa.ChunkedArray], key: bytes | None) -> str:
    names = schema.names
    if len(set(names)) < len(names):
        raise InputError(f"{len(names) - len(set(names))} column names stand in the table twice: name each column once")
    unknown = without_digest(schema)
    if unknown:
        raise InputError(
            f"column '{unknown[0]}' holds {str(schema.field(unknown[0]).type)[:40]}: only numbers, texts, bytes, "
            "booleans, dates and times have a digest. Flatten it, or leave it out."
        )
    if key is not None and not key:
        raise InputError("the digest key is empty: give at least 16 random bytes, or no key at all")

    def one(name: str) -> tuple[str, str]:
        column = fetch(name)
        try:
            return name, _column_digest(name, column)
        except pa.ArrowInvalid:
            raise InputError(f"column '{name}' holds times beyond what microseconds in 64 bits can tell") from None

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:  # hashing releases the interpreter's lock
        columns = sorted(pool.map(one, names))
    document = json.dumps([FORM, rows, columns], ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if key is None:
        return "sha256:" + hashlib.sha256(document).hexdigest()
    return "hmac-sha256:" + hmac.new(key, document, hashlib.sha256).hexdigest()


def _column_digest(name: str, column: pa.ChunkedArray) -> str:
    kind, pieces = _canonical(column)
    nulls, values, lengths = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    done = 0
    for piece in pieces:
        if piece.missing is not None:
            nulls.update(_bytes((np.flatnonzero(piece.missing) + done).astype("<i8", copy=False)))
        values.update(piece.values)
        if piece.lengths is not None:
            lengths.update(_bytes(piece.lengths))
        done += piece.rows
    head = json.dumps([name, kind, len(column)], ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    streams = (nulls.digest(), values.digest(), lengths.digest())
    return hashlib.sha256(b"".join((hashlib.sha256(head).digest(), *streams))).hexdigest()


def _bytes(values: Array) -> bytes | memoryview:
    return values.view(np.uint8).data if values.size else b""


class _Piece:
    """A run of rows in canonical form. missing: which are null (None: none); values: bytes-like; lengths: of texts."""

    __slots__ = ("lengths", "missing", "rows", "values")

    def __init__(self, rows: int, missing: Array | None, values: Any, lengths: Array | None = None) -> None:
        self.rows, self.missing, self.values, self.lengths = rows, missing, values, lengths


def _runs(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Runs of at most _ROWS rows, dictionaries decoded."""
    for chunk in column.chunks:
        for start in range(0, len(chunk), _ROWS):
            run = chunk.slice(start, _ROWS)
            yield run.dictionary_decode() if pa.types.is_dictionary(run.type) else run


def without_digest(schema: pa.Schema) -> list[str]:
    """Columns of a type that has no digest: nested, intervals, unions and extensions."""
    return [field.name for field in schema if not _known(_inner(field.type))]


def _inner(t: pa.DataType) -> pa.DataType:
    return t.value_type if pa.types.is_dictionary(t) else t


def _is_text(t: pa.DataType) -> bool:
    return bool(pa.types.is_string(t) or pa.types.is_large_string(t) or t == pa.string_view())


def _is_bytes(t: pa.DataType) -> bool:
    plain = pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t)
    return bool(plain or t == pa.binary_view())


def _known(t: pa.DataType) -> bool:
    number = pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t) or pa.types.is_boolean(t)
    time = pa.types.is_temporal(t) and not pa.types.is_interval(t)
    return bool(pa.types.is_null(t) or number or time or _is_text(t) or _is_bytes(t))


def _canonical(column: pa.ChunkedArray) -> tuple[str, Iterator[_Piece]]:
    """The canonical type of a column and its pieces."""
    t = _inner(column.type)
    if pa.types.is_null(t) or _all_null(column, t):
        return "null", iter(())
    if pa.types.is_integer(t):
        return _integers(column, t)
    if pa.types.is_floating(t):
        return _floats(column)
    if pa.types.is_decimal(t):
        return _decimals(column)
    if pa.types.is_boolean(t):
        return "bool", (_fixed(run, pa.uint8(), "u1") for run in _runs(column))
    if _is_text(t):
        return "text", (_texts(run, pa.large_string()) for run in _runs(column))
    if _is_bytes(t):
        return "bytes", (_texts(run, pa.large_binary()) for run in _runs(column))
    return _times(column, t)


def _all_null(column: pa.ChunkedArray, t: pa.DataType) -> bool:
    if pa.types.is_dictionary(column.type) or pa.types.is_floating(t):
        return all(pc.all(pc.is_null(run, nan_is_null=True), min_count=0).as_py() for run in _runs(column))
    return bool(column.null_count == len(column))


def _missing(run: pa.Array) -> Array | None:
    return np.asarray(pc.is_null(run)) if run.null_count else None


def _fixed(run: pa.Array, t: pa.DataType, order: str) -> _Piece:
    """Values of one width, null slots set to zero."""
    missing = _missing(run)
    values = pc.cast(run, t)
    if missing is not None:
        values = pc.fill_null(values, 0)
    return _Piece(len(run), missing, np.ascontiguousarray(values.to_numpy(zero_copy_only=False).astype(order, copy=False)))


def _integers(column: pa.ChunkedArray, t: pa.DataType) -> tuple[str, Iterator[_Piece]]:
    if pa.types.is_uint64(t) and any((pc.max(run).as_py() or 0) >= 1 << 63 for run in _runs(column)):
        return "uint64", (_fixed(run, pa.uint64(), "<u8") for run in _runs(column))
    return "int64", (_fixed(run, pa.int64(), "<i8") for run in _runs(column))


def _floats(column: pa.ChunkedArray) -> tuple[str, Iterator[_Piece]]:
    def plain(run: pa.Array) -> tuple[Array, Array | None]:
        numbers = run.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)  # nulls become NaN
        missing = np.isnan(numbers)
        some = bool(missing.any())
        # adding zero turns -0.0 into 0.0, and makes the copy that NaN is cleared from
        numbers = numbers + 0.0
        if some:
            numbers[missing] = 0.0
        return numbers, missing if some else None

    def whole(run: pa.Array) -> bool:
        numbers, _ = plain(run)
        return bool((np.abs(numbers) < _INT64).all() and (np.trunc(numbers) == numbers).all())

    order = "<i8" if all(whole(run) for run in _runs(column)) else "<f8"

    def pieces() -> Iterator[_Piece]:
        for run in _runs(column):
            numbers, missing = plain(run)
            yield _Piece(len(run), missing, numbers.astype(order, copy=False))

    return ("int64" if order == "<i8" else "float64"), pieces()


def _decimals(column: pa.ChunkedArray) -> tuple[str, Iterator[_Piece]]:
    """Decimals as the numbers that they are where int64 or float64 hold them exactly enough to tell them apart, else as text."""
    exact = [_stripped(run) for run in _runs(column)]
    if all(part is not None and (part[1] == 0).all() for part in exact):
        return "int64", (_Piece(len(part[0]), part[2], part[0]) for part in exact if part is not None)
    if all(part is not None and (np.abs(part[0]) < 10**15).all() and (part[1] <= 22).all() for part in exact):
        # both the digits and the power of ten are exact in float64, so the quotient is the float that the decimal's text reads as
        numbers = [(part[0] / 10.0 ** part[1], part[2]) for part in exact if part is not None]
        return "float64", (_Piece(len(values), missing, values) for values, missing in numbers)

    def text(run: pa.Array) -> pa.Array:
        return pa.array([None if v is None else format(v.normalize(), "f") for v in run.to_pylist()], pa.large_string())

    return "decimal", (_texts(text(run), pa.large_string()) for run in _runs(column))


def _as_decimal128(run: pa.Array) -> pa.Array | None:
    """With the fewest decimal places that lose nothing, among those that 128 bits can hold; None when there are none."""
    found = None
    for scale in range(run.type.scale, -1, -1):
        try:
            found = pc.cast(run, pa.decimal128(38, scale))
        except pa.ArrowInvalid:
            if found is not None:
                break
    return found


def _stripped(run: pa.Array) -> tuple[Array, Array, Array | None] | None:
    """(digits as int64, decimal places, nulls) without trailing zeros; None when the digits do not fit in 64 bits."""
    wide = _as_decimal128(run)
    if wide is None:
        return None
    scale = wide.type.scale
    missing = _missing(run)
    words = np.frombuffer(wide.buffers()[1], "<i8", 2 * (len(wide) + wide.offset)).reshape(-1, 2)[wide.offset :]
    digits = words[:, 0].copy()
    if missing is not None:
        digits[missing] = 0
    beyond = words[:, 1] != (words[:, 0] >> 63)
    if scale < 0 or bool((beyond & ~missing if missing is not None else beyond).any()):
        return None
    places = np.full(len(digits), scale, dtype=np.int64)
    for _ in range(scale):
        more = (digits % 10 == 0) & (places > 0)
        if not more.any():
            break
        digits[more] //= 10
        places[more] -= 1
    return digits, places, missing


def _texts(run: pa.Array, t: pa.DataType) -> _Piece:
    missing = _missing(run)
    texts = pc.cast(run, t)
    if missing is not None:
        texts = pc.fill_null(texts, b"" if t == pa.large_binary() else "")
    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, "<i8", len(texts) + 1, texts.offset * 8)
    content = b"" if data is None else memoryview(data)[int(offsets[0]) : int(offsets[-1])]
    return _Piece(len(texts), missing, content, np.diff(offsets))


def _times(column: pa.ChunkedArray, t: pa.DataType) -> tuple[str, Iterator[_Piece]]:
    zone = None
    if pa.types.is_time(t):
        word, make = "time", pa.time64
    elif pa.types.is_duration(t):
        word, make = "duration", pa.duration
    else:
        word, make = "timestamp", pa.timestamp
        zone = getattr(t, "tz", None)
        zone = "UTC" if zone in _UTC else zone
    unit = "ns" if getattr(t, "unit", "") == "ns" and any(_below_micro(run) for run in _runs(column)) else "us"
    tag = f"{word}[{unit}{'' if zone is None else ', ' + zone}]"

    def piece(run: pa.Array) -> _Piece:
        if zone is not None:
            run = pc.cast(run, pa.timestamp(run.type.unit, "UTC"))
        target = pa.timestamp(unit, "UTC") if zone is not None else make(unit)
        return _fixed(pc.cast(run, target), pa.int64(), "<i8")

    return tag, (piece(run) for run in _runs(column))


def _below_micro(run: pa.Array) -> bool:
    numbers = pc.fill_null(pc.cast(run, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return bool((numbers % 1000).any())


def folder_digest(path: str | Path) -> str:
    """`sha256:<hex>` of a model's folder: over the sorted lines `<sha256 of file>  <relative path>`, each with a line end.

    `registered_model_meta`, which MLflow adds on download, is left out. Raises InputError: no folder, no file in it, or a link.
    """
    return files_digest(folder_files(path))


def files_digest(files: Mapping[str, str]) -> str:
    """The digest of a folder, from what `folder_files` says of it."""
    lines = sorted(f"{digest}  {name}\n" for name, digest in files.items())
    return "sha256:" + hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def folder_files(path: str | Path) -> dict[str, str]:
    """Relative path -> hex of the SHA-256, of every file that `folder_digest` covers. Raises InputError as it does."""
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder")
    files = {}
    for file in sorted(root.rglob("*")):
        relative = file.relative_to(root).as_posix()
        if file.is_symlink():
            raise InputError(f"{root}: {relative} is a link; a model's digest covers files only. Copy the file in its place.")
        if "\n" in relative:
            raise InputError(f"{root}: a file name holds a line end. Rename it.")
        if file.is_file() and relative != "registered_model_meta":
            with file.open("rb") as stream:
                files[relative] = hashlib.file_digest(stream, "sha256").hexdigest()
    if not files:
        raise InputError(f"{root} holds no file")
    return files
