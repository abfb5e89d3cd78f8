"""How far shares are apart: by hand, against scipy, and against the truth of simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from synthml.monitoring.divergence import Sides, divergence


def sides(reference, batch, **more):
    return Sides(np.array(reference), 1.0, np.repeat(np.arange(len(batch)), batch), **more)


def test_the_index_of_a_table_worked_by_hand():
    """Shares 50/50 to 75/25: 0.25 ln 1.5 + 0.25 ln 2 = 0.2746."""
    found = divergence(sides([500, 500], [300, 100]), "psi", confidence=0.95)
    assert found.plain.value == pytest.approx(0.25 * math.log(1.5) + 0.25 * math.log(2), rel=1e-12)


def test_the_distance_is_scipys():
    p, q = [500, 300, 200], [100, 150, 250]
    found = divergence(sides(p, q), "jensen_shannon", confidence=0.95)
    assert found.plain.value == pytest.approx(jensenshannon(p, q), rel=1e-9)


def test_what_noise_explains_is_taken_off():
    """Expected without drift: about (levels - 1) (1 / n + 1 / m), by hand (10 - 1) (1/1000 + 1/500) = 0.027."""
    found = divergence(sides([100] * 10, [50] * 10), "psi", confidence=0.95)
    assert found.noise == pytest.approx(0.027, rel=1e-6)
    assert found.beyond.value == 0.0
    shifted = divergence(sides([100] * 10, [80, 70, 60, 50, 50, 50, 50, 40, 30, 20]), "psi", confidence=0.95)
    assert shifted.beyond.value == pytest.approx(shifted.plain.value - shifted.noise)
    assert 0 < shifted.beyond.low < shifted.beyond.value < shifted.beyond.high


def test_a_level_that_one_side_lacks_is_finite():
    """What the reference lacks is read with its smallest level (half becomes two thirds); with no third one it stands alone."""
    found = divergence(sides([500, 500, 0], [200, 200, 200], ordered=False), "psi", confidence=0.95)
    assert found.plain.value == pytest.approx(math.log(2) / 6, rel=1e-9)
    alone = divergence(sides([1000, 0], [400, 200], ordered=False), "psi", confidence=0.95)
    assert alone.beyond.ok
    assert alone.beyond.value > 1


def test_nothing_varies_on_one_level():
    found = divergence(sides([500], [100]), "psi", confidence=0.95)
    assert (found.beyond.value, found.beyond.low, found.beyond.high) == (0.0, 0.0, 0.0)


def test_too_few_persons_are_told():
    few = divergence(sides([500, 500], [10, 9]), "psi", confidence=0.95)
    assert few.beyond.status == "insufficient"
    of_one = Sides(np.array([500, 500]), 1.0, np.repeat([0, 1], 100), np.repeat(np.arange(10), 20))
    assert divergence(of_one, "psi", confidence=0.95).beyond.status == "insufficient"


def test_order_of_labels_and_of_rows_changes_nothing():
    one = divergence(sides([500, 300, 200], [90, 60, 50], ordered=False), "psi", confidence=0.95)
    other = divergence(sides([200, 500, 300], [50, 90, 60], ordered=False), "psi", confidence=0.95)
    assert one.beyond.value == pytest.approx(other.beyond.value)
    assert one.beyond.high == pytest.approx(other.beyond.high)


@pytest.mark.slow
@pytest.mark.parametrize("by_person", [False, True])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_intervals_cover_the_truth_and_quiet_data_stay_quiet(by_person, shift):
    """300 draws: the true index lies below the lower bound about as often as 2.5%; without drift too, by person too."""
    rng = np.random.default_rng([int(by_person), int(shift * 10)])
    p = np.full(8, 1 / 8)
    q = p * np.exp(shift * np.linspace(-1, 1, 8))
    q /= q.sum()
    truth = float(((p - q) * np.log(p / q)).sum())
    draws, above, below, values = 300, 0, 0, []
    for _ in range(draws):
        reference = rng.multinomial(1500, p)
        codes = rng.choice(8, 300, p=q)
        if by_person:  # three equal rows of each person, on both sides
            made = Sides(3 * reference, 3.0, np.repeat(codes, 3), np.repeat(np.arange(300), 3))
        else:
            made = Sides(reference, 1.0, codes)
        found = divergence(made, "psi", confidence=0.95).beyond
        above += found.low > truth
        below += found.high < truth
        values.append(found.value)
    assert above / draws <= 0.06
    assert below / draws <= 0.06
    if shift:
        assert np.mean(values) == pytest.approx(truth, rel=0.08)
    else:
        assert above / draws >= 0.003  # nominal 2.5%: quiet, and not for want of power
