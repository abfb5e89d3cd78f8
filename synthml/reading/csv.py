"""CSV as a table with types, by rules that lose nothing.

A file is UTF-8 (a byte-order mark is allowed), its first line names the columns, every line has as many fields as that one.
A field is null when it stands unquoted and is empty or one of `NULLS`; a quoted "" is an empty text.

What a column is, when the schema does not say, is the first of these that holds for every value:

    int64      whole numbers without leading zero or plus sign, within 64 bits      007 and +5 are text
    double     decimal or exponent notation, inf, without superfluous leading zero  00.5 is text
    bool       true, false in any of the cases true, True, TRUE
    timestamp  ISO 8601 date, or date and time; an offset or Z makes it UTC         01/02/2024 is text
    text       everything else

Space around a number or a date does not count; in a text it does.

A declared kind comes first: `categorical` keeps the text as it stands; `numeric`, `boolean` and `datetime` are taken at their
word, and a value that is not one is an error.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthml.errors import Problem, StudyError
from synthml.reading.frames import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NULLS", "column_type", "read_csv"]

NULLS = (  # the spellings that pandas reads as null
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None", "n/a", "nan", "null",
)  # fmt: skip
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_LEADING_ZERO = r"^[+-]?0[0-9]"
_HEXADECIMAL = r"[xX]"
_PADDED = r"^\s|\s$"
_NUMBER = r"^(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|Inf|INF|infinity|Infinity))$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
_BLOCK = 1 << 22


def read_csv(path: Path, *, where: str, kinds: Mapping[str, str], delimiter: str = ",") -> Reading:
    """A CSV as Arrow with types. Raises StudyError: not UTF-8, ragged, cut off, without rows, or not of the declared kind."""
    notes = _check_text(path, where)
    text = _read_text(path, where, delimiter)
    problems: list[Problem] = []
    unnamed = sum(not name for name in text.schema.names)
    if unnamed:
        problems.append(
            Problem(
                where, f"{path}: {unnamed} columns have no name", "Write the file without its index: to_csv(..., index=False)."
            )
        )
    columns = []
    for position, name in enumerate(text.schema.names):
        columns.append(_typed(text.column(position), kinds.get(name), f"{where}.{name}", problems))
    if problems:
        raise StudyError(problems)
    return Reading(pa.Table.from_arrays(columns, names=text.schema.names), notes=notes)


def _stop(where: str, path: Path, what: str, remedy: str) -> StudyError:
    return StudyError([Problem(where, f"{path}: {what}", remedy)])


def _check_text(path: Path, where: str) -> tuple[str, ...]:
    """One pass over the bytes: UTF-8 to the end, no NUL, a last line that ends."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = lines = quotes = 0
    last = b""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            while block := file.read(_BLOCK):
                if not done and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise _stop(where, path, "is UTF-16, not UTF-8", "Save it as UTF-8.")
                if b"\0" in block:
                    line = lines + block[: block.index(0)].count(b"\n") + 1
                    raise _stop(where, path, f"holds a NUL byte in line {line}", "It is no text, or not UTF-8: save it as UTF-8.")
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    line = lines + block[: max(error.start, 0)].count(b"\n") + 1
                    raise _stop(
                        where, path, f"is not UTF-8: line {line} holds a byte that does not belong there",
                        "Save it as UTF-8; if it is Latin-1: iconv -f latin1 -t utf-8.",
                    ) from None  # fmt: skip
                done += len(block)
                lines += block.count(b"\n")
                quotes += block.count(b'"')
                last = block[-1:]
            try:
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                raise _stop(where, path, "ends inside a character", "It was cut off: copy or write it again.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _stop(where, path, "the gzip file is cut off or damaged", "Copy or write it again.") from None
    if quotes % 2:
        _check_quotes(path, where)
    if last not in (b"\n", b"\r"):
        return (f"{where}: the last line of {path.name} has no line end; if the file was cut off, its last value may be short.",)
    return ()


def _check_quotes(path: Path, where: str) -> None:
    """An odd number of quotes: one may stand inside a word, or a quoted field never ends and swallows what follows."""
    import csv as text

    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        lines = text.reader(file, strict=True)
        try:
            for _ in lines:
                pass
        except text.Error as error:
            if "end of data" in str(error) or "field limit" in str(error):
                raise _stop(where, path, "ends inside a quoted field", "Close the quote, or copy the file again.") from None


def _read_text(path: Path, where: str, delimiter: str) -> pa.Table:
    """Every column as text, so that the types are ours to tell and nothing is lost on the way."""
    from pyarrow import csv

    ragged: list[tuple[int, int, int]] = []

    def note(row: Any) -> str:
        ragged.append((row.number or 0, row.expected_columns, row.actual_columns))
        return "skip"

    def read(threads: bool) -> pa.Table:
        names = _header(path, delimiter)
        ragged.clear()
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=threads, block_size=_BLOCK, column_names=names, skip_rows=1)
            if len(set(names)) < len(names)
            else csv.ReadOptions(use_threads=threads, block_size=_BLOCK),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                null_values=list(NULLS),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    try:
        table = read(threads=True)
        if ragged:
            read(threads=False)  # again, for the line numbers
    except pa.ArrowException:
        raise _stop(where, path, "cannot be read as CSV", "Check its quotes and its delimiter; it may be cut off.") from None
    if ragged:
        number, expected, found = ragged[0]
        told = f"{len(ragged)} lines have not {expected} fields as the first line has (first: line {number}, with {found})"
        raise _stop(where, path, told, "Quote fields that hold the delimiter; if it is the last line, the file was cut off.")
    if table.num_columns == 1 and any(mark in table.schema.names[0] for mark in ";\t|"):
        raise _stop(
            where, path, "has one column only, with another delimiter in its name", "Write it with commas, or as .tsv with tabs."
        )
    return table


def _header(path: Path, delimiter: str) -> list[str]:
    import csv as text

    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        return next(text.reader(file, delimiter=delimiter), [])


def _typed(text: pa.ChunkedArray, kind: str | None, where: str, problems: list[Problem]) -> pa.ChunkedArray:
    if kind == "categorical":
        return text
    if kind is None:
        return column_type(text)
    values = _blank_as_null(text)
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values))])
    found = {"numeric": _numbers, "boolean": _booleans, "datetime": _timestamps}[kind](values, kind)
    if found is not None:
        return found
    bad = ~_fits(values, kind)
    name = where.rpartition(".")[2]
    told = f"{int(bad.sum())} of {len(text)} values are not {kind}, as the schema says (first at row {int(np.argmax(bad))})"
    if not bad.any():
        told = "times with and without a zone are mixed, or some lie beyond what 64 bits can tell"
    problems.append(Problem(where, told, f"Mend them, or say {{{name}: categorical}} under kinds."))
    return text


def column_type(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as the first type that holds for every value; as it is when none does."""
    if text.null_count == len(text):
        return pa.chunked_array([pa.nulls(len(text))])
    values = _blank_as_null(text)
    if values.null_count == len(values):
        return text
    for attempt in (_numbers, _booleans, _timestamps):
        found = attempt(values, None)
        if found is not None:
            return found
    return text


def _blank_as_null(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """As numbers and dates are read: a quoted "" is a null, and space around a value does not count. Texts keep both."""
    if pc.any(pc.match_substring_regex(text.slice(0, 100), _PADDED)).as_py():
        text = pc.utf8_trim_whitespace(text)
    blank = pc.equal(text, "")
    return pc.if_else(blank, pa.scalar(None, text.type), text) if pc.any(blank).as_py() else text


def _numbers(values: pa.ChunkedArray, kind: str | None) -> pa.ChunkedArray | None:
    try:
        whole = pc.cast(values, pa.int64())
    except pa.ArrowInvalid:
        whole = None
    if whole is not None and pc.any(pc.match_substring_regex(values, _HEXADECIMAL)).as_py():
        return None
    if whole is not None and (kind == "numeric" or not pc.any(pc.match_substring_regex(values, _LEADING_ZERO)).as_py()):
        return whole
    try:
        found = pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return None
    if not pc.all(pc.match_substring_regex(values, _NUMBER)).as_py():
        return None
    if kind != "numeric" and (whole is not None or pc.any(pc.match_substring_regex(values, _LEADING_ZERO)).as_py()):
        return None
    return found


def _booleans(values: pa.ChunkedArray, kind: str | None) -> pa.ChunkedArray | None:
    true, false = (_TRUE, _FALSE) if kind is None else ((*_TRUE, "1", "yes", "Yes"), (*_FALSE, "0", "no", "No"))
    is_true = pc.is_in(values, pa.array(true, values.type))
    known = pc.or_(pc.is_in(values, pa.array([*true, *false], values.type)), pc.is_null(values))
    if not pc.all(known).as_py():
        return None
    return pc.if_else(pc.is_null(values), pa.scalar(None, pa.bool_()), is_true)


def _timestamps(values: pa.ChunkedArray, kind: str | None) -> pa.ChunkedArray | None:
    del kind  # declared or not, a date is ISO 8601
    if pc.all(pc.match_substring_regex(values, _DATE)).as_py():
        zone = None
    elif pc.all(pc.or_(pc.match_substring_regex(values, _TIME), pc.match_substring_regex(values, _DATE))).as_py():
        zoned = pc.match_substring_regex(values, r"(?:Z|:[0-9.]+[+-][0-9]{2}:?[0-9]{2})$")
        if pc.any(zoned).as_py() and not pc.all(zoned).as_py():
            return None
        zone = "UTC" if pc.any(zoned).as_py() else None
    else:
        return None
    for unit in ("us", "ns"):
        try:
            return pc.cast(values, pa.timestamp(unit, zone))
        except pa.ArrowInvalid:
            continue
    return None


def _fits(values: pa.ChunkedArray, kind: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Row by row, whether a text is of the declared kind; nulls are."""
    if kind == "numeric":
        fits = pc.match_substring_regex(values, _NUMBER)
    elif kind == "boolean":
        fits = pc.is_in(values, pa.array([*_TRUE, *_FALSE, "0", "1", "yes", "Yes", "no", "No"], values.type))
    else:
        fits = pc.or_(pc.match_substring_regex(values, _TIME), pc.match_substring_regex(values, _DATE))
    return np.asarray(pc.or_kleene(pc.is_null(values), pc.fill_null(fits, False)), dtype=bool)
