"""The search in NumPy: tiles of like queries against tiles of like rows, from the nearest box outwards; memory is a tile's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.neighbours.order import alike
from synthml.neighbours.problem import NONE

if TYPE_CHECKING:
    from synthml.neighbours.problem import Problem

__all__ = ["solve"]

Array = np.ndarray[Any, np.dtype[Any]]
_QUERIES, _ROWS = 64, 1024
_NEVER = 2**31 - 1


def solve(problem: Problem) -> tuple[Array, Array]:
    """(a, k) keys and (a,) ties, as `Problem` says."""
    a, b = len(problem.queries), len(problem.reference)
    keys = np.full((a, problem.k), NONE, dtype=np.int64)
    ties = np.zeros(a, dtype=np.int64)
    order = alike(problem.reference, problem.units, problem.measured, _ROWS)
    asked = alike(problem.queries, problem.units, problem.measured, _QUERIES)
    tiles = [order[low : low + _ROWS] for low in range(0, b, _ROWS)]
    low, high = (np.array([end(problem.reference[rows], axis=0) for rows in tiles], dtype=np.int64) for end in (np.min, np.max))
    for start in range(0, a, _QUERIES):
        some = asked[start : start + _QUERIES]
        mine, tied = keys[some], ties[some]
        bound = _bounds(problem, some, low, high)
        for tile in np.argsort(bound):
            if bound[tile] > mine[:, -1].max() >> 32:
                break
            _tile(problem, some, tiles[tile], mine, tied)
        keys[some], ties[some] = mine, tied
    return keys, ties


def _bounds(problem: Problem, some: Array, low: Array, high: Array) -> Array:
    """(tiles,) the least sum that a query of these and a row of each tile can have, by the boxes around both."""
    if not len(low):
        return np.zeros(0, dtype=np.int64)
    queries = problem.queries[some].astype(np.int64)
    gap = np.maximum(np.maximum(low - queries.max(axis=0), queries.min(axis=0) - high), 0)
    gap[:, problem.measured :] *= problem.units[problem.measured :]
    bound: Array = np.minimum(gap, problem.units).sum(axis=1)
    return bound


def _tile(problem: Problem, some: Array, rows: Array, keys: Array, ties: Array) -> None:
    """Let a tile's queries meet a tile of the reference: keys and ties are brought up to date in place."""
    steps = _steps(problem, some, rows)
    steps[problem.alone[some][:, None] == rows] = _NEVER
    least = steps.min(axis=1)
    near = np.flatnonzero(least <= np.minimum(keys[:, -1] >> 32, _NEVER - 1))
    if not len(near):
        return
    steps, least, bound, before = steps[near], least[near, None], keys[near, -1:] >> 32, keys[near, 0] >> 32
    found = np.where(steps == least, problem.starts[rows + 1] - problem.starts[rows], 0).sum(axis=1)
    ties[near] = np.where(least[:, 0] < before, found, np.where(least[:, 0] == before, ties[near] + found, ties[near]))
    if steps.shape[1] > problem.k:
        bound = np.minimum(bound, np.partition(steps, problem.k - 1, axis=1)[:, problem.k - 1 : problem.k])
    who, row = np.nonzero(steps <= np.minimum(bound, _NEVER - 1))
    keys[near] = _merged(problem, keys[near], who, rows[row], steps[who, row])


def _steps(problem: Problem, some: Array, rows: Array) -> Array:
    """(queries, rows) int32 sums of steps."""
    queries, reference = problem.queries[some].T[:, :, None], np.ascontiguousarray(problem.reference[rows].T)[:, None, :]
    total = np.zeros((len(some), len(rows)), dtype=np.int32)
    part = np.empty_like(total)
    for column, unit in enumerate(problem.units):
        left, right = queries[column], reference[column]
        if column < problem.measured:
            np.subtract(left, right, out=part)
            np.abs(part, out=part)
            np.minimum(part, unit, out=part)
        else:
            np.multiply(left != right, unit, out=part)
        total += part
    return total


def _merged(problem: Problem, keys: Array, who: Array, row: Array, steps: Array) -> Array:
    """The keys with candidates taken in: pairs of a query and a row, each row with all the positions that could count."""
    k = problem.k
    copies = np.minimum(problem.starts[row + 1] - problem.starts[row], k)
    first = np.repeat(problem.starts[row] - np.concatenate([[0], np.cumsum(copies)[:-1]]), copies)
    new = (np.repeat(steps.astype(np.int64), copies) << 32) | problem.positions[first + np.arange(len(first))]
    everyone = np.concatenate([np.repeat(who, copies), np.repeat(np.arange(len(keys)), k)])
    together = np.concatenate([new, keys.ravel()])
    order = np.lexsort((together, everyone))
    begin = np.searchsorted(everyone[order], np.arange(len(keys)))
    taken: Array = together[order][begin[:, None] + np.arange(k)]
    return taken
