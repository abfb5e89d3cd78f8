"""All pairs of columns at once: tables of counts and correlations by a few matrix products.

A row is written as ones at its levels (see `coding`), so that one product of such a matrix with itself holds the contingency
table of every pair. Numbers are correlated by ranks, over the rows where both are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from synthml.fidelity.coding import numbers_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


__all__ = ["contingency", "cramers_v", "grades", "pair_totals", "rank_correlation"]

_BLOCK = 8192


def contingency(codes: NDArray[np.int64], levels: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(levels, levels) rows at every two levels. codes (n, columns); rows: which of them, default all."""
    chosen = codes if rows is None else codes[rows]
    total = np.zeros((levels, levels))
    dense = np.zeros((min(_BLOCK, max(len(chosen), 1)), levels), dtype=np.float32)
    for start in range(0, len(chosen), _BLOCK):
        part = chosen[start : start + _BLOCK]
        ones = dense[: len(part)]
        ones[np.arange(len(part))[:, None], part] = 1
        total += ones.T @ ones  # whole numbers below 2**24 are exact in float32
        ones[np.arange(len(part))[:, None], part] = 0
    return total


def pair_totals(matrix: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(columns, columns) sums over the blocks of every pair."""
    return np.asarray(np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1))


def cramers_v(counts: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(columns, columns) Cramer's V of every pair, bias-corrected (Bergsma 2013, doi 10.1016/j.jkss.2012.10.002).

    counts (levels, levels): contingency tables of all pairs. 0 where a column is constant.
    """
    shares = np.diag(counts)
    n = float(shares[: starts[1]].sum() if len(starts) > 1 else shares.sum())
    expected = np.outer(shares, shares) / n
    squares = np.divide((counts - expected) ** 2, expected, out=np.zeros_like(counts), where=expected > 0)
    phi = pair_totals(squares, starts) / n
    seen = np.add.reduceat((shares > 0).astype(float), starts)
    rows, columns = seen[:, None], seen[None, :]
    phi = np.maximum(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    least = np.minimum(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return np.asarray(np.sqrt(np.divide(phi, least, out=np.zeros_like(phi), where=least > 0)).clip(0, 1))


def grades(frame: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.float32]:
    """(n, columns) mid-ranks between -1 and 1; NaN for nulls."""
    out = np.full((len(frame), len(columns)), np.nan, dtype=np.float32)
    for at, name in enumerate(columns):
        numbers = numbers_of(frame[name].to_numpy())
        known = ~np.isnan(numbers)
        count = int(known.sum())
        if count:
            out[known, at] = 2 * (rankdata(numbers[known]) - 0.5) / count - 1
    return out


def rank_correlation(ranks: NDArray[np.float32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(columns, columns) correlation of ranks over the rows where both columns are known; 0 where one is constant."""
    chosen = ranks if rows is None else ranks[rows]
    known = ~np.isnan(chosen)
    there = known.astype(np.float32)
    value = np.where(known, chosen, np.float32(0))
    square = value * value

    def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(left.T @ right, dtype=np.float64)

    n = product(there, there)
    total = product(value, there)  # of the first column, where the second is known
    moment, second = product(value, value), product(square, there)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        covariance = moment / n - mean * mean.T
        variance = second / n - mean**2
        found = covariance / np.sqrt(variance * variance.T)
    return np.where((n > 1) & (variance > 1e-9) & (variance.T > 1e-9), found, 0.0).clip(-1, 1)
