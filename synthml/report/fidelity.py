"""The chapter on fidelity: where the synthetic table departs from its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthml.report.reading import Reading

__all__ = ["FidelityChapter", "fidelity_chapter"]


@dataclass(frozen=True)
class FidelityChapter:
    """What the chapter shows."""


def fidelity_chapter(reading: Reading) -> FidelityChapter | None:
    """The chapter; None when nothing of it was measured."""
    return None
