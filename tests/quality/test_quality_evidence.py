"""The kind as a whole: any roles, any task, reruns, nothing of a row in the evidence, rows for the holder alone."""

import json
import os
import stat

import numpy as np
import pytest
import yaml
from quality.wards import ward_patients, ward_study

import synthml
from synthml.figures import FigureId
from synthml.policy.vocabulary import RANGES
from synthml.quality import Suspects, measure_quality
from synthml.report.quality import clearly_above, quality_chapter
from synthml.report.questions import answers
from synthml.report.reading import Reading

SOURCE, SYNTHETIC, HOLDOUT = ward_patients(700, 21), ward_patients(700, 22), ward_patients(700, 23)
SETTINGS = synthml.MeasureSettings()


def quality(study, seed=1, **more):
    return measure_quality(study, seed=seed, settings=SETTINGS, **more)


@pytest.mark.parametrize("roles", [("source",), ("synthetic",), ("holdout",), ("synthetic", "holdout"), ("source", "synthetic")])
def test_any_subset_of_the_tables_can_be_looked_over(roles):
    tables = {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT}
    found = quality(ward_study(**{role: tables[role] for role in roles}))
    for role in roles:
        assert found.figures[f"quality.duplicates.{role}/all"].value == 0
    assert ("quality.label_noise.source/all" in found.figures) == ("source" in roles)


@pytest.mark.parametrize("subject", ["person", None])
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_with_and_without_subjects(task, subject):
    def told(table):
        out = table.assign(ill=np.digitize(table["x0"] + table["x1"], [-0.7, 0.7]))
        out = out if task == "multiclass" else out.assign(ill=table["x0"] * 2 + table["x2"])
        return out if subject else out.drop(columns="person")

    study = ward_study(told(SOURCE), synthetic=told(SYNTHETIC), holdout=told(HOLDOUT), task=task, subject=subject)
    found = quality(study)
    assert found.figures["quality.label_disagreement.excess/all"].ok
    assert quality_chapter(Reading(synthml.measure(study, kinds=["quality"]))) is not None


def test_every_figure_has_a_name_that_a_policy_may_ask_for_and_lies_in_its_range():
    table = SOURCE.assign(x1=SOURCE["x1"].where(SOURCE["x0"] > -1))
    for name, figure in quality(ward_study(table, synthetic=SYNTHETIC, holdout=HOLDOUT)).figures.items():
        low, high = RANGES[FigureId.parse(name).name]
        for number in (figure.value, figure.low, figure.high):
            assert number is None or low <= number <= high, name


def test_equal_seeds_give_equal_evidence():
    study = ward_study(SOURCE, synthetic=SYNTHETIC, holdout=HOLDOUT)
    assert quality(study) == quality(study)


def test_neither_a_rare_value_nor_a_position_stands_in_the_evidence():
    canary = "Zanzibar-canary"
    tables = {}
    for role, table in (("source", SOURCE), ("synthetic", SYNTHETIC), ("holdout", HOLDOUT)):
        place = np.where(np.arange(700) < 4, canary, np.where(np.arange(700) % 2, "a", "b"))
        tables[role] = table.assign(place=place, x0=np.where(np.arange(700) == 7, 987654.321, table["x0"]))
    study = ward_study(**tables, sensitive=["ward", "place"], intersections=[["ward", "place"]])
    dossier = synthml.measure(study, kinds=["quality"])
    document = dossier.to_json().decode()
    assert canary not in document
    assert "Zanzibar" not in document
    assert "987654" not in document
    assert canary not in synthml.report_html(dossier)


def test_labels_are_not_held_against_a_feature_that_gives_them_away():
    table = SOURCE.assign(paid=SOURCE["ill"] * 2.0)
    found = quality(ward_study(table))
    assert any("'paid'" in note for note in found.notes)
    assert found.figures["quality.leakage.source/paid"].value == pytest.approx(1)


def test_suspects_are_told_once_as_positions():
    table = SOURCE.copy()
    table.iloc[600:605, :5] = table.iloc[10:15, :5].to_numpy()
    table.iloc[600:605, 5] = table.iloc[10:15, 5].to_numpy()
    told: list[Suspects] = []
    quality(ward_study(table.infer_objects()), suspects=told.append)
    assert len(told) == 1
    assert told[0].found["source", "duplicate"] == (600, 601, 602, 603, 604)
    assert len(told[0]) >= 5


def test_the_chapter_names_the_worst_group_and_the_reviewer_reads_it_in_words():
    study = ward_study(
        ward_patients(3000, 31, flip=0.15),
        synthetic=ward_patients(3000, 32, flip=0.2, ward="west"),
        holdout=ward_patients(3000, 33),
    )
    reading = Reading(synthml.measure(study, kinds=["quality"]))
    found = {f.word: f for f in quality_chapter(reading).found}
    assert "ward: west" in found["Implausible labels"].text
    assert "ward: north" in found["Doubtful labels"].text
    answer = answers(reading, None)[5]
    assert answer.status == "problem"
    assert "ward: west" in answer.text


def test_the_chapter_says_when_nothing_was_found_and_when_nothing_was_measured():
    quiet = Reading(synthml.measure(ward_study(SOURCE, synthetic=SYNTHETIC, holdout=HOLDOUT), kinds=["quality"]))
    chapter = quality_chapter(quiet)
    assert "Labels plausible" in {f.word for f in chapter.found}
    assert answers(quiet, None)[5].status == "answered"
    nothing = Reading(synthml.Dossier(figures={}))
    assert quality_chapter(nothing) is None
    assert answers(nothing, None)[5].status == "open"


def test_the_worst_of_many_must_lie_further_above_zero():
    figure = synthml.Estimate(0.05, 0.01, 0.09)  # 2.45 standard errors above zero
    assert clearly_above(figure, 1, 0.95)
    assert not clearly_above(figure, 20, 0.95)


STUDY = {
    "schema": {
        "target": "ill",
        "positive": 1,
        "sensitive": ["ward"],
        "subject": "person",
        "minimum_cell": {"rows": 50, "events": 10},
    },
    "tables": {"source": "source.parquet"},
}


def command(*words):
    from synthml_tracking.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["measure", "study.yaml", "--output", "out", "--json", *words])
    return stop.value.code


def test_the_command_writes_suspects_for_their_owner_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = SOURCE.drop(columns="turned")
    table.loc[650] = table.loc[3]
    table.loc[650, "person"] = 999
    table.astype({"ill": int, "person": int}).to_parquet("source.parquet")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    assert command("--kind", "utility", "--suspects", "rows.csv") == 2
    assert command("--kind", "quality", "--suspects", "out/rows.csv") == 2
    assert command("--kind", "quality", "--suspects", "nowhere/rows.csv") == 2
    assert command("--kind", "quality", "--suspects", "rows.csv") == 0
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0] == "role,position,finding"
    assert "source,650,duplicate" in lines
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "rows.csv").stat().st_mode) == 0o600
    assert "650" not in json.dumps(json.loads((tmp_path / "out" / "evidence.json").read_text())["tables"])
