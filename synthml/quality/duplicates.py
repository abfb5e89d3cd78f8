"""Rows that equal an earlier row of their table, beside what chance gives when columns are coarse.

Copies agree in everything. Rows that agree by chance come with many more that agree in all but one column. So the pairs of rows
(of different subjects) that agree everywhere are held against pairs that differ in one column, and in two: if agreeing on column
c and on column d are independent among rows that agree elsewhere,

    pairs equal everywhere = (differ in c only) * (differ in d only) / (differ in both, and only there)

and none when nothing comes so near. The most that any two of the tried columns give is what chance is granted. Within one
subject equal rows are counted apart: a person who did not change between two visits is no copy.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthml.quality.ground import Finding
from synthml.quality.shares import share_of
from synthml.study.contamination import row_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthml.quality.ground import Ground

__all__ = ["by_chance", "earlier_rows", "finding"]

_TRIED = 5  # columns, of which every two are tried
_SAMPLED = 30_000


def earlier_rows(codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n,) the first row with the same code; a row that is the first has itself."""
    group, _ = pd.factorize(codes)
    _, first = np.unique(group, return_index=True)
    return first.astype(np.int64)[group]


def _pairs(codes: NDArray[np.uint64]) -> float:
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())


class _Rows:
    """Codes of a table's columns that add up: leaving columns out is a subtraction."""

    def __init__(self, columns: list[NDArray[np.uint64]], units: NDArray[np.uint64] | None) -> None:
        self.columns, self.units = columns, units
        self.total: NDArray[np.uint64] = np.asarray(np.sum(np.stack(columns), axis=0, dtype=np.uint64))

    def equal(self, without: tuple[int, ...] = ()) -> float:
        """Pairs of rows of different subjects that agree in all columns but these."""
        codes = self.total
        for at in without:
            codes = codes - self.columns[at]
        return _pairs(codes) - (0.0 if self.units is None else _pairs(codes + self.units))


def by_chance(columns: list[NDArray[np.uint64]], units: NDArray[np.uint64] | None) -> tuple[float, float]:
    """(pairs of rows that are equal, as many as chance may give), of different subjects. columns: a mixed code per value."""
    rows = _Rows(columns, units)
    equal = rows.equal()
    if equal == 0 or len(columns) < 2:
        return equal, 0.0
    alone = {at: rows.equal((at,)) - equal for at in range(len(columns))}
    most = sorted(alone, key=lambda at: (-alone[at], at))[:_TRIED]
    found = 0.0
    for c, d in combinations(most, 2):
        if alone[c] and alone[d]:
            both = rows.equal((c, d)) - equal - alone[c] - alone[d]
            # none that differ in both: one column follows from the other, and nothing is learned; half a pair keeps it finite
            found = max(found, alone[c] * alone[d] / max(both, 0.5))
    return equal, min(found, equal)


def finding(ground: Ground) -> Finding:
    """`quality.duplicates.<role>/all`, the table "quality_duplicates", and positions of the repeated rows."""
    figures, table, suspects = {}, [], {}
    study = ground.study
    for role in ground.roles:
        frame, subjects = study.frame(role), study.subjects(role)
        names = [str(name) for name in frame.columns if name != study.schema.subject]
        columns = [row_codes([frame], [name])[0] for name in names]
        # a column's code alone would cancel against another's: each is spread by its place
        spread = [
            row_codes([pd.DataFrame({"v": code.view(np.int64), "at": at})], ["v", "at"])[0] for at, code in enumerate(columns)
        ]
        first = earlier_rows(np.asarray(np.sum(np.stack(spread), axis=0, dtype=np.uint64)))
        repeated = first != np.arange(len(first))
        share = share_of(repeated, subjects)
        figures[f"quality.duplicates.{role}/all"] = share.estimate(
            ground.confidence,
            "share of rows that equal an earlier row (Wilson)" + (", by subject" if subjects is not None else ""),
        )
        within = None if subjects is None else float((repeated & (subjects[first] == subjects)).mean())
        some = np.arange(len(frame))
        if len(some) > _SAMPLED:
            some = np.sort(ground.rng("duplicates").choice(some, _SAMPLED, replace=False))
        units = None if subjects is None else row_codes([pd.DataFrame({"subject": subjects[some]})], ["subject"])[0]
        equal, chance = by_chance([code[some] for code in spread], units)
        between = share.value - (within or 0.0)
        table.append(
            {
                "role": role,
                "rows": share.rows,
                "columns": len(names),
                "share": share.value,
                "within_subject": within,
                "between_subjects": between,
                "by_chance": between * chance / equal if equal else 0.0,
                "pairs_compared_among": len(some),
            }
        )
        if repeated.any():
            suspects[role, "duplicate"] = np.flatnonzero(repeated)
    return Finding(figures, {"quality_duplicates": tuple(table)}, suspects=suspects)
