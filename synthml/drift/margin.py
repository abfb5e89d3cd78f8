"""How far a drift score may be from the one of the populations behind the tables.

Both scores are distances between distributions: d of the populations and d of the tables differ by no more than the distance of
each table from its own population (triangle inequality). The latter is what a bootstrap of a table, by subject, shows of the
table itself (Efron 1979, doi 10.1214/aos/1176344552). So

    |score - truth| <= distance of the reference from its population + distance of the current table from its own

and the 95th percentile of the right side over draws is the margin, to which comes how far masking moved the numbers of either
table. It is cautious: it holds for equal populations, where the usual bootstrap of a distance does not, and is at most 1.4 times
wider than it need be when the tables are of one size. The scale of the normed Wasserstein distance, the reference's standard
deviation, counts as fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthml.drift.engine import WASSERSTEIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.drift.engine import Method
    from synthml.drift.masking import Coded

__all__ = ["margins"]

DRAWS = 100


def margins(
    columns: Mapping[str, tuple[Coded, Method]],
    subjects: tuple[NDArray[np.int64] | None, NDArray[np.int64] | None],
    rng: np.random.Generator,
    confidence: float,
    draws: int = DRAWS,
) -> dict[str, float]:
    """Column -> margin. subjects: (n,) of each table, or None where each row is somebody else."""
    apart = {name: np.zeros(draws) for name in columns}
    for side in (0, 1):
        units = _units(subjects[side])
        tables = {name: _Table.of(coded, side) for name, (coded, _) in columns.items()}
        for draw in range(draws):
            weights = _weights(units, rng)
            for name, (coded, method) in columns.items():
                apart[name][draw] += _from_itself(coded, method, side, tables[name].drawn(weights, rng), tables[name].counts)
    return {
        name: float(np.quantile(found, confidence, method="higher")) + _masked(*columns[name]) for name, found in apart.items()
    }


def _masked(coded: Coded, method: Method) -> float:
    """What masking may have added or taken, by the same inequality."""
    return sum(coded.moved) / scale_of(coded) if method is WASSERSTEIN else 0.0


def _units(subjects: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if subjects is None else np.unique(subjects, return_inverse=True)[1].astype(np.int64)


def _weights(units: NDArray[np.int64] | None, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """(n,) how often each row is drawn, all rows of a subject together; None where rows are drawn one by one."""
    if units is None:
        return None
    count = int(units.max(initial=-1)) + 1
    drawn = np.bincount(rng.integers(0, count, count), minlength=count)
    return drawn[units].astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Table:
    """A column of one table. known (n,): rows with a value; codes (known,): their levels; counts (levels,): rows at each."""

    known: NDArray[np.bool_]
    codes: NDArray[np.int64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, coded: Coded, side: int) -> _Table:
        known = coded.codes[side] >= 0
        codes = coded.codes[side][known]
        return cls(known, codes, np.bincount(codes, minlength=len(coded.values[side])).astype(np.float64))

    def drawn(self, weights: NDArray[np.float64] | None, rng: np.random.Generator) -> NDArray[np.float64]:
        """(levels,) rows at each level in a bootstrap draw."""
        if weights is None:
            return rng.multinomial(int(self.counts.sum()), self.counts / self.counts.sum()).astype(np.float64)
        return np.bincount(self.codes, weights=weights[self.known], minlength=len(self.counts)).astype(np.float64)


def _from_itself(coded: Coded, method: Method, side: int, drawn: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    if not drawn.sum():
        return 0.0
    p, q = counts / counts.sum(), drawn / drawn.sum()
    if method is WASSERSTEIN:
        return float(np.abs(np.cumsum(p - q)[:-1]) @ np.diff(coded.values[side].astype(np.float64))) / scale_of(coded)
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def scale_of(coded: Coded) -> float:
    """What Evidently divides by: the standard deviation of the reference's masked values."""
    values = coded.values[0].astype(np.float64)
    counts = np.bincount(coded.codes[0][coded.codes[0] >= 0], minlength=len(values))
    middle = float(counts @ values) / counts.sum()
    return float(np.sqrt(counts @ (values - middle) ** 2 / counts.sum()))


def _relative(x: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    held = x > 0
    return float(x[held] @ np.log(x[held] / middle[held]))
