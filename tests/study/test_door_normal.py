"""What comes through the door: four forms of a column, codes of targets and subjects, and notes on every choice made."""

import datetime as dt
import decimal
import json
import pickle

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from study.clinic import SMALL, a_study, schema, three, visits

from synthml.errors import InputError
from synthml.evidence import canonical_json
from synthml.study import Schema, Study


def test_each_kind_has_one_form():
    study = a_study()
    frame = study.frame("source")
    assert frame.dtypes.astype(str).to_dict() == {
        "person": "float64",
        "age": "float64",
        "sex": "object",
        "bmi": "float64",
        "smoker": "float64",
        "seen": "datetime64[us]",
        "y": "float64",
    }
    assert frame.columns.dtype == object
    assert set(frame["smoker"]) == {0.0, 1.0}
    assert study.schema.kinds == {
        "person": "numeric", "age": "numeric", "sex": "categorical", "bmi": "numeric", "smoker": "boolean", "seen": "datetime",
        "y": "numeric",
    }  # fmt: skip


def test_features_are_every_column_but_target_and_subject_in_table_order():
    study = a_study(sensitive=["sex"])
    assert study.schema.features == ("age", "sex", "bmi", "smoker", "seen")
    assert list(study.features("synthetic")) == ["age", "sex", "bmi", "smoker", "seen"]
    assert list(a_study(features=["bmi", "age"]).features("holdout")) == ["bmi", "age"]


def forms_of(table: pd.DataFrame, folder):
    """One table in every form that may be given."""
    table.to_parquet(folder / "t.parquet")
    table.to_feather(folder / "t.feather")
    table.to_csv(folder / "t.csv", index=False)
    table.to_csv(folder / "t.csv.gz", index=False)
    pl.from_pandas(table).write_ipc(folder / "t.arrow", compat_level=pl.CompatLevel.oldest())
    arrow = pa.Table.from_pandas(table)
    held = duckdb.connect()
    held.register("visits", arrow)
    return {
        "pandas": table,
        "shuffled index": table.set_index(np.arange(len(table))[::-1]),
        "pandas with pyarrow dtypes": table.convert_dtypes(dtype_backend="pyarrow"),
        "pandas with nullable dtypes": table.convert_dtypes(),
        "pandas with categories": table.astype({"sex": "category"}),
        "polars": pl.from_pandas(table),
        "polars lazy": pl.from_pandas(table).lazy(),
        "arrow": arrow,
        "arrow in chunks": pa.concat_tables([arrow.slice(0, 7), arrow.slice(7)]),
        "duckdb": held.sql("select * from visits"),
        "parquet": folder / "t.parquet",
        "parquet as text path": str(folder / "t.parquet"),
        "feather": folder / "t.feather",
        "arrow file": folder / "t.arrow",
        "csv": folder / "t.csv",
        "csv.gz": folder / "t.csv.gz",
    }


def test_every_way_in_gives_the_same_frame_and_the_same_digest(tmp_path):
    table = visits(60)
    forms = forms_of(table, tmp_path)
    studies = {name: Study(schema(), synthetic=form) for name, form in forms.items()}
    expected = studies["pandas"]
    for name, study in studies.items():
        pd.testing.assert_frame_equal(study.frame("synthetic"), expected.frame("synthetic"), obj=name)
        assert study.tables["synthetic"].digest == expected.tables["synthetic"].digest, name
        assert np.array_equal(study.target("synthetic"), expected.target("synthetic"))


def test_nulls_have_one_form_in_each_kind():
    n = 40
    table = visits(n)
    table["text"] = pd.array(["a", None] * (n // 2), dtype="string")
    table["flag"] = pd.array([True, None] * (n // 2), dtype="boolean")
    table["whole"] = pd.array([7, None] * (n // 2), dtype="Int64")
    table["coded"] = pd.Categorical([1, None] * (n // 2))
    table["when"] = pd.array([dt.date(2024, 1, 2), None] * (n // 2), dtype="object")
    table["money"] = [decimal.Decimal("1.10"), None] * (n // 2)
    frame = Study(schema(), synthetic=table).frame("synthetic")
    assert frame["text"].tolist()[:1] == ["a"]
    assert isinstance(frame["text"].iloc[1], float)
    assert frame["flag"].tolist()[0] == 1.0
    assert frame["whole"].tolist()[0] == 7.0
    assert frame["coded"].tolist()[0] == "1"
    assert frame["when"].iloc[0] == pd.Timestamp("2024-01-02")
    assert frame["money"].tolist()[0] == 1.1
    for name in ("text", "flag", "whole", "coded", "when", "money"):
        assert frame[name].isna().tolist()[:2] == [False, True], name


def test_a_frame_is_no_view_into_the_memory_of_whoever_gave_the_table():
    table = visits(60)
    study = Study(schema(), synthetic=table)
    before = study.frame("synthetic")["age"].tolist()
    table.loc[0, "age"] = 5
    table["bmi"].to_numpy(copy=False)
    assert study.frame("synthetic")["age"].tolist() == before
    for column in ("age", "bmi"):
        assert not np.shares_memory(study.frame("synthetic")[column].to_numpy(), table[column].to_numpy())


def test_a_declared_kind_wins_over_the_stored_type():
    table = visits(60).assign(zip=10115, code=["1", "2"] * 30, flag=["yes", "no"] * 30, day="2024-02-03T04:05:06+01:00")
    kinds = {"zip": "categorical", "code": "numeric", "flag": "boolean", "day": "datetime"}
    frame = Study(schema(kinds=kinds), synthetic=table).frame("synthetic")
    assert frame["zip"].iloc[0] == "10115"
    assert frame["code"].iloc[1] == 2.0
    assert frame["flag"].tolist()[:2] == [1.0, 0.0]
    assert frame["day"].iloc[0] == pd.Timestamp("2024-02-03 03:05:06")


def test_zero_and_one_beside_true_and_false_is_a_boolean_column():
    tables = three()
    tables["synthetic"]["smoker"] = tables["synthetic"]["smoker"].astype(int)
    study = a_study(tables)
    assert study.schema.kinds["smoker"] == "boolean"
    assert set(study.frame("synthetic")["smoker"]) == {0.0, 1.0}


def test_pandas_categories_of_numbers_and_plain_numbers_are_the_same_labels():
    tables = three()
    tables["source"]["age"] = tables["source"]["age"].astype("category")
    study = a_study(tables)
    assert study.schema.kinds["age"] == "categorical"
    assert set(study.frame("holdout")["age"]) <= {str(age) for age in range(95)}


@pytest.mark.parametrize(
    ("labels", "positive", "classes", "note"),
    [
        ([0, 1], None, (0, 1), "positive class: 1, the larger number"),
        ([1.0, 2.0], None, (1, 2), "positive class: 2, the larger number"),
        ([False, True], None, (False, True), "positive class: True, True"),
        (["no", "yes"], None, ("no", "yes"), "positive class: yes, the label that says yes"),
        (["positive", "negative"], None, ("negative", "positive"), "positive class: positive, the label that says yes"),
        (["died", "survived"], None, ("survived", "died"), "positive class: died, the label that says yes"),
        (["<=50K", ">50K"], None, ("<=50K", ">50K"), "positive class: >50K, the label that sorts last"),
        ([0, 1], 0, (1, 0), None),
        (["no", "yes"], "no", ("yes", "no"), None),
        (["no", "yes"], True, ("no", "yes"), None),
        ([False, True], 1, (False, True), None),
        (["0", "1"], 1, ("0", "1"), None),
    ],
)
def test_the_positive_class_is_chosen_by_its_label_and_noted(labels, positive, classes, note):
    table = visits(60).assign(y=labels * 30)
    study = Study(schema(positive=positive), synthetic=table)
    assert study.classes == classes
    assert [type(value) for value in study.classes] == [type(value) for value in classes]
    assert study.schema.positive == classes[1]
    assert study.target("synthetic").dtype == np.int64
    assert study.target("synthetic")[:2].tolist() == [int(labels[0] == classes[1]), int(labels[1] == classes[1])]
    told = [n for n in study.notes if n.startswith("positive")]
    assert told == [] if note is None else told[0].startswith(note)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([1, 2, 3], "multiclass"),
        (list(range(11)), "regression"),
        ([0.5, 1, 2], "regression"),
    ],
)
def test_the_task_is_told_from_the_target_and_noted(values, task):
    table = visits(110).assign(y=np.resize(np.array(values, dtype=object), 110)).infer_objects()
    study = Study(schema(), synthetic=table)
    assert study.schema.task == task
    assert any(note.startswith(f"task: {task}") for note in study.notes)
    expected = {"regression": np.float64}.get(task, np.int64)
    assert study.target("synthetic").dtype == expected


def test_multiclass_codes_follow_the_classes_as_they_sort():
    study = Study(schema(), synthetic=visits(60).assign(y=["b", "a", "c"] * 20))
    assert study.classes == ("a", "b", "c")
    assert study.target("synthetic")[:3].tolist() == [1, 0, 2]
    assert study.schema.positive is None


def test_rows_of_production_may_wait_for_their_outcome():
    production = visits(60, seed=4).astype({"y": "float"})
    production.loc[3, "y"] = np.nan
    study = a_study({**three(), "production": production})
    assert study.target("production")[3] == -1
    study = a_study({**three(), "production": production.drop(columns="y")})
    with pytest.raises(InputError, match="the production table has no target column 'y'"):
        study.target("production")


def test_subjects_are_comparable_between_real_tables_and_stand_apart_in_the_synthetic_one():
    tables = three()
    tables["production"] = tables["source"].head(40)
    tables["synthetic"]["person"] = np.arange(300) // 3
    study = a_study(tables)
    source, holdout, synthetic = (study.subjects(role) for role in ("source", "holdout", "synthetic"))
    assert source.dtype == np.int64
    assert not set(source) & set(holdout)
    assert not set(synthetic) & (set(source) | set(holdout))
    assert study.subjects("production").tolist() == source[:40].tolist()
    assert study.tables["source"].subjects == 150
    assert study.tables["synthetic"].subjects == 100
    assert any("100 of 100 ids stand in a real table too" in note for note in study.notes)


def test_synthetic_ids_may_have_any_form_and_may_be_null():
    tables = three()
    tables["synthetic"]["person"] = ["p1", None] * 150
    study = a_study(tables)
    assert study.subjects("synthetic") is None
    assert "person" not in study.frame("synthetic")


def test_large_whole_numbers_are_told_apart_as_subjects():
    table = visits(60)
    table["person"] = 2**60 + np.arange(60)
    assert Study(schema(), source=table).tables["source"].subjects == 60


def test_without_a_subject_column_there_are_no_subjects():
    study = Study(Schema(target="y", minimum_cell=SMALL), source=visits(60).drop(columns="person"))
    assert study.subjects("source") is None
    assert study.dataset_facts()["source"]["subjects"] is None


def test_missing_roles_are_noted_and_asking_for_them_is_an_error():
    study = Study(schema(), synthetic=visits(60).drop(columns="person"))
    assert study.roles == ("synthetic",)
    assert [note.split(":")[0] for note in study.notes if note.startswith("no ")] == ["no source", "no holdout"]
    with pytest.raises(InputError, match="the study has no holdout table; it has synthetic"):
        study.frame("holdout")


def test_the_digest_is_of_the_whole_table_and_keyed_when_asked():
    tables = three()
    plain, keyed = a_study(tables), Study(schema(), **tables, digest_key=b"secret")
    narrow = a_study(tables, features=["age"])
    assert plain.tables["source"].digest == narrow.tables["source"].digest
    assert plain.tables["source"].digest.startswith("sha256:")
    assert keyed.tables["source"].digest.startswith("hmac-sha256:")
    assert plain.dataset_facts()["source"] == {
        "digest": plain.tables["source"].digest, "rows": 300, "columns": 7, "subjects": 150,
    }  # fmt: skip


def test_the_summary_is_plain_json_and_tells_what_was_used():
    study = a_study(sensitive=["sex", "age", "bmi"], intersections=[["sex", "age"]])
    summary = study.summary()
    canonical_json(summary)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["positive"] == 1
    assert summary["classes"] == [0, 1]
    assert summary["bins"]["age"] == [0, 18, 40, 65, 120]
    assert summary["bins"]["bmi"][0] is None
    assert summary["contamination"] == {"subjects": 0, "rows": 0, "distinct_rows": 0, "distinct_rows_by_chance": 0.0}
    assert summary["notes"] == list(study.notes)


def test_a_class_label_that_few_rows_carry_is_not_told():
    tables = three()
    for table in tables.values():
        table["y"] = np.where(np.arange(300) < 5, "a rare finding", np.where(np.arange(300) % 2, "x", "z"))
    assert "a rare finding" not in json.dumps(a_study(tables, minimum_cell={"rows": 20, "events": 20}).summary())
    assert "a rare finding" in json.dumps(a_study(tables).summary())


def test_a_study_can_be_pickled():
    study = a_study(sensitive=["sex"])
    assert pickle.loads(pickle.dumps(study)).summary() == study.summary()


def test_a_generation_record_may_be_a_map():
    assert a_study({**three(), "generation": {"id": "x"}}).generation.to_dict() == {"id": "x"}


def test_a_feature_that_is_the_target_in_disguise_is_noted():
    tables = {
        role: table.assign(outcome=table["y"], near=table["y"].where(np.arange(300) > 0, 0.5)) for role, table in three().items()
    }
    notes = a_study(tables).notes
    assert "features: 'outcome' equals the target in every row; a model that sees it proves nothing." in notes
    assert not any("'near'" in note for note in notes)


def test_names_and_free_text_among_the_features_are_noted():
    tables = {role: table.assign(note=[f"text {i}" for i in range(300)]) for role, table in three().items()}
    assert any(note.startswith("source.note: 300 distinct texts in 300 rows") for note in a_study(tables).notes)
