"""Did training on synthetic rows make the groups less equal than training on real ones? gap(TSTR) - gap(TRTR), on the same rows.

A gap is the largest difference between two groups. With a_p the difference of pair p under TSTR and b_q of pair q under TRTR, the
amplification is max_p a_p - max_q b_q. Resampling it fails where groups are alike: every resample shows a gap. Limits L and U of
the contrasts a_p - b_q bound it instead, whichever pairs truly are the widest:

    min_q max_p L  <=  max_p a_p - max_q b_q  <=  max_p min_q U

The lower bound needs limits that hold for all p against the widest q at once, the upper one for all q against the widest p, so
each takes the critical value of its own family of contrasts (max-t; Hothorn, Bretz & Westfall 2008, doi 10.1002/bimj.200810425).
In either order each pair is compared with itself, where the models share most, so the bounds are never much wider than those of
paired differences. Pairs that are clearly not the widest are left out at a tenth of the error (two steps, as in Romano, Shaikh &
Wolf 2014, doi 10.3982/ECTA9011): where the widest pairs are plain to see the
usual paired interval remains.

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
from scipy.special import ndtri

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
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions (pairs,) and (pairs,) of every two groups of one block, each way round."""
        alike = self.block[:, None] == self.block[None, :]
        np.fill_diagonal(alike, False)
        first, second = np.nonzero(alike)
        return first, second

    def gaps(self) -> tuple[float, float]:
        """The largest difference under TSTR, and under TRTR."""
        tstr, trtr = np.split(self.values, 2)
        first, second = self.pairs
        return float((tstr[first] - tstr[second]).max()), float((trtr[first] - trtr[second]).max())


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
    low, high = _Contrasts(figures, rng, 1 - confidence).bounds()
    value = wide - base
    return Estimate(value, min(low, value), max(high, value), n=figures.n, method=method, confidence=confidence)


class _Contrasts:
    """a_p - b_q for every pair p that may be the widest under TSTR, and every such pair q under TRTR."""

    def __init__(self, figures: Both, rng: np.random.Generator, error: float) -> None:
        k = figures.block.size
        spent = _FIRST_STEP * error
        self.left = error - spent
        p = _may_be_widest(figures.values[:k], figures.covariance[:k, :k], figures.pairs, spent / 2)
        q = _may_be_widest(figures.values[k:], figures.covariance[k:, k:], figures.pairs, spent / 2)
        (one, two), (three, four) = p, (q[0] + k, q[1] + k)
        self.a, self.b = figures.values[one] - figures.values[two], figures.values[three] - figures.values[four]
        cov, variance = figures.covariance, np.diag(figures.covariance)
        own = variance[one] + variance[two] - 2 * cov[one, two]
        other = variance[three] + variance[four] - 2 * cov[three, four]
        between = cov[np.ix_(one, three)] - cov[np.ix_(one, four)] - cov[np.ix_(two, three)] + cov[np.ix_(two, four)]
        self.errors = np.sqrt(np.maximum(own[:, None] + other[None, :] - 2 * between, 0.0))
        # Satterthwaite: four figures, each with its own degrees of freedom
        apart = variance**2 / figures.df
        total = (variance[one] + variance[two])[:, None] + (variance[three] + variance[four])[None, :]
        parts = (apart[one] + apart[two])[:, None] + (apart[three] + apart[four])[None, :]
        self.df = np.maximum(total**2 / np.maximum(parts, _TINY**2), 2.0)
        # the symmetric root of the correlations does not jump where eigenvalues are nearly equal, nor with the unit of the metric
        deviation = np.sqrt(np.maximum(variance, _TINY))
        values, vectors = np.linalg.eigh(cov / np.outer(deviation, deviation))
        root = (deviation[:, None] * ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)).astype(np.float32)
        drawn = root @ rng.standard_normal((2 * k, _DRAWS), dtype=np.float32)
        self.drawn_a, self.drawn_b = drawn[one] - drawn[two], drawn[three] - drawn[four]

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound, each missed with half the error."""
        p, q = int(self.a.argmax()), int(self.b.argmax())
        below = self._critical(self.drawn_a - self.drawn_b[q], self.errors[:, q])
        above = self._critical(self.drawn_b - self.drawn_a[p], self.errors[p])
        gap = self.a[:, None] - self.b[None, :]
        low = (gap - _students(below, self.df) * self.errors).max(axis=0).min()
        high = (gap + _students(above, self.df) * self.errors).min(axis=1).max()
        return float(low), float(high)

    def _critical(self, deviations: NDArray[np.float32], errors: NDArray[np.float64]) -> float:
        precision = (1 / np.maximum(errors, np.sqrt(_TINY))).astype(np.float32)
        return float(np.quantile((deviations * precision[:, None]).max(axis=0), 1 - self.left / 2))


def _students(z: float, df: NDArray[np.float64]) -> NDArray[np.float64]:
    """Student's quantiles at the level of a normal one, by three terms of Fisher's expansion (within 1% from 4 degrees on)."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return np.asarray(z + first / df + second / df**2 + third / df**3)


def _may_be_widest(
    values: NDArray[np.float64], covariance: NDArray[np.float64], pairs: tuple[NDArray[np.intp], NDArray[np.intp]], error: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that the data do not rule out as the widest: not clearly narrower than the widest that was found (Bonferroni)."""
    first, second = pairs
    gaps = values[first] - values[second]
    best = int(gaps.argmax())
    variance = np.diag(covariance)
    shift = np.zeros((values.size, first.size))
    place = np.arange(first.size)
    np.add.at(shift, (first, place), 1.0)
    np.add.at(shift, (second, place), -1.0)
    shift[first[best]] -= 1.0
    shift[second[best]] += 1.0
    errors = np.sqrt(np.maximum((shift * (covariance @ shift)).sum(axis=0), _TINY * variance.max()))
    kept = gaps + float(ndtri(1 - error / max(first.size, 1))) * errors >= gaps[best]
    kept[best] = True
    return first[kept], second[kept]
