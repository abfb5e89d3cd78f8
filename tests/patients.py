"""Made-up patients with known truth, for tests that need a study."""

from __future__ import annotations

import numpy as np
import pandas as pd

import synthml


def patients(rows: int, seed: int, *, per_subject: int = 1, first_subject: int = 0, noise: float = 0.0) -> pd.DataFrame:
    """`ill` depends on age, marker and site; noise blurs the marker, as a generator would."""
    rng = np.random.default_rng(seed)
    subjects = -(-rows // per_subject)
    who = np.repeat(np.arange(subjects), per_subject)[:rows]
    age = rng.integers(18, 90, subjects)[who]
    sex = rng.choice(["F", "M"], subjects)[who]
    site = rng.choice(["north", "south", "west"], subjects, p=[0.5, 0.3, 0.2])[who]
    marker = rng.normal(size=rows) + rng.normal(0, 0.5, subjects)[who]
    eta = -0.4 + 0.03 * (age - 50) + 1.1 * marker + 0.5 * (site == "west")
    ill = rng.random(rows) < 1 / (1 + np.exp(-eta))
    marker = marker + rng.normal(0, noise, rows) if noise else marker
    return pd.DataFrame(
        {
            "person": who + first_subject,
            "age": age,
            "sex": sex,
            "site": site,
            "marker": marker.round(6),
            "ill": ill.astype("int64"),
        }
    )


def patient_study(rows: int = 1500, seed: int = 1, *, per_subject: int = 1, **schema: object) -> synthml.Study:
    """Source, synthetic (a blurred fresh sample) and holdout of equal size."""
    words = {
        "target": "ill",
        "positive": 1,
        "sensitive": ["sex", "site"],
        "intersections": [["sex", "site"]],
        "subject": "person",
        "minimum_cell": synthml.MinimumCell(rows=50, events=10),
        **schema,
    }
    return synthml.Study(
        schema=synthml.Schema(**words),
        source=patients(rows, seed, per_subject=per_subject),
        synthetic=patients(rows, seed + 1, per_subject=per_subject, noise=0.5),
        holdout=patients(rows, seed + 2, per_subject=per_subject, first_subject=1_000_000),
    )
