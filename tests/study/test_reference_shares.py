"""Known shares of a population are checked at the door: their words by the schema, their labels against the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from synthml.errors import StudyError
from synthml.study import Schema, Study


def table(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.standard_normal(n),
            "sex": rng.choice(["F", "M"], n),
            "age": rng.integers(20, 60, n),
            "y": rng.integers(0, 2, n),
        }
    )


def schema(**settings: object) -> Schema:
    return Schema(**{"target": "y", "sensitive": ["sex", "age"], "bins": {"age": [18, 40, 65, 120]}, **settings})


def told(call) -> str:
    with pytest.raises(StudyError) as caught:
        call()
    return " ".join(f"{p.where} {p.what} {p.remedy}" for p in caught.value.problems)


def test_shares_survive_the_form_of_a_study_file():
    given = {"sex": {"F": 0.51, "M": 0.49}, "age": {"18-40": 0.4, "40-65": 0.4, "65-120": 0.2}}
    made = schema(reference_shares=given)
    assert made.reference_shares == given
    assert Schema.from_dict(yaml.safe_load(yaml.safe_dump(made.to_dict()))) == made
    assert "reference_shares" not in schema().to_dict()


def test_labels_are_read_as_the_tables_write_them():
    written = yaml.safe_load("{smoker: {true: 0.2, false: 0.8}, parity: {0: 0.5, 1: 0.5}}")
    made = Schema(target="y", sensitive=["smoker", "parity"], reference_shares=written)
    assert made.reference_shares == {"smoker": {"True": 0.2, "False": 0.8}, "parity": {"0": 0.5, "1": 0.5}}


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        ({"sex": {"F": 0.51, "M": 0.4}}, "add up to 0.91"),
        ({"sex": {"F": 51, "M": 49}}, "2 of 2 shares are not numbers above 0"),
        ({"sex": {"F": 1.2, "M": -0.2}}, "2 of 2 shares"),
        ({"sex": {"F": True, "M": 0.5}}, "1 of 2 shares"),
        ({"sex": {"F": 1.0}}, "not a map of at least two groups"),
        ({"sex": [0.5, 0.5]}, "not a map of at least two groups"),
        ([0.5, 0.5], "is not a map"),
        ({"income": {"low": 0.5, "high": 0.5}}, "not among `sensitive`"),
        ({"sex": {1: 0.5, "1": 0.5}}, "1 groups stand there twice"),
    ],
)
def test_shares_that_are_none_are_told(shares: object, what: str):
    assert what in told(lambda: schema(reference_shares=shares))


def test_rounded_shares_are_let_through():
    schema(reference_shares={"age": {"18-40": 0.333, "40-65": 0.333, "65-120": 0.333}})


def test_a_label_that_no_table_has_is_a_mistake_and_the_remedy_names_the_bins():
    found = told(lambda: Study(schema(reference_shares={"age": {"18-40": 0.5, "40-64": 0.5}}), source=table()))
    assert "1 of 2 groups stand in none of the tables (source): 40-64" in found
    assert "18-40, 40-65, 65-120" in found


def test_source_rows_without_a_share_are_counted_and_their_label_is_not_repeated():
    odd = table()
    odd.loc[:29, "sex"] = "Q-unheard"
    found = told(lambda: Study(schema(reference_shares={"sex": {"F": 0.5, "M": 0.5}}), source=odd))
    assert "1 groups of the source, 30 of 200 rows, have no share" in found
    assert "Q-unheard" not in found


def test_rows_without_a_value_are_left_out_and_noted():
    gaps = table()
    gaps.loc[:29, "sex"] = None
    study = Study(schema(reference_shares={"sex": {"F": 0.5, "M": 0.5}}), source=gaps)
    assert any(note.startswith("reference_shares.sex: source rows without a value") for note in study.notes)


def test_a_bin_that_no_table_has_anybody_in_is_no_mistake():
    Study(schema(reference_shares={"age": {"18-40": 0.4, "40-65": 0.4, "65-120": 0.2}}), source=table())


def test_the_summary_names_the_columns_and_no_label():
    study = Study(schema(reference_shares={"sex": {"F": 0.51, "M": 0.49}}), source=table())
    assert study.summary()["reference_shares"] == ["sex"]
