"""A classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv 1610.06545), read by its AUROC.

A boosted learner is trained on some rows of both tables and asked about others: its AUROC there is 0.5 where nothing tells the
tables apart. DeLong's interval, by subject Obuchowski's, is that of the learner as it was trained. Rows are not trained on and
judged in turns: the folds share their chance findings, and intervals over them were found to cover 0.5 in 86 to 88 of 100 runs
where 95 were promised (benchmarks/fidelity_truth.md).

An AUROC well below 0.5 says that synthetic rows copy source rows: what was learned of one misleads about the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import quantile
from synthml.fidelity.classifiers.sides import Side, drawn, labels_of, numbers_of, paired
from synthml.metrics import METRICS, Outcome, estimate

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Discriminator", "discriminate", "telling"]

TRAINED = 6000  # rows of either table
JUDGED = 10_000
_TREES = {"max_depth": 4, "eta": 0.15, "max_bin": 64, "objective": "binary:logistic", "tree_method": "hist", "nthread": 1}
_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Discriminator:
    """A trained learner and the rows that it was asked about. features (n, columns); clusters: subjects, None when unknown."""

    booster: Any
    features: NDArray[np.float32]
    label: NDArray[np.int64]
    clusters: NDArray[np.int64] | None
    columns: tuple[str, ...]

    def outcome(self, features: NDArray[np.float32]) -> Outcome:
        """What the learner says of rows with these features."""
        score = self.booster.inplace_predict(features).astype(np.float64)
        return Outcome("binary", self.label, score, clusters=self.clusters)

    def auroc(self, confidence: float) -> Estimate:
        """How well it tells synthetic rows from real ones."""
        return estimate(METRICS["auroc"], self.outcome(self.features), confidence=confidence)


def discriminate(
    one: Side, other: Side, rng: np.random.Generator, *, trained: int = TRAINED, judged: int = JUDGED
) -> Discriminator:
    """Train a learner to tell `other` from `one` on at most `trained` rows of either, to be asked about at most `judged` more."""
    import xgboost

    rows = min(len(one), len(other))
    trained = min(trained, rows // 2)
    judged = min(judged, rows - trained)
    parts = [drawn(side, (trained, judged), rng) for side in (one, other)]
    (fit, ask), columns = zip(*parts, strict=True), tuple(map(str, one.frame.columns))
    frame, _, label = paired(*fit)
    asked, units, truth = paired(*ask)
    features = _features(frame, asked)
    matrix = xgboost.QuantileDMatrix(features[: len(label)], label, max_bin=_TREES["max_bin"], nthread=1)
    booster = xgboost.train({**_TREES, "seed": int(rng.integers(2**31)), "verbosity": 0}, matrix, _ROUNDS)
    clusters = units if one.clustered or other.clustered else None
    return Discriminator(booster, features[len(label) :], truth, clusters, columns)


def telling(found: Discriminator, rng: np.random.Generator, confidence: float) -> list[tuple[str, Estimate]]:
    """How much the AUROC drops when a column is shuffled among the rows asked about, columns that tell most first.

    Breiman 2001 (doi 10.1023/A:1010933404324); the interval is that of the paired difference (DeLong). Columns that no tree asks
    about are left out.
    """
    used = {int(name[1:]) for name in found.booster.get_score()}
    base = METRICS["auroc"].linearise(found.outcome(found.features))
    drops = []
    for at in sorted(used):
        shuffled = found.features.copy()
        shuffled[:, at] = rng.permutation(shuffled[:, at])
        drop = base - METRICS["auroc"].linearise(found.outcome(shuffled))
        seen = spread(drop.influence, found.clusters)
        half = quantile(confidence, seen.df) * seen.error
        told = Estimate(
            drop.value, drop.value - half, drop.value + half, drop.n, "one shuffling, paired DeLong", confidence=confidence
        )
        drops.append((found.columns[at], told))
    return sorted(drops, key=lambda drop: (-(drop[1].value or 0.0), drop[0]))


def _features(frame: pd.DataFrame, asked: pd.DataFrame) -> NDArray[np.float32]:
    """(n, columns) numbers as they are, labels by how common they are in all rows; nulls as NaN. Blind to which table it is."""
    import pandas as pd

    both = pd.concat([frame, asked], ignore_index=True)
    columns = []
    for name in both.columns:
        values = both[name].to_numpy()
        if values.dtype == object:
            codes = labels_of(values)
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(numbers_of(values))
    return np.column_stack(columns).astype(np.float32)
