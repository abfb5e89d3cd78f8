"""Which fits autolog records, and that what it records is the very model that was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from plugins.hospital import NUMERIC, auroc, numeric_study, pipeline, runs, training
from recording.small_study import QUICK, SCHEMA, estimator, study, tables
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

import synthml_tracking as tracking
from synthml import Schema, Study
from synthml_tracking.recognising import Match, Recogniser

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("few_kinds")
TSTR = "utility.auroc.tstr/all"


def watched(given: Study, **more: Any) -> list[tracking.Run]:
    """Autolog on; the runs that it records."""
    found: list[tracking.Run] = []
    tracking.autolog(given, settings=QUICK, recorded=found.append, strict=True, **more)
    return found


def test_it_is_recorded_as_a_wrapped_fit_would_be(mlflow: Any) -> None:
    """Same estimator, same study: figures, params, inputs, tags and artifacts are those of start_run and run.fit."""
    with tracking.start_run(study(), settings=QUICK) as wrapped:
        wrapped.fit(pipeline())
    found = watched(study())
    X, y = training()
    model = pipeline()
    assert model.fit(X, y) is model
    (run,) = found
    assert run.dossier.figures == wrapped.dossier.figures
    one, other = (mlflow.get_run(r.run_id) for r in (run, wrapped))
    assert (one.data.metrics, one.data.params) == (other.data.metrics, other.data.params)
    assert one.info.status == "FINISHED"
    assert {r.dataset.name for r in one.inputs.dataset_inputs} == {"source", "synthetic", "holdout"}
    assert len(one.outputs.model_outputs) == 1
    assert {tag for tag in one.data.tags if tag.startswith("synthml.ds.")} == {
        tag for tag in other.data.tags if tag.startswith("synthml.ds.")
    }
    logged = mlflow.sklearn.load_model(run.model_uri)
    assert np.array_equal(logged.predict_proba(X), model.predict_proba(X))
    assert mlflow.active_run() is None


def as_labels(y: Any) -> Any:
    """Labels whose order is the other way round than the codes."""
    return y.map({0: "well", 1: "back again"})


def shuffled(X: Any, y: Any) -> tuple[Any, Any]:
    order = np.random.default_rng(0).permutation(len(X))
    return X.iloc[order], y.iloc[order]


FORMS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "as it is": lambda X, y: (X[NUMERIC], y),
    "in another order": lambda X, y: (X[["lactate", "age"]], y),
    "one column": lambda X, y: (X[["age"]], y),
    "as an array": lambda X, y: (X[NUMERIC].to_numpy(), y.to_numpy()),
    "as an array in another order": lambda X, y: (X[["lactate", "age"]].to_numpy(), y.to_numpy()),
    "in 32 bits": lambda X, y: (X[["lactate", "age"]].to_numpy(dtype=np.float32), y.to_numpy()),
    "with the last digit off": lambda X, y: (X[NUMERIC].assign(lactate=np.nextafter(X["lactate"], 9e9)), y),
    "with another index": lambda X, y: (X[NUMERIC].set_index(X.index + 7), y),
    "shuffled": lambda X, y: shuffled(X[NUMERIC], y),
    "a training part": lambda X, y: train_test_split(X[NUMERIC], y, random_state=0)[::2],
    "with labels": lambda X, y: (X[NUMERIC], as_labels(y)),
    "with labels, shuffled": lambda X, y: shuffled(X[["lactate", "age"]], as_labels(y)),
    "with truth values": lambda X, y: (X[NUMERIC], y == 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_table_is_known_in_every_form(mlflow: Any, form: str) -> None:
    """What is recorded is the model that was trained: its AUROC on the holdout, by scikit-learn, is the figure."""
    found = watched(numeric_study())
    X, y = FORMS[form](*training())
    model = estimator().fit(X, y)
    rows = training("holdout")[0]
    columns = {"one column": ["age"]}.get(form, ["lactate", "age"] if "other" in form or "32" in form else NUMERIC)
    columns = list(X.columns) if isinstance(X, pd.DataFrame) else columns
    own = rows[columns] if isinstance(X, pd.DataFrame) else rows[columns].to_numpy(dtype=X.dtype)
    (run,) = found
    expected = auroc(model, own, {"U": "back again", "O": "back again", "b": True}.get(model.classes_.dtype.kind, 1))
    assert run.dossier.figures[TSTR].value == pytest.approx(expected, abs=1e-6)
    assert len(run.dossier.figures) > 100
    told = " ".join(run.dossier.notes)
    assert ("300 of the 400 rows" in told) == (form == "a training part")
    later = tracking.evaluate(run.model_uri, numeric_study(), settings=QUICK)
    assert later.figures[TSTR].value == run.dossier.figures[TSTR].value


def test_dtypes_that_the_study_does_not_keep_come_back(mlflow: Any) -> None:
    """XGBoost with pandas' categories and booleans: recorded, logged, and measured again from the store."""
    found = watched(study(kinds={"adult": "boolean"}, given=with_adult()))
    table = with_adult()["synthetic"]
    X = table[["age", "sex", "ward", "lactate", "adult"]].astype({"sex": "category", "ward": "category"})
    model = XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1, enable_categorical=True).fit(X, table["readmitted"])
    (run,) = found
    own = with_adult()["holdout"][list(X.columns)].astype({"sex": X["sex"].dtype, "ward": X["ward"].dtype})
    assert run.dossier.figures[TSTR].value == pytest.approx(auroc(model, own), abs=1e-6)
    served = mlflow.pyfunc.load_model(run.model_uri)
    assert np.allclose(
        served.predict(own.astype({"sex": object, "ward": object, "adult": float, "age": float})), model.predict_proba(own)
    )


def with_adult() -> dict[str, Any]:
    return {role: table.assign(adult=table["age"] >= 40) for role, table in tables().items()}


def test_xgboost_that_stops_early_is_compared_at_as_many_rounds(mlflow: Any) -> None:
    """Models for comparison have no rows to stop by; the evidence says so, and what else fit was given."""
    found = watched(numeric_study())
    X, y = training()
    kept, left, y_kept, y_left = train_test_split(X[NUMERIC], y, random_state=0)
    model = XGBClassifier(n_estimators=200, early_stopping_rounds=3, n_jobs=1)
    model.fit(kept, y_kept, eval_set=[(left, y_left)], verbose=False)
    (run,) = found
    told = " ".join(run.dossier.notes)
    assert f"after {model.best_iteration + 1} rounds" in told
    assert "called with eval_set:" in told
    assert run.dossier.figures[TSTR].value == pytest.approx(auroc(model, training("holdout")[0][NUMERIC]), abs=1e-6)
    assert run.dossier.figures["utility.auroc.trtr/all"].value is not None


def test_a_regression_and_several_classes(mlflow: Any) -> None:
    """The target is known by its numbers, or by labels in any coding."""
    numbers = Study(
        Schema(target="lactate", task="regression", features=["age"], minimum_cell=SCHEMA["minimum_cell"]), **tables()
    )
    found = watched(numbers)
    X, _ = training()
    LinearRegression().fit(X[["age"]].to_numpy(), X["lactate"].to_numpy())
    wards = Study(Schema(target="ward", features=NUMERIC, minimum_cell=SCHEMA["minimum_cell"]), **tables())
    tracking.autolog(wards, settings=QUICK, recorded=found.append, strict=True)
    codes = X["ward"].map({"surgery": 0, "cardiology": 1, "oncology": 2})
    model = estimator().fit(*shuffled(X[NUMERIC], codes))
    assert [run.study for run in found] == [numbers, wards]
    loaded = mlflow.pyfunc.load_model(found[1].model_uri).predict(X[NUMERIC].astype(float))
    assert np.allclose(loaded, model.predict_proba(X[NUMERIC])[:, [1, 2, 0]])


def test_a_pipeline_and_a_search_are_one_model_and_folds_are_none(mlflow: Any) -> None:
    """Inner fits, clones of a search and folds of a validation are not recorded; neither are our own retrainings."""
    found = watched(study())
    X, y = training()
    cross_val_score(pipeline(), X, y, cv=2)
    assert not found
    GridSearchCV(pipeline(), {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(X, y)
    assert [mlflow.get_run(run.run_id).data.params["synthml.estimator"] for run in found] == ["GridSearchCV"]
    assert len(runs(mlflow)) == 1


def test_every_other_fit_is_left_alone(mlflow: Any) -> None:
    """Real rows, a changed value, another target, added rows, few rows, no target, no model: no run, no warning."""
    found = watched(study())
    X, y = training()
    real, outcome = training("source")
    changed = X.copy()
    changed.loc[5, "age"] += 1
    other = pd.Series(np.random.default_rng(1).integers(0, 2, len(y)))
    pipeline().fit(real, outcome)
    pipeline().fit(X, other)
    pipeline().fit(pd.concat([X, real]), pd.concat([y, outcome]))
    pipeline().fit(X.head(150), y.head(150))
    pipeline().fit(pd.concat([X.head(300), X.head(100)]), pd.concat([y.head(300), y.head(100)]))
    StandardScaler().fit(X[NUMERIC], y)
    with pytest.warns(UserWarning, match="not recorded: its columns are not the study's features"):
        pipeline().fit(changed, y)
    assert not found
    assert runs(mlflow) == []


def test_features_that_were_prepared_before_are_told(mlflow: Any) -> None:
    """Scaled or encoded outside of a pipeline: trained as ever, not recorded, and the user is told why."""
    found = watched(numeric_study())
    X, y = training()
    with pytest.warns(UserWarning, match="prepare them inside a Pipeline"):
        model = estimator().fit(StandardScaler().fit_transform(X[NUMERIC]), y)
    with pytest.warns(UserWarning, match="no features of the study \\(sex_male"):
        estimator().fit(pd.get_dummies(X[["age", "sex"]], drop_first=True), y)
    assert hasattr(model, "coef_")
    assert not found
    make_pipeline(StandardScaler(), estimator()).fit(X[NUMERIC], y)
    assert len(found) == 1


def test_rows_that_stand_in_a_real_table_too_are_nobodys() -> None:
    """A part of the synthetic table that is a part of the source as well cannot be told apart: not recorded."""
    given = tables()
    given["synthetic"] = pd.concat([given["source"].head(250).drop(columns="person"), given["synthetic"].head(150)])
    known = Study(Schema(**{**SCHEMA, "features": NUMERIC}), **given)
    X, y = (given["synthetic"][names].head(220) for names in (NUMERIC, "readmitted"))
    told = Recogniser(known, least_rows=0.5).look(X, y)
    assert isinstance(told, str)
    assert "the source table as well" in told
    whole = Recogniser(known, least_rows=0.5).look(given["synthetic"][NUMERIC], given["synthetic"]["readmitted"])
    assert isinstance(whole, Match)


def test_recognising_costs_little() -> None:
    """A hundred thousand rows, shuffled, in less than a training: positions are right."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.normal(size=100_000) for i in range(10)} | {"y": rng.integers(0, 2, 100_000)})
    known = Study(Schema(target="y", positive=1), synthetic=table)
    order = rng.permutation(len(table))
    found = Recogniser(known, least_rows=1.0).look(table.drop(columns="y").iloc[order].to_numpy(), table["y"].iloc[order])
    assert isinstance(found, Match)
    assert (found.positions == order).all()
