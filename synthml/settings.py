"""What a measurement may be told besides the study: one frozen object with its defaults, logged with the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthml.errors import InputError

__all__ = ["MeasureSettings", "ThresholdRule"]

ThresholdRule = str | float | Mapping[str, float]


@dataclass(frozen=True)
class MeasureSettings:
    """Settings of `measure`.

    threshold: how the decision threshold is chosen, on training rows only: "youden", a fixed probability, or
    {"sensitivity": 0.9}. margin: the loss that still counts as "as good as trained on real rows". replicates: draws of every
    bootstrap. folds: cross-fitting folds in which the threshold is chosen. rare_below: a category with fewer training rows is not
    learned, so that it stands in no model file. importance_rows, importance_repeats: size of the permutation importances.
    learners: whether further learners are trained to see if their order holds.
    """

    threshold: ThresholdRule = "youden"
    confidence: float = 0.95
    margin: float = 0.05
    replicates: int = 1000
    folds: int = 3
    rare_below: int = 10
    importance_rows: int = 5000
    importance_repeats: int = 3
    learners: bool = True

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0.5 and 1, got {self.confidence}")
        for name, least in (
            ("replicates", 100),
            ("folds", 2),
            ("rare_below", 1),
            ("importance_rows", 100),
            ("importance_repeats", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        self._check_threshold()

    def _check_threshold(self) -> None:
        rule = self.threshold
        expected = 'expected "youden", a probability between 0 and 1, or {"sensitivity": 0.9}'
        if isinstance(rule, str):
            if rule != "youden":
                raise InputError(f"the threshold rule '{rule}' is unknown: {expected}")
        elif isinstance(rule, Mapping):
            if set(rule) != {"sensitivity"} or not 0 < float(rule["sensitivity"]) < 1:
                raise InputError(f"the threshold rule cannot be read: {expected}")
        elif isinstance(rule, bool) or not 0 < float(rule) < 1:
            raise InputError(f"the threshold {rule} is no probability: {expected}")

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for the evidence."""
        data = asdict(self)
        if isinstance(self.threshold, Mapping):
            data["threshold"] = dict(self.threshold)
        return data
