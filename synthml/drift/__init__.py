"""Drift between two tables, by Evidently: its figures under our ids, its pages with nothing of a row in them."""

from __future__ import annotations

from synthml.drift.measure import measure_drift

__all__ = ["measure_drift"]
