"""The holdout is disjoint from what generator and model saw: by digest, by subject, and by rows beyond what chance explains."""

import numpy as np
import pandas as pd
import pytest
from study.clinic import SMALL, a_study, problems_of, three, visits

from synthml.datasets import rand_hie
from synthml.errors import StudyError
from synthml.study import Schema, Study, split_by_subject
from synthml.study.contamination import row_codes


def without_subject(source, holdout, **tables):
    return Study(Schema(target="y", minimum_cell=SMALL), source=source, holdout=holdout, **tables)


def coarse(rows, seed, people=1):
    """A table of few distinct values, where identical rows are natural; `people` rows a person, who differ from each other."""
    rng = np.random.default_rng(seed)
    kinds = {"a": 3, "b": 2, "c": 4, "d": 5, "y": 2}
    person = np.arange(rows) // people
    return pd.DataFrame({"person": person, **{name: rng.integers(0, k, person[-1] + 1)[person] for name, k in kinds.items()}})


def test_subjects_in_both_tables_are_counted_with_their_rows():
    tables = three()
    tables["holdout"].loc[10:19, "person"] = tables["source"].loc[10:19, "person"].to_numpy()
    found = problems_of(tables)
    assert set(found) == {"holdout.person"}
    assert found["holdout.person"].startswith(
        "5 subjects stand in the source too, with 10 of 300 rows (first: row 10). Contamination: split by subject"
    )


def test_one_table_in_two_roles():
    tables = three()
    tables["holdout"] = tables["source"].assign(person=tables["source"]["person"] + 10**6)
    assert "300 of 300 rows (first: row 0) stand identically in the source" in problems_of(tables)["holdout"]
    same = visits(300).drop(columns="person")
    with pytest.raises(StudyError, match="holdout: is the same table as synthetic"):
        Study(Schema(target="y"), synthetic=same, holdout=same.copy())


def test_a_synthetic_table_that_is_the_source_is_noted_not_refused():
    source = visits(300).drop(columns="person")
    study = Study(Schema(target="y"), source=source, synthetic=source.copy())
    assert any(note.startswith("synthetic: is the same table as source") for note in study.notes)


def test_fifteen_copied_rows_are_enough_where_no_row_stands_twice_otherwise():
    source, holdout = (table.drop(columns="person") for table in (visits(700, seed=1), visits(300, seed=2)))
    copied = pd.concat([holdout, source.iloc[100:115]])
    with pytest.raises(StudyError) as caught:
        without_subject(source, copied)
    told = "15 of 315 rows (first: row 300) stand identically in the source; 15 distinct rows stand on both sides, where chance"
    assert told in str(caught.value)
    assert without_subject(source, pd.concat([holdout, source.iloc[100:103]])).contamination.rows == 3


def test_identical_rows_that_chance_explains_are_no_contamination():
    table = coarse(3000, seed=1)
    source, holdout = split_by_subject(table, subject="person", seed=3)
    study = a_study({"source": source, "holdout": holdout})
    assert study.contamination.rows > 800
    assert study.contamination.distinct == pytest.approx(study.contamination.by_chance, rel=0.05)


@pytest.mark.parametrize("people", [1, 4])
@pytest.mark.parametrize("rows", [60, 400])
def test_random_splits_raise_no_alarm(rows, people):
    """400 random splits of tables in which rows recur: at four standard deviations hardly one may be refused."""
    alarms = 0
    for seed in range(100):
        table = coarse(rows * people, seed, people)
        source, holdout = split_by_subject(table, subject="person", fraction=0.4, seed=seed)
        try:
            Study(Schema(target="y", subject="person", minimum_cell=SMALL), source=source, holdout=holdout)
        except StudyError as error:
            alarms += "stand identically" in str(error)
    assert alarms <= 1


def test_a_tenth_of_the_holdout_copied_is_found_even_where_rows_recur():
    table = coarse(3000, seed=5).assign(e=np.random.default_rng(0).integers(0, 40, 3000))
    source, holdout = split_by_subject(table, subject="person", seed=5)
    copied = source.sample(90, random_state=0).assign(person=np.arange(90) + 10**6)
    clean = a_study({"source": source, "holdout": holdout})
    assert clean.contamination.rows > 100
    assert (
        "stand identically in the source" in problems_of({"source": source, "holdout": pd.concat([holdout, copied])})["holdout"]
    )


def test_rows_of_one_person_are_no_twins_of_each_other():
    tables = three()
    tables["source"] = tables["source"].iloc[np.repeat(np.arange(0, 300, 2), 2)]
    assert a_study(tables).contamination.rows == 0


def test_persons_that_nobody_named_are_noticed():
    """Split by person while the subject column is not named: rows of a person recur on one side only."""
    table = visits(600).drop(columns="seen").assign(bmi=0.0)
    table = table.iloc[np.repeat(np.arange(0, 600, 2), 4)]
    source, holdout = split_by_subject(table, subject="person", fraction=0.4, seed=0)
    study = without_subject(source.drop(columns="person"), holdout.drop(columns="person"))
    assert any("name the subject column, or intervals are too narrow" in note for note in study.notes)


def test_rows_that_generator_and_model_cannot_know():
    source, holdout = visits(700, seed=1), visits(300, seed=2, first_person=10**6)
    leaked = pd.concat([visits(300, seed=3), holdout.iloc[40:60]]).drop(columns="person")
    found = problems_of({"source": source, "synthetic": leaked, "holdout": holdout})
    assert found["holdout"].startswith(
        "20 of 300 rows (first: row 40) stand identically in the synthetic table; by the source's rate about 6 would. "
    )


def test_a_synthetic_table_that_copies_the_source_is_no_contamination_of_the_holdout():
    source, holdout = visits(700, seed=1), visits(300, seed=2, first_person=10**6)
    copies = source.sample(500, random_state=0).drop(columns="person")
    assert a_study({"source": source, "synthetic": copies, "holdout": holdout}).contamination.rows == 0


def test_the_answer_does_not_depend_on_index_or_column_order():
    table = coarse(800, seed=2)
    source, holdout = split_by_subject(table, subject="person", seed=1)
    first = a_study({"source": source, "holdout": holdout}).contamination
    assert (
        a_study({"source": source[list(source)[::-1]], "holdout": holdout.reset_index(drop=True)}).contamination.rows
        == first.rows
    )


def test_rand_health_insurance_experiment_recurs_by_nature():
    source, holdout = split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=7)
    study = Study(Schema(target="high_use", subject="person"), source=source, holdout=holdout)
    assert study.contamination.subjects == 0
    assert study.contamination.rows > 4000
    assert study.contamination.distinct == pytest.approx(study.contamination.by_chance, rel=0.1)


def test_equal_rows_share_a_code_and_others_do_not():
    frame = pd.DataFrame({"a": [0.0, -0.0, np.nan, np.nan, 1.0], "b": pd.Series(["x", "x", np.nan, np.nan, "x"], dtype=object)})
    first, second = row_codes([frame, frame.iloc[::-1]], ["a", "b"])
    assert first[0] == first[1]
    assert first[2] == first[3]
    assert len(set(first)) == 3
    assert (first[::-1] == second).all()
    swapped = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    assert len(set(row_codes([swapped], ["a", "b"])[0])) == 2


def test_without_the_source_shared_rows_are_noted():
    holdout = visits(300, seed=2)
    synthetic = pd.concat([visits(300, seed=3), holdout.iloc[40:60]]).drop(columns="person")
    study = a_study({"synthetic": synthetic, "holdout": holdout})
    assert any(
        note.startswith("holdout: 20 of 300 rows (first: row 40) stand identically in the synthetic") for note in study.notes
    )
