"""From tables and predictions to the evidence of kind "bias"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.bias.amplification import amplification, both
from synthml.bias.bounds import Table
from synthml.bias.chain import chain
from synthml.bias.directional import directional
from synthml.bias.ground import sides_of
from synthml.bias.outcomes import follow, outcomes
from synthml.bias.representation import lost_groups, representation
from synthml.estimate import Estimate
from synthml.evidence import Evidence
from synthml.metrics import Undefined, metrics_for
from synthml.subgroups.naming import columns_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from synthml.bias.ground import Sides
    from synthml.estimate.linear import Linearised
    from synthml.metrics import Metric, Outcome
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_bias"]

PROTOCOLS = ("tstr", "trtr")
_ODDS = ("sensitivity", "fpr")
# binned calibration error is biased upwards, the more so the smaller the group: its gaps would compare sizes
_NO_GAP = ("ece",)
_MOST_NAMED = 8


def measure_bias(
    study: Study,
    outcomes: Mapping[str, Outcome],
    *,
    seed: int,
    settings: MeasureSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """The chain, from source to synthetic table to model, for every group of every sensitive column and intersection.

    outcomes: "tstr" and "trtr" on the holdout's rows in their order, as far as there are any.

    Figures: bias.representation.synthetic|source/<group>; bias.outcome.source|synthetic|holdout|shift|amplification/<group>;
    bias.chain.source|synthesis|training|model|real_model/<group>; bias.amplification.<metric>/<column>;
    bias.directional.tstr|trtr/<column>. Tables: "bias_representation", "bias_outcomes", "bias_chain", "bias_amplification".
    """
    from threadpoolctl import threadpool_limits

    sides = sides_of(study)
    if not sides:
        why = "no sensitive column is given" if not study.schema.sensitive else "there is no real table"
        return Evidence("bias", notes=(f"bias: {why}, so no group is followed from source to model",))
    found = _Found()
    models = {name: _coded(outcomes[name]) for name in PROTOCOLS if name in outcomes and "holdout" in study.roles}
    with threadpool_limits(1, "blas"):
        for place, each in enumerate(sides):
            progress(f"bias along {columns_label(each.columns)}")
            rng = np.random.default_rng([seed, 41, place])
            _column(study, each, models, rng, settings.confidence, found)
    found.notes += _left_out(study, models)
    tables = {f"bias_{name}": tuple(rows) for name, rows in found.tables.items() if rows}
    return Evidence("bias", found.figures, tables, tuple(found.notes))


@dataclass
class _Found:
    """What is gathered, column by column."""

    figures: dict[str, Estimate] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in ("representation", "outcomes", "chain", "amplification")}
    )
    notes: list[str] = field(default_factory=list)


def _coded(outcome: Outcome) -> Outcome:
    """With subjects coded 0, 1, 2, ..., so that they can be counted without sorting."""
    if outcome.clusters is None:
        return outcome
    return replace(outcome, clusters=np.unique(outcome.clusters, return_inverse=True)[1].astype(np.int64))


def _column(
    study: Study, sides: Sides, models: Mapping[str, Outcome], rng: np.random.Generator, confidence: float, found: _Found
) -> None:
    tables = {role: Table(codes, len(sides.labels), study.subjects(role)) for role, codes in sides.codes.items()}
    stated = study.schema.reference_shares.get(sides.columns[0]) if len(sides.columns) == 1 else None
    figures, rows = found.figures, found.tables
    representation(sides, tables, stated, confidence, figures, rows["representation"])
    followed = follow(study, sides, tables, confidence)
    outcomes(study, sides, followed, confidence, figures, rows["outcomes"])
    if models:
        chain(study, sides, tables["holdout"], followed, models, confidence, figures, rows["chain"])
        if study.schema.task != "regression":
            directional(study, sides, tables, models, confidence, figures, rows["amplification"])
    if set(PROTOCOLS) <= models.keys():
        _amplifications(sides, models, rng, confidence, figures, rows["amplification"])
    found.notes += _told(study, sides)


def _amplifications(
    sides: Sides,
    models: Mapping[str, Outcome],
    rng: np.random.Generator,
    confidence: float,
    figures: dict[str, Estimate],
    rows: list[dict[str, Any]],
) -> None:
    """Figures bias.amplification.<metric>/<column> of every metric that has a gap, over the groups that the holdout may show."""
    places = [np.flatnonzero(sides.codes["holdout"] == group) for group in np.flatnonzero(sides.on_holdout)]
    pieces = {protocol: [model.take(place) for place in places] for protocol, model in models.items()}
    known = {metric.name: metric for metric in metrics_for(models["tstr"].task) if metric.name not in _NO_GAP}
    linear = {name: _linearised(metric, pieces) for name, metric in known.items()}
    asked = [(name, [metric]) for name, metric in known.items()]
    if set(_ODDS) <= known.keys():
        asked.append(("equalized_odds", [known[name] for name in _ODDS]))
    for name, metrics in asked:
        at = [g for g in range(len(places)) if all(linear[m.name][p][g] is not None for m in metrics for p in PROTOCOLS)]
        gaps: tuple[float | None, float | None] = (None, None)
        if len(at) < 2:
            figure = Estimate.insufficient("fewer than two groups can be shown and have this figure under both models")
        else:
            figures_of = [
                [one for protocol in PROTOCOLS for g in at if (one := linear[metric.name][protocol][g]) is not None]
                for metric in metrics
            ]
            together = both(metrics, [pieces["tstr"][g] for g in at], [pieces["trtr"][g] for g in at], figures_of)
            gaps = together.gaps()
            figure = amplification(together, confidence=confidence, rng=rng)
            figure = replace(figure, method=f"{figure.method}, over {len(at)} of {len(sides.labels)} groups")
        figures[f"bias.amplification.{name}/{sides.column_name}"] = figure
        rows.append(
            {
                "of": sides.column_name,
                "column": columns_label(sides.columns),
                "metric": name,
                "protocol": "tstr - trtr",
                "groups": len(at),
                "gap_tstr": gaps[0],
                "gap_trtr": gaps[1],
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "status": figure.status,
                "reason": figure.reason,
            }
        )


def _linearised(metric: Metric, pieces: Mapping[str, Sequence[Outcome]]) -> dict[str, list[Linearised | None]]:
    return {protocol: [_once(metric, piece) for piece in each] for protocol, each in pieces.items()}


def _once(metric: Metric, piece: Outcome) -> Linearised | None:
    try:
        return metric.linearise(piece)
    except Undefined:
        return None


def _told(study: Study, sides: Sides) -> list[str]:
    """What a reader of this column must know before its figures."""
    notes = []
    column = columns_label(sides.columns)
    lost, new = lost_groups(sides)
    for names, told in (
        (lost, "the synthetic table has no row of {} of the source: {}"),
        (new, "the synthetic table has rows of {} that the source has no row of: {}"),
    ):
        if names:
            groups = "1 group" if len(names) == 1 else f"{len(names)} groups"
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            notes.append(f"{column}: {told.format(groups, ', '.join(names[:_MOST_NAMED]) + more)}")
    hidden = int(sides.withheld.sum())
    if hidden:
        notes.append(f"{column}: {hidden} of {len(sides.labels)} groups are too small to follow, or would give a small one away")
    lacking = [role for role in ("synthetic", "reference") if role in study.roles and role not in sides.codes]
    notes += [f"{column}: the {role} table lacks the column, so nothing is compared with it there" for role in lacking]
    if "reference" in sides.codes and column in study.schema.reference_shares:
        notes.append(f"{column}: the stated shares are used, not those of the reference table")
    return notes


def _left_out(study: Study, models: Mapping[str, Outcome]) -> list[str]:
    """Parts of the chain that the tables do not allow."""
    notes = []
    here = set(study.roles)
    if "source" not in here:
        notes.append("bias: without the source, what synthesis changed cannot be told")
    if "synthetic" not in here:
        notes.append("bias: without the synthetic table the chain has no middle")
    if "holdout" not in here or not models:
        notes.append("bias: without a model measured on the holdout, what training added cannot be told")
    elif not set(PROTOCOLS) <= models.keys():
        notes.append("bias: without both models on the holdout, no amplification against training on real rows can be told")
    if "source" in here and "reference" not in here and not study.schema.reference_shares:
        notes.append("bias: no reference population is given, so how the source represents it cannot be told")
    if study.schema.task == "regression" and models:
        notes.append("bias: directional amplification is of decisions, which a regression has none of")
    return notes
