"""The reviewer's card: most important first, never above its limit, no table cut in the middle, labels as plain text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report.report_dossiers import HOSTILE, dossier, hostile, regression, verdict

from synthml.errors import InputError
from synthml.evidence import Dossier
from synthml.report.card import LIMIT, reviewer_card
from synthml.report.markdown import markdown_text

UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[`*_\[\]~|#]|[<>@$]|://")


def unescaped(text: str) -> list[str]:
    """Marks of Markdown or HTML that are neither escaped nor part of an entity."""
    return UNESCAPED.findall(re.sub(r"&(?:#\d+|[a-z]+);", "", text))


def tables(card: str) -> list[list[str]]:
    """The table blocks of a card, line by line."""
    blocks = re.split(r"\n(?!\|)", card)
    found = [[line for line in block.splitlines() if line.startswith("|")] for block in blocks]
    return [block for block in found if block]


def cells(line: str) -> int:
    return len(re.split(r"(?<!\\)\|", line)) - 2


@pytest.fixture(scope="module")
def full() -> Dossier:
    return dossier()


def test_the_outcome_and_the_headline_come_first(full: Dossier) -> None:
    """The first line is the outcome with its policy; then the answer, the headline figures, what stands against it."""
    card = reviewer_card(full, verdict(full))
    assert card.startswith("**FAIL** · clinical-default v1 · decided 2026-03-02 08:00 UTC\n")
    heads = re.findall(r"^### (.*)$", card, re.MULTILINE)
    assert heads == [
        "AUROC on 6,057 real rows",
        "What stands against it",
        "Patient groups, largest possible loss first",
        "Not decided",
        "Missing",
        "Tables",
        "Errors and calibration",
        "Largest differences between groups",
        "How the synthetic table was made",
    ]
    assert "auroc-loss, required at most 0.05: sex: male found 0.091" in card


def test_groups_stand_with_the_largest_possible_loss_first(full: Dossier) -> None:
    """The order is by the upper bound of the loss, not by its value."""
    rows = next(block for block in tables(reviewer_card(full)) if block[0].startswith("| Group"))[2:]
    uppers = [float(re.findall(r"to (−?[0-9.]+)\)", row)[-1].replace("−", "-")) for row in rows]
    assert uppers == sorted(uppers, reverse=True)


def test_digests_stand_in_full(full: Dossier) -> None:
    """A reviewer can copy the digest of every table."""
    card = reviewer_card(full)
    assert all(f"`{facts['digest']}`" in card for facts in full.datasets.values())


@pytest.mark.parametrize("limit", [1000, 1200, 1500, 2000, 3000, 4000, LIMIT, 20_000])
@pytest.mark.parametrize("kind", ["full", "hostile", "many", "empty", "regression"])
def test_the_card_fits_and_its_tables_are_whole(kind: str, limit: int) -> None:
    """Whatever the limit: it holds, every table has a head, and every row has as many cells as its head."""
    made = {
        "full": dossier,
        "hostile": hostile,
        "many": lambda: dossier(levels=40, n=9000),
        "empty": lambda: Dossier({}),
        "regression": regression,
    }[kind]()
    card = reviewer_card(made, verdict(made), limit=limit)
    assert len(card) <= limit
    assert card.startswith("**FAIL**")
    for block in tables(card):
        assert len(block) > 2
        assert set(block[1]) <= set("| -")
        assert len({cells(line) for line in block}) == 1


def test_what_does_not_fit_is_counted(full: Dossier) -> None:
    """A shortened table says how many rows are left to the report."""
    card = reviewer_card(dossier(levels=40, n=20_000), limit=2500)
    assert re.search(r"^and \d+ more groups in the report$", card, re.MULTILINE)


def test_a_limit_without_room_for_the_verdict_is_refused(full: Dossier) -> None:
    """Below 1,000 characters the card would say nothing."""
    with pytest.raises(InputError, match="needs room for 1,000"):
        reviewer_card(full, limit=999)


def test_hostile_labels_make_no_markup() -> None:
    """No link, image, tag, code, emphasis or table cell comes of a label."""
    card = reviewer_card(hostile(), limit=20_000)
    ours = re.sub(r"^(\*\*[A-Z ]+\*\*|### .*|\| --- .*)$|\*\*(Loss|0\.\d+)\*\*|`[a-z0-9:./_-]+`", "", card, flags=re.MULTILINE)
    for line in ours.splitlines():
        body = line.strip("|- ")
        assert not unescaped(body.replace(" | ", " ")), line


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_escaped(text: str) -> None:
    """Each hostile label alone."""
    assert not unescaped(markdown_text(text))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_one_escaped_line(text: str) -> None:
    """No line break, no unescaped mark, no list at the beginning, and escaping at most six times the length."""
    escaped = markdown_text(text, cut=50)
    assert not unescaped(escaped)
    assert len(escaped.splitlines()) <= 1
    assert not re.match(r"\d+[.)]|[-+=]", escaped)
    assert len(escaped) <= 6 * 51


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=60), min_size=2, max_size=2, unique=True), st.integers(1000, 6000))
def test_any_two_labels_and_any_limit(labels: list[str], limit: int) -> None:
    """The limit holds for any labels that a table may hold."""
    labels = [label.encode("utf-8", "replace").decode() for label in labels]
    made = dossier(n=1500, rename=dict(zip(("female", "male"), labels, strict=True)))
    assert len(reviewer_card(made, limit=limit)) <= limit


def test_a_pass_says_so(full: Dossier) -> None:
    """A verdict that passes opens the card with the word, and nothing stands against it."""
    passed = replace(verdict(full), outcome="pass", decisions=verdict(full).decisions[:1])
    card = reviewer_card(full, passed)
    assert card.startswith("**PASS**")
    assert "What stands against it" not in card
