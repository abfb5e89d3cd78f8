"""The bootstrap of confusion cells has the distribution of the bootstrap of rows, and agrees with fairlearn's."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, precision_score, recall_score

from synthml.subgroups.cells import RATES, draw_cells, joint_cells


def rows(n: int, groups: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(np.int64)
    tstr = (rng.random(n) < 0.2 + 0.5 * truth).astype(np.int64)
    trtr = np.where(rng.random(n) < 0.8, tstr, 1 - tstr)
    return truth, tstr, trtr, rng.integers(0, groups, n)


def test_rates_of_a_table_worked_by_hand():
    # group 0: 3 events (2 found by tstr, 1 by trtr), 1 well row called by both; group 1: nobody is called by tstr
    truth = np.array([1, 1, 1, 0, 0, 0])
    tstr = np.array([1, 1, 0, 1, 0, 0])
    trtr = np.array([1, 0, 0, 1, 0, 1])
    group = np.array([0, 0, 0, 0, 1, 1])
    cells = draw_cells(joint_cells(truth, tstr, trtr), group, 2, replicates=1, rng=np.random.default_rng(0))
    assert cells.values("sensitivity")[0] == pytest.approx(2 / 3)
    assert cells.values("sensitivity", "trtr")[0] == pytest.approx(1 / 3)
    assert cells.values("ppv")[0] == pytest.approx(2 / 3)
    assert np.isnan(cells.values("ppv")[1])
    assert cells.values("selection_rate", "trtr").tolist() == [0.5, 0.5]
    assert cells.values("accuracy").tolist() == [0.5, 1.0]


def test_point_estimates_are_those_of_fairlearn():
    truth, tstr, _, group = rows(3000, 5, seed=1)
    cells = draw_cells(joint_cells(truth, tstr), group, 5, replicates=1, rng=np.random.default_rng(0))
    theirs = MetricFrame(
        metrics={
            "accuracy": accuracy_score,
            "sensitivity": recall_score,
            "ppv": precision_score,
            "selection_rate": selection_rate,
        },
        y_true=truth,
        y_pred=tstr,
        sensitive_features=group,
    ).by_group
    for metric in theirs.columns:
        np.testing.assert_allclose(cells.values(metric), theirs[metric])


def test_intervals_agree_with_fairlearns_bootstrap_within_monte_carlo_error():
    truth, tstr, _, group = rows(900, 3, seed=2)
    frame = MetricFrame(
        metrics={"sensitivity": true_positive_rate, "selection_rate": selection_rate},
        y_true=pd.Series(truth),
        y_pred=pd.Series(tstr),
        sensitive_features=pd.Series(group, name="group"),
        n_boot=120,
        ci_quantiles=[0.05, 0.5, 0.95],
        random_state=3,
    )
    cells = draw_cells(joint_cells(truth, tstr), group, 3, replicates=20_000, rng=np.random.default_rng(0))
    for metric in ("sensitivity", "selection_rate"):
        ours = np.nanquantile(cells.redrawn(metric), [0.05, 0.5, 0.95], axis=0)
        theirs = np.stack([quantiles[metric].to_numpy() for quantiles in frame.by_group_ci])
        # the standard error of a 5% quantile of 120 draws is about 0.19 standard deviations; five of them is never chance
        np.testing.assert_allclose(ours, theirs, atol=5 * 0.19 * cells.redrawn(metric).std(axis=0).max())


def test_draws_without_subjects_have_the_moments_of_resampled_rows():
    truth, tstr, trtr, group = rows(60, 2, seed=4)
    cells = draw_cells(joint_cells(truth, tstr, trtr), group, 2, replicates=40_000, rng=np.random.default_rng(0))
    n = truth.size
    observed = cells.observed.ravel() / n
    drawn = cells.draws.reshape(40_000, -1)
    np.testing.assert_allclose(drawn.mean(axis=0), n * observed, atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), n * (np.diag(observed) - np.outer(observed, observed)), atol=0.25)


@pytest.mark.parametrize("subjects", [4, 400])
def test_draws_by_subject_have_the_moments_of_resampled_subjects(subjects: int):
    # with 4 subjects every bootstrap sample can be listed; with 400 alike ones the multinomial over signatures is used
    truth, tstr, _, group = rows(12, 2, seed=5)
    times = subjects // 4
    cluster = np.tile(np.repeat(np.arange(4), 3), times) + np.repeat(np.arange(times) * 4, 12)
    code, group = np.tile(joint_cells(truth, tstr), times), np.tile(group, times)
    cells = draw_cells(code, group, 2, clusters=cluster, replicates=20_000, rng=np.random.default_rng(0))
    per_subject = np.zeros((4, 16))
    np.add.at(per_subject, (cluster[:12], group[:12] * 8 + code[:12]), 1)
    samples = np.array([per_subject[list(chosen)].sum(axis=0) for chosen in itertools.product(range(4), repeat=4)])
    drawn = cells.draws.reshape(20_000, -1)
    np.testing.assert_allclose(drawn.mean(axis=0), samples.mean(axis=0) * times, rtol=0.02, atol=0.02 * times)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(samples.T, bias=True) * times, rtol=0.1, atol=0.03 * times)


def test_one_row_a_subject_is_the_bootstrap_of_rows():
    truth, tstr, _, group = rows(500, 3, seed=6)
    code = joint_cells(truth, tstr)
    plain = draw_cells(code, group, 3, replicates=50, rng=np.random.default_rng(7))
    by_subject = draw_cells(code, group, 3, clusters=np.arange(500), replicates=50, rng=np.random.default_rng(7))
    np.testing.assert_array_equal(plain.observed, by_subject.observed)
    assert abs(plain.redrawn("accuracy").std() - by_subject.redrawn("accuracy").std()) < 0.01


def test_equal_seeds_give_equal_draws_and_row_order_does_not_matter():
    truth, tstr, _, group = rows(800, 4, seed=8)
    cluster = np.arange(800) // 3
    order = np.random.default_rng(1).permutation(800)
    code = joint_cells(truth, tstr)
    first = draw_cells(code, group, 4, clusters=cluster, replicates=20, rng=np.random.default_rng(9))
    again = draw_cells(code[order], group[order], 4, clusters=cluster[order], replicates=20, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(first.draws, again.draws)


def test_rates_and_their_complements_add_up_in_every_draw():
    truth, tstr, _, group = rows(400, 2, seed=10)
    cells = draw_cells(joint_cells(truth, tstr), group, 2, replicates=100, rng=np.random.default_rng(0))
    np.testing.assert_allclose(cells.redrawn("sensitivity") + cells.redrawn("fnr"), 1)
    np.testing.assert_allclose(cells.redrawn("specificity") + cells.redrawn("fpr"), 1)
    assert set(RATES) == {"accuracy", "sensitivity", "specificity", "ppv", "npv", "fnr", "fpr", "selection_rate"}
