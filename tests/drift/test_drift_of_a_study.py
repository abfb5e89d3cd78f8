"""Drift of a study: which tables are compared, what may be named, how the report and a policy read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from patients import patients

import synthml
from synthml.drift import measure_drift
from synthml.drift.measure import tellable_labels
from synthml.evidence import Dossier
from synthml.figures import FigureId
from synthml.policy.vocabulary import RANGES
from synthml.report.drift import drift_chapter
from synthml.report.html import environment
from synthml.report.questions import answers
from synthml.report.reading import Reading

if TYPE_CHECKING:
    import pandas as pd

CANARY = "Huntington chorea"


def study(rows: int = 600, **roles: pd.DataFrame) -> synthml.Study:
    """Patients with a ward that one of them shares with nobody, and a drifted marker in production."""
    frames = {
        "source": patients(rows, 1, per_subject=2),
        "synthetic": patients(rows, 2, per_subject=2),
        "holdout": patients(rows, 3, per_subject=2, first_subject=1_000_000),
    }
    production = patients(rows, 4, per_subject=2, first_subject=2_000_000)
    frames["production"] = production.assign(marker=production["marker"] + 1.5)
    frames = {**frames, **roles}
    for seed, frame in enumerate(frames.values()):
        frame["ward"] = np.random.default_rng([9, seed]).choice(["east", "west"], len(frame))
    frames["source"].loc[5, "ward"] = CANARY
    schema = synthml.Schema(
        target="ill", positive=1, sensitive=["sex", "site"], subject="person", minimum_cell=synthml.MinimumCell(50, 10)
    )
    return synthml.Study(schema=schema, **frames)


@pytest.fixture(scope="module")
def measured() -> tuple[synthml.Study, Dossier, dict[str, str]]:
    given = study()
    pages: dict[str, str] = {}
    dossier = synthml.measure(given, kinds=["drift"], seed=3, pages=lambda name, text: pages.update({name: text}))
    return given, dossier, pages


def test_three_comparisons_and_one_page(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, pages = measured
    assert dossier.kinds == ("drift",)
    pairs = {name.partition("/")[0].rpartition(".")[2] for name in dossier.figures}
    assert pairs == {"source_synthetic", "synthetic_holdout", "holdout_production"}
    assert list(pages) == ["drift.html"]
    for reference, current in (("source", "synthetic"), ("synthetic", "holdout"), ("holdout", "production")):
        assert f"{reference} → {current}</button>" in pages["drift.html"]
    assert len(pages["drift.html"]) < 50 * 2**20 / 6


def test_drift_is_found_where_it_was_made_and_nowhere_else(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, _ = measured
    found = {
        (row["comparison"], row["column"]) for row in dossier.tables["drift"] if row["low"] is not None and row["low"] >= 0.1
    }
    assert found == {("holdout_production", "marker")}


def test_the_subject_stays_out(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, pages = measured
    assert not any(name.endswith("/person") for name in dossier.figures)
    assert '"person"' not in pages["drift.html"].partition("<script>")[0]


def test_no_canary_stands_in_evidence_page_or_report(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, pages = measured
    for text in (dossier.to_json().decode(), pages["drift.html"], synthml.report_html(dossier)):
        assert CANARY not in text
    assert "east" in pages["drift.html"]


def test_every_figure_is_one_that_a_policy_may_ask_for(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, _ = measured
    for name, figure in dossier.figures.items():
        low, high = RANGES[FigureId.parse(name).name]
        for value in (figure.value, figure.low, figure.high):
            assert value is not None
            assert low <= value <= high


def test_groups_that_are_withheld_are_not_named() -> None:
    """A group below the minimum cell is no bar on the page, though more than ten people are in it."""
    frames = {role: patients(600, seed) for role, seed in (("source", 1), ("synthetic", 2), ("holdout", 3))}
    frames["holdout"]["person"] += 1_000_000
    frames["holdout"].loc[:19, "site"] = "island"
    given = study(**frames)
    told = tellable_labels(given)
    assert "island" not in told["site"]
    assert "north" in told["site"]
    assert told["ward"] == {"east", "west"}


def test_a_study_of_one_table_says_that_nothing_was_compared() -> None:
    alone = synthml.Study(schema=synthml.Schema(target="ill", positive=1, subject="person"), holdout=patients(400, 1))
    evidence = measure_drift(alone, seed=1, settings=synthml.MeasureSettings())
    assert evidence.figures == {}
    assert "needs two tables" in evidence.notes[0]


def test_the_chapter_says_how_many_columns_drift(measured: tuple[synthml.Study, Dossier, dict[str, str]]) -> None:
    _, dossier, _ = measured
    chapter = drift_chapter(Reading(dossier))
    assert chapter is not None
    drifted = sum(bool(row["drifted"]) for row in dossier.tables["drift"] if row["comparison"] == "holdout_production")
    assert f"{drifted} of 6 columns from holdout to production" in chapter.lead
    last = chapter.parts[-1]
    assert last.title == "Holdout to production"
    assert "The strongest is marker with a score of 1." in last.told
    assert "Beyond doubt it is for marker; the others may reach the threshold by chance." in last.told
    assert last.sheet is not None
    assert last.sheet.sections[0].rows[0][0].text == "marker"
    assert last.sheet.sections[0].rows[0][3].text == "yes"


def row(column: str, score: float | None, low: float = 0.0, reason: str | None = None) -> dict[str, object]:
    return {
        "comparison": "source_synthetic", "column": column, "kind": "numeric", "method": "Wasserstein distance (normed)",
        "score": score, "low": None if score is None else low, "high": None if score is None else score + 0.1, "threshold": 0.1,
        "drifted": None if score is None else score >= 0.1, "n_reference": 900, "n_current": 800, "missing_reference": 0.0,
        "missing_current": 0.25, "reason": reason,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [row("a", 0.02), row("b", 0.05)],
            "None of 2 columns reaches Evidently's threshold. The strongest is b with a score of 0.050",
        ),
        ([row("a", 0.2), row("b", 0.3)], "Chance may explain it"),
        ([row("a", 0.2), row("b", 0.3, 0.2)], "Beyond doubt it is for b; the others may reach the threshold by chance."),
        ([row("a", 0.2, 0.15), row("b", 0.3, 0.2)], "their intervals lie beyond the threshold"),
        ([row("a", 0.02), row("c", None, reason="no value")], "1 column could not be measured"),
        ([row("c", None, reason="no value")], "No column could be measured."),
    ],
)
def test_sentences_of_the_chapter(rows: list[dict[str, object]], told: str) -> None:
    chapter = drift_chapter(Reading(Dossier({}, {"drift": tuple(rows)})))
    assert chapter is not None
    assert told in chapter.parts[0].told


def test_many_columns_go_behind_a_fold_and_hostile_names_are_text() -> None:
    rows = [row(f"<script>alert({i})</script>", i / 100) for i in range(20)]
    chapter = drift_chapter(Reading(Dossier({}, {"drift": tuple(rows)})))
    assert chapter is not None
    assert chapter.parts[0].sheet is not None
    assert chapter.parts[0].rest is not None
    assert (chapter.parts[0].sheet.count, chapter.parts[0].rest.count) == (12, 8)
    text = synthml.report_html(Dossier({}, {"drift": tuple(rows)}))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(19)" in text


def test_nothing_measured_is_no_chapter() -> None:
    assert drift_chapter(Reading(Dossier({}))) is None
    assert environment() is not None


@pytest.mark.parametrize(
    ("names", "status", "text"),
    [
        ([], "open", "No drift figures"),
        (["drift.share.source_synthetic/all"], "answered", "later batches have real rows to be compared with (source)"),
        (["drift.share.holdout_production/all"], "answered", "rows met in use were compared with real rows (holdout)"),
        (["drift.share.synthetic_production/all"], "partly", "not against real rows"),
    ],
)
def test_question_fifteen(names: list[str], status: str, text: str) -> None:
    figures = {name: synthml.Estimate(0.1) for name in names}
    answer = answers(Reading(Dossier(figures)), None)[14]
    assert answer.status == status
    assert text in answer.text
