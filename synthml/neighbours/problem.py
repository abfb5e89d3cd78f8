"""What a kernel is asked: distinct queries against distinct rows of a reference, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["NONE", "Problem"]

Array = np.ndarray[Any, np.dtype[Any]]
NONE = np.int64(2**63 - 1)  # the key of no neighbour


@dataclass(frozen=True, eq=False)
class Problem:
    """One search.

    queries: (a, p) and reference: (b, p) int32, distinct rows, measured columns first. units: (p,) int32, a distance of 1.
    measured: how many columns are measured; the others hold codes. positions[starts[r]:starts[r + 1]]: where row r stands in the
    table, ascending. alone: (a,) a row of the reference that the query must not meet, or -1. k: neighbours wanted.

    The answer of a kernel: (a, k) int64 keys, ascending, that hold the sum of steps in the high and the position in the low 32
    bits, NONE where there is no neighbour; and (a,) int64, how many positions lie at the smallest sum.
    """

    queries: Array
    reference: Array
    units: Array
    measured: int
    starts: Array
    positions: Array
    alone: Array
    k: int
