"""What a synthetic table keeps of its source: shapes of columns, how they hang together, what is missing together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthml.synthesis import CartSynthesizer

ROWS = 4000


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    sex = rng.choice(["F", "M"], ROWS, p=[0.6, 0.4])
    age = np.clip(rng.normal(45, 17, ROWS), 18, 95).round(1)
    dose = np.where(rng.random(ROWS) < 0.4, 0.0, rng.gamma(2, 30, ROWS).round(2))
    pressure = 105 + 0.45 * (age - 20) + 6 * (sex == "M") + rng.normal(0, 11, ROWS)
    ward = rng.choice([f"W{i}" for i in range(12)], ROWS)
    risk = 1 / (1 + np.exp(-(-2 + 0.04 * (age - 45) + 1.2 * (sex == "M") + 0.8 * np.isin(ward, ["W0", "W3", "W7"]))))
    lab = pd.Series(np.exp(rng.normal(1, 0.6, ROWS)))
    lab[rng.random(ROWS) < np.where(age > 60, 0.5, 0.1)] = np.nan
    sibling = pd.Series(rng.normal(size=ROWS)).mask(lab.isna())
    return pd.DataFrame(
        {
            "age": age,
            "dose": dose,
            "pressure": pressure,
            "ward": ward,
            "sex": sex,
            "lab": lab,
            "sibling": sibling,
            "event": rng.random(ROWS) < risk,
        }
    )


@pytest.fixture(scope="module")
def synthetic(source: pd.DataFrame) -> pd.DataFrame:
    return CartSynthesizer(seed=3).fit(source).sample()


def apart(one: pd.Series, other: pd.Series) -> float:
    """The largest distance between two distribution functions (Kolmogorov-Smirnov)."""
    at = np.union1d(one.dropna(), other.dropna())
    shares = [np.searchsorted(np.sort(s.dropna().to_numpy()), at, side="right") / s.notna().sum() for s in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def test_numbers_keep_their_distribution(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Two samples of 4,000 rows from one distribution stand less than 0.036 apart in 99 of 100 draws."""
    distances = {name: apart(source[name], synthetic[name]) for name in ("age", "dose", "pressure", "lab", "sibling")}
    assert max(distances.values()) < 0.05, distances


def test_categories_keep_their_shares(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Shares of categories agree within what two samples of this size differ by."""
    for name in ("sex", "ward", "event"):
        shares = [frame[name].value_counts(normalize=True) for frame in (source, synthetic)]
        assert (shares[0] - shares[1]).abs().max() < 0.035


def test_numbers_keep_their_rank_correlation(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """The correlation of age and pressure survives; shuffled columns would leave none of the 0.5."""
    real, drawn = (frame[["age", "pressure"]].corr("spearman").iloc[0, 1] for frame in (source, synthetic))
    assert real > 0.4
    assert drawn == pytest.approx(real, abs=0.06)


def test_a_number_follows_a_category(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Men's pressure stands as far above women's as in the source, 6 units, within 1.5."""
    gaps = [f.loc[f.sex == "M", "pressure"].mean() - f.loc[f.sex == "F", "pressure"].mean() for f in (source, synthetic)]
    assert gaps[1] == pytest.approx(gaps[0], abs=1.5)


def test_categories_follow_categories(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Events in every ward agree: three risky wards among twelve are told apart without one column for each."""
    rates = [frame.groupby("ward")["event"].mean() for frame in (source, synthetic)]
    assert rates[0][["W0", "W3", "W7"]].min() > rates[0].drop(["W0", "W3", "W7"]).max()
    assert (rates[0] - rates[1]).abs().max() < 0.13
    assert rates[1][["W0", "W3", "W7"]].mean() - rates[1].drop(["W0", "W3", "W7"]).mean() > 0.1


def test_a_spike_stays_a_spike(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """The 40% of zeros among doses stay exact zeros, and the rest stay off zero."""
    assert (synthetic.dose == 0).mean() == pytest.approx((source.dose == 0).mean(), abs=0.035)
    assert not ((synthetic.dose > 0) & (synthetic.dose < 0.3)).any()


def test_what_is_missing_stays_missing_together(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Nulls keep their share, their dependence on age, and two columns that lack values in the same rows still do."""
    for frame in (source, synthetic):
        assert (frame.lab.isna() == frame.sibling.isna()).mean() > 0.97
    assert synthetic.lab.isna().mean() == pytest.approx(source.lab.isna().mean(), abs=0.035)
    old = [frame.loc[frame.age > 60, "lab"].isna().mean() for frame in (source, synthetic)]
    young = [frame.loc[frame.age < 50, "lab"].isna().mean() for frame in (source, synthetic)]
    assert old[1] == pytest.approx(old[0], abs=0.07)
    assert young[1] == pytest.approx(young[0], abs=0.04)


def test_order_of_columns_is_the_users_to_choose(source: pd.DataFrame) -> None:
    """A given visit order draws another table of the same kind."""
    first = ["pressure", "age"]
    drawn = CartSynthesizer(seed=3, visit=first).fit(source).sample()
    assert list(drawn.columns) == list(source.columns)
    assert drawn[first].corr("spearman").iloc[0, 1] == pytest.approx(source[first].corr("spearman").iloc[0, 1], abs=0.06)


def test_a_category_of_many_levels_is_drawn_by_likeness() -> None:
    """Of 200 codes, half belong to the old and half to the young: their synthetic holders are as old as the real ones."""
    rng = np.random.default_rng(5)
    old = rng.random(8000) < 0.5
    codes = np.where(old, rng.integers(0, 100, 8000), rng.integers(100, 200, 8000))
    source = pd.DataFrame(
        {"age": np.where(old, rng.normal(75, 5, 8000), rng.normal(35, 5, 8000)), "code": [f"C{c:03d}" for c in codes]}
    )
    drawn = CartSynthesizer(visit=["age", "code"]).fit(source).sample(seed=1)
    agrees = (drawn.age > 55) == (drawn.code < "C100")
    assert agrees.mean() > 0.98
    assert drawn.code.nunique() == 200
