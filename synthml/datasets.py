"""Real health data that a library ships: for the demo, the examples and the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rand_hie"]

_PERSON = ["lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"]


def rand_hie() -> pd.DataFrame:
    """The RAND Health Insurance Experiment: 20,190 person-years of 5,294 persons, as shipped with statsmodels.

    Source: RAND corporation; the extract used in Cameron & Trivedi, Microeconometrics (2005); public domain.

    person     who: recovered from runs of rows with identical plan and health columns, for the extract carries no id
    lncoins    log(coinsurance rate + 1); deductible: whether the plan has an individual deductible
    lpi, fmde  log of the participation incentive; log of the maximum expenditure over the coinsurance rate
    physlm     physical limitation, 0 or 1, with fractions where it was imputed; disea: number of chronic diseases (imputed too)
    health     self-rated: excellent, good, fair, poor
    high_use   1 when the person saw a doctor five or more times in the year: the target
    """
    from statsmodels.datasets import randhie

    raw = randhie.load_pandas().data
    levels = np.select([raw["hlthg"] == 1, raw["hlthf"] == 1, raw["hlthp"] == 1], ["good", "fair", "poor"], "excellent")
    starts = (raw[_PERSON] != raw[_PERSON].shift()).any(axis=1)
    table: pd.DataFrame = raw[["lncoins", "lpi", "fmde", "physlm", "disea"]].copy()
    table.insert(0, "person", starts.cumsum().to_numpy())
    table.insert(2, "deductible", np.where(raw["idp"] == 1, "yes", "no"))
    table["health"] = levels
    table["high_use"] = (raw["mdvis"] >= 5).astype("int64").to_numpy()
    return table
