"""Are the synthetic labels plausible, in every group?

A model that was trained on real rows gives each row the chance that a label drawn from it is not the one that stands there: its
disagreement. Real rows that the model did not see have some too, for outcomes are not certain. What the synthetic rows of a group
have beyond the real rows of the same group is the excess: above zero labels are less plausible than real ones, below zero they
follow the features more closely than in reality. In a regression a number disagrees when its residual lies beyond the range that
holds 90% of the real ones.

The real rows are the holdout's, scored by a model of the source; without a holdout the source is scored out of fold, and each
synthetic row by the model of one of the folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.quality.ground import Finding
from synthml.quality.learner import halves, learn, units_of
from synthml.quality.shares import Mean, mean_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.cells import Cells, Group
    from synthml.quality.ground import Ground
    from synthml.quality.learner import Learned

__all__ = ["disagreement", "finding"]

_MOST = 20_000
_SCORED = 50_000
_FOLDS = 3
_WITHIN = 0.9
_RATE = "disagreement with a model of real rows"
_EXCESS = "disagreement minus that of real rows (Welch)"
_NAME = "quality.label_disagreement"


def disagreement(score: NDArray[np.float64], y: NDArray[Any], reach: float | None) -> NDArray[np.float64]:
    """(n,) chance that a label drawn from the model is another one; regression: 1 beyond `reach` of the prediction, else 0."""
    if reach is not None:
        return (np.abs(y - score) > reach).astype(np.float64)
    return np.asarray(1 - score[np.arange(len(y)), y])


@dataclass(frozen=True, eq=False)
class _Scored:
    """Disagreement of some rows of a table. rows: their positions, rising; values, subjects: of these rows."""

    role: str
    rows: NDArray[np.intp]
    values: NDArray[np.float64]
    subjects: NDArray[np.int64] | None

    def mean(self, members: NDArray[np.intp] | None = None) -> Mean | None:
        """Over all rows, or over those among the positions; None below two rows."""
        if members is None:
            return mean_of(self.values, self.subjects)
        here = np.flatnonzero(np.isin(self.rows, members, assume_unique=True))
        if len(here) < 2:
            return None
        return mean_of(self.values[here], None if self.subjects is None else self.subjects[here])


def finding(ground: Ground) -> Finding:
    """`quality.label_disagreement.synthetic`, `.holdout` (or `.source`) and `.excess`, and the table "quality_plausibility"."""
    if not {"source", "synthetic"} <= set(ground.roles):
        return Finding(notes=("label plausibility needs source and synthetic table",) if "synthetic" in ground.roles else ())
    scored = _on_holdout(ground) if "holdout" in ground.roles else _out_of_fold(ground)
    if scored is None:
        return Finding({f"{_NAME}.excess/all": Estimate.insufficient("no model could be trained on the source")})
    made, real = scored
    figures: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    _tell(ground, made, real, None, figures, rows)
    for cells in ground.cells[real.role]:
        others = {g.of: g for c in ground.cells["synthetic"] if c.columns == cells.columns for g in c.groups}
        for group in cells.groups:
            _tell(ground, made, real, (cells, group, others.get(group.of)), figures, rows)
    return Finding(figures, {"quality_plausibility": tuple(rows)})


def _tell(
    ground: Ground,
    made: _Scored,
    real: _Scored,
    about: tuple[Cells, Group, Group | None] | None,
    figures: dict[str, Estimate],
    table: list[dict[str, Any]],
) -> None:
    of, facts, reason = "all", {"of": "all", "column": "", "group": ""}, None
    there, here = made.mean(), real.mean()
    if about is not None:
        cells, group, synthetic = about
        of, facts = group.of, {"of": group.of, "column": cells.column, "group": group.label}
        reason = group.reason or _too_few(ground, synthetic)
        here = None if reason or synthetic is None else real.mean(group.rows)
        there = None if reason or synthetic is None else made.mean(synthetic.rows)
    level = ground.confidence
    if here is None or there is None:
        excess = Estimate.insufficient(reason or "too few rows of this group were scored", method=_EXCESS)
        figures[f"{_NAME}.excess/{of}"] = excess
        table.append({**facts, "reason": excess.reason})
        return
    by = ", by subject" if ground.study.schema.subject else ""
    parts = {"synthetic": there.estimate(level, _RATE + by), real.role: here.estimate(level, _RATE + by)}
    excess = there.minus(here, level, _EXCESS + by)
    figures |= {f"{_NAME}.{role}/{of}": figure for role, figure in parts.items()}
    figures[f"{_NAME}.excess/{of}"] = excess
    table.append(
        {
            **facts,
            "n_synthetic": there.rows,
            "n_real": here.rows,
            "real": real.role,
            "disagreement_synthetic": there.value,
            "disagreement_real": here.value,
            "excess": excess.value,
            "low": excess.low,
            "high": excess.high,
            "reason": excess.reason,
        }
    )


def _too_few(ground: Ground, group: Group | None) -> str | None:
    if group is None or not len(group.rows):
        return "no synthetic row is in this group"
    return group.reason and f"in the synthetic table: {group.reason}"


def _sampled(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(count) if count <= _SCORED else np.sort(rng.choice(count, _SCORED, replace=False))


def _scored(ground: Ground, role: str, rows: NDArray[np.intp], score: NDArray[np.float64], reach: float | None) -> _Scored:
    study = ground.study
    subjects = study.subjects(role)
    values = disagreement(score, study.target(role)[rows], reach)
    return _Scored(role, rows, values, None if subjects is None else subjects[rows])


def _model(ground: Ground, rows: NDArray[np.intp], rng: np.random.Generator) -> Learned | None:
    X, y = ground.source, ground.study.target("source")
    columns = ground.columns()
    return learn(X, y, rows, coding=ground.coding, columns=columns, classes=ground.classes, most=_MOST, rng=rng)


def _features(ground: Ground, role: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    return ground.coding.apply(ground.study.features(role).iloc[rows])


def _on_holdout(ground: Ground) -> tuple[_Scored, _Scored] | None:
    rng = ground.rng("plausibility")
    study, y = ground.study, ground.study.target("source")
    units = units_of(len(y), study.subjects("source"))
    # in a regression a third of the source says how far real numbers lie from what the model expects
    part = halves(units, rng, _FOLDS) if not ground.classes else np.ones(len(y), dtype=np.int64)
    model = _model(ground, np.flatnonzero(part != 0), rng)
    if model is None:
        return None
    reach = None
    if not ground.classes:
        apart = np.flatnonzero(part == 0)
        reach = float(np.quantile(np.abs(y[apart] - model.predict(ground.source[apart])), _WITHIN))
    found = []
    for role in ("synthetic", "holdout"):
        rows = _sampled(study.tables[role].rows, rng)
        found.append(_scored(ground, role, rows, model.predict(_features(ground, role, rows)), reach))
    return found[0], found[1]


def _out_of_fold(ground: Ground) -> tuple[_Scored, _Scored] | None:
    rng = ground.rng("plausibility")
    study, y = ground.study, ground.study.target("source")
    part = halves(units_of(len(y), study.subjects("source")), rng, _FOLDS)
    made_rows, real_rows = _sampled(study.tables["synthetic"].rows, rng), _sampled(len(y), rng)
    made_part = halves(np.arange(len(made_rows)), rng, _FOLDS)
    shape: tuple[int, ...] = (ground.classes,) if ground.classes else ()
    made_score, real_score = np.empty((len(made_rows), *shape)), np.empty((len(real_rows), *shape))
    made_X = _features(ground, "synthetic", made_rows)
    for fold in range(_FOLDS):
        model = _model(ground, np.flatnonzero(part != fold), rng)
        if model is None:
            return None
        mine = part[real_rows] == fold
        real_score[mine] = model.predict(ground.source[real_rows[mine]])
        made_score[made_part == fold] = model.predict(made_X[made_part == fold])
    reach = None if ground.classes else float(np.quantile(np.abs(y[real_rows] - real_score), _WITHIN))
    return _scored(ground, "synthetic", made_rows, made_score, reach), _scored(ground, "source", real_rows, real_score, reach)
