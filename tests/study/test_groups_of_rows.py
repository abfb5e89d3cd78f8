"""Groups: one grouping per sensitive column and intersection, bins of numbers, and the labels they get."""

import math

import numpy as np
import pandas as pd
import pytest
from study.clinic import a_study, three, visits

from synthml.figures import parse_of
from synthml.study.groups import bin_label, cross, default_bins, group_rows


def series(values):
    array = np.array(values, dtype=object if any(isinstance(v, str) for v in values) else float)
    return pd.Series(array, dtype=array.dtype)


def test_categories_are_groups_sorted_with_missing_last():
    grouping = group_rows("sex", series(["M", "F", np.nan, "M", ""]), None)
    assert grouping.labels == ((("sex", "(empty)"),), (("sex", "F"),), (("sex", "M"),), (("sex", "(missing)"),))
    assert grouping.codes.tolist() == [2, 1, 3, 2, 0]
    assert grouping.codes.dtype == np.int64
    assert grouping.sizes.tolist() == [1, 1, 2, 1]
    assert grouping.column_name == "sex"


def test_a_bin_holds_its_lower_edge_and_the_last_bin_both():
    grouping = group_rows("age", series([-1, 0, 17.9, 18, 40, 65, 120, 121, np.nan]), [0, 18, 40, 65, 120])
    labels = [label[0][1] for label in grouping.labels]
    assert labels == ["<0", "0-18", "18-40", "40-65", "65-120", ">120", "(missing)"]
    assert [labels[code] for code in grouping.codes] == [
        "<0", "0-18", "0-18", "18-40", "40-65", "65-120", "65-120", ">120", "(missing)",
    ]  # fmt: skip


def test_fractions_can_be_binned_at_one_half():
    grouping = group_rows("physlm", series([0, 0.144, 0.5, 1]), [0, 0.5, 1])
    assert [label[0][1] for label in grouping.labels] == ["0-0.5", "0.5-1"]
    assert grouping.codes.tolist() == [0, 0, 1, 1]


def test_infinite_edges_leave_an_end_open():
    grouping = group_rows("x", series([-5, 0, 5]), [-math.inf, 0, math.inf])
    assert [label[0][1] for label in grouping.labels] == ["<0", ">=0"]
    assert grouping.codes.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("edges", "label"),
    [((0, 18), "0-18"), ((0.5, 1.25), "0.5-1.25"), ((-10, -5), "-10..-5"), ((-math.inf, 3), "<3"), ((1e6, math.inf), ">=1000000"),
     ((-math.inf, math.inf), "any")],
)  # fmt: skip
def test_labels_of_bins(edges, label):
    assert bin_label(*edges) == label


def test_numbers_and_booleans_as_categories():
    assert [label[0][1] for label in group_rows("k", series([2, 10, 1.5]), None).labels] == ["1.5", "2", "10"]
    assert [label[0][1] for label in group_rows("b", series([0, 1, np.nan]), None, boolean=True).labels] == [
        "False",
        "True",
        "(missing)",
    ]


def test_an_intersection_has_the_combinations_that_occur():
    sex = group_rows("sex", series(["F", "M", "F", "M"]), None)
    age = group_rows("age", series([10, 50, 50, 50]), [0, 18, 65])
    both = cross([sex, age])
    assert both.columns == ("sex", "age")
    assert both.column_name == "sex age"
    assert both.names == ("sex:F age:0-18", "sex:F age:18-65", "sex:M age:18-65")
    assert both.codes.tolist() == [0, 2, 1, 2]


def test_names_give_the_exact_labels_back():
    grouping = group_rows("Rasse ü", series(["Black / African", "a:b c", "x"]), None)
    assert [parse_of(name) for name in grouping.names] == list(grouping.labels)


def test_a_study_has_one_grouping_per_column_then_one_per_intersection():
    study = a_study(sensitive=["sex", "age", "smoker"], intersections=[["sex", "age"]])
    assert [grouping.columns for grouping in study.groupings("holdout")] == [("sex",), ("age",), ("smoker",), ("sex", "age")]
    for grouping in study.groupings("holdout"):
        assert len(grouping.codes) == 300
        assert (grouping.sizes > 0).all()
        assert grouping.sizes.sum() == 300


def test_a_sensitive_column_that_no_model_uses_may_be_missing_in_the_synthetic_table():
    tables = three()
    del tables["synthetic"]["sex"]
    study = a_study(tables, features=["age", "bmi"], sensitive=["sex"])
    assert study.groupings("synthetic") == ()
    assert len(study.groupings("holdout")) == 1
    assert "synthetic: has no sex; how it represents these cannot be told." in study.notes


def test_ages_get_bands_by_name_and_range():
    values = np.array([0.0, 44.0, 95.0])
    many = np.arange(96.0)
    assert default_bins("age", values, many)[0] == (0, 18, 40, 65, 120)
    assert default_bins("Age at admission", values, many)[0] == (0, 18, 40, 65, 120)
    assert default_bins("age_years", values, many)[0] == (0, 18, 40, 65, 120)
    for name in ("dosage", "wage", "stage", "agent"):
        assert default_bins(name, np.arange(96.0), many)[0] != (0, 18, 40, 65, 120)
    assert default_bins("age", np.arange(200.0), np.arange(200.0))[0] == (-math.inf, 49.8, 99.5, 149, math.inf)


def test_few_whole_numbers_are_categories_and_other_numbers_are_cut_at_quartiles():
    assert default_bins("chronic", np.array([0.0, 1, 2]), np.array([0.0, 1, 2]))[0] is None
    edges, why = default_bins("bmi", np.array([1.23456, 2, 3, 4, 5]), np.array([1.23456, 2, 3, 4, 5.5]))
    assert edges == (-math.inf, 2, 3, 4, math.inf)
    assert why == "quartiles <2, 2-3, 3-4, >=4"
    with pytest.raises(ValueError, match="do not divide it"):
        default_bins("cost", np.array([0.0] * 90 + [1.5] * 10), np.array([0, 1.5]))


def test_quartiles_are_fixed_by_the_source_and_rounded_so_that_no_label_is_a_value():
    tables = three()
    tables["source"]["bmi"] = np.linspace(1.23456, 9.87654, 300)
    study = a_study(tables, sensitive=["bmi"])
    assert study.schema.bins["bmi"] == (-math.inf, 3.4, 5.56, 7.72, math.inf)
    assert "groups of bmi: quartiles <3.4, 3.4-5.56, 5.56-7.72, >=7.72; say schema.bins to choose others." in study.notes
    assert study.summary()["bins"]["bmi"] == [None, 3.4, 5.56, 7.72, None]


def test_the_same_bins_hold_in_every_role():
    tables = {**three(), "production": visits(60, seed=8).assign(bmi=1000.0)}
    study = a_study(tables, sensitive=["bmi"])
    (grouping,) = study.groupings("production")
    assert [label[0][1] for label in grouping.labels] == [f">={study.schema.bins['bmi'][3]:g}"]


def test_a_text_that_reads_missing_is_the_same_group_as_a_null():
    grouping = group_rows("sex", series(["(missing)", np.nan, "F"]), None)
    assert grouping.names == ("sex:_x28_missing_x29_", "sex:F")
    assert grouping.codes.tolist() == [0, 0, 1]
