"""From tables to the evidence of kind "quality"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_quality"]


def measure_quality(
    study: Study, *, seed: int, settings: MeasureSettings, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """Quality of source, synthetic table and labels."""
    return Evidence("quality")
