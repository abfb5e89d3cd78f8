"""Each metric once: its value and the influence of every row, from which every interval follows.

`outcome`     truth and predictions on the same rows
`binary`, `multiclass`, `regression`   the metrics
`metric`      how a metric is read: which way is better, on which scale
`calibration_error`   the interval of the expected calibration error
`intervals`   from a metric and an outcome to an Estimate; the paired loss of two models
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import numpy as np

from synthml.metrics import binary, multiclass, regression
from synthml.metrics.intervals import estimate, loss
from synthml.metrics.metric import Better, Metric, Rows, Scale, Transform
from synthml.metrics.outcome import Outcome, Task
from synthml.metrics.undefined import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthml.estimate.linear import Linearised

__all__ = ["METRICS", "Metric", "Outcome", "Task", "Undefined", "estimate", "loss", "metrics_for"]


_TRANSFORMS: Mapping[Scale, Transform] = MappingProxyType(
    {"proportion": "plain", "unit": "logit", "positive": "log", "real": "plain"}
)
_CLIPPED = -math.log(binary.CLIP)


def _metric(
    name: str,
    better: Better,
    scale: Scale,
    *,
    target: float | None = None,
    among: Rows | None = None,
    transform: Transform | None = None,
    largest: float | None = None,
    rarer_class: bool = False,
    **by_task: Callable[[Outcome], Linearised],
) -> Metric:
    functions = cast("dict[Task, Callable[[Outcome], Linearised]]", by_task)
    return Metric(
        name,
        frozenset(functions),
        better,
        scale,
        MappingProxyType(functions),
        target,
        among,
        _TRANSFORMS[scale] if transform is None else transform,
        largest,
        rarer_class,
    )


def _events(outcome: Outcome) -> NDArray[np.bool_]:
    return np.asarray(outcome.truth == 1)


def _others(outcome: Outcome) -> NDArray[np.bool_]:
    return np.asarray(outcome.truth == 0)


def _called(outcome: Outcome) -> NDArray[np.bool_]:
    return np.asarray(outcome.decision == 1)


def _not_called(outcome: Outcome) -> NDArray[np.bool_]:
    return np.asarray(outcome.decision == 0)


_ALL = (
    _metric("auroc", "higher", "unit", rarer_class=True, binary=binary.auroc),
    _metric("average_precision", "higher", "unit", rarer_class=True, binary=binary.average_precision),
    _metric("macro_auroc", "higher", "unit", rarer_class=True, multiclass=multiclass.macro_auroc),
    _metric("brier", "lower", "positive", largest=1.0, binary=binary.brier),
    _metric("log_loss", "lower", "positive", largest=_CLIPPED, binary=binary.log_loss, multiclass=multiclass.log_loss),
    _metric("ece", "lower", "positive", largest=1.0, binary=binary.ece),
    _metric(
        "calibration_slope",
        "target",
        "real",
        target=1.0,
        rarer_class=True,
        binary=binary.calibration_slope,
        regression=regression.calibration_slope,
    ),
    _metric("calibration_intercept", "target", "real", target=0.0, binary=binary.calibration_intercept),
    _metric("accuracy", "higher", "proportion", binary=binary.accuracy, multiclass=binary.accuracy),
    _metric("macro_f1", "higher", "unit", multiclass=multiclass.macro_f1),
    _metric("sensitivity", "higher", "proportion", among=_events, binary=binary.sensitivity),
    _metric("specificity", "higher", "proportion", among=_others, binary=binary.specificity),
    _metric("ppv", "higher", "proportion", among=_called, binary=binary.ppv),
    _metric("npv", "higher", "proportion", among=_not_called, binary=binary.npv),
    _metric("fnr", "lower", "proportion", among=_events, binary=binary.fnr),
    _metric("fpr", "lower", "proportion", among=_others, binary=binary.fpr),
    _metric("selection_rate", "none", "proportion", binary=binary.selection_rate),
    _metric("mae", "lower", "positive", regression=regression.mae),
    _metric("rmse", "lower", "positive", transform="precision", regression=regression.rmse),
    _metric("r2", "higher", "real", transform="shortfall", regression=regression.r2),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})


def metrics_for(task: Task) -> tuple[Metric, ...]:
    """The metrics of a task, in the order of the report."""
    return tuple(metric for metric in METRICS.values() if task in metric.tasks)
