"""The protocols: one estimator, trained on each table in turn, measured on the same real rows.

TSTR  train synthetic, test real      the claim
TRTR  train real, test real           what real rows would have given
TRTS  train real, test synthetic      does the synthetic table hold what a real-trained model knows
augmented  train source + synthetic, test real
trivial    the prevalence, class shares or mean of the synthetic table: what knowing nothing gives

Models trained on real rows live only inside these functions; nothing but predictions leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.errors import InputError
from synthml.metrics.outcome import Outcome
from synthml.utility.preparation import is_estimator, prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["Fitted", "Outcomes", "choose_threshold", "fit", "predict", "run_protocols", "train"]

Progress = Callable[[str], None]
# A threshold needs no more out-of-fold rows than these: further folds would cost training time and change its third digit.
_ENOUGH = 20_000


@dataclass(frozen=True)
class Fitted:
    """A trained predictor with the threshold that was chosen on its training rows (None unless binary)."""

    predictor: Any
    threshold: float | None = None


@dataclass(frozen=True)
class Outcomes:
    """Predictions by protocol, and the two models that the explanations compare. `notes` say what was left out."""

    by_protocol: Mapping[str, Outcome]
    models: Mapping[str, Fitted] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def on_holdout(self) -> dict[str, Outcome]:
        """Those measured on the real holdout rows."""
        return {name: outcome for name, outcome in self.by_protocol.items() if name != "trts"}


def _seeded(estimator: Any, seed: int) -> Any:
    """Give every unset random_state the seed, so that equal seeds give equal evidence."""
    if hasattr(estimator, "get_params"):
        unset = {k: seed for k, v in estimator.get_params(deep=True).items() if k.split("__")[-1] == "random_state" and v is None}
        if unset:
            estimator.set_params(**unset)
    return estimator


def train(model: Any, X: pd.DataFrame, y: NDArray[np.generic], *, seed: int, rare_below: int) -> Any:
    """Train a fresh copy of an estimator, or call a callable (X, y) -> predictor."""
    ready = prepared(model, X, rare_below=rare_below)
    if is_estimator(ready):
        return _seeded(ready, seed).fit(X, y)
    if not callable(ready):
        raise InputError("a model is a scikit-learn style estimator or a callable (X, y) -> predictor")
    return ready(X, y)


def predict(predictor: Any, X: pd.DataFrame | NDArray[np.float32], task: str, classes: int) -> NDArray[np.float64]:
    """Probabilities (n,) for binary, (n, classes) for multiclass, predictions (n,) for regression.

    Raises InputError when a classifier gives no probabilities, or anything that is not finite.
    """
    if task == "regression":
        call = predictor.predict if hasattr(predictor, "predict") else predictor
        score = np.asarray(call(X), dtype=np.float64).reshape(-1)
    else:
        score = _probabilities(predictor, X, task, classes)
    if score.shape[0] != len(X):
        raise InputError(f"the model gave {score.shape[0]} predictions for {len(X)} rows")
    if not np.isfinite(score).all():
        raise InputError(f"the model gave {int((~np.isfinite(score)).sum())} predictions that are not finite numbers")
    if task != "regression" and ((score < 0).any() or (score > 1).any()):
        raise InputError("the model's scores do not lie between 0 and 1; give probabilities (CalibratedClassifierCV makes them)")
    return score


def _probabilities(predictor: Any, X: pd.DataFrame | NDArray[np.float32], task: str, classes: int) -> NDArray[np.float64]:
    if hasattr(predictor, "predict_proba"):
        raw = np.asarray(predictor.predict_proba(X), dtype=np.float64)
        known = getattr(predictor, "classes_", None)
    elif callable(predictor) and not hasattr(predictor, "predict"):
        raw, known = np.asarray(predictor(X), dtype=np.float64), None
    else:
        raise InputError(
            f"{type(predictor).__name__} gives no probabilities (predict_proba); calibration and discrimination need them. "
            "Wrap it in sklearn.calibration.CalibratedClassifierCV."
        )
    if raw.ndim == 1:
        raw = np.column_stack([1 - raw, raw])
    full = raw
    if known is not None and raw.shape[1] != classes:
        full = np.zeros((len(raw), classes))
        full[:, np.asarray(known, dtype=np.int64)] = raw
    if full.shape[1] != classes:
        raise InputError(f"the model gave {full.shape[1]} probability columns; the study has {classes} classes")
    return full[:, 1] if task == "binary" else full


def choose_threshold(rule: Any, truth: NDArray[np.generic], score: NDArray[np.float64]) -> float:
    """The threshold by the rule: fixed, Youden's J (Youden 1950), or the highest with the asked sensitivity.

    Cuts lie midway between neighbouring distinct scores, so that no training score itself becomes the threshold.
    """
    if not isinstance(rule, (str, Mapping)):
        return float(rule)
    distinct, position = np.unique(score, return_inverse=True)
    positive = np.asarray(truth, dtype=np.float64)
    positives, negatives = positive.sum(), len(positive) - positive.sum()
    if positives == 0 or negatives == 0 or len(distinct) < 2:
        return 0.5
    cuts = (distinct[:-1] + distinct[1:]) / 2
    sensitivity = 1 - np.cumsum(np.bincount(position, weights=positive))[:-1] / positives
    specificity = np.cumsum(np.bincount(position, weights=1 - positive))[:-1] / negatives
    if isinstance(rule, str):
        return float(cuts[np.argmax(sensitivity + specificity)])
    enough = np.flatnonzero(sensitivity >= rule["sensitivity"])
    return float(cuts[enough[-1]] if enough.size else distinct[0])


def fit(
    study: Study,
    model: Any,
    roles: tuple[str, ...],
    *,
    seed: int,
    settings: MeasureSettings,
    fitted: Any = None,
) -> Fitted:
    """Train on the rows of `roles` together; choose the threshold on out-of-fold predictions of the same rows.

    fitted: an already trained predictor, for which only the threshold is still to be chosen.
    """
    X = pd.concat([study.features(r) for r in roles], ignore_index=True) if len(roles) > 1 else study.features(roles[0])
    y = np.concatenate([study.target(r) for r in roles])
    rare = settings.rare_below
    predictor = train(model, X, y, seed=seed, rare_below=rare) if fitted is None else fitted
    if study.schema.task != "binary":
        return Fitted(predictor)
    if not isinstance(settings.threshold, (str, Mapping)):
        return Fitted(predictor, float(settings.threshold))
    folds = _folds(study, roles, len(y), settings.folds, seed)
    score = np.full(len(y), np.nan)
    for fold in range(settings.folds):
        test = folds == fold
        if not test.any() or len(np.unique(y[~test])) < 2:
            continue
        part = train(model, X[~test], y[~test], seed=seed, rare_below=rare)
        score[test] = predict(part, X[test], "binary", 2)
        if np.count_nonzero(~np.isnan(score)) >= _ENOUGH:
            break
    seen = ~np.isnan(score)
    return Fitted(predictor, choose_threshold(settings.threshold, y[seen], score[seen]))


def _folds(study: Study, roles: tuple[str, ...], n: int, folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) fold of each row; rows of one subject share a fold."""
    rng = np.random.default_rng(seed)
    subjects = [study.subjects(role) for role in roles]
    if any(part is None for part in subjects):
        return rng.permutation(np.arange(n) % folds)
    codes = np.unique(np.concatenate([p for p in subjects if p is not None]), return_inverse=True)[1]
    return rng.permutation(np.arange(codes.max() + 1) % folds)[codes]


def _outcome(study: Study, fitted: Fitted, role: str) -> Outcome:
    task = str(study.schema.task)
    score = predict(fitted.predictor, study.features(role), task, len(study.classes))
    return Outcome(task, study.target(role), score, fitted.threshold, study.subjects(role))  # type: ignore[arg-type]


def _trivial(study: Study, role: str) -> Outcome:
    y, n = study.target(role), study.tables["holdout"].rows
    task = str(study.schema.task)
    if task == "multiclass":
        shares = np.bincount(y.astype(np.int64), minlength=len(study.classes)) / len(y)
        score = np.tile(shares, (n, 1))
    else:
        score = np.full(n, float(np.mean(y)))
    threshold = 0.5 if task == "binary" else None
    return Outcome(task, study.target("holdout"), score, threshold, study.subjects("holdout"))  # type: ignore[arg-type]


def run_protocols(
    study: Study,
    model: Any,
    *,
    seed: int,
    settings: MeasureSettings,
    fitted: Any = None,
    threshold: float | None = None,
    progress: Progress = lambda _: None,
) -> Outcomes:
    """Train and predict under every protocol that the study's tables allow.

    model: what is trained (None when only `fitted` can be measured). fitted: the already trained synthetic model. threshold: its
    threshold, when that was chosen at training time and must not be chosen again.
    """
    roles = set(study.roles)
    outcomes: dict[str, Outcome] = {}
    models: dict[str, Fitted] = {}
    notes: list[str] = []
    if "holdout" not in roles:
        return Outcomes({}, {}, ("no holdout table: nothing can be measured on real rows",))
    tstr = _synthetic_model(study, model, fitted, threshold, seed=seed, settings=settings, notes=notes)
    if tstr is not None:
        progress("predicting the real holdout rows (TSTR)")
        models["tstr"], outcomes["tstr"] = tstr, _outcome(study, tstr, "holdout")
    if "source" not in roles:
        notes.append("no source table: TRTR, TRTS, the loss and augmentation are not measured")
    elif model is None:
        notes.append("the logged model cannot be trained again: TRTR, TRTS, the loss and augmentation are not measured")
    else:
        progress("training on the real source rows (TRTR)")
        trtr = fit(study, model, ("source",), seed=seed, settings=settings)
        models["trtr"], outcomes["trtr"] = trtr, _outcome(study, trtr, "holdout")
        if "synthetic" in roles:
            outcomes["trts"] = _outcome(study, trtr, "synthetic")
            progress("training on source and synthetic rows together")
            both = fit(study, model, ("source", "synthetic"), seed=seed, settings=settings)
            outcomes["augmented"] = _outcome(study, both, "holdout")
    for role in ("synthetic", "source"):
        if role in roles:
            outcomes["trivial"] = _trivial(study, role)
            break
    return Outcomes(outcomes, models, tuple(notes))


def _synthetic_model(
    study: Study, model: Any, fitted: Any, threshold: float | None, *, seed: int, settings: MeasureSettings, notes: list[str]
) -> Fitted | None:
    if fitted is not None and (threshold is not None or study.schema.task != "binary"):
        return Fitted(fitted, threshold)
    if "synthetic" in study.roles and model is not None:
        return fit(study, model, ("synthetic",), seed=seed, settings=settings, fitted=fitted)
    if fitted is not None:
        notes.append("no synthetic table to choose a threshold on: 0.5 is used")
        return Fitted(fitted, 0.5)
    notes.append("no synthetic table: TSTR is not measured")
    return None
