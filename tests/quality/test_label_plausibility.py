"""Synthetic labels against a model of real rows: implausible ones show, plausible ones do not."""

import numpy as np
import pytest
from quality.wards import ground_of, ward_patients, ward_study

from synthml.quality import plausibility
from synthml.quality.plausibility import disagreement

NAME = "quality.label_disagreement"


def figures_of(synthetic, *, holdout=True, seed=0, **schema):
    tables = {"holdout": ward_patients(2500, 902)} if holdout else {}
    study = ward_study(ward_patients(2500, 901), synthetic=synthetic, **tables, **schema)
    return plausibility.finding(ground_of(study, seed))


def test_disagreement_by_hand():
    score = np.array([[0.9, 0.1], [0.3, 0.7]])
    assert disagreement(score, np.array([0, 0]), None) == pytest.approx([0.1, 0.7])
    assert disagreement(np.array([1.0, 5.0]), np.array([2.0, 8.0]), 2.0).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("holdout", [True, False])
def test_turned_labels_show_in_their_ward_alone(holdout):
    figures = figures_of(ward_patients(2500, 903, flip=0.15), holdout=holdout).figures
    assert figures[f"{NAME}.excess/ward:north"].low > 0.04
    for other in ("east", "west"):
        assert figures[f"{NAME}.excess/ward:{other}"].low < 0.01
    real = "holdout" if holdout else "source"
    for of in ("all", "ward:north"):
        gap = figures[f"{NAME}.synthetic/{of}"].value - figures[f"{NAME}.{real}/{of}"].value
        assert figures[f"{NAME}.excess/{of}"].value == pytest.approx(gap)


def test_labels_drawn_at_random_are_implausible_and_certain_ones_too_tidy():
    table = ward_patients(2500, 904)
    shuffled = table.assign(ill=np.random.default_rng(1).permutation(table["ill"]))
    assert figures_of(shuffled).figures[f"{NAME}.excess/all"].low > 0.2
    tidy = ward_patients(2500, 904, strength=60.0)
    assert figures_of(tidy).figures[f"{NAME}.excess/all"].high < 0


@pytest.mark.slow
def test_a_fresh_sample_stays_quiet_at_the_nominal_rate():
    loud = 0
    for seed in range(12):
        study = ward_study(
            ward_patients(1200, 3 * seed, per=2),
            synthetic=ward_patients(1200, 3 * seed + 1, per=2),
            holdout=ward_patients(1200, 3 * seed + 2, per=2),
        )
        figures = plausibility.finding(ground_of(study, seed)).figures
        loud += sum(f.low > 0 or f.high < 0 for name, f in figures.items() if ".excess/" in name)
    assert loud <= 8  # of 48, dependent by table


def test_a_group_without_synthetic_rows_is_insufficient():
    table = ward_patients(2500, 905)
    figures = figures_of(table[table["ward"] != "north"]).figures
    assert "no synthetic row" in figures[f"{NAME}.excess/ward:north"].reason


def test_numbers_out_of_reach_are_implausible_in_a_regression():
    def numbers(seed, wrong=0.0):
        table, rng = ward_patients(2000, seed), np.random.default_rng(seed)
        spoilt = (table["ward"] == "west") & (rng.random(2000) < wrong)
        return table.assign(ill=3 * table["x0"] + rng.normal(size=2000) + 30 * spoilt)

    study = ward_study(numbers(1), synthetic=numbers(2, wrong=0.3), holdout=numbers(3), task="regression")
    figures = plausibility.finding(ground_of(study)).figures
    assert figures[f"{NAME}.holdout/all"].value == pytest.approx(0.1, abs=0.03)
    west = figures[f"{NAME}.excess/ward:west"]
    assert west.low <= 0.27 <= west.high  # nine in ten of the spoilt ones were within reach before
    assert figures[f"{NAME}.excess/ward:east"].low < 0
