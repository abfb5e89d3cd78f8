"""Copies: do rows of the source stand in the synthetic table?

The share of synthetic rows that equal a source row in every value, each weighted by one over how many patients of the source have
that row: a combination that many people have is nobody's copy. The same share against the holdout, cut to as many patients, is
what people who gave nothing have in common with the table; `excess` is the difference, over the share of the source that was kept
when the holdout is smaller. `near_copies` are rows within a small distance.

The interval of the excess takes synthetic rows that match the same real row together, for they come and go with it; without a
difference between source and holdout the expected excess of every real row is nil, so the sum of squares is its variance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from synthml.disclosure.attack import ThreatModel, group_rows
from synthml.disclosure.finding import NO_HOLDOUT, Finding, Trials, attempt_of, worst_group
from synthml.disclosure.matches import row_codes
from synthml.estimate import Estimate
from synthml.estimate.proportions import quantile
from synthml.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground

__all__ = ["THREAT_MODEL", "finding", "holders", "weighted_share"]

THREAT_MODEL = ThreatModel(
    question="Are real patients copied into the table?",
    knows="the record of a person",
    tries="to find it in the synthetic table, exactly or nearly",
    succeeds="when synthetic rows repeat rows of the source more often than they happen to repeat those of strangers",
)


def holders(rows: NDArray[np.int64], units: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(size,) how many patients have each row. rows: codes of whole rows below `size`."""
    pairs = np.unique(units * size + rows)
    return np.bincount(pairs % size, minlength=size)


def weighted_share(real: NDArray[np.int64], units: NDArray[np.int64], synthetic: NDArray[np.int64]) -> float:
    """Share of synthetic rows that stand among the real ones, each over how many patients have it. Codes of whole rows."""
    size = int(max(real.max(initial=0), synthetic.max(initial=0))) + 1
    return float(_weights(holders(real, units, size), synthetic).mean()) if len(synthetic) else 0.0


def _weights(counts: NDArray[np.int64], synthetic: NDArray[np.int64]) -> NDArray[np.float64]:
    held = counts[synthetic]
    return np.divide(1.0, held, out=np.zeros(len(synthetic)), where=held > 0)


def finding(ground: Ground) -> Finding:
    """Shares of exact and near copies, their excess over the holdout, and in which groups real rows were copied."""
    source, made, held = row_codes(ground)
    figures = _exact(ground, source, made, held) | _near(ground)
    copied = np.isin(source, made)
    alone = holders(source, ground.source.units, int(source.max(initial=0)) + 1) == 1
    hits = np.flatnonzero(copied & alone[source])
    trials = Trials(copied, None if held is None else np.isin(held, made), np.zeros(len(source)))
    attempt = attempt_of(ground, "exact", trials)
    if attempt.groups:
        figures["disclosure.copies.worst_group/all"] = worst_group(attempt.groups, ground.confidence)[0]
    return Finding(figures, {"disclosure_groups": tuple(group_rows("copies", "all", attempt))}, (), {"copies": hits})


def _exact(
    ground: Ground, source: NDArray[np.int64], made: NDArray[np.int64], held: NDArray[np.int64] | None
) -> dict[str, Estimate]:
    size = int(max(part.max(initial=0) for part in (source, made, *([] if held is None else [held])))) + 1
    met = _weights(holders(source, ground.source.units, size), made)
    share = _mean(
        met, ground.synthetic.units, ground.confidence, f"share of synthetic rows, over the {ground.unit} that have them"
    )
    if held is None or ground.holdout is None:
        return {"disclosure.copies.share/all": share, "disclosure.copies.excess/all": _nothing(len(made))}
    here, there = _equal(ground)
    gap = _weights(holders(source[here], ground.source.units[here], size), made)
    gap -= _weights(holders(held[there], ground.holdout.units[there], size), made)
    excess = _gap(gap, made, ground, "share against the source minus share against the holdout")
    return {"disclosure.copies.share/all": share, "disclosure.copies.excess/all": excess}


def _near(ground: Ground) -> dict[str, Estimate]:
    near = ground.settings.near
    made = ground.synthetic
    found = ground.near("synthetic", "source")
    share = _mean(
        (found.distance[:, 0] <= near).astype(float), made.units, ground.confidence, f"share of synthetic rows within {near:g}"
    )
    if ground.holdout is None:
        return {"disclosure.near_copies.share/all": share, "disclosure.near_copies.excess/all": _nothing(len(made))}
    here, there = _equal(ground)
    if len(here) < len(ground.source):
        found = nearest(made.encoded, ground.source.encoded.rows(here), k=1)
    whole = len(there) == len(ground.holdout)
    other = ground.near("synthetic", "holdout") if whole else nearest(made.encoded, ground.holdout.encoded.rows(there), k=1)
    gap = (found.distance[:, 0] <= near).astype(float) - (other.distance[:, 0] <= near)
    winner = np.where(found.distance[:, 0] <= other.distance[:, 0], found.index[:, 0], len(ground.source) + other.index[:, 0])
    method = f"share within {near:g} of the source minus that of the holdout"
    return {"disclosure.near_copies.share/all": share, "disclosure.near_copies.excess/all": _gap(gap, winner, ground, method)}


def _equal(ground: Ground) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of equally many patients of source and holdout."""
    assert ground.holdout is not None
    count = min(ground.source.count, ground.holdout.count)
    rng = ground.rng("copies")
    return ground.source.rows_of_units(count, rng), ground.holdout.rows_of_units(count, rng)


def _nothing(n: int) -> Estimate:
    return Estimate.insufficient(NO_HOLDOUT, n=n)


def _mean(values: NDArray[np.float64], units: NDArray[np.int64], confidence: float, method: str) -> Estimate:
    value = float(values.mean())
    error = math.sqrt(float((np.bincount(units, weights=values - value) ** 2).sum())) / len(values)
    half = quantile(confidence) * error
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), len(values), method, confidence=confidence)


def _gap(gap: NDArray[np.float64], matched: NDArray[np.int64], ground: Ground, method: str) -> Estimate:
    """Mean of a difference whose rows come and go with the real row that they match, and with the synthetic patient."""
    by_match = np.bincount(np.unique(matched, return_inverse=True)[1], weights=gap)
    by_patient = np.bincount(ground.synthetic.units, weights=gap)
    n = len(gap)
    # one row more on either side: no match among those seen does not prove that there are none
    error = math.sqrt(max(float((by_match**2).sum()), float((by_patient**2).sum())) + 1) / n
    assert ground.holdout is not None
    cut = min(ground.holdout.count / ground.source.count, 1.0)  # of the source: a copied patient is met there with this chance
    half, value = quantile(ground.confidence) * error / cut, float(gap.mean()) / cut
    return Estimate(value, value - half, value + half, n, f"{method}, by matched row", confidence=ground.confidence)
