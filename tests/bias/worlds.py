"""Made-up patients in three tables, with what was done to one group known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit

from synthml.bias import measure_bias
from synthml.metrics import Outcome
from synthml.settings import MeasureSettings
from synthml.study import Schema, Study

if TYPE_CHECKING:
    from synthml.evidence import Evidence

SITES = np.array(["north", "south", "west"])
SHIFT = {"north": 0.0, "south": 0.6, "west": -0.5}


def people(
    n: int,
    seed: int,
    *,
    per_subject: int = 1,
    west: float = 0.3,
    flipped: float = 0.0,
    alike: bool = False,
    task: str = "binary",
) -> pd.DataFrame:
    """west: the share of that site; flipped: the share of its labels that are turned round."""
    rng = np.random.default_rng(seed)
    subjects = n // per_subject
    site = rng.choice(SITES, subjects, p=[0.6 * (1 - west), 0.4 * (1 - west), west]).repeat(per_subject)
    effect = rng.normal(0, 0.7, subjects).repeat(per_subject) if per_subject > 1 else 0.0
    x = rng.normal(size=site.size)
    eta = x + effect - 0.4 + (0.0 if alike else np.array([SHIFT[s] for s in site]))
    if task == "regression":
        y = 10 + 3 * (eta + rng.normal(size=site.size))
    elif task == "multiclass":
        y = np.array(["low", "middle", "high"])[np.digitize(eta + rng.logistic(size=site.size), [-0.8, 0.9])]
    else:
        y = (rng.random(site.size) < expit(eta)).astype(int)
        y = np.where((rng.random(site.size) < flipped) & (site == "west"), 1 - y, y)
    sex = np.where(rng.random(subjects).repeat(per_subject) < 0.5, "F", "M")
    return pd.DataFrame(
        {"x": x, "site": site, "sex": sex, "y": y, "person": np.arange(subjects).repeat(per_subject) + 10**6 * seed}
    )


def study_of(tables: dict[str, pd.DataFrame], *, subject: bool = False, task: str = "binary", **schema: object) -> Study:
    given = {"sensitive": ["site"], "features": ["x", "site", "sex"], **schema}
    positive = 1 if task == "binary" else None
    described = Schema(target="y", task=task, positive=positive, subject="person" if subject else None, **given)
    held = tables if subject else {role: table.drop(columns="person") for role, table in tables.items()}
    return Study(described, **held)


def models_of(study: Study, *, blind: bool = False, noise: float = 0.0) -> dict[str, Outcome]:
    """Two models whose scores are known functions of the features; a blind one does not see the site."""
    frame = study.frame("holdout")
    x = frame["x"].to_numpy()
    shift = np.array([SHIFT[s] for s in frame["site"]])
    seen = np.zeros(len(x)) if blind else shift
    rng = np.random.default_rng(5)
    etas = {"tstr": 0.8 * x + seen - 0.4 + noise * rng.standard_normal(len(x)), "trtr": x + shift - 0.4}
    y, who = study.target("holdout"), study.subjects("holdout")
    task = study.schema.task
    out = {}
    for name, eta in etas.items():
        if task == "regression":
            out[name] = Outcome("regression", y, 10 + 3 * eta, None, who)
        elif task == "multiclass":
            low, high = expit(-0.8 - eta), expit(eta - 0.9)
            by_label = {"low": low, "high": high, "middle": 1 - low - high}
            out[name] = Outcome("multiclass", y, np.stack([by_label[str(c)] for c in study.classes], axis=1), None, who)
        else:
            out[name] = Outcome("binary", y, expit(eta), 0.45, who)
    return out


def measured(study: Study, outcomes: dict[str, Outcome] | None = None, *, seed: int = 0) -> Evidence:
    return measure_bias(study, outcomes or {}, seed=seed, settings=MeasureSettings())
