"""Privacy against utility: one generator at several settings, several draws of each, everything measured and decided.

What does privacy cost, and which patients pay for it? `run_sweep` trains the generator at every point of a grid, draws tables,
and measures each like any other: utility on real rows, every patient group, every attack. A setting is decided by its worst draw.
The cost of a setting is what the model loses in a group against the first setting of the grid, which should be the least private.

`grid`     settings out of `min_leaf=1,5,20`      `measure`   the draws, one by one
`summary`  what they come to: evidence of kind "privacy_cost"
"""

from __future__ import annotations

from synthml.sweep.grid import Setting, grid_of
from synthml.sweep.measure import Draw, Sweep, run_sweep

__all__ = ["Draw", "Setting", "Sweep", "grid_of", "run_sweep"]
