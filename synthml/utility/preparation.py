"""From a study's features to what an estimator can take.

An estimator that brings its own preparation (a Pipeline, or a search over one) gets the table as it is. A bare one is wrapped
into a stock scikit-learn Pipeline, so that the logged model loads without synthml. Only categories with enough training rows are
learned: a rare value never becomes part of a model file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["categorical_columns", "design_encoder", "frequent_categories", "is_estimator", "prepared"]


def is_estimator(model: object) -> bool:
    """Whether `model` follows scikit-learn's `fit`/`predict`; otherwise it must be a callable (X, y) -> predictor."""
    return hasattr(model, "fit") and hasattr(model, "predict") and not isinstance(model, type)


def categorical_columns(X: pd.DataFrame) -> list[str]:
    """Columns that hold labels."""
    return [str(c) for c in X.columns if not (pd.api.types.is_numeric_dtype(X[c]) or pd.api.types.is_datetime64_any_dtype(X[c]))]


def datetime_columns(X: pd.DataFrame) -> list[str]:
    """Columns that hold points in time."""
    return [str(c) for c in X.columns if pd.api.types.is_datetime64_any_dtype(X[c])]


def frequent_categories(column: pd.Series[Any], rare_below: int) -> NDArray[np.object_]:
    """Sorted labels with at least `rare_below` rows; nulls are no label."""
    counts = column.value_counts(dropna=True)
    kept = sorted(str(label) for label in counts.index[counts.to_numpy() >= rare_below])
    return np.array(kept or ["(none)"], dtype=object)


def days_since_1970(X: pd.DataFrame) -> NDArray[np.float64]:
    """Points in time as days, nulls as NaN."""
    stamps = X.to_numpy(dtype="datetime64[us]")
    days = stamps.astype("int64") / 86_400e6
    return np.where(np.isnat(stamps), np.nan, days)


def design_encoder(X: pd.DataFrame, *, rare_below: int, impute: bool, scale: bool = False) -> Any:
    """An unfitted ColumnTransformer: one-hot for frequent labels, numbers passed on (imputed by the median if asked)."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    labels, times = categorical_columns(X), datetime_columns(X)
    numbers = [str(c) for c in X.columns if c not in labels and c not in times]
    steps: list[Any] = []
    if impute and X[numbers + times].isna().to_numpy().any():
        steps.append(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    elif impute:
        steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
    if scale:
        steps.append(StandardScaler())
    parts: list[tuple[str, Any, list[str]]] = []
    if numbers:
        parts.append(("numbers", make_pipeline(*steps) if steps else "passthrough", numbers))
    if times:
        days = FunctionTransformer(days_since_1970, feature_names_out="one-to-one")
        parts.append(("times", make_pipeline(days, *steps), times))
    if labels:
        categories = [frequent_categories(X[c], rare_below) for c in labels]
        encoder = OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)
        parts.append(("labels", encoder, labels))
    return ColumnTransformer(parts, verbose_feature_names_out=False)


def prepared(model: Any, X: pd.DataFrame, *, rare_below: int) -> Any:
    """An unfitted copy of `model` that can be trained on `X`; a callable stays as it is."""
    if not is_estimator(model):
        return model
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    copy = clone(model)
    if any(_prepares(part) for part in _nested(copy)):
        return copy
    plain = not categorical_columns(X) and not datetime_columns(X)
    takes_null = _takes_null(copy)
    if plain and (takes_null or not X.isna().to_numpy().any()):
        return copy
    return Pipeline([("prepare", design_encoder(X, rare_below=rare_below, impute=not takes_null)), ("model", copy)])


def _nested(estimator: Any) -> Iterator[Any]:
    """The estimator and everything it is made of."""
    yield estimator
    if hasattr(estimator, "get_params"):
        for value in estimator.get_params(deep=True).values():
            if hasattr(value, "get_params") and not isinstance(value, type):
                yield value


def _prepares(estimator: Any) -> bool:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    return isinstance(estimator, (Pipeline, ColumnTransformer))


def _takes_null(estimator: Any) -> bool:
    from sklearn.utils import get_tags

    try:
        return bool(get_tags(estimator).input_tags.allow_nan)
    except (AttributeError, TypeError):
        return False
