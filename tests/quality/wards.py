"""Made-up patients of three wards, with labels that can be turned."""

import numpy as np
import pandas as pd

import synthml
from synthml.quality.ground import Ground

WARDS = np.array(["east", "north", "west"])


def ward_patients(rows, seed, *, strength=4.0, flip=0.0, ward="north", per=1):
    """`ill` depends crookedly on x0, x1, x2, x3; a share `flip` of one ward's labels is turned. `turned` says which."""
    rng = np.random.default_rng([seed, 11])
    who = np.repeat(np.arange(-(-rows // per)), per)[:rows]
    x = rng.normal(size=(rows, 4))
    where = WARDS[rng.choice(3, who.max() + 1, p=[0.5, 0.3, 0.2])[who]]
    eta = strength * (x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.5 * np.abs(x[:, 3]) - 0.4) + 0.4 * (where == "north")
    ill = (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(np.int64)
    turned = (rng.random(rows) < flip) & (where == ward)
    table = pd.DataFrame(x.round(4), columns=["x0", "x1", "x2", "x3"])
    return table.assign(ward=where, ill=np.where(turned, 1 - ill, ill), turned=turned, person=who + seed * 1_000_000)


def ward_study(source=None, *, synthetic=None, holdout=None, **schema):
    tables = {"source": source, "synthetic": synthetic, "holdout": holdout}
    tables = {role: table.drop(columns="turned", errors="ignore") for role, table in tables.items() if table is not None}
    words = {"target": "ill", "sensitive": ["ward"], "subject": "person", **schema}
    if words.get("task", "binary") == "binary":
        words.setdefault("positive", 1)
    words.setdefault("minimum_cell", synthml.MinimumCell(rows=50, events=10))
    return synthml.Study(synthml.Schema(**words), **tables)


def ground_of(study, seed=0):
    return Ground(study, seed, synthml.MeasureSettings())
