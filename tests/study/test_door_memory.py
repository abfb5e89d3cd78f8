"""The door makes no second copy of a table."""

import tracemalloc

import numpy as np
import pandas as pd

from synthml.study import Schema, Study

ROWS = 20_000


def test_a_study_needs_no_more_memory_than_its_normalised_tables():
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=ROWS).round(3) for i in range(12)}
    columns |= {f"c{i}": rng.choice(list("abcdefgh"), ROWS) for i in range(4)}
    table = pd.DataFrame({**columns, "age": rng.integers(0, 95, ROWS), "y": (rng.random(ROWS) < 0.2).astype(int)})
    Study(Schema(target="y"), synthetic=table.head(1000))  # what is imported and cached on first use does not count
    tracemalloc.start()
    study = Study(Schema(target="y", sensitive=["c0", "age"]), synthetic=table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * ROWS * 18 * 8
    assert study.tables["synthetic"].rows == ROWS
