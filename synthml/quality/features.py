"""Constant features, and features that give the target away.

Each feature alone predicts the target: numbers in up to 50 bins of equal count (each value its own bin when there are at most
200), labels and missing values as they are; the rate of a bin is learned on the other folds, by subject. A feature whose own
AUROC (explained variance in a regression) reaches `LEAKING` is hardly a cause: it was written down after the outcome, or is the
outcome under another name. The same is told of whether the value is missing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.estimate import Estimate
from synthml.figures import escape_label
from synthml.metrics import METRICS, Outcome, estimate
from synthml.quality.ground import Finding
from synthml.quality.learner import halves, units_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.ground import Ground

__all__ = ["LEAKING", "NEARLY_CONSTANT", "finding", "leaking"]

LEAKING = 0.98
NEARLY_CONSTANT = 0.99
CONSTANT, MISSING, SAME, TELLING, NEARLY = (
    "constant",
    "missing values give the target away",
    "equals the target up to names",
    "gives the target away",
    "nearly constant",
)
_URGENCY = {SAME: 0, TELLING: 0, MISSING: 0, CONSTANT: 1, NEARLY: 1, "": 2}
_SAME = 0.999
_BINS, _VALUES = 50, 200
_FOLDS = 5
_SMOOTHED = 1.0
_MOST_FIGURES = 10
_MOST_ROWS = 50_000
_METRIC = {"binary": "auroc", "multiclass": "macro_auroc", "regression": "r2"}


def _binned(column: pd.Series[Any]) -> NDArray[np.int64]:
    """(n,) code of each value's bin; nulls have one of their own."""
    codes, uniques = pd.factorize(column.to_numpy())
    if column.dtype != object and len(uniques) > _VALUES:
        values = column.to_numpy().astype("int64") if column.dtype.kind == "M" else column.to_numpy(dtype=np.float64)
        there = column.notna().to_numpy()
        edges = np.unique(np.quantile(values[there], np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.where(there, np.searchsorted(edges, values, side="right"), -1)
    return np.asarray(codes + 1, dtype=np.int64)


def _cross_fitted(bins: NDArray[np.int64], y: NDArray[np.float64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, k) mean of y (n, k) in each row's bin on the other folds, drawn lightly to the mean of all."""
    size = int(bins.max()) + 1
    mean = y.mean(axis=0)
    out = np.empty_like(y)
    cells = bins * _FOLDS + part
    counts = np.bincount(cells, minlength=size * _FOLDS).reshape(size, _FOLDS)
    counts = counts.sum(axis=1, keepdims=True) - counts
    for k in range(y.shape[1]):
        sums = np.bincount(cells, weights=y[:, k], minlength=size * _FOLDS).reshape(size, _FOLDS)
        sums = sums.sum(axis=1, keepdims=True) - sums
        rate = (sums + _SMOOTHED * mean[k]) / (counts + _SMOOTHED)
        out[:, k] = rate[bins, part]
    return out


def finding(ground: Ground) -> Finding:
    """`quality.leakage.source/<column>` of the worst features, the share of features that are suspect, and "quality_features"."""
    if "source" not in ground.roles:
        return Finding()
    study = ground.study
    features, y, subjects = study.features("source"), study.target("source"), study.subjects("source")
    if len(y) > _MOST_ROWS:
        some = np.sort(ground.rng("features").choice(len(y), _MOST_ROWS, replace=False))
        features, y, subjects = features.iloc[some], y[some], None if subjects is None else subjects[some]
    part = halves(units_of(len(y), subjects), ground.rng("features"), _FOLDS)
    wide = y[:, None].astype(np.float64) if ground.classes < 3 else (y[:, None] == np.arange(ground.classes)).astype(np.float64)
    found: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    for name in features.columns:
        column = features[name]
        bins = _binned(column)
        common = float(np.bincount(bins).max() / len(bins))
        alone = _alone(ground, bins, y, wide, part, subjects)
        nulls = (bins == 0).astype(np.int64)
        missing = _alone(ground, nulls, y, wide, part, subjects) if 0 < nulls.sum() < len(nulls) else None
        found[str(name)] = alone if missing is None or (missing.value or 0) <= (alone.value or 0) else missing
        rows.append(
            {
                "column": str(name),
                "alone": alone.value,
                "low": alone.low,
                "high": alone.high,
                "missing_alone": None if missing is None else missing.value,
                "commonest": common,
                "verdict": _verdict(ground, bins, y, common, alone, missing),
            }
        )
    height = {name: -np.inf if figure.value is None else figure.value for name, figure in found.items()}
    ranked = sorted(rows, key=lambda row: (_URGENCY[str(row["verdict"])], -height[str(row["column"])], str(row["column"])))
    worst = sorted(found, key=lambda name: (-height[name], name))[:_MOST_FIGURES]
    figures = {f"quality.leakage.source/{escape_label(name)}": found[name] for name in worst}
    return Finding(figures, {"quality_features": tuple(ranked)})


def leaking(found: Finding) -> tuple[str, ...]:
    """Features that give the target away."""
    rows = found.tables.get("quality_features", ())
    return tuple(str(row["column"]) for row in rows if row["verdict"] in (SAME, TELLING, MISSING))


def _alone(
    ground: Ground,
    bins: NDArray[np.int64],
    y: NDArray[Any],
    wide: NDArray[np.float64],
    part: NDArray[np.int64],
    subjects: NDArray[np.int64] | None,
) -> Estimate:
    metric = METRICS[_METRIC[ground.task]]
    method = f"{metric.name} of this feature alone, cross-fitted"
    if bins.min() == bins.max():
        return Estimate.insufficient("the feature is constant", n=len(bins), method=method)
    score = _cross_fitted(bins, wide, part)
    if ground.classes > 2:
        score = score / score.sum(axis=1, keepdims=True)
    outcome = Outcome(ground.task, y, score if ground.classes > 2 else score[:, 0], None, subjects)  # type: ignore[arg-type]
    figure = estimate(metric, outcome, confidence=ground.confidence)
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    return Estimate(figure.value, figure.low, figure.high, figure.n, f"{method}; {figure.method}", confidence=ground.confidence)


def _verdict(
    ground: Ground, bins: NDArray[np.int64], y: NDArray[Any], common: float, alone: Estimate, missing: Estimate | None
) -> str:
    """What is wrong with the feature, in words; empty when nothing is."""
    if common == 1:
        return CONSTANT
    if missing is not None and missing.value is not None and missing.value >= LEAKING:
        return MISSING
    if alone.value is not None and alone.value >= LEAKING:
        return "equals the target up to names" if ground.classes and _renamed(bins, y, ground.classes) else TELLING
    return NEARLY if common >= NEARLY_CONSTANT else ""


def _renamed(bins: NDArray[np.int64], y: NDArray[Any], classes: int) -> bool:
    """Whether each value stands for one class and each class for one value, in all but a thousandth of the rows."""
    table = np.zeros((int(bins.max()) + 1, classes))
    np.add.at(table, (bins, y), 1)
    one_class, one_value = table.max(axis=1).sum() / len(y), table.max(axis=0).sum() / len(y)
    return bool(min(one_class, one_value) >= _SAME)
