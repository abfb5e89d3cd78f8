"""How near the synthetic table is to a record, beside a reference of real people who are not behind it.

One search in the synthetic table and one in the reference serve all scores; a higher score speaks for membership.

`nearest`      minus the distance to the nearest synthetic row
`relative`     distance to the nearest reference row minus distance to the nearest synthetic row
`density`      log ratio of densities by the distance to the 5th neighbour, after DOMIAS (van Breugel et al. 2023, arXiv
               2302.12580)
`share`        share of synthetic rows among the 10 nearest of synthetic and reference rows, each table's rows weighted to equal
               size (after the data plagiarism index, Ward et al. 2024, arXiv 2406.13975)
`likelihood`   log ratio of local likelihoods at a fixed bandwidth, after Gen-LRA (Ward et al. 2025, arXiv 2508.21146)

A patient's score is the highest of his rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthml.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.neighbours import Encoded

__all__ = ["NAMES", "highest", "scores"]

NAMES = ("nearest", "relative", "density", "share", "likelihood")
NEAR = 10
_DENSE = 5
_FLOOR = 1e-4  # of a distance, so that a copy has a finite log


def scores(rows: Encoded, synthetic: Encoded, reference: Encoded) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """name -> (n,) scores of real rows; and (n,) how far each lies from its five nearest reference rows."""
    made = nearest(rows, synthetic, k=min(NEAR, len(synthetic))).distance
    known = nearest(rows, reference, k=min(NEAR, len(reference))).distance
    dense = min(_DENSE, made.shape[1], known.shape[1]) - 1
    width = float(np.median(known[:, 0])) + _FLOOR
    found = {
        "nearest": -made[:, 0],
        "relative": known[:, 0] - made[:, 0],
        "density": np.log(known[:, dense] + _FLOOR) - np.log(made[:, dense] + _FLOOR),
        "share": _share(made, known, len(synthetic), len(reference)),
        "likelihood": _likelihood(made, width) - _likelihood(known, width) - np.log(len(synthetic) / len(reference)),
    }
    return found, known[:, :_DENSE].mean(axis=1)


def _share(made: NDArray[np.float64], known: NDArray[np.float64], synthetic: int, reference: int) -> NDArray[np.float64]:
    """Share of the weight of synthetic rows within the radius that holds the 10 nearest of both."""
    both = np.sort(np.concatenate([made, known], axis=1), axis=1)
    radius = both[:, min(NEAR, both.shape[1]) - 1][:, None]
    here = (made <= radius).sum(axis=1) / synthetic
    there = (known <= radius).sum(axis=1) / reference
    return np.asarray(here / (here + there))


def _likelihood(distances: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Log of the sum of exponential kernels over the nearest rows."""
    return np.asarray(np.logaddexp.reduce(-distances / width, axis=1))


def highest(values: NDArray[np.float64], units: NDArray[np.int64]) -> NDArray[np.float64]:
    """(patients,) the highest score of each patient's rows."""
    codes = np.unique(units, return_inverse=True)[1]
    found = np.full(int(codes.max()) + 1, -np.inf)
    np.maximum.at(found, codes, values)
    return found
