"""Shares, duplicates, missing values, groups and telling features on tables that can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from quality.wards import ground_of, ward_patients, ward_study
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from synthml.estimate.proportions import wilson
from synthml.quality import duplicates, features, missing, representation
from synthml.quality.representation import effective_groups
from synthml.quality.shares import gap, mean_of, share_of


def clinic(**columns):
    """Forty patients; `ill` alternates, half are in the north."""
    table = pd.DataFrame({"number": np.arange(40.0), "ward": ["north"] * 20 + ["west"] * 20, "ill": [0, 1] * 20})
    return table.assign(**columns)


def clinic_study(table, **schema):
    words = {"subject": None, "minimum_cell": {"rows": 20, "events": 5}, **schema}
    return ward_study(table, **words)


def test_a_share_has_wilsons_interval():
    share = share_of(np.array([True] * 3 + [False] * 7), None)
    figure = share.estimate(0.95, "")
    expected = binomtest(3, 10).proportion_ci(method="wilson")
    assert (figure.value, figure.n) == (0.3, 10)
    assert (figure.low, figure.high) == pytest.approx((expected.low, expected.high))


def test_rows_of_one_subject_that_agree_are_worth_one_row():
    hit = np.repeat([True, False, True, False, False], 4)
    assert share_of(hit, np.repeat(np.arange(5), 4)).size == pytest.approx(5 * 4 / 5)  # the factor m / (m - 1) included


def test_a_mean_of_independent_rows_has_students_variance():
    values = np.array([0.1, 0.4, 0.4, 0.9])
    found = mean_of(values, None)
    assert found.value == pytest.approx(0.45)
    assert found.variance == pytest.approx(values.var(ddof=1) / 4)


def test_the_gap_names_both_ends_and_allows_for_all_pairs():
    shares = [share_of(np.arange(100) < k, None) for k in (10, 50, 30)]
    figure, most, least = gap(shares, 0.95, "")
    assert (figure.value, most, least) == (pytest.approx(0.4), 1, 0)
    alone = gap(shares[:2], 0.95, "")[0]
    assert figure.low < alone.low


def test_repeated_rows_are_counted_within_and_between_subjects():
    table = clinic(person=np.arange(40))
    table.loc[36:37, ["number", "ward", "ill"]] = table.loc[[2, 3], ["number", "ward", "ill"]].to_numpy()  # of other people
    table.loc[38, ["number", "ward", "ill"]] = table.loc[5, ["number", "ward", "ill"]].to_numpy()
    table.loc[38, "person"] = 5  # the same person
    found = duplicates.finding(ground_of(clinic_study(table, subject="person")))
    row = found.tables["quality_duplicates"][0]
    assert found.figures["quality.duplicates.source/all"].value == pytest.approx(3 / 40)
    assert (row["within_subject"], row["between_subjects"]) == pytest.approx((1 / 40, 2 / 40))
    assert found.suspects["source", "duplicate"].tolist() == [36, 37, 38]


def test_copies_among_fine_columns_are_not_explained_by_chance():
    table = clinic()
    table.loc[30:39] = table.loc[0:9].to_numpy()
    row = duplicates.finding(ground_of(clinic_study(table))).tables["quality_duplicates"][0]
    assert (row["share"], row["by_chance"]) == (0.25, 0.0)


def test_coarse_columns_repeat_by_chance_as_often_as_they_are_granted():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({f"x{i}": rng.integers(0, 5, 4000) for i in range(5)})
    table = table.assign(ward=rng.choice(["north", "west"], 4000), ill=rng.integers(0, 2, 4000))
    row = duplicates.finding(ground_of(clinic_study(table))).tables["quality_duplicates"][0]
    assert row["share"] > 0.1
    assert row["by_chance"] == pytest.approx(row["share"], rel=0.2)


def test_copies_beyond_chance_show_among_coarse_columns():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({f"x{i}": rng.integers(0, 9, 4000) for i in range(6)})
    table = table.assign(ward=rng.choice(["north", "west"], 4000), ill=rng.integers(0, 2, 4000))
    table.iloc[3600:] = table.iloc[:400].to_numpy()
    row = duplicates.finding(ground_of(clinic_study(table.infer_objects()))).tables["quality_duplicates"][0]
    assert row["share"] - row["by_chance"] == pytest.approx(0.1, abs=0.01)


def test_missing_values_by_column_group_and_outcome():
    table = clinic()
    table.loc[0:9, "number"] = np.nan  # ten of the twenty in the north, five ill and five not
    figures = missing.finding(ground_of(clinic_study(table))).figures
    share = figures["quality.missingness.source/number"]
    assert share.value == 0.25
    assert (share.low, share.high) == pytest.approx(wilson(0.25, 40, 1.959964))
    between = figures["quality.missingness.gap.source/ward"]
    assert between.value == pytest.approx(0.5)
    assert between.low > 0
    outcome = figures["quality.missingness.outcome.source/number"]
    assert outcome.value == pytest.approx(0.0)
    assert outcome.low < 0 < outcome.high


def test_missing_by_outcome_has_a_direction():
    table = clinic()
    table.loc[table["ill"].eq(0) & (table.index < 20), "number"] = np.nan  # only of those who are not ill
    figure = missing.finding(ground_of(clinic_study(table))).figures["quality.missingness.outcome.source/number"]
    assert figure.value == pytest.approx(-0.5)
    assert figure.high < 0


def test_a_complete_table_has_no_figure_of_missing_values():
    assert missing.finding(ground_of(clinic_study(clinic()))).figures == {}


def test_the_smallest_group_and_the_effective_number_of_groups():
    table = clinic(ward=["north"] * 24 + ["west"] * 16)
    study = clinic_study(table, minimum_cell={"rows": 16, "events": 5})
    figures = representation.finding(ground_of(study)).figures
    assert figures["quality.smallest_group.source/ward"].value == pytest.approx(0.4)
    assert figures["quality.effective_groups.source/ward"].value == pytest.approx(1 / (0.6**2 + 0.4**2))


def test_equal_groups_are_as_many_as_there_are():
    figure = effective_groups(np.repeat(np.arange(4), 50), None, 0.95)
    assert (figure.value, figure.high) == pytest.approx((4.0, 4.0))
    assert figure.low == pytest.approx(4.0)


def test_a_withheld_group_hides_what_would_give_its_size_away():
    table = clinic(ward=["north"] * 30 + ["west"] * 10)
    study = clinic_study(table, minimum_cell={"rows": 20, "events": 5})
    found = representation.finding(ground_of(study))
    assert not found.figures["quality.smallest_group.source/ward"].ok
    assert not found.figures["quality.effective_groups.source/ward"].ok
    assert all(row["rows"] is None for row in found.tables["quality_groups"])


def test_features_that_give_the_target_away_are_named():
    table = ward_patients(1500, 1)
    table = table.assign(
        copy=table["ill"].map({0: "well", 1: "unwell"}),
        nearly=table["ill"] * 3.0 + np.random.default_rng(1).normal(size=len(table)) * 0.3,
        late=np.where(table["ill"] == 1, 5.0, np.nan),
        constant=1.0,
        mostly=np.where(np.arange(len(table)) < 5, "rare", "usual"),
    )
    found = features.finding(ground_of(ward_study(table)))
    verdicts = {row["column"]: row["verdict"] for row in found.tables["quality_features"]}
    assert verdicts == {
        "copy": "equals the target up to names",
        "nearly": "gives the target away",
        "late": "missing values give the target away",
        "constant": "constant",
        "mostly": "nearly constant",
        **dict.fromkeys(["x0", "x1", "x2", "x3", "ward"], ""),
    }
    assert set(features.leaking(found)) == {"copy", "nearly", "late"}
    assert found.figures["quality.leakage.source/copy"].value == pytest.approx(1.0)


def test_a_feature_of_no_use_is_no_better_than_a_coin_and_a_useful_one_as_good_as_its_rank():
    table = ward_patients(4000, 2).assign(noise=np.random.default_rng(2).normal(size=4000))
    figures = features.finding(ground_of(ward_study(table))).figures
    assert figures["quality.leakage.source/noise"].low < 0.5 < figures["quality.leakage.source/noise"].high + 0.02
    assert figures["quality.leakage.source/x0"].value == pytest.approx(roc_auc_score(table["ill"], table["x0"]), abs=0.02)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_leaks_are_found_for_every_task(task):
    table = ward_patients(1500, 3)
    stage = np.digitize(table["x0"], [-0.5, 0.5])
    table["ill"] = stage if task == "multiclass" else table["x0"] * 10
    table = table.drop(columns="x0").assign(leak=stage.astype(str) if task == "multiclass" else table["x0"] * -3)
    found = features.finding(ground_of(ward_study(table, task=task)))
    assert features.leaking(found) == ("leak",)
