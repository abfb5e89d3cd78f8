"""Three-valued truth of many rows at once (Kleene 1952): yes, no, or neither where a null is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Numbers", "Truth", "compared"]

_ROUNDING = 1e-10  # of a date, a fifth of a second


@dataclass(frozen=True, eq=False)
class Truth:
    """yes, no: (n,) or single booleans, never both true."""

    yes: NDArray[np.bool_]
    no: NDArray[np.bool_]

    @classmethod
    def where(cls, holds: NDArray[Any], known: NDArray[Any]) -> Truth:
        """Yes or no where it is known."""
        return cls(np.asarray(holds & known), np.asarray(~holds & known))

    def contrary(self) -> Truth:
        """Yes for no, no for yes."""
        return Truth(self.no, self.yes)

    @staticmethod
    def all_of(parts: Sequence[Truth]) -> Truth:
        """Yes where every part is, no where any is no."""
        yes, no = parts[0].yes, parts[0].no
        for part in parts[1:]:
            yes, no = yes & part.yes, no | part.no
        return Truth(yes, no)


@dataclass(frozen=True, eq=False)
class Numbers:
    """value: (n,) or single, NaN for null. size: magnitude of what it was computed from, None when nothing was computed."""

    value: NDArray[np.float64]
    size: NDArray[np.float64] | None = None

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """At least the absolute value."""
        return np.abs(self.value) if self.size is None else self.size

    def negative(self) -> Numbers:
        """With the other sign."""
        return Numbers(-self.value, self.size)

    def combined(self, sign: str, other: Numbers) -> Numbers:
        """Sum, difference, product or ratio; null where it is no number, such as a division by nil."""
        with np.errstate(all="ignore"):
            if sign in "+-":
                value = self.value + other.value if sign == "+" else self.value - other.value
                size = np.maximum(self.magnitude, other.magnitude)
            elif sign == "*":
                value, size = self.value * other.value, self.magnitude * other.magnitude
            else:
                value, size = self.value / other.value, self.magnitude / np.abs(other.value)
        return Numbers(np.where(np.isfinite(value), value, np.nan), size)


def compared(left: Numbers, sign: str, right: Numbers) -> Truth:
    """left <sign> right; what was computed counts as equal within rounding, so that 0.1 + 0.2 == 0.3."""
    one, other = left.value, right.value
    known = ~(np.isnan(one) | np.isnan(other))
    equal = one == other
    if left.size is not None or right.size is not None:
        room = _ROUNDING * np.maximum(left.magnitude, right.magnitude)
        with np.errstate(invalid="ignore"):
            equal |= np.abs(one - other) <= room
    holds = {
        "==": lambda: equal,
        "!=": lambda: ~equal,
        "<": lambda: (one < other) & ~equal,
        ">": lambda: (one > other) & ~equal,
        "<=": lambda: (one < other) | equal,
        ">=": lambda: (one > other) | equal,
    }[sign]()
    return Truth.where(holds, known)
