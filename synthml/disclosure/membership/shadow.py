"""Shadow models: the generator trained again and again, with and without the people who stand out most.

Each shadow is trained on a random half of all real patients, so that every target is in about half of them. For each shadow and
target the likelihood ratio of the target's score is taken from the other shadows, normal with and without the target (Carlini et
al. 2022, arXiv 2112.03570); targets are the patients farthest from their nearest others (Meeus et al. 2023, arXiv 2306.10308).
Costs one training and one table a shadow.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthml.disclosure.membership.rates import auroc, epsilon_bound, tpr_at_fpr
from synthml.disclosure.membership.scores import highest
from synthml.estimate import Estimate
from synthml.neighbours import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.disclosure.ground import Ground

__all__ = ["shadow_figures"]

_TARGETS = 100
_LEAST = 8
_SUBJECT = "(subject)"


def shadow_figures(ground: Ground) -> dict[str, Estimate]:
    """AUROC, TPR at 10% FPR and epsilon's lower bound over shadows and targets; empty when none were asked for."""
    models = ground.settings.shadow_models
    if not models or ground.synthesizer is None or ground.holdout is None:
        return {}
    if models < _LEAST:
        reason = f"{models} shadow models are too few to tell in from out: ask for {_LEAST} or more"
        return {
            f"disclosure.membership.{name}/all": Estimate.insufficient(reason)
            for name in ("shadow_auroc", "shadow_tpr_at_fpr_10")
        }
    inside, score = _trained(ground, models)
    ratio = _ratios(inside, score)
    members, others = ratio[inside & np.isfinite(ratio)], ratio[~inside & np.isfinite(ratio)]
    method = f"{models} shadow models, {score.shape[1]} most exposed {ground.unit}, likelihood ratio"
    rng = ground.rng("shadow", "rates")
    rate = tpr_at_fpr(members, others, 0.1, confidence=ground.confidence, replicates=ground.replicates, rng=rng)
    area = auroc(members, others, ground.confidence)
    half = np.arange(ratio.size).reshape(ratio.shape) % 2 == 0
    first = [ratio[half & part & np.isfinite(ratio)] for part in (inside, ~inside)]
    second = [ratio[~half & part & np.isfinite(ratio)] for part in (inside, ~inside)]
    candidates = np.unique(np.quantile(np.concatenate(first), np.linspace(0, 0.999, 200)))
    best = max(candidates, key=lambda t: epsilon_bound(first[0], first[1], t, delta=0.0, confidence=ground.confidence))
    bound = epsilon_bound(second[0], second[1], best, delta=0.0, confidence=ground.confidence)
    return {
        "disclosure.membership.shadow_auroc/all": Estimate(area.value, area.low, area.high, len(members), method),
        "disclosure.membership.shadow_tpr_at_fpr_10/all": Estimate(rate.value, rate.low, rate.high, len(members), method),
        "disclosure.membership.shadow_epsilon_bound/all": Estimate(bound, n=len(members), method=f"lower bound; {method}"),
    }


def _trained(ground: Ground, models: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """(models, targets) whether a target was in a shadow's source, and its score in the shadow's table."""
    assert ground.holdout is not None
    assert ground.synthesizer is not None
    frame = pd.concat([ground.source.frame, ground.holdout.frame], ignore_index=True)
    units = np.concatenate([ground.source.units, ground.holdout.units + ground.source.count])
    people = int(units.max()) + 1
    encoded = ground.scale.encode(frame)
    lonely = highest(nearest(encoded, encoded, k=min(5, len(frame) - 1), exclude_self=True).distance.mean(axis=1), units)
    targets = np.argsort(-lonely, kind="stable")[:_TARGETS]
    rows = np.flatnonzero(np.isin(units, targets))
    place = np.full(people, -1)
    place[targets] = np.arange(len(targets))
    rng = ground.rng("shadow")
    subject = None if ground.schema.subject is None else _SUBJECT
    inside = np.zeros((models, len(targets)), dtype=bool)
    score = np.zeros((models, len(targets)))
    for model in range(models):
        ground.progress(f"shadow model {model + 1} of {models}")
        chosen = np.zeros(people, dtype=bool)
        chosen[rng.permutation(people)[: people // 2]] = True
        table = frame[chosen[units]].reset_index(drop=True)
        if subject is not None:
            table[subject] = units[chosen[units]]
        generator = copy.deepcopy(ground.synthesizer).fit(table, subject=subject)
        made = generator.sample(seed=int(rng.integers(2**31)))
        distance = nearest(encoded.rows(rows), ground.scale.encode(made[list(ground.columns)]), k=5).distance
        near = highest(-np.log(distance.mean(axis=1) + 1e-4), place[units[rows]])
        inside[model], score[model] = chosen[targets], near
    return inside, score


def _ratios(inside: NDArray[np.bool_], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """(models, targets) log likelihood ratio of in over out, from the other models; NaN where they do not tell."""
    found = np.full(score.shape, np.nan)
    for model in range(len(score)):
        others = np.arange(len(score)) != model
        known = inside[others]
        mean = [_mean(score[others], part) for part in (known, ~known)]
        spread = np.sqrt(np.nanmean((score[others] - np.where(known, mean[0], mean[1])) ** 2, axis=0)) + 1e-6
        far = [(score[model] - centre) / spread for centre in mean]
        found[model] = (far[1] ** 2 - far[0] ** 2) / 2
    return found


def _mean(score: NDArray[np.float64], part: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = part.sum(axis=0)
    return np.asarray(np.divide((score * part).sum(axis=0), count, out=np.full(score.shape[1], np.nan), where=count > 0))
