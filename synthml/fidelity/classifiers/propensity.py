"""pMSE: how far a learner's belief that a row is synthetic strays from the share of synthetic rows.

Woo, Reiter, Oganian & Karr (2009, doi 10.29012/jpc.v1i1.568); Snoke, Raab, Nowok, Dibben & Slavkovic (2018,
doi 10.1111/rssa.12358). The learner is a linear model on coded columns and products of pairs: calibrated as least squares are,
and its pMSE is the squared length of a projection, c (1 - c) R^2, so that one factorisation serves every permutation.

Null: which table a row is from is shuffled, by subject. That is what two samples of one population show of each other; its mean
is k c (1 - c) / (N - 1) with k terms, c the share of synthetic rows of N. (Snoke's null is that times 1 - c: tables drawn from a
model fitted to the source do not vary with it. A ratio between 1 - c and 1 is as good as it gets.) Everything about the design
is fixed without knowing which table a row is from, so the null is exact.

Where only one table has several rows of a subject, they cannot trade places. Then the sums of every subject, each less what its
own table has on average, are given random signs instead (wild bootstrap, Wu 1986, doi 10.1214/aos/1176350142).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chndtrinc, ndtri
from scipy.stats import rankdata

from synthml.fidelity.classifiers.sides import Side, labels_of, numbers_of, paired

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["TERMS", "Propensity", "design", "pmse"]

PERMUTATIONS = 200
TERMS = 300
_ROWS_PER_TERM = 20
_LABELS = 8
_FEW = 12
_RARE = 10  # rows of a label with a term of its own, at least
_TINY = 1e-5  # of the largest eigenvalue: a term that others explain
_ALIKE = 1.25  # rows per subject of one table over those of the other, at most, for subjects to trade places
_NORMAL = 1000.0


@dataclass(frozen=True, eq=False)
class Propensity:
    """pMSE with its null. value, low, high: of pMSE; null (permutations,); terms: independent ones; n: rows of both tables."""

    value: float
    low: float
    high: float
    null: NDArray[np.float64]
    terms: int
    n: int
    method: str

    @property
    def p(self) -> float:
        """The share of shufflings, this table among them, that show at least as much."""
        return (1 + int(np.count_nonzero(self.null >= self.value))) / (1 + len(self.null))

    @property
    def mean(self) -> float:
        """What two samples of one population show on average."""
        return float(self.null.mean())


def pmse(
    one: Side, other: Side, rng: np.random.Generator, confidence: float, *, terms: int = TERMS, permutations: int = PERMUTATIONS
) -> Propensity | None:
    """pMSE of a learner with up to so many terms that tells `other` from `one`; None when their columns do not vary."""
    frame, units, label = paired(one, other)
    X = design(frame, terms)
    if not X.shape[1]:
        return None
    n = len(label)
    values, vectors = np.linalg.eigh((X.T @ X).astype(np.float64))
    kept = values > _TINY * values[-1]
    root = vectors[:, kept] / np.sqrt(values[kept])

    def lengths(rows: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """(k,) mean squares of the projections of the columns of weights (n, k)."""
        return np.asarray(np.square(root.T @ (rows.T @ weights).astype(np.float64)).sum(axis=0) / n)

    value = float(lengths(X, label.astype(np.float32)[:, None])[0])
    if _alike(one, other):
        null = lengths(X, _shuffled(label, units, permutations, rng))
        method = "permutation of subjects" if one.clustered else "permutation"
    else:
        means = np.stack([X[label == side].mean(axis=0) for side in (0, 1)])
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), (int(units.max()) + 1, permutations))
        null = lengths(X - means[label], signs[units] * (label - label.mean()).astype(np.float32)[:, None])
        method = "random signs of subjects"
    method = f"linear on {int(kept.sum())} terms; null by {permutations} times {method}"
    low, high = _bounds(value, null, confidence)
    return Propensity(value, low, high, null, int(kept.sum()), n, method)


def _alike(one: Side, other: Side) -> bool:
    rows = [len(side) / max(int(side.units.max(initial=0)) + 1, 1) for side in (one, other)]
    return max(rows) <= _ALIKE * min(rows)


def _shuffled(
    label: NDArray[np.int64], units: NDArray[np.int64], permutations: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(n, permutations) labels with the subjects of both tables shuffled."""
    of_unit = np.zeros(int(units.max()) + 1, dtype=np.float32)
    of_unit[units] = label
    drawn = rng.permuted(np.tile(of_unit, (permutations, 1)), axis=1)
    return np.ascontiguousarray(drawn.T[units])


def _bounds(value: float, null: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Bounds of the expected pMSE at this size: a scaled chi-square fitted to the null, non-central by what is really there.

    Satterthwaite's scale and degrees of freedom; the non-centrality from the quantiles at the value, 0 at least. Where the value
    is far from the null the normal distribution of the same mean and variance stands in.
    """
    mean, variance = float(null.mean()), float(null.var(ddof=1))
    scale = variance / (2 * mean)
    df, x = mean / scale, value / scale
    tail = (1 - confidence) / 2
    if x <= _NORMAL:
        found = [float(chndtrinc(x, df, 1 - tail)), float(chndtrinc(x, df, tail))]
        low, high = (df + (nc if math.isfinite(nc) else 0.0) for nc in found)
    else:
        z = float(ndtri(1 - tail))
        middle = x + 2 * z * z  # |x - m| = z sqrt(2 (2 m - df)), solved for the mean m
        half = math.sqrt(max(middle * middle - x * x - 2 * z * z * df, 0.0))
        low, high = max(middle - half, df), middle + half
    return min(low * scale, value), max(high * scale, value)


def design(frame: pd.DataFrame, most: int) -> NDArray[np.float32]:
    """(n, terms) centred and scaled: each column coded, and products of pairs of columns as far as rows allow.

    Numbers: rank, its square, and whether it is null; numbers with few values and labels: one term for each common one. Products
    are of the first term of every column, then of the first and second. At most one term for every twenty rows.
    """
    most = min(most, len(frame) // _ROWS_PER_TERM)
    coded = [terms for name in frame.columns if (terms := _coded(frame[name].to_numpy()))]
    mains = [term for place in range(_LABELS + 1) for terms in coded for term in terms[place : place + 1]][:most]
    first = [[term] for terms in coded for term in terms[:1]]
    both = [terms[:2] for terms in coded]
    products = (a * b for heads in (first, both) for one, other in combinations(heads, 2) for a in one for b in other)
    return _scaled([*mains, *islice(products, most - len(mains))], len(frame))


def _coded(values: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    """The terms of a column, each with mean 0 and variance 1, the most telling first; constant ones left out."""
    if values.dtype == object:
        codes = labels_of(values)
        return _one_each(codes, _LABELS)
    numbers = numbers_of(values)
    known = ~np.isnan(numbers)
    distinct = np.unique(numbers[known])
    if len(distinct) <= _FEW:
        codes = np.where(known, np.searchsorted(distinct, numbers), -1)
        return _one_each(codes, _FEW)
    rank = np.zeros(len(numbers))
    rank[known] = rankdata(numbers[known]) / known.sum() - 0.5
    square = np.where(known, rank**2 - 1 / 12, 0.0)
    return [*_standard(rank), *_standard(square), *_standard(~known)]


def _one_each(codes: NDArray[np.int64], most: int) -> list[NDArray[np.float32]]:
    counts = np.bincount(codes + 1)
    ranked = [int(code) - 1 for code in np.argsort(-counts, kind="stable") if counts[code] >= _RARE]
    # the commonest follows from the others where these are all
    return [term for code in ranked[1 : most + 1] for term in _standard(codes == code)]


def _standard(values: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    numbers = values.astype(np.float64)
    spread = float(numbers.std())
    return [((numbers - numbers.mean()) / spread).astype(np.float32)] if spread > 0 else []


def _scaled(terms: list[NDArray[np.float32]], rows: int) -> NDArray[np.float32]:
    found = [one for term in terms for one in _standard(term)]
    return np.column_stack(found) if found else np.zeros((rows, 0), dtype=np.float32)
