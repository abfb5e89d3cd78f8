"""Rows put in an order in which those that follow each other are alike, so that a block of them fits a small box."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["alike"]

Array = np.ndarray[Any, np.dtype[Any]]
_SAMPLE = 64


def alike(rows: Array, units: Array, measured: int, width: int) -> Array:
    """(n,) positions of rows in the order of a k-d tree whose leaves hold `width` rows (Bentley 1975, doi 10.1145/361002.361007).

    rows: (n, p) int32, measured columns first. A part is cut at the middle of the column in which a sample of its rows differs
    most, numbers and labels alike; cuts lie at multiples of `width`, so that every block of `width` positions is one leaf.
    """
    order = np.arange(len(rows))
    parts = [(0, len(rows))]
    while parts:
        start, stop = parts.pop()
        if stop - start <= width:
            continue
        part = order[start:stop]
        sample = rows[part[:: max(1, len(part) // _SAMPLE)]]
        other = sample[::-1]
        spread = np.empty(len(units))
        spread[:measured] = np.minimum(np.abs(sample[:, :measured] - other[:, :measured]), units[:measured]).sum(axis=0)
        spread[measured:] = (sample[:, measured:] != other[:, measured:]).sum(axis=0) * units[measured:].astype(np.int64)
        middle = -(-len(part) // (2 * width)) * width
        order[start:stop] = part[np.argpartition(rows[part, int(np.argmax(spread))], middle)]
        parts += [(start, start + middle), (start + middle, stop)]
    return order
