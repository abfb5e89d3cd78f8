"""Error analysis: the slices of rows, by up to two conditions, on which the synthetic-trained model is worst.

One half of the holdout (by subject) is searched, the other half tests what was found, so an interval owes nothing to the search;
the tested slices share the error probability (Bonferroni). A slice is scored by the lower bound of its mean error difference
(TSTR minus TRTR, row by row), which weighs badness against size as SliceLine's score does (Sagadeeva & Boehm 2021,
doi 10.1145/3448016.3457323), and a second condition must raise that score.

The `sliceline` package (0.3.0, BSD-3-Clause, maintained, light pins) was measured first: it needs errors >= 0, so that a
difference of two models is refused in silence, and took 9.4 s and 3.1 GB on 100,000 x 18 against 0.5 s here; it tests nothing.

Slices overlap, so exact sizes would give small remainders away: rows are told to the nearest minimum cell, figures to four
digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from synthml.subgroups.conditions import conditions
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.metrics.outcome import Outcome
    from synthml.study import Study
    from synthml.study.schema import MinimumCell
    from synthml.subgroups.naming import Members

__all__ = ["row_errors", "worst_slices"]

TESTED = 10
_PAIRED = 400  # with more conditions than this, only those that score best alone are combined
_TOLD = 0.5  # a slice with more than this share of its rows in worse slices tells nothing new
_LEAST_PROBABILITY = 1e-6
_Z = 1.96


def row_errors(outcome: Outcome) -> NDArray[np.float64]:
    """(n,) log loss of each row, probabilities kept within [1e-6, 1 - 1e-6]; squared error for a regression."""
    if outcome.task == "regression":
        squared: NDArray[np.float64] = (outcome.truth.astype(np.float64) - outcome.score) ** 2
        return squared
    truth = outcome.truth.astype(np.int64)
    if outcome.task == "binary":
        probability = np.where(truth == 1, outcome.score, 1 - outcome.score)
    else:
        probability = outcome.score[np.arange(outcome.n), truth]
    return np.asarray(-np.log(np.clip(probability, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)))


def worst_slices(
    study: Study,
    members: Sequence[tuple[Members, Collection[int]]],
    outcomes: Mapping[str, Outcome],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    tested: int = TESTED,
) -> tuple[dict[str, Any], ...]:
    """The table "slices": at most `tested` rows, the worst first; none when the holdout is too small to search.

    members: each grouping with the groups that may be shown. Columns of the table:
    slice: its conditions in words. n: rows of the testing half, to the nearest minimum cell. measure: log_loss or squared_error.
    tstr, trtr: mean error. against: "trtr", or "everyone" when no real-trained model is there. difference, low, high: mean error
    minus that of `against`, simultaneous over the slices tested. everyone: on all rows of that half, the same difference (against
    everyone: the mean error). confirmed: low > 0. searched: slices looked at; tested: slices that share the error probability.
    """
    tstr = outcomes["tstr"]
    error = row_errors(tstr)
    real = row_errors(outcomes["trtr"]) if "trtr" in outcomes else None
    difference = error - error.mean() if real is None else error - real
    events = tstr.truth.astype(np.int64) if tstr.task == "binary" else None
    minimum = study.schema.minimum_cell
    searching = _random_half(tstr.n, tstr.clusters, rng)
    candidates = conditions(study, members, minimum_rows=2 * minimum.rows)
    if not candidates:
        return ()
    holds = np.array([condition.rows for condition in candidates])
    found, searched = _search(
        holds[:, searching],
        [condition.column for condition in candidates],
        difference[searching],
        None if events is None else events[searching],
        minimum,
        tested,
    )
    half = _Half(~searching, error, real, events, tstr.clusters, minimum)
    supported = [slice_ for slice_ in found if half.supports(_meeting(holds, slice_))]
    rows = []
    for slice_ in supported:
        figures = half.figures(_meeting(holds, slice_), 1 - (1 - confidence) / len(supported))
        rows.append(
            {
                "slice": " and ".join(candidates[i].text for i in slice_),
                "conditions": len(slice_),
                "measure": "squared_error" if tstr.task == "regression" else "log_loss",
                "against": "everyone" if real is None else "trtr",
                **figures,
                "searched": searched,
                "tested": len(supported),
            }
        )
    return tuple(sorted(rows, key=lambda row: -row["low"]))


def _meeting(holds: NDArray[np.bool_], slice_: tuple[int, ...]) -> NDArray[np.bool_]:
    """(rows,) where every condition of a slice holds."""
    return np.asarray(holds[list(slice_)].all(axis=0))


def _random_half(n: int, clusters: NDArray[np.int64] | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) True for the half that is searched; the rows of a subject stay together."""
    if clusters is None:
        half = np.zeros(n, dtype=bool)
        half[rng.permutation(n)[: n // 2]] = True
        return half
    _, subject = np.unique(clusters, return_inverse=True)
    units = int(subject.max()) + 1
    chosen = np.zeros(units, dtype=bool)
    chosen[rng.permutation(units)[: units // 2]] = True
    return chosen[subject]


def _search(
    holds: NDArray[np.bool_],
    columns: Sequence[str],
    difference: NDArray[np.float64],
    events: NDArray[np.int64] | None,
    minimum: MinimumCell,
    wanted: int,
) -> tuple[list[tuple[int, ...]], int]:
    """The `wanted` worst slices as tuples of conditions, none much like another, and how many were looked at.

    holds (conditions, rows): all counts and sums of one and two conditions come from four matrix products.
    """
    if difference.size == 0 or not np.ptp(difference):
        return [], 0
    alone = _score(_sums(holds, None, difference, events), minimum)
    kept = np.sort(np.argsort(-alone, kind="stable")[:_PAIRED])
    names = np.array(columns, dtype=object)[kept]
    score = _score(_sums(holds[kept], holds[kept], difference, events), minimum)
    score[names[:, None] == names[None, :]] = -np.inf
    score[score <= np.maximum(alone[kept][:, None], alone[kept][None, :])] = -np.inf
    first, second = np.triu_indices(kept.size, 1)
    pairs = np.flatnonzero(np.isfinite(score[first, second]))
    singles = np.flatnonzero(np.isfinite(alone))
    slices: list[tuple[int, ...]] = [(int(i),) for i in singles]
    slices += [(int(kept[first[p]]), int(kept[second[p]])) for p in pairs]
    scores = np.concatenate([alone[singles], score[first[pairs], second[pairs]]])
    looked_at = singles.size + int((names[first] != names[second]).sum())
    chosen: list[tuple[int, ...]] = []
    told = np.zeros(difference.size, dtype=bool)
    mean = difference.mean()
    for at in np.argsort(-scores, kind="stable"):
        if len(chosen) == wanted:
            break
        rows = _meeting(holds, slices[at])
        if difference[rows].mean() > mean and told[rows].mean() <= _TOLD:
            chosen.append(slices[at])
            told |= rows
    return chosen, looked_at


def _sums(
    left: NDArray[np.bool_], right: NDArray[np.bool_] | None, difference: NDArray[np.float64], events: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], ...]:
    """Rows, sums of the difference and of its square, and events, of every condition (or pair of them)."""
    # single precision counts exactly up to 2**24 rows, and the sums only rank
    scaled = ((difference - difference.mean()) / difference.std()).astype(np.float32)
    weights = [np.ones_like(scaled), scaled, scaled**2]
    if events is not None:
        weights.append(events.astype(np.float32))
    one = left.astype(np.float32)
    if right is None:
        return tuple((one @ weight).astype(np.float64) for weight in weights)
    other = right.astype(np.float32).T
    return tuple(((one * weight) @ other).astype(np.float64) for weight in weights)


def _score(sums: tuple[NDArray[np.float64], ...], minimum: MinimumCell) -> NDArray[np.float64]:
    """Lower bound of the mean in units of the difference's standard deviation; -inf below the minimum cell."""
    rows, total, squares = sums[:3]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / rows
        spread = np.sqrt(np.maximum(squares / rows - mean**2, 0) / rows)
    enough = rows >= minimum.rows
    if len(sums) == 4:
        enough &= np.minimum(sums[3], rows - sums[3]) >= minimum.events
    return np.where(enough, mean - _Z * spread, -np.inf)


@dataclass(frozen=True, eq=False)
class _Half:
    """The half that tests. rows (n,) bool; error, real, events, clusters (n,) over the whole holdout."""

    rows: NDArray[np.bool_]
    error: NDArray[np.float64]
    real: NDArray[np.float64] | None
    events: NDArray[np.int64] | None
    clusters: NDArray[np.int64] | None
    minimum: MinimumCell

    def supports(self, holds: NDArray[np.bool_]) -> bool:
        """Whether enough rows, people and events meet the conditions."""
        rows = self.rows & holds
        n = int(rows.sum())
        if n < self.minimum.rows or (self.clusters is not None and np.unique(self.clusters[rows]).size < FEWEST):
            return False
        if self.events is None:
            return True
        events = int(self.events[rows].sum())
        return min(events, n - events) >= self.minimum.events

    def figures(self, holds: NDArray[np.bool_], confidence: float) -> dict[str, Any]:
        """What the table says of a slice; the interval by subject, with Student's quantile."""
        rows = self.rows & holds
        n = int(rows.sum())
        if self.real is None:
            everyone = self.error[self.rows].mean()
            value = self.error[rows].mean() - everyone
            influence = rows * (self.error - self.error[rows].mean()) / n
            influence = influence - self.rows * (self.error - everyone) / self.rows.sum()
        else:
            difference = self.error - self.real
            everyone, value = difference[self.rows].mean(), difference[rows].mean()
            influence = rows * (difference - value) / n
        totals = influence[rows if self.real is not None else self.rows]
        if self.clusters is not None:
            which = self.clusters[rows if self.real is not None else self.rows]
            totals = np.bincount(np.unique(which, return_inverse=True)[1], weights=totals)
        half_width = np.sqrt((totals**2).sum() * totals.size / (totals.size - 1))
        units = n if self.clusters is None else np.unique(self.clusters[rows]).size
        half_width *= stdtrit(units - 1, 0.5 + confidence / 2)
        cell = self.minimum.rows
        return {
            "n": cell * round(n / cell),
            "tstr": _four(self.error[rows].mean()),
            "trtr": None if self.real is None else _four(self.real[rows].mean()),
            "difference": _four(value),
            "low": _four(value - half_width),
            "high": _four(value + half_width),
            "everyone": _four(everyone),
            "confirmed": bool(value > half_width),
        }


def _four(number: float) -> float:
    return float(f"{number:.4g}")
