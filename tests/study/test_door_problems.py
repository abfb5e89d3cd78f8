"""Everything that can be wrong with a study is found at the door: where, how many, where first, what to do; never a value."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from study.clinic import a_study, problems_of, schema, three, visits

from synthml.errors import StudyError
from synthml.study import MinimumCell, Schema, Study


def changed(role, **columns):
    tables = three()
    tables[role] = tables[role].assign(**columns)
    return tables


def column(values, rows=300):
    return pd.Series(np.resize(np.array(values, dtype=object), rows), dtype=object)


def test_a_column_that_one_role_lacks_is_missing_there():
    tables = three()
    del tables["synthetic"]["bmi"]
    found = problems_of(tables)
    assert found == {"synthetic.bmi": "the column is missing; it is in source and holdout. "
                     "Add it, or leave it out of the schema and of the other tables."}  # fmt: skip


def test_a_column_that_one_role_has_alone_is_extra_there():
    found = problems_of(changed("synthetic", weight=1.0))
    assert found == {"synthetic.weight": "is an extra column: it is not in source and holdout. "
                     "Drop it, or list under features the columns that a model may use."}  # fmt: skip


def test_named_features_make_other_columns_no_matter():
    tables = changed("synthetic", weight=1.0)
    del tables["source"]["bmi"]
    study = a_study(tables, features=["age", "sex"])
    assert any(
        note == "synthetic: columns that the schema does not use are left out: bmi, smoker, seen, weight." for note in study.notes
    )
    assert list(study.frame("synthetic")) == ["age", "sex", "y"]


def test_many_missing_columns_are_told_in_one_line():
    tables = three()
    tables["holdout"] = tables["holdout"][["person", "y"]].assign(other=1)
    for i in range(3):
        for role in ("source", "synthetic"):
            tables[role][f"x{i}"] = 1.0
    assert "lacks 8 columns of the study: age, sex, bmi, smoker, seen and 3 more" in problems_of(tables)["holdout"]


@pytest.mark.parametrize(
    ("settings", "where", "told"),
    [
        ({"target": "z"}, "schema.target", "column 'z' stands in none of the tables (source, synthetic, holdout)"),
        ({"sensitive": ["sxe"]}, "schema.sensitive", "Did you mean 'sex'?"),
        ({"features": ["agee", "sex"]}, "schema.features", "Did you mean 'age'?"),
        ({"subject": "patient"}, "schema.subject", "column 'patient' stands in none"),
        ({"bins": {"hight": [1, 2]}}, "schema.bins", "column 'hight' stands in none"),
        ({"kinds": {"zip": "categorical"}}, "schema.kinds", "column 'zip' stands in none"),
        ({"secrets": ["hiv"]}, "schema.secrets", "column 'hiv' stands in none"),
        ({"rules": ["a >= age"]}, "schema.rules", "the rule `a >= age` names 'a', which is a column of no table"),
        ({"quasi_identifiers": ["zip"]}, "schema.quasi_identifiers", "column 'zip' stands in none"),
    ],
)
def test_a_column_that_the_schema_names_and_no_table_has(settings, where, told):
    assert told in problems_of(**settings)[where]


def test_an_index_is_no_column_and_the_message_says_how_to_mend_it():
    tables = three()
    for role in ("source", "holdout"):
        tables[role] = tables[role].set_index("person")
    assert (
        "It is the index of holdout, source, which is no column: call reset_index() first."
        in problems_of(tables)["schema.subject"]
    )


def test_real_tables_need_the_subject_column():
    tables = three()
    del tables["holdout"]["person"]
    assert "subject column is missing" in problems_of(tables)["holdout.person"]


def test_kinds_that_disagree_are_told_by_role():
    found = problems_of(changed("holdout", age=column(["12", "13"])))
    assert (
        "the kinds of the column disagree: numeric in source, numeric in synthetic, categorical in holdout"
        in found["holdout.age"]
    )
    assert "kinds: {age: categorical}" in found["holdout.age"]


def test_a_boolean_column_holds_nothing_but_zero_and_one():
    found = problems_of(changed("synthetic", smoker=column([0, 1, 2]).astype(int)))
    assert "100 of 300 values are neither 0 nor 1, in a boolean column (first at row 2)" in found["synthetic.smoker"]


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        (["1", "x1"], "numeric", "150 of 300 values are not numeric"),
        (["yes", "maybe"], "boolean", "150 of 300 values are not boolean"),
        (["2024-01-01", "01/02/2024"], "datetime", "150 of 300 values are not ISO 8601 dates"),
        ([3], "datetime", "holds 300 values stored as numeric where the study has dates"),
        ([dt.date(2024, 1, 1)], "numeric", "holds 300 dates where the study has numeric"),
    ],
)
def test_values_that_are_not_of_the_declared_kind(values, kind, told):
    tables = {role: table.assign(extra=column(values)) for role, table in three().items()}
    found = problems_of(tables, kinds={"extra": kind})
    assert told in found["source.extra"]
    assert set(found) == {"source.extra", "synthetic.extra", "holdout.extra"}


def test_null_targets_are_counted():
    tables = changed("source", y=column([None, 0, 1, 1]).astype(float))
    assert "the target is null in 75 of 300 rows (first: row 0)" in problems_of(tables)["source.y"]


def test_a_constant_target_teaches_nothing():
    assert "the target is constant: one value in all 300 rows" in problems_of(changed("holdout", y=1))["holdout.y"]


def test_a_binary_target_has_two_classes():
    tables = {role: table.assign(y=column([0, 1, 2]).astype(int)) for role, table in three().items()}
    assert (
        "'y' has 3 distinct values (3 in source, 3 in synthetic, 3 in holdout)"
        in problems_of(tables, task="binary")["schema.task"]
    )


def test_classes_that_no_real_row_has():
    tables = {role: table.assign(y=column(["a", "b", "c"])) for role, table in three().items()}
    tables["synthetic"]["y"] = column(["a", "b", "c", "invented"])
    assert "75 of 300 rows have 1 class that no real row has" in problems_of(tables)["synthetic.y"]


def test_classes_that_a_model_could_not_learn():
    tables = {role: table.assign(y=column(["a", "b", "c"])) for role, table in three().items()}
    tables["synthetic"]["y"] = column(["a", "b"])
    assert "has no row of 1 of 3 classes, which 200 real rows elsewhere have" in problems_of(tables)["synthetic.y"]


def test_a_class_that_the_holdout_lacks_is_noted():
    tables = {role: table.assign(y=column(["a", "b", "c"])) for role, table in three().items()}
    tables["holdout"]["y"] = column(["a", "b"])
    assert any("holdout: has no row of 1 of 3 classes" in note for note in a_study(tables).notes)


def test_production_may_not_bring_new_classes():
    production = visits(60, seed=9).assign(y=[0, 1, 7] * 20)
    assert (
        "has classes that no other role has in 20 of 60 rows (first: row 2)"
        in problems_of({**three(), "production": production})["production.y"]
    )


@pytest.mark.parametrize(
    ("settings", "values", "where", "told"),
    [
        ({"positive": 3}, [0, 1], "schema.positive", "is neither of the two labels of 'y'"),
        ({"positive": 1}, [0, 1, 2], "schema.positive", "no meaning for a target of 3 classes"),
        ({"task": "regression"}, ["a", "b"], "schema.task", "is text, which a regression cannot predict"),
        ({}, [dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "schema.target", "'y' is a date"),
        ({"task": "multiclass"}, list(range(150)), "schema.target", "has 150 classes, more than 100"),
    ],
)
def test_a_target_that_does_not_fit_its_task(settings, values, where, told):
    tables = {role: table.assign(y=column(values).infer_objects()) for role, table in three().items()}
    assert told in problems_of(tables, **settings)[where]


def test_a_column_that_is_null_throughout():
    found = problems_of(changed("synthetic", bmi=np.nan))
    assert found == {"synthetic.bmi": "all 300 values are null. Fill it, or leave the column out everywhere."}


def test_infinite_values_are_counted():
    found = problems_of(changed("source", bmi=column([1.0, np.inf, -np.inf]).astype(float)))
    assert "is infinite in 200 of 300 rows (first: row 1)" in found["source.bmi"]


def test_two_columns_of_one_name():
    tables = three()
    tables["source"].insert(2, "age", 1, allow_duplicates=True)
    assert "2 columns have this name (columns 1, 2)" in problems_of(tables)["source.age"]


def test_columns_that_are_not_named_by_text():
    tables = three()
    tables["source"] = tables["source"].rename(columns={"age": 3})
    assert "1 of 7 columns are not named by text (first: column 1)" in problems_of(tables)["source"]


def test_a_row_number_that_was_written_with_the_table():
    tables = {role: table.assign(**{"Unnamed: 0": np.arange(300)}) for role, table in three().items()}
    assert "index=False" in problems_of(tables)["features.Unnamed: 0"]


def test_an_empty_role():
    tables = three()
    tables["synthetic"] = tables["synthetic"].head(0)
    assert problems_of(tables)["synthetic"].startswith("has 6 columns and 0 rows")
    assert "has no column" in problems_of({**three(), "synthetic": pd.DataFrame()})["synthetic"]


def test_fewer_rows_than_evidence_needs():
    tables = three()
    tables["holdout"] = tables["holdout"].head(60)
    found = problems_of(tables, minimum_cell=MinimumCell())
    assert found["holdout"] == (
        "has 60 rows, fewer than the 100 that evidence needs. "
        "Give more rows, or lower minimum_cell.rows (to no less than 20) and accept what a small table can tell."
    )
    tables["holdout"] = tables["holdout"].head(18)
    assert problems_of(tables, minimum_cell=MinimumCell(0, 0))["holdout"].endswith(
        "than the 20 that evidence needs. Give more rows."
    )


def test_fewer_events_than_evidence_needs():
    tables = changed("holdout", y=(np.arange(300) < 12).astype(int))
    found = problems_of(tables, minimum_cell=MinimumCell())
    assert "has 12 rows of the rarer class, fewer than the 20 that evidence needs" in found["holdout.y"]


def test_fewer_subjects_than_an_interval_needs():
    found = problems_of(changed("holdout", person=10**6 + np.arange(300) // 60))
    assert "has rows of 5 subjects, fewer than the 20 that an interval needs" in found["holdout"]


def test_a_null_subject():
    tables = changed("source", person=column([None, *range(99)]).astype(float))
    assert "the subject is null in 3 of 300 rows (first: row 0)" in problems_of(tables)["source.person"]


def test_times_with_and_without_a_zone_do_not_mix():
    tables = three()
    tables["source"]["seen"] = tables["source"]["seen"].dt.tz_localize("Europe/Berlin")
    assert "time zones mix: source have one, synthetic and holdout have none" in problems_of(tables)["synthetic.seen"]


def test_two_zones_are_the_same_instants():
    tables = three()
    for role, zone in (("source", "Europe/Berlin"), ("synthetic", "UTC"), ("holdout", "Asia/Tokyo")):
        tables[role]["seen"] = tables[role]["seen"].dt.tz_localize("UTC").dt.tz_convert(zone)
    study = a_study(tables)
    assert study.frame("source")["seen"].tolist() == a_study().frame("source")["seen"].tolist()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, "a", 2], "mixes types in one column: 200 int, 100 str (first str at row 1)"),
        ([True, 1.5], "mixes types in one column: 150 bool, 150 float"),
        ([b"x", "x"], "mixes types in one column: 150 bytes, 150 str"),
        ([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], "mixes 300 times with and without a time zone"),
        ([b"x"], "holds binary, which is neither number, text, boolean nor date"),
        ([dt.time(1, 2)], "holds time64[us], which is neither"),
        ([dt.timedelta(1)], "holds duration[us], which is neither"),
        ([{"a": 1}], "holds struct<a: int64>, which is neither"),
        ([2**70], "whole numbers must fit in 64 bits"),
        ([object()], "Python objects of type object, which cannot be stored"),
    ],
)
def test_columns_of_no_usable_type(values, told):
    stored = pd.Series(values * (300 // len(values)), dtype=object)
    assert told in problems_of(changed("holdout", seen=stored))["holdout.seen"]


def test_nested_columns_and_other_pandas_types():
    tables = three()
    tables["source"]["bmi"] = [[1]] * 300
    tables["source"]["seen"] = pd.period_range("2020", periods=300, freq="D")
    found = problems_of(tables)
    assert "dtype period[D], which has no Arrow form" in found["source.seen"]
    arrow = pa.table({"y": [0, 1] * 30, "x": [[1]] * 60})
    with pytest.raises(StudyError, match=r"synthetic\.x: holds list<"):
        Study(schema(), synthetic=arrow)


@pytest.mark.parametrize(
    ("settings", "where", "told"),
    [
        ({"sensitive": ["person2"]}, "source.person2", "has 150 groups, more than maximum_groups = 30"),
        ({"sensitive": ["seen"]}, "schema.sensitive", "'seen' is a date, which has no groups"),
        ({"bins": {"sex": [0, 1]}}, "schema.bins.sex", "the column is categorical, and only numbers have bins"),
        ({"sensitive": ["mostly"]}, "schema.bins.mostly", "the column needs bins: most of its rows have one value"),
    ],
)
def test_sensitive_columns_that_make_no_groups(settings, where, told):
    mostly = np.where(np.arange(300) < 290, 0.0, np.arange(300) / 7)
    tables = {role: t.assign(person2=[f"p{i // 2}" for i in range(300)], mostly=mostly) for role, t in three().items()}
    assert told in problems_of(tables, **settings)[where]


def test_an_intersection_with_too_many_groups():
    tables = {
        role: table.assign(a=column([f"a{i}" for i in range(20)]), b=column([f"b{i}" for i in range(19)]))
        for role, table in three().items()
    }
    found = problems_of(tables, sensitive=["a", "b"], intersections=[["a", "b"]], maximum_groups=20)
    assert "the intersection of a, b has 300 groups, more than ten times maximum_groups = 20" in found["source"]


def test_a_table_that_is_no_table():
    found = problems_of({**three(), "synthetic": 3, "holdout": {"y": [1]}})
    assert "is a builtins.int, which is no table" in found["synthetic"]
    assert "is a builtins.dict, which is no table" in found["holdout"]


def test_no_table_at_all_and_no_schema():
    assert "has no table" in problems_of({})["study"]
    with pytest.raises(StudyError, match="schema: is a dict"):
        Study({"target": "y"}, synthetic=visits())


def test_a_generation_record_that_cannot_be_read_is_one_of_the_problems():
    found = problems_of({**changed("source", y=1), "generation": {"id": 3}})
    assert set(found) == {"generation.id", "source.y"}


def test_everything_is_found_at_once():
    tables = changed("source", bmi=np.inf, y=1)
    tables["synthetic"] = tables["synthetic"].assign(age=column(["1"]), smoker=column([3, 4]).astype(int)).drop(columns="seen")
    tables["holdout"] = pd.concat([tables["holdout"], tables["source"].head(4)]).assign(sex=None)
    found = problems_of(tables, sensitive=["sexx"])
    assert set(found) >= {"source.bmi", "source.y", "synthetic.age", "synthetic.smoker", "synthetic.seen", "holdout.person",
                          "holdout.sex", "schema.sensitive"}  # fmt: skip


def test_no_message_repeats_a_value():
    canary, number = "Canary-Zebulon", 98765.4321
    tables = three()
    for role, table in tables.items():
        table["sex"] = table["sex"].where(np.arange(300) > 3, canary)
        table["bmi"] = table["bmi"].where(np.arange(300) > 3, number)
        table["mixed"] = column([canary, 98765])
        tables[role] = table
    with pytest.raises(StudyError) as caught:
        Study(Schema(target="sex", task="binary", kinds={"bmi": "boolean"}), **tables)
    assert canary not in str(caught.value)
    assert "98765" not in str(caught.value)
