"""Masked tables: every shown value stands for ten people, and little of the distribution is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from synthml.drift.masking import Coded, coded_labels, coded_numbers, common_labels, grid_of, labels_of, numbers_of
from synthml.subgroups.naming import FEWEST, RARE


def people_per_level(coded: Coded, side: int, subjects: np.ndarray | None) -> list[int]:
    codes = coded.codes[side]
    who = np.arange(len(codes)) if subjects is None else subjects
    return [len(np.unique(who[codes == level])) for level in range(len(coded.values[side]))]


@pytest.mark.parametrize("per_subject", [1, 7])
@pytest.mark.parametrize("shape", ["normal", "lognormal", "integers", "zeros and a tail", "ties"])
def test_each_number_is_shared_by_ten_people(shape: str, per_subject: int) -> None:
    rng = np.random.default_rng([1, per_subject])
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "lognormal": lambda n: rng.lognormal(8, 2, size=n),
        "integers": lambda n: rng.integers(0, 90, n).astype(float),
        "zeros and a tail": lambda n: np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(3, 1, n)),
        "ties": lambda n: rng.choice([1.5, 2.25, 1e6], n, p=[0.989, 0.01, 0.001]),
    }[shape]
    numbers = draw(1400), draw(900)
    subjects = tuple(np.arange(len(x)) // per_subject for x in numbers) if per_subject > 1 else (None, None)
    coded = coded_numbers(*numbers, "numeric", subjects)
    for side in (0, 1):
        assert min(people_per_level(coded, side, subjects[side])) >= FEWEST
        assert np.all(np.diff(coded.values[side].astype(float)) > 0)


def test_groups_of_numbers_by_hand() -> None:
    """Nine at 1, three at 2 and ten at 3: 1 and 2 go together as 1; the lone 9 joins the 3s."""
    column = np.repeat([1.0, 2.0, 3.0, 9.0], [9, 3, 10, 1])
    coded = coded_numbers(column, column, "numeric")
    assert coded.values[0].tolist() == [1.0, 3.0]
    assert np.bincount(coded.codes[0]).tolist() == [12, 11]


def test_the_largest_value_does_not_pull_what_is_shown() -> None:
    column = np.append(np.arange(1000) / 10, 1e12)
    assert coded_numbers(column, column, "numeric").values[0].max() < 100


def test_a_person_with_many_rows_is_one_person() -> None:
    """Fifty rows of one patient at an own value are not a crowd."""
    column = np.append(np.tile([1.0, 2.0], 50), np.full(50, 7.0))
    who = np.append(np.arange(100), np.full(50, 500))
    shown = coded_numbers(column, column, "numeric", (who, who)).values[0]
    assert 7.0 not in shown
    assert 7.0 in coded_numbers(column, column, "numeric").values[0]


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_t"])
def test_masking_keeps_the_distance(draw: str) -> None:
    rng = np.random.default_rng(3)
    args = (3,) if draw == "standard_t" else ()
    one = np.asarray(getattr(rng, draw)(*args, size=4000))
    other = np.asarray(getattr(rng, draw)(*args, size=3000)) + 0.4
    coded = coded_numbers(one, other, "numeric")
    masked = wasserstein_distance(coded.column(0).astype(float), coded.column(1).astype(float))
    assert masked == pytest.approx(wasserstein_distance(one, other), abs=0.02 * one.std())


def test_the_grid_is_one_two_or_five() -> None:
    grid = grid_of(np.linspace(0, 100, 10_001), "numeric")
    assert grid == pytest.approx(0.5)
    assert grid_of(np.linspace(0, 1e-4, 10_001), "numeric") == pytest.approx(5e-7)
    assert grid_of(np.full(20, 3.0), "numeric") == 0.0


def test_nulls_and_infinity_stay_missing() -> None:
    column = pd.Series(np.append(np.arange(60.0), [np.nan, np.inf, -np.inf]))
    coded = coded_numbers(numbers_of(column, "numeric"), numbers_of(column, "numeric"), "numeric")
    assert coded.known(0) == 60
    assert np.isnan(coded.column(0)[-3:].astype(float)).all()


def test_dates_are_months_in_years() -> None:
    column = pd.Series(np.array(["2019-04-17T13:05", "1969-12-31", "NaT"], dtype="datetime64[us]"))
    assert numbers_of(column, "datetime")[:2].tolist() == pytest.approx([2019.25, 1969 + 11 / 12])
    assert np.isnan(numbers_of(column, "datetime")[2])


def test_rare_labels_are_one_in_both_tables() -> None:
    reference = np.array([*["flu"] * 12, "kuru", np.nan], dtype=object)
    current = np.array([*["flu"] * 3, "scurvy", "kuru"], dtype=object)
    coded = coded_labels(reference, current, frozenset({"flu", "asthma"}))
    assert coded.values[0].tolist() == ["flu", RARE]
    assert coded.column(1).tolist() == ["flu", "flu", "flu", RARE, RARE]
    assert coded.share_rare(0) == pytest.approx(1 / 13)
    assert coded.share_rare(1) == pytest.approx(2 / 5)


def test_common_labels_count_people_over_the_tables() -> None:
    """Six people here and four there are ten; twenty rows of one person are one."""
    one = (np.array(["a"] * 6 + ["b"] * 20, dtype=object), np.append(np.arange(6), np.full(20, 99)))
    other = (np.array(["a"] * 4 + ["b"] * 8, dtype=object), np.arange(12))
    assert common_labels([one, other]) == {"a"}
    assert common_labels([(one[0], None), (other[0], None)]) == {"a", "b"}


def test_labels_are_written_as_those_of_groups() -> None:
    assert labels_of(pd.Series([1.0, 0.0, np.nan]), "boolean").tolist()[:2] == ["True", "False"]
    assert labels_of(pd.Series([1.0, 2.5]), "numeric").tolist() == ["1", "2.5"]
