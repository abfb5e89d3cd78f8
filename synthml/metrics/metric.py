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

__all__ = ["Better", "Metric", "Rows", "Scale"]

Better = Literal["higher", "lower", "target", "none"]
Scale = Literal["proportion", "unit", "positive", "real"]
Rows = Callable[[Outcome], "NDArray[np.bool_]"]


@dataclass(frozen=True)
class Metric:
    """A metric and how to read it.

    better: which direction is better; `target` means nearer to `target`. scale: proportion of rows (Wilson), unit interval (logit
    scale), positive (log scale), or real. linearise: value and influences; raises Undefined.
    """

    name: str
    tasks: frozenset[Task]
    better: Better
    scale: Scale
    by_task: Mapping[Task, Callable[[Outcome], Linearised]]
    target: float | None = None
    among: Rows | None = None

    def linearise(self, outcome: Outcome) -> Linearised:
        """Value and influence of every row. Raises Undefined when the metric does not exist on these rows."""
        if outcome.task not in self.by_task:
            raise Undefined(f"{self.name} is not defined for a {outcome.task} task")
        if outcome.n == 0:
            raise Undefined("no rows")
        return self.by_task[outcome.task](outcome)
