"""The figures of all groups of a column together: how their errors vary and covary.

rates    shares of confusion cells, by the bootstrap of cells: exact for ratios of counts, such as a PPV with few calls
smooth   every other metric, by the influence of each row (linearised), whose totals by subject carry the covariance between
         groups that share subjects

Without subjects the groups of a column are independent. The variance of a rate is taken at (hits + 1) / (n + 2): an observed rate
of 0 or 1 is no proof that nothing varies (Agresti & Caffo 2000, doi 10.1080/00031305.2000.10474560).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import ndtr, stdtrit

from synthml.estimate.linear import covariance
from synthml.estimate.linear import spread as spread_of
from synthml.estimate.proportions import effective_size
from synthml.metrics import METRICS
from synthml.metrics.intervals import interval
from synthml.subgroups.disparities import Groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.estimate.linear import Linearised
    from synthml.metrics import Metric, Outcome
    from synthml.subgroups.cells import Cells

__all__ = ["rates", "smooth"]

_RARER_CLASS = ("auroc", "average_precision", "calibration_slope")


@dataclass(frozen=True)
class _Figure:
    """One group's figure on its own. n, units: rows and independent units that it rests on; df: of its variance."""

    metric: Metric
    value: float
    variance: float
    n: int
    units: int
    df: float = math.inf

    def bounds(self, z: float) -> tuple[float, float]:
        """At a normal quantile z, which few units, or a few that carry most, widen to Student's."""
        if self.metric.scale != "proportion":
            z = float(stdtrit(max(min(self.df, self.units - 1), 1), ndtr(z)))
        low, high, _ = interval(self.metric, self.value, self.variance, self.n, self.units, 0.95, z=z)
        return min(low, self.value), max(high, self.value)

    @property
    def smoothed(self) -> float:
        """Variance of a rate, away from 0 even where the rate is 0 or 1."""
        size = effective_size(self.value, self.variance, self.n, self.units)
        p = (self.value * size + 1) / (size + 2)
        return p * (1 - p) / (size + 2)


def _together(
    figures: Sequence[_Figure], spread: NDArray[np.float64], draws: NDArray[np.float64], block: NDArray[np.int64], n: int
) -> Groups:
    def limits(z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        bounds = np.array([figure.bounds(z) for figure in figures])
        return bounds[:, 0], bounds[:, 1]

    return Groups(np.array([figure.value for figure in figures]), spread, draws, limits, block, n)


def rates(metrics: Sequence[str], pieces: Sequence[Outcome], cells: Cells, protocol: str) -> Groups:
    """Shares of confusion cells of every group, each metric a block of its own.

    pieces: the groups' rows under `protocol`; cells: their counts and draws, in the same order. Every rate must exist.
    """
    figures, drawn = [], []
    for name in metrics:
        values = cells.values(name, protocol)
        deviations = np.nan_to_num(cells.redrawn(name, protocol) - values)  # a draw without the rate tells nothing: no deviation
        drawn.append(deviations)
        for value, variance, piece in zip(values, deviations.var(axis=0), pieces, strict=True):
            metric = METRICS[name]
            among = np.ones(piece.n, dtype=bool) if metric.among is None else metric.among(piece)
            figures.append(_Figure(metric, float(value), float(variance), int(among.sum()), _people(piece, among)))
    draws = np.concatenate(drawn, axis=1)
    variances = np.array([figure.smoothed for figure in figures])
    spread = np.diag(variances)
    if pieces[0].clusters is not None:
        errors = np.sqrt(variances)
        seen = draws.std(axis=0)
        standard = draws / np.where(seen > 0, seen, 1.0)
        spread = standard.T @ standard / len(draws) * np.outer(errors, errors)
        np.fill_diagonal(spread, variances)
    block = np.repeat(np.arange(len(metrics)), len(pieces))
    return _together(figures, spread, draws, block, sum(piece.n for piece in pieces))


def smooth(
    metric: Metric, pieces: Sequence[Outcome], found: Sequence[Linearised], *, replicates: int, rng: np.random.Generator
) -> Groups:
    """Any metric of every group from its influences; draws are normal."""
    spread = _covariance(pieces, found)
    figures = [
        _Figure(metric, one.value, float(variance), piece.n, _units(metric, piece), spread_of(one.influence, piece.clusters).df)
        for one, variance, piece in zip(found, np.diag(spread), pieces, strict=True)
    ]
    values, vectors = np.linalg.eigh(spread)
    draws = rng.standard_normal((replicates, len(pieces))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    block = np.zeros(len(pieces), dtype=np.int64)
    return _together(figures, spread, draws, block, sum(piece.n for piece in pieces))


def _units(metric: Metric, piece: Outcome) -> int:
    if metric.name in _RARER_CLASS and piece.task == "binary":
        return min(_people(piece, piece.truth == 0), _people(piece, piece.truth == 1))
    return _people(piece, np.ones(piece.n, dtype=bool))


def _people(piece: Outcome, rows: NDArray[np.bool_]) -> int:
    """Subjects, or rows when they are independent, among some rows; subjects are coded 0, 1, 2, ..."""
    if piece.clusters is None:
        return int(np.count_nonzero(rows))
    return int(np.count_nonzero(np.bincount(piece.clusters[rows])))


def _covariance(pieces: Sequence[Outcome], found: Sequence[Linearised]) -> NDArray[np.float64]:
    """(groups, groups): by totals of subjects when there are subjects, who may have rows in several groups."""
    if pieces[0].clusters is None:
        return np.diag([float(covariance(one.influence[None, :])[0, 0]) for one in found])
    clusters = [piece.clusters for piece in pieces if piece.clusters is not None]
    units = [len(np.unique(codes)) for codes in clusters]
    _, subject = np.unique(np.concatenate(clusters), return_inverse=True)
    group = np.repeat(np.arange(len(pieces)), [codes.size for codes in clusters])
    factor = [math.sqrt(u / (u - 1)) for u in units]
    influence = np.concatenate([one.influence * f for one, f in zip(found, factor, strict=True)])
    totals = sparse.csr_matrix((influence, (subject, group)), shape=(int(subject.max()) + 1, len(pieces)))
    return np.asarray((totals.T @ totals).toarray())
