"""The geometry of the report's charts: numbers in, positions out. The templates draw them as inline SVG.

Drawn by hand and not with a plotting library, because a forest plot is a table: each group is a row whose label wraps, whose
figures are text that a screen reader reads and a search finds, and whose plot cell is a small drawing placed in percent, so the
same bytes fit a phone, a screen and a page of paper. A plotting library would give a fixed picture ten times the size. Colours
are CSS variables (dark mode), and each series has a shape of its own, so that none rests on colour alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from synthml.report.wording import Label, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from synthml.estimate import Estimate

__all__ = [
    "Cell",
    "Column",
    "LinePlot",
    "Reference",
    "Scale",
    "Section",
    "Series",
    "Sheet",
    "Whisker",
    "line_plot",
    "scale_for",
    "whisker",
]

_EDGE = 6.0
_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A horizontal axis in percent of its cell. ticks: (position, text)."""

    low: float
    high: float
    ticks: tuple[tuple[str, str], ...]

    def at(self, value: float) -> float:
        """Position of a value in percent, kept inside the cell."""
        share = (value - self.low) / (self.high - self.low)
        return _EDGE + min(1.0, max(0.0, share)) * (100 - 2 * _EDGE)


@dataclass(frozen=True)
class Whisker:
    """A marker with its interval. kind: the series. x, low, high: percent. cut_low, cut_high: the interval leaves the axis."""

    kind: str
    x: str
    low: str = ""
    high: str = ""
    cut_low: bool = False
    cut_high: bool = False


@dataclass(frozen=True)
class Reference:
    """A vertical line through a plot column. kind: zero, margin or everyone."""

    kind: Literal["zero", "margin", "everyone"]
    x: str


@dataclass(frozen=True)
class Column:
    """A column of a sheet. kind: label (row header), text or plot. mark: the series whose shape stands in the header."""

    title: str
    kind: Literal["label", "text", "number", "plot"] = "text"
    hint: str = ""
    mark: str = ""
    scale: Scale | None = None
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A cell. note: a second, smaller line. full: what stands in the title. tone: a class. whiskers: for plot columns."""

    text: str = ""
    note: str = ""
    full: str = ""
    tone: str = ""
    whiskers: tuple[Whisker, ...] = ()

    @classmethod
    def of_label(cls, label: Label, note: str = "") -> Cell:
        """A row header."""
        return cls(label.shown, note, label.full)


@dataclass(frozen=True)
class Section:
    """Rows under one heading (none when the title is empty)."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """A table that may hold plot columns. key: unique in the document. caption: what it shows, in one sentence."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]

    @property
    def plots(self) -> int:
        """Plot columns."""
        return sum(column.kind == "plot" for column in self.columns)

    @property
    def count(self) -> int:
        """Rows."""
        return sum(len(section.rows) for section in self.sections)


def _tick_values(low: float, high: float, about: int) -> tuple[list[float], int]:
    """Round values inside [low, high], about so many, and the decimals they need."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((step * power for step in _STEPS), key=lambda step: abs(math.log(step / raw)))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)], decimals


def scale_for(
    estimates: Iterable[Estimate | None],
    *,
    include: Iterable[float] = (),
    floor: float | None = None,
    ceiling: float | None = None,
    about: int = 4,
) -> Scale | None:
    """An axis that holds every value, and every interval unless it is far wider than the others; None without a value.

    include: values that must be on it. floor, ceiling: where the figure ends by nature.
    """
    told = [
        (e.value, e.value if e.low is None else e.low, e.value if e.high is None else e.high)
        for e in estimates
        if e and e.value is not None
    ]
    if not told:
        return None
    fixed = list(include)
    values = [v for v, _, _ in told] + fixed
    widths = sorted(high - low for _, low, high in told)
    reach = max(2.0 * widths[len(widths) // 2], 0.75 * widths[-1] if len(widths) < 4 else 0.0, 0.25 * (max(values) - min(values)))
    low = max(min([low for _, low, _ in told] + fixed), min(values) - reach)
    high = min(max([high for _, _, high in told] + fixed), max(values) + reach)
    if high - low < 1e-9:
        low, high = low - 0.5 * max(abs(low), 0.1), high + 0.5 * max(abs(high), 0.1)
    pad = 0.04 * (high - low)
    low, high = low - pad, high + pad
    if floor is not None:
        low = min(max(low, floor), *values)
    if ceiling is not None:
        high = max(min(high, ceiling), *values)
    ticks, decimals = _tick_values(low, high, about)
    bare = Scale(low, high, ())
    return Scale(low, high, tuple((_percent(bare.at(t)), number(t, digits=decimals)) for t in ticks))


def _percent(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def whisker(kind: str, estimate: Estimate | None, scale: Scale | None) -> tuple[Whisker, ...]:
    """The marker of a figure on a scale; nothing for a figure without a value."""
    if scale is None or estimate is None or estimate.value is None:
        return ()
    x = _percent(scale.at(estimate.value))
    if estimate.low is None or estimate.high is None:
        return (Whisker(kind, x),)
    slack = 1e-9 * (scale.high - scale.low)
    return (
        Whisker(
            kind,
            x,
            _percent(scale.at(estimate.low)),
            _percent(scale.at(estimate.high)),
            estimate.low < scale.low - slack,
            estimate.high > scale.high + slack,
        ),
    )


def reference(kind: Literal["zero", "margin", "everyone"], value: float | None, scale: Scale | None) -> tuple[Reference, ...]:
    """A line at a value, when it lies on the scale."""
    if scale is None or value is None or not scale.low <= value <= scale.high:
        return ()
    return (Reference(kind, _percent(scale.at(value))),)


@dataclass(frozen=True)
class Series:
    """A line of points. kind: the series (colour and shape). points: x, y and the interval of y (None without)."""

    kind: str
    name: str
    points: tuple[tuple[float, float, float | None, float | None], ...]
    marked: bool = True


@dataclass(frozen=True)
class Drawn:
    """A series in the drawing's units: the path of the line, and markers (x, y, y of low, y of high)."""

    kind: str
    name: str
    path: str
    markers: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class LinePlot:
    """A chart of lines. ticks: (position, text). description: what a reader who cannot see it should know."""

    key: str
    title: str
    description: str
    x_title: str
    y_title: str
    x_ticks: tuple[tuple[str, str], ...]
    y_ticks: tuple[tuple[str, str], ...]
    drawn: tuple[Drawn, ...]


PLOT_LEFT, PLOT_TOP, PLOT_RIGHT, PLOT_BOTTOM = 46.0, 8.0, 314.0, 232.0


def line_plot(
    key: str,
    title: str,
    description: str,
    series: Sequence[Series],
    *,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
) -> LinePlot:
    """Lay out a chart of 320 x 276 units. Points outside the ranges are kept on the edge."""

    def px(x: float) -> float:
        return PLOT_LEFT + _share(x, x_range) * (PLOT_RIGHT - PLOT_LEFT)

    def py(y: float) -> float:
        return PLOT_BOTTOM - _share(y, y_range) * (PLOT_BOTTOM - PLOT_TOP)

    drawn = []
    for line in series:
        corners = [f"{_unit(px(x))} {_unit(py(y))}" for x, y, _, _ in line.points]
        markers = tuple(
            (_unit(px(x)), _unit(py(y)), "" if low is None else _unit(py(low)), "" if high is None else _unit(py(high)))
            for x, y, low, high in line.points
            if line.marked
        )
        drawn.append(Drawn(line.kind, line.name, "M" + "L".join(corners) if len(corners) > 1 else "", markers))
    x_values, x_decimals = _tick_values(*x_range, 5)
    y_values, y_decimals = _tick_values(*y_range, 5)
    return LinePlot(
        key,
        title,
        description,
        x_title,
        y_title,
        tuple((_unit(px(v)), number(v, digits=x_decimals)) for v in x_values),
        tuple((_unit(py(v)), number(v, digits=y_decimals)) for v in y_values),
        tuple(drawn),
    )


def _share(value: float, limits: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - limits[0]) / (limits[1] - limits[0])))


def _unit(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
