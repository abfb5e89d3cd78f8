"""The grammar of figure ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthml.errors import InputError
from synthml.figures import FigureId, escape_label, group_of, parse_of, unescape_label


def test_an_id_is_family_measure_variant_and_of():
    figure = FigureId.parse("utility.auroc.tstr/sex:F race:Black")
    assert (figure.family, figure.name, figure.of, figure.bound) == ("utility", "utility.auroc.tstr", "sex:F race:Black", None)


def test_bounds_are_part_of_the_name_and_not_of_the_variant():
    assert FigureId.parse("utility.auroc.tstr.low/all") == FigureId("utility.auroc.tstr", "all", "low")
    assert str(FigureId("utility.auroc.tstr").with_bound("high")) == "utility.auroc.tstr.high/all"


@pytest.mark.parametrize("text", ["utility.auroc.tstr", "utility.auroc/", "auroc/all", "Utility.auroc/all", "utility..x/all", ""])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(InputError):
        FigureId.parse(text)


def test_labels_are_escaped_byte_by_byte():
    assert escape_label("30-39") == "30-39"
    assert escape_label("Black or African") == "Black_x20_or_x20_African"
    assert escape_label("ü_") == "_xc3__xbc__x5f_"


@given(st.text())
def test_escaping_loses_nothing(label):
    assert unescape_label(escape_label(label)) == label


@given(st.text(), st.text())
def test_different_labels_never_meet(a, b):
    assert (escape_label(a) == escape_label(b)) == (a == b)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=3))
def test_a_group_gives_its_columns_and_labels_back(labels):
    group = group_of(tuple(labels))
    assert parse_of(group) == tuple(labels)
    assert str(FigureId.parse(f"utility.auroc.tstr/{group}")) == f"utility.auroc.tstr/{group}"


def test_everyone_is_all():
    assert group_of(()) == "all"
    assert parse_of("all") == ()
