"""The chapter on the bias chain: from source to synthetic table to model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthml.report.reading import Reading

__all__ = ["BiasChapter", "bias_chapter"]


@dataclass(frozen=True)
class BiasChapter:
    """What the chapter shows."""


def bias_chapter(reading: Reading) -> BiasChapter | None:
    """The chapter; None when nothing of it was measured."""
    return None
