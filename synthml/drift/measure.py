"""From the tables of a study to the evidence of kind "drift" and a page to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_drift"]


def measure_drift(
    study: Study,
    *,
    seed: int,
    settings: MeasureSettings,
    pages: Callable[[str, str], None] = lambda _name, _html: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """Drift source/synthetic and synthetic/holdout. pages: called with the name (`drift.html`) and the text of each page."""
    return Evidence("drift")
