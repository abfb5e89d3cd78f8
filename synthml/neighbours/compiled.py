"""The search compiled by numba; imported only where numba is installed.

The reference lies in blocks of like rows. For each query the blocks are visited from the nearest box outwards, until no box
can hold a neighbour. In a block all rows are measured at once in 16-bit steps, which the processor adds 16 or 32 at a time;
the few rows that may be near enough are then measured exactly. Coarse sums exceed exact ones by at most one step for each
measured column, so nothing is lost. benchmarks/neighbours_speed.md has the figures of this and of what was tried before it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numba
import numpy as np

from synthml.neighbours.order import alike
from synthml.neighbours.problem import NONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.neighbours.problem import Problem

__all__ = ["solve"]

Array = np.ndarray[Any, np.dtype[Any]]
_WIDTH = 128  # rows of a block: four registers of 32 steps, below which the loops do not fill
_PART = 512  # queries that a thread takes at once
_NEVER = 2**31 - 1
_LARGEST = 2**15 - 1
_FARTHEST = 2**13  # in coarse steps, of which a distance of 1 has at most 2^10
_BINS = 512  # by which boxes are sorted
_inlined = cast("Callable[[Callable[..., Any]], Callable[..., Any]]", numba.njit(nogil=True))


def solve(problem: Problem) -> tuple[Array, Array]:
    """(a, k) keys and (a,) ties, as `Problem` says; on as many threads as NUMBA_NUM_THREADS allows."""
    a, b = len(problem.queries), len(problem.reference)
    keys = np.full((a, problem.k), NONE, dtype=np.int64)
    ties = np.zeros(a, dtype=np.int64)
    if not a or not b:
        return keys, ties
    shift = 10
    while int((problem.units.astype(np.int64) >> shift).sum()) + problem.measured > _LARGEST:
        shift += 1
    order = alike(problem.reference, problem.units, problem.measured, _WIDTH)
    count = -(-b // _WIDTH)
    rows = problem.reference[np.concatenate([order, np.repeat(order[-1:], count * _WIDTH - b)])]  # the last block is filled up
    boxed = rows.reshape(count, _WIDTH, -1)
    tiles = np.ascontiguousarray(_coarse(boxed, problem, shift).transpose(0, 2, 1))
    low, high = (np.ascontiguousarray(ends.T) for ends in (boxed.min(axis=1), boxed.max(axis=1)))
    asked = alike(problem.queries, problem.units, problem.measured, _WIDTH)  # like queries visit the same blocks
    fixed = (
        problem.queries, _coarse(problem.queries, problem, shift), asked, problem.alone, rows, order, tiles, low, high,
        problem.units, (problem.units >> shift).astype(np.int16), problem.measured, shift, problem.starts, problem.positions,
    )  # fmt: skip
    search = _search()
    # plain threads, not numba's own: they need no threading layer, survive a fork and are shared fairly on a busy machine
    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as pool:
        for done in [pool.submit(search, *fixed, start, min(start + _PART, a), keys, ties) for start in range(0, a, _PART)]:
            done.result()
    return keys, ties


def _coarse(rows: Array, problem: Problem, shift: int) -> Array:
    """int16 of the same shape. Numbers far off are drawn nearer and codes may fall together: distances only shrink by it."""
    out = np.empty(rows.shape, dtype=np.int16)
    for column, unit in enumerate(problem.units >> shift):
        if column < problem.measured:
            out[..., column] = np.clip(rows[..., column] >> shift, -_FARTHEST, _FARTHEST)
        else:
            apart = max(int(unit), 1)
            out[..., column] = rows[..., column] % (2 * _FARTHEST // apart + 1) * apart - _FARTHEST
    return out


@cache
def _search() -> Callable[..., None]:
    """The compiled search: from disk when it has been compiled before, never an error when nothing can be written."""
    try:
        return cast("Callable[..., None]", numba.njit(nogil=True, cache=True)(_search_part))
    except RuntimeError:  # no directory to keep it in
        return cast("Callable[..., None]", numba.njit(nogil=True)(_search_part))


def _search_part(
    queries: Array, small_queries: Array, asked: Array, alone: Array, rows: Array, order: Array, tiles: Array, low: Array,
    high: Array, units: Array, small: Array, measured: int, shift: int, starts: Array, positions: Array, begin: int, stop: int,
    keys: Array, ties: Array,
) -> None:  # fmt: skip
    """Answer the queries asked[begin:stop]: their rows of keys and ties are filled in."""
    count = tiles.shape[0]
    bound = np.empty(count, dtype=np.int32)
    visits = np.empty(count, dtype=np.int32)
    steps = np.empty(_WIDTH, dtype=np.int16)
    for turn in range(begin, stop):
        q = asked[turn]
        query = queries[q]
        mine = keys[q]
        last = len(mine) - 1
        _bounds(query, low, high, units, measured, bound)
        _nearest_first(bound, visits)
        worst = np.int64(_NEVER)
        least = np.int64(_NEVER)
        limit = _LARGEST
        for block in visits:
            if bound[block] > worst or _coarse_steps(small_queries[q], tiles[block], small, steps) > limit:
                continue
            for lane in range(min(_WIDTH, len(order) - block * _WIDTH)):
                if steps[lane] > limit:
                    continue
                row = order[block * _WIDTH + lane]
                total = _exact(query, rows[block * _WIDTH + lane], units, measured)
                if total > worst or row == alone[q]:
                    continue
                copies = starts[row + 1] - starts[row]
                ties[q] = copies if total < least else ties[q] + copies * (total == least)
                least = min(least, total)
                for place in range(starts[row], starts[row + 1]):
                    key = (total << 32) | positions[place]
                    if key >= mine[last]:
                        break
                    _insert(mine, key)
                worst = mine[last] >> 32
                limit = min(_LARGEST, (worst >> shift) + measured)


@_inlined
def _bounds(query: Array, low: Array, high: Array, units: Array, measured: int, bound: Array) -> None:
    """The least sum that a row in each box can have."""
    bound[:] = 0
    for j in range(len(units)):
        value, unit, ends, tops = query[j], units[j], low[j], high[j]
        if j < measured:
            for b in range(len(bound)):
                gap = np.int32(max(np.int32(ends[b] - value), np.int32(value - tops[b])))
                bound[b] += min(max(gap, np.int32(0)), unit)
        else:
            for b in range(len(bound)):
                bound[b] += unit if value < ends[b] or value > tops[b] else np.int32(0)


@_inlined
def _nearest_first(bound: Array, visits: Array) -> None:
    """Blocks by their bounds, roughly, but the nearest of all at the head: it makes most others needless."""
    nearest = np.argmin(bound)
    width = max(np.max(bound) // _BINS + 1, 1)
    heads = np.zeros(_BINS + 2, dtype=np.int32)
    for b in range(len(bound)):
        heads[bound[b] // width + 1] += 1
    heads[0] = 1
    heads[bound[nearest] // width + 1] -= 1
    for h in range(_BINS + 1):
        heads[h + 1] += heads[h]
    visits[0] = nearest
    for b in range(len(bound)):
        if b != nearest:
            h = bound[b] // width
            visits[heads[h]] = b
            heads[h] += 1


@_inlined
def _coarse_steps(query: Array, tile: Array, small: Array, steps: Array) -> Any:
    """Fill in the coarse sums of a block's rows; the least of them. All in int16: a wider number would halve the speed."""
    steps[:] = 0
    for j in range(len(small)):
        value, unit, line = query[j], small[j], tile[j]
        for i in range(_WIDTH):
            gap = np.int16(line[i] - value)
            gap = gap if gap > 0 else np.int16(-gap)
            gap = gap if gap < unit else unit
            steps[i] = np.int16(steps[i] + gap)
    lowest = steps[0]
    for i in range(_WIDTH):
        lowest = steps[i] if steps[i] < lowest else lowest
    return lowest


@_inlined
def _exact(query: Array, row: Array, units: Array, measured: int) -> Any:
    total = np.int64(0)
    for j in range(measured):
        total += min(abs(np.int64(row[j]) - np.int64(query[j])), np.int64(units[j]))
    for j in range(measured, len(units)):
        if row[j] != query[j]:
            total += units[j]
    return total


@_inlined
def _insert(keys: Array, key: int) -> None:
    """Take a key into its place; the last one falls out."""
    slot = len(keys) - 1
    while slot > 0 and keys[slot - 1] > key:
        keys[slot] = keys[slot - 1]
        slot -= 1
    keys[slot] = key
