"""How long all utility and subgroup evidence of a binary study takes: 100,000 rows and 18 mixed columns in each of three tables.

    uv run python benchmarks/utility_speed.py [--rows 100000] [--subjects]

XGBoost and four further learners, each trained on the synthetic and on the real rows; cross-fitted thresholds, permutation
importances, paired losses, ten groups and their disparities. Writes the table to benchmarks/utility_speed.md.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from xgboost import XGBClassifier

import synthml


def mixed(rows: int, seed: int, first: int, noise: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = {f"x{i}": rng.normal(size=rows).round(4) for i in range(9)}
    table |= {f"c{i}": rng.choice([f"level {k}" for k in range(6)], rows) for i in range(5)}
    table |= {"sex": rng.choice(["F", "M"], rows), "region": rng.choice([f"R{k}" for k in range(10)], rows)}
    eta = -1.2 + 0.8 * table["x0"] - 0.5 * table["x1"] + 0.6 * (table["c0"] == "level 1") + 0.3 * (table["sex"] == "F")
    table["x0"] = (table["x0"] + rng.normal(0, noise, rows)).round(4)
    table["ill"] = (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype("int64")
    table["person"] = first + rng.integers(0, rows // 2, rows)
    return pd.DataFrame(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--subjects", action="store_true")
    arguments = parser.parse_args()
    parts = (("source", 1, 0, 0.0), ("synthetic", 2, 10**9, 0.4), ("holdout", 3, 10**8, 0.0))
    tables = {role: mixed(arguments.rows, seed, first, noise) for role, seed, first, noise in parts}
    if not arguments.subjects:
        tables = {role: table.drop(columns="person") for role, table in tables.items()}
    schema = synthml.Schema(target="ill", positive=1, sensitive=["region"], subject="person" if arguments.subjects else None)
    study = synthml.Study(schema=schema, **tables)
    model = XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.06, n_jobs=1)
    marks: list[tuple[float, str]] = []
    started = time.perf_counter()
    dossier = synthml.measure(study, model=model, seed=1, progress=lambda text: marks.append((time.perf_counter(), text)))
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kind = "subjects of two rows" if arguments.subjects else "independent rows"
    lines = [
        "# Utility and subgroup evidence",
        "",
        f"{arguments.rows:,} rows x {study.tables['holdout'].columns} columns a table, {kind}, ten groups, 2 cores: "
        f"**{ended - started:.1f} s** in all, peak memory {peak:,.0f} MB, {len(dossier.figures):,} figures.",
        "Written by `benchmarks/utility_speed.py`.",
        "",
        "| step | seconds |",
        "|---|---|",
    ]
    ends = [moment for moment, _ in marks[1:]] + [ended]
    lines.append(f"| training on the synthetic rows, with its threshold | {marks[0][0] - started:.1f} |")
    lines += [f"| {text} | {end - begin:.1f} |" for (begin, text), end in zip(marks, ends, strict=True)]
    text = "\n".join(lines) + "\n"
    (Path(__file__).parent / "utility_speed.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
