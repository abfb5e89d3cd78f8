"""How long tables of 100,000 rows and 18 columns stand at the door, and how long a digest of 200,000 x 23 takes.

    uv run python benchmarks/door_speed.py

Prints the best of three of each; writes the table to benchmarks/door_speed.md.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from synthml.digest import table_digest
from synthml.study import Schema, Study

ROWS = 100_000


def wide(seed: int, first_person: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {f"x{i}": rng.normal(size=ROWS).round(3) for i in range(9)}
    columns |= {f"c{i}": rng.choice(list("abcdefgh"), ROWS) for i in range(5)}
    columns |= {"age": rng.integers(0, 95, ROWS), "b": rng.random(ROWS) < 0.3, "y": (rng.random(ROWS) < 0.2).astype(int)}
    return pd.DataFrame({**columns, "person": rng.integers(0, ROWS // 3, ROWS) + first_person})


def best_of_three(call) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    tables = {"source": wide(1), "synthetic": wide(2, 10**6), "holdout": wide(3, 10**7)}
    schema = Schema(target="y", sensitive=["c0", "age"], intersections=[["c0", "age"]], subject="person")
    few = {role: table[["c0", "c1", "b", "y", "person"]] for role, table in tables.items() if role != "synthetic"}
    long = pd.concat([wide(1), wide(2)], ignore_index=True).assign(**{f"z{i}": 1.5 for i in range(5)})
    measured = {
        "three tables of 100,000 x 18 through the door, all checks and digests": best_of_three(lambda: Study(schema, **tables)),
        "two tables of 100,000 x 5 in which every row has twins": best_of_three(
            lambda: Study(Schema(target="y", sensitive=["c0"], subject="person"), **few)
        ),
        "digest of a table of 200,000 x 23": best_of_three(lambda: table_digest(long)),
    }
    lines = [
        "# The door and the digest",
        "",
        "2 cores; best of three. Written by `benchmarks/door_speed.py`.",
        "",
        "| what | seconds |",
        "|---|---|",
    ]
    lines += [f"| {what} | {seconds:.2f} |" for what, seconds in measured.items()]
    text = "\n".join(lines) + "\n"
    (Path(__file__).parent / "door_speed.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
