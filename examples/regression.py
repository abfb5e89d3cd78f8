"""A regression study: how many doctor visits a person makes in a year, with a callable instead of an estimator.

uv run python examples/regression.py
"""

from sklearn.preprocessing import OrdinalEncoder
from statsmodels.datasets import randhie
from xgboost import XGBRegressor

import synthml
import synthml_tracking as tracking
from synthml.datasets import rand_hie

SEED = 5


def train(X, y):
    """Any function (X, y) -> predictor will do; it is called once for every table that is trained on."""
    encode = OrdinalEncoder(categories=[["no", "yes"], ["excellent", "good", "fair", "poor"]])
    X = X.assign(**dict(zip(["deductible", "health"], encode.fit_transform(X[["deductible", "health"]]).T, strict=True)))
    model = XGBRegressor(objective="count:poisson", n_estimators=150, max_depth=4, learning_rate=0.05, n_jobs=1).fit(X, y)
    return lambda rows: model.predict(
        rows.assign(**dict(zip(["deductible", "health"], encode.transform(rows[["deductible", "health"]]).T, strict=True)))
    )


def main() -> None:
    table = rand_hie().drop(columns="high_use").assign(visits=randhie.load_pandas().data["mdvis"].to_numpy())
    source, holdout = synthml.split_by_subject(table, subject="person", fraction=0.4, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person").sample(seed=SEED)
    schema = synthml.Schema(target="visits", task="regression", sensitive=["health"], subject="person")
    study = synthml.Study(schema=schema, source=source, synthetic=synthetic, holdout=holdout)

    dossier = synthml.measure(study, model=train, seed=SEED)  # no MLflow anywhere
    for measure in ("mae", "rmse", "r2"):
        print(f"{measure:5} trained on synthetic {dossier.figures[f'utility.{measure}.tstr/all']}")
        print(f"{measure:5} trained on real      {dossier.figures[f'utility.{measure}.trtr/all']}")

    with tracking.start_run(study, experiment="regression", seed=SEED) as run:
        run.fit(train)
    print(run.model_uri)


if __name__ == "__main__":
    main()
