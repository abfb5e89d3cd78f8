"""What a score is worth: AUROC, true positives at few false ones, the F1 of an intruder, and a lower bound of epsilon.

The share of members above the threshold that a given share of non-members exceeds carries the uncertainty of both sides: the
threshold is redrawn as the order statistic of a resample of non-members (its rank is a beta variable), the share of members above
it as a beta variable with half a success more on either side, so that nought and all are not known without error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.estimate import Estimate
from synthml.metrics import METRICS, Outcome, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["auroc", "clopper_pearson", "epsilon_bound", "f1", "tpr_at_fpr"]


def auroc(members: NDArray[np.float64], others: NDArray[np.float64], confidence: float) -> Estimate:
    """P(a member scores higher) + P(equal) / 2, with DeLong's interval."""
    values = np.concatenate([members, others])
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    truth = np.repeat([1, 0], [len(members), len(others)]).astype(np.int64)
    score = (ranks + 0.5) / (ranks.max() + 1.0)
    return estimate(METRICS["auroc"], Outcome("binary", truth, score, 0.5, None), confidence=confidence)


def tpr_at_fpr(
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    fpr: float,
    *,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
) -> Estimate:
    """Share of members above the threshold that `fpr` of non-members exceed; at least one non-member must."""
    n, m = len(members), len(others)
    if m * fpr < 1:
        return Estimate.insufficient(f"{m} non-members are too few for a false positive rate of {fpr:.1%}", n=n)
    ordered = np.sort(others)
    found = _above(members, ordered, fpr)
    rank = min(math.floor((1 - fpr) * m) + 1, m)  # of the threshold among the non-members
    drawn = np.minimum((rng.beta(rank, m - rank + 1, max(replicates, 1000)) * m).astype(int), m - 1)
    at = _share_above(members, ordered[drawn], ordered, fpr)
    shares = rng.beta(at * n + 0.5, (1 - at) * n + 0.5)
    low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2])
    method = f"members above the threshold of {fpr:.1%} false positives; both sides redrawn"
    return Estimate(found, min(float(low), found), max(float(high), found), n, method, confidence=confidence)


def _above(members: NDArray[np.float64], ordered: NDArray[np.float64], fpr: float) -> float:
    """Exactly `fpr` of the non-members: of those who tie with the threshold a share counts, and the same share of members."""
    m = len(ordered)
    threshold = ordered[min(math.floor((1 - fpr) * m), m - 1)]
    over = float((ordered > threshold).mean())
    ties = float((ordered == threshold).mean())
    share = (fpr - over) / ties
    return float((members > threshold).mean() + share * (members == threshold).mean())


def _share_above(
    members: NDArray[np.float64], thresholds: NDArray[np.float64], ordered: NDArray[np.float64], fpr: float
) -> NDArray[np.float64]:
    """Share of members above each redrawn threshold, ties in proportion where many non-members have the threshold's score."""
    held = np.sort(members)
    n, m = len(held), len(ordered)
    above = n - np.searchsorted(held, thresholds, "right")
    equal = np.searchsorted(held, thresholds, "right") - np.searchsorted(held, thresholds, "left")
    over = m - np.searchsorted(ordered, thresholds, "right")
    ties = np.searchsorted(ordered, thresholds, "right") - np.searchsorted(ordered, thresholds, "left")
    share = np.clip((fpr * m - over) / np.maximum(ties, 1), 0, 1)
    return np.asarray((above + share * equal) / n)


def f1(members: NDArray[np.float64], others: NDArray[np.float64], threshold: float, prevalence: float) -> float:
    """F1 of calling everybody above the threshold a member, where `prevalence` of the people tried are (El Emam et al. 2022)."""
    hit, false = float((members > threshold).mean()), float((others > threshold).mean())
    called = prevalence * hit + (1 - prevalence) * false
    return 0.0 if called + prevalence == 0 else 2 * prevalence * hit / (called + prevalence)


def clopper_pearson(successes: float, n: int, confidence: float) -> tuple[float, float]:
    """Exact two-sided interval of a proportion."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if successes <= 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def epsilon_bound(
    members: NDArray[np.float64], others: NDArray[np.float64], threshold: float, *, delta: float, confidence: float
) -> float:
    """Largest epsilon that the scores refute: max(0, ln((TPR_low - delta) / FPR_high)), and the same for calling non-members.

    The threshold must come from other people than these (Jagielski et al. 2020; Steinke et al. 2023).
    """
    bounds = [0.0]
    for hit, n, false, m in (
        ((members > threshold).sum(), len(members), (others > threshold).sum(), len(others)),
        ((others <= threshold).sum(), len(others), (members <= threshold).sum(), len(members)),
    ):
        least = clopper_pearson(float(hit), n, 1 - (1 - confidence) / 2)[0] - delta
        most = clopper_pearson(float(false), m, 1 - (1 - confidence) / 2)[1]
        if least > 0:
            bounds.append(math.log(least / most))
    return max(bounds)
