"""What every figure of quality draws on: the study, coded features, groups, seeded random numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.quality.cells import cells_of
from synthml.quality.learner import Coding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.estimate import Estimate
    from synthml.quality.cells import Cells
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["Finding", "Ground"]

_STREAM = 31
_PURPOSES = ("noise", "plausibility", "features", "duplicates")
TABLES = ("source", "synthetic", "holdout")


@dataclass(frozen=True, eq=False)
class Finding:
    """What one part of the kind contributes. suspects: (role, finding) -> positions of rows, for whoever holds the tables."""

    figures: Mapping[str, Estimate] = field(default_factory=dict)
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    suspects: Mapping[tuple[str, str], NDArray[np.intp]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ground:
    """A study to be looked over. leaking: features that give the target away, against which labels are not held."""

    study: Study
    seed: int
    settings: MeasureSettings
    leaking: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """Of every interval."""
        return self.settings.confidence

    @property
    def task(self) -> str:
        """binary, multiclass or regression."""
        return str(self.study.schema.task)

    @property
    def classes(self) -> int:
        """Classes of the target; 0 for a regression."""
        return 0 if self.task == "regression" else len(self.study.classes)

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """The tables that are looked over."""
        return tuple(role for role in TABLES if role in self.study.roles)

    @cached_property
    def coding(self) -> Coding:
        """Of the source, or of the holdout where there is no source."""
        return Coding.of(self.study, "source" if "source" in self.roles else "holdout")

    @cached_property
    def cells(self) -> Mapping[str, tuple[Cells, ...]]:
        """Role -> groupings of its rows."""
        return {role: cells_of(self.study, role) for role in self.roles}

    @cached_property
    def source(self) -> NDArray[np.float32]:
        """(n, features) of the source, coded."""
        return self.coding.apply(self.study.features("source"))

    def columns(self, *without: str) -> NDArray[np.intp]:
        """Positions of the features that labels are held against, less some."""
        return self.coding.without((*without, *self.leaking))

    def rng(self, purpose: str, *more: int) -> np.random.Generator:
        """Random numbers for one purpose: none moves another's."""
        return np.random.default_rng([self.seed, _STREAM, _PURPOSES.index(purpose), *more])
