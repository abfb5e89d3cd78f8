"""From departures to figures and rows of tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate

if TYPE_CHECKING:
    from synthml.fidelity.floor import Departure

__all__ = ["Told", "cells_of"]

_WORDS = {
    "tvd": "total variation over levels",
    "jensen_shannon": "Jensen-Shannon distance over levels, base 2",
    "ks": "largest gap between distribution functions",
    "wasserstein": "area between distribution functions, in spreads of the source (1st to 99th percentile)",
    "missingness": "difference of the shares of nulls",
    "coverage": "share of the common labels, or of the central range, that occurs",
    "new_categories": "share of rows with a value that the source never had",
    "missing_patterns": "total variation of the joint patterns of nulls",
    "pair_tvd": "total variation over pairs of levels",
    "association": "difference of Spearman's correlations (two numbers) or of bias-corrected Cramer's V",
}


@dataclass
class Told:
    """What has been found so far. confidence: of intervals and of the floor's percentile; rows: the smaller table's."""

    confidence: float
    rows: int
    repeats: int
    figures: dict[str, Estimate] = field(default_factory=dict)

    def figure(self, measure: str, of: str, found: Departure | None, reason: str, *, excess: bool = False, rows: int = 0) -> None:
        """Figures of one measure about one thing: `.synthetic`, `.floor`, and `.excess` where asked."""
        words = _WORDS[measure]
        names = ["synthetic", "floor", *(["excess"] if excess else [])]
        if found is None:
            for name in names:
                self.figures[f"fidelity.{measure}.{name}/{of}"] = Estimate.insufficient(reason, n=rows or self.rows, method=words)
            return
        percent = f"{100 * self.confidence:g}"
        n = rows or self.rows
        self.figures[f"fidelity.{measure}.synthetic/{of}"] = Estimate(
            found.value,
            found.low,
            found.high,
            n,
            f"{words}; down to what {percent} of 100 halves show, up by half-samples",
            confidence=self.confidence,
        )
        self.figures[f"fidelity.{measure}.floor/{of}"] = Estimate(
            found.floor,
            found.floor_low,
            found.floor_high,
            self.repeats,
            f"{words}; median over halves of the source, with percentiles",
            confidence=round(2 * self.confidence - 1, 10),
        )
        if excess:
            self.figures[f"fidelity.{measure}.excess/{of}"] = Estimate(
                found.excess,
                found.excess_low,
                found.excess_high,
                n,
                f"{words}; beyond the mean over halves of the source, by half-samples",
                confidence=self.confidence,
            )


def cells_of(found: Departure | None, reason: str, prefix: str = "") -> dict[str, Any]:
    """A departure as cells of a table."""
    keys = ("value", "low", "high", "floor", "floor_low", "floor_high", "departs")
    if found is None:
        cells: dict[str, Any] = dict.fromkeys(keys)
        status, why = "insufficient", reason
    else:
        cells = {key: getattr(found, key) for key in keys}
        status, why = "ok", None
    return {**{f"{prefix}{key}": value for key, value in cells.items()}, f"{prefix}status": status, f"{prefix}reason": why}
