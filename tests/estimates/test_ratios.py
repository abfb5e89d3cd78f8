"""Intervals of two proportions: against an independent implementation, by hand at the edges, and by simulation."""

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from synthml.estimate.ratios import difference_interval, ratio_interval, risk_interval


@pytest.mark.parametrize(("x", "n", "y", "m"), [(30, 100, 50, 120), (1, 500, 3, 400), (480, 500, 470, 500), (7, 9, 4, 11)])
def test_the_ratio_has_koopmans_interval_as_statsmodels_computes_it(x, n, y, m):
    expected = confint_proportions_2indep(x, n, y, m, compare="ratio", method="score", correction=False)
    assert ratio_interval(x, n, y, m, 0.95) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("x", "n", "y", "m"), [(30, 100, 50, 120), (1, 500, 3, 400), (480, 500, 470, 500)])
def test_the_difference_has_newcombes_interval_as_statsmodels_computes_it(x, n, y, m):
    expected = confint_proportions_2indep(x, n, y, m, compare="diff", method="newcomb")
    assert difference_interval(x / n, n, y / m, m, 0.95) == pytest.approx(expected, rel=1e-6)


def test_an_attack_that_always_succeeds_has_a_risk_of_one_and_a_bound_below_it():
    low, high = risk_interval(1.0, 50, 0.9, 50, 0.95)
    assert high == 1.0
    assert 0 < low < 0.5


def test_equal_shares_have_a_risk_around_zero_and_a_wider_one_near_certainty():
    narrow, wide = risk_interval(0.1, 200, 0.1, 200, 0.95), risk_interval(0.95, 200, 0.95, 200, 0.95)
    assert narrow[0] < 0 < narrow[1]
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_nothing_ever_succeeds_on_either_side_and_the_interval_still_says_how_little_is_known():
    low, high = risk_interval(0.0, 40, 0.0, 40, 0.95)
    assert low < 0 < high
    assert high == pytest.approx(1 - ratio_interval(40, 40, 40, 40, 0.95)[0])
    assert high - low > risk_interval(0.0, 4000, 0.0, 4000, 0.95)[1]


@pytest.mark.parametrize(
    ("n", "m", "a", "b"), [(500, 500, 0.02, 0.02), (500, 250, 0.9, 0.9), (400, 400, 0.98, 0.97), (100, 50, 0.1, 0.05)]
)
def test_the_95_percent_interval_of_the_risk_covers_95_percent(n, m, a, b):
    rng = np.random.default_rng(7)
    truth = (a - b) / (1 - b)
    held = []
    for x, y in zip(rng.binomial(n, a, 1500), rng.binomial(m, b, 1500), strict=True):
        if y < m:
            low, high = risk_interval(x / n, n, y / m, m, 0.95)
            held.append(low <= truth <= high)
    assert 0.935 <= np.mean(held) <= 0.98
