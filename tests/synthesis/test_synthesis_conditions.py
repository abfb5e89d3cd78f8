"""Columns that are given instead of drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthml.errors import InputError
from synthml.synthesis import CartSynthesizer


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    sex = rng.choice(["F", "M"], 3000)
    age = rng.integers(18, 90, 3000)
    ill = rng.random(3000) < np.where(sex == "F", 0.1, 0.6)
    stage = pd.Series(rng.choice(["I", "II", "III"], 3000), dtype="category")
    weight = pd.Series(60 + 20 * (sex == "M") + rng.normal(0, 5, 3000)).round(1)
    weight[:300] = np.nan
    return pd.DataFrame({"age": age, "sex": sex, "ill": ill, "stage": stage, "weight": weight})


@pytest.fixture(scope="module")
def generator(source: pd.DataFrame) -> CartSynthesizer:
    return CartSynthesizer(seed=2).fit(source)


def test_one_value_for_all(generator: CartSynthesizer, source: pd.DataFrame) -> None:
    """Given women only, every row is a woman and everything else is as among real women."""
    drawn = generator.sample(2000, conditions={"sex": "F"})
    women = source[source.sex == "F"]
    assert (drawn.sex == "F").all()
    assert drawn.ill.mean() == pytest.approx(women.ill.mean(), abs=0.04)
    assert drawn.weight.mean() == pytest.approx(women.weight.mean(), abs=1)
    assert drawn.dtypes.equals(source.dtypes)


def test_the_given_column_may_stand_last_in_the_visit(source: pd.DataFrame) -> None:
    """A column that is otherwise drawn last conditions all others just as well."""
    generator = CartSynthesizer(visit=["age", "weight", "stage", "ill", "sex"]).fit(source)
    drawn = generator.sample(2000, conditions={"sex": "M"})
    men = source[source.sex == "M"]
    assert drawn.ill.mean() == pytest.approx(men.ill.mean(), abs=0.06)
    assert drawn.weight.mean() == pytest.approx(men.weight.mean(), abs=1)
    both = generator.sample(200, conditions={"sex": "M", "age": 40})
    assert ((both.sex == "M") & (both.age == 40)).all()
    assert both.weight.mean() > 75


def test_a_frame_of_given_columns_stands_row_by_row(generator: CartSynthesizer, source: pd.DataFrame) -> None:
    """Given columns come out exactly as they went in, in order, in the source's dtype, and the rest follows them."""
    wanted = pd.DataFrame(
        {"sex": ["F", "M"] * 1000, "age": np.tile([30, 31, 70, 71], 500), "stage": ["I", "III"] * 1000}, index=range(5, 2005)
    )
    drawn = generator.sample(conditions=wanted)
    assert drawn.index.tolist() == list(range(2000))
    assert drawn.sex.tolist() == wanted.sex.tolist()
    assert drawn.age.tolist() == wanted.age.tolist()
    assert drawn.stage.tolist() == wanted.stage.tolist()
    assert drawn.dtypes.equals(source.dtypes)
    assert drawn.ill[drawn.sex == "M"].mean() - drawn.ill[drawn.sex == "F"].mean() > 0.4


def test_missing_may_be_given(generator: CartSynthesizer) -> None:
    """A value that is missing in enough of the source can be given as missing; one that never is cannot."""
    assert generator.sample(20, conditions={"weight": None}).weight.isna().all()
    with pytest.raises(InputError, match="'sex' is given 1 values that the generator does not know"):
        generator.sample(20, conditions={"sex": None})


def test_a_condition_does_not_change_what_is_drawn_without_it(source: pd.DataFrame) -> None:
    """Trees grown for a condition stand beside the others: the next plain draw is what it was."""
    generator = CartSynthesizer(seed=2).fit(source)
    before = generator.sample(200)
    generator.sample(200, conditions={"weight": 70.0})
    pd.testing.assert_frame_equal(generator.sample(200), before)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"sex": "secret-value"}, "'sex' is given 1 values that the generator does not know, the first at position 0"),
        (pd.DataFrame({"sex": ["F", "secret-value", "F"]}), "'sex' is given 1 values .* the first at position 1"),
        ({"age": 1000000007}, "'age' is given 1 values"),
        ({"age": 40.5}, "'age' are not of the source's kind, int64"),
        ({"age": "secret-value"}, "'age' are not of the source's kind"),
        ({"height": 180}, "'height' cannot be given"),
        ({"sex": ["F", "M"]}, "'sex' is not a single value"),
        (pd.DataFrame({"sex": []}), "no row"),
        (["sex"], "not a list"),
    ],
)
def test_what_cannot_be_given_is_named_but_not_repeated(generator: CartSynthesizer, conditions: object, message: str) -> None:
    """Errors name the column, the count and the position, never the value."""
    with pytest.raises(InputError, match=message) as caught:
        generator.sample(conditions=conditions)  # type: ignore[arg-type]
    assert "secret-value" not in str(caught.value)
    assert "1000000007" not in str(caught.value)


def test_a_rare_value_and_an_unknown_one_are_refused_alike(source: pd.DataFrame) -> None:
    """Whether a word stands in the source at all cannot be found out by asking for it."""
    rare = source.assign(sex=source.sex.where(source.index != 7, "X"))
    generator = CartSynthesizer().fit(rare)
    said = []
    for word in ("X", "Y"):
        with pytest.raises(InputError) as caught:
            generator.sample(5, conditions={"sex": word})
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_rows_and_n_must_agree(generator: CartSynthesizer) -> None:
    """n beside a frame of another length is an error."""
    with pytest.raises(InputError, match="n=5 beside conditions of 2 rows"):
        generator.sample(5, conditions=pd.DataFrame({"sex": ["F", "M"]}))


def test_with_subjects_conditions_describe_subjects() -> None:
    """A frame gives one subject a row; a value for all holds for all; what varies within a subject cannot be given."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(300), rng.integers(1, 5, 300))
    source = pd.DataFrame({"id": person, "sex": rng.choice(["F", "M"], 300)[person], "x": rng.normal(size=person.size)})
    source["x"] += 5 * (source.sex == "M")
    generator = CartSynthesizer().fit(source, subject="id")
    drawn = generator.sample(conditions=pd.DataFrame({"sex": ["F", "M", "M"]}))
    assert drawn.groupby("id").sex.first().tolist() == ["F", "M", "M"]
    assert drawn.groupby("id").sex.nunique().max() == 1
    only = generator.sample(400, conditions={"sex": "M"})
    assert (only.sex == "M").all()
    assert len(only) == 400
    assert only.x.mean() == pytest.approx(5, abs=0.4)
    with pytest.raises(InputError, match="'x' varies within a subject"):
        generator.sample(conditions={"x": 0.0})
    with pytest.raises(InputError, match="'id' cannot be given"):
        generator.sample(conditions={"id": 3})
    with pytest.raises(InputError, match="beside conditions of 1 rows"):
        generator.sample(10, conditions=pd.DataFrame({"sex": ["F"]}))
