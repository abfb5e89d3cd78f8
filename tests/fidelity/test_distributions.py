"""Distances of columns and pairs: by hand, against scipy, and quiet between two samples of one population."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from synthml.fidelity.coding import spread_of
from synthml.fidelity.distributions import compare
from synthml.fidelity.pairs import cramers_v, grades, rank_correlation, rank_correlations


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


AGE, WEIGHT, SEX, WARD, SEEN = range(5)


def values(comparison):
    """Every measure of every column and pair, as found in the tables."""
    pairs = comparison.by_pair()
    by_column = {name: found.value for name, found in comparison.by_column().items()}
    return {**by_column, "pair_tvd": pairs.tvd.value, "association": pairs.association.value}


def test_by_hand():
    source = pd.DataFrame({"sex": ["F", "F", "F", "M"], "n": [1.0, 2.0, 3.0, np.nan]}).astype({"sex": object})
    other = pd.DataFrame({"sex": ["F", "M", "M", "X"], "n": [1.0, 1.0, 3.0, 3.0]}).astype({"sex": object})
    found = values(compare(source, other))
    # shares 3/4, 1/4, 0 against 1/4, 2/4, 1/4; 1/4 each of 1, 2, 3 and null against 1/2, 0, 1/2, 0
    assert found["tvd"].tolist() == [0.5, 0.5]
    assert found["ks"][1] == pytest.approx(1 / 2 - 1 / 3)
    # |1/3 - 1/2| over [1, 2) and |2/3 - 1/2| over [2, 3), in units of the 1st to the 99th percentile
    assert found["wasserstein"][1] == pytest.approx((1 / 6 + 1 / 6) / spread_of(np.array([1.0, 2.0, 3.0])))
    assert np.isnan(found["ks"][0])
    # cells (F,1) (F,2) (F,3) (M,-) a quarter each; (F,1) (M,1) (M,3) (X,3): one of four in common
    assert found["pair_tvd"].tolist() == [0.75]


def test_equal_tables_do_not_differ():
    for name, found in values(compare(table(300, 1), table(300, 1))).items():
        assert np.nanmax(np.abs(found)) < 1e-12, name


def test_columns_agree_with_scipy():
    source, other = table(3000, 1), table(2000, 2, shift=5)
    found = values(compare(source, other))
    for at, name in enumerate(["age", "weight"]):
        one, two = source[name].dropna(), other[name].dropna()
        assert found["ks"][at] == pytest.approx(stats.ks_2samp(one, two).statistic, abs=1e-12)
        area = stats.wasserstein_distance(one, two) / spread_of(np.sort(one.to_numpy()))
        assert found["wasserstein"][at] == pytest.approx(area, rel=1e-9)
    shares = [frame["ward"].value_counts(normalize=True, dropna=False) for frame in (source, other)]
    aligned = pd.concat(shares, axis=1).fillna(0).to_numpy()
    assert found["tvd"][WARD] == pytest.approx(np.abs(aligned[:, 0] - aligned[:, 1]).sum() / 2)
    assert found["jensen_shannon"][WARD] == pytest.approx(jensenshannon(aligned[:, 0], aligned[:, 1], 2))


def test_distances_of_the_grid_are_those_of_the_numbers():
    """Between halves and in groups distribution functions are looked at on two thousand points only."""
    rng = np.random.default_rng(0)
    source, other = (pd.DataFrame({"cost": np.exp(rng.normal(shift, 1.5, 8000))}) for shift in (0.0, 0.1))
    comparison = compare(source, other)
    inside = comparison.within(np.arange(8000), np.arange(8000), 8000, 20).by_column()
    whole = comparison.by_column()
    assert inside["ks"].value[0] == pytest.approx(whole["ks"].value[0], rel=0.02)
    assert inside["wasserstein"].value[0] == pytest.approx(whole["wasserstein"].value[0], rel=0.01)


def test_pairs_agree_with_scipy():
    frame = table(2000, 3)
    comparison = compare(frame, frame)
    found = dict(zip(comparison.by_pair().places, comparison.by_pair().source, strict=True))
    crossed = pd.crosstab(frame["sex"].fillna("-"), frame["ward"].fillna("-"))
    n, (rows, columns) = len(frame), crossed.shape
    phi = max(0.0, stats.chi2_contingency(crossed, correction=False)[0] / n - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    assert found[SEX, WARD] == pytest.approx(np.sqrt(phi / least))
    both = frame[["age", "weight"]].dropna()
    ranks = np.column_stack([grades(both[name].to_numpy()) for name in both])
    assert rank_correlation(ranks)[0, 1] == pytest.approx(stats.spearmanr(both["age"], both["weight"])[0], abs=1e-12)
    assert found[AGE, WEIGHT] == pytest.approx(stats.spearmanr(both["age"], both["weight"])[0], abs=0.003)


def test_ranks_of_levels_are_ranks_with_ties():
    """What halves use: Spearman's correlation from a table of counts equals scipy's on the rows."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 6, 500), rng.integers(0, 4, 500)
    b = np.minimum(b + a // 3, 3)
    counts = np.zeros((8, 6, 1))
    np.add.at(counts, (a, b, 0), 1)
    assert rank_correlations(counts, (6, 4))[0] == pytest.approx(stats.spearmanr(a, b)[0])


def test_a_constant_column_is_associated_with_nothing():
    counts = np.zeros((4, 3, 1))
    counts[0, :, 0] = [5, 9, 2]
    assert cramers_v(counts)[0] == 0
    assert rank_correlations(counts, (2, 3))[0] == 0


def test_what_the_source_never_had_departs():
    source, other = table(500, 1), table(500, 2)
    other["sex"] = "never seen"
    other["age"] = np.nan
    comparison = compare(source, other)
    found = values(comparison)
    assert found["tvd"][SEX] == 1
    assert found["tvd"][AGE] == 1
    assert np.isnan(found["ks"][AGE]), "a column without any value has no distribution function"
    assert comparison.columns[SEX].new.all()
    assert comparison.columns[SEX].new_count == 1


def test_a_number_that_a_few_valued_column_never_had_is_no_neighbour():
    source = pd.DataFrame({"stage": np.repeat([0.0, 1.0, 2.0], 50)})
    other = pd.DataFrame({"stage": np.repeat([0.0, 1.37, 2.0], 50)})
    assert values(compare(source, other))["tvd"][0] == pytest.approx(1 / 3)


def test_a_value_that_most_rows_share_is_a_level_of_its_own():
    """Nine of ten costs are nil: deciles alone would put every cost into one level."""
    rng = np.random.default_rng(0)
    nil = rng.random(2000) < 0.9
    source = pd.DataFrame({"cost": np.where(nil, 0.0, rng.gamma(2, 100, 2000).round(2) + 0.01)})
    other = pd.DataFrame({"cost": np.where(nil, 0.0, 5000.0)})
    comparison = compare(source, other)
    share = (~nil).mean()
    assert 3 / 4 * share - 0.01 <= values(comparison)["tvd"][0] <= share
    never = pd.DataFrame({"cost": np.zeros(2000)})
    assert values(compare(source, never))["tvd"][0] == pytest.approx(share)


def test_order_names_units_and_duplicates_do_not_matter():
    source, other = table(1200, 1), table(1100, 2, shift=4)
    plain = values(compare(source, other))
    order = np.random.default_rng(5).permutation(1200)
    changed = {
        "rows in another order": (source.iloc[order], other.iloc[::-1]),
        "columns renamed": (source.rename(columns=str.upper), other.rename(columns=str.upper)),
        "other units": tuple(frame.assign(age=frame["age"] * 12 - 7, weight=frame["weight"] * 2.5) for frame in (source, other)),
    }
    for what, (one, two) in changed.items():
        for name, found in values(compare(one, two)).items():
            np.testing.assert_allclose(found, plain[name], rtol=1e-9, atol=1e-12, err_msg=f"{what}: {name}")
    doubled = values(compare(pd.concat([source, source]), pd.concat([other, other])))
    for name in ("tvd", "jensen_shannon", "ks", "wasserstein", "pair_tvd"):
        # quantiles, and so deciles and the unit of lengths, are interpolated between neighbours
        np.testing.assert_allclose(doubled[name], plain[name], rtol=0.02, atol=2e-3, err_msg=name)


def test_the_same_seed_gives_the_same_halves():
    one, two = (compare(table(400, 1), table(400, 2), seed=(3, 1), repeats=30).by_pair() for _ in range(2))
    assert (one.tvd.floor == two.tvd.floor).all()
    assert (one.association.drawn == two.association.drawn).all()


@pytest.mark.parametrize("rows", [4000, 1000, 20_000])
def test_halves_show_what_another_sample_shows(rows):
    """The floor of a figure is what a fresh sample of the same population shows, whatever its size."""
    fresh = [values(compare(table(4000, 100 + seed), table(rows, 10 + seed), repeats=2)) for seed in range(12)]
    comparison = compare(table(4000, 1), table(rows, 2))
    pairs = comparison.by_pair()
    floors = {**comparison.by_column(), "pair_tvd": pairs.tvd, "association": pairs.association}
    for name in ("tvd", "jensen_shannon", "ks", "wasserstein", "pair_tvd", "association"):
        expected = np.nanmean([np.nanmean(found[name]) for found in fresh])
        assert floors[name].mean().floor.mean() == pytest.approx(expected, rel=0.25), name


def test_halves_keep_patients_together():
    """Twelve rows each of few patients: halves by patient differ far more than halves by row."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(100), 12)
    frame = pd.DataFrame({"age": rng.normal(50, 15, 100)[person]})
    by_patient, by_row = (compare(frame, frame, subjects).by_column()["ks"].floor.mean() for subjects in (person, None))
    assert by_patient > 2 * by_row


def test_a_shuffled_table_keeps_its_columns_and_loses_its_pairs():
    source = table(3000, 1)
    rng = np.random.default_rng(3)
    shuffled = source.copy()
    for name in shuffled:
        shuffled[name] = source[name].to_numpy()[rng.permutation(len(source))]
    comparison = compare(source, shuffled)
    pairs = comparison.by_pair()
    assert comparison.by_column()["tvd"].value.max() == 0
    assert comparison.by_column()["tvd"].departing(0.95)[0] == 0
    at = pairs.places.index((AGE, WEIGHT))
    for found, times in ((pairs.tvd, 2), (pairs.association, 5)):
        told = found.at(at, 0.95)
        assert told.departs
        assert told.value > times * told.floor
        assert told.low > 0
