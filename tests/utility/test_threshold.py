"""The decision threshold is chosen by rule, from training scores alone."""

import numpy as np
import pytest

from synthml.utility.protocols import choose_threshold

TRUTH = np.array([0, 0, 1, 0, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])


def test_youden_takes_the_cut_with_the_largest_sensitivity_plus_specificity():
    # cut 0.25: sensitivity 1, specificity 2/3; cut 0.45: 2/3 and 1: as good
    assert choose_threshold("youden", TRUTH, SCORE) in (pytest.approx(0.25), pytest.approx(0.45))
    clearer = np.array([0, 0, 0, 0, 1, 1])
    assert choose_threshold("youden", clearer, SCORE) == pytest.approx(0.45)


def test_a_target_sensitivity_gives_the_highest_cut_that_reaches_it():
    assert choose_threshold({"sensitivity": 0.6}, TRUTH, SCORE) == pytest.approx(0.45)
    assert choose_threshold({"sensitivity": 0.99}, TRUTH, SCORE) == pytest.approx(0.25)


def test_a_fixed_threshold_is_kept():
    assert choose_threshold(0.3, TRUTH, SCORE) == 0.3


def test_scores_that_tell_nothing_apart_fall_back_to_one_half():
    assert choose_threshold("youden", TRUTH, np.full(6, 0.2)) == 0.5
    assert choose_threshold("youden", np.ones(6), SCORE) == 0.5


def test_the_threshold_is_no_training_score():
    rng = np.random.default_rng(0)
    score = rng.random(500)
    threshold = choose_threshold("youden", rng.integers(0, 2, 500), score)
    assert threshold not in score


def test_youden_agrees_with_scikit_learns_roc_curve():
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 2000)
    score = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1)
    fpr, tpr, _ = roc_curve(truth, score, drop_intermediate=False)
    threshold = choose_threshold("youden", truth, score)
    called = score >= threshold
    assert called[truth == 1].mean() - called[truth == 0].mean() == pytest.approx((tpr - fpr).max())
