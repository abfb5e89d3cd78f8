"""Differences, ratios and worst groups: hand-worked bounds, fairlearn's point estimates, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equal_opportunity_ratio,
    equalized_odds_difference,
    equalized_odds_ratio,
)

from synthml.estimate.simultaneous import critical_value
from synthml.metrics import METRICS, Outcome
from synthml.subgroups.cells import draw_cells, joint_cells
from synthml.subgroups.disparities import Groups, difference, difference_corrected, ratio, worst
from synthml.subgroups.joint import rates, smooth


def outcome_of(hits: list[int], sizes: list[int]) -> tuple[Outcome, np.ndarray]:
    """Groups whose selection rate is hits / sizes; the truth alternates."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    called = np.concatenate([np.r_[np.ones(h), np.zeros(n - h)] for h, n in zip(hits, sizes, strict=True)])
    return Outcome("binary", np.arange(group.size) % 2, called, 0.5), group


def groups_of(outcome: Outcome, group: np.ndarray, metrics: list[str], replicates: int = 500) -> Groups:
    k = int(group.max()) + 1
    rng = np.random.default_rng(0)
    code = joint_cells(outcome.truth.astype(np.int64), outcome.decision)
    cells = draw_cells(code, group, k, clusters=outcome.clusters, replicates=replicates, rng=rng)
    pieces = [outcome.take(np.flatnonzero(group == g)) for g in range(k)]
    return rates(metrics, pieces, cells, "tstr")


def normal_groups(values: list[float], errors: list[float], seed: int = 0) -> Groups:
    """Independent normal figures with known errors."""
    v, e = np.array(values), np.array(errors)
    draws = np.random.default_rng(seed).standard_normal((2000, v.size)) * e
    return Groups(v, np.diag(e**2), draws, lambda z: (v - z * e, v + z * e), np.zeros(v.size, dtype=np.int64), 1000)


def test_two_groups_have_newcombes_score_interval():
    """56 of 70 against 48 of 80: difference 0.20, 95% 0.0524 to 0.3339 (Newcombe 1998, method 10)."""
    found = difference(groups_of(*outcome_of([56, 48], [70, 80]), ["selection_rate"]))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize(("groups", "studentised_range"), [(2, 2.772), (3, 3.314), (8, 4.286), (20, 5.012)])
def test_the_critical_value_of_all_pairs_is_tukeys(groups: int, studentised_range: float):
    """For equal errors it is the studentised range with infinite degrees of freedom over the square root of 2."""
    pairs = np.triu_indices(groups, 1)
    assert critical_value(np.eye(groups), 0.95, pairs) == pytest.approx(studentised_range / np.sqrt(2), abs=0.06)


def test_the_critical_value_of_single_groups_is_sidaks():
    assert critical_value(np.eye(8), 0.95) == pytest.approx(2.727, abs=0.04)


def test_many_comparisons_fall_back_to_bonferroni():
    found = critical_value(np.eye(50), 0.95, np.triu_indices(50, 1))
    assert found == pytest.approx(4.101, abs=0.01)  # 1,225 pairs; Tukey's is 3.99


def test_point_estimates_are_those_of_fairlearn():
    rng = np.random.default_rng(1)
    group = rng.integers(0, 4, 2000)
    truth = (rng.random(2000) < 0.3).astype(np.int64)
    called = (rng.random(2000) < 0.2 + 0.4 * truth + 0.05 * group).astype(np.int64)
    outcome = Outcome("binary", truth, called.astype(float), 0.5)
    of = {"y_true": truth, "y_pred": called, "sensitive_features": group}
    for metrics, theirs, their_ratio in (
        (["selection_rate"], demographic_parity_difference(**of), demographic_parity_ratio(**of)),
        (["sensitivity"], equal_opportunity_difference(**of), equal_opportunity_ratio(**of)),
        (["sensitivity", "fpr"], equalized_odds_difference(**of), equalized_odds_ratio(**of)),
    ):
        groups = groups_of(outcome, group, metrics)
        assert difference(groups).value == pytest.approx(theirs)
        assert ratio(groups).value == pytest.approx(their_ratio)


def test_a_group_without_a_hit_has_ratio_zero_and_an_upper_bound():
    found = ratio(groups_of(*outcome_of([0, 60], [200, 200]), ["selection_rate"]))
    assert found.value == 0
    assert found.low == pytest.approx(0, abs=1e-6)
    # the score interval of 0 of 200 ends at 0.0188: against 0.30 that is about 0.06
    assert 0.04 < found.high < 0.1


def test_without_any_hit_there_is_no_ratio():
    found = ratio(groups_of(*outcome_of([0, 0], [200, 200]), ["selection_rate"]))
    assert found.status == "insufficient"
    assert "0" in found.reason


def test_rates_of_zero_still_leave_room_for_a_difference():
    """20 of 20 found in two groups is no proof that the groups are alike."""
    found = difference(groups_of(*outcome_of([20, 20], [20, 20]), ["selection_rate"]))
    assert found.value == 0
    assert found.low == 0
    assert found.high > 0.1


def test_the_corrected_difference_is_zero_when_equal_groups_would_differ_as_much():
    alike = normal_groups([0.5, 0.51, 0.49, 0.5], [0.02] * 4)
    assert difference_corrected(alike, difference(alike)).value == 0


def test_the_corrected_difference_is_the_plain_one_without_noise():
    apart = normal_groups([0.5, 0.7, 0.6], [1e-6] * 3)
    assert difference_corrected(apart, difference(apart)).value == pytest.approx(0.2, abs=1e-4)


def test_the_corrected_difference_is_too_high_as_often_as_too_low():
    """Eight groups whose figures spread over 0.1 with errors of 0.03: the plain difference is too high 8 times in 10."""
    truth = np.linspace(0.5, 0.6, 8)
    rng = np.random.default_rng(2)
    plain, corrected = [], []
    for run in range(200):
        groups = normal_groups(list(truth + 0.03 * rng.standard_normal(8)), [0.03] * 8, seed=run)
        found = difference(groups)
        plain.append(found.value > 0.1)
        corrected.append(difference_corrected(groups, found).value > 0.1)
    assert np.mean(plain) > 0.75
    assert 0.35 < np.mean(corrected) < 0.65


def test_the_worst_group_is_named_and_bounded_for_every_group():
    """The bound is that of the widest group: a small group may be worse than it looks."""
    groups = normal_groups([0.70, 0.72, 0.90], [0.01, 0.10, 0.01])
    found, at = worst(groups, "higher", None)
    assert at == 0
    assert found.value == pytest.approx(0.70)
    assert found.low == pytest.approx(0.72 - 2.388 * 0.10, abs=0.01)  # Sidak's value for three groups
    assert found.high == pytest.approx(0.70 + 2.388 * 0.01, abs=0.005)


def test_the_worst_group_where_less_is_better_or_a_target_is_set():
    groups = normal_groups([0.10, 0.30, 0.20], [0.01] * 3)
    assert worst(groups, "lower", None)[1] == 1
    slopes = normal_groups([0.95, 1.30, 0.60], [0.01] * 3)
    found, at = worst(slopes, "target", 1.0)
    assert at == 2
    assert found.low < 0.60 < found.high
    assert worst(groups, "none", None) is None


def test_groups_that_share_subjects_covary():
    """Every subject has a row in each of two groups and scores alike in both: the difference is known better than the levels."""
    rng = np.random.default_rng(3)
    people = 400
    person = np.tile(np.arange(people), 2)
    group = np.repeat([0, 1], people)
    own = rng.standard_normal(people)[person]
    truth = (own + 0.3 * rng.standard_normal(2 * people) > 0).astype(np.int64)
    score = 1 / (1 + np.exp(-(own + 0.3 * rng.standard_normal(2 * people))))
    clustered = Outcome("binary", truth, score, 0.5, person)
    alone = Outcome("binary", truth, score, 0.5)
    for metric in ("selection_rate", "brier"):

        def joint(outcome: Outcome, metric: str = metric) -> Groups:
            if metric == "selection_rate":
                return groups_of(outcome, group, [metric])
            pieces = [outcome.take(np.flatnonzero(group == g)) for g in range(2)]
            found = [METRICS[metric].linearise(piece) for piece in pieces]
            return smooth(METRICS[metric], pieces, found, replicates=200, rng=np.random.default_rng(0))

        assert joint(clustered).correlation[0, 1] > 0.3
        assert joint(alone).correlation[0, 1] == 0
        assert difference(joint(clustered)).high < difference(joint(alone)).high


def test_covariance_without_shared_subjects_is_that_of_single_groups():
    """The bounds of one group in `worst` are close to the group's own interval when there is nothing else to hold at once."""
    rng = np.random.default_rng(4)
    truth = (rng.random(600) < 0.4).astype(np.int64)
    outcome = Outcome("binary", truth, np.clip(0.3 + 0.3 * truth + 0.2 * rng.standard_normal(600), 0.01, 0.99), 0.5)
    pieces = [outcome.take(np.arange(300)), outcome.take(np.arange(300, 600))]
    metric = METRICS["auroc"]
    groups = smooth(metric, pieces, [metric.linearise(p) for p in pieces], replicates=100, rng=rng)
    low, high = groups.limits(1.959964)
    from synthml.metrics import estimate

    own = estimate(metric, pieces[0])
    assert (low[0], high[0]) == (pytest.approx(own.low), pytest.approx(own.high))


@pytest.mark.parametrize("sizes", [[300, 300], [100, 100, 150, 300, 500, 1000, 2000, 5000]])
def test_intervals_hold_the_truth_where_groups_are_alike(sizes: list[int]):
    """At a true difference of 0 the interval of the difference holds it about 95 times in 100, in groups of any size."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        hits = rng.binomial(sizes, 0.15).tolist()
        found = difference(groups_of(*outcome_of(hits, sizes), ["selection_rate"], replicates=20))
        held += found.low == 0
    assert held >= 181  # nominal 190; fewer is a chance of 1 in 300
