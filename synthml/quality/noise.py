"""Wrong labels in the source, group by group.

Classification: `flips`. The group's labels are held against models that were trained on everybody else; groups of a column are
dealt into at most `_FOLDS` parts, so that a group's model saw neither its labels nor those of its part.

Over all rows, the errors of the worst group are the least that one table shows, and what the surest rows allow is the most: the
figure `/all` is the first, its interval reaches to the second.

Regression: residuals of a cross-fitted model, centred and scaled in every group by its own median and median deviation, beyond
the 99% quantile of everybody else's: a group whose numbers are as scattered as others' has one in a hundred, whatever the tails.
Only numbers that are wrong by much are seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.proportions import quantile, wilson
from synthml.quality.flips import ceiling, confident_class, flips_of
from synthml.quality.ground import Finding
from synthml.quality.learner import halves, learn, units_of
from synthml.quality.shares import Share, difference, share_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.cells import Cells, Group
    from synthml.quality.flips import Flips
    from synthml.quality.ground import Ground

__all__ = ["finding"]

_FOLDS = 3
_MOST = 8_000
_MOST_OVERALL = 12_000
_CALIBRATED = 10_000
_SCORED = 30_000  # rows of the source, drawn by subject
_WHOLE = 5_000  # groups of fewer rows are looked at whole
_OUTLYING = 0.01
_FAR = 3.0
_NEAR_EDGE = 0.2
_OF_SCALE = 1.36  # variance of the logarithm of a median absolute deviation, times the rows (normal)
_SURPRISE = 0.02
_FLIPS = "contaminated logistic regression on a model of everybody else; up to what the surest rows of each class allow"
_RESIDUALS = "residuals beyond 99% of everybody else's, centred and scaled in each group"
_ALL = "from what the worst group shows to what the surest rows allow; one table tells no more"
_NOTHING = "no feature is left to hold labels against"


@dataclass(frozen=True, eq=False)
class _Result:
    """One group: the figure, a row of the table, its rows whose label is suspected, and the most that its labels allow."""

    figure: Estimate
    row: dict[str, Any]
    suspects: NDArray[np.intp]
    at_most: float | None = None


def finding(ground: Ground) -> Finding:
    """`quality.label_noise.source/<group>` and `/all`, the table "quality_labels", and rows to look at."""
    if "source" not in ground.roles:
        return Finding()
    bench = _Bench.of(ground)
    if bench is None:
        return Finding({"quality.label_noise.source/all": Estimate.insufficient(_NOTHING)})
    figures: dict[str, Estimate] = {}
    rows: list[dict[str, Any]] = []
    suspects = [bench.pooled_suspects()]
    results: list[tuple[Cells, dict[int, _Result]]] = []
    for at, cells in enumerate(ground.cells["source"]):
        drawn = bench.drawn(cells)
        found = bench.regression(drawn) if not ground.classes else bench.classification(drawn, at)
        results.append((cells, found))
        for i, group in enumerate(cells.groups):
            facts = {"of": group.of, "column": cells.column, "group": group.label}
            if i in found:
                figures[f"quality.label_noise.source/{group.of}"] = found[i].figure
                rows.append({**facts, **found[i].row})
                suspects.append(found[i].suspects)
            elif group.reason is not None:
                figures[f"quality.label_noise.source/{group.of}"] = Estimate.insufficient(group.reason, method=bench.method)
                rows.append({**facts, "reason": group.reason})
    figures["quality.label_noise.source/all"] = bench.everyone(results)
    positions = bench.rows[np.unique(np.concatenate(suspects))]
    return Finding(
        figures,
        {"quality_labels": tuple(rows)} if rows else {},
        suspects={("source", "label_noise"): positions} if len(positions) else {},
    )


@dataclass(frozen=True, eq=False)
class _Bench:
    """Rows of the source with cross-fitted predictions. rows (n,): their positions, rising; pooled: (n, classes) or (n,)."""

    ground: Ground
    rows: NDArray[np.intp]
    X: NDArray[np.float32]
    y: NDArray[Any]
    units: NDArray[np.int64]
    pooled: NDArray[np.float64]

    @classmethod
    def of(cls, ground: Ground) -> _Bench | None:
        y, X = ground.study.target("source"), ground.source
        units = units_of(len(y), ground.study.subjects("source"))
        rng = ground.rng("noise")
        rows = _drawn(ground, units, rng)
        y, X, units = y[rows], X[rows], units_of(len(rows), units[rows])
        part = halves(units, rng)
        pooled = np.empty((len(y), ground.classes) if ground.classes else len(y))
        columns = ground.columns()
        for half in (0, 1):
            model = _learned(ground, X, y, np.flatnonzero(part != half), columns, _MOST_OVERALL, rng)
            if model is None:
                return None
            pooled[part == half] = model.predict(X[part == half])
        return cls(ground, rows, X, y, units, pooled)

    @property
    def method(self) -> str:
        by = ", by subject" if self.ground.study.schema.subject else ""
        return (_FLIPS if self.ground.classes else _RESIDUALS) + by

    def drawn(self, cells: Cells) -> Cells:
        """The same groups among the rows that were drawn."""
        codes = cells.codes[self.rows]
        groups = tuple(replace(group, rows=np.flatnonzero(codes == i)) for i, group in enumerate(cells.groups))
        return replace(cells, groups=groups, codes=codes)

    def pooled_suspects(self) -> NDArray[np.intp]:
        """Rows whose label or number is hardly to be believed, whatever their group."""
        if not self.ground.classes:
            return np.flatnonzero(np.abs(_standard(self.y - self.pooled)) > 2 * _FAR)
        thresholds = np.array(
            [self.pooled[self.y == k, k].mean() if (self.y == k).any() else 1.0 for k in range(self.ground.classes)]
        )
        sure = confident_class(self.pooled, thresholds)
        given = self.pooled[np.arange(len(self.y)), self.y]
        return np.flatnonzero((sure >= 0) & (sure != self.y) & (given < _SURPRISE))

    def classification(self, cells: Cells, at: int) -> dict[int, _Result]:
        """What every group of a column that may be shown shows against the others."""
        shown = [i for i, group in enumerate(cells.groups) if group.reason is None]
        columns = self.ground.columns(*cells.columns)
        rng = self.ground.rng("noise", at)
        out: dict[int, _Result] = {}
        for fold in _dealt(cells, shown):
            away = np.isin(cells.codes, fold)
            scored = self._from_others(away, columns, rng)
            for i in fold:
                if i in shown:
                    out[i] = self._flips(scored, cells.groups[i], cells.codes == i)
        return out

    def _from_others(
        self, away: NDArray[np.bool_], columns: NDArray[np.intp], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """(n, classes) probabilities from models that saw no row of `away`, and none of a row's own subject; and which other
        rows they are to be calibrated on, for these and `away` alone have any.
        """
        part = halves(self.units, rng)
        others = np.flatnonzero(~away)
        to_calibrate = np.zeros(len(away), dtype=bool)
        to_calibrate[others if len(others) <= _CALIBRATED else rng.choice(others, _CALIBRATED, replace=False)] = True
        q = np.full((len(self.y), self.ground.classes), np.nan)
        for half in (0, 1):
            model = _learned(self.ground, self.X, self.y, np.flatnonzero((part != half) & ~away), columns, _MOST, rng)
            if model is None:
                return None
            scored = np.flatnonzero((part == half) & (away | to_calibrate))
            q[scored] = model.predict(self.X[scored])
        return q, to_calibrate

    def _flips(
        self, scored: tuple[NDArray[np.float64], NDArray[np.bool_]] | None, group: Group, inside: NDArray[np.bool_]
    ) -> _Result:
        n = len(group.rows)
        found: Flips | str = "too few rows outside of the group to train a model on"
        if scored is not None:
            found = flips_of(scored[0], self.y, inside, scored[1], self.units, self.ground.confidence)
        if isinstance(found, str):
            return _Result(
                Estimate.insufficient(found, n=n, method=self.method), {"n": n, "reason": found}, np.zeros(0, dtype=np.intp)
            )
        figure = Estimate(found.rho, found.low, found.high, n, self.method, confidence=self.ground.confidence)
        row = {
            "n": n,
            "noise": found.rho,
            "low": found.low,
            "high": found.high,
            "contradicting": found.contradicting,
            "by_chance": found.by_chance,
            "rate": found.rate,
            "expected_rate": found.expected,
            "reason": None,
        }
        # of two explanations, wrong or rare, wrong is the likelier below this
        unlikely = found.given < max(found.rho if found.low > 0 else 0.0, _SURPRISE)
        return _Result(figure, row, group.rows[found.against & unlikely], found.high)

    def regression(self, cells: Cells) -> dict[int, _Result]:
        """The share of outlying residuals in every group, beyond everybody else's."""
        residual = self.y - self.pooled
        out: dict[int, _Result] = {}
        for i, group in enumerate(cells.groups):
            others = cells.codes != i
            if group.reason is not None or others.sum() < self.ground.study.schema.minimum_cell.rows:
                continue
            mine, rest = np.abs(_standard(residual[group.rows])), np.abs(_standard(residual[others]))
            edge = float(np.quantile(rest, 1 - _OUTLYING))
            here, there = _beyond(mine, edge, self.units[group.rows]), _beyond(rest, edge, self.units[others])
            figure = difference(here, there, self.ground.confidence, self.method)
            figure = Estimate(figure.value, figure.low, figure.high, here.rows, self.method, confidence=self.ground.confidence)
            row = {"n": here.rows, "noise": figure.value, "low": figure.low, "high": figure.high,
                   "contradicting": here.value, "by_chance": there.value, "reason": None}  # fmt: skip
            suspected = group.rows[mine > 2 * edge] if figure.low is not None and figure.low > 0 else group.rows[:0]
            out[i] = _Result(figure, row, suspected, wilson(here.value, here.size, quantile(self.ground.confidence))[1])
        return out

    def everyone(self, results: list[tuple[Cells, dict[int, _Result]]]) -> Estimate:
        """From the errors of the worst group to what the surest rows allow."""
        n = self.ground.study.tables["source"].rows
        tests = sum(len(found) for _, found in results)
        least, low = 0.0, 0.0
        for cells, found in results:
            for i, result in found.items():
                figure = result.figure
                if figure.value is None or figure.low is None:
                    continue
                # the worst of many: its lower bound is drawn down as Bonferroni asks
                wider = quantile(1 - (1 - self.ground.confidence) / tests) / quantile(self.ground.confidence)
                bound = figure.value - wider * (figure.value - figure.low)
                weight = len(cells.groups[i].rows) / n
                if bound > 0 and weight * figure.value > least:
                    least, low = weight * figure.value, weight * bound
        most = self._most()
        for cells, found in results:
            by_group = {i: result.at_most for i, result in found.items() if result.at_most is not None}
            weights = {i: len(cells.groups[i].rows) / n for i in by_group}
            rest = 1 - sum(weights.values())
            most = max(most, sum(weights[i] * bound for i, bound in by_group.items()) + rest * most)
        return Estimate(least, low, max(min(most, 1.0), least), len(self.y), _ALL, confidence=self.ground.confidence)

    def _most(self) -> float:
        """The most labels that the surest rows allow to be wrong; in a regression, the most numbers that are outlying."""
        if self.ground.classes:
            return ceiling(self.pooled, self.y, self.units, self.ground.confidence)
        far = share_of(np.abs(_standard(self.y - self.pooled)) > _FAR, self.units)
        return wilson(far.value, far.size, quantile(self.ground.confidence))[1]


def _beyond(z: NDArray[np.float64], edge: float, units: NDArray[np.int64]) -> Share:
    """The share of |residuals| z beyond an edge, worth fewer rows for the scale that they were divided by was estimated too."""
    share = share_of(z > edge, units)
    # how the share moves with the logarithm of the scale, near the edge
    slope = float((np.abs(np.log(np.maximum(z, 1e-9) / edge)) < _NEAR_EDGE).mean()) / (2 * _NEAR_EDGE)
    spread = max(share.value * (1 - share.value), 1 / share.rows)
    return replace(share, size=max(1.0, share.size / (1 + _OF_SCALE * slope**2 / spread)))


def _drawn(ground: Ground, units: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Positions of the rows that are looked at: about `_SCORED`, whole subjects, and every row of a small group."""
    if len(units) <= _SCORED:
        return np.arange(len(units))
    people = int(units.max()) + 1
    taken = np.zeros(people, dtype=bool)
    taken[rng.permutation(people)[: round(people * _SCORED / len(units))]] = True
    chosen = taken[units]
    for cells in ground.cells["source"]:
        for group in cells.shown:
            if len(group.rows) < _WHOLE:
                chosen[group.rows] = True
    return np.flatnonzero(chosen)


def _learned(
    ground: Ground,
    X: NDArray[np.float32],
    y: NDArray[Any],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    most: int,
    rng: np.random.Generator,
) -> Any:
    return learn(X, y, rows, coding=ground.coding, columns=columns, classes=ground.classes, most=most, rng=rng)


def _dealt(cells: Cells, shown: list[int]) -> list[list[int]]:
    """Groups in at most `_FOLDS` parts of about equal size, the largest first; parts without a shown group are left out."""
    order = sorted(range(len(cells.groups)), key=lambda i: (-len(cells.groups[i].rows), i))
    parts: list[list[int]] = [[] for _ in range(min(_FOLDS, len(order)))]
    sizes = [0] * len(parts)
    for i in order:
        to = sizes.index(min(sizes))
        parts[to].append(i)
        sizes[to] += len(cells.groups[i].rows)
    return [part for part in parts if set(part) & set(shown)]


def _standard(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less its median, over its median absolute deviation, scaled to a normal's standard deviation."""
    centred = residual - np.median(residual)
    scale = 1.4826 * float(np.median(np.abs(centred))) or float(centred.std()) or 1.0
    return np.asarray(centred / scale)
