"""pMSE and discriminator of everyone and of every group, each beside what halves of the source show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.evidence import Evidence
from synthml.fidelity.classifiers.discriminator import JUDGED, TRAINED, discriminate, telling
from synthml.fidelity.classifiers.propensity import TERMS, Propensity, pmse
from synthml.fidelity.classifiers.sides import Side, drawn
from synthml.figures import ALL, group_of
from synthml.subgroups.naming import RARE, columns_label, group_label
from synthml.subgroups.showing import shown_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from synthml.study import Study

__all__ = ["measure_classifiers"]

_STREAM = 41
_FLOORS = 3  # halvings of the source
_ROWS = 10_000  # of either table, for pMSE
_GROUP_ROWS = 2500
_GROUP_TERMS = 150
_LEAST = 100  # rows of either table: half are trained on
_TELLS = 20
_SYNTHETIC_SMALL = "the synthetic table has too few rows of this group"


def measure_classifiers(
    study: Study, *, seed: int, confidence: float, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """How well learners tell synthetic rows from source rows.

    Figures `fidelity.pmse.synthetic`, `.floor` and `.ratio`, `fidelity.discriminator_auroc.synthetic` and `.floor`, of `all` and
    of every group that may be shown (floors of `all` alone); tables `fidelity_classifiers` and `fidelity_tells`. Empty without
    source or synthetic table.
    """
    if "source" not in study.roles or "synthetic" not in study.roles:
        return Evidence("fidelity")
    from threadpoolctl import threadpool_limits

    progress("classifiers that try to tell synthetic rows from real ones")
    real, made = _side(study, "source"), _side(study, "synthetic")
    shared = [name for name in real.frame.columns if name in made.frame.columns]
    real, made = (Side(side.frame[shared], side.units, side.clustered) for side in (real, made))
    found = _Found(confidence)
    # small factorisations: threads that wait for each other on a busy machine would cost more than they save
    with threadpool_limits(1, "blas"):
        _everyone(study, (real, made), seed, found)
    return found.evidence()


def _everyone(study: Study, sides: tuple[Side, Side], seed: int, found: _Found) -> None:
    (real, made), confidence = sides, found.confidence
    rng = np.random.default_rng([seed, _STREAM])
    if min(len(real), len(made)) < _LEAST:
        found.unmeasured((ALL, "", ""), f"fewer than {_LEAST} rows of either table")
        return
    found.propensity(_of(real, made, _ROWS, TERMS, rng, confidence), ALL, "", "")
    learner = discriminate(real, made, rng)
    found.add("discriminator_auroc", ALL, "", "", learner.auroc(confidence), _floor(real, len(made), rng, confidence))
    found.tells = telling(learner, rng, confidence)[:_TELLS]
    for of, column, group, reason, rows in _groups(study):
        if reason is None:
            of_group = np.random.default_rng([seed, _STREAM, len(found.rows)])
            _group(found, (real.take(rows[0]), made.take(rows[1])), (of, column, group), of_group, confidence)
        else:
            found.unmeasured((of, column, group), reason)


def _side(study: Study, role: Any) -> Side:
    frame = study.frame(role)
    columns = [name for name in frame.columns if name != study.schema.subject]
    return Side.of(frame[columns], study.subjects(role))


def _of(one: Side, other: Side, rows: int, terms: int, rng: np.random.Generator, confidence: float) -> Propensity | None:
    """pMSE of equally many rows of both."""
    size = min(rows, len(one), len(other))
    return pmse(drawn(one, (size,), rng)[0], drawn(other, (size,), rng)[0], rng, confidence, terms=terms)


def _floor(
    real: Side,
    other: int,
    rng: np.random.Generator,
    confidence: float,
    repeats: int = _FLOORS,
    most: tuple[int, int] = (TRAINED, JUDGED),
) -> Estimate:
    """The AUROC between halves of the source: the mean of some halvings, with the mean interval of one."""
    found = []
    for _ in range(repeats):
        halves = drawn(real, (len(real) // 2, len(real) - len(real) // 2), rng)
        rows = min(len(halves[0]), len(halves[1]), other)
        trained = min(most[0], rows // 2)
        learner = discriminate(halves[0], halves[1], rng, trained=trained, judged=min(most[1], rows - trained))
        found.append(learner.auroc(confidence))
    known = [one for one in found if one.value is not None and one.low is not None and one.high is not None]
    if not known:
        return found[0]
    value, low, high = (float(np.mean([getattr(one, name) for one in known])) for name in ("value", "low", "high"))
    times = f"mean of {len(known)} halvings of the source" if len(known) > 1 else "halves of the source"
    return Estimate(value, low, high, known[0].n, f"{times}; {known[0].method}", confidence=confidence)


def _group(
    found: _Found, sides: tuple[Side, Side], names: tuple[str, str, str], rng: np.random.Generator, confidence: float
) -> None:
    real, made = sides
    found.propensity(_of(real, made, _GROUP_ROWS, _GROUP_TERMS, rng, confidence), *names)
    most = _GROUP_ROWS // 2, _GROUP_ROWS
    learner = discriminate(real, made, rng, trained=most[0], judged=most[1])
    floor = _floor(real, len(made), rng, confidence, 1, most) if len(real) >= 2 * _LEAST else None
    found.add("discriminator_auroc", *names, learner.auroc(confidence), floor)


_Rows = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]


def _groups(study: Study) -> Iterator[tuple[str, str, str, str | None, _Rows]]:
    """(of, column, group, why it is not measured, rows of source and synthetic table) of every group with a name."""
    members, withheld = shown_groups(study, "source")
    of_synthetic = {grouping.columns: grouping for grouping in study.groupings("synthetic")}
    least = max(study.schema.minimum_cell.rows, _LEAST)
    for at, member in enumerate(members):
        grouping, other = member.grouping, of_synthetic.get(member.grouping.columns)
        for group, labels in enumerate(grouping.labels):
            if any(label == RARE for _, label in labels):
                continue  # not one group but several
            reason = withheld.reason(at, group)
            reason = None if reason is None else reason.replace("the holdout", "the source")
            real = grouping.codes == group
            made = np.zeros(len(study.frame("synthetic")), dtype=bool)
            if other is not None and labels in other.labels:
                made = other.codes == other.labels.index(labels)
            if reason is None and np.count_nonzero(made) < least:
                reason = _SYNTHETIC_SMALL
            if reason is None and np.count_nonzero(real) < _LEAST:
                reason = f"fewer than {_LEAST} rows of the source"
            yield group_of(labels), columns_label(grouping.columns), group_label(labels), reason, (real, made)


@dataclass
class _Found:
    """What is found along the way."""

    confidence: float
    figures: dict[str, Estimate] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    tells: list[tuple[str, Estimate]] = field(default_factory=list)

    def propensity(self, found: Propensity | None, of: str, column: str, group: str) -> None:
        """pMSE, what shuffling gives, and the ratio of the two."""
        if found is None:
            reason = "no column varies"
            self.add("pmse", of, column, group, Estimate.insufficient(reason), None)
            self.figures[f"fidelity.pmse.ratio/{of}"] = Estimate.insufficient(reason)
            return
        value = Estimate(found.value, found.low, found.high, found.n, found.method, confidence=self.confidence)
        bounds = np.quantile(found.null, [0.05, 0.95])
        floor = Estimate(found.mean, float(bounds[0]), float(bounds[1]), found.n, found.method, confidence=0.9)
        self.add("pmse", of, column, group, value, floor)
        low, high = found.low / found.mean, found.high / found.mean
        self.figures[f"fidelity.pmse.ratio/{of}"] = Estimate(
            found.value / found.mean, low, high, found.n, found.method, confidence=self.confidence
        )

    def add(self, measure: str, of: str, column: str, group: str, value: Estimate, floor: Estimate | None) -> None:
        """A figure with its floor; a row of the table with both."""
        self.figures[f"fidelity.{measure}.synthetic/{of}"] = value
        if floor is not None and of == ALL:
            self.figures[f"fidelity.{measure}.floor/{of}"] = floor
        self.rows.append(
            {
                "measure": measure,
                "of": of,
                "column": column,
                "group": group,
                "value": value.value,
                "low": value.low,
                "high": value.high,
                "floor": None if floor is None else floor.value,
                "floor_low": None if floor is None else floor.low,
                "floor_high": None if floor is None else floor.high,
                "n": value.n,
                "status": value.status,
                "reason": value.reason,
            }
        )

    def unmeasured(self, names: tuple[str, str, str], reason: str) -> None:
        """Neither figure could be had."""
        for measure in ("pmse", "discriminator_auroc"):
            self.add(measure, *names, Estimate.insufficient(reason), None)
        self.figures[f"fidelity.pmse.ratio/{names[0]}"] = Estimate.insufficient(reason)

    def evidence(self) -> Evidence:
        """All of it."""
        tells = tuple(
            {"column": column, "drop": drop.value, "low": drop.low, "high": drop.high, "n": drop.n} for column, drop in self.tells
        )
        tables = {"fidelity_classifiers": tuple(self.rows), "fidelity_tells": tells}
        return Evidence("fidelity", self.figures, {name: rows for name, rows in tables.items() if rows})
