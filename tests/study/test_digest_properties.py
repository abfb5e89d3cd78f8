"""Laws of the digest, over tables that nobody thought of."""

import datetime as dt
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthml.digest import table_digest
from synthml.study import Schema

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
KINDS = {
    "numeric": [
        (st.integers(-(2**63), 2**63 - 1), pa.int64()),
        (st.integers(-100, 100), pa.int8()),
        (st.floats(allow_nan=False, allow_infinity=False), pa.float64()),
        (st.integers(-50, 50).map(float), pa.float64()),
    ],
    "boolean": [(st.booleans(), pa.bool_())],
    "categorical": [(TEXT, pa.large_string()), (st.sampled_from(["", "NA", "1", "true", "a,b", 'q"q']), pa.string())],
    "datetime": [
        (st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2300, 1, 1)), pa.timestamp("us")),
        (st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2300, 1, 1), timezones=st.just(dt.UTC)), pa.timestamp("us", "UTC")),
        (st.dates(dt.date(1600, 1, 1), dt.date(2300, 1, 1)), pa.date32()),
    ],
}
CHOICES = [(kind, values, t) for kind, pairs in KINDS.items() for values, t in pairs]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def tables(draw):
    """(columns as lists, Arrow table, kinds of its columns): two to four columns, one to six rows, nulls anywhere."""
    rows = draw(st.integers(1, 6))
    chosen = draw(st.lists(st.sampled_from(CHOICES), min_size=2, max_size=4))
    lists = {f"c{i}": draw(st.lists(st.none() | values, min_size=rows, max_size=rows)) for i, (_, values, _) in enumerate(chosen)}
    types = {f"c{i}": t for i, (_, _, t) in enumerate(chosen)}
    kinds = {f"c{i}": kind for i, (kind, _, _) in enumerate(chosen)}
    return lists, pa.table({name: pa.array(values, types[name]) for name, values in lists.items()}), kinds


@given(tables(), st.data())
@quick
def test_form_index_chunks_and_encoding_do_not_matter(case, data):
    _, table, _ = case
    expected = table_digest(table)
    cut = data.draw(st.integers(0, table.num_rows))
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    nullable = {
        pa.int64(): pd.Int64Dtype(),
        pa.int8(): pd.Int8Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    assert table_digest(pa.concat_tables([table.slice(0, cut), table.slice(cut)])) == expected
    assert table_digest(frame.set_index(pd.Index(data.draw(st.permutations(range(table.num_rows)))))) == expected
    assert table_digest(table.to_pandas(types_mapper=nullable.get)) == expected
    assert table_digest(pa.table({name: table.column(name).dictionary_encode() for name in table.schema.names})) == expected
    assert table_digest(pl.from_arrow(table)) == expected
    order = data.draw(st.permutations(table.schema.names))
    assert table_digest(table.select(order)) == expected


@given(tables())
@quick
def test_parquet_and_csv_with_their_kinds_do_not_matter(case):
    _, table, kinds = case
    expected = table_digest(table)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pyarrow.parquet.write_table(table, folder / "t.parquet")
        pyarrow.csv.write_csv(table, folder / "t.csv")
        assert table_digest(folder / "t.parquet") == expected
        assert table_digest(folder / "t.csv", schema=Schema(target="c0", kinds=kinds)) == expected


@given(tables(), st.data())
@quick
def test_any_other_value_in_any_cell_shows(case, data):
    lists, table, _ = case
    name = data.draw(st.sampled_from(sorted(lists)))
    row = data.draw(st.integers(0, table.num_rows - 1))
    kinds = next(values for _, values, t in CHOICES if t == table.schema.field(name).type)
    value = data.draw((st.none() | kinds).filter(lambda v: v != lists[name][row]))
    changed = [*lists[name][:row], value, *lists[name][row + 1 :]]
    position = table.schema.get_field_index(name)
    other = table.set_column(position, name, pa.array(changed, table.schema.field(name).type))
    assert table_digest(other) != table_digest(table)


@given(tables(), st.data())
@quick
def test_the_order_of_the_rows_shows(case, data):
    _, table, _ = case
    order = data.draw(st.permutations(range(table.num_rows)))
    moved = table.take(pa.array(order))
    assert (table_digest(moved) == table_digest(table)) == moved.equals(table)
