"""The exact neighbour search against its peers on the same tables in one run; prints the tables of neighbours_speed.md.

    python benchmarks/neighbours_speed.py TABLES [PYTHON_WITH_SDMETRICS]

TABLES: a directory with mixed_100000_train.csv, mixed_100000_syn.csv and mixed_100000_holdout.csv, 10 columns of numbers and 8 of
labels each. Every line runs in a process of its own, the best of three; a peak of memory is that of the whole process, tables and
libraries included. What would take too long is measured on fewer queries, or pairs, and extrapolated, and says so.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

N, REPEATS = 100_000, 3
SDMETRICS_QUERIES, SDMETRICS_ROWS = 400, 2_000
before = 0.0  # MB of the process, tables loaded and libraries imported


def table(folder: Path, part: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """A table in the form that a study gives: float64, and objects whose equal labels are one text."""
    path = folder / f"mixed_{N}_{part}.csv"
    head = pd.read_csv(path, nrows=100)
    labels = [name for name in head if not pd.api.types.is_numeric_dtype(head[name])]
    frame = pd.read_csv(path, dtype={name: "category" if name in labels else "float64" for name in head})
    kinds = {name: "categorical" if name in labels else "numeric" for name in head}
    columns = {name: frame[name].to_numpy() for name in head if name not in labels}
    for name in labels:
        coded = frame[name].cat
        columns[name] = np.array(list(coded.categories), dtype=object)[coded.codes]
    return pd.DataFrame({name: pd.Series(columns[name], dtype=columns[name].dtype) for name in kinds}), kinds


def independent(n: int, seed: int, draw: str) -> pd.DataFrame:
    """18 independent columns of numbers: nothing to prune by."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({f"x{i}": getattr(rng, draw)(size=n) for i in range(18)})


def harder(columns: str, n: int) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Two tables of one population that defies a search in its own way, and the kind of its columns."""
    rng = np.random.default_rng(0)
    what, count = columns.split("x")

    def drawn(sigma: float) -> pd.DataFrame:
        return pd.DataFrame(rng.lognormal(0, sigma, (n, int(count)))).rename(columns=str)

    def labels(levels: int) -> pd.DataFrame:
        texts = np.array([f"level {level}" for level in range(levels)], dtype=object)
        return pd.DataFrame({str(i): pd.Series(texts[rng.integers(levels, size=n)], dtype=object) for i in range(int(count))})

    if what == "boolean":
        first, second = (pd.DataFrame(rng.integers(0, 2, (n, int(count))).astype(float)).rename(columns=str) for _ in "ab")
        return first, second, "boolean"
    if what == "labels":
        return labels(20), labels(20), "categorical"
    if what == "identifier":
        first, second = (labels(5).assign(id=labels(1_000_000)["0"]) for _ in "ab")
        return first, second, "categorical"
    return drawn(float(what)), drawn(float(what)), "numeric"


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    global before  # noqa: PLW0603
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def ours(folder: Path, what: str) -> float:
    """Seconds of `nearest`, rows encoded already; encoding is the line `encode`."""
    from synthml.neighbours import Scale, nearest, search, tiled

    case, _, option = what.partition(" ")
    if case in ("normal", "random"):
        source, other = independent(N, 1, case), independent(N, 2, case)
        kinds = dict.fromkeys(source, "numeric")
    elif case == "harder":
        source, other, kind = harder(option, N)
        kinds = dict.fromkeys(source, kind)
    else:
        source, kinds = table(folder, "train")
        other, _ = table(folder, "syn" if case == "syn" else "holdout")
    scale = Scale.of(source, kinds)
    if case == "encode":
        return best(lambda: (Scale.of(source, kinds), scale.encode(source), scale.encode(other)))
    reference, queries = scale.encode(source), scale.encode(other)
    if case == "ties":
        three = ["sex", "race", "smoker"]
        return best(lambda: nearest(queries.columns(three), reference.columns(three)))
    if case == "self":
        return best(lambda: nearest(reference, reference, exclude_self=True))
    if case == "half":
        nine = list(source)[::2]
        return best(lambda: nearest(queries.columns(nine), reference.columns(nine), k=10))
    if case == "grow":
        fixed, n = option.split("x")
        both = pd.concat([source, other], ignore_index=True)
        reference, queries = scale.encode(both.iloc[: int(n)]), scale.encode(both.iloc[::-1].iloc[: int(fixed)])
        return best(lambda: nearest(queries, reference))
    if case == "numpy":
        search._solver = lambda: tiled.solve
        some = queries.rows(np.arange(0, N, 20))
        return best(lambda: nearest(some, reference), 1) * 20
    return best(lambda: nearest(queries, reference, k=int(option or 2) if case != "harder" else 2))


def embedded(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(n, p) float32 twice: numbers over their range, labels one-hot and halved: L1 is Gower's sum without the caps."""
    source, kinds = table(folder, "train")
    both = pd.concat([source, table(folder, "holdout")[0]], ignore_index=True)
    numbers = [name for name in kinds if kinds[name] == "numeric"]
    low, high = np.quantile(source[numbers], [0.01, 0.99], axis=0)
    labels = pd.get_dummies(both.drop(columns=numbers)).to_numpy(np.float32) / 2
    rows = np.concatenate([((both[numbers] - low) / (high - low)).to_numpy(np.float32), labels], axis=1)
    return rows[:N], rows[N:]


def scikit(folder: Path, algorithm: str) -> float:
    from sklearn.neighbors import NearestNeighbors

    reference, queries = embedded(folder)
    some = queries[:1000]
    search = NearestNeighbors(n_neighbors=2, algorithm=algorithm, metric="manhattan", n_jobs=-1).fit(reference)
    return best(lambda: search.kneighbors(some)) * N / len(some)


def tiles(folder: Path) -> float:
    """Brute force in float32 NumPy, a tile of 100 queries at once, on numbers and codes."""
    source, kinds = table(folder, "train")
    other, _ = table(folder, "holdout")
    total = np.empty((100, N), dtype=np.float32)

    def work() -> None:
        total[:] = 0
        for name in source:
            if kinds[name] == "numeric":
                low, high = np.quantile(source[name], [0.01, 0.99])
                a, b = ((frame[name].to_numpy(np.float32) - low) / (high - low) for frame in (other[:100], source))
                np.add(total, np.minimum(np.abs(a[:, None] - b[None, :]), 1), out=total)
            else:
                codes = pd.factorize(pd.concat([other[name][:100], source[name]]))[0]
                np.add(total, codes[:100, None] != codes[None, 100:], out=total)
        np.partition(total, 1, axis=1)

    return best(work) * N / 100


SDMETRICS = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr
queries, reference = pd.read_csv(sys.argv[1]), pd.read_csv(sys.argv[2])
columns = {c: {"sdtype": "numerical" if reference[c].dtype.kind in "if" else "categorical"} for c in reference}
start = time.perf_counter()
calculate_dcr(dataset=queries, reference_dataset=reference, metadata={"columns": columns})
print(time.perf_counter() - start)
"""


def sdmetrics(folder: Path, python: str) -> float:
    """Its distance to the closest record, for the nearest row only; the time per pair is extrapolated."""
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for part, rows in (("holdout", SDMETRICS_QUERIES), ("train", SDMETRICS_ROWS)):
            paths.append(f"{scratch}/{part}.csv")
            pd.read_csv(folder / f"mixed_{N}_{part}.csv", nrows=rows).to_csv(paths[-1], index=False)
        done = subprocess.run([python, "-c", SDMETRICS, *paths], capture_output=True, text=True, check=True)
    return float(done.stdout) * N * N / (SDMETRICS_QUERIES * SDMETRICS_ROWS)


def alone(arguments: list[str]) -> dict[str, float]:
    """One line in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(folder: Path, task: str, option: str) -> None:
    if task == "ours":
        seconds = ours(folder, option)
    elif task == "scikit":
        seconds = scikit(folder, option)
    elif task == "tiles":
        seconds = tiles(folder)
    else:
        seconds = sdmetrics(folder, option)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "before": before}))


def cold() -> None:
    """What the first search of a process costs that finds nothing compiled, and of one that does."""
    import tempfile

    program = """
import time, pandas as pd
from synthml.neighbours import Scale, kernel, nearest
frame = pd.DataFrame({"x": [0.0, 1.0]}); rows = Scale.of(frame, {"x": "numeric"}).encode(frame)
kernel(); start = time.perf_counter(); nearest(rows, rows); print(time.perf_counter() - start)
"""
    with tempfile.TemporaryDirectory() as scratch:
        first, second = (
            float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                                 env={**os.environ, "NUMBA_CACHE_DIR": scratch}).stdout)
            for _ in range(2)
        )  # fmt: skip
    print(f"\nCompiling takes {first:.1f} s, once for each installation; reading it from disk later {second:.2f} s.")


def main(folder: Path, python: str | None) -> None:
    from synthml.neighbours import kernel

    print(
        f"{kernel()}; {os.cpu_count()} cores, {platform.machine()}; Python {platform.python_version()}, NumPy {np.__version__};"
    )
    print(f"load before the run {os.getloadavg()[0]:.1f}. Best of {REPEATS}.\n")
    mixed = alone([str(folder), "ours", "holdout"])
    lines = [
        ("synthml, k = 2", mixed, ""),
        ("synthml without numba", alone([str(folder), "ours", "numpy"]), "extrapolated from 5,000 queries"),
        ("float32 NumPy, tiled brute force", alone([str(folder), "tiles", ""]), "extrapolated from 100 queries"),
        ("scikit-learn, brute (ArgKmin, L1)", alone([str(folder), "scikit", "brute"]), "extrapolated from 1,000 queries"),
        ("scikit-learn, BallTree (L1)", alone([str(folder), "scikit", "ball_tree"]), "extrapolated from 1,000 queries"),
    ]
    if python:
        pairs = f"extrapolated from {SDMETRICS_QUERIES:,} x {SDMETRICS_ROWS:,} pairs; nearest only"
        lines.append(("sdmetrics, calculate_dcr", alone([str(folder), "sdmetrics", python]), pairs))
    print("| 100,000 x 100,000 rows, 10 numbers and 8 labels | seconds | times ours | peak, MB | note |\n|---|---|---|---|---|")
    for name, found, note in lines:
        peak = "" if name.startswith("sdmetrics") else f"{found['peak']:.0f}"
        print(f"| {name} | {found['seconds']:,.3g} | {found['seconds'] / mixed['seconds']:,.0f} | {peak} | {note} |")
    print("\n| synthml, 100,000 x 100,000 | seconds | peak, MB |\n|---|---|---|")
    for name, option in (
        ("against a synthetic table (bootstrap with jitter)", "syn"), ("source in itself, exclude_self", "self"),
        ("holdout, k = 10", "holdout 10"), ("holdout, k = 50", "holdout 50"), ("nine of the columns, k = 10", "half"),
        ("three columns of labels: massive ties", "ties"), ("18 independent normal columns", "normal"),
        ("18 independent uniform columns", "random"), ("encoding: scale and both tables", "encode"),
    ):  # fmt: skip
        found = alone([str(folder), "ours", option])
        print(f"| {name} | {found['seconds']:.3g} | {found['peak']:.0f} |")
    print("\n| queries | rows of the reference | seconds |\n|---|---|---|")
    for queries, rows in (
        (5_000, 25_000), (5_000, 50_000), (5_000, 95_000), (5_000, 190_000),
        (25_000, 25_000), (50_000, 50_000), (100_000, 100_000),
    ):  # fmt: skip
        print(f"| {queries:,} | {rows:,} | {alone([str(folder), 'ours', f'grow {queries}x{rows}'])['seconds']:.3g} |")
    print("\n| harder tables | seconds |\n|---|---|")
    for name, option in (
        ("1 lognormal column, sigma 2", "2x1"), ("1 lognormal column, sigma 4", "4x1"), ("3 lognormal columns, sigma 4", "4x3"),
        ("18 independent booleans", "booleanx18"), ("30 independent booleans", "booleanx30"),
        ("18 independent columns of 20 labels", "labelsx18"), ("6 columns of 5 labels and near identifiers", "identifierx6"),
    ):  # fmt: skip
        print(f"| {name} | {alone([str(folder), 'ours', f'harder {option}'])['seconds']:.3g} |")
    cold()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        one(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    else:
        main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
