"""Quality of the tables and their labels: missing values, duplicates, noisy labels, features that give the target away."""

from __future__ import annotations

from synthml.quality.measure import measure_quality

__all__ = ["measure_quality"]
