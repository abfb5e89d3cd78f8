"""Metrics of an outcome with several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate.linear import Linearised
from synthml.metrics.binary import CLIP, auroc_of
from synthml.metrics.outcome import ranking_of
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from synthml.metrics.outcome import Outcome

__all__ = ["log_loss", "macro_auroc", "macro_f1"]


def macro_auroc(outcome: Outcome) -> Linearised:
    """Mean over classes of the AUROC of each class against the rest."""
    classes = outcome.score.shape[1]
    if len(np.unique(outcome.truth)) < classes:
        raise Undefined("a class has no row here")
    parts = [auroc_of(outcome.truth == k, *ranking_of(outcome.score[:, k])) for k in range(classes)]
    value = float(np.mean([part.value for part in parts]))
    return Linearised(value, np.mean([part.influence for part in parts], axis=0))


def macro_f1(outcome: Outcome) -> Linearised:
    """Mean over the classes that occur in truth or decision of F1 = 2 TP / (2 TP + FP + FN)."""
    called = outcome.decision
    occurring = np.union1d(outcome.truth, called)
    values, influences = [], []
    for k in occurring:
        true, said = outcome.truth == k, called == k
        both = (true & said).astype(np.float64)
        size = true.astype(np.float64) + said
        total = size.sum()
        value = 2 * both.sum() / total
        values.append(value)
        influences.append((2 * both - value * size) / total)
    return Linearised(float(np.mean(values)), np.mean(influences, axis=0))


def log_loss(outcome: Outcome) -> Linearised:
    """Mean negative log of the probability of the true class; probabilities are kept within 1e-6 of 0 and 1."""
    p = outcome.score[np.arange(outcome.n), outcome.truth.astype(np.int64)]
    losses = -np.log(np.clip(p, CLIP, 1 - CLIP))
    value = float(losses.mean())
    return Linearised(value, (losses - value) / outcome.n)
