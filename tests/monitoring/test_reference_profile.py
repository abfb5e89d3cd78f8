"""The profile of the holdout: what it tells, and what it must not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from recording.small_study import study, tables

from synthml.metrics import Outcome
from synthml.monitoring.levels import Numbers, label_levels, number_levels
from synthml.monitoring.profile import Profile, level_variances, reference_profile


def outcome_on(given, *, clusters=True):
    rng = np.random.default_rng(5)
    truth = given.target("holdout")
    score = np.clip(0.3 + 0.3 * truth + rng.normal(0, 0.15, len(truth)), 0.01, 0.99)
    return Outcome("binary", truth, score, 0.5, given.subjects("holdout") if clusters else None)


def test_numbers_are_cut_at_rounded_deciles_and_no_level_is_small():
    values = np.random.default_rng(1).gamma(2.0, 17.0, 1000)
    levels = number_levels(values, None, 50)
    rows = np.bincount(levels.codes(values))
    assert rows.min() >= 50
    assert len(rows) >= 8
    assert not set(levels.cuts) & set(values)
    assert all(float(f"{cut:.0f}") == pytest.approx(cut) for cut in levels.cuts)  # two digits of a spread of about 60


def test_a_value_that_a_fifth_of_the_rows_carry_has_a_level_of_its_own():
    values = np.concatenate([np.zeros(400), np.linspace(0.5, 30, 600)])
    levels = number_levels(values, None, 20)
    assert levels.codes(np.array([0.0]))[0] != levels.codes(np.array([0.6]))[0]


def test_a_rare_value_moves_no_cut():
    """Between two common values a cut lies in the middle; one person's value beside them must not shift it."""
    plain = np.repeat([0.0, 1.0, 2.0], 100)
    assert number_levels(plain, None, 50).cuts.tolist() == [0.5, 1.5]
    for rare in (1.27, 734.1):
        assert number_levels(np.append(plain, rare), None, 50).cuts.tolist() == [0.5, 1.5]


def test_levels_of_few_people_are_merged_whatever_their_rows():
    values = np.repeat([0.0, 1.0], [200, 200])
    subjects = np.concatenate([np.arange(200), np.full(200, 999)])
    assert number_levels(values, subjects, 20).size == 1


def test_labels_below_the_minimum_are_the_rest_and_the_rest_is_no_small_cell():
    """Three labels of 500, 300, 60 and one of 5: the 5 would be a small rest, so the 60 join it."""
    values = np.repeat(np.array(["a", "b", "c", "d"], dtype=object), [500, 300, 60, 5])
    levels = label_levels(values, None, 50)
    assert levels.labels == ("a", "b")
    assert np.bincount(levels.codes(values)).tolist() == [500, 300, 65]
    assert label_levels(values[:860], None, 50).labels == ("a", "b", "c")


def test_variances_by_subject_are_those_of_subject_totals():
    """Four rows of two persons, by hand: shares 3/4 and 1/4; residual totals of the first level 0.5 and -0.5."""
    codes, subjects = np.array([0, 0, 0, 1]), np.array([7, 7, 9, 9])
    assert level_variances(codes, 2, subjects) == pytest.approx([2 * 0.5 / 16] * 2)
    assert level_variances(codes, 2, None) == pytest.approx([0.75 * 0.25 / 4] * 2)


def test_a_profile_survives_its_table():
    given = study(tables(600))
    rows = reference_profile(given, outcome_on(given))
    read = Profile.from_rows(json.loads(json.dumps(rows)), given.schema.bins, given.schema.kinds)
    names = [column.name for column in read.columns]
    assert names == ["age", "sex", "ward", "lactate", "(prediction)", "(outcome)"]
    frame = given.frame("holdout")
    for column in read.columns[:4]:
        counted = np.bincount(column.levels.codes(frame[column.name].to_numpy()), minlength=column.levels.size)
        assert np.abs(counted - column.rows).max() <= 2
        assert (column.rows % 5 == 0).all()


def test_the_profile_shows_the_groups_that_the_subgroup_evidence_shows():
    """A group below the minimum stands nowhere by name, nor by the rest: a second group goes with it."""
    given = tables(600)
    given["holdout"].loc[:11, "sex"] = "intersex"
    made = study(given)
    rows = [row for row in reference_profile(made, outcome_on(made)) if row["column"] == "sex" and row["what"] == "level"]
    assert "intersex" not in {row["level"] for row in rows}
    assert len(rows) == 1


def test_a_canary_is_not_in_the_profile():
    given = tables(600)
    given["holdout"].loc[7, "ward"] = "Slartibartfast"
    given["holdout"].loc[11, "lactate"] = 31415.926535
    given["holdout"].loc[13, "age"] = 117
    made = study(given)
    text = json.dumps(reference_profile(made, outcome_on(made)))
    for canary in ("Slartibartfast", "31415", "15707", "117"):
        assert canary not in text


def test_a_few_nulls_are_not_counted_out():
    given = tables(600)
    given["holdout"].loc[:2, "lactate"] = np.nan
    made = study(given)
    (row,) = (r for r in reference_profile(made, outcome_on(made)) if r["column"] == "lactate" and r["what"] == "missing")
    assert row["rows"] is None


def test_dates_are_left_out():
    given = {role: table.assign(seen=pd.date_range("2020-01-01", periods=len(table))) for role, table in tables(600).items()}
    made = study(given)
    assert "seen" not in {row["column"] for row in reference_profile(made, outcome_on(made))}


def test_the_order_of_rows_changes_nothing():
    given = tables(600)
    one = study(given)
    turned = given["holdout"].iloc[::-1].reset_index(drop=True)
    other = study({**given, "holdout": turned})
    back = outcome_on(one)
    reversed_ = Outcome("binary", back.truth[::-1], back.score[::-1], 0.5, other.subjects("holdout"))
    assert reference_profile(one, back) == reference_profile(other, reversed_)


def test_no_cut_leaves_one_level():
    assert Numbers(np.empty(0)).size == 1
    assert number_levels(np.full(5, np.nan), None, 20).size == 1
