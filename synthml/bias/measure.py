"""From tables and predictions to the evidence of kind "bias"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synthml.metrics import Outcome
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_bias"]


def measure_bias(
    study: Study,
    outcomes: Mapping[str, Outcome],
    *,
    seed: int,
    settings: MeasureSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """The chain. outcomes: "tstr" and "trtr" on the holdout's rows, as far as there are any."""
    return Evidence("bias")
