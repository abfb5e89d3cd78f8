"""What must not change a figure, what must, and intervals worked out by hand."""

import math

import fairlearn.metrics as fairlearn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from synthml.errors import InputError
from synthml.estimate.linear import countable, covariance, spread
from synthml.estimate.proportions import effective_size, wilson
from synthml.metrics import METRICS, Outcome, estimate, loss, metrics_for
from synthml.metrics.intervals import estimate_of, loss_of, measured
from synthml.utility.figures import figures


def binary(n=200, seed=0, signal=0.25, clusters=None, threshold=0.45):
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(99).integers(0, 2, n)
    return Outcome("binary", truth, np.clip(rng.normal(0.35 + signal * truth, 0.2), 0.01, 0.99), threshold, clusters)


def regression(n=200, seed=0, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(98).normal(size=n)
    return Outcome("regression", scale * truth + shift, scale * (0.7 * truth + rng.normal(0, 0.5, n)) + shift)


def bounds(figure):
    return figure.value, figure.low, figure.high


def with_clusters(outcome, clusters):
    return Outcome(outcome.task, outcome.truth, outcome.score, outcome.threshold, clusters)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("selection_rate", fairlearn.selection_rate),
        ("sensitivity", fairlearn.true_positive_rate),
        ("specificity", fairlearn.true_negative_rate),
        ("fpr", fairlearn.false_positive_rate),
        ("fnr", fairlearn.false_negative_rate),
    ],
)
def test_rates_are_fairlearns(name, theirs):
    outcome = binary()
    assert estimate(METRICS[name], outcome).value == pytest.approx(theirs(outcome.truth, outcome.decision), abs=1e-12)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_discrimination_looks_at_the_order_of_the_scores_alone(name):
    outcome = binary()
    bent = Outcome("binary", outcome.truth, outcome.score**3 / 2, 0.5)
    assert bounds(estimate(METRICS[name], bent)) == pytest.approx(bounds(estimate(METRICS[name], outcome)), rel=1e-9)


def test_an_auroc_against_the_grain_is_the_mirror_image():
    outcome = binary()
    turned = Outcome("binary", outcome.truth, 1 - outcome.score, 0.5)
    value, low, high = bounds(estimate(METRICS["auroc"], outcome))
    assert bounds(estimate(METRICS["auroc"], turned)) == pytest.approx((1 - value, 1 - high, 1 - low), abs=1e-9)


def test_a_change_of_unit_scales_errors_and_leaves_shares_alone():
    grams, kilograms = regression(), regression(scale=1000.0)
    for name in ("mae", "rmse"):
        scaled = tuple(1000 * x for x in bounds(estimate(METRICS[name], grams)))
        assert bounds(estimate(METRICS[name], kilograms)) == pytest.approx(scaled, rel=1e-9)
    for name in ("r2", "calibration_slope"):
        assert bounds(estimate(METRICS[name], regression(scale=3.0, shift=40.0))) == pytest.approx(
            bounds(estimate(METRICS[name], grams)), rel=1e-6
        )


@pytest.mark.parametrize("name", [metric.name for metric in metrics_for("binary")])
def test_subjects_may_be_numbered_in_any_way(name):
    clusters = np.arange(200) // 4
    dense = bounds(estimate(METRICS[name], binary(clusters=clusters)))
    for codes in (clusters * 2 + 1, clusters - 17, clusters * 10**12, np.random.default_rng(3).permutation(50)[clusters]):
        assert bounds(estimate(METRICS[name], binary(clusters=codes))) == pytest.approx(dense, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [metric.name for metric in metrics_for("binary") if metric.name != "ece"])
def test_subjects_of_one_row_each_are_rows(name):
    """Only a share's quantile differs: Student's instead of the normal one would, but not where subjects are as many as rows."""
    alone, each = estimate(METRICS[name], binary()), estimate(METRICS[name], binary(clusters=np.arange(200)))
    assert bounds(each) == pytest.approx(bounds(alone), rel=1e-9)


@pytest.mark.parametrize("name", [m.name for m in metrics_for("binary") if m.better != "none" and m.name != "ece"])
def test_the_loss_of_one_is_the_gain_of_the_other(name):
    one, other = binary(seed=1, signal=0.1), binary(seed=2)
    value, low, high = bounds(loss(METRICS[name], one, other))
    assert bounds(loss(METRICS[name], other, one)) == pytest.approx((-value, -high, -low), abs=1e-12)


@pytest.mark.parametrize("name", ["brier", "auroc", "sensitivity", "calibration_slope"])
def test_rows_of_one_subject_that_agree_widen_the_interval(name):
    outcome = binary(n=60)
    copies = np.repeat(np.arange(60), 5)
    copied = outcome.take(copies)
    clustered = estimate(METRICS[name], with_clusters(copied, copies))
    careless = estimate(METRICS[name], copied)
    assert clustered.high - clustered.low > 1.8 * (careless.high - careless.low)
    assert clustered.method.endswith(("by subject", "by subject (Obuchowski 1997)"))


def test_figures_are_the_estimates_and_losses_one_by_one():
    tstr, trtr = binary(seed=1, signal=0.1), binary(seed=2)
    found = figures({"tstr": tstr, "trtr": trtr})
    for metric in metrics_for("binary"):
        assert found[f"utility.{metric.name}.tstr/all"] == estimate(metric, tstr)
        assert found[f"utility.{metric.name}.trtr/all"] == estimate(metric, trtr)
        assert found.get(f"utility.{metric.name}.loss/all") == loss(metric, tstr, trtr)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 20]), st.booleans())
def test_an_interval_holds_its_figure_and_stays_in_range(n, seed, levels, clustered):
    """However few rows, tied scores or missing classes: bounds in order, shares within 0 to 1, or insufficient with a reason."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rng.random()).astype(np.int64)
    clusters = rng.integers(0, 5, n) if clustered else None
    one, other = (Outcome("binary", truth, rng.integers(0, levels + 1, n) / levels, 0.5, clusters) for _ in range(2))
    for metric in metrics_for("binary"):
        first, second = measured(metric, one), measured(metric, other)
        figure, lost = estimate_of(first), loss_of(first, second)
        if figure.ok:
            assert figure.low <= figure.value <= figure.high
            if metric.scale in ("proportion", "unit"):
                assert figure.low >= 0
                assert figure.high <= 1
        else:
            assert figure.reason
        if lost is not None and lost.ok:
            assert lost.low <= lost.value <= lost.high


def test_wilson_by_hand():
    """3 of 4 at z = 2: centre (0.75 + 4/8) / 2, half 2 sqrt(0.1875/4 + 4/64) / 2."""
    half = math.sqrt(0.046875 + 0.0625)
    assert wilson(0.75, 4, 2.0) == pytest.approx((0.625 - half, 0.625 + half), abs=1e-12)


def test_an_effective_size_by_hand():
    """Four subjects of two rows, who agree: hits 1 1 1 0 of 4, so 8 rows are worth 3, with the factor 4 / 3 of the variance."""
    hit = np.repeat([1.0, 1.0, 1.0, 0.0], 2)
    variance = covariance((hit - 0.75)[None, :] / 8, np.repeat(np.arange(4), 2))[0, 0]
    assert variance == pytest.approx(0.75 * 0.25 / 3)
    assert effective_size(0.75, variance, rows=8, units=4) == pytest.approx(3)


def test_a_calibration_intercept_by_hand():
    """Three events in four rows that were all given one half: the logit is off by ln 3, its variance is 1 / (4 x 3/4 x 1/4)."""
    outcome = Outcome("binary", np.array([1, 1, 1, 0]), np.full(4, 0.5), 0.5)
    found = METRICS["calibration_intercept"].linearise(outcome)
    assert found.value == pytest.approx(math.log(3))
    assert (found.influence**2).sum() == pytest.approx(4 / 3)


def test_a_brier_score_by_hand():
    """Squared errors 0.04, 0.16, 0.36, 0.04: mean 0.15; half-widths are ratios on the log scale."""
    outcome = Outcome("binary", np.array([1, 1, 0, 0]), np.array([0.8, 0.6, 0.6, 0.2]), 0.5)
    figure = estimate(METRICS["brier"], outcome)
    squares = np.array([0.04, 0.16, 0.36, 0.04])
    deviations = squares - 0.15
    variance = (deviations**2).sum() / 4 / 3
    df = min(3, 2 / ((deviations**4).sum() / (deviations**2).sum() ** 2 - 1 / 4))
    ratio = math.exp(student.ppf(0.975, df) * math.sqrt(variance) / 0.15)
    assert bounds(figure) == pytest.approx((0.15, 0.15 / ratio, 0.15 * ratio))


def test_degrees_of_freedom_are_those_of_the_variance():
    """Normal influences: about one a row. Three discordant rows among ten thousand: about six."""
    normal = np.random.default_rng(0).standard_normal(20_000)
    assert spread(normal).df == pytest.approx(20_000, rel=0.1)
    few = np.zeros(10_000)
    few[:3] = 1.0
    assert spread(few).df == pytest.approx(6, rel=0.01)


def test_codes_of_subjects_are_counted_however_far_apart():
    for codes in ([0, 0, 1, 5], [-3, -3, 8, 9], [10**15, 10**15, 7, 8]):
        dense, units = countable(np.array(codes))
        assert units == 3
        assert len(set(dense.tolist())) == 3
        assert dense.min() >= 0
    assert countable(np.array([], dtype=np.int64))[1] == 0


def test_far_from_its_target_a_loss_of_distance_is_the_plain_paired_interval():
    outcome = regression(n=400)
    steep, steeper = (Outcome("regression", outcome.truth, k * outcome.score) for k in (0.3, 0.2))
    lost = loss(METRICS["calibration_slope"], steeper, steep)
    one, other = (METRICS["calibration_slope"].linearise(o) for o in (steeper, steep))
    seen = spread((one - other).influence)
    half = student.ppf(0.975, min(seen.df, 399)) * seen.error
    value = one.value - other.value
    assert bounds(lost) == pytest.approx((value, value - half, value + half))


def test_two_models_about_equally_far_on_either_side_of_the_target_need_not_differ():
    truth = np.random.default_rng(5).normal(size=300)
    noise = np.random.default_rng(6).normal(0, 0.3, 300)
    low, high = (Outcome("regression", truth, (truth + noise) * k) for k in (0.8, 1.1))
    lost = loss(METRICS["calibration_slope"], low, high)
    assert lost.low < 0.02
    assert lost.high > lost.value


def test_no_error_seen_is_no_proof_of_none():
    """Forty perfect forecasts: the Brier score is 0, and its upper bound z^2 / (40 + z^2), Wilson's of none in forty."""
    truth = np.repeat([0, 1], 20)
    figure = estimate(METRICS["brier"], Outcome("binary", truth, truth.astype(float), 0.5))
    assert (figure.value, figure.low) == (0, 0)
    assert figure.high == pytest.approx(1.959964**2 / (40 + 1.959964**2), rel=1e-6)


def test_an_error_that_is_the_same_on_every_row_has_no_interval():
    truth = np.arange(20.0)
    constant = Outcome("regression", truth, truth + 2)
    for name in ("mae", "rmse"):
        figure = estimate(METRICS[name], constant)
        assert figure.status == "insufficient"
        assert "same on every row" in figure.reason


def test_one_subject_alone_gives_no_interval():
    figure = estimate(METRICS["brier"], binary(clusters=np.zeros(200, dtype=int)))
    assert figure.status == "insufficient"
    assert "single independent unit" in figure.reason


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("binary", np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3])), "0 and 1"),
        (Outcome("binary", np.array([0, 1, 1]), np.array([-1.2, 0.2, 3.0])), "probabilities"),
        (Outcome("binary", np.array([0, 1, 1]), np.array([0.1, 0.2])), "3 true values and 2 scores"),
        (Outcome("regression", np.array([0.0, np.nan, 1.0]), np.zeros(3)), "position 1"),
    ],
)
def test_what_is_no_outcome_is_refused_in_plain_words(outcome, words):
    with pytest.raises(InputError, match=words):
        estimate(next(iter(metrics_for(outcome.task))), outcome)


def test_a_loss_is_refused_on_different_rows():
    one = binary()
    with pytest.raises(InputError, match="same rows"):
        loss(METRICS["brier"], one, Outcome("binary", one.truth[::-1].copy(), one.score, one.threshold))


def test_scores_that_separate_the_classes_have_no_slope_of_calibration():
    """Also where both classes meet in one tied score; one row on the other side is enough for a finite slope."""
    for score in ([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [0.1, 0.2, 0.5, 0.5, 0.8, 0.9], [0.9, 0.8, 0.7, 0.3, 0.2, 0.1]):
        figure = estimate(METRICS["calibration_slope"], Outcome("binary", np.repeat([0, 1], 3), np.array(score), 0.5))
        assert "separate the classes" in figure.reason
    crossed = Outcome("binary", np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.6, 0.5, 0.8, 0.9]), 0.5)
    assert estimate(METRICS["calibration_slope"], crossed).value > 1


def test_an_intercept_is_found_however_far_the_scores_are_off():
    """At the intercept the expected events are the observed ones, even where most rows were given 0 and are events."""
    truth = np.array([1] * 9 + [0])
    score = np.array([0.0] * 8 + [0.04, 1.0])
    shift = METRICS["calibration_intercept"].linearise(Outcome("binary", truth, score, 0.5)).value
    clipped = np.clip(score, 1e-6, 1 - 1e-6)
    expected = 1 / (1 + (1 - clipped) / clipped * math.exp(-shift))
    assert expected.sum() == pytest.approx(9)
