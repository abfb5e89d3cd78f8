"""The chapter on fidelity: what it says in plain words, its sheets and heat maps, and that nothing of a table breaks it."""

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from report.report_dossiers import HOSTILE

import synthml
from synthml.evidence import Dossier, Evidence
from synthml.fidelity.measure import measure_distributions
from synthml.report.fidelity import fidelity_chapter
from synthml.report.html import report_html
from synthml.report.reading import Reading


def people(rows, seed, names=None):
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 15, rows).round()
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], rows),
            "age": age,
            "pressure": (100 + 0.6 * age + rng.normal(0, 8, rows)).round(),
            "ward": rng.choice(["north", "south", "west"], rows),
            "ill": (rng.random(rows) < 0.4).astype(int),
        }
    )
    return frame.rename(columns=names or {})


def dossier(source, synthetic, **schema):
    given = {"target": "ill", "positive": 1, "sensitive": ["sex"], **schema}
    study = synthml.Study(schema=synthml.Schema(**given), source=source, synthetic=synthetic)
    return Dossier({}, study=study.summary()).adding(measure_distributions(study, seed=1, confidence=0.95))


@pytest.fixture(scope="module")
def shuffled():
    source = people(1200, 1)
    rng = np.random.default_rng(0)
    return dossier(source, pd.DataFrame({name: source[name].to_numpy()[rng.permutation(1200)] for name in source}))


def test_nothing_measured_gives_no_chapter():
    assert fidelity_chapter(Reading(Dossier({}))) is None


def test_shuffled_columns_are_told_in_plain_words(shuffled):
    chapter = fidelity_chapter(Reading(shuffled))
    assert chapter.lead == "Single columns hold on the whole; how columns go together departs from the source."
    by_title = {finding.title: finding for finding in chapter.findings}
    assert by_title["Single columns"].tone == "answered"
    assert by_title["Pairs of columns"].tone == "problem"
    assert "age with pressure" in by_title["Pairs of columns"].text
    assert by_title["Within groups"].tone == "problem"


def test_a_fresh_sample_is_told_as_one():
    chapter = fidelity_chapter(Reading(dossier(people(1200, 1), people(1200, 2))))
    assert "as like its source as a second sample" in chapter.lead
    assert not [finding for finding in chapter.findings if finding.tone == "problem"]


def test_sheets_and_heat_maps(shuffled):
    chapter = fidelity_chapter(Reading(shuffled))
    assert chapter.columns.count == 5
    lanes = [row[1].whiskers for section in chapter.columns.sections for row in section.rows]
    assert all([mark.kind for mark in lane] == ["tstr", "trivial"] for lane in lanes)
    assert [panel.title for panel in chapter.heat.panels] == ["Source", "Synthetic", "Difference"]
    gap = next(square for square in chapter.heat.panels[2].squares if square.title.startswith("age × pressure"))
    assert gap.marked
    assert chapter.groups.count == 2


def test_classifiers_and_rules_are_shown_where_they_were_measured(shuffled):
    apart = {"measure": "discriminator_auroc", "of": "all", "column": "", "group": "", "value": 0.8, "low": 0.78, "high": 0.82,
             "floor": 0.5, "floor_low": 0.48, "floor_high": 0.52, "n": 900, "status": "ok", "reason": None}  # fmt: skip
    rule = {"rule": "age >= 18", "of": "r", "kind": "user", "source_share": 0.0, "holdout_share": None, "synthetic_share": 0.05,
            "low": 0.04, "high": 0.06, "n": 1200, "broken": 60, "status": "ok", "reason": None}  # fmt: skip
    figures = {
        "fidelity.discriminator_auroc.synthetic/all": synthml.Estimate(0.8, 0.78, 0.82, 900),
        "fidelity.rule_violations.synthetic/all": synthml.Estimate(0.05, 0.04, 0.06, 1200),
    }
    more = Evidence("fidelity", figures, {"fidelity_classifiers": (apart,), "fidelity_rules": (rule,)})
    text = report_html(shuffled.adding(more))
    chapter = fidelity_chapter(Reading(shuffled.adding(more)))
    assert {"Told apart by a classifier", "Rules between columns"} <= {finding.title for finding in chapter.findings}
    assert "60 of 1,200" in text
    assert "0.80 (0.78 to 0.82)" in text


def test_names_of_columns_are_escaped():
    hostile = [text for text in HOSTILE if len(text) < 200 and "\x00" not in text][:3]
    names = dict(zip(("age", "pressure", "ward"), hostile, strict=True))
    text = report_html(dossier(people(600, 1, names), people(600, 2, names)))
    for name in hostile:
        if "<" in name:
            assert name not in text
    assert str(escape(hostile[0])) in text


def test_the_chapter_of_many_columns_stays_small():
    rng = np.random.default_rng(0)
    wide = [pd.concat([people(300, s), pd.DataFrame(rng.normal(size=(300, 16)), columns=[f"x{i}" for i in range(16)])], axis=1)
            for s in (1, 2)]  # fmt: skip
    made = dossier(*wide)
    chapter = fidelity_chapter(Reading(made))
    assert len(chapter.heat.names) == 18
    assert len(report_html(made).encode()) < 1_000_000
