"""What a metric is measured on: the truth and what a model said, row by row, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outcome", "Task", "ranking_of"]

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Outcome:
    """Predictions of one model beside the truth.

    truth   (n,)  binary: 0/1; multiclass: class codes 0..K-1; regression: float
    score   binary: (n,) probability of the positive class; multiclass: (n, K) probabilities; regression: (n,) prediction
    threshold     binary only: a row is called positive when score >= threshold
    clusters (n,) integer code of the subject that a row belongs to, or None when rows are independent
    """

    task: Task
    truth: NDArray[np.generic]
    score: NDArray[np.float64]
    threshold: float | None = None
    clusters: NDArray[np.int64] | None = None

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.truth.shape[0])

    @cached_property
    def ranking(self) -> tuple[NDArray[np.intp], int]:
        """Binary: `ranking_of` the scores."""
        return ranking_of(self.score)

    @cached_property
    def decision(self) -> NDArray[np.int64]:
        """(n,) the class that is called: by the threshold when binary, by the largest probability when multiclass."""
        if self.task == "binary":
            return (self.score >= (0.5 if self.threshold is None else self.threshold)).astype(np.int64)
        if self.task == "multiclass":
            return np.asarray(self.score.argmax(axis=1), dtype=np.int64)
        raise ValueError("a regression has no decision")

    def take(self, rows: NDArray[np.generic]) -> Outcome:
        """The same for some rows: a boolean mask or positions."""
        clusters = None if self.clusters is None else self.clusters[rows]
        return replace(self, truth=self.truth[rows], score=self.score[rows], clusters=clusters)


def ranking_of(score: NDArray[np.float64]) -> tuple[NDArray[np.intp], int]:
    """(n,) rank of each row's score among the distinct scores, 0 the lowest, and how many distinct ones there are."""
    distinct, rank = np.unique(score, return_inverse=True)
    return rank, int(distinct.size)
