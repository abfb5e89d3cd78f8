"""Whether a flag means what it says: nominal on fresh samples, and intervals that hold the true departure."""

import numpy as np
import pandas as pd
import pytest

from synthml.fidelity.distributions import compare

SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])


def sample(rows, rng, *, moved=0.0, per_person=1):
    """A label whose first level lost `moved` to the last one, and a number that follows it."""
    shares = SHARES.copy()
    shares[0] -= moved
    shares[-1] += moved
    people = -(-rows // per_person)
    label = np.repeat(rng.choice(6, people, p=shares), per_person)[:rows]
    return pd.DataFrame({"ward": np.array([*"abcdef"], dtype=object)[label], "cost": label + rng.normal(0, 2, rows).round(1)})


@pytest.mark.parametrize(("rows", "per_person"), [(600, 1), (200, 1), (600, 4)])
def test_fresh_samples_are_flagged_at_the_nominal_rate(rows, per_person):
    """With several rows a person too: 100 tables of which one in twenty may stand out by chance."""
    rng = np.random.default_rng(rows + per_person)
    flags = []
    for repeat in range(100):
        one, other = sample(600, rng, per_person=per_person), sample(rows, rng, per_person=per_person)
        people = np.arange(600) // per_person
        comparison = compare(one, other, people, np.arange(rows) // per_person, seed=(repeat,), repeats=59)
        columns, pairs = comparison.by_column(), comparison.by_pair()
        flags.append([columns["tvd"].at(0, 0.95).departs, columns["ks"].at(1, 0.95).departs, pairs.tvd.at(0, 0.95).departs])
    rates = np.mean(flags, axis=0)
    # 0.05 give or take three standard errors of 100 tables
    assert (rates < 0.05 + 3 * 0.022).all(), rates
    assert rates.max() > 0, "a floor that nothing ever passes would be no floor"


@pytest.mark.parametrize("moved", [0.0, 0.03, 0.1])
def test_intervals_hold_the_true_departure(moved):
    """Total variation of the label is `moved` in truth: below it, at the edge of what can be told, and far above."""
    rng = np.random.default_rng(7)
    held, excess = [], []
    for repeat in range(120):
        found = compare(sample(900, rng), sample(900, rng, moved=moved), columns=["ward"], seed=(repeat,), repeats=59)
        told = found.by_column()["tvd"].at(0, 0.95)
        held.append(told.low <= moved <= told.high)
        excess.append(told.excess_low <= 0)
    assert np.mean(held) > 0.95 - 3 * 0.02
    assert np.mean(excess) > 0.9 if moved == 0 else np.mean(excess) < 0.95


def test_a_planted_shift_is_found_and_sized():
    rng = np.random.default_rng(3)
    found = compare(sample(3000, rng), sample(3000, rng, moved=0.12))
    told = found.by_column()["tvd"].at(0, 0.95)
    assert told.departs
    assert told.low <= 0.12 <= told.high
    assert told.high - told.low < 0.08


def test_many_rare_labels_are_no_departure():
    """Thousands of labels that one or two rows carry: a fresh sample has others, which is no fault of it."""
    rng = np.random.default_rng(1)
    one, other = (pd.DataFrame({"code": np.array([f"d{x}" for x in rng.zipf(1.4, 2000)], dtype=object)}) for _ in range(2))
    found = compare(one, other)
    assert found.columns[0].new.mean() > 0.1
    assert not found.by_column()["tvd"].at(0, 0.95).departs


def test_how_many_depart_stands_beside_how_many_would_by_chance():
    rng = np.random.default_rng(5)
    frames = [pd.DataFrame({f"x{i}": rng.normal(size=500) for i in range(12)}) for _ in range(2)]
    departing, among, halves = compare(*frames).by_pair().tvd.departing(0.95)
    assert among == 66
    assert halves.mean() == pytest.approx(0.05 * 66, rel=0.2)
    assert departing <= halves.max()
