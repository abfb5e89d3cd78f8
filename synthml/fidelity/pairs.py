"""Pairs of columns: contingency tables by counting, Cramer's V, rank correlations.

Two columns of numbers are associated as their ranks correlate (Spearman), over the rows where both are known. Any other pair
has Cramer's V over the levels of both (see `coding`), bias-corrected (Bergsma 2013, doi 10.1016/j.jkss.2012.10.002); a number
beside a label is its decile, or a wider part in a small table, and a null is a level.

Between halves, ranks are those of the levels, mid-ranks, taken anew in every half: all that a half needs is its table of counts.
Tables of all halves lie side by side along the last axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cramers_v", "grades", "pair_total_variation", "rank_correlation", "rank_correlations"]


def pair_total_variation(
    one: NDArray[np.float64], other: NDArray[np.float64], rows: NDArray[np.float64], other_rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(...,) half the sum of differences of shares; counts (rows, columns, ...) of `rows` and `other_rows` (...,)."""
    apart = one / rows
    apart -= other / other_rows
    np.abs(apart, out=apart)
    return np.asarray(apart.sum(axis=(0, 1)) / 2)


def cramers_v(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...,) bias-corrected V of contingency tables (rows, columns, ...). 0 where a column is constant."""
    row, column = counts.sum(axis=1), counts.sum(axis=0)
    n = row.sum(axis=0)
    by_row = np.divide(1.0, row, out=np.zeros_like(row), where=row > 0)
    by_column = np.divide(1.0, column, out=np.zeros_like(column), where=column > 0)
    squares = counts * counts
    squares *= by_column
    phi = (squares.sum(axis=1) * by_row).sum(axis=0) - 1
    r, k = (row > 0).sum(axis=0), (column > 0).sum(axis=0)
    rest = np.maximum(n - 1, 1)
    phi = np.maximum(0.0, phi - (r - 1) * (k - 1) / rest)
    least = np.minimum(r - (r - 1) ** 2 / rest, k - (k - 1) ** 2 / rest) - 1
    return np.asarray(np.sqrt(np.divide(phi, least, out=np.zeros_like(phi), where=least > 0)).clip(0, 1))


def rank_correlations(counts: NDArray[np.float64], ranked: tuple[int, int]) -> NDArray[np.float64]:
    """(...,) Spearman's correlation of levels in order: the first `ranked` rows and columns of tables (rows, columns, ...).

    Ranks are those among the known values of a column; 0 where one is constant.
    """
    one, other = _mid_ranks(counts.sum(axis=1)[: ranked[0]]), _mid_ranks(counts.sum(axis=0)[: ranked[1]])
    inside = counts[: ranked[0], : ranked[1]]
    row, column = inside.sum(axis=1), inside.sum(axis=0)
    n = np.maximum(row.sum(axis=0), 1)
    cross = (one * (inside * other).sum(axis=1)).sum(axis=0) / n
    first, second = (row * one).sum(axis=0) / n, (column * other).sum(axis=0) / n
    spread = ((row * one**2).sum(axis=0) / n - first**2) * ((column * other**2).sum(axis=0) / n - second**2)
    found = np.divide(cross - first * second, np.sqrt(np.maximum(spread, 0)), out=np.zeros_like(cross), where=spread > 1e-18)
    return np.asarray(found.clip(-1, 1))


def _mid_ranks(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """(levels, ...) mid-ranks between -1 and 1 from counts of levels in order."""
    total = np.maximum(known.sum(axis=0), 1)
    return np.asarray((2 * np.cumsum(known, axis=0) - known) / total - 1)


def grades(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) mid-ranks among the known values, between -1 and 1; NaN for nulls."""
    known = ~np.isnan(numbers)
    values = numbers[known]
    count = len(values)
    out = np.full(len(numbers), np.nan)
    if count:
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        first = np.append(True, ranked[1:] != ranked[:-1])
        start = np.flatnonzero(first)
        middle = (start + np.append(start[1:], count) - 1) / 2
        mid = np.empty(count)
        mid[order] = middle[np.cumsum(first) - 1]
        out[known] = 2 * (mid + 0.5) / count - 1
    return out


def rank_correlation(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(columns, columns) correlation of grades (n, columns) where both columns are known; 0 where one is constant."""
    known = ~np.isnan(ranks)
    there = known.astype(np.float64)
    value = np.where(known, ranks, 0.0)
    square = value * value

    def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(left.T @ right)

    n = np.maximum(product(there, there), 1)
    mean = product(value, there) / n  # of the first column, where the second is known
    covariance = product(value, value) / n - mean * mean.T
    variance = product(square, there) / n - mean**2
    spread = variance * variance.T
    return np.divide(covariance, np.sqrt(np.maximum(spread, 0)), out=np.zeros_like(spread), where=spread > 1e-18).clip(-1, 1)
