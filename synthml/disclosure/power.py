"""Whether an attack's quiet is evidence: one that cannot beat guessing must find rows that were planted for it.

Source rows are planted into the synthetic table in place of its own, at 5% and then at 1% (the settings' `planted`), and the
attack is made again, on those rows. If it succeeds on them beyond its control, it would have seen a leak, and its quiet on the
real table counts; if not, it is blind here, and what it says is `inconclusive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synthml.disclosure.finding import Attempt
    from synthml.disclosure.ground import Ground
    from synthml.estimate import Estimate

__all__ = ["Power", "power_of"]


@dataclass(frozen=True)
class Power:
    """What the attack made of planted rows. share: of the synthetic rows that were planted; found: the risk of
    the planted rows is above 0.
    """

    of: str
    share: float
    found: bool
    risk: Estimate


def power_of(attack: Callable[[Ground], Sequence[Attempt]], ground: Ground, wanted: Sequence[str]) -> list[Power]:
    """Plant, attack again, and see: the largest share first, smaller ones as long as something is found.

    wanted: what the attempts are about (`all`, or secrets) that did not beat their baseline.
    """
    found: list[Power] = []
    left = set(wanted)
    for share in sorted(ground.settings.planted, reverse=True):
        if not left:
            break
        attempts = [attempt for attempt in attack(ground.planted(share)) if attempt.of in left]
        for of in sorted(left):
            risks = [attempt.rates.risk for attempt in attempts if attempt.of == of and attempt.rates.risk.ok]
            if not risks:
                left.discard(of)
                continue
            best = max(risks, key=lambda risk: risk.low or 0.0)
            seen = best.low is not None and best.low > 0
            found.append(Power(of, share, seen, best))
            if not seen:
                left.discard(of)
    return found
