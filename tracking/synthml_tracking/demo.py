"""`synthml demo`: all roles in one process, on real data that a library ships.

The RAND Health Insurance Experiment randomised families to insurance plans. The demo splits its persons in two, lets the embedded
generator make synthetic persons from one part, trains XGBoost on those, and proves the model on the persons of the other part.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import webbrowser
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml import Study
    from synthml.evidence import Dossier
    from synthml.policy import Verdict

__all__ = ["DemoResult", "demo_study", "open_mlflow_ui", "print_demo", "run_demo"]

EXPERIMENT = "synthml-demo"
MODEL = "rand-hie-high-use"
_UI = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class DemoResult:
    """What the demo made. seconds: wall time; tracking_uri: the store that the run is in."""

    dossier: Dossier
    verdict: Verdict
    run_id: str
    experiment_id: str
    model_uri: str
    version: str
    tracking_uri: str
    report: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "run_id": self.run_id,
            "model_uri": self.model_uri,
            "version": self.version,
            "tracking_uri": self.tracking_uri,
            "verdict": self.verdict.outcome,
            "evidence_digest": self.dossier.digest,
            "report": self.report,
            "seconds": round(self.seconds, 1),
            "figures": {name: figure.to_dict() for name, figure in self.dossier.figures.items() if name.endswith("/all")},
        }


def demo_study(seed: int, progress: Callable[[str], None] = lambda _: None) -> Study:
    """The demo's study: 60% of the persons are the source, 40% the holdout; the synthetic persons come from the source alone."""
    from synthml import CartSynthesizer, GenerationRecord, Schema, Study, split_by_subject
    from synthml.datasets import rand_hie

    progress("reading the RAND Health Insurance Experiment")
    source, holdout = split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=seed)
    progress("synthesising persons with sequential trees")
    generator = CartSynthesizer(min_leaf=10, seed=seed).fit(source, subject="person")
    synthetic = generator.sample(seed=seed)
    facts = {
        **generator.record().to_dict(),
        "id": "rand-hie-synthetic",
        "version": "1",
        "purpose": "show how synthml measures a model that was trained on synthetic persons",
        "unsupported_uses": ["any decision about a person"],
        "source": {
            "owner": "RAND corporation; extract shipped with statsmodels, public domain",
            "period": "1974 to 1982",
            "limitations": "physical limitation and chronic diseases were imputed for some persons; persons are recovered from "
            "runs of identical columns",
        },
    }
    progress("checking the tables at the door")
    schema = Schema(
        target="high_use",
        positive=1,
        sensitive=["physlm", "health"],
        intersections=[["physlm", "health"]],
        bins={"physlm": [0, 0.5, 1]},
        subject="person",
    )
    record = GenerationRecord.from_dict(facts)
    return Study(schema=schema, source=source, synthetic=synthetic, holdout=holdout, generation=record)


def run_demo(*, tracking_uri: str | None, seed: int, progress: Callable[[str], None]) -> DemoResult:
    """Synthesise, train, measure, record and register."""
    started = time.monotonic()
    study = demo_study(seed, progress)
    progress("loading XGBoost and MLflow")
    from xgboost import XGBClassifier

    from synthml_tracking import start_run

    estimator = XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.06, subsample=0.8, random_state=seed, n_jobs=1)
    with start_run(
        study,
        experiment=EXPERIMENT,
        run_name="xgboost on synthetic persons",
        tracking_uri=tracking_uri,
        seed=seed,
        policy="research-sandbox",
        progress=progress,
    ) as run:
        run.fit(estimator)
    version = run.register(MODEL)
    return DemoResult(
        dossier=run.dossier,
        verdict=run.verdict,
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        model_uri=run.model_uri,
        version=f"models:/{version.name}/{version.version}",
        tracking_uri=run.tracking_uri,
        report="synthml/report.html",
        seconds=time.monotonic() - started,
    )


def print_demo(result: DemoResult) -> None:
    """What was found, and what to open."""
    from rich.console import Console

    from synthml_tracking.console import chain_table, dossier_table

    console = Console(highlight=False)
    tables = result.dossier.datasets
    rows = ", ".join(f"{role} {facts['rows']:,} rows of {facts['subjects']:,} persons" for role, facts in tables.items())
    console.print("[bold]High use of care, predicted by a model that has only seen synthetic persons[/bold]")
    console.print(f"{rows}\n", markup=False)
    console.print(dossier_table(result.dossier))
    chain = chain_table(result.dossier)
    if chain is not None:
        console.print()
        console.print(chain)
    console.print(f"\n{result.verdict}", markup=False)
    for note in result.dossier.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"\nRecorded in {result.seconds:.0f} s. Look at it:", markup=False)
    for line in (ui_command(result), f"then {_UI}, choose Model training, and open:"):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    run_page = f"{_UI}/#/experiments/{result.experiment_id}/runs/{result.run_id}"
    name, number = result.version.removeprefix("models:/").rsplit("/", 1)
    for what, page in (
        ("run", run_page),
        ("report", f"{run_page}/artifacts/{result.report}"),
        ("version", f"{_UI}/#/models/{name}/versions/{number}"),
    ):
        console.print(f"  {what:8} {page}", markup=False, soft_wrap=True)


def ui_command(result: DemoResult) -> str:
    """The command that starts MLflow's UI on the demo's store."""
    uv = "uv run " if os.environ.get("UV") else ""
    return f"{uv}mlflow ui --backend-store-uri {shlex.quote(result.tracking_uri)}"


def open_mlflow_ui(result: DemoResult) -> None:
    """Start MLflow's UI on this machine alone, open the run in a browser, and stay until interrupted."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        result.tracking_uri,
        "--host",
        "127.0.0.1",
        "--port",
        "5000",
    ]
    with subprocess.Popen(command) as server:
        try:
            time.sleep(5)
            webbrowser.open(f"{_UI}/#/experiments/{result.experiment_id}/runs/{result.run_id}")
            server.wait()
        except KeyboardInterrupt:
            server.terminate()
