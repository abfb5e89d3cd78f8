"""Directional bias amplification, from the group to the prediction (Wang & Russakovsky 2021, arXiv 2102.12594).

    mean over groups a and classes t of  s_at * (P(t predicted | a) - P(t | a))

with s_at = 1 where class t is more common in group a than overall in the table that the model learned from, else -1. Above 0: the
model calls the class more often than it occurs where it was common already, and less often where it was rare: it sharpened what
it learned. Below 0 it blunted it. Both shares are of the holdout's rows and decisions; the direction is taken as the training
table has it (the synthetic table for TSTR, the source for TRTR). A binary outcome has one class, the event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import quantile
from synthml.metrics.intervals import units_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthml.bias.bounds import Table
    from synthml.bias.ground import Sides
    from synthml.metrics import Outcome
    from synthml.study import Study

__all__ = ["directional"]

_LEARNED_FROM = {"tstr": "synthetic", "trtr": "source"}


@dataclass(frozen=True, eq=False)
class _Moved:
    """change (groups, classes): predicted share less true share on the holdout; sign: the direction, 0 where it is unknown."""

    change: NDArray[np.float64]
    sign: NDArray[np.float64]


def directional(
    study: Study,
    sides: Sides,
    tables: Mapping[str, Table],
    models: Mapping[str, Outcome],
    confidence: float,
    figures: dict[str, Estimate],
    rows: list[dict[str, Any]],
) -> None:
    """Figures bias.directional.<protocol>/<column>, and rows of the table "bias_amplification". Not for a regression."""
    shown = np.flatnonzero(~sides.withheld & sides.on_holdout)
    for protocol, model in models.items():
        role = _LEARNED_FROM[protocol]
        learned = (tables[role], study.target(role)) if role in tables else (tables["holdout"], model.truth)
        figure = _figure(sides, tables["holdout"], model, learned, shown, confidence)
        figures[f"bias.directional.{protocol}/{sides.column_name}"] = figure
        rows.append(
            {
                "of": sides.column_name,
                "column": ", ".join(sides.columns),
                "metric": "directional",
                "protocol": protocol,
                "groups": len(shown),
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "status": figure.status,
                "reason": figure.reason,
            }
        )


def _figure(
    sides: Sides,
    holdout: Table,
    model: Outcome,
    learned: tuple[Table, NDArray[Any]],
    shown: NDArray[np.intp],
    confidence: float,
) -> Estimate:
    classes = np.arange(1, 2) if model.task == "binary" else np.arange(model.score.shape[1])
    moved = _moved(holdout, model, learned, classes)
    used = [int(g) for g in shown if (moved.sign[g] != 0).all()]
    if len(used) < 2:
        return Estimate.insufficient("fewer than two groups can be shown and stand in the table that the model learned from")
    size = len(used) * classes.size
    weight = np.zeros(moved.sign.shape)
    weight[used] = moved.sign[used] / size
    value = float((weight * moved.change).sum())
    influence = np.zeros(model.n)
    for at, one in enumerate(classes):
        residual = (model.decision == one).astype(np.float64) - (model.truth == one)
        n = np.maximum(holdout.n, 1)
        influence += (weight[:, at] / n)[holdout.codes] * (residual - moved.change[holdout.codes, at])
    seen = spread(influence, model.clusters)
    people = holdout.units[0][used].astype(np.float64)
    # one discordant row more each way in every group, so that a model that is right on every row still has an interval
    discordant = float((2 / (people + 2) ** 2).sum()) / len(used) ** 2
    within = np.isin(holdout.codes, used)
    half = quantile(confidence, max(units_of(model, within) - 1, 1)) * float(np.sqrt(seen.variance + discordant))
    method = f"linearised, discordant rows added, direction as learned, over {len(used)} of {len(sides.labels)} groups"
    return Estimate(value, value - half, value + half, n=int(within.sum()), method=method, confidence=confidence)


def _moved(holdout: Table, model: Outcome, learned: tuple[Table, NDArray[Any]], classes: NDArray[np.int64]) -> _Moved:
    changes, signs = [], []
    table, truth = learned
    for one in classes:
        residual = (model.decision == one).astype(np.float64) - (model.truth == one)
        changes.append(holdout.sums(residual) / np.maximum(holdout.n, 1))
        event = (truth == one).astype(np.float64)
        rate = table.sums(event) / np.maximum(table.n, 1)
        signs.append(np.where(table.n == 0, 0.0, np.where(rate > event.mean(), 1.0, -1.0)))
    return _Moved(np.stack(changes, axis=1), np.stack(signs, axis=1))
