"""The search for values that point at somebody, in every form that files give them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import time
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from recording.small_study import study, tables

from synthml_tracking.scan import Needles, contents, files_of, scan, telling_values

if TYPE_CHECKING:
    from pathlib import Path

NAME = "Zaphod Beeblebrox"
NUMBER = 987654.125


def found_in(raw: bytes, values: dict[str, tuple[object, ...]] | None = None) -> list[str]:
    """Findings in one file, as text."""
    needles = Needles({"name": (NAME,), "income": (NUMBER,)} if values is None else values)
    return [str(finding) for finding in scan(contents("model.bin", raw), needles)]


@pytest.mark.parametrize(
    "raw",
    [
        NAME.encode(),
        b"before" + NAME.encode("utf-16-le") + b"after",
        np.array([NAME, "other"]).tobytes(),
        pickle.dumps({"categories": np.array([NAME, None], dtype=object)}),
        json.dumps({"categories": [NAME]}).encode(),
    ],
)
def test_a_label_is_found_in_every_form(raw: bytes) -> None:
    """UTF-8, UTF-16, NumPy's UTF-32, a pickle, JSON."""
    assert found_in(raw) == ["1 value of column 'name' that point at few people (in model.bin)"]


def test_labels_with_marks_are_found_as_json_and_html_write_them() -> None:
    """Escapes do not hide a label."""
    label = "Bücher & <Söhne>"
    for raw in (json.dumps([label]).encode(), b"<td>B\xc3\xbccher &amp; &lt;S\xc3\xb6hne&gt;</td>"):
        assert len(found_in(raw, {"name": (label,)})) == 1


@pytest.mark.parametrize("raw", [*(struct.pack(form, NUMBER) for form in ("<d", ">d", "<f", ">f")), b"[1, 987654.125]"])
def test_a_number_is_found_in_every_form(raw: bytes) -> None:
    """64-bit floats in both byte orders and decimal text; the extreme ones of a column as 32-bit floats too."""
    assert found_in(b"...." + raw + b"....") == ["1 value of column 'income' that point at few people (in model.bin)"]


def test_a_part_of_a_longer_number_or_the_tail_of_a_word_is_no_find() -> None:
    """Files are full of digits and words; only whole ones count, and of labels only short ones need to be whole."""
    assert not found_in(b"139987654.1253 wholesales", {"income": (NUMBER,), "kind": ("sales",)})
    assert found_in(b"whole sales", {"kind": ("sales",)})


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_archives_are_opened(pack: object) -> None:
    """Compressed once or twice, and inside a zip: found all the same."""
    raw = pack(pack(NAME.encode() * 3))  # type: ignore[operator]
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/inside.npy", raw)
    assert len(found_in(raw)) == len(found_in(box.getvalue())) == 1


def test_what_only_looks_like_an_archive_is_searched_as_it_is() -> None:
    """A broken archive is no way around the search."""
    for head in (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"x\x9c"):
        assert len(found_in(head + b"not really" + NAME.encode())) == 1


def test_only_values_that_few_real_rows_hold_are_telling() -> None:
    """Rare among real rows, or made up and rare; frequent, short, or a word of the study's own: not looked for."""
    given = tables()
    for role, label in (("source", "haemophilia"), ("holdout", "porphyria"), ("synthetic", "chimerism")):
        given[role].loc[:2, "ward"] = label
    given["source"].loc[10:30, "ward"] = "neurology"
    given["source"].loc[40:42, "ward"] = "ICU"
    given["source"].loc[50:52, "ward"] = "lactate"
    given["source"].loc[0, "lactate"] = NUMBER
    telling = telling_values(study(given), 10)
    assert set(telling["ward"]) == {"haemophilia", "porphyria", "chimerism"}
    assert NUMBER in telling["lactate"]
    assert "sex" not in telling
    assert "age" not in telling


def test_a_rare_real_value_stays_telling_when_the_generator_multiplied_it() -> None:
    """Three real rows hold it, forty synthetic ones do: it still points at three people."""
    given = tables()
    given["source"].loc[:2, "ward"] = "haemophilia"
    given["synthetic"].loc[:40, "ward"] = "haemophilia"
    assert telling_values(study(given), 10)["ward"] == ("haemophilia",)


def test_a_hundred_thousand_values_in_a_large_file_take_seconds() -> None:
    """The cost does not grow with the number of values times the size of the file."""
    rng = np.random.default_rng(0)
    values = tuple(f"patient-{i:08d}" for i in range(100_000))
    raw = rng.bytes(20_000_000) + b"patient-00077777" + rng.bytes(100)
    started = time.monotonic()
    assert len(found_in(raw, {"id": values, "x": tuple(rng.normal(size=20_000))})) == 1
    assert time.monotonic() - started < 15


def test_a_folder_is_searched_file_by_file(tmp_path: Path) -> None:
    """The finding names column, count and file; never the value."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "encoder.txt").write_text(f"{NAME} and {NUMBER}")
    (tmp_path / "clean.txt").write_text("nothing")
    findings = scan(files_of(tmp_path), Needles({"name": (NAME,), "income": (NUMBER,)}))
    place = "inner/encoder.txt"
    assert [(f.column, f.file, f.count) for f in findings] == [("income", place, 1), ("name", place, 1)]
    assert not any(NAME in str(finding) or str(NUMBER) in str(finding) for finding in findings)


def test_dates_are_not_looked_for() -> None:
    """A moment has no form of its own in a file; the check is about labels and numbers, and says so."""
    given = tables()
    for table in given.values():
        table["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(table)), unit="s")
    assert "seen" not in telling_values(study(given), 10)
