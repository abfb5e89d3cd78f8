"""Wrong labels of one group are found, named and sized; right ones stay quiet; what cannot be told is not."""

import numpy as np
import pytest
from quality.wards import ground_of, ward_patients, ward_study

from synthml.quality import noise
from synthml.quality.flips import confident_class, flips_of, surest

NAME = "quality.label_noise.source"


def noise_of(table, seed=0, **schema):
    return noise.finding(ground_of(ward_study(table, **schema), seed))


def true_flips(rho, *, rows=30_000, shift=0.5, slope=0.8, classes=2, seed=1):
    """Rows with known probabilities; the labels of half of them are turned at rate rho."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, classes)) * 4
    inside = rng.random(rows) < 0.5
    q = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    own = np.where(inside[:, None], slope * logits + shift * (np.arange(classes) == 1), logits)
    p = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    y = (rng.random(rows)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, classes - 1)
    turned = inside & (rng.random(rows) < rho)
    y = np.where(turned, (y + rng.integers(1, classes, rows)) % classes, y)
    return np.clip(q, 1e-4, 1 - 1e-4), y, inside


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_the_rate_is_recovered_beside_a_base_rate_and_a_slope_of_the_groups_own(rho, classes):
    # with three classes a common slope keeps the odds of each class against the rest near enough
    q, y, inside = true_flips(rho, classes=classes, slope=0.8 if classes == 2 else 1.0, shift=0.5 if classes == 2 else 0.0)
    found = flips_of(q, y, inside, ~inside, np.arange(len(y)), 0.95)
    assert found.low <= rho <= found.high
    assert found.rho == pytest.approx(rho, abs=0.02)
    assert found.low > rho - 0.03
    assert found.high < rho + 0.06


def test_counts_of_confident_learning_by_hand():
    # sure is at or above the threshold; of two sure classes the likelier; none otherwise
    q = np.array([[0.9, 0.1], [0.55, 0.45], [0.2, 0.8], [0.69, 0.31]])
    assert confident_class(q, np.array([0.7, 0.4])).tolist() == [0, 1, 1, -1]


def test_the_surest_rows_are_a_tenth():
    q = np.column_stack([np.linspace(0.5, 1, 1000), np.linspace(0.5, 0, 1000)])
    assert sorted(surest(q)) == list(range(900, 1000))


def test_without_errors_as_many_labels_contradict_the_model_as_its_probabilities_give():
    q, y, inside = true_flips(0.0, slope=1.0, shift=0.0)
    found = flips_of(q, y, inside, ~inside, np.arange(len(y)), 0.95)
    assert found.contradicting == pytest.approx(found.by_chance, abs=0.005)


def test_flips_in_one_ward_are_found_named_and_sized():
    found = noise_of(ward_patients(6000, 1, flip=0.1))
    north = found.figures[f"{NAME}/ward:north"]
    assert north.low > 0.03
    assert north.low <= 0.1 <= north.high
    for other in ("east", "west"):
        assert found.figures[f"{NAME}/ward:{other}"].low == 0
    row = next(row for row in found.tables["quality_labels"] if row["of"] == "ward:north")
    assert row["contradicting"] > 1.5 * row["by_chance"]
    everyone = found.figures[f"{NAME}/all"]
    assert 0 < everyone.low <= 0.03 <= everyone.high


def test_suspected_rows_are_mostly_turned_ones():
    table = ward_patients(6000, 1, flip=0.1)
    rows = noise_of(table).suspects["source", "label_noise"]
    turned = table["turned"].to_numpy()
    assert turned[rows].mean() > 0.6
    assert turned[rows].sum() > 0.5 * turned.sum()


def test_errors_in_one_direction_are_bounded_where_rows_are_sure():
    table = ward_patients(6000, 2)
    missed = (table["ward"] == "north") & (table["ill"] == 1) & (np.random.default_rng(1).random(6000) < 0.2)
    table.loc[missed, "ill"] = 0
    found = noise_of(table)
    row = next(row for row in found.tables["quality_labels"] if row["of"] == "ward:north")
    assert row["rate"] < row["expected_rate"] - 0.05  # fewer positives than everybody else's features lead to expect
    # sized too low, for they look like a base rate, but never ruled out
    assert found.figures[f"{NAME}/ward:north"].high >= missed[table["ward"] == "north"].mean()
    assert found.figures[f"{NAME}/all"].high >= missed.mean()


@pytest.mark.slow
@pytest.mark.parametrize("per", [1, 3])
def test_right_labels_stay_quiet_at_the_nominal_rate(per):
    """Three wards, twelve tables: 36 lower bounds, one in forty of which may lie above zero."""
    loud = 0
    for seed in range(12):
        figures = noise_of(ward_patients(2000, seed, per=per), seed).figures
        loud += sum(figures[f"{NAME}/ward:{ward}"].low > 0 for ward in ("east", "north", "west"))
    assert loud <= 4


def test_features_that_say_little_leave_it_open():
    figures = noise_of(ward_patients(3000, 3, strength=0.3, flip=0.1)).figures
    north = figures[f"{NAME}/ward:north"]
    assert north.status == "insufficient"
    assert "too weak" in north.reason
    assert figures[f"{NAME}/all"].high > 0.1  # nothing says that so many are not wrong


def test_a_ward_that_the_features_say_less_about_is_not_accused():
    table = ward_patients(8000, 4)
    dull, weak = ward_patients(8000, 5), ward_patients(8000, 5, strength=1.5)
    dull["ill"] = weak["ill"]
    table = table.where(table["ward"] != "north", dull.assign(ward="north").where(table["ward"] == "north"))
    table["ill"] = table["ill"].astype(int)
    figure = noise_of(table).figures[f"{NAME}/ward:north"]
    assert figure.status == "insufficient" or figure.low == 0


def test_the_order_and_the_names_of_columns_do_not_matter():
    table = ward_patients(1500, 6, flip=0.1)
    one = noise_of(table).figures
    other = noise_of(table.rename(columns={"x0": "age", "x1": "weight"})).figures
    assert one == other


def test_outlying_numbers_of_a_ward_are_found_in_a_regression():
    table = ward_patients(3000, 7)
    rng = np.random.default_rng(7)
    table["ill"] = 3 * table["x0"] + rng.normal(size=3000)
    wrong = (table["ward"] == "north") & (rng.random(3000) < 0.05)
    clean = noise_of(table, task="regression").figures
    assert all(figure.low <= 0 for of, figure in clean.items() if not of.endswith("/all"))
    table.loc[wrong, "ill"] += 40
    found = noise_of(table, task="regression")
    north = found.figures[f"{NAME}/ward:north"]
    assert north.low > 0
    assert north.low <= 0.05 <= north.high
    assert set(np.flatnonzero(wrong)) <= set(found.suspects["source", "label_noise"])


def test_without_a_feature_nothing_is_told():
    figures = noise_of(
        ward_patients(300, 8)[["ward", "ill", "person"]].assign(turned=False), features=["ward"], sensitive=[]
    ).figures
    assert f"{NAME}/all" in figures
    assert figures[f"{NAME}/all"].low in (None, 0)
