"""A rule that rows have taught, and how many rows of it may be dirt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synthml.fidelity.constraints.tables import Seen

__all__ = ["DIRT", "EXPECTED", "OF_CHANCE", "Breaks", "Learned"]

DIRT = 0.001  # a rule may be broken by this share of the rows it is learned from: real tables have slips
EXPECTED = 20.0  # rows that chance alone would let break a rule, at least: fewer, and nobody can tell that it is one
OF_CHANCE = 0.02  # and no more than this share of what chance lets break it

Breaks = Callable[["Seen"], "NDArray[np.bool_]"]


@dataclass(frozen=True, eq=False)
class Learned:
    """kind: dependency, inequality, combination, values or missingness. columns: that it is about. by_chance: the share of rows
    that would break it if its columns had nothing to do with each other (0 for rules on one column). breaks: a table -> (n,) rows
    that break it."""

    label: str
    kind: str
    columns: tuple[str, ...]
    by_chance: float
    breaks: Breaks
