"""Numbers and labels are written in one way; worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthml.estimate import Estimate
from synthml.metrics import METRICS
from synthml.report.terms import GLOSSARY, METRIC_TERMS, metric_term
from synthml.report.wording import clean, column_title, group_label, label, listed, number, plural, prose, short_digest, spoken


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.6524, 3, "0.652"),
        (-0.0126, 3, "−0.013"),
        (-0.0001, 3, "0.000"),
        (1234.5, 1, "1,234.5"),
        (None, 3, "—"),
        (float("nan"), 3, "not finite"),
        (1312.44, None, "1,312"),
        (12.3456, None, "12.35"),
        (0.00012345, None, "0.000123"),
        (123456.7, None, "123,457"),
        (0.0, None, "0.000"),
        (5.0, 0, "5"),
    ],
)
def test_numbers(value: float | None, digits: int | None, written: str) -> None:
    """Fixed decimals or four significant figures, with a true minus and never a negative zero."""
    assert number(value, digits=digits) == written


def test_estimates_in_a_sentence() -> None:
    """With interval, without one, and without a value."""
    assert spoken(Estimate(0.65, 0.631, 0.672)) == "0.650 (0.631 to 0.672)"
    assert spoken(Estimate(0.5)) == "0.500"
    assert spoken(Estimate.insufficient("too few")) == "insufficient"
    assert spoken(None) == "not measured"


def test_labels_are_cut_with_a_digest_of_the_whole() -> None:
    """A cut label keeps its beginning, and another one that begins alike gets another digest."""
    short, long, other = label("ward 7"), label("a" * 100), label("a" * 101)
    assert (short.shown, short.full) == ("ward 7", "")
    assert long.shown.startswith("a" * 60)
    assert len(long.shown) == 72
    assert long.full == "a" * 100
    assert long.shown != other.shown
    assert label("b" * 10_000).full.endswith("… (10,000 characters)")


@given(st.text(max_size=300), st.integers(12, 100))
def test_a_label_never_grows_beyond_its_cut(text: str, cut: int) -> None:
    """For any text, lone surrogates included."""
    shown = label(text, cut=cut).shown
    assert len(shown) <= cut
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert len(shown.splitlines()) <= 1


def test_invisible_and_turning_characters_show() -> None:
    """What could hide or reorder text becomes a visible replacement; line breaks become spaces."""
    assert clean("a\u202eb\u200bc\ufeffd\ud800") == "a\ufffdb\ufffdc\ufffdd\ufffd"
    assert clean("a\nb\tc\x00d\u2028e") == "a b c d e"
    assert clean("नमस्ते שלום é") == "नमस्ते שלום é"


def test_groups_and_columns_by_their_ids() -> None:
    """Escapes are undone; an id that is none stays as it is."""
    assert group_label("all").shown == "Everyone"
    assert group_label("self_x2d_rated_x20_health:very_x20_good sex:F").shown == "self-rated health: very good × sex: F"
    assert group_label("sex:_xff_").shown == "sex:_xff_"
    assert column_title("sex self_x20_rated") == "sex × self rated"
    assert column_title("_xff_") == "_xff_"


def test_prose_ends_at_a_word() -> None:
    """A sentence that is cut ends with an ellipsis, at a space when there is one in its second half."""
    assert prose("one two three four", cut=14) == "one two three…"
    assert prose("x" * 30, cut=10) == "x" * 10 + "…"
    assert prose("short", cut=10) == "short"


def test_lists_and_counts() -> None:
    """Joined as one says them."""
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed("abcde", most=3) == "a, b, c and 2 more"
    assert plural(1, "group") == "1 group"
    assert plural(1200, "group") == "1,200 groups"
    assert short_digest("sha256:" + "a" * 64) == "sha256:aaaaaaaaaaaa…"


def test_every_metric_has_a_sentence_that_agrees_with_it() -> None:
    """The glossary knows each metric that is measured, and which way is better."""
    for name, metric in METRICS.items():
        term = METRIC_TERMS[name]
        assert (term.better, term.target) == (metric.better, metric.target)
        assert term.meaning.endswith(".")


def test_an_unknown_metric_stands_under_its_own_name() -> None:
    """A later metric needs no change here."""
    assert metric_term("expected_cost").title == "expected cost"


def test_every_term_is_one_sentence_or_two() -> None:
    """Short enough for a reader without a statistician."""
    assert all(meaning.endswith(".") and len(meaning) < 220 for _, _, meaning in GLOSSARY)
    assert len({key for key, _, _ in GLOSSARY}) == len(GLOSSARY)
