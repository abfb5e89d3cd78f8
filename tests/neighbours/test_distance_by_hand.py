"""Distances worked by hand: the example of docs/distance.md, and the scale's rules one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthml.neighbours import Scale, distances_to, nearest

KINDS = {"age": "numeric", "sex": "categorical", "ward": "categorical"}


def people(age, sex, ward):
    frame = pd.DataFrame({"age": np.array(age, dtype=float)})
    return frame.assign(sex=pd.Series(list(sex), dtype=object), ward=pd.Series(ward, dtype=object))


SOURCE = people([20, 30, 40, 50, 60], "FFMMF", ["A", "A", "B", "B", np.nan])
ABCD = people([30, 40, 60, 80], "FFMF", ["A", np.nan, np.nan, "A"])
EVERY = np.tile(np.arange(4), (4, 1))


def test_the_example_of_the_documentation():
    """Six distances between four rows, and the nearest of each."""
    rows = Scale.of(SOURCE, KINDS).encode(ABCD)
    expected = [
        [0, 0.4184, 0.9218, 0.3333],
        [0.4184, 0, 0.5034, 0.6667],
        [0.9218, 0.5034, 0, 0.8367],
        [0.3333, 0.6667, 0.8367, 0],
    ]
    np.testing.assert_allclose(distances_to(rows, rows, EVERY), expected, atol=5e-5)
    found = nearest(rows, rows, k=2, exclude_self=True)
    assert found.index.tolist() == [[3, 1], [0, 2], [1, 3], [0, 1]]
    np.testing.assert_allclose(found.distance[0], [0.3333, 0.4184], atol=5e-5)


def test_a_weight_of_two_counts_twice():
    """(2 x 10 / 39.2 + 0 + 1) / 4."""
    rows = Scale.of(SOURCE, KINDS, weights={"age": 2}).encode(ABCD)
    assert distances_to(rows, rows, EVERY)[0, 1] == pytest.approx((2 * 10 / 39.2 + 1) / 4, abs=1e-6)


def test_a_subset_of_columns_is_a_mean_over_these():
    """Age and ward of a and b: (0.2551 + 1) / 2; the order of the names does not matter."""
    rows = Scale.of(SOURCE, KINDS).encode(ABCD)
    for names in (["age", "ward"], ["ward", "age"]):
        some = rows.columns(names)
        assert distances_to(some, some, EVERY)[0, 1] == pytest.approx((10 / 39.2 + 1) / 2, abs=1e-6)


def test_the_range_is_winsorised_and_falls_back_to_minimum_and_maximum():
    """One entry of a million among 0..100 moves the range little; one value that differs among 1,000 equal ones is the range."""
    plain = Scale.of(pd.DataFrame({"x": np.arange(101.0)}), {"x": "numeric"}).axes[0]
    wrong = Scale.of(pd.DataFrame({"x": np.append(np.arange(101.0), 1e6)}), {"x": "numeric"}).axes[0]
    assert (plain.low, plain.width) == (1, 98)
    assert wrong.width == pytest.approx(99, abs=1)
    rare = Scale.of(pd.DataFrame({"x": np.append(np.zeros(1000), 8.0)}), {"x": "numeric"}).axes[0]
    assert (rare.low, rare.width) == (0, 8)


@pytest.mark.parametrize("source", [[7.0, 7.0, np.nan], [np.nan, np.nan, np.nan]])
def test_where_the_source_is_constant_or_empty_any_difference_counts_one(source):
    """7 against 7 is 0, against 7.001 or a null 1, two nulls are 0."""
    scale = Scale.of(pd.DataFrame({"x": source}), {"x": "numeric"})
    rows = scale.encode(pd.DataFrame({"x": [7.0, 7.0, 7.001, np.nan, np.nan]}))
    every = np.tile(np.arange(5), (5, 1))
    assert distances_to(rows, rows, every).tolist() == [
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 1],
        [1, 1, 0, 1, 1],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
    ]


def test_dates_are_measured_in_time_and_booleans_are_labels():
    """Range 98 days: 49 days are half of it, whatever the unit; False and True differ by 1."""
    days = pd.date_range("2021-01-01", periods=101, freq="D").to_numpy().astype("datetime64[us]")
    frame = pd.DataFrame({"day": days, "flag": np.arange(101) % 2.0})
    rows = Scale.of(frame, {"day": "datetime", "flag": "boolean"}).encode(frame)
    day, flag = rows.columns(["day"]), rows.columns(["flag"])
    assert distances_to(day.rows([0]), day, [49])[0] == pytest.approx(0.5, abs=1e-6)
    assert distances_to(flag.rows([0, 0]), flag, [1, 2]).tolist() == [1, 0]


def test_below_the_resolution_numbers_fall_together_and_above_it_never():
    """On a range of 98, 1e-5 is a tenth of a step and 1e-3 ten steps."""
    scale = Scale.of(pd.DataFrame({"x": np.arange(101.0)}), {"x": "numeric"})
    rows = scale.encode(pd.DataFrame({"x": [1.0, 1.00001, 1.001]}))
    near, far = distances_to(rows.rows([0, 0]), rows, [1, 2])
    assert near == 0
    assert far == pytest.approx(0.001 / 98, rel=0.1)


def test_an_index_of_none_is_infinitely_far():
    """-1, as `nearest` gives it where the reference has fewer than k rows."""
    rows = Scale.of(SOURCE, KINDS).encode(ABCD)
    found = nearest(rows.rows([0]), rows.rows([1]), k=3)
    assert found.index.tolist() == [[0, -1, -1]]
    assert distances_to(rows.rows([0]), rows.rows([1]), found.index).tolist() == found.distance.tolist()
