"""Each metric's value: scikit-learn's, and worked by hand on tables of a few rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from synthml.metrics import METRICS, Outcome, Undefined, estimate

TRUTH = np.array([0, 0, 1, 1, 1, 0, 1, 0])
SCORE = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.2, 0.9, 0.6])


def value(name, outcome):
    return METRICS[name].linearise(outcome).value


@pytest.fixture(params=[0, 1, 2])
def binary(request):
    rng = np.random.default_rng(request.param)
    truth = rng.integers(0, 2, 300)
    score = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0.01, 0.99)
    return Outcome("binary", truth, np.clip(np.round(score, 1 + request.param), 0.02, 0.98), 0.45)


def test_binary_metrics_are_scikit_learns_ties_included(binary):
    y, s, d = binary.truth, binary.score, binary.decision
    expected = {
        "auroc": sk.roc_auc_score(y, s),
        "average_precision": sk.average_precision_score(y, s),
        "brier": sk.brier_score_loss(y, s),
        "log_loss": sk.log_loss(y, np.clip(s, 1e-6, 1 - 1e-6)),
        "accuracy": sk.accuracy_score(y, d),
        "sensitivity": sk.recall_score(y, d),
        "specificity": sk.recall_score(y, d, pos_label=0),
        "ppv": sk.precision_score(y, d),
        "npv": sk.precision_score(y, d, pos_label=0),
        "fnr": 1 - sk.recall_score(y, d),
        "fpr": 1 - sk.recall_score(y, d, pos_label=0),
        "selection_rate": d.mean(),
    }
    for name, wanted in expected.items():
        assert value(name, binary) == pytest.approx(wanted), name


def test_multiclass_metrics_are_scikit_learns():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 300)
    score = rng.dirichlet([1, 1, 1], 300) * 0.5 + 0.5 * np.eye(3)[truth] * rng.random((300, 1))
    score /= score.sum(axis=1, keepdims=True)
    outcome = Outcome("multiclass", truth, score)
    assert value("macro_auroc", outcome) == pytest.approx(sk.roc_auc_score(truth, score, multi_class="ovr"))
    assert value("macro_f1", outcome) == pytest.approx(sk.f1_score(truth, score.argmax(axis=1), average="macro"))
    assert value("log_loss", outcome) == pytest.approx(sk.log_loss(truth, score))
    assert value("accuracy", outcome) == pytest.approx(sk.accuracy_score(truth, score.argmax(axis=1)))


def test_regression_metrics_are_scikit_learns():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=200)
    outcome = Outcome("regression", truth, 0.8 * truth + rng.normal(0, 0.5, 200))
    assert value("mae", outcome) == pytest.approx(sk.mean_absolute_error(truth, outcome.score))
    assert value("rmse", outcome) == pytest.approx(sk.root_mean_squared_error(truth, outcome.score))
    assert value("r2", outcome) == pytest.approx(sk.r2_score(truth, outcome.score))
    assert value("calibration_slope", outcome) == pytest.approx(np.polyfit(outcome.score, truth, 1)[0])


def test_auroc_by_hand():
    # events 0.35 0.8 0.4 0.9 against 0.1 0.4 0.2 0.6: pairs won 2 + 4 + 2.5 + 4 of 16
    assert value("auroc", Outcome("binary", TRUTH, SCORE)) == pytest.approx(12.5 / 16)


def test_average_precision_by_hand():
    # thresholds 0.9: 1/1, 0.8: 2/2, 0.6: 2/3, 0.4: 3/5 (tied), 0.35: 4/6; each event counts one quarter
    assert value("average_precision", Outcome("binary", TRUTH, SCORE)) == pytest.approx((1 + 1 + 3 / 5 + 4 / 6) / 4)


def test_confusion_rates_by_hand():
    # at 0.5 the called are 0.8, 0.9 (events) and 0.6 (not)
    outcome = Outcome("binary", TRUTH, SCORE, 0.5)
    assert value("sensitivity", outcome) == 2 / 4
    assert value("fnr", outcome) == 2 / 4
    assert value("specificity", outcome) == 3 / 4
    assert value("ppv", outcome) == pytest.approx(2 / 3)
    assert value("npv", outcome) == 3 / 5
    assert value("selection_rate", outcome) == 3 / 8


def test_ece_by_hand():
    # twenty rows in two distinct scores: 0.2 with 5 of 10 events, 0.8 with 9 of 10: (0.3 + 0.1) / 2
    truth = np.array([1] * 5 + [0] * 5 + [1] * 9 + [0])
    score = np.array([0.2] * 10 + [0.8] * 10)
    assert value("ece", Outcome("binary", truth, score)) == pytest.approx(0.2)


def test_calibration_is_statsmodels_logistic_regression(binary):
    from statsmodels.api import GLM, add_constant, families

    x = np.log(binary.score / (1 - binary.score))
    slope = GLM(binary.truth, add_constant(x), family=families.Binomial()).fit()
    large = GLM(binary.truth, np.ones_like(x), family=families.Binomial(), offset=x).fit()
    assert value("calibration_slope", binary) == pytest.approx(slope.params[1], rel=1e-6)
    assert value("calibration_intercept", binary) == pytest.approx(large.params[0], rel=1e-6)


def test_calibration_errors_are_the_sandwich_of_statsmodels(binary):
    from statsmodels.api import GLM, add_constant, families

    x = np.log(binary.score / (1 - binary.score))
    robust = GLM(binary.truth, add_constant(x), family=families.Binomial()).fit(cov_type="HC0")
    influence = METRICS["calibration_slope"].linearise(binary).influence
    assert np.sqrt((influence**2).sum()) == pytest.approx(robust.bse[1], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("auroc", Outcome("binary", np.ones(5, int), np.linspace(0.1, 0.9, 5))),
        ("ppv", Outcome("binary", TRUTH, SCORE, 0.99)),
        ("npv", Outcome("binary", TRUTH, SCORE, 0.01)),
        ("sensitivity", Outcome("binary", np.zeros(5, int), np.linspace(0.1, 0.9, 5), 0.5)),
        ("calibration_slope", Outcome("binary", np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))),
        ("calibration_slope", Outcome("binary", TRUTH, np.full(8, 0.3))),
        ("r2", Outcome("regression", np.ones(5), np.arange(5.0))),
        ("calibration_slope", Outcome("regression", np.arange(5.0), np.ones(5))),
        ("macro_auroc", Outcome("multiclass", np.array([0, 1, 0]), np.full((3, 3), 1 / 3))),
    ],
)
def test_a_metric_that_does_not_exist_is_insufficient_with_a_plain_reason(name, outcome):
    with pytest.raises(Undefined):
        METRICS[name].linearise(outcome)
    figure = estimate(METRICS[name], outcome)
    assert figure.status == "insufficient"
    assert figure.reason
