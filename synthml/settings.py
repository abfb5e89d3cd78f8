"""What a measurement may be told besides the study: one frozen object with its defaults, logged with the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from synthml.errors import InputError

__all__ = ["DisclosureSettings", "MeasureSettings", "ThresholdRule"]

ThresholdRule = str | float | Mapping[str, float]


@dataclass(frozen=True)
class DisclosureSettings:
    """Settings of the attacks.

    predicates: how many predicates singling out tries of each number of attributes. targets: rows of each real table that are
    attacked where attacking all would be slow; None is all. tolerance: a guessed number counts as right within this share of
    the larger of its size and the column's scale. near: a row is a near copy within this distance. split_halves: random
    halves of the source that say what two samples of one population look like to each other. planted: shares of source rows
    that an attack must find when planted, before its quiet counts. shadow_models: generators trained for the membership attack
    on the most exposed records, when a generator is given; 0 for none.
    """

    predicates: int = 2000
    targets: int | None = None
    tolerance: float = 0.05
    near: float = 0.02
    split_halves: int = 100
    planted: tuple[float, ...] = (0.05, 0.01)
    shadow_models: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "planted", tuple(float(share) for share in self.planted))
        for name, least in (("predicates", 100), ("split_halves", 20), ("shadow_models", 0)):
            if getattr(self, name) < least:
                raise InputError(f"disclosure.{name} must be at least {least}, got {getattr(self, name)}")
        if self.targets is not None and self.targets < 100:
            raise InputError(f"disclosure.targets must be at least 100, got {self.targets}; leave it out to attack every row")
        for name in ("tolerance", "near"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"disclosure.{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not self.planted or not all(0 < share <= 0.5 for share in self.planted):
            raise InputError("disclosure.planted holds shares above 0 and up to 0.5, such as [0.05, 0.01]")


@dataclass(frozen=True)
class MeasureSettings:
    """Settings of `measure`.

    threshold: how the decision threshold is chosen, on training rows only: "youden", a fixed probability, or
    {"sensitivity": 0.9}. margin: the loss that still counts as "as good as trained on real rows". replicates: draws of every
    bootstrap. folds: cross-fitting folds in which the threshold is chosen. rare_below: a category with fewer training rows is not
    learned, so that it stands in no model file. importance_rows, importance_repeats: size of the permutation importances.
    learners: whether further learners are trained to see if their order holds. drift: whether Evidently compares the
    tables, which takes a while to load. disclosure: settings of the attacks.
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
    drift: bool = True
    disclosure: DisclosureSettings = field(default_factory=DisclosureSettings)

    def __post_init__(self) -> None:
        if isinstance(self.disclosure, Mapping):
            object.__setattr__(self, "disclosure", _disclosure(self.disclosure))
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
        data["disclosure"]["planted"] = list(self.disclosure.planted)
        return data


def _disclosure(given: Mapping[str, Any]) -> DisclosureSettings:
    known = [f.name for f in fields(DisclosureSettings)]
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise InputError(f"disclosure has no setting '{unknown[0]}'; it has {', '.join(known)}")
    return DisclosureSettings(**given)
