"""A finding of a chapter: what was asked, how it stands, and a sentence for whoever reads nothing else."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """tone: a chip's class; word: the chip; title: what was asked; text: a sentence or two."""

    tone: str
    word: str
    title: str
    text: str
