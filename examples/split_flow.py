"""The engineer has only the synthetic table; the evaluator, who holds the real rows, attaches the evidence later.

    uv run python examples/split_flow.py

Two roles that may never share a machine; here they take turns in one script, through files and the tracking store alone.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from xgboost import XGBClassifier

import synthml
import synthml_tracking as tracking
from synthml.datasets import rand_hie

SEED = 3
SCHEMA = synthml.Schema(target="high_use", positive=1, sensitive=["health"], subject="person")


def custodian(folder: Path) -> None:
    """Splits, synthesises, and hands out the synthetic table alone."""
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person").sample(seed=SEED)
    for name, table in (("source", source), ("holdout", holdout), ("synthetic", synthetic)):
        table.to_parquet(folder / f"{name}.parquet")


def engineer(synthetic: Path) -> str:
    """Trains and registers. What cannot be measured without real rows is noted, not guessed."""
    study = synthml.Study(schema=SCHEMA, synthetic=synthetic)
    with tracking.start_run(study, experiment="split-flow", seed=SEED) as run:
        run.fit(XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.06, n_jobs=1))
    version = run.register("split-flow")
    return f"models:/{version.name}/{version.version}"


def evaluator(model_uri: str, folder: Path) -> synthml.Dossier:
    """Measures the logged model on the real rows and attaches what was found to the same version."""
    study = synthml.Study(schema=SCHEMA, source=pd.read_parquet(folder / "source.parquet"), holdout=folder / "holdout.parquet")
    return tracking.evaluate(model_uri, study, seed=SEED)


def main() -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        custodian(folder)
        model_uri = engineer(folder / "synthetic.parquet")
        print(f"the engineer registered {model_uri}")
        dossier = evaluator(model_uri, folder)
    print(f"the evaluator attached {dossier.digest}")
    for figure in ("utility.auroc.tstr/all", "utility.auroc.tstr/health:poor"):
        print(f"{figure:32} {dossier.figures[figure]}")


if __name__ == "__main__":
    main()
