"""What a user's training code gets and does, and what a test finds in the store afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recording.small_study import study, tables
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from synthml_tracking.ledger import ledger_name
from synthml_tracking.scan import contents

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from synthml import Study

NUMERIC = ["age", "lactate"]


def numeric_study(**more: Any) -> Study:
    """The small study with the two numbers as its features."""
    return study(features=NUMERIC, **more)


def training(role: str = "synthetic") -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Features and target of a table, as a script would take them."""
    table = tables()[role]
    return table[["age", "sex", "ward", "lactate"]], table["readmitted"]


def pipeline() -> Any:
    """What takes labels and numbers."""
    labels = OneHotEncoder(handle_unknown="ignore")
    encoder = make_column_transformer((labels, ["sex", "ward"]), ("passthrough", ["age", "lactate"]))
    return make_pipeline(encoder, LogisticRegression(solver="newton-cholesky", max_iter=500))


def auroc(model: Any, X: Any, positive: Any = 1) -> float:
    """By scikit-learn, on the holdout in the user's own form."""
    column = list(model.classes_).index(positive)
    return float(roc_auc_score(tables()["holdout"]["readmitted"], model.predict_proba(X)[:, column]))


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a store, archives opened."""
    return {
        f"{path.relative_to(folder)} {i}": raw
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for i, (_, raw) in enumerate(contents(path.name, path.read_bytes()))
    }


def runs(mlflow: Any) -> list[Any]:
    """Every run of the store, the ledger's entries aside."""
    client = mlflow.MlflowClient()
    experiments = [one.experiment_id for one in client.search_experiments() if one.name != ledger_name()]
    return list(client.search_runs(experiments))


def tables_of(role: str) -> pd.DataFrame:
    """A whole table."""
    return tables()[role]
