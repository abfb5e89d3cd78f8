"""The learner that labels are held against: gradient boosting on coded features, cross-fitted by subject.

Histogram gradient boosting (Ke et al. 2017) takes missing values and labels as they are. Training rows are capped, so that the
cost does not grow with the table; rows of one subject never stand on both sides of a fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.utility.preparation import days_since_1970, frequent_categories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.study import Study

__all__ = ["Coding", "Learned", "halves", "learn", "units_of"]

_MOST_LABELS = 200
_RARE = 10
_EDGE = 1e-4


@dataclass(frozen=True)
class Coding:
    """How features become numbers: labels by their place among the common ones of the source, dates as days; rest as null."""

    names: tuple[str, ...]
    labels: dict[str, NDArray[np.object_]]

    @classmethod
    def of(cls, study: Study, role: str) -> Coding:
        """The coding of a real table's features."""
        frame = study.features(role)
        labels = {}
        for name in frame.columns:
            if frame[name].dtype == object:
                common = frequent_categories(frame[name], _RARE)
                if len(common) > _MOST_LABELS:
                    common = np.sort(frame[name].value_counts().index[:_MOST_LABELS].to_numpy(dtype=object))
                labels[str(name)] = common
        return cls(tuple(str(name) for name in frame.columns), labels)

    def apply(self, frame: pd.DataFrame) -> NDArray[np.float32]:
        """(n, features) numbers, null = NaN."""
        out = np.empty((len(frame), len(self.names)), dtype=np.float32)
        for at, name in enumerate(self.names):
            column = frame[name]
            if name in self.labels:
                codes = pd.Index(self.labels[name]).get_indexer(pd.Index(column.to_numpy(dtype=object)))
                out[:, at] = np.where(codes < 0, np.nan, codes)
            elif pd.api.types.is_datetime64_any_dtype(column):
                out[:, at] = days_since_1970(column.to_frame())[:, 0]
            else:
                out[:, at] = column.to_numpy(dtype=np.float32)
        return out

    def without(self, columns: Sequence[str]) -> NDArray[np.intp]:
        """Positions of the features other than these columns."""
        return np.flatnonzero([name not in columns for name in self.names])


@dataclass(frozen=True)
class Learned:
    """A trained model. columns: positions of the features that it reads."""

    model: Any
    columns: NDArray[np.intp]
    classes: int

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, classes) probabilities within 0.0001 of 0 and 1 at the nearest, or (n,) numbers."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            if not self.classes:
                return np.asarray(self.model.predict(X[:, self.columns]), dtype=np.float64)
            known = self.model.predict_proba(X[:, self.columns])
        out = np.zeros((len(X), self.classes))
        out[:, self.model.classes_.astype(np.int64)] = known
        out = np.clip(out, _EDGE, 1 - _EDGE)
        return np.asarray(out / out.sum(axis=1, keepdims=True))


def learn(
    X: NDArray[np.float32],
    y: NDArray[Any],
    rows: NDArray[np.intp],
    *,
    coding: Coding,
    columns: NDArray[np.intp],
    classes: int,
    most: int,
    rng: np.random.Generator,
) -> Learned | None:
    """Train on at most `most` of the rows; None where there is one class or no feature. classes: 0 for a regression."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    if not len(columns) or len(rows) < 20 or (classes and len(np.unique(y[rows])) < 2):
        return None
    # a number that is wrong by much must not move what the model says of others: absolute, not squared errors
    kind = HistGradientBoostingClassifier if classes else partial(HistGradientBoostingRegressor, loss="absolute_error")
    model = kind(
        max_iter=max(20, 40 // max(1, classes // 2)),  # every class is a tree of its own
        learning_rate=0.15,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=[coding.names[at] in coding.labels for at in columns],
        random_state=0,
    )
    with threadpool_limits(1):  # OpenMP threads that wait for a busy core cost more than they save
        model.fit(X[np.ix_(rows, columns)], y[rows])
    return Learned(model, columns, classes)


def units_of(rows: int, subjects: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """(rows,) 0, 1, 2, ...: whose row it is; without subjects every row is its own."""
    return np.arange(rows) if subjects is None else np.unique(subjects, return_inverse=True)[1].astype(np.int64)


def halves(units: NDArray[np.int64], rng: np.random.Generator, parts: int = 2) -> NDArray[np.int64]:
    """(n,) part of each row, 0 to parts - 1; rows of one unit stay together."""
    count = int(units.max()) + 1
    return np.asarray(rng.permutation(np.arange(count) % parts)[units])
