"""Which rows to look at: for whoever holds the tables, never part of the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Suspects"]


@dataclass(frozen=True)
class Suspects:
    """Positions of suspected rows. found: (role, finding) -> sorted positions (0-based) in the table as it was given.

    Findings: `label_noise` (the label is hardly to be believed) and `duplicate` (the row equals an earlier one).
    """

    found: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(positions) for positions in self.found.values())
