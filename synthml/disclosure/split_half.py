"""Split halves: what a figure looks like between two samples of one population.

The source is cut into random halves by patient, again and again; one half plays the source, the other the synthetic table. The
95th percentile of a figure over these repeats is its threshold: two honest samples rarely exceed it (the reading of the Korean
guide of 2024). Figures depend on the size of the tables, so the synthetic table is compared in the same way: as many of its rows,
against random halves of the source. `threshold` is the percentile, `beyond` what the median comparison has above it. For CAP both
are of CAP itself: two halves of the source have no strangers to subtract.

Distances need no new search for a half: of the nearest rows found once, the first that lies in the half is the nearest there. A
row with none of its sixteen nearest in the half (one in 65,000) stays out of that repeat.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.disclosure.attack import ThreatModel
from synthml.disclosure.attribution import cap, disco, replicated_uniques
from synthml.disclosure.copies import weighted_share
from synthml.disclosure.finding import Finding
from synthml.disclosure.inference import keys_for, unfit
from synthml.disclosure.matches import joint_codes, row_codes, value_codes
from synthml.estimate import Estimate
from synthml.figures import escape_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground

__all__ = ["THREAT_MODEL", "finding"]

PERCENTILE = 95
_LEAST = 40
THREAT_MODEL = ThreatModel(
    question="Is the table more like its source than two samples of the same people are like each other?",
    knows="nothing about anybody",
    tries="to compare the synthetic table with the source as halves of the source compare with each other",
    succeeds="when the table exceeds what 95 of 100 honest halves show",
)
Rows = np.ndarray[Any, np.dtype[np.int64]]


def finding(ground: Ground) -> Finding:
    """Thresholds, and what lies beyond them."""
    if ground.source.count < _LEAST:
        reason = f"the source has fewer than {_LEAST} {ground.unit}: its halves say nothing"
        figures = {f"disclosure.{name}.beyond/all": Estimate.insufficient(reason) for name in ("copies.share", "distance_share")}
        return Finding(figures)
    measures = _measures(ground)
    repeats = ground.settings.split_halves
    between: dict[str, list[float]] = {name: [] for name in measures}
    against: dict[str, list[float]] = {name: [] for name in measures}
    rng = ground.rng("split_half")
    half_rows = 0
    for _ in range(repeats):
        first = np.zeros(ground.source.count, dtype=bool)
        first[rng.permutation(ground.source.count)[: ground.source.count // 2]] = True
        within = first[ground.source.units]
        one, other = np.flatnonzero(within), np.flatnonzero(~within)
        made = rng.permutation(len(ground.synthetic))[: len(other)]
        half_rows = len(other)
        for name, measure in measures.items():
            between[name].append(measure(one, other, False))
            against[name].append(measure(one, made, True))
    return _told(between, against, repeats, half_rows)


def _told(between: Mapping[str, list[float]], against: Mapping[str, list[float]], repeats: int, half_rows: int) -> Finding:
    figures: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    for name, halves in between.items():
        threshold = float(np.percentile(halves, PERCENTILE))
        value = float(np.median(against[name]))
        figure, _, of = name.partition("/")
        method = f"split-half, {repeats} repeats, {half_rows} rows"
        figures[f"{figure}.threshold/{of}"] = Estimate(threshold, n=repeats, method=f"{PERCENTILE}th percentile; {method}")
        figures[f"{figure}.beyond/{of}"] = Estimate(
            value - threshold, n=repeats, method=f"value at that size minus threshold; {method}"
        )
        rows.append(
            {"figure": figure, "of": of, "value": value, "threshold": threshold, "repeats": repeats, "half_rows": half_rows}
        )
    return Finding(figures, {"disclosure_thresholds": tuple(rows)})


def _measures(ground: Ground) -> dict[str, Callable[[Rows, Rows, bool], float]]:
    """Figure id -> (rows of the source half, rows of the other table, whether that is the synthetic one) -> value."""
    source, made, _ = row_codes(ground)
    found: dict[str, Callable[[Rows, Rows, bool], float]] = {
        "disclosure.copies.share/all": lambda one, other, real: weighted_share(
            source[one], ground.source.units[one], (made if real else source)[other]
        ),
        "disclosure.near_copies.share/all": _near_copies(ground),
        "disclosure.distance_share/all": _distance_share(ground),
    }
    keys = joint_codes(ground, ground.quasi_identifiers)
    found["disclosure.replicated_uniques/all"] = lambda one, other, real: float(
        replicated_uniques(keys[0][one], (keys[1] if real else keys[0])[other]).mean()
    )
    for secret in ground.secrets:
        if not unfit(ground, secret):
            told, codes = joint_codes(ground, keys_for(ground, secret)), value_codes(ground, secret, binned=True)
            for name, measure in (("cap.excess", cap), ("disco", disco)):
                found[f"disclosure.{name}/{escape_label(secret)}"] = partial(_attributed, measure, told, codes)
    return found


def _attributed(measure: Any, keys: Any, codes: Any, one: Rows, other: Rows, real: bool) -> float:
    at = 1 if real else 0
    return float(measure(keys[0][one], codes[0][one], keys[at][other], codes[at][other]).mean())


def _distance_share(ground: Ground) -> Callable[[Rows, Rows, bool], float]:
    own, met = ground.near("source", "source"), ground.near("synthetic", "source")
    inside = np.zeros(len(ground.source), dtype=bool)

    def measure(one: Rows, other: Rows, real: bool) -> float:
        inside[:] = False
        inside[one] = True
        lists = met if real else own
        star, distance = _first(lists.index[other], lists.distance[other], inside)
        _, alone = _first(own.index[star], own.distance[star], inside)
        told = np.isfinite(distance) & np.isfinite(alone) & (distance != alone)
        return float((distance < alone)[told].mean()) if told.any() else 0.0

    return measure


def _near_copies(ground: Ground) -> Callable[[Rows, Rows, bool], float]:
    own, met = ground.near("source", "source"), ground.near("synthetic", "source")
    inside = np.zeros(len(ground.source), dtype=bool)

    def measure(one: Rows, other: Rows, real: bool) -> float:
        inside[:] = False
        inside[one] = True
        lists = met if real else own
        return float((_first(lists.index[other], lists.distance[other], inside)[1] <= ground.settings.near).mean())

    return measure


def _first(
    index: NDArray[np.int64], distance: NDArray[np.float64], inside: NDArray[np.bool_]
) -> tuple[Rows, NDArray[np.float64]]:
    """The nearest listed row that lies inside, and its distance; infinite where none does."""
    at = np.full(len(index), -1)
    left = np.arange(len(index))
    for place in range(index.shape[1]):  # half of those left are settled at every place
        held = inside[index[left, place]]
        at[left[held]] = place
        left = left[~held]
        if not len(left):
            break
    rows = np.arange(len(index))
    return index[rows, at], np.where(at >= 0, distance[rows, at], np.inf)
