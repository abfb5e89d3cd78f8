"""A study small enough to train, measure and record in a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from synthml import MeasureSettings, MinimumCell, Schema, Study

QUICK = MeasureSettings(learners=False, drift=False, replicates=100, importance_rows=100, importance_repeats=1, folds=2)
SCHEMA: dict[str, Any] = {
    "target": "readmitted",
    "positive": 1,
    "sensitive": ["sex"],
    "subject": "person",
    "minimum_cell": MinimumCell(rows=20, events=5),
}


def admissions(rows: int = 400, *, seed: int = 0, first_person: int = 0) -> pd.DataFrame:
    """One row a person: age, sex, ward, lactate, and whether the person was readmitted."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "person": first_person + np.arange(rows),
            "age": rng.integers(18, 95, rows),
            "sex": rng.choice(["female", "male"], rows),
            "ward": rng.choice(["cardiology", "oncology", "surgery"], rows),
            "lactate": rng.gamma(2.0, 1.0, rows),
        }
    )
    score = 0.03 * (table["age"] - 55) + 0.4 * (table["lactate"] - 2) + 0.5 * (table["ward"] == "oncology")
    table["readmitted"] = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    return table


def tables(rows: int = 400) -> dict[str, pd.DataFrame]:
    """Disjoint source and holdout, and a synthetic table without people."""
    return {
        "source": admissions(rows, seed=1),
        "synthetic": admissions(rows, seed=2).drop(columns="person"),
        "holdout": admissions(rows, seed=3, first_person=10**6),
    }


def study(given: dict[str, Any] | None = None, *, generation: Any = None, **settings: Any) -> Study:
    return Study(Schema(**{**SCHEMA, **settings}), generation=generation, **(tables() if given is None else given))


def estimator() -> LogisticRegression:
    return LogisticRegression(solver="newton-cholesky", max_iter=500)
