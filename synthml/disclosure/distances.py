"""Distances: do synthetic rows lie nearer to the source than they should? May fail a table, never pass one.

`distance_share`  share of synthetic rows nearer to their nearest source row than that row's own nearest source row is (the
                  reading of the Korean guide of 2024); ties stay out
`nearest_share`   P(nearer to the source than to the holdout), ties half, with equally many patients in both; a half without a
                  leak
`nndr`            5th percentile of the ratio of nearest to second nearest distance, to the holdout minus to the source: positive
                  where synthetic rows cling to single source rows

Synthetic rows with the same nearest real row come and go together. Under exchange of source and holdout each real row is in
either with equal chance, so the variance of a share is p (1 - p) times the sum of squared shares of synthetic rows per real
patient: an effective number of patients, at which Wilson's interval is taken. Known to miss leaks (Yao et al. 2025, arXiv
2505.01524).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.disclosure.attack import ThreatModel
from synthml.disclosure.finding import NO_HOLDOUT, Finding
from synthml.estimate import Estimate
from synthml.estimate.proportions import quantile, wilson
from synthml.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground
    from synthml.neighbours import Neighbours

__all__ = ["THREAT_MODEL", "finding"]

QUANTILE = 0.05
WARNING = "may fail, never pass"
THREAT_MODEL = ThreatModel(
    question="Are synthetic rows too near to real ones?",
    knows="nothing about anybody",
    tries="to see whether synthetic rows keep closer to the source than to strangers",
    succeeds="when they do; distances miss some leaks, so a quiet answer proves nothing",
)


def finding(ground: Ground) -> Finding:
    """The three figures; without holdout only the first."""
    figures = {"disclosure.distance_share/all": _distance_share(ground)}
    if ground.holdout is None:
        missing = Estimate.insufficient(NO_HOLDOUT)
        return Finding({**figures, "disclosure.nearest_share/all": missing, "disclosure.nndr/all": missing})
    count, rng = min(ground.source.count, ground.holdout.count), ground.rng("distances")
    sides = (ground.source, ground.holdout)
    cut = [side.take_units(count, rng) if count < side.count else side for side in sides]
    met = [
        ground.near("synthetic", whole.role) if side is whole else nearest(ground.synthetic.encoded, side.encoded, k=2)
        for side, whole in zip(cut, sides, strict=True)
    ]
    units = [side.units[found.index[:, 0]] for side, found in zip(cut, met, strict=True)]
    figures["disclosure.nearest_share/all"] = _nearest_share(ground, met, units, count)
    figures["disclosure.nndr/all"] = _nndr(ground, met, units)
    return Finding(figures)


def _effective(owners: NDArray[np.int64], most: int) -> float:
    """How many patients a share over synthetic rows rests on, from the patient each row lies next to."""
    counts = np.bincount(np.unique(owners, return_inverse=True)[1]).astype(float)
    return min(float(counts.sum() ** 2 / (counts**2).sum()), float(most))


def _share(value: float, n: float, rows: int, method: str, confidence: float) -> Estimate:
    low, high = wilson(value, n, quantile(confidence))
    return Estimate(value, low, high, rows, f"{method}; {WARNING}", confidence=confidence)


def _distance_share(ground: Ground) -> Estimate:
    if len(ground.source) < 2:
        return Estimate.insufficient("the source has one row: it has no neighbour", n=len(ground.source))
    made, own = ground.near("synthetic", "source"), ground.near("source", "source")
    star = made.index[:, 0]
    nearer = made.distance[:, 0] < own.distance[star, 0]
    apart = made.distance[:, 0] != own.distance[star, 0]
    if not apart.any():
        return Estimate.insufficient("every synthetic row is a tie: as near as the source row's own neighbour", n=len(star))
    n = _effective(ground.source.units[star[apart]], ground.synthetic.count)
    ties = 1 - float(apart.mean())
    method = f"share of synthetic rows nearer than the source's own neighbours, {ties:.1%} ties left out"
    return _share(float(nearer[apart].mean()), n, int(apart.sum()), method, ground.confidence)


def _nearest_share(ground: Ground, met: list[Neighbours], units: list[NDArray[np.int64]], count: int) -> Estimate:
    source, holdout = (found.distance[:, 0] for found in met)
    value = float(((source < holdout) + 0.5 * (source == holdout)).mean())
    owners = np.where(source <= holdout, units[0], units[1] + count)
    n = _effective(owners, ground.synthetic.count)
    ties = float((source == holdout).mean())
    method = f"share nearer to the source than to the holdout, {ties:.1%} ties as half, by nearest patient (Wilson)"
    return _share(value, n, len(owners), method, ground.confidence)


def _nndr(ground: Ground, met: list[Neighbours], units: list[NDArray[np.int64]]) -> Estimate:
    bounds = [_quantile(found, owners, ground) for found, owners in zip(met, units, strict=True)]
    if any(bound is None for bound in bounds):
        return Estimate.insufficient("source or holdout has fewer than two rows")
    (a, a_low, a_high), (b, b_low, b_high) = (bound for bound in bounds if bound is not None)
    low, high = b - a - math.hypot(b - b_low, a_high - a), b - a + math.hypot(b_high - b, a - a_low)
    method = f"{QUANTILE:.0%} quantile of nearest over second nearest distance, holdout minus source (Woodruff); {WARNING}"
    return Estimate(b - a, low, high, len(units[0]), method, confidence=ground.confidence)


def _quantile(found: Neighbours, owners: NDArray[np.int64], ground: Ground) -> tuple[float, float, float] | None:
    """The quantile of the ratio with bounds at the order statistics of its share (Woodruff 1952, doi 10.2307/2280781)."""
    if found.distance.shape[1] < 2:
        return None
    first, second = found.distance[:, 0], found.distance[:, 1]
    if not np.isfinite(second).all():
        return None
    ratio = np.divide(first, second, out=np.ones(len(first)), where=second > 0)
    low, high = wilson(QUANTILE, _effective(owners, ground.synthetic.count), quantile(ground.confidence))
    return (
        float(np.quantile(ratio, QUANTILE)),
        float(np.quantile(ratio, low, method="lower")),
        float(np.quantile(ratio, high, method="higher")),
    )
