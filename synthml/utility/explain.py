"""Do the synthetic-trained and the real-trained model explain and decide alike?

Permutation importance (Breiman 2001; Fisher, Rudin & Dominici 2019): how much the loss of a model grows on real holdout rows when
one feature is shuffled. The growth is a mean over rows, so each importance has an influence per row, and the agreement of two
models' importances (Spearman) gets its interval from their joint covariance, by subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import Linearised, covariance
from synthml.metrics import METRICS, estimate
from synthml.metrics.outcome import Outcome
from synthml.utility.protocols import predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from synthml.settings import MeasureSettings
    from synthml.study import Study
    from synthml.utility.protocols import Fitted, Progress

__all__ = ["compare_explanations"]

_DRAWS = 2000
_CLIP = 1e-6


def compare_explanations(
    study: Study,
    models: Mapping[str, Fitted],
    outcomes: Mapping[str, Outcome],
    *,
    seed: int,
    settings: MeasureSettings,
    progress: Progress = lambda _: None,
) -> tuple[dict[str, Estimate], list[dict[str, Any]]]:
    """Figures `explain.*_agreement/all` and the rows of the table "importances" (a feature, and its importance in each model)."""
    figures = {"explain.score_agreement/all": _score_agreement(outcomes["tstr"], outcomes["trtr"], settings.confidence)}
    if study.schema.task != "regression":
        figures["explain.decision_agreement/all"] = _decision_agreement(outcomes["tstr"], outcomes["trtr"], settings.confidence)
    rng = np.random.default_rng(seed)
    rows = _sampled_rows(study, settings.importance_rows, rng)
    X, y = study.features("holdout").iloc[rows].reset_index(drop=True), study.target("holdout")[rows]
    subjects = study.subjects("holdout")
    clusters = None if subjects is None else subjects[rows]
    growth = {}
    for name in ("tstr", "trtr"):
        progress(f"permutation importances of the {name.upper()} model")
        growth[name] = _loss_growth(models[name].predictor, X, y, study, rng, settings.importance_repeats)
    figures["explain.importance_agreement/all"] = _importance_agreement(growth, clusters, rng, settings.confidence)
    return figures, _importance_rows(list(X.columns), growth, clusters, settings.confidence)


def _sampled_rows(study: Study, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of about `limit` holdout rows: whole subjects when there are subjects."""
    n, subjects = study.tables["holdout"].rows, study.subjects("holdout")
    if n <= limit:
        return np.arange(n)
    if subjects is None:
        return np.sort(rng.choice(n, limit, replace=False))
    _, codes, sizes = np.unique(subjects, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    taken = order[: max(2, int(np.searchsorted(np.cumsum(sizes[order]), limit)))]
    return np.flatnonzero(np.isin(codes, taken))


def _row_losses(score: NDArray[np.float64], y: NDArray[np.generic], task: str) -> NDArray[np.float64]:
    """(n,) log loss of each row, or its squared error."""
    if task == "regression":
        return np.asarray((y.astype(np.float64) - score) ** 2)
    if task == "binary":
        truth = np.where(y == 1, score, 1 - score)
    else:
        truth = score[np.arange(len(y)), y.astype(np.int64)]
    return np.asarray(-np.log(np.clip(truth, _CLIP, 1)))


def _loss_growth(
    predictor: Any, X: pd.DataFrame, y: NDArray[np.generic], study: Study, rng: np.random.Generator, repeats: int
) -> NDArray[np.float64]:
    """(features, n) growth of each row's loss when a feature is shuffled, averaged over the repeats."""
    task, classes = str(study.schema.task), len(study.classes)
    base = _row_losses(predict(predictor, X, task, classes), y, task)
    orders = [rng.permutation(len(y)) for _ in range(repeats)]
    grown = np.zeros((X.shape[1], len(y)))
    for j, name in enumerate(X.columns):
        column, shuffled = X[name], X.copy(deep=False)
        for order in orders:
            shuffled[name] = column.to_numpy()[order]
            grown[j] += _row_losses(predict(predictor, shuffled, task, classes), y, task) - base
    return grown / repeats


def _importance_agreement(
    growth: Mapping[str, NDArray[np.float64]], clusters: NDArray[np.int64] | None, rng: np.random.Generator, confidence: float
) -> Estimate:
    from scipy.stats import rankdata

    features, n = growth["tstr"].shape
    method = (
        "Spearman correlation of permutation importances (log loss or squared error); interval by draws from the joint covariance"
    )
    if features < 3:
        return Estimate.insufficient("fewer than three features have no order to compare", n=n, method=method)
    means = np.concatenate([growth["tstr"].mean(axis=1), growth["trtr"].mean(axis=1)])
    if np.ptp(means[:features]) == 0 or np.ptp(means[features:]) == 0:
        return Estimate.insufficient("a model uses no feature at all", n=n, method=method)
    influences = (np.concatenate([growth["tstr"], growth["trtr"]]) - means[:, None]) / n
    spread = covariance(influences, clusters)
    if not np.isfinite(spread).all():
        return Estimate.insufficient("a single subject gives no interval", n=n, method=method)
    draws = rng.multivariate_normal(means, spread, size=_DRAWS, method="eigh", check_valid="ignore")
    ranks = rankdata(np.vstack([means, draws]).reshape(-1, 2, features), axis=2)
    centred = ranks - ranks.mean(axis=2, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=2).prod(axis=1))
    rho = (centred[:, 0] * centred[:, 1]).sum(axis=1) / np.where(scale > 0, scale, np.nan)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(rho[1:], [tail, 1 - tail])
    return Estimate(rho[0], min(low, rho[0]), max(high, rho[0]), n=n, method=method, confidence=confidence)


def _importance_rows(
    names: list[str], growth: Mapping[str, NDArray[np.float64]], clusters: NDArray[np.int64] | None, confidence: float
) -> list[dict[str, Any]]:
    from scipy.stats import norm

    z = norm.ppf((1 + confidence) / 2)
    rows: list[dict[str, Any]] = [{"feature": str(name)} for name in names]
    for protocol, grown in growth.items():
        means = grown.mean(axis=1)
        for j, row in enumerate(rows):
            error = np.sqrt(covariance((grown[j : j + 1] - means[j]) / grown.shape[1], clusters)[0, 0])
            width = float(z * error) if np.isfinite(error) else 0.0
            mean = float(means[j])
            row.update({protocol: mean, f"{protocol}_low": mean - width, f"{protocol}_high": mean + width})
    return sorted(rows, key=lambda row: -row["tstr"])


def _decision_agreement(synthetic: Outcome, real: Outcome, confidence: float) -> Estimate:
    """Share of rows on which both models decide the same: the accuracy of one against the decisions of the other."""
    against = Outcome(synthetic.task, real.decision, synthetic.score, synthetic.threshold, synthetic.clusters)
    return estimate(METRICS["accuracy"], against, confidence=confidence)


def _score_agreement(synthetic: Outcome, real: Outcome, confidence: float) -> Estimate:
    """Pearson correlation of the two models' scores; interval on Fisher's z scale, by subject."""
    from scipy.stats import norm

    method = "Pearson correlation of scores; Fisher's z, linearised"
    a, b = (np.asarray(part.score, dtype=np.float64).reshape(synthetic.n, -1).ravel(order="F") for part in (synthetic, real))
    if a.std() == 0 or b.std() == 0:
        return Estimate.insufficient("a model gives every row the same score", n=synthetic.n, method=method)
    x, y = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float(np.mean(x * y))
    columns = len(a) // synthetic.n
    influence = ((x * y - r * (x**2 + y**2) / 2) / len(a)).reshape(columns, -1).sum(axis=0)
    part = Linearised(r, influence)
    error = float(np.sqrt(covariance(part.influence[None, :], synthetic.clusters)[0, 0]))
    if abs(r) >= 1 - 1e-12 or not np.isfinite(error):
        return Estimate(r, n=synthetic.n, method=method, confidence=confidence)
    z, half = np.arctanh(r), norm.ppf((1 + confidence) / 2) * error / (1 - r**2)
    return Estimate(r, np.tanh(z - half), np.tanh(z + half), n=synthetic.n, method=method, confidence=confidence)
