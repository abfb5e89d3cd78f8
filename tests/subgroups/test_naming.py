"""No label that only a few people carry is published."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthml.study import Schema, Study
from synthml.subgroups.naming import Members, named_groupings


def frame(race: list[str], n: int = 400, seed: int = 0, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    filled = np.array(["A", "B"], dtype=object)[rng.integers(0, 2, n)]
    filled[: len(race)] = race
    return pd.DataFrame({"y": rng.integers(0, 2, n), "x": rng.standard_normal(n), "race": filled, **columns})


def by_column(study: Study) -> dict[str, Members]:
    return {member.grouping.column_name: member for member in named_groupings(study)}


def test_a_label_of_fewer_than_ten_rows_is_not_named_in_intersections_either():
    rng = np.random.default_rng(1)
    holdout = frame(["Rarest"] * 3 + ["Few"] * 2 + ["Ten"] * 10, sex=rng.choice(["F", "M"], 400))
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["race", "sex"], intersections=[["race", "sex"]]), holdout=holdout
    )
    found = by_column(study)
    assert {label[0][1] for label in found["race"].grouping.labels} == {"A", "B", "Ten", "(rare)"}
    rare = found["race"].grouping.labels.index((("race", "(rare)"),))
    assert found["race"].rows[rare] == 5
    names = " ".join(found["race sex"].grouping.names)
    assert "Rarest" not in names
    assert "Few" not in names
    assert found["race sex"].rows.sum() == 400


def test_a_label_that_the_source_holds_ten_times_is_named():
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["race"]),
        holdout=frame(["Known"] * 3),
        source=frame(["Known"] * 12, seed=1),
    )
    assert (("race", "Known"),) in by_column(study)["race"].grouping.labels


def test_rows_of_one_person_count_once():
    person = np.arange(400)
    person[:40] = 0
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["race"], subject="person"),
        holdout=frame(["Hers"] * 40, person=person),
    )
    found = by_column(study)["race"]
    assert (("race", "(rare)"),) in found.grouping.labels
    assert found.people[found.grouping.labels.index((("race", "(rare)"),))] == 1


def test_the_labels_of_bins_are_the_schemas_own():
    age = np.full(400, 30.0)
    age[:3] = 100.0
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["age"], bins={"age": [0, 18, 65, 120]}),
        holdout=frame([], age=age),
    )
    assert (("age", "65-120"),) in by_column(study)["age"].grouping.labels


def test_a_group_that_was_trained_for_and_is_absent_from_the_holdout_is_kept_empty():
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["race"]),
        holdout=frame([]),
        source=frame(["Gone"] * 30 + ["Secret"] * 2, seed=1),
    )
    found = by_column(study)["race"]
    assert found.rows[found.grouping.labels.index((("race", "Gone"),))] == 0
    assert "Secret" not in str(found.grouping.labels)
