"""A split never tears the rows of one subject apart."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study.clinic import visits

from synthml.errors import InputError
from synthml.study import split_by_subject


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=40).filter(lambda v: len(set(v)) > 1),
    st.floats(0.01, 0.99),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_every_row_lands_on_one_side_with_its_subject(people, fraction, seed):
    table = pd.DataFrame({"person": people, "row": np.arange(len(people))})
    train, holdout = split_by_subject(table, subject="person", fraction=fraction, seed=seed)
    assert not set(train["person"]) & set(holdout["person"])
    assert sorted([*train["row"], *holdout["row"]]) == list(range(len(people)))
    assert len(train) > 0
    assert len(holdout) > 0


def test_the_fraction_is_of_subjects_and_rows_keep_their_order_and_index():
    table = visits(200).set_index(np.arange(1000, 1200))
    train, holdout = split_by_subject(table, subject="person", fraction=0.3, seed=1)
    assert holdout["person"].nunique() == 30
    assert holdout.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(pd.concat([train, holdout]).sort_index(), table)


def test_equal_seeds_give_equal_splits_and_rows_are_their_own_subjects_by_default():
    table = visits(100)
    assert split_by_subject(table, seed=1)[1].equals(split_by_subject(table, seed=1)[1])
    assert not split_by_subject(table, seed=1)[1].equals(split_by_subject(table, seed=2)[1])
    assert len(split_by_subject(table, fraction=0.25, seed=1)[1]) == 25


@pytest.mark.parametrize(
    ("table", "settings", "told"),
    [
        (visits(10), {"fraction": 1.0}, "fraction must lie between 0 and 1"),
        (visits(10), {"subject": "patient"}, "no column 'patient' to split by"),
        (visits(10).assign(person=[1, None] * 5), {"subject": "person"}, "5 of 10 rows have no subject (first at row 1)"),
        (visits(10).assign(person=1), {"subject": "person"}, "a table of 1 subject cannot be split in two"),
        (visits(10).head(0), {}, "a table of 0 subjects"),
    ],
)
def test_what_cannot_be_split_says_why(table, settings, told):
    with pytest.raises(InputError) as caught:
        split_by_subject(table, **{"seed": 0, **settings})
    assert told in str(caught.value)
