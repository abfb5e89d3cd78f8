"""Time and memory of fidelity and bias beside sdmetrics' QualityReport and Evidently's presets, on the same tables in one run.

    python benchmarks/fidelity_speed.py [ROWS ...] > table.md         all lines, each in a process of its own
    python benchmarks/fidelity_speed.py --one TASK ROWS FOLDER        one line, in this process

The peers run in PEERS_HOME's python (default ~/.cache/synthml-peers/v_sdmetrics/bin/python), which has sdmetrics (BUSL, no
dependency of this project) and Evidently; without it Evidently runs here and sdmetrics is left out.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

PEER = Path(os.environ.get("PEERS_HOME", Path("~/.cache/synthml-peers/v_sdmetrics/bin/python").expanduser()))
TASKS = (
    ("core", "synthml: columns, pairs, groups, nulls, each with floor and interval"),
    ("pairs", "synthml: all 153 pairs with their floor"),
    ("fidelity", "synthml: all of fidelity, with classifiers and rules"),
    ("bias", "synthml: all of bias, 17 groups, two models' predictions given"),
    ("both", "synthml: all of fidelity and bias"),
    ("sdmetrics", "sdmetrics QualityReport"),
    ("evidently", "Evidently DataDriftPreset and DataSummaryPreset"),
)


def table(rows: int, seed: int, *, blurred: bool = False) -> pd.DataFrame:
    """18 mixed columns of made-up patients: ten numbers, eight labels. blurred: as a generator might make them."""
    rng = np.random.default_rng(seed)
    age = rng.normal(45, 17, rows).clip(18, 95).round(1)
    sex, smoker = rng.choice(["F", "M"], rows), rng.choice(["never", "former", "current"], rows, p=[0.55, 0.25, 0.2])
    health = rng.choice(["excellent", "good", "fair", "poor"], rows, p=[0.5, 0.36, 0.11, 0.03])
    bmi = (rng.normal(27, 5, rows) + 0.02 * (age - 45)).clip(14, 60).round(2)
    pressure = (105 + 0.45 * (age - 20) + 0.6 * (bmi - 25) + rng.normal(0, 11, rows)).round(1)
    sugar = (5.1 + 0.01 * (age - 40) + 0.05 * (bmi - 25) + rng.gamma(1.5, 0.35, rows)).round(2)
    visits = rng.poisson(2 + 2 * (health == "poor"))
    stay = rng.poisson(1 + 0.02 * age)
    cost = np.exp(5 + 0.25 * np.log1p(visits) + 0.02 * age + rng.normal(0, 0.9, rows)).round(2)
    income, deductible, burden = (
        rng.lognormal(9, 0.8, rows).round(2),
        rng.gamma(2, 200, rows).round(2),
        rng.gamma(3, 4, rows).round(2),
    )
    odds = -2.2 + 0.03 * (age - 45) + 0.25 * (sugar - 5.5) + 0.4 * (smoker == "current") + 0.1 * stay + 0.5 * (health == "poor")
    frame = pd.DataFrame(
        {
            "age": age, "bmi": bmi, "pressure": pressure, "sugar": sugar, "cost": cost, "stay": stay, "visits": visits,
            "income": income, "deductible": deductible, "burden": burden, "sex": sex, "smoker": smoker, "health": health,
            "race": rng.choice([*"ABCDE"], rows, p=[0.6, 0.2, 0.1, 0.07, 0.03]),
            "region": rng.choice([f"R{i}" for i in range(9)], rows),
            "diagnosis": rng.choice([f"ICD{i:02d}" for i in range(20)], rows, p=np.arange(20, 0, -1) / 210),
            "plan": rng.choice(["no", "yes"], rows),
            "readmitted": np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no"),
        }
    )  # fmt: skip
    if blurred:
        for name in ("bmi", "sugar", "income"):
            frame[name] += rng.normal(0, 0.1 * frame[name].std(), rows)
        moved = rng.random(rows) < 0.1
        frame.loc[moved, "region"] = rng.choice([f"R{i}" for i in range(9)], int(moved.sum()))
    return frame


def one(task: str, rows: int, folder: str) -> None:
    """Run one task and print a line of JSON."""
    source, synthetic = (pd.read_parquet(Path(folder) / f"{name}_{rows}.parquet") for name in ("source", "synthetic"))
    run = {"sdmetrics": _sdmetrics, "evidently": _evidently}.get(task, lambda *_: _ours(task, source, synthetic))(
        source, synthetic
    )
    before, cpu, start = _peak(), time.process_time(), time.perf_counter()
    told = run()
    facts = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak_mb": _peak(), "before_mb": before}
    print("@@" + json.dumps({**facts, "told": told}))


def _ours(task: str, source: pd.DataFrame, synthetic: pd.DataFrame):
    from threadpoolctl import threadpool_limits

    import synthml
    from synthml.fidelity import measure as parts
    from synthml.fidelity import measure_fidelity
    from synthml.fidelity.distributions import compare

    schema = synthml.Schema(target="readmitted", positive="yes", sensitive=["sex", "race"], intersections=[["sex", "race"]])
    study = synthml.Study(schema, source=source, synthetic=synthetic)
    if task in ("bias", "both"):
        return _with_bias(task, schema, source, synthetic)
    if task == "fidelity":
        return lambda: f"{len(measure_fidelity(study, seed=1, settings=synthml.MeasureSettings()).figures)} figures"

    def core() -> str:
        with threadpool_limits(1, "blas"):
            return f"{len(parts.measure_distributions(study, seed=1, confidence=0.95).figures)} figures"

    if task == "core":
        return core
    comparison = compare(study.frame("source"), study.frame("synthetic"))

    def pairs() -> str:
        with threadpool_limits(1, "blas"):
            return f"{len(comparison.by_pair().places)} pairs"

    return pairs


def _with_bias(task: str, schema, source: pd.DataFrame, synthetic: pd.DataFrame):
    from sklearn.linear_model import LogisticRegression

    import synthml
    from synthml.bias import measure_bias
    from synthml.fidelity import measure_fidelity
    from synthml.utility.protocols import run_protocols

    study = synthml.Study(schema, source=source, synthetic=synthetic, holdout=table(len(source), 3))
    settings = synthml.MeasureSettings()
    outcomes = run_protocols(study, LogisticRegression(max_iter=200), seed=1, settings=settings).on_holdout

    def run() -> str:
        found = len(measure_bias(study, outcomes, seed=1, settings=settings).figures)
        if task == "both":
            found += len(measure_fidelity(study, seed=1, settings=settings).figures)
        return f"{found} figures"

    return run


def _sdmetrics(source: pd.DataFrame, synthetic: pd.DataFrame):
    from sdmetrics.reports.single_table import QualityReport

    kinds = {name: {"sdtype": "numerical" if source[name].dtype.kind in "if" else "categorical"} for name in source}

    def run() -> str:
        report = QualityReport()
        report.generate(source, synthetic, {"columns": kinds}, verbose=False)
        return f"{len(report.get_details('Column Shapes'))} columns, {len(report.get_details('Column Pair Trends'))} pairs"

    return run


def _evidently(source: pd.DataFrame, synthetic: pd.DataFrame):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    numbers = [name for name in source if source[name].dtype.kind in "if"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=[name for name in source if name not in numbers])

    def run() -> str:
        tables = [Dataset.from_pandas(frame, data_definition=definition) for frame in (synthetic, source)]
        snapshot = Report([DataDriftPreset(), DataSummaryPreset()]).run(*tables)
        return f"{len(snapshot.dict()['metrics'])} metrics"

    return run


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _line(task: str, rows: int, folder: str) -> dict[str, object] | None:
    python = str(PEER) if task in ("sdmetrics", "evidently") and PEER.exists() else sys.executable
    if task == "sdmetrics" and not PEER.exists():
        return None
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [python, __file__, "--one", task, str(rows), folder], capture_output=True, text=True, check=False, env=environment
    )
    found = [line[2:] for line in done.stdout.splitlines() if line.startswith("@@")]
    if not found:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    return json.loads(found[0])


def main() -> None:
    sizes = [int(rows) for rows in sys.argv[1:]] or [20_000, 100_000]
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, pandas {pd.__version__}, {os.cpu_count()} cores.\n")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            table(rows, 1).to_parquet(Path(folder) / f"source_{rows}.parquet")
            table(rows, 2, blurred=True).to_parquet(Path(folder) / f"synthetic_{rows}.parquet")
            lines = {task: _line(task, rows, folder) for task, _ in TASKS}
        both = [lines[task] for task in ("sdmetrics", "evidently")]
        peers = sum(float(line["seconds"]) for line in both if line)
        print(f"## {rows:,} x 18\n\n| what | seconds | CPU seconds | peak MB (before) | found | peers together, times |")
        print("| --- | --- | --- | --- | --- | --- |")
        for task, words in TASKS:
            line = lines[task]
            if line is None:
                print(f"| {words} | not run | | | | |")
                continue
            ratio = f"{peers / float(line['seconds']):.1f}" if task in ("core", "fidelity", "both") and all(both) else ""
            memory = f"{line['peak_mb']:.0f} ({line['before_mb']:.0f})"
            print(f"| {words} | {line['seconds']:.2f} | {line['cpu']:.2f} | {memory} | {line['told']} | {ratio} |")
        print()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
