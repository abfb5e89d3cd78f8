"""From tables to the evidence of kind "fidelity"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.evidence import Evidence
from synthml.fidelity.classifiers import measure_classifiers
from synthml.fidelity.constraints import measure_constraints
from synthml.fidelity.coverage import new_categories, uncovered
from synthml.fidelity.distributions import Comparison, compare
from synthml.fidelity.figures import Told, cells_of
from synthml.fidelity.groups import groups_of
from synthml.fidelity.missing import Nulls, nulls, patterns
from synthml.figures import escape_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.fidelity.crossing import Pairs
    from synthml.fidelity.floor import Departures
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["COLUMN_MEASURES", "PAIR_MEASURES", "measure_distributions", "measure_fidelity"]

COLUMN_MEASURES = ("tvd", "jensen_shannon", "ks", "wasserstein", "missingness", "coverage", "new_categories")
PAIR_MEASURES = ("pair_tvd", "association")
_WITH_EXCESS = ("tvd", "pair_tvd", "association")
_IN_GROUPS = ("tvd", "missingness", "pair_tvd", "association")  # figures; the table has every measure
_MOST_COLUMNS = 60  # columns whose pairs are looked at, and whose figures all stand by themselves
_MOST_PAIRS = 160  # pairs that are figures
_MOST_PAIR_ROWS = 800
_MOST_PATTERNS = 12


def measure_fidelity(
    study: Study, *, seed: int, settings: MeasureSettings, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """Where the synthetic table departs from its source.

    Figures: fidelity.<measure>.synthetic|floor/<column or pair>, their mean over all under /all, and the same within groups
    under /<group>; .excess, beyond the floor, for total variation and association. Tables: "fidelity_columns",
    "fidelity_pairs", "fidelity_groups", "fidelity_missingness", "fidelity_counts". To these come the figures of classifiers that
    tell the tables apart, and of rules between columns.

    Without source or synthetic table there is nothing to lay beside, and a note says so; the study's own rules are held against
    a synthetic table all the same.
    """
    from threadpoolctl import threadpool_limits

    lacking = [role for role in ("source", "synthetic") if role not in study.roles]
    if lacking:
        rules = measure_constraints(study, seed=seed, confidence=settings.confidence, progress=progress)
        return replace(rules, notes=(f"no {' and no '.join(lacking)} table: fidelity cannot be told", *rules.notes))
    # thousands of small products: threads that wait for each other would cost more than they save
    with threadpool_limits(1, "blas"):
        parts = [measure_distributions(study, seed=seed, confidence=settings.confidence, progress=progress)]
    parts += [
        measure(study, seed=seed, confidence=settings.confidence, progress=progress)
        for measure in (measure_classifiers, measure_constraints)
    ]
    return Evidence(
        "fidelity",
        {name: figure for part in parts for name, figure in part.figures.items()},
        {name: rows for part in parts for name, rows in part.tables.items()},
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _columns(study: Study) -> tuple[list[str], list[str]]:
    """Columns that both tables have, what people ask about first; and those that the synthetic table lacks."""
    schema = study.schema
    source, synthetic = study.frame("source").columns, study.frame("synthetic").columns
    first = dict.fromkeys([schema.target, *schema.sensitive, *schema.quasi_identifiers, *schema.secrets])
    rest = [name for name in source if name != schema.subject]
    if len(rest) > _MOST_COLUMNS:  # only these have pairs
        rest = [*(name for name in first if name in rest), *(name for name in rest if name not in first)]
    return [name for name in rest if name in synthetic], [name for name in rest if name not in synthetic]


def measure_distributions(
    study: Study, *, seed: int, confidence: float, progress: Callable[[str], None] = lambda _: None
) -> Evidence:
    """Columns, pairs, groups and nulls alone, of a study with source and synthetic table."""
    names, lacking = _columns(study)
    notes = [f"fidelity: the synthetic table has no {', '.join(lacking[:8])}"] if lacking else []
    kinds = study.schema.kinds
    comparison = compare(
        study.frame("source"),
        study.frame("synthetic"),
        study.subjects("source"),
        study.subjects("synthetic"),
        columns=names,
        booleans=[name for name in names if kinds.get(name) == "boolean"],
        seed=(seed, 61),
    )
    told = Told(confidence, min(comparison.source.rows, comparison.other.rows), comparison.repeats)
    finding = _Finding(study, comparison, told, confidence, {}, notes)
    finding.columns(np.random.default_rng([seed, 62]))
    progress("every pair of columns")
    finding.pairs()
    progress("fidelity within every group")
    finding.groups()
    return Evidence("fidelity", told.figures, {name: tuple(rows) for name, rows in finding.tables.items() if rows}, tuple(notes))


@dataclass
class _Finding:
    """One study, measured part by part."""

    study: Study
    comparison: Comparison
    told: Told
    confidence: float
    tables: dict[str, list[dict[str, Any]]]
    notes: list[str]

    def columns(self, rng: np.random.Generator) -> None:
        """Every measure of every column; nulls."""
        found = self.comparison.by_column()
        missing = nulls(self.comparison, self.study.subjects("source"))
        found["missingness"] = missing.gaps
        found["coverage"] = uncovered(self.comparison, found.pop("shortfall"), rng)
        found["new_categories"] = new_categories(self.comparison, rng)
        rows = self.tables.setdefault("fidelity_columns", [])
        few = len(self.comparison.columns) <= _MOST_COLUMNS
        for measure in COLUMN_MEASURES:
            self._all(measure, found[measure])
            for at, column in enumerate(self.comparison.columns):
                reason = self._reason(measure, at)
                departure = found[measure].at(at, self.confidence)
                if departure is None and not reason:
                    continue  # a measure that this kind of column does not have
                if departure is not None and measure == "coverage":
                    departure = departure.complemented()
                of = escape_label(column.name)
                if few or measure in ("tvd", "missingness"):
                    self.told.figure(measure, of, departure, reason)
                row = {"of": of, "column": column.name, "kind": column.kind, "measure": measure, **cells_of(departure, reason)}
                if measure == "new_categories":
                    row["count"] = column.new_count
                rows.append(row)
        if not few:
            self.notes.append(f"fidelity: of more than {_MOST_COLUMNS} columns the further measures stand in a table only")
        self._missing(missing)

    def _reason(self, measure: str, at: int) -> str:
        """Why a column that could have the measure has it not."""
        column = self.comparison.columns[at]
        if measure in ("ks", "wasserstein") and column.numeric:
            if measure == "wasserstein" and column.grid is not None and np.isnan(column.grid.widths).any():
                return "the source has one value only, which gives no unit"
            return "one of the tables has too few values"
        if measure == "coverage":
            return "no label is common enough, or the source's values hardly differ"
        return ""

    def _all(self, measure: str, found: Departures) -> None:
        mean = found.mean().at(0, self.confidence)
        if mean is None and measure == "missingness":
            self.told.figure(measure, "all", _nothing(found), "")
            return
        if mean is None:
            if measure != "new_categories":
                self.told.figure(measure, "all", None, "no column has this measure", excess=measure in _WITH_EXCESS)
            return
        complemented = mean.complemented() if measure == "coverage" else mean
        self.told.figure(measure, "all", complemented, "", excess=measure in _WITH_EXCESS)
        if measure in ("tvd", *PAIR_MEASURES):
            departing, among, halves = found.departing(self.confidence)
            self.tables.setdefault("fidelity_counts", []).append(
                {
                    "measure": measure,
                    "departing": departing,
                    "among": among,
                    "by_chance": float(halves.mean()),
                }
            )

    def _missing(self, missing: Nulls) -> None:
        rows = self.tables.setdefault("fidelity_missingness", [])
        for at, column in enumerate(self.comparison.columns):
            gap = missing.gaps.at(at, self.confidence)
            if gap is not None:
                shares = {"source_share": float(missing.source[at]), "synthetic_share": float(missing.other[at])}
                rows.append({"kind": "column", "of": column.name, **shares, **cells_of(gap, "")})
        found = patterns(self.comparison, self.study.subjects("source"))
        if found is None:
            return
        distance = found.distance.at(0, self.confidence)
        self.told.figure("missing_patterns", "all", distance, "one of the tables has too few rows")
        rows.append({"kind": "patterns", "of": "all", **cells_of(distance, "one of the tables has too few rows")})
        for pattern in found.common[:_MOST_PATTERNS]:
            names = ", ".join(self.comparison.columns[at].name for at in pattern.places) or "(none)"
            rows.append({"kind": "pattern", "of": names, "source_share": pattern.source, "synthetic_share": pattern.other})

    def pairs(self) -> None:
        """Total variation and association of every pair."""
        comparison = self.comparison
        if len(comparison.columns) > _MOST_COLUMNS:
            self.notes.append(f"fidelity: pairs are those of {_MOST_COLUMNS} of {len(comparison.columns)} columns")
            comparison = comparison.of_columns(_MOST_COLUMNS)
        if len(comparison.columns) < 2:
            return
        found = comparison.by_pair()
        self._all("pair_tvd", found.tvd)
        self._all("association", found.association)
        worst = np.argsort(-(found.tvd.value - np.median(found.tvd.floor, axis=0)), kind="stable")
        rows = self.tables.setdefault("fidelity_pairs", [])
        for rank, at in enumerate(worst.tolist()[:_MOST_PAIR_ROWS]):
            rows.append(self._pair(found, at, figures=rank < _MOST_PAIRS))
        if len(worst) > _MOST_PAIRS:
            self.notes.append(f"fidelity: figures are those of the {_MOST_PAIRS} worst of {len(worst)} pairs")

    def _pair(self, found: Pairs, at: int, *, figures: bool) -> dict[str, Any]:
        one, other = (self.comparison.columns[place] for place in found.places[at])
        of = f"{escape_label(one.name)} {escape_label(other.name)}"
        reason = "one of the tables has too few rows"
        departures = {
            name: d.at(at, self.confidence) for name, d in (("pair_tvd", found.tvd), ("association", found.association))
        }
        if figures:
            for name, departure in departures.items():
                self.told.figure(name, of, departure, reason)
        return {
            "of": of,
            "first": one.name,
            "second": other.name,
            "association": "spearman" if one.numeric and other.numeric else "cramers_v",
            "source": float(found.source[at]),
            "synthetic": float(found.other[at]),
            **cells_of(departures["association"], reason, "gap_"),
            **cells_of(departures["pair_tvd"], reason, "tvd_"),
        }

    def groups(self) -> None:
        """Means over columns and pairs within every group."""
        rows = self.tables.setdefault("fidelity_groups", [])
        comparison = self.comparison
        if len(comparison.columns) > _MOST_COLUMNS:
            comparison = comparison.of_columns(_MOST_COLUMNS)
        for group in groups_of(self.study, comparison, pairs=len(comparison.columns) > 1):
            facts = {"of": group.of, "column": group.column, "group": group.group, "n": group.rows, "n_synthetic": group.made}
            if group.found is None:
                for measure in _IN_GROUPS:
                    self.told.figure(measure, group.of, None, group.reason, excess=measure in _WITH_EXCESS)
                rows.append({**facts, "measure": "tvd", **cells_of(None, group.reason)})
                continue
            for measure, found in group.found.items():
                mean = found.mean().at(0, self.confidence)
                if mean is None and measure == "missingness":
                    mean = _nothing(found)
                if mean is None:
                    continue
                if measure in _IN_GROUPS:
                    size = min(group.rows or 0, group.made or 0)
                    self.told.figure(measure, group.of, mean, "", excess=measure in _WITH_EXCESS, rows=size)
                excess = {"excess": mean.excess, "excess_low": mean.excess_low, "excess_high": mean.excess_high}
                rows.append({**facts, "measure": measure, **cells_of(mean, ""), **excess})


def _nothing(found: Departures) -> Any:
    """Where no column has a null, in either table."""
    from synthml.fidelity.floor import Departure

    return Departure(0.0, 0.0, 0.0, 0.0, 0.0, found.least, 0.0, 0.0, 0.0)
