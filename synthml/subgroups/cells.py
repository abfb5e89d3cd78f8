"""Bootstrap of confusion cells: draw the cells, not the rows.

Every threshold metric of a group is a function of a handful of counts: the joint cells of truth, synthetic-trained decision and
real-trained decision (2 x 2 x 2 = 8 per group). Resampling n rows with replacement and counting has the same distribution as one
multinomial draw over the cells, so the draw is exact and its cost does not depend on n. With several rows a subject, subjects are
drawn: those with equal cell counts are exchangeable, so it is one multinomial over the distinct count vectors ("signatures").

Efron & Tibshirani 1993, chapters 6 and 8 (ISBN 0412042312); by subject: Field & Welsh 2007 (doi
10.1111/j.1467-9868.2007.00593.x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["RATES", "Cells", "Rate", "draw_cells", "joint_cells"]

CELLS = 8
_CHUNK = 4_000_000  # numbers held at once while subjects are drawn: 32 MB
_DENSE = 8  # from one signature per this many subjects on, drawing subjects one by one is faster than a multinomial


@dataclass(frozen=True)
class Rate:
    """A share of confusion cells. of, out_of: which cells count, as (truth, decision) pairs."""

    of: frozenset[tuple[int, int]]
    out_of: frozenset[tuple[int, int]]


_ALL = frozenset({(0, 0), (0, 1), (1, 0), (1, 1)})
_SICK, _WELL = frozenset({(1, 0), (1, 1)}), frozenset({(0, 0), (0, 1)})
_CALLED, _PASSED = frozenset({(0, 1), (1, 1)}), frozenset({(0, 0), (1, 0)})
RATES: Mapping[str, Rate] = {
    "accuracy": Rate(frozenset({(0, 0), (1, 1)}), _ALL),
    "sensitivity": Rate(frozenset({(1, 1)}), _SICK),
    "specificity": Rate(frozenset({(0, 0)}), _WELL),
    "ppv": Rate(frozenset({(1, 1)}), _CALLED),
    "npv": Rate(frozenset({(0, 0)}), _PASSED),
    "fnr": Rate(frozenset({(1, 0)}), _SICK),
    "fpr": Rate(frozenset({(0, 1)}), _WELL),
    "selection_rate": Rate(_CALLED, _ALL),
}


def joint_cells(
    truth: NDArray[np.int64], synthetic: NDArray[np.int64], real: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """(n,) cell of each row, 4 * truth + 2 * synthetic-trained decision + real-trained decision (0 when there is none)."""
    cells = 4 * truth.astype(np.int64) + 2 * synthetic.astype(np.int64)
    return cells if real is None else cells + real.astype(np.int64)


def _weights(pairs: frozenset[tuple[int, int]], protocol: str) -> NDArray[np.float64]:
    """(8,) 1 for the joint cells that count, when the decision is that of `protocol`."""
    shift = 1 if protocol == "tstr" else 0
    return np.array([float((cell >> 2, cell >> shift & 1) in pairs) for cell in range(CELLS)])


@dataclass(frozen=True)
class Cells:
    """Cell counts of every group, as observed and as redrawn.

    observed (groups, 8); draws (replicates, groups, 8)
    """

    observed: NDArray[np.int64]
    draws: NDArray[np.int64]

    def parts(self, metric: str, protocol: str = "tstr") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(groups,) numerator and denominator of a rate, as observed."""
        rate = RATES[metric]
        return self.observed @ _weights(rate.of, protocol), self.observed @ _weights(rate.out_of, protocol)

    def redrawn_parts(self, metric: str, protocol: str = "tstr") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(replicates, groups) numerators and denominators of a rate."""
        rate = RATES[metric]
        return self.draws @ _weights(rate.of, protocol), self.draws @ _weights(rate.out_of, protocol)

    def values(self, metric: str, protocol: str = "tstr") -> NDArray[np.float64]:
        """(groups,) a rate; NaN where nothing stands below the line."""
        return _divide(*self.parts(metric, protocol))

    def redrawn(self, metric: str, protocol: str = "tstr") -> NDArray[np.float64]:
        """(replicates, groups) a rate in every draw; NaN where nothing stands below the line."""
        return _divide(*self.redrawn_parts(metric, protocol))


def _divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def draw_cells(
    cells: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_groups: int,
    *,
    clusters: NDArray[np.int64] | None = None,
    replicates: int = 1000,
    rng: np.random.Generator,
) -> Cells:
    """Count the joint cells (n,) of every group (n,) and redraw them `replicates` times, by subject with `clusters` (n,).

    Memory: replicates * n_groups * 64 bytes for the result, and about 64 MB while subjects are drawn.
    """
    place = groups * CELLS + cells
    size = n_groups * CELLS
    observed = np.bincount(place, minlength=size)
    if clusters is None:
        draws = rng.multinomial(place.size, observed / place.size, size=replicates)
    else:
        draws = _draw_subjects(place, size, clusters, replicates, rng)
    return Cells(observed.reshape(n_groups, CELLS), draws.reshape(replicates, n_groups, CELLS))


def _draw_subjects(
    place: NDArray[np.int64], size: int, clusters: NDArray[np.int64], replicates: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(replicates, size) cell counts when subjects are drawn with replacement."""
    counts, signature = _signatures(place, size, clusters)
    subjects, kinds = signature.size, counts.shape[0]
    multiplicity = np.bincount(signature, minlength=kinds)
    onto_cells = counts.T.tocsr()
    draws = np.empty((replicates, size), dtype=np.int64)
    one_by_one = kinds * _DENSE > subjects
    step = max(1, _CHUNK // max(subjects if one_by_one else kinds, 1))
    for start in range(0, replicates, step):
        many = min(step, replicates - start)
        if one_by_one:
            drawn = signature[rng.integers(0, subjects, size=(many, subjects), dtype=np.int32)]
            drawn += (np.arange(many) * kinds)[:, None]
            times = np.bincount(drawn.ravel(), minlength=many * kinds).reshape(many, kinds)
        else:
            times = rng.multinomial(subjects, multiplicity / subjects, size=many)
        draws[start : start + many] = (onto_cells @ times.T).T
    return draws


def _signatures(place: NDArray[np.int64], size: int, clusters: NDArray[np.int64]) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """The distinct vectors of cell counts (kinds, size), and which one each subject has (subjects,)."""
    _, subject = np.unique(clusters, return_inverse=True)
    pairs, count = np.unique(subject * size + place, return_counts=True)
    owner, cell = np.divmod(pairs, size)
    # a subject's counts as one sequence of (cell, count) words, padded: equal sequences are equal count vectors
    words = cell * (int(count.max()) + 1) + count + 1
    start = np.searchsorted(owner, np.arange(subject.max() + 2))
    length = np.diff(start)
    signature = np.empty(length.size, dtype=np.int64)
    first: list[NDArray[np.int64]] = []
    kinds = 0
    for width in np.unique(length):
        members = np.flatnonzero(length == width)
        sequences = words[start[members][:, None] + np.arange(width)]
        _, example, kind = np.unique(sequences, axis=0, return_index=True, return_inverse=True)
        signature[members] = kind.reshape(-1) + kinds
        first.append(members[example])
        kinds += example.size
    examples = np.concatenate(first)
    matrix = sparse.csr_matrix((count, cell, start), shape=(length.size, size), dtype=np.int64)
    return matrix[examples], signature
