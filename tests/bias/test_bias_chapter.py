"""The chapter tells what was planted in words, draws every shown group once, and names no group that is withheld."""

from __future__ import annotations

import re

import pytest
from bias.worlds import measured, models_of, people, study_of

from synthml.evidence import Dossier
from synthml.report.bias import bias_chapter, bias_findings
from synthml.report.html import report_html
from synthml.report.reading import Reading


def reading_of(study, models) -> Reading:
    return Reading(Dossier({}, study=study.summary()).adding(measured(study, models)))


def three(n: int = 4000, **synthetic: object) -> dict:
    roles = ("source", "synthetic", "holdout")
    return {role: people(n, seed + 60, **(synthetic if role == "synthetic" else {})) for seed, role in enumerate(roles)}


def test_tables_left_alone_read_as_unchanged():
    study = study_of(three())
    words = {finding.title: finding.word for finding in bias_findings(reading_of(study, models_of(study)))}
    assert words["How many of each group"] == "Kept"
    assert words["What synthesis added"] == "Unchanged"


def test_a_planted_change_is_told_with_the_group_and_its_size():
    study = study_of(three(flipped=0.3, west=0.15))
    found = {finding.title: finding for finding in bias_findings(reading_of(study, models_of(study)))}
    assert "site: west makes up 15" in found["How many of each group"].text.replace("14.", "15.")
    assert found["How many of each group"].tone == "problem"
    assert re.search(r"site: west by \+0\.\d{3} \(", found["What synthesis added"].text)


def test_a_lost_group_leads_the_chapter():
    tables = three()
    tables["synthetic"] = tables["synthetic"][tables["synthetic"]["site"] != "west"]
    study = study_of(tables)
    first = bias_findings(reading_of(study, models_of(study)))[0]
    assert (first.word, "no row at all of site: west" in first.text) == ("Lost", True)


def test_every_shown_group_has_a_panel_and_the_page_holds_its_figures():
    study = study_of(three(), sensitive=["site", "sex"])
    reading = reading_of(study, models_of(study))
    chapter = bias_chapter(reading)
    assert [len(chain.panels) for chain in chapter.chains] == [3, 2]
    assert all({mark.kind for mark in panel.marks} == {"source", "synthetic", "model", "real_model"}
               for chain in chapter.chains for panel in chain.panels)  # fmt: skip
    page = report_html(reading.dossier)
    assert page.count('class="panel"') == 5
    assert chapter.chains[0].panels[2].description.replace("'", "&#39;") in page


def test_labels_are_escaped():
    tables = three(n=1500)
    for table in tables.values():
        table["site"] = table["site"].replace("west", "<b>w&st</b>")
    page = report_html(Dossier({}).adding(measured(study_of(tables))))
    assert "<b>w&st" not in page
    assert "&lt;b&gt;w&amp;st" in page


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_and_a_missing_model_make_a_chapter_too(task: str):
    tables = {role: people(1500, seed, task=task) for seed, role in enumerate(("source", "synthetic", "holdout"))}
    study = study_of(tables, task=task)
    for models in (models_of(study), {}):
        assert bias_chapter(reading_of(study, models)) is not None


def test_without_figures_there_is_no_chapter():
    assert bias_chapter(Reading(Dossier({}))) is None
