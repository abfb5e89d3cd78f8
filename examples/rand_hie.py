"""The demo as a script to read: train on synthetic persons, prove on real ones, see it in MLflow.

    uv run python examples/rand_hie.py

Real data: the RAND Health Insurance Experiment, 20,190 person-years, shipped with statsmodels.
"""

from xgboost import XGBClassifier

import synthml
import synthml_tracking as tracking
from synthml.datasets import rand_hie

SEED = 7


def main() -> None:
    # The custodian's side: split persons (never their rows), and synthesise from the source part alone.
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    generator = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person")
    synthetic = generator.sample(seed=SEED)

    # The study: what the columns are, and which table plays which role. Everything wrong with them is found here.
    study = synthml.Study(
        schema=synthml.Schema(
            target="high_use",
            positive=1,
            sensitive=["physlm", "health"],
            intersections=[["physlm", "health"]],
            bins={"physlm": [0, 0.5, 1]},  # imputed fractions stand in this column
            subject="person",
        ),
        source=source,
        synthetic=synthetic,
        holdout=holdout,
        generation=generator.record(),
    )

    # Wrapped training: trains on the synthetic rows, measures on the real ones, logs everything.
    with tracking.start_run(study, experiment="rand-hie", seed=SEED) as run:
        run.fit(XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.06, n_jobs=1))
    version = run.register("rand-hie-high-use")

    print(f"models:/{version.name}/{version.version}")
    for figure in ("utility.auroc.tstr/all", "utility.auroc.trtr/all", "utility.auroc.loss/all"):
        print(f"{figure:28} {run.dossier.figures[figure]}")
    print(run.verdict)


if __name__ == "__main__":
    main()
