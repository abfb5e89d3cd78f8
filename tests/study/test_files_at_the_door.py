"""Files: what a CSV's columns are, and what is said of a file that is empty, cut off, damaged or no text."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from study.clinic import a_study, problems_of, three, visits

from synthml.errors import StudyError
from synthml.reading import read_table


def csv(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def told(path, kinds=None):
    with pytest.raises(StudyError) as caught:
        read_table(path, where="holdout", kinds=kinds)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["1", "-2", ""], "int64", [1, -2, None]),
        (["9223372036854775807", "0"], "int64", [2**63 - 1, 0]),
        (["9223372036854775808", "0"], "double", [2.0**63, 0.0]),
        (["00123", "456"], "large_string", ["00123", "456"]),
        (["+5", "6"], "double", [5.0, 6.0]),
        (["-07", "6"], "large_string", ["-07", "6"]),
        (["1.5", ".5", "-2e3", "NaN"], "double", [1.5, 0.5, -2000.0, None]),
        (["00.5", "1"], "large_string", ["00.5", "1"]),
        (["inf", "1"], "double", [float("inf"), 1.0]),
        (["0.0", "0"], "double", [0.0, 0.0]),
        (["0x1F", "1"], "large_string", ["0x1F", "1"]),
        (["1_000", "1"], "large_string", ["1_000", "1"]),
        ([" 1", "2 "], "int64", [1, 2]),
        ([" a", "b"], "large_string", [" a", "b"]),
        (['5" tall', "x"], "large_string", ['5" tall', "x"]),
        (["1,5"], "large_string", ["1,5"]),
        (["true", "False", "TRUE", ""], "bool", [True, False, True, None]),
        (["yes", "no"], "large_string", ["yes", "no"]),
        (["1", "true"], "large_string", ["1", "true"]),
        (["a", "", '""'], "large_string", ["a", None, ""]),
        (["1", '""', "2"], "int64", [1, None, 2]),
        (["NA", "null", "None", "x"], "large_string", [None, None, None, "x"]),
        (["", "NA"], "null", [None, None]),
        (["2024-02-29", "1999-01-01"], "timestamp[us]", [pd.Timestamp("2024-02-29"), pd.Timestamp("1999-01-01")]),
        (["2024-01-01 10:00", "2024-01-01T10:00:01.5"], "timestamp[us]", None),
        (["2024-01-01T00:00:00.000000001"], "timestamp[ns]", None),
        (["2024-01-01T10:00:00+02:00"], "timestamp[us, tz=UTC]", [pd.Timestamp("2024-01-01 08:00", tz="UTC")]),
        (["2024-01-01T10:00Z"], "timestamp[us, tz=UTC]", None),
        (["2024-01-01T10:00Z", "2024-01-01T10:00"], "large_string", None),
        (["2024-13-01"], "large_string", ["2024-13-01"]),
        (["01/02/2024"], "large_string", ["01/02/2024"]),
        (["20240101"], "int64", [20240101]),
    ],
)
def test_what_a_column_of_a_csv_is(tmp_path, values, kind, read):
    rows = "\n".join(f'"{v}",x' if "," in v else f"{v},x" for v in values)
    column = read_table(csv(tmp_path, f"a,b\n{rows}\n")).arrow.column("a")
    assert str(column.type) == kind
    if read is not None:
        assert column.to_pylist() == read


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["00123", "456", ""], "categorical", ["00123", "456", None]),
        (["1.50", "true"], "categorical", ["1.50", "true"]),
        (["007", "", "8"], "numeric", [7, None, 8]),
        (["007", "1.5"], "numeric", [7.0, 1.5]),
        (["1", "0", "", "yes"], "boolean", [True, False, None, True]),
        (["2024-01-01", "2024-01-01 10:00"], "datetime", [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01 10:00")]),
        (["", ""], "numeric", [None, None]),
        (["", ""], "datetime", [None, None]),
    ],
)
def test_a_declared_kind_is_taken_at_its_word(tmp_path, values, kind, read):
    rows = "\n".join(f"{v},x" for v in values)
    assert read_table(csv(tmp_path, f"a,b\n{rows}\n"), kinds={"a": kind}).arrow.column("a").to_pylist() == read


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (["1", "x", "y"], "numeric", "holdout.a: 2 of 3 values are not numeric, as the schema says (first at row 1)"),
        (["1", "2"], "boolean", "holdout.a: 1 of 2 values are not boolean, as the schema says (first at row 1)"),
        (["2024-01-01", "soon"], "datetime", "holdout.a: 1 of 2 values are not datetime, as the schema says (first at row 1)"),
        (["2024-01-01T10:00Z", "2024-01-01T10:00"], "datetime", "holdout.a: times with and without a zone are mixed"),
    ],
)
def test_what_is_not_of_its_declared_kind_is_an_error(tmp_path, values, kind, message):
    rows = "\n".join(f"{v},x" for v in values)
    assert message in told(csv(tmp_path, f"a,b\n{rows}\n"), {"a": kind})


def test_quotes_line_ends_and_byte_order_marks(tmp_path):
    text = b'\xef\xbb\xbfname,n\r\n"a ""b"", c\r\nd",1\r\nplain,2\r\n'
    table = read_table(csv(tmp_path, text)).arrow
    assert table.schema.names == ["name", "n"]
    assert table.column("name").to_pylist() == ['a "b", c\r\nd', "plain"]
    assert table.column("n").to_pylist() == [1, 2]


def test_tabs_and_gzip_are_told_by_the_suffix(tmp_path):
    assert read_table(csv(tmp_path, "a\tb\n1\tx\n", "t.tsv")).arrow.column("b").to_pylist() == ["x"]
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert read_table(path).arrow.column("a").to_pylist() == [1]


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    assert read_table(csv(tmp_path, "a,b\n")).arrow.num_rows == 0
    tables = {**three(), "holdout": csv(tmp_path, "person,age,sex,bmi,smoker,seen,y\n")}
    assert problems_of(tables)["holdout"].startswith("has 7 columns and 0 rows")


def test_a_file_that_may_have_been_cut_off_is_noted(tmp_path):
    table = visits(60)
    text = table.to_csv(index=False)
    study = a_study({"synthetic": csv(tmp_path, text.rstrip("\n"))})
    assert any(note.startswith("synthetic: the last line of t.csv has no line end") for note in study.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the file is empty (0 bytes)"),
        ("a,b\n1,2\n3\n", "1 lines have not 2 fields as the first line has (first: line 3, with 1)"),
        ("a,b\n1,2,9\n3,4\n5,6,7\n", "2 lines have not 2 fields as the first line has (first: line 2, with 3)"),
        ("a,b\n1,ü\n".encode("latin-1"), "is not UTF-8: line 2 holds a byte that does not belong there"),
        ("a,b\n1,x\n".encode("utf-16"), "is UTF-16, not UTF-8"),
        (b"a,b\n1,x\n2,\x00\n", "holds a NUL byte in line 3"),
        ("a,b\n1,é".encode()[:-1], "ends inside a character"),
        ("a;b\n1;2\n", "has one column only, with another delimiter in its name"),
        (",a\n0,1\n", "1 columns have no name. Write the file without its index"),
        ('a,b\n1,"x\n2,y\n', "ends inside a quoted field"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why_and_where(tmp_path, text, message):
    assert message in told(csv(tmp_path, text))


def test_a_long_file_names_the_line_where_it_breaks(tmp_path):
    lines = ["a,b", *(f"{i},text {i}" for i in range(600_000))]
    lines[500_001] = "7"
    assert "first: line 500002, with 1" in told(csv(tmp_path, "\n".join(lines) + "\n"))
    lines[500_001] = "7,x"
    broken = ("\n".join(lines) + "\n").encode().replace(b"text 499990", b"t\xffxt 499990")
    assert "line 499992 holds a byte" in told(csv(tmp_path, broken))


def test_two_columns_of_one_name_in_a_csv(tmp_path):
    text = visits(60).to_csv(index=False).replace("age", "sex", 1)
    assert "2 columns have this name (columns 1, 2)" in problems_of({"synthetic": csv(tmp_path, text)})["synthetic.sex"]


@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_truncated_parquet_file(tmp_path, keep):
    path = tmp_path / "t.parquet"
    visits(300).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    assert f"the Parquet file is cut off after {path.stat().st_size:,} bytes: its footer is missing" in told(path)


def test_a_damaged_parquet_file(tmp_path):
    path = tmp_path / "t.parquet"
    visits(300).to_parquet(path)
    whole = bytearray(path.read_bytes())
    whole[4 : len(whole) // 2] = bytes(len(whole) // 2 - 4)
    path.write_bytes(whole)
    assert "the Parquet file" in told(path)
    assert "is damaged" in told(path)


def test_a_truncated_arrow_file(tmp_path):
    path = tmp_path / "t.arrow"
    visits(300).to_feather(path)
    path.write_bytes(path.read_bytes()[:-60])
    assert "the Arrow file is cut off" in told(path)


def test_an_arrow_stream_is_read_as_well(tmp_path):
    table = pa.table({"a": [1, 2]})
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert read_table(tmp_path / "t.arrow").arrow.equals(table)


def test_a_gzip_file_that_is_cut_off(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(visits(300).to_csv(index=False).encode())[:-500])
    assert "the gzip file is cut off or damaged" in told(path)


def test_files_that_are_not_what_they_say(tmp_path):
    assert "is not Parquet, whatever its suffix says" in told(csv(tmp_path, "a,b\n1,2\n", "t.parquet"))
    assert "is not Arrow, whatever its suffix says" in told(csv(tmp_path, "a,b\n1,2\n", "t.feather"))
    assert "the suffix '.xlsx' is not known. Known are: .parquet" in told(csv(tmp_path, "a", "t.xlsx"))
    assert "no such file" in told(tmp_path / "absent.csv")
    assert "is a folder" in told(tmp_path)


def test_no_message_about_a_file_repeats_what_stands_in_it(tmp_path):
    canary = "Zebulon-98765"
    for text in (f"a,b\n{canary},1\n{canary}\n", f'a,b\n1,"{canary}\n', f"a,b\n{canary},é\n".encode("latin-1")):
        assert canary not in told(csv(tmp_path, text))
    assert canary not in told(csv(tmp_path, f"a,b\n{canary},1\n"), {"a": "numeric"})


def test_an_index_that_pandas_wrote_into_parquet_is_no_column(tmp_path):
    path = tmp_path / "t.parquet"
    visits(60).set_index("person").to_parquet(path)
    reading = read_table(path)
    assert "person" not in reading.arrow.schema.names
    assert reading.index == ("person",)
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"pandas": "no json"}), path)
    assert read_table(path).arrow.schema.names == ["a"]


def test_one_unreadable_role_does_not_hide_what_is_wrong_with_the_others(tmp_path):
    tables = three()
    tables["source"] = tables["source"].assign(bmi=np.inf)
    tables["holdout"] = tmp_path / "absent.parquet"
    assert set(problems_of(tables)) == {"holdout", "source.bmi"}
