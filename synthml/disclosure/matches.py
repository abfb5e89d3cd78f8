"""Rows and combinations of values as numbers, so that equal ones are found by counting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["joint_codes", "row_codes", "value_codes"]

BINS = 10


def row_codes(ground: Ground) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None]:
    """Codes of whole rows of source, synthetic and holdout: equal exactly where every value is equal."""
    return joint_codes(ground, ground.columns, binned=False)


def value_codes(ground: Ground, name: str, *, binned: bool) -> list[NDArray[np.int64]]:
    """Codes of one column in source, synthetic and, where there is one, holdout; numbers by the source's deciles when binned.

    A number with at most ten distinct values in the source is not binned. Null is a value of its own.
    """
    sides = _sides(ground)
    columns = [side.frame[name] for side in sides]
    if binned and ground.kinds[name] in ("numeric", "datetime"):
        numbers = [_floats(column) for column in columns]
        known = numbers[0][~np.isnan(numbers[0])]
        if len(np.unique(known)) > BINS:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
            return [np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x, "right")).astype(np.int64) for x in numbers]
    codes = pd.factorize(pd.concat(columns, ignore_index=True))[0].astype(np.int64) + 1
    return list(np.split(codes, np.cumsum([len(column) for column in columns])[:-1]))


def joint_codes(
    ground: Ground, names: Sequence[str], *, binned: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None]:
    """Codes of combinations of columns in source, synthetic and holdout. binned: numbers by the deciles of the source."""
    sides = _sides(ground)
    joined = np.zeros(sum(len(side) for side in sides), dtype=np.int64)
    for name in names:
        codes = np.concatenate(value_codes(ground, name, binned=binned))
        joined = np.unique(joined * (int(codes.max()) + 1) + codes, return_inverse=True)[1].astype(np.int64)
    parts = np.split(joined, np.cumsum([len(side) for side in sides])[:-1])
    return parts[0], parts[1], parts[2] if len(parts) > 2 else None


def _sides(ground: Ground) -> list[Side]:
    return [side for side in (ground.source, ground.synthetic, ground.holdout) if side is not None]


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    if column.dtype.kind == "M":
        stamps = column.to_numpy().astype("datetime64[us]")
        return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(np.float64))
    return column.to_numpy(dtype=np.float64)
