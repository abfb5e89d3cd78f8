"""A study from polars tables, with a scikit-learn pipeline that brings its own preparation.

    uv run --group test python examples/polars_pipeline.py      (the test group brings polars)

The pipeline is logged as it is. It learns only categories with at least ten rows, so that no rare value enters the model file.
"""

import polars as pl
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import synthml
import synthml_tracking as tracking
from synthml.datasets import rand_hie

SEED = 11


def main() -> None:
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person").sample(seed=SEED)

    study = synthml.Study(
        schema=synthml.Schema(target="high_use", positive=1, sensitive=["health", "deductible"], subject="person"),
        source=pl.from_pandas(source),
        synthetic=pl.from_pandas(synthetic),
        holdout=pl.from_pandas(holdout),
    )

    labels = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    numbers = make_column_selector(dtype_include="number")
    prepare = make_column_transformer((StandardScaler(), numbers), (labels, make_column_selector(dtype_exclude="number")))
    pipeline = make_pipeline(prepare, LogisticRegression(max_iter=500))

    with tracking.start_run(study, experiment="polars-pipeline", seed=SEED) as run:
        run.fit(pipeline)
    print(run.model_uri)
    for name in ("utility.auroc.tstr/all", "utility.brier.tstr/all", "utility.calibration_slope.tstr/all"):
        print(f"{name:38} {run.dossier.figures[name]}")


if __name__ == "__main__":
    main()
