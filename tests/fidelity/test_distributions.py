"""Distances of columns and pairs: by hand, against scipy, and quiet between two samples of one population."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from synthml.fidelity.coding import Coding
from synthml.fidelity.columns import spread_of
from synthml.fidelity.distributions import compare
from synthml.fidelity.pairs import contingency, cramers_v, grades, rank_correlation


def table(rows, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    age = np.round(rng.normal(50 + shift, 15, rows))
    weight = rng.normal(40 + 0.5 * age, 10)
    return pd.DataFrame(
        {
            "age": age,
            "weight": np.where(rng.random(rows) < 0.1, np.nan, weight),
            "sex": rng.choice(["F", "M"], rows, p=[0.6, 0.4]).astype(object),
            "ward": pd.Series(rng.choice([*"abcdefgh", None], rows)).astype(object).where(lambda s: s.notna(), np.nan),
            "seen": np.datetime64("2020-01-01", "us") + rng.integers(0, 900, rows).astype("timedelta64[D]"),
        }
    )


def test_by_hand():
    source = pd.DataFrame({"sex": ["F", "F", "F", "M"], "n": [1.0, 2.0, 3.0, np.nan]}).astype({"sex": object})
    other = pd.DataFrame({"sex": ["F", "M", "M", "X"], "n": [1.0, 1.0, 3.0, 3.0]}).astype({"sex": object})
    found = compare(source, other).table()
    # shares 3/4, 1/4, 0 against 1/4, 2/4, 1/4; 1/4 each of 1, 2, 3 and null against 1/2, 0, 1/2, 0
    assert found.tvd.tolist() == [0.5, 0.5]
    assert found.missingness.tolist() == [0.0, 0.25]
    assert found.ks[1] == pytest.approx(1 / 2 - 1 / 3)
    # |1/3 - 1/2| over [1, 2) and |2/3 - 1/2| over [2, 3), in units of the 1st to the 99th percentile
    assert found.wasserstein[1] == pytest.approx((1 / 6 + 1 / 6) / spread_of(np.array([1.0, 2.0, 3.0])))
    assert np.isnan(found.ks[0])


def test_equal_tables_do_not_differ():
    found = compare(table(300, 1), table(300, 1)).table()
    for measure in (found.tvd, found.jensen_shannon, found.missingness, found.pair_tvd, found.association):
        assert np.abs(measure).max() == 0
    assert np.nanmax(found.ks) == 0
    assert np.nanmax(found.wasserstein) < 1e-12


def test_columns_agree_with_scipy():
    source, other = table(3000, 1), table(2000, 2, shift=5)
    distributions = compare(source, other)
    found = distributions.table()
    for at, name in enumerate(["age", "weight"]):
        one, two = source[name].dropna(), other[name].dropna()
        assert found.ks[at] == pytest.approx(stats.ks_2samp(one, two).statistic, abs=1e-12)
        area = stats.wasserstein_distance(one, two) / spread_of(source[name].to_numpy())
        assert found.wasserstein[at] == pytest.approx(area, rel=1e-9)
    shares = [frame["ward"].value_counts(normalize=True, dropna=False) for frame in (source, other)]
    aligned = pd.concat(shares, axis=1).fillna(0).to_numpy()
    assert found.tvd[3] == pytest.approx(np.abs(aligned[:, 0] - aligned[:, 1]).sum() / 2)
    assert found.jensen_shannon[3] == pytest.approx(jensenshannon(aligned[:, 0], aligned[:, 1], 2))


def test_pairs_agree_with_scipy():
    frame = table(2000, 3)
    coding = Coding.of(frame)
    counts = contingency(coding.codes(frame), int(coding.sizes.sum()))
    crossed = pd.crosstab(frame["sex"].fillna("-"), frame["ward"].fillna("-"))
    n, (rows, columns) = len(frame), crossed.shape
    phi = max(0.0, stats.chi2_contingency(crossed, correction=False)[0] / n - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    assert cramers_v(counts, coding.starts)[2, 3] == pytest.approx(np.sqrt(phi / least))
    both = frame[["age", "weight"]].dropna()
    ranks = grades(both, ("age", "weight"))
    assert rank_correlation(ranks)[0, 1] == pytest.approx(stats.spearmanr(both["age"], both["weight"])[0], abs=1e-5)


def test_what_the_source_never_had_is_a_level():
    source = table(500, 1)
    other = table(500, 2)
    other["sex"] = "never seen"
    other["age"] = np.nan
    found = compare(source, other).table()
    assert found.tvd[2] == 1
    assert found.tvd[0] == 1
    assert found.missingness[0] == 1
    assert np.isnan(found.ks[0]), "a column without any value has no distribution function"


def test_halves_show_what_another_sample_shows():
    """The floor of a figure is what a fresh sample of the same population shows, whatever its size."""
    for rows in (4000, 1000):
        fresh = [compare(table(4000, 1), table(rows, 10 + seed)).table() for seed in range(15)]
        halves = compare(table(4000, 1), table(rows, 2)).between_halves(15, np.random.default_rng(0), pairs=15)
        for name in ("tvd", "ks", "wasserstein", "pair_tvd", "association"):
            expected = np.nanmean([np.nanmean(getattr(found, name)) for found in fresh])
            measured = np.nanmean([np.nanmean(getattr(found, name)) for found in halves])
            assert measured == pytest.approx(expected, rel=0.25), name


def test_halves_keep_patients_together():
    """Twelve rows each of few patients: halves by patient differ far more than halves by row."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(100), 12)
    frame = pd.DataFrame({"age": rng.normal(50, 15, 100)[person]})
    by_patient, by_row = (
        np.mean([half.ks[0] for half in compare(frame, frame, subjects).between_halves(20, np.random.default_rng(1))])
        for subjects in (person, None)
    )
    assert by_patient > 2 * by_row


def test_a_shuffled_table_keeps_its_columns_and_loses_its_pairs():
    source = table(3000, 1)
    rng = np.random.default_rng(3)
    shuffled = source.copy()
    for name in shuffled:
        shuffled[name] = source[name].to_numpy()[rng.permutation(len(source))]
    distributions = compare(source, shuffled)
    found = distributions.table()
    floor = distributions.between_halves(10, np.random.default_rng(0), pairs=10)
    assert found.tvd.max() == 0
    assert found.association[0, 1] > 5 * np.median([half.association[0, 1] for half in floor])
