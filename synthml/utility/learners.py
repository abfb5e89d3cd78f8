"""Do learners keep their order when they are trained on the synthetic table?

Four reference learners besides the wrapped one, each trained on the synthetic and on the real rows and measured on the same real
holdout rows. The agreement of the two orders is Kendall's tau-b, with an interval from the joint covariance of all the measured
figures (paired rows, by subject).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import covariance
from synthml.metrics import METRICS, Undefined, estimate
from synthml.metrics.outcome import Outcome
from synthml.utility.preparation import design_encoder
from synthml.utility.protocols import predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.estimate.linear import Linearised
    from synthml.settings import MeasureSettings
    from synthml.study import Study
    from synthml.utility.protocols import Progress

__all__ = ["HEADLINE", "compare_learners"]

HEADLINE = {"binary": "auroc", "multiclass": "macro_auroc", "regression": "rmse"}
_FOREST_ROWS = 10_000
_DRAWS = 2000


def reference_learners(task: str, seed: int, rows: int) -> dict[str, Any]:
    """Four learners of different families; the forest draws at most 10,000 rows a tree so that its cost stays bounded."""
    from sklearn import ensemble, linear_model, naive_bayes, tree

    forest = {
        "n_estimators": 50,
        "min_samples_leaf": 10,
        "max_samples": min(1.0, _FOREST_ROWS / rows),
        "n_jobs": 2,
        "random_state": seed,
    }
    if task == "regression":
        return {
            "linear": linear_model.Ridge(alpha=1.0),
            "tree": tree.DecisionTreeRegressor(min_samples_leaf=50, random_state=seed),
            "forest": ensemble.RandomForestRegressor(max_features=1 / 3, **forest),
            "boosting": ensemble.HistGradientBoostingRegressor(max_iter=50, learning_rate=0.2, random_state=seed),
        }
    return {
        "logistic": linear_model.LogisticRegression(max_iter=300),
        "bayes": naive_bayes.GaussianNB(var_smoothing=1e-3),
        "forest": ensemble.RandomForestClassifier(**forest),
        "boosting": ensemble.HistGradientBoostingClassifier(max_iter=50, learning_rate=0.2, random_state=seed),
    }


def compare_learners(
    study: Study,
    wrapped: Mapping[str, Outcome],
    *,
    seed: int,
    settings: MeasureSettings,
    progress: Progress = lambda _: None,
) -> tuple[dict[str, Estimate], list[dict[str, Any]]]:
    """Figures `learners.<metric>.<protocol>/<learner>` and `learners.rank_agreement/all`, and the rows of the table "learners".

    wrapped: the wrapped model's outcomes under "tstr" and "trtr" on the holdout.
    """
    task = str(study.schema.task)
    outcomes: dict[str, dict[str, Outcome]] = {"wrapped": {"tstr": wrapped["tstr"], "trtr": wrapped["trtr"]}}
    for protocol, role in (("tstr", "synthetic"), ("trtr", "source")):
        for name, outcome in _train_all(study, role, seed=seed, settings=settings, progress=progress).items():
            outcomes.setdefault(name, {})[protocol] = outcome
    metric = METRICS[HEADLINE[task]]
    figures: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    for name, both in outcomes.items():
        for protocol in ("tstr", "trtr"):
            figure = estimate(metric, both[protocol], confidence=settings.confidence)
            figures[f"learners.{metric.name}.{protocol}/{name}"] = figure
            rows.append(
                {
                    "learner": name,
                    "protocol": protocol,
                    "metric": metric.name,
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                }
            )
    figures["learners.rank_agreement/all"] = _rank_agreement(metric, outcomes, seed=seed, confidence=settings.confidence)
    return figures, rows


def _train_all(study: Study, role: str, *, seed: int, settings: MeasureSettings, progress: Progress) -> dict[str, Outcome]:
    from threadpoolctl import threadpool_limits

    task, y = str(study.schema.task), study.target(role)
    X, H = study.features(role), study.features("holdout")
    encoder = design_encoder(X, rare_below=settings.rare_below, impute=True, scale=True)
    train = np.asarray(encoder.fit_transform(X), dtype=np.float32)
    test = np.asarray(encoder.transform(H), dtype=np.float32)
    found: dict[str, Outcome] = {}
    for name, learner in reference_learners(task, seed, len(y)).items():
        progress(f"learner {name} on the {role} rows")
        with threadpool_limits(1):  # OpenMP threads that wait for a busy core spin, and cost a hundred times what they save
            learner.fit(train, y)
        score = predict(learner, test, task, len(study.classes))
        found[name] = Outcome(task, study.target("holdout"), score, None, study.subjects("holdout"))  # type: ignore[arg-type]
    return found


def _rank_agreement(metric: Any, outcomes: Mapping[str, Mapping[str, Outcome]], *, seed: int, confidence: float) -> Estimate:
    from scipy.stats import kendalltau

    names = list(outcomes)
    n = outcomes[names[0]]["tstr"].n
    method = f"Kendall's tau-b of {len(names)} learners by {metric.name}; interval by draws from the joint covariance"
    try:
        measured: list[Linearised] = [
            metric.linearise(outcomes[name][protocol]) for protocol in ("tstr", "trtr") for name in names
        ]
    except Undefined as error:
        return Estimate.insufficient(str(error), n=n, method=method)
    values = np.array([part.value for part in measured])
    spread = covariance(np.stack([part.influence for part in measured]), outcomes[names[0]]["tstr"].clusters)
    if not np.isfinite(spread).all():
        return Estimate.insufficient("a single subject gives no interval", n=n, method=method)
    draws = np.random.default_rng(seed).multivariate_normal(values, spread, size=_DRAWS, method="eigh", check_valid="ignore")
    k = len(names)
    tau = kendalltau(values[:k], values[k:]).statistic
    if not np.isfinite(tau):
        return Estimate.insufficient("the learners cannot be told apart at all", n=n, method=method)
    taus = tau_b(draws[:, :k], draws[:, k:])
    tail = (1 - confidence) / 2
    low, high = np.quantile(taus, [tail, 1 - tail])
    return Estimate(tau, min(low, tau), max(high, tau), n=n, method=method, confidence=confidence)


def tau_b(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws,) Kendall's tau of each row of a (draws, k) against the same row of b; continuous draws have no ties."""
    i, j = np.triu_indices(a.shape[1], 1)
    return np.asarray((np.sign(a[:, i] - a[:, j]) * np.sign(b[:, i] - b[:, j])).mean(axis=1))
