"""Subgroup evidence against fairlearn's bootstrap, side by side in one run; prints the table of subgroup_speed.md.

    python benchmarks/subgroup_speed.py [fairlearn's replicates]

fairlearn's 1,000 replicates would take the better part of an hour, so a few are timed and the time per replicate is compared.
"""

from __future__ import annotations

import platform
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import fairlearn
import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, selection_rate
from scipy.special import expit
from sklearn.metrics import accuracy_score, precision_score, recall_score

from synthml.metrics import Outcome
from synthml.study import Schema, Study
from synthml.subgroups import measure_subgroups
from synthml.subgroups.cells import draw_cells, joint_cells

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, GROUPS, REPLICATES = 100_000, 10, 1_000
METRICS = {
    "accuracy": accuracy_score,
    "sensitivity": recall_score,
    "ppv": precision_score,
    "selection_rate": selection_rate,
}


def table(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """18 features, a group of ten, a person for every four rows, an outcome, and the scores of two models."""
    frame = pd.DataFrame({f"x{i}": rng.standard_normal(ROWS) for i in range(12)})
    frame["age"] = rng.integers(18, 90, ROWS).astype(float)
    frame["visits"] = rng.poisson(0.5, ROWS).astype(float)
    frame["site"] = rng.choice([f"s{i}" for i in range(GROUPS)], ROWS)
    frame["plan"] = rng.choice(list("abcdefg"), ROWS, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.04, 0.01])
    frame["sex"] = rng.choice(["F", "M"], ROWS)
    frame["smoker"] = rng.random(ROWS) < 0.3
    signal = frame["x0"] + 0.5 * frame["x1"] + 0.02 * (frame["age"] - 50) - 1.5
    frame["outcome"] = (rng.random(ROWS) < expit(signal)).astype(int)
    frame["person"] = np.arange(ROWS) // 4
    scores = [expit(signal + spread * rng.standard_normal(ROWS)).to_numpy() for spread in (0.7, 0.3)]
    return frame, scores[0], scores[1]


def timed(work: Callable[[], object], repeat: int = 5) -> float:
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def main(replicates: int) -> None:
    rng = np.random.default_rng(0)
    frame, tstr, trtr = table(rng)
    truth, called = frame["outcome"].to_numpy(), (tstr >= 0.3).astype(np.int64)
    group = pd.factorize(frame["site"], sort=True)[0].astype(np.int64)

    start = time.perf_counter()
    MetricFrame(metrics=METRICS, y_true=truth, y_pred=called, sensitive_features=frame["site"])
    once = time.perf_counter() - start
    start = time.perf_counter()
    MetricFrame(
        metrics=METRICS, y_true=truth, y_pred=called, sensitive_features=frame["site"],
        n_boot=replicates, ci_quantiles=[0.025, 0.975], random_state=0,
    )  # fmt: skip
    theirs = (time.perf_counter() - start - once) / replicates

    def ours(clusters: np.ndarray | None) -> None:
        code = joint_cells(truth, called, (trtr >= 0.3).astype(np.int64))
        cells = draw_cells(code, group, GROUPS, clusters=clusters, replicates=REPLICATES, rng=np.random.default_rng(0))
        for metric in METRICS:
            np.nanquantile(cells.redrawn(metric), [0.025, 0.975], axis=0)

    rows = [("fairlearn MetricFrame(n_boot)", theirs * REPLICATES, f"extrapolated from {replicates} replicates")]
    for label, clusters in (("rows", None), ("subjects, 4 rows each", frame["person"].to_numpy())):
        rows.append((f"synthml, bootstrap of {label}", timed(partial(ours, clusters)), "intervals of four metrics"))
    for label, subject, sensitive in (
        ("rows", None, ("site",)),
        ("subjects", "person", ("site",)),
        ("rows", None, ("site", "sex")),
    ):
        crossed = (sensitive,) if len(sensitive) == 2 else ()
        schema = Schema(
            target="outcome", task="binary", positive=1, sensitive=sensitive, intersections=crossed, subject=subject,
            features=[name for name in frame if name not in ("outcome", "person")],
        )  # fmt: skip
        study = Study(schema, holdout=frame if subject else frame.drop(columns="person"))
        y, who = study.target("holdout"), study.subjects("holdout")
        outcomes = {name: Outcome("binary", y, score, 0.3, who) for name, score in (("tstr", tstr), ("trtr", trtr))}
        seconds = timed(partial(measure_subgroups, study, outcomes, seed=0), 3)
        what = f"all subgroup evidence by {label}: {' and '.join(sensitive)}{', crossed' if crossed else ''}"
        rows.append((what, seconds, "15 metrics, two models, losses, disparities, worst slices of 18 features"))

    print(f"{ROWS:,} rows, {GROUPS} groups, {REPLICATES:,} replicates, {len(METRICS)} metrics; 2 cores; Python")
    print(f"{platform.python_version()}, NumPy {np.__version__}, fairlearn {fairlearn.__version__}. Medians.\n")
    print("| what | seconds | a replicate, ms | times fairlearn | note |\n| --- | --- | --- | --- | --- |")
    for what, seconds, note in rows:
        boot = what.startswith(("fairlearn", "synthml"))
        each = f"{seconds / REPLICATES * 1e3:.3f}" if boot else ""
        times = f"{theirs * REPLICATES / seconds:,.0f}" if boot else ""
        print(f"| {what} | {seconds:.3g} | {each} | {times} | {note} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
