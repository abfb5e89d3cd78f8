"""The chapter on drift, by Evidently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthml.report.reading import Reading

__all__ = ["DriftChapter", "drift_chapter"]


@dataclass(frozen=True)
class DriftChapter:
    """What the chapter shows."""


def drift_chapter(reading: Reading) -> DriftChapter | None:
    """The chapter; None when nothing of it was measured."""
    return None
