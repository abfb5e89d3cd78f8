"""People with a secret that nothing tells, and what leaks of them look like."""

import numpy as np
import pandas as pd

import synthml

KEYS = ["age", "weight", "zip", "plan"]


def people(rows, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 95, rows).astype(float)
    weight = rng.normal(60 + 0.2 * age, 12).round(1)
    return pd.DataFrame(
        {
            "age": age,
            "weight": np.where(rng.random(rows) < 0.05, np.nan, weight),
            "zip": rng.integers(0, 40, rows).astype(str),
            "plan": rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
            "lab": rng.normal(0.02 * age, 1.0).round(2) - 2.0,
            "hiv": rng.choice(["no", "yes"], rows),
            "ill": (rng.random(rows) < 0.4).astype("int64"),
        }
    )


def leaking(share, source, fresh, seed=0):
    """A fresh table of which `share` of the rows are rows of the source."""
    rng = np.random.default_rng([seed, 17])
    many = round(share * len(fresh))
    taken, where = rng.permutation(len(source))[:many], rng.permutation(len(fresh))[:many]
    out = fresh.copy()
    for name in out.columns:
        values = out[name].to_numpy(copy=True)
        values[where] = source[name].to_numpy()[taken]
        out[name] = values
    return out


def study_of(source, synthetic, holdout, **schema):
    words = {"target": "ill", "positive": 1, "quasi_identifiers": KEYS, "secrets": ["hiv"], "sensitive": ["plan"], **schema}
    words.setdefault("minimum_cell", synthml.MinimumCell(rows=20, events=1))
    tables = {"source": source, "synthetic": synthetic, **({} if holdout is None else {"holdout": holdout})}
    return synthml.Study(synthml.Schema(**words), **tables)
