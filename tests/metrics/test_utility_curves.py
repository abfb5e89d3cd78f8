"""Figures under their ids, and curves that no patient can be read off."""

import numpy as np
import pytest

from synthml.metrics import Outcome
from synthml.utility.curves import curves
from synthml.utility.figures import figures


def outcome(n=2000, seed=0, shift=0.3):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(int)
    return Outcome("binary", truth, np.clip(rng.normal(0.35 + shift * truth, 0.2), 0.01, 0.99), 0.5)


def test_figures_stand_under_the_ids_that_policies_use():
    found = figures({"tstr": outcome(), "trtr": outcome(), "trivial": outcome(shift=0)})
    for name in ("utility.auroc.tstr/all", "utility.fnr.trtr/all", "utility.auroc.loss/all", "utility.threshold.tstr/all"):
        assert name in found
    assert "utility.selection_rate.loss/all" not in found
    assert "utility.auroc.tstr/sex:F" in figures({"tstr": outcome()}, "sex:F")


def test_no_step_of_a_roc_rests_on_fewer_than_ten_rows_of_each_class():
    for n in (300, 3000):
        measured = outcome(n)
        events, others = measured.truth.sum(), (measured.truth == 0).sum()
        points = [(row["fpr"], row["tpr"]) for row in curves({"tstr": measured})["roc"]]
        steps = np.diff(np.array(points), axis=0)
        assert (steps[:, 0] * others > 9.5).all()
        assert (steps[:, 1] * events > 9.5).all()
        assert len(points) <= 110


def test_a_roc_of_too_few_rows_is_left_out():
    assert "roc" not in curves({"tstr": outcome(60)})


def test_the_roc_lies_on_the_raw_one():
    from sklearn.metrics import roc_curve

    measured = outcome()
    fpr, tpr, _ = roc_curve(measured.truth, measured.score, drop_intermediate=False)
    raw = set(zip(fpr.round(9), tpr.round(9), strict=True))
    for row in curves({"tstr": measured})["roc"]:
        assert (round(row["fpr"], 9), round(row["tpr"], 9)) in raw


def test_no_bin_of_a_calibration_curve_has_fewer_than_twenty_rows():
    for n in (70, 250, 2000):
        rows = curves({"tstr": outcome(n)})["calibration"]
        assert all(row["n"] >= 20 for row in rows)
        assert all(row["low"] <= row["observed"] <= row["high"] for row in rows)


def test_net_benefit_by_hand():
    truth = np.array([1] * 30 + [0] * 70)
    score = np.array([0.8] * 20 + [0.1] * 10 + [0.8] * 10 + [0.1] * 60)
    rows = {
        (r["strategy"], r["threshold"]): r["net_benefit"]
        for r in curves({"tstr": Outcome("binary", truth, score)})["net_benefit"]
    }
    assert rows["tstr", 0.5] == pytest.approx(20 / 100 - 10 / 100)
    assert rows["tstr", 0.2] == pytest.approx(20 / 100 - 10 / 100 * 0.25)
    assert rows["treat all", 0.5] == pytest.approx(0.3 - 0.7)
    assert rows["treat none", 0.5] == 0


def test_a_calibration_bin_in_which_all_are_alike_rests_on_a_hundred_rows():
    """Eighty low-risk rows without an event would tell the outcome of each of them: they join the next bin."""
    truth = np.repeat([0, 0, 1], [80, 60, 60])
    score = np.concatenate([np.full(80, 0.05), np.full(60, 0.3), np.full(60, 0.8)])
    truth[100:130] = 1
    truth[150:160] = 0
    rows = curves({"tstr": Outcome("binary", truth, score)})["calibration"]
    assert [row["n"] for row in rows] == [140, 60]
    assert rows[0]["observed"] == pytest.approx(truth[:140].mean())
    assert rows[0]["predicted"] == pytest.approx(score[:140].mean())


def test_bins_hold_every_row():
    """However the scores are tied, no row falls out of the calibration curve."""
    for digits in (1, 2, 3):
        measured = outcome(777)
        tied = Outcome("binary", measured.truth, measured.score.round(digits))
        assert sum(row["n"] for row in curves({"tstr": tied})["calibration"]) == 777


def test_from_one_net_benefit_to_the_next_no_row_changes_sides_or_ten_do():
    """Otherwise two points would tell one patient's outcome."""
    measured = outcome(150)
    shown = [row["threshold"] for row in curves({"tstr": measured})["net_benefit"] if row["strategy"] == "tstr"]
    called = [int((measured.score >= threshold).sum()) for threshold in shown]
    assert len(shown) >= 4
    for count in (*called, *np.abs(np.diff(called)), *(150 - np.array(called))):
        assert count == 0 or count >= 10


def test_a_regression_has_a_calibration_curve_only():
    """Mean observed against mean predicted, lowest predictions first, with an interval that holds the mean."""
    rng = np.random.default_rng(1)
    truth = rng.normal(50, 10, 400)
    tables = curves({"tstr": Outcome("regression", truth, truth + rng.normal(0, 5, 400))})
    assert set(tables) == {"calibration"}
    rows = tables["calibration"]
    assert len(rows) == 10
    assert [row["predicted"] for row in rows] == sorted(row["predicted"] for row in rows)
    assert all(row["low"] < row["observed"] < row["high"] for row in rows)


def test_several_classes_have_no_curve():
    """One curve a class would be too much to read, and would multiply what is told."""
    rng = np.random.default_rng(2)
    assert curves({"tstr": Outcome("multiclass", rng.integers(0, 3, 300), rng.dirichlet([1, 1, 1], 300))}) == {}
