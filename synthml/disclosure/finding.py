"""What an attack found, in one shape for all: main, control, baseline, risk, difference, worst group.

Main is the share of the source's patients on whom the attack succeeds, control the same attack on patients that the generator
never saw, baseline what guessing without the synthetic table reaches. Success on any row of a patient is success. Where an attack
has several modes the strongest decides: the risk is the highest of all modes, and so is its upper bound; its lower bound is the
highest after widening over the number of modes (Bonferroni): the largest of several is above zero by luck more often than one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import CONFIDENCE, Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.estimate.ratios import difference_interval, risk_interval
from synthml.figures import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground, Side

__all__ = ["Attempt", "Finding", "GroupRisk", "Rates", "Trials", "attempt_of", "by_patient"]

NO_HOLDOUT = "no holdout: what the attack would reach on patients whom the generator never saw cannot be told"
NO_ROOM = "the control attack succeeds on everyone, which leaves no room for a risk"


def by_patient(success: NDArray[Any], side: Side, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """(patients attacked,) the chance of success on at least one row, from the chance (or success, 0 or 1) on each row.

    rows: positions of the rows that were attacked; all when left out.
    """
    units = side.units if rows is None else side.units[rows]
    chance = np.asarray(success, dtype=np.float64)
    codes = np.unique(units, return_inverse=True)[1]
    with np.errstate(divide="ignore"):
        missed = np.bincount(codes, weights=np.log1p(-np.minimum(chance, 1.0)))
    return np.asarray(1 - np.exp(missed))


@dataclass(frozen=True, eq=False)
class Trials:
    """An attack on row after row.

    main (attacked source rows,), control (attacked holdout rows,): bool, whether it succeeded. baseline (attacked source rows,):
    the chance that a guess without the synthetic table succeeds on the same row. source_rows, holdout_rows: positions of the
    attacked rows; None is all of them, in order. by_row: each row holds a secret of its own, so that a rate is one of rows, with
    intervals by patient; otherwise success on any row of a patient is success.
    """

    main: NDArray[np.bool_]
    control: NDArray[np.bool_] | None
    baseline: NDArray[np.float64]
    source_rows: NDArray[np.int64] | None = None
    holdout_rows: NDArray[np.int64] | None = None
    by_row: bool = False

    def of_group(self, source: NDArray[np.int64], holdout: NDArray[np.int64]) -> Trials:
        """Only the rows of a group, by their positions."""
        here, rows = _within(self.source_rows, source, len(self.main))
        if self.control is None:
            return Trials(self.main[here], None, self.baseline[here], rows, by_row=self.by_row)
        there, others = _within(self.holdout_rows, holdout, len(self.control))
        return Trials(self.main[here], self.control[there], self.baseline[here], rows, others, self.by_row)

    def of_leaked(self, leaked: NDArray[np.int64]) -> Trials:
        """Only the source rows that were planted, against the whole control."""
        here, rows = _within(self.source_rows, leaked, len(self.main))
        return replace(self, main=self.main[here], baseline=self.baseline[here], source_rows=rows)


def _within(
    attacked: NDArray[np.int64] | None, wanted: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which trials are about the wanted rows, and which rows these are."""
    if attacked is None:
        return wanted, wanted
    found = np.flatnonzero(np.isin(attacked, wanted))
    return found, attacked[found]


@dataclass(frozen=True)
class Rates:
    """Main, control and baseline as estimates, and the risk at any confidence.

    interval: confidence -> bounds of the risk; None where there is no risk to tell, and `reason` says why.
    """

    main: Estimate
    control: Estimate
    baseline: Estimate
    risk: Estimate
    difference: Estimate
    interval: Callable[[float], tuple[float, float]] | None = None

    @property
    def beats_baseline(self) -> bool:
        """Whether the attack clearly does better than guessing."""
        low, guess = self.main.low, self.baseline.value
        return low is not None and guess is not None and low > guess

    def per_share(self, share: float) -> Rates:
        """Risk and difference of an attack on a random `share` of the source: a leak is met there with that chance, so both are
        divided by it.
        """
        if share >= 1 or self.interval is None:
            return self
        bounds = self.interval

        def scaled(confidence: float) -> tuple[float, float]:
            low, high = bounds(confidence)
            return low / share, min(high / share, 1.0)

        return replace(self, risk=_scaled(self.risk, share), difference=_scaled(self.difference, share), interval=scaled)

    def widened(self, modes: int) -> Rates:
        """With the lower bound of the risk widened over so many modes."""
        if self.interval is None or modes < 2 or not self.risk.ok:
            return self
        low = self.interval(1 - (1 - self.risk.confidence) / modes)[0]
        return replace(self, risk=replace(self.risk, low=low))


def _scaled(figure: Estimate, share: float) -> Estimate:
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    value, low, high = (min(bound / share, 1.0) for bound in (figure.value, figure.low, figure.high))
    return replace(
        figure, value=value, low=low, high=high, method=f"{figure.method}; on {share:.0%} of the source, divided by it"
    )


@dataclass(frozen=True)
class GroupRisk:
    """The risk of one sensitive group; rates is None where the group may not be shown."""

    of: str
    column: str
    group: str
    rates: Rates | None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Attempt:
    """One mode of an attack, measured.

    of: `all` or the secret. hits: positions of the source rows on which it succeeded and a guess would rather have failed.
    """

    mode: str
    rates: Rates
    of: str = ALL
    groups: tuple[GroupRisk, ...] = ()
    hits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Finding:
    """Everything that one attack contributes to the evidence. hits: attack or mode -> positions of source rows at risk."""

    figures: Mapping[str, Estimate]
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    hits: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


def proportion(share: Share, confidence: float, method: str) -> Estimate:
    """A share with Wilson's interval."""
    low, high = wilson(share.value, share.size, quantile(confidence))
    return Estimate(share.value, low, high, share.count, method, confidence=confidence)


@dataclass(frozen=True)
class Share:
    """A share and the independent trials that it is worth. count: patients (or rows) that it is told of."""

    value: float
    size: float
    count: int


def _share_of(success: NDArray[Any], side: Side, rows: NDArray[np.int64] | None, by_row: bool) -> Share | None:
    if not by_row:
        found = by_patient(success, side, rows)
        return Share(float(found.mean()), len(found), len(found)) if len(found) else None
    if not len(success):
        return None
    units = side.units if rows is None else side.units[rows]
    value = float(np.mean(success))
    variance = spread((np.asarray(success, dtype=np.float64) - value) / len(units), units).variance
    return Share(value, effective_size(value, variance, len(units), len(np.unique(units))), len(units))


def rates_of(trials: Trials, ground: Ground, confidence: float | None = None) -> Rates:
    """Rates by patient: shares with Wilson's intervals, risk with Koopman's, difference with Newcombe's."""
    level = ground.confidence if confidence is None else confidence
    unit = "rows, by patient" if trials.by_row and ground.schema.subject is not None else ground.unit
    hit = _share_of(trials.main, ground.source, trials.source_rows, trials.by_row)
    guess = _share_of(trials.baseline, ground.source, trials.source_rows, trials.by_row)
    if hit is None or guess is None:
        nothing = Estimate.insufficient("no row could be attacked", n=0)
        return Rates(nothing, nothing, nothing, nothing, nothing)
    main = proportion(hit, level, f"share of {unit} (Wilson)")
    baseline = Estimate(guess.value, n=guess.count, method=f"chance of a guess, over the same {unit}", confidence=level)
    if trials.control is None or ground.holdout is None:
        missing = Estimate.insufficient(NO_HOLDOUT, n=hit.count)
        return Rates(main, missing, baseline, missing, missing)
    met = _share_of(trials.control, ground.holdout, trials.holdout_rows, trials.by_row)
    if met is None:
        nothing = Estimate.insufficient("no row of the holdout could be attacked", n=0)
        return Rates(main, nothing, baseline, nothing, nothing)
    return compared(hit, met, main, proportion(met, level, main.method), baseline, unit)


def compared(hit: Share, met: Share, main: Estimate, control: Estimate, baseline: Estimate, unit: str) -> Rates:
    """Risk and difference of two shares."""
    level, (a, n), (b, m) = main.confidence, (hit.value, hit.size), (met.value, met.size)
    low, high = difference_interval(a, n, b, m, level)
    difference = Estimate(a - b, low, high, hit.count, "main minus control (Newcombe)", confidence=level)
    if b == 1:
        return Rates(main, control, baseline, Estimate.insufficient(NO_ROOM, n=hit.count), difference)
    low, high = risk_interval(a, n, b, m, level)
    method = f"risk over control, by {unit} (Koopman)"
    risk = Estimate((a - b) / (1 - b), low, high, hit.count, method, confidence=level)
    return Rates(main, control, baseline, risk, difference, lambda c: risk_interval(a, n, b, m, c))


def attempt_of(ground: Ground, mode: str, trials: Trials, *, of: str = ALL, groups: bool = True) -> Attempt:
    """Measure the trials of one mode, overall and in every sensitive group; on planted ground only on the planted rows."""
    if ground.leaked is not None:
        return Attempt(mode, rates_of(trials.of_leaked(ground.leaked), ground), of)
    rows = np.arange(len(ground.source)) if trials.source_rows is None else trials.source_rows
    risks = _group_risks(ground, trials) if groups else ()
    return Attempt(mode, rates_of(trials, ground), of, risks, rows[trials.main & (trials.baseline < 0.5)])


def _group_risks(ground: Ground, trials: Trials) -> tuple[GroupRisk, ...]:
    if trials.control is None:
        return ()
    shown = sum(group.reason is None for group in ground.groups)
    level = 1 - (1 - ground.confidence) / max(shown, 1)
    found = []
    for group in ground.groups:
        rates = None if group.reason else rates_of(trials.of_group(group.source, group.holdout), ground, level)
        found.append(GroupRisk(group.of, group.column, group.label, rates, group.reason))
    return tuple(found)


def worst_group(groups: Iterable[GroupRisk], confidence: float = CONFIDENCE) -> tuple[Estimate, str]:
    """The group with the highest upper bound, bounds simultaneous over the groups, and what it is called."""
    told = [(group, group.rates.risk) for group in groups if group.rates is not None and group.rates.risk.ok]
    if not told:
        return Estimate.insufficient("no sensitive group is large enough in source and holdout"), ""
    worst, risk = max(told, key=lambda pair: (pair[1].high or 0.0, pair[0].of))
    return replace(
        risk, method=f"worst group; {risk.method}, simultaneous over {len(told)} groups", confidence=confidence
    ), worst.of
