"""From tables to the evidence of kind "fidelity"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_fidelity"]


def measure_fidelity(
    study: Study, *, seed: int, settings: MeasureSettings, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """Where the synthetic table departs from its source."""
    return Evidence("fidelity")
