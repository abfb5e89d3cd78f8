"""A model that somebody else's code has trained on the synthetic table, as one that takes the study's features.

The user may have trained on some of the features, in another order, as an array, with other dtypes, or with labels where the
study has codes. Put in front of the model, a step that picks and forms the columns makes up for that: a stock ColumnTransformer
where it can be one, so that the model file stays data; a function that is pickled whole where dtypes must come back. What comes
out is held against the user's own model on rows that it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from synthml import Study
    from synthml_tracking.recognising import Form, Match

__all__ = ["Adopted", "adopted"]


@dataclass(frozen=True)
class Adopted:
    """predictor: from the study's features to probabilities in the order of its codes. again: unfitted, to be trained anew."""

    predictor: Any
    again: Any
    notes: tuple[str, ...]


def adopted(study: Study, model: Any, match: Match, head: Any, more: tuple[str, ...]) -> Adopted:
    """The trained `model` for this study. head: first rows that it was trained on; more: names of further arguments of its fit.

    Raises InputError when it predicts otherwise on the study's features than it did on the user's rows.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    notes = list(_notes(match, more))
    unfitted = _unfitted(model, notes)
    step = _step(match.form, study)
    predictor, again = model, unfitted
    if step is not None:
        # the step learns nothing but the names of the columns
        predictor = Pipeline([("columns", clone(step).fit(study.features("synthetic"))), ("model", model)])
        again = Pipeline([("columns", step), ("model", unfitted)])
    codes = _codes(model, match)
    if codes is not None and codes != tuple(range(len(study.classes))):
        predictor = _in_codes(predictor, codes, len(study.classes))
    _check(study, model, predictor, match, head, codes)
    return Adopted(predictor, again, tuple(notes))


def _notes(match: Match, more: tuple[str, ...]) -> list[str]:
    notes = ["the model was trained by the user's own code, and recorded by autolog"]
    rows = len(match.positions)
    if rows < match.total:
        notes.append(
            f"the model was trained on {rows:,} of the {match.total:,} rows of the synthetic table; models trained for "
            "comparison had all rows of theirs"
        )
    if more:
        notes.append(
            f"fit was called with {', '.join(more)}: the models trained for comparison, and for the threshold, had none of it"
        )
    return notes


def _unfitted(model: Any, notes: list[str]) -> Any:
    """A copy to be trained again. With early stopping, for as many rounds as the model had: there are no rows to stop by."""
    from sklearn.base import clone

    copy = clone(model)
    rounds = getattr(model, "best_iteration", None) if getattr(model, "early_stopping_rounds", None) else None
    if rounds is not None:
        copy.set_params(early_stopping_rounds=None, n_estimators=int(rounds) + 1)
        notes.append(f"training stopped early after {int(rounds) + 1} rounds: models trained for comparison had as many")
    return copy


def _step(form: Form, study: Study) -> Any:
    """What turns the study's features into the user's form; None when they are the same."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    if form.dtypes:
        return FunctionTransformer(form.rebuilding())
    if not form.is_array and form.columns == tuple(study.schema.features or ()):
        return None
    step = ColumnTransformer([("columns", "passthrough", list(form.columns))], verbose_feature_names_out=False)
    return step if form.is_array else step.set_output(transform="pandas")


def _codes(model: Any, match: Match) -> tuple[int, ...] | None:
    """The study's code behind each of the model's classes; None in a regression."""
    if not match.codes:
        return None
    known = dict(match.codes)
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise InputError("it does not say which classes it tells apart (classes_), so its probabilities cannot be told apart")
    try:
        return tuple(known[label] for label in np.asarray(classes).tolist())
    except (KeyError, TypeError):
        raise InputError("its classes are not the labels that it was trained with") from None


def _in_codes(predictor: Any, codes: tuple[int, ...], classes: int) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """Probabilities with the columns where the study has them; pickles by value, so that it loads without synthml."""
    at = list(codes)

    def probabilities(X: Any) -> Any:
        import numpy

        raw = numpy.asarray(predictor.predict_proba(X), dtype=numpy.float64)
        full = numpy.zeros((len(raw), classes))
        full[:, at] = raw
        return full

    return probabilities


def _check(study: Study, model: Any, predictor: Any, match: Match, head: Any, codes: tuple[int, ...] | None) -> None:
    """What is recorded must be what was trained."""
    from synthml.utility.protocols import predict

    rows = study.features("synthetic").iloc[match.positions[: len(head)]].reset_index(drop=True)
    task, classes = str(study.schema.task), len(study.classes)
    ours = predict(predictor, rows, task, classes)
    if codes is None:
        theirs = np.asarray(model.predict(head), dtype=np.float64).reshape(-1)
    else:
        theirs = np.zeros((len(head), classes))
        theirs[:, list(codes)] = model.predict_proba(head)
        theirs = theirs[:, 1] if task == "binary" else theirs
    if not np.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
        raise InputError("on the study's features it predicts otherwise than on the rows that it was trained on")
