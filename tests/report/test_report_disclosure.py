"""The chapter on disclosure answers every question in words, and says when an answer cannot be had."""

import html
import re
from datetime import UTC, datetime

import pytest
from disclosure.attacked import leaking, people, study_of

import synthml
from synthml import Policy, decide
from synthml.report.card import reviewer_card
from synthml.report.html import report_html

SOURCE, HOLDOUT, FRESH = people(900, 1), people(900, 2), people(900, 3)
QUICK = synthml.MeasureSettings(disclosure=synthml.DisclosureSettings(predicates=300, split_halves=20))
QUESTIONS = 7


def dossier_of(synthetic, holdout=HOLDOUT):
    return synthml.measure(study_of(SOURCE, synthetic, holdout), kinds=["disclosure"], settings=QUICK, seed=3)


@pytest.fixture(scope="module")
def leaky():
    return dossier_of(leaking(0.5, SOURCE, FRESH))


def words(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_every_question_has_an_answer_and_what_the_intruder_knows(leaky):
    told = words(report_html(leaky))
    for question in (
        "singled out",
        "records of one person be linked",
        "secret be guessed",
        "in the data",
        "copied",
        "too near",
        "come out right",
    ):
        assert question in told
    assert told.count("The intruder knows") == QUESTIONS


def test_a_leak_beyond_the_policy_is_said_to_be_one(leaky):
    verdict = decide(leaky, Policy.load("release-default"), now=datetime(2030, 1, 1, tzinfo=UTC))
    told = words(report_html(leaky, verdict))
    assert "Even the lower end lies beyond the policy's 0.09." in told
    assert "They agree: both find a leak." in told
    assert "What do 900 synthetic rows give away" in told


def test_a_quiet_table_is_said_to_be_quiet_and_distances_prove_nothing():
    told = words(report_html(dossier_of(FRESH)))
    assert "Nothing beyond chance was found" in told
    assert "they may fail a table and never clear one" in told


def test_without_a_holdout_the_answers_say_what_is_missing():
    told = words(report_html(dossier_of(FRESH, holdout=None)))
    assert "It cannot be told" in told
    assert "no holdout" in told


def test_a_dossier_of_a_table_leaves_the_chapters_of_a_model_out(leaky):
    page = report_html(leaky)
    assert 'id="disclosure"' in page
    assert 'id="performance"' not in page


def test_the_card_has_a_sentence_on_disclosure(leaky):
    assert "What the table gives away" in reviewer_card(leaky)
