"""Where the model's difference between a group and everyone else comes from, in three steps that add up exactly.

    source     D_src                          what the real rows hold
    synthesis  D_syn - D_src                  what the generator added
    training   M - D_syn                      what training added: M is the difference in the model's mean score on the holdout
    model      M = source + synthesis + training

D_syn stands in two steps with opposite signs, so the steps' errors are not independent: each step, and the sum, has an interval
of its own from the samples that it rests on (source, synthetic table, holdout), and they are not to be added. The trained model
is taken as it is. `real_model` is M of the model that was trained on the source, on the same holdout rows.

Training gathers whatever lies between the synthetic table's outcomes and the model's scores on real rows: what the model could
not see or smoothed away, and what differs between the people of the two tables in the features that it reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.bias.bounds import Bounded, Table, less, mean_gaps
from synthml.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from synthml.bias.ground import Sides
    from synthml.bias.outcomes import Followed
    from synthml.metrics import Outcome
    from synthml.study import Study

__all__ = ["STEPS", "chain"]

STEPS = ("source", "synthesis", "training", "model", "real_model")
_NEEDS = {
    "source": ("source",),
    "synthesis": ("source", "synthetic"),
    "training": ("synthetic", "holdout"),
    "model": ("holdout",),
    "real_model": ("holdout",),
}


def chain(
    study: Study,
    sides: Sides,
    table: Table,
    followed: Sequence[Followed],
    models: Mapping[str, Outcome],
    confidence: float,
    figures: dict[str, Estimate],
    rows: list[dict[str, Any]],
) -> None:
    """Figures bias.chain.<step>/<group>, and rows of the table "bias_chain". table: the holdout's groups; models: by protocol.

    With several classes a group's chain is that of the class whose difference synthesis moved most.
    """
    steps = [_steps(study, one, table, models) for one in followed]
    wanted = [step for step in STEPS if any(step in each for each in steps)] if steps else []
    leading = [_leading(followed, steps, group) for group in range(len(sides.labels))]
    worst = _worst(sides, steps, leading, study)
    for group, of in enumerate(sides.names):
        at = leading[group]
        for step in wanted:
            figure = _figure(study, sides, followed, steps, at, group, step, confidence)
            figures[f"bias.chain.{step}/{of}"] = figure
            rows.append(
                {
                    **sides.facts(group),
                    "step": step,
                    "class": None if at is None else followed[at].kind.label,
                    "n": figure.n,
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                    "worst": group == worst,
                    "status": figure.status,
                    "reason": figure.reason,
                }
            )


def _steps(study: Study, one: Followed, table: Table, models: Mapping[str, Outcome]) -> dict[str, Bounded]:
    found: dict[str, Bounded] = {}
    measured = one.bounded
    if "source" in measured:
        found["source"] = measured["source"]
    if "shift" in measured:
        found["synthesis"] = measured["shift"]
    for protocol, step in (("tstr", "model"), ("trtr", "real_model")):
        if protocol in models:
            score = _score(study, models[protocol], one)
            found[step] = mean_gaps(table, score, one.confidence, share=False).gap.scaled(one.scale)
    if "model" in found and "synthetic" in measured:
        found["training"] = less(found["model"], measured["synthetic"])
    return found


def _score(study: Study, model: Outcome, one: Followed) -> NDArray[np.float64]:
    if one.kind.label is None:
        return np.asarray(model.score, dtype=np.float64)
    labels = [str(label) for label in study.classes]
    return np.asarray(model.score[:, labels.index(one.kind.label)], dtype=np.float64)


def _leading(followed: Sequence[Followed], steps: Sequence[Mapping[str, Bounded]], group: int) -> int | None:
    """The class whose chain is told: the one that synthesis moved most, else the one that differs most."""
    told = [place for place, one in enumerate(followed) if one.kind.told[group]]
    if not told:
        return None

    def size(place: int) -> float:
        for step in ("synthesis", "source", "model"):
            if step in steps[place] and not np.isnan(steps[place][step].value[group]):
                return abs(float(steps[place][step].value[group]))
        return 0.0

    return max(told, key=size)


def _worst(sides: Sides, steps: Sequence[Mapping[str, Bounded]], leading: Sequence[int | None], study: Study) -> int | None:
    """The group whose difference the chain moved furthest from the source's; None when no group has both ends."""
    moved: dict[int, float] = {}
    for group, at in enumerate(leading):
        if at is None or not {"source", "model"} <= steps[at].keys():
            continue
        if any(sides.lacking(role, group, study.schema.minimum_cell.rows) for role in ("source", "holdout")):
            continue
        change = float(steps[at]["model"].value[group] - steps[at]["source"].value[group])
        if not np.isnan(change):
            moved[group] = abs(change)
    return max(moved, key=lambda group: moved[group]) if moved else None


def _figure(
    study: Study,
    sides: Sides,
    followed: Sequence[Followed],
    steps: Sequence[Mapping[str, Bounded]],
    at: int | None,
    group: int,
    step: str,
    confidence: float,
) -> Estimate:
    for role in _NEEDS[step]:
        reason = sides.lacking(role, group, study.schema.minimum_cell.rows)
        if reason is not None:
            return Estimate.insufficient(reason)
    if at is None:
        return Estimate.insufficient("no class is common enough in this group and outside it")
    found = steps[at][step]
    if np.isnan(found.value[group]):
        return Estimate.insufficient("too few independent rows inside or outside the group for an interval")
    tables = [role for role in _NEEDS[step] if role in sides.rows]
    method = {"source": "difference of means", "synthesis": "difference of two differences (MOVER)"}.get(
        step, "difference of mean scores (Student's t)" if step != "training" else "mean scores less outcomes (MOVER)"
    )
    return Estimate(
        found.value[group],
        found.low[group],
        found.high[group],
        n=min(int(sides.rows[role][group]) for role in tables),
        method=method if followed[at].kind.label is None else f"{method}, simultaneous over classes (Bonferroni)",
        confidence=confidence,
    )
