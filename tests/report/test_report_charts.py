"""The geometry of the charts, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthml.estimate import Estimate
from synthml.report.charts import Scale, Series, line_plot, reference, scale_for, whisker


def test_a_scale_maps_its_ends_to_six_and_ninety_four_percent() -> None:
    """Room is left at both sides for markers; what lies outside is kept at the edge."""
    scale = Scale(0.5, 0.9, ())
    assert [scale.at(v) for v in (0.5, 0.7, 0.9, 0.1, 2.0)] == pytest.approx([6, 50, 94, 6, 94])


def test_an_axis_holds_every_interval_when_they_are_alike() -> None:
    """Two intervals of equal width: both whole, with round ticks."""
    scale = scale_for([Estimate(0.65, 0.63, 0.67), Estimate(0.70, 0.68, 0.72)])
    assert scale is not None
    assert scale.low < 0.63
    assert scale.high > 0.72
    assert [text for _, text in scale.ticks] == ["0.64", "0.66", "0.68", "0.70", "0.72"]


def test_one_wild_interval_does_not_squash_the_others() -> None:
    """An interval twenty times as wide as the others is cut, and marked as cut."""
    narrow = [Estimate(0.60 + i / 100, 0.59 + i / 100, 0.61 + i / 100) for i in range(8)]
    wild = Estimate(0.65, 0.2, 0.99)
    scale = scale_for([*narrow, wild])
    assert scale is not None
    assert scale.high - scale.low < 0.2
    (mark,) = whisker("tstr", wild, scale)
    assert (mark.cut_low, mark.cut_high) == (True, True)
    (plain,) = whisker("tstr", narrow[0], scale)
    assert (plain.cut_low, plain.cut_high) == (False, False)


def test_an_axis_ends_where_the_figure_ends() -> None:
    """A share is not drawn beyond 1, nor below 0."""
    scale = scale_for([Estimate(0.98, 0.93, 1.0), Estimate(0.02, 0.0, 0.1)], floor=0.0, ceiling=1.0)
    assert scale is not None
    assert (scale.low, scale.high) == (0.0, 1.0)


def test_a_margin_is_on_the_axis_when_asked() -> None:
    """The zero line and the margin are seen even when every loss is small."""
    scale = scale_for([Estimate(0.001, 0.0, 0.002)], include=[0.0, 0.05])
    assert scale is not None
    assert reference("margin", 0.05, scale)
    assert reference("zero", 0.0, scale)
    assert reference("margin", 0.5, scale) == ()
    assert reference("margin", None, scale) == ()


def test_nothing_to_draw_gives_no_axis() -> None:
    """Figures without a value have no place on a chart."""
    assert scale_for([None, Estimate.insufficient("few")]) is None
    assert whisker("tstr", Estimate(0.5), None) == ()


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=6))
def test_any_values_have_a_finite_axis_that_holds_them(values: list[float]) -> None:
    """Equal values, huge ones and tiny ones."""
    scale = scale_for([Estimate(v) for v in values])
    assert scale is not None
    assert math.isfinite(scale.low)
    assert scale.low <= min(values) <= max(values) <= scale.high
    assert len(scale.ticks) <= 12


def test_a_line_runs_from_corner_to_corner() -> None:
    """(0, 0) is the lower left corner of the plot, (1, 1) the upper right."""
    plot = line_plot("k", "t", "d", [Series("tstr", "n", ((0, 0, None, None), (1, 1, None, None)))], x_title="x", y_title="y")
    assert plot.drawn[0].path == "M46 232L314 8"
    assert plot.drawn[0].markers == (("46", "232", "", ""), ("314", "8", "", ""))
    assert [text for _, text in plot.x_ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
