"""How a metric is read: which way is better, on which scale its interval is made, which rows it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from synthml.metrics.outcome import Outcome, Task
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synthml.estimate.linear import Linearised

__all__ = ["Better", "Metric", "Rows", "Scale", "Transform"]

Better = Literal["higher", "lower", "target", "none"]
Scale = Literal["proportion", "unit", "positive", "real"]
Transform = Literal["plain", "log", "logit", "precision", "shortfall"]
Rows = Callable[[Outcome], "NDArray[np.bool_]"]


@dataclass(frozen=True)
class Metric:
    """A metric and how to read it.

    better: which direction is better; `target` means nearer to `target`. scale: proportion of rows, unit interval, positive, or
    real. by_task: task -> function from an outcome to value and influences, which raises Undefined. among: the rows that a
    proportion is of, None for all. transform: where the interval of a figure that is no proportion is symmetrical: as it is, in
    its logarithm, its logit, one over its square, or the logarithm of what it lacks to 1. largest: the most that one row can add
    to a mean over rows, None when there is no such bound. rarer_class: the rows of the rarer class carry the figure.
    """

    name: str
    tasks: frozenset[Task]
    better: Better
    scale: Scale
    by_task: Mapping[Task, Callable[[Outcome], Linearised]]
    target: float | None = None
    among: Rows | None = None
    transform: Transform = "plain"
    largest: float | None = None
    rarer_class: bool = False

    def linearise(self, outcome: Outcome) -> Linearised:
        """Value and influence of every row. Raises Undefined when the metric does not exist on these rows."""
        if outcome.task not in self.by_task:
            raise Undefined(f"{self.name} is not defined for a {outcome.task} task")
        if outcome.n == 0:
            raise Undefined("no rows")
        return self.by_task[outcome.task](outcome)
