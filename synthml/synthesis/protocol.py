"""What any generator must do to take the embedded one's place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from synthml.generation import GenerationRecord

__all__ = ["Synthesizer"]


@runtime_checkable
class Synthesizer(Protocol):
    """A generator of synthetic tables.

    Law: `sample` with equal `n`, `seed` and `conditions` after an equal `fit` gives equal tables. A fitted generator is as
    sensitive as its source; only the tables it gives may leave, and they only after they were measured.
    """

    def fit(self, table: pd.DataFrame, *, subject: str | None = None) -> Self:
        """Learn from a table of real rows. subject: the column that says whose rows they are, when a person has several."""
        ...

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        conditions: Mapping[str, Any] | pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """A synthetic table with the source's columns and dtypes."""
        ...

    def record(self) -> GenerationRecord:
        """How the last table was made, without any value of the source."""
        ...
