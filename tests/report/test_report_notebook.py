"""Dossiers and verdicts in a notebook."""

from __future__ import annotations

import re

from report.report_dossiers import dossier, hostile, verdict

from synthml.evidence import Dossier
from synthml.report.notebook import dossier_html, verdict_html


def test_a_dossier_shows_the_answer_and_the_groups() -> None:
    """The sentence, everyone, and the groups with the largest possible loss; through the notebook's own hook too."""
    made = dossier()
    text = dossier_html(made)
    assert "Overall yes, within the margin." in text
    assert text.index("Everyone") < text.index("self-rated health: poor")
    assert made._repr_html_() == text


def test_a_verdict_shows_what_is_not_met() -> None:
    """The outcome, and each criterion that did not pass, the binding failures first."""
    decided = verdict(dossier())
    text = verdict_html(decided)
    assert "Fail" in text
    assert "2 of 7 criteria met" in text
    assert text.index("0.091") < text.index("not measured") < text.index("0.213")
    assert decided._repr_html_() == text


def test_notebook_colours_are_the_notebooks_own() -> None:
    """Text and ground are inherited, so light and dark both work; only states have a colour of their own."""
    style = re.search(r"<style>(.*?)</style>", dossier_html(dossier()), re.DOTALL)
    assert style
    assert set(re.findall(r"color:([^;}]+)", style[1])) == {"inherit", "#00855a", "#d1431f", "#9a6a00"}
    assert "background:none" in style[1]


def test_hostile_labels_stay_text_in_notebooks() -> None:
    """Labels are escaped here too, and an empty dossier is a sentence."""
    text = dossier_html(hostile())
    assert "<script" not in text
    assert "<img" not in text
    assert "Not measured" in dossier_html(Dossier({}))
