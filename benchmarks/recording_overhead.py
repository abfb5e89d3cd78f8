"""What recording costs beside a bare `mlflow.sklearn.log_model` and one `log_metrics` of the same model and the same numbers.

    uv run python benchmarks/recording_overhead.py > benchmarks/recording_overhead.md

Training and measuring are left out on both sides. Ours writes the same metrics, linked to model and dataset, and also datasets,
params, tags, the evidence, the report, the verdict, the spool and the registered version. Bare is MLflow as its documentation
shows it: requirements inferred from the model; and once more with them given, as ours does.
"""

from __future__ import annotations

import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xgboost import XGBClassifier

import synthml
import synthml_tracking as tracking
from synthml.datasets import rand_hie
from synthml_tracking.client import address, load_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 5
SEED = 7
SETTINGS = synthml.MeasureSettings(learners=False, importance_repeats=1, importance_rows=500)
PHASES = {
    "saving the model and looking into its files": "save the model folder, load it back, scan it",
    "deciding and writing the report": "verdict, report, card, spool",
    "recording in MLflow": "write to the store",
    "closing the run": "close the run",
    "registering": "register the version",
}

mlflow = load_mlflow()


def study() -> synthml.Study:
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person").sample(seed=SEED)
    schema = synthml.Schema(target="high_use", positive=1, sensitive=["health"], bins={}, subject="person")
    return synthml.Study(schema, source=source, synthetic=synthetic, holdout=holdout)


def ours(given: synthml.Study, uri: str) -> tuple[dict[str, float], tracking.Run, Any]:
    """Seconds by phase of one recorded and registered run, its run, and the predictor."""
    marks: list[tuple[str, float]] = []

    def note(text: str) -> None:
        marks.append((text, time.perf_counter()))

    note("start the run")
    with tracking.start_run(given, experiment="ours", tracking_uri=uri, seed=SEED, settings=SETTINGS, progress=note) as run:
        predictor = run.fit(XGBClassifier(n_estimators=150, max_depth=4, n_jobs=2))
    note("ended")
    run.register("ours")
    note("registered")
    spent = dict.fromkeys(("start the run and create the model", *PHASES.values()), 0.0)
    for (text, started), (_, ended) in itertools.pairwise(marks):
        label = "start the run and create the model" if text == "start the run" else PHASES.get(text)
        if label is not None:
            spent[label] += ended - started
    return spent, run, predictor


def bare(predictor: Any, X: Any, metrics: dict[str, float], uri: str, requirements: list[str] | None) -> float:
    """Seconds of MLflow's own calls."""
    started = time.perf_counter()
    with address(uri):
        found = mlflow.set_experiment("bare")
        with mlflow.start_run(experiment_id=found.experiment_id):
            mlflow.sklearn.log_model(
                predictor,
                name="model",
                signature=mlflow.models.infer_signature(X.head(5), predictor.predict(X.head(5))),
                serialization_format="cloudpickle",
                pip_requirements=requirements,
                registered_model_name="bare",
            )
            mlflow.log_metrics(metrics)
        from mlflow.tracking import fluent

        fluent._active_experiment_id = None
    return time.perf_counter() - started


@contextmanager
def server(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--port", str(port), "--workers", "1"]
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=quiet) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.3)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def compare(given: synthml.Study, uri: str) -> tuple[dict[str, float], float, float, int]:
    """Median seconds: ours by phase, bare with requirements inferred, bare with them given; and how many metrics."""
    X = given.features("synthetic")
    phases: list[dict[str, float]] = []
    inferred, explicit = [], []
    for i in range(REPEATS + 1):
        spent, run, predictor = ours(given, uri)
        metrics = run.dossier.metrics()
        required = [f"{name}=={__import__(name).__version__}" for name in ("xgboost", "cloudpickle", "mlflow")]
        one = bare(predictor, X, metrics, uri, required)
        if i:  # the first of each warms the store up
            phases.append(spent)
            explicit.append(one)
        if i in (1, 2):
            inferred.append(bare(predictor, X, metrics, uri, None))
    medians = {label: statistics.median(spent[label] for spent in phases) for label in phases[0]}
    return medians, statistics.median(inferred), statistics.median(explicit), len(metrics)


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # MLflow's lines would stand in the table
    given = study()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.chdir(folder)
        results = {"embedded (sqlite)": compare(given, f"sqlite:///{folder / 'mlflow.db'}")}
        with server(folder) as uri:
            results["server (http, sqlite behind it)"] = compare(given, uri)
    os.chdir("/")
    print("# What recording costs\n")
    print("Median seconds on 2 cores; training and measuring left out. Written by `benchmarks/recording_overhead.py`.\n")
    print("| store | metrics | ours, everything | bare, requirements given | bare as documented (requirements inferred) |")
    print("|---|---|---|---|---|")
    for name, (phases, inferred, explicit, count) in results.items():
        print(f"| {name} | {count:,} | **{sum(phases.values()):.2f}** | {explicit:.2f} | {inferred:.2f} |")
    print("\nOurs, by phase:\n")
    print("| phase | " + " | ".join(results) + " |")
    print("|---|" + "---|" * len(results))
    for label in next(iter(results.values()))[0]:
        print(f"| {label} | " + " | ".join(f"{phases[label]:.2f}" for phases, *_ in results.values()) + " |")


if __name__ == "__main__":
    main()
