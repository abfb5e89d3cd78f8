"""The digest of a table: worked by hand, pinned for good, equal over every way in, different for every change."""

import datetime as dt
import decimal
import hashlib
import hmac
import json
import subprocess
import sys
import tracemalloc

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthml.digest import arrow_digest, folder_digest, table_digest
from synthml.errors import InputError
from synthml.study import Schema


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def by_hand(columns, rows, key=None):
    """The digest as the module describes it. columns: name -> (type, null positions, value bytes, length bytes)."""
    told = []
    for name, (kind, nulls, values, lengths) in sorted(columns.items()):
        head = json.dumps([name, kind, rows], separators=(",", ":")).encode()
        streams = sha(np.array(nulls, "<i8").tobytes()) + sha(values) + sha(lengths)
        told.append([name, sha(sha(head) + streams).hex()])
    document = json.dumps(["synthml-table-1", rows, told], separators=(",", ":")).encode()
    return "sha256:" + sha(document).hex() if key is None else "hmac-sha256:" + hmac.new(key, document, "sha256").hexdigest()


def ints(*values):
    return np.array(values, "<i8").tobytes()


def test_three_rows_worked_by_hand():
    table = pd.DataFrame({"text": ["é", None, ""], "n": [7, 0, -1], "x": [0.5, np.nan, -0.0], "b": [True, False, True]})
    columns = {
        "text": ("text", [1], "é".encode(), ints(2, 0, 0)),
        "n": ("int64", [], ints(7, 0, -1), b""),
        "x": ("float64", [1], np.array([0.5, 0.0, 0.0], "<f8").tobytes(), b""),
        "b": ("bool", [], b"\x01\x00\x01", b""),
    }
    assert table_digest(table) == by_hand(columns, 3)
    assert table_digest(table, key=b"key") == by_hand(columns, 3, b"key")


def test_times_are_microseconds_of_utc_with_their_zone():
    noon = pd.Timestamp("1970-01-01T13:00", tz="Europe/Berlin")
    table = pd.DataFrame({"at": [noon], "day": [dt.date(1970, 1, 2)]})
    columns = {
        "at": ("timestamp[us, Europe/Berlin]", [], ints(12 * 3600 * 10**6), b""),
        "day": ("timestamp[us]", [], ints(24 * 3600 * 10**6), b""),
    }
    assert table_digest(table) == by_hand(columns, 1)


# A change here is a change of every recorded digest: it needs a new name of the form (synthml-table-2), never an update of these.
GOLDEN = {
    "numbers": "sha256:35a55c3a4f488cbab52299aedccb855c109f0a2f2bf3635cca961de1a8409418",
    "texts": "sha256:55333c8ea1ed0a33607001d632f94acc52348ee6b6c228ffb14dbb7935efd035",
    "times": "sha256:b69fa4dac28914cea9de6f93bee9e08416a10ddde2a875818e2e7395315d3e41",
    "empty": "sha256:ba6cb2b62a9430f291654a64e776edc39632ec16fa973f0bb8c59bdf32c2a5da",
    "mixed": "sha256:e7b57f137581fa74674865cfc942ad0b7750bcba89a378b232d63ad499fe7640",
}


def golden(name):
    return {
        "numbers": pa.table(
            {"i": [1, None, -3], "f": [0.1, None, 1e300], "whole": [1.0, 2.0, None], "u": pa.array([2**63, 0, 1], pa.uint64())}
        ),
        "texts": pa.table(
            {"t": ["", None, "naïve 👩‍⚕️"], "d": pa.array(["x", "y", "x"]).dictionary_encode(), "b": [b"\x00", None, b""]}
        ),
        "times": pa.table(
            {
                "us": pa.array([0, None, -1], pa.timestamp("us")),
                "ns": pa.array([1, None, 2], pa.timestamp("ns")),
                "utc": pa.array([0, 1, 2], pa.timestamp("s", "UTC")),
                "date": pa.array([0, 1, None], pa.date32()),
                "time": pa.array([1, 2, None], pa.time32("s")),
                "span": pa.array([1, 2, None], pa.duration("ms")),
            }
        ),
        "empty": pa.table({"nothing": pa.nulls(3), "no float": pa.array([None, None, float("nan")], pa.float64())}),
        "mixed": pa.table({"b": [True, None, False], "m": pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("2")]),
                           "exact": pa.array([decimal.Decimal("0.1234567890123456789"), None, decimal.Decimal("1")])}),
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_recorded_digests_stay_what_they_are(name):
    assert table_digest(golden(name)) == GOLDEN[name]


def frame():
    return pd.DataFrame(
        {
            "i": [3, 1, 2, 5],
            "f": [0.1, np.nan, 77.25, -2.5],
            "t": ["a", None, "", "NA"],
            "b": [True, False, True, True],
            "when": pd.to_datetime(["2024-01-01", None, "2024-01-01T00:00:00.000001", "1900-05-06"], format="ISO8601"),
        }
    )


def test_the_way_a_table_travels_does_not_matter(tmp_path):
    table = frame()
    expected = table_digest(table)
    table.to_parquet(tmp_path / "t.parquet")
    table.set_index(pd.Index(list("dcba"), name="row")).to_parquet(tmp_path / "indexed.parquet")
    table.to_feather(tmp_path / "t.feather")
    arrow = pa.Table.from_pandas(table)
    forms = {
        "index": table.set_index(pd.Index([9, 9, 8, 8])),
        "column order": table[[*"btif", "when"]],
        "parquet": tmp_path / "t.parquet",
        "parquet with an index": tmp_path / "indexed.parquet",
        "feather": tmp_path / "t.feather",
        "arrow": arrow,
        "chunks": pa.concat_tables([arrow.slice(0, 1), arrow.slice(1, 0), arrow.slice(1)]),
        "slice of a longer table": pa.concat_tables([arrow, arrow]).combine_chunks().slice(4, 4),
        "batch": arrow.to_batches()[0],
        "reader": arrow.to_reader(),
        "dictionary": table.astype({"t": "category"}),
        "nullable": table.convert_dtypes(),
        "pyarrow dtypes": frame().convert_dtypes(dtype_backend="pyarrow"),  # pandas 3.0 turns NaT of the original into 1970 here
        "object": table.astype(object),
        "narrow numbers": table.astype({"i": "int8"}),
        "polars": pl.from_pandas(table),
        "polars lazy": pl.from_pandas(table).lazy(),
        "pandas 2 strings": table.astype({"t": object}),
    }
    assert {name: table_digest(form) == expected for name, form in forms.items()} == dict.fromkeys(forms, True)
    assert table_digest(table, schema=Schema(target="b", kinds={"i": "categorical"})) == expected


def test_a_csv_has_the_digest_of_the_table_it_was_written_from(tmp_path):
    table = frame().assign(t=["a", None, "b", "c"])
    table.to_csv(tmp_path / "t.csv", index=False)
    assert table_digest(tmp_path / "t.csv") == table_digest(table)
    held = duckdb.connect()
    assert table_digest(held.read_csv(str(tmp_path / "t.csv"))) == table_digest(table)
    assert table_digest(pd.read_csv(tmp_path / "t.csv", parse_dates=["when"])) == table_digest(table)


def test_text_of_digits_needs_its_kind_declared_in_a_csv(tmp_path):
    table = pd.DataFrame({"zip": ["10115", "80331"], "y": [0, 1]})
    table.to_csv(tmp_path / "t.csv", index=False)
    declared = Schema(target="y", kinds={"zip": "categorical"})
    assert table_digest(tmp_path / "t.csv") != table_digest(table)
    assert table_digest(tmp_path / "t.csv", schema=declared) == table_digest(table)
    table.assign(zip=["01067", "80331"]).to_csv(tmp_path / "t.csv", index=False)
    assert table_digest(tmp_path / "t.csv") == table_digest(table.assign(zip=["01067", "80331"]))


@pytest.mark.parametrize(
    "stored",
    [
        [1, None, 3],
        pd.array([1, None, 3], dtype="Int8"),
        [1.0, float("nan"), 3.0],
        [decimal.Decimal("1.00"), None, decimal.Decimal(3)],
        pd.Categorical([1, None, 3]),
    ],
)
def test_a_whole_number_is_one_number_however_it_is_stored(stored):
    assert table_digest(pd.DataFrame({"a": stored})) == table_digest(pa.table({"a": pa.array([1, None, 3], pa.int64())}))


def test_decimals_are_the_numbers_they_are():
    cents = [decimal.Decimal(text) for text in ("0.10", "-12.345", "99999999999999.9")]
    expected = table_digest(pd.DataFrame({"a": [0.1, -12.345, 99999999999999.9]}))
    assert table_digest(pd.DataFrame({"a": cents})) == expected
    assert table_digest(pa.table({"a": pa.array(cents, pa.decimal256(60, 20))})) == expected
    near = [decimal.Decimal("0.12345678901234567891"), decimal.Decimal("0.12345678901234567892")]
    assert table_digest(pd.DataFrame({"a": near[:1]})) != table_digest(pd.DataFrame({"a": near[1:]}))


CHANGES = {
    "one integer": ("i", 3, 6),
    "one float by its last bit": ("f", 3, np.nextafter(-2.5, 0)),
    "a float to null": ("f", 0, np.nan),
    "null to zero": ("f", 1, 0.0),
    "one boolean": ("b", 2, False),
    "one microsecond": ("when", 3, pd.Timestamp("1900-05-06T00:00:00.000001")),
    "a time to null": ("when", 0, pd.NaT),
    "null text to empty": ("t", 1, ""),
    "empty text to null": ("t", 2, None),
    "one letter": ("t", 0, "b"),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_change_of_a_cell_shows(name):
    column, row, value = CHANGES[name]
    changed = frame()
    changed.loc[row, column] = value
    assert table_digest(changed) != table_digest(frame())


def test_other_changes_show_too():
    base = frame()
    others = [
        base.iloc[::-1],
        base.head(3),
        base.rename(columns={"i": "j"}),
        base.drop(columns="i"),
        base.assign(extra=1),
        base.assign(b=base["b"].astype(int)),
        base.assign(i=base["i"].astype(str)),
        base.assign(when=base["when"].dt.tz_localize("UTC")),
        base.rename(columns={"i": "f", "f": "i"}),
    ]
    digests = [table_digest(base), *(table_digest(other) for other in others)]
    assert len(set(digests)) == len(digests)
    assert table_digest(pd.DataFrame({"a": ["ab", "c"]})) != table_digest(pd.DataFrame({"a": ["a", "bc"]}))
    assert table_digest(pd.DataFrame({"a": [None, "x"]})) != table_digest(pd.DataFrame({"a": ["x", None]}))


def test_the_last_row_of_a_long_table_counts():
    """MLflow's own digest reads the first 10,000 rows only."""
    table = pd.DataFrame({"y": np.zeros(50_000, dtype=bool), "t": "x"})
    before = table_digest(table)
    table.loc[49_999, "y"] = True
    assert table_digest(table) != before


def test_utc_has_one_name():
    zones = ["UTC", "Etc/UTC", "+00:00"]
    tables = [pa.table({"t": pa.array([5], pa.timestamp("us", zone))}) for zone in zones]
    assert len({table_digest(table) for table in tables}) == 1
    assert table_digest(pa.table({"t": pa.array([5], pa.timestamp("us", "Europe/Paris"))})) != table_digest(tables[0])


def test_a_key_makes_the_digest_a_secret():
    assert table_digest(frame(), key=b"a") != table_digest(frame(), key=b"b")
    assert table_digest(frame(), key=b"a") == table_digest(frame().copy(), key=b"a")
    with pytest.raises(InputError, match="the digest key is empty"):
        table_digest(frame(), key=b"")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pa.table({"a": [[1]]}), "column 'a' holds list<"),
        (pa.table({"a": [{"b": 1}]}), "column 'a' holds struct<"),
        (pa.table([[1], [2]], names=["a", "a"]), "1 column names stand in the table twice"),
        (pa.table({"a": pa.array([2**60], pa.timestamp("s"))}), "times beyond"),
    ],
)
def test_what_has_no_digest_says_so(table, told):
    with pytest.raises(InputError, match=told):
        arrow_digest(table)


def test_memory_stays_bounded():
    """The canonical copy is made a run of rows at a time: far less than the table."""
    table = pa.table({f"x{i}": np.random.default_rng(i).normal(size=1_000_000) for i in range(4)})
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    table_digest(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6 < table.nbytes
    assert pa.total_allocated_bytes() - before < 1e6


@pytest.mark.slow
def test_a_parquet_file_is_gone_through_a_column_at_a_time(tmp_path):
    """Sixteen columns of 8 MB each need a few columns' worth of memory."""
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"x.{i}": np.random.default_rng(i).normal(size=1_000_000) for i in range(16)}), path)
    code = f"""
import pyarrow as pa
from synthml.digest import arrow_digest, table_digest
found = table_digest({str(path)!r})
peak = pa.default_memory_pool().max_memory()
import pyarrow.parquet as pq
assert found == arrow_digest(pq.read_table({str(path)!r}))
print(peak)
"""
    peak = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert peak < 100e6 < 16 * 8e6


def test_a_folder_is_the_sorted_list_of_its_files(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "model.ubj").write_bytes(b"model")
    (tmp_path / "MLmodel").write_bytes(b"ml")
    (tmp_path / "registered_model_meta").write_bytes(b"added on download")
    lines = sorted([f"{sha(b'model').hex()}  b/model.ubj\n", f"{sha(b'ml').hex()}  MLmodel\n"])
    assert folder_digest(tmp_path) == "sha256:" + sha("".join(lines).encode()).hex()
    assert folder_digest(str(tmp_path)) == folder_digest(tmp_path)


def test_a_folder_that_cannot_be_trusted_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        folder_digest(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        folder_digest(tmp_path / "empty")
    (tmp_path / "empty" / "link").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="link is a link"):
        folder_digest(tmp_path / "empty")
