"""Kinds of columns, seeds, sizes, and tables that cannot be learned from."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from synthml.errors import InputError
from synthml.generation import GenerationRecord
from synthml.synthesis import CartSynthesizer, Synthesizer

N = 400


def columns() -> dict[str, pd.Series]:
    """One column of every kind that tables come with."""
    rng = np.random.default_rng(0)
    hole = rng.random(N) < 0.2
    days = pd.Series(pd.Timestamp("2020-03-01") + pd.to_timedelta(rng.integers(0, 500, N), unit="D"))
    whole, real = pd.Series(rng.integers(0, 90, N)), pd.Series(rng.normal(50, 9, N))
    word, flag = pd.Series(rng.choice(["a", "b", "c"], N)), pd.Series(rng.random(N) < 0.3)

    def holed(series: pd.Series) -> pd.Series:
        series = series.copy()
        series[hole] = None if isinstance(series.dtype, np.dtype) else pd.NA
        return series

    return {
        "int8": whole.astype("int8"),
        "uint16": whole.astype("uint16"),
        "float32": real.round(1).astype("float32"),
        "float64": holed(real),
        "Int64": holed(whole.astype("Int64")),
        "Float64": holed(real.round(2).astype("Float64")),
        "bool": flag,
        "boolean": holed(flag.astype("boolean")),
        "object_bool": holed(flag.astype(object)),
        "object_int": holed(whole.astype(object)),
        "object_text": holed(word.astype(object)),
        "string": holed(word.astype("string")),
        "str": word.astype("str"),
        "category": holed(word.astype(pd.CategoricalDtype(["c", "b", "a"], ordered=True))),
        "category_int": pd.Series(pd.Categorical(whole % 4)),
        "datetime_s": holed(days.astype("datetime64[s]")),
        "datetime_ns": (days + pd.to_timedelta(rng.integers(0, 86400, N), unit="s")).astype("datetime64[ns]"),
        "zoned": holed(days.dt.tz_localize("Europe/London")),
        "timedelta": pd.Series(pd.to_timedelta(whole, unit="h")),
        "date": days.dt.date.astype(object),
        "arrow_int": holed(whole.astype("int64[pyarrow]")),
        "arrow_text": holed(word.astype("string[pyarrow]")),
        "arrow_time": holed(days.astype("timestamp[us][pyarrow]")),
        "arrow_date": holed(days.astype("date32[pyarrow]")),
    }


@pytest.mark.parametrize("kind", columns())
def test_every_kind_comes_back_in_its_dtype(kind: str) -> None:
    """A column alone, or with patients, keeps its dtype, its share of nulls and its range."""
    series = columns()[kind]
    frame = pd.DataFrame({"patient": np.repeat(np.arange(N // 4), 4), "x": series})
    for drawn in (CartSynthesizer().fit(frame[["x"]]).sample(1000), CartSynthesizer().fit(frame, subject="patient").sample(1000)):
        assert drawn.x.dtype == series.dtype
        assert drawn.x.isna().mean() == pytest.approx(series.isna().mean(), abs=0.06)
        known = series.dropna()
        if kind not in ("category", "category_int"):
            assert all(min(known) <= value <= max(known) for value in drawn.x.dropna().unique())
        assert {type(value) for value in drawn.x.dropna()} == {type(value) for value in known}


def test_all_kinds_together() -> None:
    """One table of every kind keeps names, order and dtypes."""
    frame = pd.DataFrame(columns())
    drawn = CartSynthesizer().fit(frame).sample(250)
    assert drawn.shape == (250, frame.shape[1])
    assert drawn.dtypes.equals(frame.dtypes)


def test_numbers_stay_on_their_grid() -> None:
    """Whole numbers, two decimals, quarters off by a tenth, multiples of five and days stay what they are."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "whole": rng.poisson(200, N) * 1.0,
            "cents": rng.gamma(2, 100, N).round(2),
            "quarters": rng.integers(0, 400, N) * 0.25 + 0.1,
            "fives": rng.integers(0, 300, N) * 5,
        }
    )
    drawn = CartSynthesizer().fit(frame).sample(2000)
    assert (drawn.whole % 1 == 0).all()
    assert (drawn.cents == drawn.cents.round(2)).all()
    assert ((drawn.quarters - 0.1) / 0.25 % 1).isin([0.0]).mean() > 0.6
    assert np.allclose((drawn.quarters - 0.1) * 4, np.rint((drawn.quarters - 0.1) * 4))
    assert (drawn.fives % 5 == 0).all()


def test_whole_numbers_of_many_digits_keep_them() -> None:
    """Usual values beyond 2**53, such as hashed hospital codes, come out digit for digit."""
    codes = np.array([2**61 + 3, 2**61 + 10, -(2**60) - 7], dtype=np.int64)
    frame = pd.DataFrame({"hospital": np.random.default_rng(0).choice(codes, 300)})
    assert set(CartSynthesizer().fit(frame).sample(300).hospital) == set(codes.tolist())


def test_equal_seeds_give_equal_tables() -> None:
    """Fitted twice, drawn twice: bit-identical for equal seeds, different for others; a fresh draw needs a fresh seed."""
    frame = pd.DataFrame(columns()).assign(patient=np.repeat(np.arange(N // 4), 4))
    for subject in (None, "patient"):
        one, other = (CartSynthesizer(seed=5).fit(frame, subject=subject) for _ in range(2))
        pd.testing.assert_frame_equal(one.sample(300), other.sample(300))
        pd.testing.assert_frame_equal(one.sample(300, seed=8), other.sample(300, seed=8))
        assert not one.sample(300, seed=8)["float64"].equals(one.sample(300, seed=9)["float64"])
        assert not CartSynthesizer(seed=6).fit(frame, subject=subject).sample(300)["float64"].equals(one.sample(300)["float64"])


def test_any_number_of_rows() -> None:
    """One row, and three times the source; left out, as many as the source."""
    generator = CartSynthesizer().fit(pd.DataFrame({"x": np.arange(50.0), "y": ["a", "b"] * 25}))
    assert [len(generator.sample(n)) for n in (1, 150, None)] == [1, 150, 50]


def test_the_index_of_the_source_does_not_count() -> None:
    """A filtered, unordered or named index gives the same table, numbered from zero."""
    frame = pd.DataFrame({"x": np.arange(60.0) ** 2, "y": ["a", "b", "c"] * 20})
    drawn = CartSynthesizer().fit(frame).sample()
    odd = frame.set_index(pd.Index(np.arange(60)[::-1] // 2, name="row"))
    pd.testing.assert_frame_equal(CartSynthesizer().fit(odd).sample(), drawn)


def test_a_constant_column_stays_constant() -> None:
    """Constant numbers, words and dates are drawn as they are."""
    frame = pd.DataFrame({"n": 7.5, "w": "same", "d": pd.Timestamp("2020-01-01"), "x": np.arange(40)})
    drawn = CartSynthesizer().fit(frame).sample()
    assert drawn[["n", "w", "d"]].drop_duplicates().shape[0] == 1


def test_it_is_a_synthesizer_and_fit_returns_itself() -> None:
    """The protocol holds, structurally, and `record` is a generation record even before the first draw."""
    generator = CartSynthesizer()
    assert isinstance(generator, Synthesizer)
    assert generator.fit(pd.DataFrame({"x": np.arange(30)})) is generator
    assert isinstance(generator.record(), GenerationRecord)
    assert generator.record().to_dict()["synthesis"] == "full"


def test_one_more_than_the_minimum_is_enough() -> None:
    """A table of exactly the minimum number of rows can be learned from: it is one leaf."""
    drawn = CartSynthesizer(min_leaf=10).fit(pd.DataFrame({"x": np.arange(10.0), "y": ["a"] * 10})).sample(100)
    assert drawn.x.between(4, 5).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame(), "the table is empty"),
        (pd.DataFrame({"x": []}), "the table is empty"),
        (pd.DataFrame({"x": [1.0]}), "1 rows, fewer than 10"),
        (pd.DataFrame({"x": np.arange(9.0)}), "9 rows, fewer than 10"),
        (pd.DataFrame(np.ones((20, 2)), columns=["x", "x"]), "'x' stands more than once"),
        (pd.DataFrame(np.ones((20, 2))), "2 column names are no text, the first at position 0"),
        (pd.DataFrame({"x": np.ones(20), "gone": np.full(20, np.nan)}), "'gone' holds no value"),
        (pd.DataFrame({"gone": np.r_[np.ones(9), np.full(20, np.nan)]}), "'gone' has values in 9 rows, fewer than 10"),
        (pd.DataFrame({"x": np.r_[np.ones(20), np.inf, -np.inf]}), "'x' holds 2 infinite values, the first at position 20"),
        (pd.DataFrame({"x": [1, "a"] * 20}), "'x' holds values of kind 'mixed-integer'"),
        (pd.DataFrame({"x": np.ones(20) * 1j}), "'x' holds values of kind 'complex128'"),
        (pd.DataFrame({"x": [[1], [2]] * 20}), "'x' holds values of kind 'mixed'"),
        (pd.DataFrame({"x": np.full(20, 2**63, dtype=np.uint64)}), "'x' holds values of kind 'integer beyond 63 bits'"),
        (np.ones((20, 2)), "a pandas DataFrame is needed, not a ndarray"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused(table: pd.DataFrame, message: str) -> None:
    """What is wrong, where, and what to do."""
    with pytest.raises(InputError, match=message):
        CartSynthesizer(min_leaf=10).fit(table)


def test_settings_are_checked() -> None:
    """Settings and counts that make no sense are refused where they are given."""
    table = pd.DataFrame({"x": np.arange(30), "y": np.arange(30) % 3})
    for wrong in (0, -1, 2.5, True, "5"):
        with pytest.raises(InputError, match="min_leaf must be a whole number, 1 or more"):
            CartSynthesizer(min_leaf=wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="n must be a whole number, 1 or more"):
            CartSynthesizer().fit(table).sample(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed must be"):
        CartSynthesizer(seed=-1)
    with pytest.raises(InputError, match="seed must be"):
        CartSynthesizer().fit(table).sample(seed=-1)
    with pytest.raises(InputError, match="visit is a list"):
        CartSynthesizer(visit="x")
    with pytest.raises(InputError, match="cannot be drawn: z"):
        CartSynthesizer(visit=["z"]).fit(table)
    with pytest.raises(InputError, match="twice"):
        CartSynthesizer(visit=["x", "x"]).fit(table)
    with pytest.raises(InputError, match="subject column 'who' is not in the table"):
        CartSynthesizer().fit(table, subject="who")
    for ask in (CartSynthesizer().sample, CartSynthesizer().record):
        with pytest.raises(InputError, match="Call fit first"):
            ask()


def test_a_failed_fit_leaves_the_last_one() -> None:
    """A generator that was fitted keeps what it learned when the next table is refused."""
    generator = CartSynthesizer().fit(pd.DataFrame({"x": np.arange(30)}))
    before = generator.sample()
    with pytest.raises(InputError):
        generator.fit(pd.DataFrame({"x": [1.0]}))
    pd.testing.assert_frame_equal(generator.sample(), before)


values = st.one_of(st.none(), st.integers(-5, 5), st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2)))
words = st.one_of(st.none(), st.sampled_from(["a", "b", "", "ü", "z" * 50]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            values, words, st.booleans(), st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), st.integers(0, 6)
        ),
        min_size=20,
        max_size=60,
    ),
    min_leaf=st.integers(1, 4),
    with_subject=st.booleans(),
)
def test_any_small_table(rows: list[tuple[object, ...]], min_leaf: int, with_subject: bool) -> None:
    """Whatever a small table holds, it is refused with a reason or drawn within its own ranges and words."""
    table = pd.DataFrame(rows, columns=["number", "word", "flag", "day", "who"])
    table["number"] = table["number"].astype(float)
    table["word"] = table["word"].astype(object)
    table["day"] = pd.to_datetime(table["day"])
    try:
        generator = CartSynthesizer(min_leaf=min_leaf).fit(table, subject="who" if with_subject else None)
    except InputError as error:
        event(str(error)[:20])
        return
    drawn = generator.sample(37)
    assert drawn.dtypes.equals(table.dtypes)
    for name in ("number", "day"):
        assert drawn[name].dropna().between(table[name].min(), table[name].max()).all()
    assert set(drawn.word.dropna()) <= set(table.word.dropna())
