"""What is found at the door, collected: no check stops at the first problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Problems", "listed", "rows_of"]


class Problems(list[Problem]):
    """A list of problems that is told `where`, `what` and the remedy."""

    def add(self, where: str, what: str, remedy: str) -> None:
        """Append one problem; none of the three may hold a value of a table."""
        self.append(Problem(where, what, remedy))

    def told(self, where: str) -> bool:
        """Whether something is known to be wrong there, so that what follows from it need not be told."""
        return any(problem.where == where for problem in self)


def rows_of(mask: NDArray[Any]) -> str:
    """`12 of 300 rows (first: row 17)`; rows are counted from 0."""
    return f"{int(mask.sum())} of {len(mask)} rows (first: row {int(np.argmax(mask))})"


def listed(names: Sequence[str], most: int = 8) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
