"""A small clinic for the tests of the door: visits of patients, in any number of rows, without an identical pair of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthml.errors import StudyError
from synthml.study import MinimumCell, Schema, Study

SMALL = MinimumCell(rows=20, events=2)


def visits(rows: int = 300, *, seed: int = 0, first_person: int = 0) -> pd.DataFrame:
    """Columns person (two visits each), age, sex, bmi (some nulls), smoker (bool), seen (datetime), y (0/1)."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "person": first_person + np.arange(rows) // 2,
            "age": rng.integers(0, 95, rows),
            "sex": rng.choice(["F", "M"], rows),
            "bmi": rng.normal(25, 4, rows),
            "smoker": rng.random(rows) < 0.3,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
            "y": rng.integers(0, 2, rows),
        }
    )
    table.loc[table.index[5:8], "bmi"] = np.nan
    return table


def three(rows: int = 300) -> dict[str, pd.DataFrame]:
    """Disjoint source and holdout, and a synthetic table without people."""
    return {
        "source": visits(rows, seed=1),
        "synthetic": visits(rows, seed=2).drop(columns="person"),
        "holdout": visits(rows, seed=3, first_person=10**6),
    }


def schema(**settings: Any) -> Schema:
    return Schema(**{"target": "y", "subject": "person", "minimum_cell": SMALL, **settings})


def a_study(tables: dict[str, Any] | None = None, **settings: Any) -> Study:
    return Study(schema(**settings), **(three() if tables is None else tables))


def problems_of(tables: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    """where -> `what. remedy` of everything that the door found; fails when it found nothing."""
    with pytest.raises(StudyError) as caught:
        a_study(tables, **settings)
    return {problem.where: f"{problem.what}. {problem.remedy}" for problem in caught.value.problems}
