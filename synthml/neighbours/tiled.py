"""The search in NumPy: tiles of queries against tiles of the reference, memory bounded by the tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.neighbours.problem import NONE

if TYPE_CHECKING:
    from synthml.neighbours.problem import Problem

__all__ = ["solve"]

Array = np.ndarray[Any, np.dtype[Any]]
_QUERIES, _ROWS = 64, 2048
_NEVER = 2**31 - 1


def solve(problem: Problem) -> tuple[Array, Array]:
    """(a, k) keys and (a,) ties, as `Problem` says."""
    a, b = len(problem.queries), len(problem.reference)
    keys = np.full((a, problem.k), NONE, dtype=np.int64)
    ties = np.zeros(a, dtype=np.int64)
    for start in range(0, a, _QUERIES):
        some = slice(start, min(start + _QUERIES, a))
        for low in range(0, b, _ROWS):
            _tile(problem, some, slice(low, min(low + _ROWS, b)), keys[some], ties[some])
    return keys, ties


def _tile(problem: Problem, some: slice, rows: slice, keys: Array, ties: Array) -> None:
    """Let a tile's queries meet a tile of the reference: keys and ties are brought up to date in place."""
    steps = _steps(problem, some, rows)
    alone = problem.alone[some] - rows.start
    inside = np.flatnonzero((alone >= 0) & (alone < steps.shape[1]))
    steps[inside, alone[inside]] = _NEVER
    copies = np.diff(problem.starts[rows.start : rows.stop + 1])
    least, before = steps.min(axis=1), keys[:, 0] >> 32
    found = (steps == least[:, None]) @ copies
    found[least == _NEVER] = 0
    ties[:] = np.where(least < before, found, np.where(least == before, ties + found, ties))
    bound = np.minimum(keys[:, -1] >> 32, _NEVER - 1)
    if steps.shape[1] > problem.k:
        bound = np.minimum(bound, np.partition(steps, problem.k - 1, axis=1)[:, problem.k - 1])
    who, row = np.nonzero(steps <= bound[:, None])
    if len(who):
        _merge(problem, keys, who, row + rows.start, steps[who, row])


def _steps(problem: Problem, some: slice, rows: slice) -> Array:
    """(queries, rows) int32 sums of steps."""
    total = np.zeros((some.stop - some.start, rows.stop - rows.start), dtype=np.int32)
    part = np.empty_like(total)
    for column, unit in enumerate(problem.units):
        left, right = problem.queries[some, column, None], problem.reference[None, rows, column]
        if column < problem.measured:
            np.subtract(left, right, out=part)
            np.abs(part, out=part)
            np.minimum(part, unit, out=part)
        else:
            np.multiply(left != right, unit, out=part)
        total += part
    return total


def _merge(problem: Problem, keys: Array, who: Array, row: Array, steps: Array) -> None:
    """Take candidates in: pairs of a query and a row, each row with all the positions that could count."""
    k = problem.k
    copies = np.minimum(problem.starts[row + 1] - problem.starts[row], k)
    first = np.repeat(problem.starts[row] - np.concatenate([[0], np.cumsum(copies)[:-1]]), copies)
    position = problem.positions[first + np.arange(len(first))]
    new = (np.repeat(steps.astype(np.int64), copies) << 32) | position
    everyone = np.concatenate([np.repeat(who, copies), np.repeat(np.arange(len(keys)), k)])
    together = np.concatenate([new, keys.ravel()])
    order = np.lexsort((together, everyone))
    everyone, together = everyone[order], together[order]
    begin = np.searchsorted(everyone, np.arange(len(keys)))
    keys[:] = together[begin[:, None] + np.arange(k)]
