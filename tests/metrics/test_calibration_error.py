"""The calibration error's interval holds a true zero, moves with the error, and knows how little few events say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from synthml.metrics import METRICS, Outcome, Undefined, estimate, loss
from synthml.metrics.calibration_error import ece_bounds, ece_loss_bounds

ECE = METRICS["ece"]


def patients(n: int, seed: int, *, slope: float = 1.0, shift: float = 0.0, rows_each: int = 1) -> Outcome:
    """Outcomes drawn at the true probability; the model says slope * logit + shift."""
    rng = np.random.default_rng(seed)
    eta = rng.normal(-0.8, 1.2, n)
    truth = (rng.random(n) < expit(eta)).astype(int)
    outcome = Outcome("binary", truth, expit(slope * eta + shift))
    if rows_each == 1:
        return outcome
    again = outcome.take(np.repeat(np.arange(n), rows_each))
    return Outcome("binary", again.truth, again.score, None, np.repeat(np.arange(n), rows_each))


def said(outcome: Outcome, slope: float, shift: float) -> Outcome:
    """Another model on the same rows."""
    return Outcome("binary", outcome.truth, expit(slope * logit(outcome.score) + shift), None, outcome.clusters)


def test_a_calibrated_model_shows_an_error_but_its_interval_holds_zero() -> None:
    """With 200 rows chance alone shows about 0.08; zero is held in about 95 of 100 samples."""
    shown, held = [], 0
    for seed in range(100):
        outcome = patients(200, seed)
        shown.append(ECE.linearise(outcome).value)
        held += ece_bounds(outcome, 0.95).low == 0
    assert 0.06 < np.mean(shown) < 0.1
    assert held >= 90


def test_a_miscalibrated_model_is_told_from_a_calibrated_one() -> None:
    """Probabilities far too high: the interval lies well above zero and holds the error of a million rows."""
    truth = ECE.linearise(patients(1_000_000, 1, shift=0.8)).value
    bounds = ece_bounds(patients(3000, 2, shift=0.8), 0.95)
    assert 0.1 < bounds.low < truth < bounds.high < 0.25


def test_the_middle_is_free_of_the_bias_of_the_plain_error() -> None:
    """Of a hundred samples about half of the middles lie above the true error, of the plain errors nearly all."""
    truth = ECE.linearise(patients(1_000_000, 3, slope=0.8)).value
    plain, middle = 0, 0
    for seed in range(100):
        outcome = patients(400, 1000 + seed, slope=0.8)
        plain += ECE.linearise(outcome).value > truth
        middle += ece_bounds(outcome, 0.95).middle > truth
    assert plain > 75
    assert 30 <= middle <= 70


def test_few_events_are_not_enough_for_ten_bins() -> None:
    """49 events are refused, with the reason; 50 are not."""
    score = np.linspace(0.01, 0.2, 500)
    for events, ok in ((49, False), (50, True)):
        truth = np.zeros(500, dtype=int)
        truth[-2 * events :: 2] = 1
        figure = estimate(ECE, Outcome("binary", truth, score))
        assert figure.ok is ok
        if not ok:
            assert "50 events" in str(figure.reason)
            with pytest.raises(Undefined):
                ece_bounds(Outcome("binary", truth, score), 0.95)


def test_copies_of_a_row_within_its_subject_leave_the_interval_where_it_is() -> None:
    """Three equal rows for each subject say no more than one."""
    one, three = patients(900, 4, slope=0.7), patients(900, 4, slope=0.7, rows_each=3)
    assert ece_bounds(three, 0.95).low == pytest.approx(ece_bounds(one, 0.95).low, abs=0.003)
    assert ece_bounds(three, 0.95).high == pytest.approx(ece_bounds(one, 0.95).high, abs=0.003)
    ignored = Outcome("binary", three.truth, three.score)
    assert ece_bounds(ignored, 0.95).high - ece_bounds(ignored, 0.95).low < 0.8 * (
        ece_bounds(three, 0.95).high - ece_bounds(three, 0.95).low
    )


def test_a_higher_confidence_never_narrows() -> None:
    """Ninety percent lies within ninety-nine, of the error and of the loss."""
    outcome = patients(800, 5, slope=0.7)
    other = said(outcome, 1.2, 0.2)
    for few, many in (
        (ece_bounds(outcome, 0.9), ece_bounds(outcome, 0.99)),
        (ece_loss_bounds(outcome, other, 0.9), ece_loss_bounds(outcome, other, 0.99)),
    ):
        assert many.low <= few.low <= few.middle <= few.high <= many.high


def test_the_loss_tells_the_worse_calibrated_model() -> None:
    """Positive when the first model is worse, and the other way round when they change places."""
    good = patients(3000, 6)
    poor = said(good, 1.0, 0.8)
    worse, better = loss(ECE, poor, good), loss(ECE, good, poor)
    assert worse is not None
    assert better is not None
    assert worse.low is not None
    assert worse.low > 0.05
    assert better.high == pytest.approx(-worse.low, abs=0.003)
    assert better.value == pytest.approx(-worse.value)


def test_the_loss_of_equally_calibrated_models_holds_zero() -> None:
    """Both models are right, by different noise: zero is held in about 95 of 100 samples."""
    held = 0
    for seed in range(60):
        good = patients(600, 2000 + seed)
        rng = np.random.default_rng(seed)
        other = Outcome("binary", good.truth, expit(logit(good.score) + rng.normal(0, 0.05, 600)))
        bounds = ece_loss_bounds(other, good, 0.95)
        held += bounds.low <= 0 <= bounds.high
    assert held >= 54


def test_a_score_that_never_varies_has_one_bin() -> None:
    """The trivial model says the prevalence to everyone: its error is the difference of two shares."""
    truth = np.repeat([0, 1], [140, 60])
    figure = estimate(ECE, Outcome("binary", truth, np.full(200, 0.3)))
    assert figure.value == pytest.approx(0)
    assert figure.low == 0
    shifted = estimate(ECE, Outcome("binary", truth, np.full(200, 0.5)))
    assert shifted.value == pytest.approx(0.2)
    # the share of 60 in 200 is known to about 0.0635
    assert shifted.low == pytest.approx(0.2 - 0.0635, abs=0.005)
    assert shifted.high == pytest.approx(0.2 + 0.0635, abs=0.005)


def test_the_interval_is_the_same_every_time() -> None:
    """Draws come from one seed, and the order of the rows does not matter."""
    outcome = patients(500, 7, slope=0.8)
    shuffled = outcome.take(np.random.default_rng(0).permutation(500))
    assert ece_bounds(outcome, 0.95) == ece_bounds(outcome, 0.95)
    assert ece_bounds(shuffled, 0.95).high == pytest.approx(ece_bounds(outcome, 0.95).high, abs=1e-6)
