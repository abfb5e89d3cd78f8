"""A schema checks its own words, and survives a round trip through the study file's form."""

import numpy as np
import pytest

from synthml.errors import StudyError
from synthml.study import MinimumCell, Schema


def wrong(**settings):
    with pytest.raises(StudyError) as caught:
        Schema(**{"target": "y", **settings})
    return {p.where: f"{p.what}. {p.remedy}" for p in caught.value.problems}


def test_lists_and_single_names_become_tuples():
    schema = Schema(target="y", sensitive="sex", features=["a", "b"], intersections=[], bins={"a": [0, 1]})
    assert (schema.sensitive, schema.features, schema.bins) == (("sex",), ("a", "b"), {"a": (0, 1)})


def test_what_is_written_can_be_read_again():
    schema = Schema(
        target="y",
        task="binary",
        positive=np.int64(1),
        features=["age", "sex"],
        sensitive=["sex", "age"],
        intersections=[["sex", "age"]],
        bins={"age": [0, 18, float("inf")]},
        kinds={"zip": "categorical"},
        subject="person",
        quasi_identifiers=["age"],
        secrets=["y"],
        minimum_cell=MinimumCell(50, 5),
        rules=["a <= b"],
        maximum_groups=12,
    )
    assert schema.to_dict()["intersections"] == [["sex", "age"]]
    assert type(schema.to_dict()["positive"]) is int
    assert Schema.from_dict(schema.to_dict()) == schema
    assert Schema(target="y").to_dict() == {"target": "y"}


def test_false_and_zero_are_labels_and_survive():
    assert Schema.from_dict(Schema(target="y", positive=0).to_dict()).positive == 0
    assert Schema.from_dict(Schema(target="y", positive=False).to_dict()).positive is False


@pytest.mark.parametrize(
    ("settings", "where", "told"),
    [
        ({"target": ""}, "schema.target", "not the name of a column"),
        ({"task": "binry"}, "schema.task", "Did you mean 'binary'?"),
        ({"kinds": {"a": "text"}}, "schema.kinds.a", "Known are: numeric, categorical, boolean, datetime"),
        ({"bins": {"a": [1]}}, "schema.bins.a", "at least two edges"),
        ({"bins": {"a": [1, 1, 2]}}, "schema.bins.a", "do not rise"),
        ({"bins": {"a": ["x", "y"]}}, "schema.bins.a", "edges that are numbers"),
        ({"bins": {"a": [0, float("nan")]}}, "schema.bins.a", "edges that are numbers"),
        ({"bins": 3}, "schema.bins", "not a map"),
        ({"features": ["y", "a"]}, "schema.features", "contain the target"),
        ({"features": []}, "schema.features", "is empty"),
        ({"features": ["a", "a"]}, "schema.features", "stand there twice"),
        ({"features": ["a", 3]}, "schema.features", "1 of 2 entries are not text"),
        ({"features": ["p"], "subject": "p"}, "schema.features", "contain the subject"),
        ({"sensitive": ["p"], "subject": "p"}, "schema.sensitive", "contain the subject"),
        ({"subject": "y"}, "schema.subject", "is the target"),
        ({"intersections": [["a", "b"]]}, "schema.intersections", "a, b not among `sensitive`"),
        ({"sensitive": ["a"], "intersections": [["a"]]}, "schema.intersections", "fewer than two columns"),
        ({"intersections": "a"}, "schema.intersections", "not a list of lists"),
        ({"positive": 1, "task": "regression"}, "schema.positive", "no meaning for regression"),
        ({"positive": [1]}, "schema.positive", "is a list"),
        ({"minimum_cell": MinimumCell(rows=-1)}, "schema.minimum_cell", "not two whole numbers"),
        ({"maximum_groups": 1}, "schema.maximum_groups", "at least 2"),
    ],
)
def test_every_word_is_checked(settings, where, told):
    assert told in wrong(**settings)[where]


def test_all_wrong_words_are_told_at_once():
    assert len(wrong(task="x", maximum_groups=0, bins={"a": [2, 1]})) == 3


def test_an_unknown_key_names_the_nearest_one():
    with pytest.raises(StudyError, match=r"schema\.sensitiv: is not a setting of a schema\. Did you mean 'sensitive'\?"):
        Schema.from_dict({"target": "y", "sensitiv": ["sex"]})
    with pytest.raises(StudyError, match=r"schema\.target: is missing"):
        Schema.from_dict({"minimum_cell": {"rowz": 3}})


def test_an_intersection_keeps_the_order_of_the_sensitive_columns():
    """One group has one name, however the intersection was written."""
    assert Schema(target="y", sensitive=["sex", "race"], intersections=[["race", "sex"]]).intersections == (("sex", "race"),)
    found = wrong(sensitive=["a", "b"], intersections=[["a", "b"], ["b", "a"]])
    assert "stands there twice" in found["schema.intersections"]


@pytest.mark.parametrize("setting", ["sensitive", "quasi_identifiers", "secrets"])
def test_the_subject_is_no_attribute(setting):
    assert "contain the subject" in wrong(subject="p", **{setting: ["p"]})[f"schema.{setting}"]
