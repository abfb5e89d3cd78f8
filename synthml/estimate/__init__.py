"""Estimate: a figure with its interval, its n and its method. Nothing that was estimated travels as a bare float.

`proportions`   Wilson's score interval, plain and at the effective sample size of clustered data
`ratios`        two proportions: difference, and the risk of an attack over its control (Koopman)
`linear`        value + influence of every row: one road to intervals, paired losses and covariances of smooth metrics
`simultaneous`  bounds that hold for all groups at once (max-t)
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from synthml.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIDENCE", "Estimate", "Status"]

Status = Literal["ok", "inconclusive", "insufficient"]
CONFIDENCE = 0.95
_STATUSES = ("ok", "inconclusive", "insufficient")


@dataclass(frozen=True)
class Estimate:
    """One figure. value, low, high: same unit as the figure; n: rows it rests on; status: only `ok` can pass a policy.

    `insufficient` means too small, missing or failed: value, low and high are None and `reason` says why.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = ""
    status: Status = "ok"
    reason: str | None = None
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is None:
                continue
            number = float(number)
            if not math.isfinite(number):
                raise ValueError(f"an estimate's {name} must be finite, got {number}; use Estimate.insufficient")
            object.__setattr__(self, name, number)
        if self.n is not None:
            object.__setattr__(self, "n", int(self.n))
        if self.status not in _STATUSES:
            raise ValueError(f"status must be one of {_STATUSES}, got {self.status!r}")
        if self.status == "insufficient" and (self.value is not None or not self.reason):
            raise ValueError("an insufficient estimate has no value, and a reason")
        if self.status == "ok" and self.value is None:
            raise ValueError("an ok estimate has a value")

    @classmethod
    def insufficient(cls, reason: str, *, n: int | None = None, method: str = "") -> Estimate:
        """A figure that could not be had. `reason` never holds a value of a table."""
        return cls(None, n=n, method=method, status="insufficient", reason=reason)

    @property
    def ok(self) -> bool:
        """Whether this figure may decide anything."""
        return self.status == "ok"

    def to_dict(self) -> dict[str, Any]:
        """The figure as it stands in evidence.json."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "n": self.n,
            "status": self.status,
            "method": self.method,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Estimate:
        """Read a figure of evidence.json. Raises EvidenceError when it contradicts itself."""
        try:
            return cls(
                value=data["value"],
                low=data.get("low"),
                high=data.get("high"),
                n=data.get("n"),
                method=data.get("method") or "",
                status=data["status"],
                reason=data.get("reason"),
                confidence=data.get("confidence", CONFIDENCE),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"a figure of the evidence cannot be read: {error}") from error

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.status}: {self.reason}"
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    def _repr_html_(self) -> str:
        n = "" if self.n is None else f" · n = {self.n:,}"
        return f"<span title='{html.escape(self.method, quote=True)}'><b>{html.escape(str(self))}</b>{n}</span>"
