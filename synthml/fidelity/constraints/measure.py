"""Rules are learned, confirmed on other real rows, and held against the synthetic table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.estimate import Estimate
from synthml.estimate.linear import spread
from synthml.estimate.proportions import effective_size, quantile, wilson
from synthml.evidence import Evidence
from synthml.fidelity.constraints.combinations import impossible
from synthml.fidelity.constraints.dependencies import dependencies
from synthml.fidelity.constraints.inequalities import inequalities
from synthml.fidelity.constraints.learned import DIRT, Breaks, Learned
from synthml.fidelity.constraints.tables import Seen, columns_as_learned
from synthml.fidelity.constraints.values import values
from synthml.figures import ALL, escape_label
from synthml.subgroups.naming import FEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from synthml.study import Study

__all__ = ["measure_constraints", "rule_of"]

_STREAM = 43
_LEAST_ROWS = 200
_CONFIRMED = 0.005  # a rule that more of the other real rows break is none
_MOST_RULES = 200
_MOST_FIGURES = 40
_LONGEST = 160  # of a figure's `<of>`: MLflow takes names of up to 250 characters
_FEW = f"fewer than {FEWEST} people break it: too few to tell their share"
_ORDER = {"user": 0, "inequality": 1, "dependency": 2, "missingness": 3, "combination": 4, "values": 5}
FIGURE = "fidelity.rule_violations"


@dataclass(frozen=True, eq=False)
class _Judged:
    """A rule, and the share of rows that break it in each table: rows learned from, other real rows, synthetic ones."""

    label: str
    kind: str
    by_chance: float
    learned_from: Estimate | None
    other: Estimate | None
    synthetic: Estimate
    broken: int


def measure_constraints(
    study: Study, *, seed: int, confidence: float, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """The share of synthetic rows that break the rules of the study and of its source, with intervals and floors.

    Figures `fidelity.rule_violations.synthetic/<rule>` and `.floor/<rule>`, `/all` for rows that break at least one; a table
    `fidelity_rules`. Without a source only the study's own rules are held against the synthetic table.
    """
    if "synthetic" not in study.roles:
        return Evidence("fidelity")
    progress("rules between columns, of the study and of its source")
    tables, learned, notes = _learned(study, seed)
    judged = _Judgement(study, tables, confidence)
    users = [judged.rule(rule.label, "user", rule.columns, _user(rule)) for rule in study.rules]
    doubles = {(frozenset(rule.columns), _fingerprint(rule.broken(study.frame("synthetic")))) for rule in study.rules
               if tables["synthetic"].has(rule.columns)}  # fmt: skip
    found = [
        judged.rule(rule.label, rule.kind, rule.columns, rule.breaks, rule.by_chance)
        for rule in learned
        if (frozenset(rule.columns), _fingerprint(rule.breaks(tables["synthetic"]))) not in doubles
    ]
    notes += list(_source_breaks(users))
    found.sort(key=lambda one: (-(one.synthetic.value or 0.0), _ORDER[one.kind], -one.by_chance, one.label))
    figures: dict[str, Estimate] = {}
    for one in (*users, *found[:_MOST_FIGURES]):
        of = rule_of(one.label)
        figures[f"{FIGURE}.synthetic/{of}"] = one.synthetic
        if one.other is not None:
            figures[f"{FIGURE}.floor/{of}"] = one.other
    if users or found:
        figures[f"{FIGURE}.synthetic/{ALL}"], floor = judged.any()
        if floor is not None:
            figures[f"{FIGURE}.floor/{ALL}"] = floor
    rows = tuple(_row(one) for one in (*users, *found))
    return Evidence("fidelity", figures, {"fidelity_rules": rows} if rows else {}, tuple(notes))


def rule_of(label: str) -> str:
    """The `<of>` of a rule's figures: its label, or a digest of it where that is too long for a name."""
    escaped = escape_label(label)
    return escaped if len(escaped) <= _LONGEST else "rule-" + hashlib.sha256(label.encode()).hexdigest()[:12]


def _user(rule: Any) -> Breaks:
    return lambda table: np.asarray(rule.broken(table.frame))


def _fingerprint(mask: NDArray[np.bool_]) -> bytes:
    return hashlib.sha256(np.packbits(mask).tobytes()).digest()


def _learned(study: Study, seed: int) -> tuple[dict[str, Seen], list[Learned], list[str]]:
    """Tables by what they are for (learn, other, synthetic), confirmed rules, and notes."""
    synthetic = study.frame("synthetic")
    if "source" not in study.roles:
        tables = {"synthetic": Seen(synthetic, {}, study.subjects("synthetic"))}
        if "holdout" in study.roles:
            tables["other"] = Seen(study.frame("holdout"), {}, study.subjects("holdout"))
        return tables, [], ["no source: rules between columns are not learned"]
    source, subjects = study.frame("source"), study.subjects("source")
    if "holdout" in study.roles:
        parts = {"learn": (source, subjects), "other": (study.frame("holdout"), study.subjects("holdout"))}
    else:
        first = _half(len(source), subjects, np.random.default_rng([seed, _STREAM]))
        parts = {
            name: (source[rows].reset_index(drop=True), None if subjects is None else subjects[rows])
            for name, rows in (("learn", first), ("other", ~first))
        }
    columns = columns_as_learned(parts["learn"][0], study.schema.subject, study.schema.kinds)
    columns = {name: column for name, column in columns.items() if name in synthetic.columns}
    tables = {name: Seen(frame, columns, people) for name, (frame, people) in parts.items()}
    tables["synthetic"] = Seen(synthetic, columns, study.subjects("synthetic"))
    if min(tables["learn"].rows, tables["other"].rows) < _LEAST_ROWS:
        return tables, [], [f"rules between columns are not learned: that takes twice {_LEAST_ROWS} real rows"]
    return tables, *_confirmed(tables)


def _half(rows: int, subjects: NDArray[np.int64] | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(rows,) a random half, by subject."""
    units = np.arange(rows) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    count = int(units.max(initial=-1)) + 1
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: count // 2]] = True
    return np.asarray(chosen[units])


def _confirmed(tables: dict[str, Seen]) -> tuple[list[Learned], list[str]]:
    seen, other = tables["learn"], tables["other"]
    columns = seen.columns
    linked = [*inequalities(seen, columns), *dependencies(seen, columns)]
    told = {frozenset(rule.columns) for rule in linked}
    learned = [*linked, *values(seen, columns), *impossible(seen, columns, told)]
    kept = [rule for rule in learned if _holds(rule, other)]
    kept.sort(key=lambda rule: (_ORDER[rule.kind], -rule.by_chance, rule.label))
    notes = []
    if len(kept) < len(learned):
        notes.append(f"{len(learned) - len(kept)} of {len(learned)} rules that the source seemed to keep did not hold elsewhere")
    if len(kept) > _MOST_RULES:
        notes.append(f"{len(kept)} rules were learned; the {_MOST_RULES} strongest are told")
    return kept[:_MOST_RULES], notes


def _holds(rule: Learned, other: Seen) -> bool:
    """Whether rows that it was not learned from keep to it: far less than chance breaks it, and hardly any at all."""
    share = float(rule.breaks(other).mean())
    return share <= _CONFIRMED and (not rule.by_chance or share <= max(0.1 * rule.by_chance, DIRT * 0.1))


class _Judgement:
    """Rules held against every table, and which rows break any of them."""

    def __init__(self, study: Study, tables: dict[str, Seen], confidence: float) -> None:
        self.tables, self.confidence = tables, confidence
        self._source = Seen(study.frame("source"), {}, study.subjects("source")) if "source" in study.roles else None
        self._any = {name: np.zeros(table.rows, dtype=bool) for name, table in tables.items()}

    def rule(self, label: str, kind: str, columns: tuple[str, ...], breaks: Breaks, by_chance: float = 0.0) -> _Judged:
        """A rule of the study is held against the whole source, a learned one against the rows that it was learned from."""
        found: dict[str, Estimate] = {}
        broken = 0
        for name, table in self.tables.items():
            if table.has(columns):
                mask = breaks(table)
                self._any[name] |= mask
                broken = int(mask.sum()) if name == "synthetic" else broken
                found[name] = self._share(mask, table, real=name != "synthetic")
        if kind == "user" and self._source is not None:
            if "learn" in found and self._source.rows != self.tables["learn"].rows:  # no holdout: halves of the source
                del found["other"]
            found["learn"] = self._share(breaks(self._source), self._source, real=True)
        missing = Estimate.insufficient("the synthetic table has not all of the rule's columns")
        return _Judged(label, kind, by_chance, found.get("learn"), found.get("other"), found.get("synthetic", missing), broken)

    def any(self) -> tuple[Estimate, Estimate | None]:
        """Rows that break at least one rule: of the synthetic table, and of the other real rows."""
        other = None if "other" not in self.tables else self._share(self._any["other"], self.tables["other"], real=True)
        return self._share(self._any["synthetic"], self.tables["synthetic"], real=False), other

    def _share(self, mask: NDArray[np.bool_], table: Seen, *, real: bool) -> Estimate:
        if real and 0 < _people(mask, table.subjects) < FEWEST:
            return Estimate.insufficient(_FEW, n=table.rows)
        return share(mask, table.subjects, self.confidence)


def _people(mask: NDArray[np.bool_], subjects: NDArray[np.int64] | None) -> int:
    return int(mask.sum()) if subjects is None else len(np.unique(subjects[mask]))


def share(mask: NDArray[np.bool_], subjects: NDArray[np.int64] | None, confidence: float) -> Estimate:
    """The share of rows in the mask, with Wilson's interval, by subject at the effective sample size."""
    n, p = len(mask), float(mask.mean())
    size, units = float(n), n
    if subjects is not None:
        units = len(np.unique(subjects))
        size = effective_size(p, spread((mask - p) / n, subjects).variance, n, units)
    low, high = wilson(p, size, quantile(confidence, units - 1 if units < n else np.inf))
    method = "Wilson score" + (", by subject" if subjects is not None else "")
    return Estimate(p, low, high, n, method, confidence=confidence)


def _source_breaks(users: list[_Judged]) -> Iterator[str]:
    for rule in users:
        real = rule.learned_from
        if real is None or (real.ok and not real.value):
            continue
        share_ = _FEW if real.value is None else f"{real.value:.2%} of its rows do not"
        yield f"the study says that every real row keeps to `{rule.label}`, and the source does not: {share_}"


def _row(rule: _Judged) -> dict[str, Any]:
    def value(estimate: Estimate | None) -> float | None:
        return None if estimate is None else estimate.value

    few = [what.reason for what in (rule.learned_from, rule.other) if what is not None and what.reason]
    return {
        "rule": rule.label,
        "of": rule_of(rule.label),
        "kind": rule.kind,
        "source_share": value(rule.learned_from),
        "holdout_share": value(rule.other),
        "synthetic_share": rule.synthetic.value,
        "low": rule.synthetic.low,
        "high": rule.synthetic.high,
        "n": rule.synthetic.n,
        "broken": rule.broken if rule.synthetic.ok else None,
        "status": rule.synthetic.status,
        "reason": rule.synthetic.reason or (few[0] if few else None),
    }
