"""What a synthetic table must not tell: values of one person, extremes, rare words, whole rows."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from synthml.errors import InputError
from synthml.synthesis import CartSynthesizer

CANARY = "zebra-syndrome-Q99"


def unique_values(column: pd.Series) -> np.ndarray:
    """Values that stand once."""
    counts = column.value_counts()
    return counts.index[counts == 1].to_numpy()


def test_values_of_a_continuous_column_are_not_copied() -> None:
    """Numbers without a grid are all unique in the source, and none of them comes out again."""
    rng = np.random.default_rng(0)
    source = pd.DataFrame({"a": rng.normal(size=3000), "b": rng.gamma(2, 10, 3000), "sex": rng.choice(["F", "M"], 3000)})
    drawn = CartSynthesizer().fit(source).sample(9000)
    assert not drawn.a.isin(source.a).any()
    assert not drawn.b.isin(source.b).any()


def test_values_on_a_grid_are_hit_by_chance_only() -> None:
    """With two decimals a unique source value is met about as often as by fresh people, 0.01 allowed for."""
    rng = np.random.default_rng(1)

    def people(n: int) -> pd.DataFrame:
        age = rng.normal(50, 15, n).round(1)
        return pd.DataFrame({"age": age, "cost": np.exp(4 + age / 40 + rng.normal(0, 0.9, n)).round(2)})

    source, fresh = people(4000), people(20000)
    drawn = CartSynthesizer().fit(source).sample(20000)
    once = unique_values(source.cost)
    assert len(once) > 2000
    assert drawn.cost.isin(once).mean() <= fresh.cost.isin(once).mean() + 0.01


def test_extremes_are_not_told() -> None:
    """Nothing stands beyond the tenth smallest and tenth largest source value; the extremes themselves never come out."""
    rng = np.random.default_rng(2)
    source = pd.DataFrame(
        {"income": np.r_[np.exp(rng.normal(3, 1, 1990)), 10.0 ** np.arange(5, 15)].round(2), "x": rng.normal(size=2000)}
    )
    drawn = CartSynthesizer(min_leaf=10).fit(source).sample(20000)
    for name in source:
        ranked = np.sort(source[name])
        assert drawn[name].between(ranked[9], ranked[-10]).all()
        assert not drawn[name].isin([*ranked[:9], *ranked[-9:]]).any()


def test_the_range_is_never_left_and_atoms_at_its_ends_stay() -> None:
    """A scale from 0 to 100 with many patients at both ends keeps both ends and leaves neither."""
    rng = np.random.default_rng(3)
    source = pd.DataFrame({"score": np.clip(rng.normal(50, 40, 3000), 0, 100).round(1), "sex": rng.choice(["F", "M"], 3000)})
    drawn = CartSynthesizer().fit(source).sample(6000)
    assert (drawn.score.min(), drawn.score.max()) == (0, 100)
    assert (drawn.score == 100).mean() == pytest.approx((source.score == 100).mean(), abs=0.03)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_rare_word_never_comes_out(dtype: str) -> None:
    """A diagnosis of nine patients is neither drawn nor listed in the dtype at a minimum of ten; one of ten patients is drawn."""
    rng = np.random.default_rng(4)
    words = rng.choice(["cold", "flu"], 2000).astype(object)
    words[:9], words[9:19] = CANARY, "gout"
    source = pd.DataFrame({"diagnosis": pd.Series(words).astype(dtype), "age": rng.normal(50, 9, 2000).round()})
    generator = CartSynthesizer(min_leaf=10).fit(source)
    drawn = generator.sample(20000)
    assert CANARY not in drawn.to_csv()
    assert "gout" in set(drawn.diagnosis)
    if dtype == "category":
        assert CANARY not in list(drawn.diagnosis.cat.categories)
    assert CANARY not in json.dumps(generator.record().to_dict())


def test_a_rare_number_never_comes_out() -> None:
    """One odd reading, with more decimals than any other, is not drawn and does not change how the others are written."""
    rng = np.random.default_rng(5)
    source = pd.DataFrame({"weight": rng.normal(80, 12, 3000).round(1), "bed": rng.integers(0, 40, 3000) * 5})
    source.loc[7, "weight"], source.loc[8, "bed"] = 81.2345, 33
    drawn = CartSynthesizer().fit(source).sample(20000)
    assert (drawn.weight == drawn.weight.round(1)).all()
    assert (drawn.bed % 5 == 0).all()


def test_rare_nulls_are_not_told() -> None:
    """A value that only three patients lack is lacking in no synthetic row."""
    rng = np.random.default_rng(6)
    source = pd.DataFrame(
        {"number": rng.normal(size=500), "word": rng.choice(["a", "b"], 500).astype(object), "much": rng.normal(size=500)}
    )
    source.loc[:2, ["number", "word"]] = None
    source.loc[:49, "much"] = None
    drawn = CartSynthesizer().fit(source).sample(5000)
    assert drawn.isna().sum()[["number", "word"]].tolist() == [0, 0]
    assert drawn.much.isna().mean() == pytest.approx(0.1, abs=0.03)


def test_larger_leaves_copy_fewer_rows() -> None:
    """The share of synthetic rows that stand in the source falls with every step of the minimum leaf."""
    rng = np.random.default_rng(7)
    table = {f"c{i}": rng.integers(0, 4, 1500).astype(str) for i in range(7)}
    source = pd.DataFrame(table)

    def copied(min_leaf: int) -> float:
        drawn = CartSynthesizer(min_leaf=min_leaf).fit(source).sample(6000)
        return len(drawn.merge(source.drop_duplicates())) / len(drawn)

    shares = [copied(leaf) for leaf in (2, 5, 15, 50, 300)]
    assert all(more > less + 0.01 for more, less in itertools.pairwise(shares)), shares


def test_an_identifier_is_refused() -> None:
    """A column in which everybody has a value of their own may not be told at all, and the message does not tell it either."""
    source = pd.DataFrame({"name": [f"person-{i}" for i in range(100)], "age": np.arange(100)})
    with pytest.raises(InputError, match="'name' has no category that 10 rows") as caught:
        CartSynthesizer().fit(source)
    assert "person-" not in str(caught.value)


def test_one_patients_many_rows_are_one_patients() -> None:
    """A word and a number that stand in 300 rows of one patient are held by one, and are not drawn."""
    rng = np.random.default_rng(8)
    person = np.r_[np.repeat(np.arange(300), 4), np.full(300, 300)]
    word = rng.choice(["a", "b", "c"], person.size).astype(object)
    value = rng.normal(10, 3, person.size).round(2)
    word[1200:], value[1200:] = CANARY, 10.123456
    source = pd.DataFrame({"person": person, "word": word, "value": value})
    drawn = CartSynthesizer().fit(source, subject="person").sample(4000)
    assert CANARY not in set(drawn.word)
    assert (drawn.value == drawn.value.round(2)).all()


def test_the_record_tells_how_and_never_what() -> None:
    """The record names class, versions, parameters, seeds, counts and given columns, and holds no value of the table."""
    source = pd.DataFrame({"word": ["alpha-word", "beta-word"] * 50, "number": np.arange(100) + 123456})
    generator = CartSynthesizer(min_leaf=7, seed=4).fit(source)
    generator.sample(30, seed=9, conditions={"word": "beta-word"})
    record = generator.record().to_dict()
    assert record["generator"]["name"] == "CartSynthesizer"
    assert record["generator"]["parameters"]["min_leaf"] == 7
    assert record["generator"]["seeds"] == {"fit": 4, "sample": 9}
    assert record["generator"]["training_rows"] == 100
    assert record["generator"]["conditioning"] == ["word"]
    assert set(record["generator"]["libraries"]) == {"scikit-learn", "numpy", "pandas"}
    assert (record["label"], record["synthesis"], record["output"]["n"]) == ("synthetic", "partial", 30)
    text = json.dumps(record)
    assert not any(hint in text for hint in ("alpha-word", "beta-word", "1234"))
