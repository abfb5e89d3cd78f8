"""The chapter on the quality of tables and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthml.report.reading import Reading

__all__ = ["QualityChapter", "quality_chapter"]


@dataclass(frozen=True)
class QualityChapter:
    """What the chapter shows."""


def quality_chapter(reading: Reading) -> QualityChapter | None:
    """The chapter; None when nothing of it was measured."""
    return None
