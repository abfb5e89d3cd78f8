"""ROC, calibration and net benefit, from the binned tables of the evidence to charts with a table beside each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synthml.report.charts import Cell, Column, LinePlot, Section, Series, Sheet, line_plot
from synthml.report.wording import clean, count, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.report.reading import Reading

__all__ = ["Curve", "curves"]

_NAMES = {
    "tstr": "Trained on synthetic (TSTR)",
    "trtr": "Trained on real (TRTR)",
    "treat all": "Treat everyone",
    "treat none": "Treat no one",
    "diagonal": "Diagonal",
}
_KINDS = {"treat all": "all", "treat none": "nobody"}
_CALIBRATION_READING = {
    "risk": "On the diagonal, predictions come true as often as they say; below it the model promises too much risk.",
    "regression": "On the diagonal, predictions are right on average; below it they are too high.",
}
_SHOWN = ("tstr", "trtr")


@dataclass(frozen=True)
class Curve:
    """A chart, how to read it in one sentence, and its numbers."""

    plot: LinePlot
    reading: str
    sheet: Sheet


def curves(reading: Reading) -> tuple[Curve, ...]:
    """The charts whose tables the evidence holds."""
    return tuple(curve for curve in (_roc(reading), _calibration(reading), _net_benefit(reading)) if curve is not None)


def _points(
    rows: Sequence[Mapping[str, Any]], whose: str, x: str, y: str, low: str = "", high: str = "", *, by: str = "protocol"
) -> tuple[tuple[float, float, float | None, float | None], ...]:
    """Points of one protocol or strategy in order of x, then y; rows that lack a number are left out."""
    found = []
    for row in rows:
        if row.get(by) != whose or _float(row.get(x)) is None or _float(row.get(y)) is None:
            continue
        found.append((float(row[x]), float(row[y]), _float(row.get(low)), _float(row.get(high))))
    return tuple(sorted(found, key=lambda point: point[:2]))


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _numbers(key: str, caption: str, rows: Sequence[Mapping[str, Any]], heads: Mapping[str, str]) -> Sheet:
    """The table beside a chart."""
    there = {name: head for name, head in heads.items() if any(row.get(name) is not None for row in rows)}
    columns = tuple(Column(head, "label" if name in ("protocol", "strategy") else "number") for name, head in there.items())
    cells = tuple(tuple(Cell(_number(name, row.get(name))) for name in there) for row in rows)
    return Sheet(key, caption, columns, (Section("", cells),))


def _number(name: str, value: object) -> str:
    if name in ("protocol", "strategy"):
        return _NAMES.get(str(value), clean(value))
    if isinstance(value, int) or name in ("n", "bin"):
        return count(value)
    return number(_float(value))


def _roc(reading: Reading) -> Curve | None:
    rows = reading.table("roc")
    series = [
        Series(p, _NAMES[p], ((0.0, 0.0, None, None), *points, (1.0, 1.0, None, None)), marked=False)
        for p in _SHOWN
        if (points := _points(rows, p, "fpr", "tpr"))
    ]
    if not series:
        return None
    diagonal = Series("diagonal", _NAMES["diagonal"], ((0.0, 0.0, None, None), (1.0, 1.0, None, None)), marked=False)
    told = [f"{s.name}: at a false alarm rate near 0.2 it finds {number(_near(s, 0.2))} of the cases." for s in series]
    plot = line_plot(
        "roc",
        "ROC curve",
        " ".join(told),
        [diagonal, *series],
        x_title="False alarm rate (FPR)",
        y_title="Sensitivity",
    )
    sheet = _numbers(
        "roc-numbers",
        "ROC curve, binned so that no single person can be read off.",
        rows,
        {"protocol": "Model", "fpr": "FPR", "tpr": "Sensitivity"},
    )
    return Curve(
        plot, "The nearer to the upper left corner, the better the model tells cases apart; on the diagonal it guesses.", sheet
    )


def _near(series: Series, x: float) -> float:
    """The curve's height at x, on the straight line between its points."""
    before = max((p for p in series.points if p[0] <= x), key=lambda p: p[:2])
    after = min((p for p in series.points if p[0] >= x), key=lambda p: p[:2])
    if after[0] == before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (x - before[0]) / (after[0] - before[0])


def _calibration(reading: Reading) -> Curve | None:
    rows = reading.table("calibration")
    series = [
        Series(p, _NAMES[p], points) for p in _SHOWN if (points := _points(rows, p, "predicted", "observed", "low", "high"))
    ]
    if not series:
        return None
    limits = _square(series)
    diagonal = Series(
        "diagonal", _NAMES["diagonal"], ((limits[0], limits[0], None, None), (limits[1], limits[1], None, None)), marked=False
    )
    told = [
        f"{s.name}: predicted {number(s.points[-1][0])} in the highest bin, observed {number(s.points[-1][1])}." for s in series
    ]
    plot = line_plot(
        "calibration",
        "Calibration",
        " ".join(told),
        [diagonal, *series],
        x_title="Predicted" if reading.task == "regression" else "Predicted risk",
        y_title="Observed" if reading.task == "regression" else "Observed rate",
        x_range=limits,
        y_range=limits,
    )
    sheet = _numbers(
        "calibration-numbers",
        "Calibration in bins of equal size.",
        rows,
        {
            "protocol": "Model",
            "bin": "Bin",
            "predicted": "Predicted",
            "observed": "Observed",
            "low": "Low",
            "high": "High",
            "n": "Rows",
        },
    )
    return Curve(plot, _CALIBRATION_READING["regression" if reading.task == "regression" else "risk"], sheet)


def _square(series: Sequence[Series]) -> tuple[float, float]:
    """One range for both axes that holds every point; for risks it begins at 0."""
    numbers = [v for s in series for p in s.points for v in (*p[:2], p[2], p[3]) if v is not None]
    low, high = min(numbers), max(numbers)
    if low >= 0 and high <= 1:
        return 0.0, min(1.0, high * 1.06 + 0.01)
    pad = 0.05 * (high - low or 1.0)
    return low - pad, high + pad


def _net_benefit(reading: Reading) -> Curve | None:
    rows = reading.table("net_benefit")
    kinds = ("treat none", "treat all", *_SHOWN)
    series = [
        Series(_KINDS.get(p, p), _NAMES[p], points, marked=False)
        for p in kinds
        if (points := _points(rows, p, "threshold", "net_benefit", by="strategy"))
    ]
    if not any(s.kind in _SHOWN for s in series):
        return None
    own = [y for s in series if s.kind in _SHOWN for _, y, _, _ in s.points]
    xs = [x for s in series for x, _, _, _ in s.points]
    limits = (min(xs), max(xs)) if max(xs) > min(xs) else (0.0, 1.0)
    top = max(*own, 0.01)
    bottom = -0.15 * top if min(own) < -0.08 * top else -0.08 * top
    # treating everyone falls without end: its line leaves the chart at the bottom
    shown = [replace(s, points=tuple(p for p in s.points if s.kind != "all" or p[1] >= bottom)) for s in series]
    told = [
        f"{s.name}: {number(s.points[len(s.points) // 2][1])} at a threshold of {number(s.points[len(s.points) // 2][0])}."
        for s in series
        if s.kind in _SHOWN
    ]
    plot = line_plot(
        "net-benefit",
        "Net benefit",
        " ".join(told),
        [s for s in shown if s.points],
        x_title="Threshold at which one acts",
        y_title="Net benefit",
        x_range=limits,
        y_range=(bottom, top * 1.08),
    )
    sheet = _numbers(
        "net-benefit-numbers",
        "Net benefit by threshold.",
        rows,
        {"strategy": "Strategy", "threshold": "Threshold", "net_benefit": "Net benefit"},
    )
    return Curve(
        plot, "A model is worth using at thresholds where its line lies above both “treat everyone” and “treat no one”.", sheet
    )
