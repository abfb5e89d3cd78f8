"""Did training on synthetic rows make the groups less equal than training on real ones? gap(TSTR) - gap(TRTR), on the same rows.

A gap is the largest difference between two groups, so the amplification is the largest over pairs p of the smallest over pairs q
of a_p - b_q, with a_p the difference of pair p under TSTR and b_q of pair q under TRTR. Resampling it fails where groups are alike:
every resample shows a gap. Bounds on all a_p - b_q bound it instead, for whichever pairs truly are the widest: with L and U the
limits of each contrast, max_p min_q L <= amplification <= max_p min_q U. The lower bound needs limits that hold for all p
against the true widest q at once, the upper one for all q against the true widest p; so each takes the critical value of its own
family of contrasts (max-t; Hothorn, Bretz & Westfall 2008, doi 10.1002/bimj.200810425). Pairs that are clearly not the widest are
left out of the family at a tenth of the error (two steps, as in Romano, Shaikh & Wolf 2014, doi 10.3982/ECTA9011), so that the
usual paired interval remains where the widest pairs are plain to see.

Variances and covariances are those of the influences of rows, by subject where there are subjects; both models are measured on
the same rows, so what they share cancels. A share of rows never varies by nothing: its variance is taken at (hits + 1) / (n + 2),
and a discordant row is added to either side (Bonett & Price 2012, doi 10.3102/1076998611411915).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import ndtr, stdtrit

from synthml.estimate import Estimate
from synthml.estimate.linear import spread as spread_of
from synthml.estimate.proportions import effective_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.estimate.linear import Linearised
    from synthml.metrics import Metric, Outcome

__all__ = ["Both", "amplification", "both"]

_DRAWS = 4_000
_FIRST_STEP = 0.1  # of the error is spent on telling which pairs may be the widest
_TINY = 1e-18


@dataclass(frozen=True, eq=False)
class Both:
    """Figures of k groups under TSTR, then under TRTR.

    values, df (2k,): and the degrees of freedom of their variances; covariance (2k, 2k); block (k,): which metric a figure is
    of, when two are looked at together; same: both models say the same on every row; n: rows.
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    df: NDArray[np.float64]
    block: NDArray[np.int64]
    same: bool
    n: int

    @cached_property
    def pairs(self) -> NDArray[np.float64]:
        """(pairs, k) weights: plus one, minus one, for every two groups of one block, each way round."""
        alike = self.block[:, None] == self.block[None, :]
        np.fill_diagonal(alike, False)
        first, second = np.nonzero(alike)
        weights = np.zeros((first.size, self.block.size))
        weights[np.arange(first.size), first] = 1
        weights[np.arange(first.size), second] = -1
        return weights

    def gaps(self) -> tuple[float, float]:
        """The largest difference under TSTR, and under TRTR."""
        k = self.block.size
        return float((self.pairs @ self.values[:k]).max()), float((self.pairs @ self.values[k:]).max())


def both(
    metrics: Sequence[Metric], tstr: Sequence[Outcome], trtr: Sequence[Outcome], found: Sequence[Sequence[Linearised]]
) -> Both:
    """Put the figures of several metrics, groups and both models together.

    tstr, trtr: the groups' rows, in one order; found: per metric the linearised figures of the TSTR groups, then the TRTR groups.
    """
    figures = [one for each in found for one in each[: len(tstr)]] + [one for each in found for one in each[len(tstr) :]]
    pieces = [*tstr] * len(metrics)
    covariance = _covariance([*pieces, *pieces], figures)
    per = len(tstr) * len(metrics)
    named = [metric for metric in metrics for _ in tstr]
    models = [*tstr] * len(metrics) + [*trtr] * len(metrics)
    behind = [_behind(metric, piece) for metric, piece in zip([*named, *named], models, strict=True)]
    smoothed = np.array(
        [
            _smoothed(metric, one.value, float(variance), *each)
            for metric, one, variance, each in zip([*named, *named], figures, np.diag(covariance), behind, strict=True)
        ]
    )
    seen = np.sqrt(np.maximum(np.diag(covariance), _TINY))
    correlation = covariance / np.outer(seen, seen)
    np.fill_diagonal(correlation, 1.0)
    covariance = correlation * np.sqrt(np.outer(smoothed, smoothed))
    for at, metric in enumerate(named):
        if metric.scale == "proportion":
            units = min(behind[at][1], behind[per + at][1])
            covariance[at, per + at] -= 1 / (units + 2) ** 2
            covariance[per + at, at] -= 1 / (units + 2) ** 2
    df = [
        max(min(spread_of(one.influence, piece.clusters).df, units - 1), 1.0)
        for one, piece, (_, units) in zip(figures, models, behind, strict=True)
    ]
    same = all(np.array_equal(a.score, b.score) and a.threshold == b.threshold for a, b in zip(tstr, trtr, strict=True))
    return Both(
        np.array([one.value for one in figures]),
        covariance,
        np.array(df),
        np.repeat(np.arange(len(metrics)), len(tstr)),
        same,
        sum(piece.n for piece in tstr),
    )


def _behind(metric: Metric, piece: Outcome) -> tuple[int, int]:
    """Rows and independent units that a figure rests on."""
    among = np.ones(piece.n, dtype=bool) if metric.among is None else metric.among(piece)
    if metric.rarer_class and piece.task == "binary":
        among = piece.truth == (1 if 2 * np.count_nonzero(piece.truth) <= piece.n else 0)
    rows = int(np.count_nonzero(among))
    return rows, rows if piece.clusters is None else int(np.unique(piece.clusters[among]).size)


def _smoothed(metric: Metric, value: float, variance: float, rows: int, units: int) -> float:
    if metric.scale != "proportion":
        return max(variance, 0.0)
    size = effective_size(value, variance, rows, units)
    p = (value * size + 1) / (size + 2)
    return p * (1 - p) / (size + 2)


def _covariance(pieces: Sequence[Outcome], found: Sequence[Linearised]) -> NDArray[np.float64]:
    """(m, m) of figures on rows that some share: `pieces` of the same rows are one object.

    By subject: totals of the influences. Otherwise only figures of the same rows vary together.
    """
    if pieces[0].clusters is None:
        covariance = np.zeros((len(pieces), len(pieces)))
        rows: dict[int, list[int]] = {}
        for at, piece in enumerate(pieces):
            rows.setdefault(id(piece), []).append(at)
        for places in rows.values():
            influence = np.stack([found[at].influence for at in places])
            n = influence.shape[1]
            covariance[np.ix_(places, places)] = np.einsum("in,jn->ij", influence, influence) * (n / max(n - 1, 1))
        return covariance
    clusters = [piece.clusters for piece in pieces if piece.clusters is not None]
    units = {id(codes): np.unique(codes).size for codes in clusters}
    factor = [np.sqrt(units[id(codes)] / max(units[id(codes)] - 1, 1)) for codes in clusters]
    subject = np.concatenate(clusters)
    place = np.repeat(np.arange(len(pieces)), [codes.size for codes in clusters])
    influence = np.concatenate([one.influence * f for one, f in zip(found, factor, strict=True)])
    totals = sparse.csr_matrix((influence, (subject, place)), shape=(int(subject.max()) + 1, len(pieces)))
    return np.asarray((totals.T @ totals).toarray())


def amplification(figures: Both, *, confidence: float, rng: np.random.Generator) -> Estimate:
    """gap(TSTR) - gap(TRTR) with an interval that holds however many groups are alike. At least two groups a block."""
    wide, base = figures.gaps()
    method = "simultaneous over pairs of groups under both models (max-t in two steps), paired"
    if figures.same:
        told = "exact: both models say the same on every row"
        return Estimate(0.0, 0.0, 0.0, n=figures.n, method=told, confidence=confidence)
    contrasts = _Contrasts(figures, rng)
    low, high = contrasts.bounds(1 - confidence)
    value = wide - base
    return Estimate(value, min(low, value), max(high, value), n=figures.n, method=method, confidence=confidence)


class _Contrasts:
    """a_p - b_q for every pair p under TSTR and every pair q under TRTR."""

    def __init__(self, figures: Both, rng: np.random.Generator) -> None:
        k = figures.block.size
        weights = figures.pairs
        cov = figures.covariance
        self.a, self.b = weights @ figures.values[:k], weights @ figures.values[k:]
        own = weights @ cov[:k, :k] @ weights.T
        other = weights @ cov[k:, k:] @ weights.T
        between = weights @ cov[:k, k:] @ weights.T
        self.errors = np.sqrt(np.maximum(np.diag(own)[:, None] + np.diag(other)[None, :] - 2 * between, 0.0))
        # Satterthwaite: four figures, each with its own degrees of freedom
        apart = np.diag(cov) ** 2 / figures.df
        parts = (weights**2 @ apart[:k])[:, None] + (weights**2 @ apart[k:])[None, :]
        total = (weights**2 @ np.diag(cov)[:k])[:, None] + (weights**2 @ np.diag(cov)[k:])[None, :]
        self.df = np.maximum(total**2 / np.maximum(parts, _TINY**2), 1.0)
        values, vectors = np.linalg.eigh(cov)
        drawn = rng.standard_normal((_DRAWS, 2 * k)) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        self.drawn_a, self.drawn_b = drawn[:, :k] @ weights.T, drawn[:, k:] @ weights.T

    def bounds(self, error: float) -> tuple[float, float]:
        """Lower and upper bound, each missed with half the error."""
        spent = _FIRST_STEP * error
        keep_a = _may_be_widest(self.a, self.drawn_a, spent / 2)
        keep_b = _may_be_widest(self.b, self.drawn_b, spent / 2)
        p, q = int(self.a.argmax()), int(self.b.argmax())
        left = (error - spent) / 2
        below = self._critical(self.drawn_a[:, keep_a] - self.drawn_b[:, [q]], self.errors[keep_a, q], left)
        above = self._critical(self.drawn_b[:, keep_b] - self.drawn_a[:, [p]], self.errors[p, keep_b], left)
        gap = self.a[:, None] - self.b[None, :]
        kept = np.ix_(keep_a, keep_b)
        low = (gap - self._wider(below) * self.errors)[kept].min(axis=1).max()
        high = (gap + self._wider(above) * self.errors)[kept].min(axis=1).max()
        return float(low), float(high)

    def _critical(self, deviations: NDArray[np.float64], errors: NDArray[np.float64], tail: float) -> float:
        standard = deviations / np.maximum(errors, np.sqrt(_TINY))
        return float(np.quantile(standard.max(axis=1), 1 - tail))

    def _wider(self, critical: float) -> NDArray[np.float64]:
        """(pairs, pairs) Student's quantiles of the same level."""
        return np.asarray(stdtrit(self.df, ndtr(critical)))


def _may_be_widest(values: NDArray[np.float64], drawn: NDArray[np.float64], error: float) -> NDArray[np.intp]:
    """Pairs that the data do not rule out as the widest: not clearly below the widest that was found."""
    best = int(values.argmax())
    errors = np.sqrt(np.maximum((drawn - drawn[:, [best]]).var(axis=0), 0.0))
    standard = (drawn - drawn[:, [best]]) / np.where(errors > 0, errors, 1.0)
    critical = float(np.quantile(np.abs(standard).max(axis=1), 1 - error))
    return np.flatnonzero(values + critical * errors >= values[best])
