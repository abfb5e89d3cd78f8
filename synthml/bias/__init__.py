"""What synthesis did to the patients: bias followed from source to synthetic table to model."""

from __future__ import annotations

from synthml.bias.measure import measure_bias

__all__ = ["measure_bias"]
