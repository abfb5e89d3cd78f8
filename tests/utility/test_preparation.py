"""From features to an estimator: rare values are not learned, and the logged pipeline is stock scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from synthml.utility.preparation import days_since_1970, design_encoder, frequent_categories, prepared


def table(n: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": np.linspace(18, 90, n),
            "site": pd.Series(["north", "south"] * (n // 2), dtype=object),
            "seen": pd.date_range("2020-01-01", periods=n).astype("datetime64[us]"),
        }
    )


def test_a_category_with_too_few_rows_stands_nowhere_in_the_fitted_pipeline():
    X = table()
    X.loc[0, "site"] = "CANARY"
    fitted = prepared(LogisticRegression(max_iter=5000), X, rare_below=10).fit(X, np.arange(60) % 2)
    categories = fitted[0].named_transformers_["labels"].categories_
    assert [list(c) for c in categories] == [["north", "south"]]
    assert "CANARY" not in repr(categories)


def test_unknown_labels_and_nulls_become_no_label_at_all():
    X = table()
    encoder = design_encoder(X, rare_below=10, impute=True).fit(X)
    strange = X.head(2).assign(site=["east", np.nan])
    assert encoder.transform(strange)[:, -2:].sum() == 0


def test_a_bare_estimator_on_complete_numbers_stays_as_it_is():
    X = table()[["age"]]
    assert type(prepared(LogisticRegression(), X, rare_below=10)) is LogisticRegression


def test_nulls_are_imputed_only_for_those_who_cannot_take_them():
    X = table()[["age"]].assign(age=lambda t: t["age"].where(t["age"] > 30))
    assert type(prepared(HistGradientBoostingClassifier(), X, rare_below=10)) is HistGradientBoostingClassifier
    assert isinstance(prepared(LogisticRegression(), X, rare_below=10), Pipeline)


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: GridSearchCV(p, {"logisticregression__C": [1.0]})])
def test_an_estimator_with_its_own_preparation_gets_the_table_as_it_is(wrap):
    own = wrap(make_pipeline(FunctionTransformer(), LogisticRegression()))
    assert type(prepared(own, table(), rare_below=10)) is type(own)


def test_the_estimator_that_was_given_is_never_changed():
    model = LogisticRegression()
    X = table()
    prepared(model, X, rare_below=10).fit(X, np.arange(60) % 2)
    assert not hasattr(model, "coef_")


def test_points_in_time_become_days_and_their_nulls_stay_nulls():
    X = pd.DataFrame({"seen": pd.to_datetime(["1970-01-02 12:00", None]).astype("datetime64[us]")})
    days = days_since_1970(X)
    assert days[0, 0] == 1.5
    assert np.isnan(days[1, 0])


def test_frequent_labels_are_sorted_and_exclude_nulls():
    column = pd.Series(["b"] * 3 + ["a"] * 3 + ["c"] + [np.nan] * 5, dtype=object)
    assert list(frequent_categories(column, 3)) == ["a", "b"]
