"""Influences, variances and intervals: held to finite differences, to naive implementations, and to simulation."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from synthml.errors import InputError
from synthml.estimate.linear import covariance
from synthml.estimate.proportions import effective_size, wilson
from synthml.metrics import METRICS, Outcome, estimate, loss, metrics_for


def outcome_of(task, seed=0, n=120, clusters=None):
    rng = np.random.default_rng(seed)
    if task == "binary":
        truth = rng.integers(0, 2, n)
        return Outcome(task, truth, np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0.02, 0.98), 2), 0.5, clusters)
    if task == "multiclass":
        return Outcome(task, rng.integers(0, 3, n), rng.dirichlet([1, 1, 1], n), None, clusters)
    truth = rng.normal(size=n)
    return Outcome(task, truth, 0.7 * truth + rng.normal(0, 0.6, n), None, clusters)


CASES = [(task, metric.name) for task in ("binary", "multiclass", "regression") for metric in metrics_for(task)]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_an_influence_is_what_one_more_row_would_change(task, name):
    metric, outcome = METRICS[name], outcome_of(task, n=117)  # no tenth of the rows is a whole number: bins stay put
    n, copies = outcome.n, 60
    influence = metric.linearise(outcome).influence
    many = outcome.take(np.repeat(np.arange(n), copies))
    base = metric.linearise(many).value
    for row in (0, 7, 31, 64, 99):
        one_more = many.take(np.append(np.arange(n * copies), row * copies))
        change = (metric.linearise(one_more).value - base) * (n * copies + 1) / n
        assert change == pytest.approx(influence[row], abs=2e-3 * np.abs(influence).max())


@pytest.mark.parametrize(("task", "name"), CASES)
def test_influences_sum_to_zero(task, name):
    assert METRICS[name].linearise(outcome_of(task)).influence.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_the_order_of_the_rows_changes_nothing(task, name):
    clusters = np.arange(120) // 3
    outcome = outcome_of(task, clusters=clusters)
    shuffled = outcome.take(np.random.default_rng(1).permutation(120))
    a, b = estimate(METRICS[name], outcome), estimate(METRICS[name], shuffled)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-6, abs=1e-9)


def test_the_variance_of_an_auroc_is_delongs():
    outcome = outcome_of("binary", n=90)
    x, y = outcome.score[outcome.truth == 1], outcome.score[outcome.truth == 0]
    wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    naive = wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / len(y)
    ours = covariance(METRICS["auroc"].linearise(outcome).influence[None, :])[0, 0]
    assert ours == pytest.approx(naive, rel=0.02)  # the factors n / (n - 1) and m / (m - 1) apart


def test_the_covariance_of_two_aurocs_is_delongs():
    a = outcome_of("binary", seed=3, n=90)
    b = Outcome("binary", a.truth, np.clip(a.score + np.random.default_rng(4).normal(0, 0.1, 90), 0, 1))
    parts = []
    for outcome in (a, b):
        x, y = outcome.score[outcome.truth == 1], outcome.score[outcome.truth == 0]
        wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    (v, w), (p, q) = parts
    naive = np.cov(v, p)[0, 1] / len(v) + np.cov(w, q)[0, 1] / len(w)
    both = np.stack([METRICS["auroc"].linearise(o).influence for o in (a, b)])
    assert covariance(both)[0, 1] == pytest.approx(naive, rel=0.02)


def test_with_subjects_the_variance_of_an_auroc_is_obuchowskis():
    clusters = np.random.default_rng(5).integers(0, 40, 120)
    outcome = outcome_of("binary", seed=6, clusters=clusters)
    event = outcome.truth == 1
    x, y = outcome.score[event], outcome.score[~event]
    wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    auc, m, n = wins.mean(), len(x), len(y)
    ids = np.unique(clusters)
    ten = np.array([(wins.mean(axis=1) - auc)[clusters[event] == c].sum() for c in ids])
    one = np.array([(wins.mean(axis=0) - auc)[clusters[~event] == c].sum() for c in ids])
    k = len(ids) / (len(ids) - 1)
    naive = k * ((ten**2).sum() / m**2 + (one**2).sum() / n**2 + 2 * (ten * one).sum() / (m * n))
    ours = covariance(METRICS["auroc"].linearise(outcome).influence[None, :], clusters)[0, 0]
    assert ours == pytest.approx(naive, rel=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (3, 40), (50, 100), (100, 100)])
def test_wilsons_interval_is_statsmodels(hits, n):
    expected = proportion_confint(hits, n, method="wilson")
    assert wilson(hits / n, n, 1.959963984540054) == pytest.approx(expected, abs=1e-9)


def test_an_effective_size_never_exceeds_the_rows_and_falls_back_on_the_subjects():
    assert effective_size(0.5, 0.25 / 50, rows=100, units=40) == pytest.approx(50)
    assert effective_size(0.5, 0.25 / 500, rows=100, units=40) == 100
    assert effective_size(1.0, 0.0, rows=100, units=40) == 40


def test_copying_every_row_within_its_subject_adds_no_certainty():
    outcome = outcome_of("binary", n=200)
    twice = outcome.take(np.repeat(np.arange(200), 2))
    clustered = Outcome("binary", twice.truth, twice.score, 0.5, np.repeat(np.arange(200), 2))
    for name in ("auroc", "brier", "sensitivity", "calibration_slope"):
        a, b = estimate(METRICS[name], outcome), estimate(METRICS[name], clustered)
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.02), name


def test_a_perfect_auroc_still_has_a_lower_bound():
    figure = estimate(METRICS["auroc"], Outcome("binary", np.repeat([0, 1], 20), np.linspace(0.01, 0.99, 40)))
    assert figure.value == 1
    assert 0.7 < figure.low < 1


@pytest.mark.parametrize(
    ("name", "worse", "better"),
    [("auroc", 0.0, 0.3), ("brier", 0.0, 0.3), ("sensitivity", 0.0, 0.3), ("fnr", 0.0, 0.3)],
)
def test_a_loss_is_positive_when_the_synthetic_trained_model_is_worse(name, worse, better):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    make = lambda signal: Outcome("binary", truth, np.clip(rng.normal(0.5 + signal * (truth - 0.5), 0.2), 0.01, 0.99), 0.5)  # noqa: E731
    synthetic, real = make(worse), make(better)
    assert loss(METRICS[name], synthetic, real).low > 0
    assert loss(METRICS[name], real, synthetic).high < 0


def test_a_loss_of_calibration_is_a_loss_of_distance_from_the_target():
    rng = np.random.default_rng(1)
    eta = rng.normal(0, 1.5, 4000)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-eta))).astype(int)
    good, steep = (Outcome("binary", truth, 1 / (1 + np.exp(-k * eta)), 0.5) for k in (1.0, 2.0))
    assert loss(METRICS["calibration_slope"], steep, good).low > 0.3
    assert loss(METRICS["calibration_slope"], good, steep).high < -0.3


def test_the_same_predictions_lose_nothing():
    outcome = outcome_of("binary")
    for metric in metrics_for("binary"):
        lost = loss(metric, outcome, outcome)
        assert lost is None or (lost.value, lost.low, lost.high) == (0, 0, 0)
    assert loss(METRICS["selection_rate"], outcome, outcome) is None


def test_equal_decisions_of_different_models_are_no_proof_of_no_loss():
    truth = np.repeat([0, 1], 50)
    a, b = (Outcome("binary", truth, np.clip(truth * 0.6 + shift, 0, 1), 0.5) for shift in (0.1, 0.2))
    lost = loss(METRICS["sensitivity"], a, b)
    assert lost.low < 0 < lost.high


def test_scores_that_are_no_numbers_are_refused():
    outcome = outcome_of("binary")
    broken = Outcome("binary", outcome.truth, np.where(np.arange(120) < 2, np.nan, outcome.score))
    with pytest.raises(InputError, match="2 scores"):
        estimate(METRICS["auroc"], broken)


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover_the_truth(clustered):
    """400 samples of 300 rows with known truth: a true 95% falls below 0.92 once in two hundred times."""
    rng = np.random.default_rng(7)

    def draw(n):
        who = np.repeat(np.arange(n), 3)[:n] if clustered else np.arange(n)
        eta = rng.normal(-0.8, 1, n) + (rng.normal(0, 1, n)[who] if clustered else 0)
        truth = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
        return Outcome("binary", truth, 1 / (1 + np.exp(-0.8 * eta)), 0.35, who if clustered else None)

    names = ("auroc", "average_precision", "brier", "sensitivity", "ppv", "calibration_slope")
    population = draw(1_000_000)
    truth = {name: METRICS[name].linearise(population).value for name in names}
    hits = dict.fromkeys(names, 0)
    for _ in range(400):
        sample = draw(300)
        for name in names:
            figure = estimate(METRICS[name], sample)
            hits[name] += figure.low <= truth[name] <= figure.high
    assert all(count / 400 > 0.92 for count in hits.values()), hits
