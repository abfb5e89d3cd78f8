"""A figure against a threshold: by its interval, its value or one bound, on the worst of several draws.

interval   the default. `at_most: t` passes when high <= t, fails when low > t, and is `insufficient` otherwise
value      the estimate itself: passes or fails, however wide the interval is
low, high  that bound itself; a figure without it is `insufficient`

Draws are tables that one generator made of one source. A criterion with `draws: m` is decided on each of at least m of them, the
model's own table among them, and the worst decision counts (evidence of m >= 10 draws shows what another draw might have done).
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthml.policy.verdict import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.estimate import Estimate
    from synthml.policy.criteria import Criterion
    from synthml.policy.verdict import Outcome

__all__ = ["asked", "decided", "held", "is_laxer", "undecided"]

_ROWS = ("utility", "disparity", "bias")  # families whose n counts rows of a table
_ORDER: tuple[Outcome, ...] = ("fail", "insufficient", "pass")
# how much of the interval must be on the right side, for `at_most` and for `at_least`
_STRICTNESS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"interval": (2, 2), "high": (2, 0), "value": (1, 1), "low": (0, 2)}
)
_WORDS = MappingProxyType({"interval": "", "value": "value ", "low": "lower bound ", "high": "upper bound "})


def asked(criterion: Criterion) -> str:
    """What is required, in words: `at most 0.05`, `lower bound at least 0.7 on the worst of 10 draws`."""
    bounds = [("at least", criterion.at_least), ("at most", criterion.at_most)]
    told = " and ".join(f"{word} {value:g}" for word, value in bounds if value is not None)
    return _WORDS[criterion.decided_on] + told + ("" if criterion.draws == 1 else f" on the worst of {criterion.draws} draws")


def is_laxer(mine: Criterion, theirs: Criterion) -> bool:
    """Whether a figure could pass mine that theirs stops, because of what is read and on how many draws."""
    pairs = zip(_STRICTNESS[mine.decided_on], _STRICTNESS[theirs.decided_on], (theirs.at_most, theirs.at_least), strict=True)
    return mine.draws < theirs.draws or any(bound is not None and own < other for own, other, bound in pairs)


def held(criterion: Criterion, of: str, figures: Sequence[Estimate], *, least: int = 0) -> Decision:
    """The decision on one figure, measured on each draw, the model's own first. least: rows that a figure must rest on."""
    each = [_held(criterion, of, figure, least) for figure in (figures if criterion.draws > 1 else figures[:1])]
    if criterion.draws == 1:
        return each[0]
    worst = min(zip(each, figures, strict=True), key=lambda pair: (_ORDER.index(pair[0].outcome), _margin(criterion, pair[1])))[0]
    told = replace(worst, found=f"worst of {len(each)} draws: {worst.found}") if len(each) > 1 else worst
    if worst.outcome == "fail" or len(each) >= criterion.draws:
        return told
    return undecided(criterion, of, told.found, f"measured on {len(each)} of the {criterion.draws} draws that are asked for")


def _margin(criterion: Criterion, figure: Estimate) -> float:
    """How far a figure is on the right side of its threshold; one that cannot be read is furthest on the wrong one."""
    read = _read(criterion, figure)
    if read is None:
        return -math.inf
    sides = [] if criterion.at_most is None else [criterion.at_most - read[1]]
    return min([*sides, *([] if criterion.at_least is None else [read[0] - criterion.at_least])])


def _read(criterion: Criterion, figure: Estimate) -> tuple[float, float] | None:
    """The interval that is held against the threshold; of one bound or the value an interval without width."""
    if figure.value is None:
        return None
    ends = (figure.value if figure.low is None else figure.low, figure.value if figure.high is None else figure.high)
    one = {"value": figure.value, "low": figure.low, "high": figure.high}.get(criterion.decided_on)
    if criterion.decided_on == "interval":
        return ends
    return None if one is None else (one, one)


def _held(criterion: Criterion, of: str, figure: Estimate, least: int) -> Decision:
    if figure.status != "ok" or figure.value is None:
        told = figure.reason or figure.status
        return undecided(criterion, of, told, told)
    found = f"{figure}" + ("" if figure.n is None else f", n = {figure.n:,}")
    if figure.n is not None and figure.n < least and criterion.figure.partition(".")[0] in _ROWS:
        return undecided(criterion, of, found, f"rests on {figure.n:,} rows, fewer than {least:,}")
    read = _read(criterion, figure)
    if read is None:
        return undecided(criterion, of, found, f"the figure has no {_WORDS[criterion.decided_on].strip()}")
    (low, high), most, floor = read, criterion.at_most, criterion.at_least
    if (most is not None and low > most) or (floor is not None and high < floor):
        return decided(criterion, of, "fail", found)
    if (most is None or high <= most) and (floor is None or low >= floor):
        return decided(criterion, of, "pass", found)
    needed = [_rows_needed(figure.value, low, high, t, figure.n) for t in (most, floor) if t is not None and low <= t <= high]
    rows = max((n for n in needed if n is not None), default=None)
    return replace(undecided(criterion, of, found, "the interval holds the threshold"), n_required=rows)


def _rows_needed(value: float, low: float, high: float, threshold: float, n: int | None) -> int | None:
    """About how many rows, to two digits, would move the bound off the threshold if the value stayed.

    Widths shrink with the root of n.
    """
    if n is None or value == threshold:
        return None
    half = high - value if value < threshold else value - low
    rows = n * (half / abs(threshold - value)) ** 2
    unit: int = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(rows / unit) * unit


def undecided(criterion: Criterion, of: str, found: str, reason: str) -> Decision:
    """The evidence cannot decide it."""
    return decided(criterion, of, "insufficient", found, reason=reason)


def decided(criterion: Criterion, of: str, outcome: Outcome, found: str, **more: Any) -> Decision:
    """A decision with everything that the criterion says of itself."""
    return Decision(
        id=criterion.id,
        outcome=outcome,
        required=asked(criterion),
        found=found,
        figure=criterion.figure,
        of=of,
        severity=criterion.severity,
        source=criterion.source,
        set_by=criterion.set_by,
        **more,
    )
