"""Several policies on one table, side by side: what each asks for, and where they come to different ends for this dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.policy.comparison import compare
from synthml.report.charts import Cell, Column, Section, Sheet
from synthml.report.wording import label, prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthml.policy.comparison import ComparedRow
    from synthml.policy.verdict import Decision, Verdict

__all__ = ["policies_sheet"]

_WORDS = {"pass": "met", "fail": "failed", "insufficient": "not decidable"}
_WHOLE = ("all", "each", "groups")
_MOST = 150


def policies_sheet(verdicts: Sequence[Verdict]) -> Sheet:
    """A row for everything that a policy asks for, a column for each policy; first the rows in which the policies differ."""
    columns = (Column("Asked for", "label"), *(Column(prose(v.policy, cut=40), hint=_WORDS[v.outcome]) for v in verdicts))
    rows = compare(verdicts)[:_MOST]
    sections = tuple(
        Section(title, tuple(_cells(row, verdicts) for row in rows if row.differs == differs))
        for title, differs in (("The policies differ", True), ("The policies agree", False))
    )
    return Sheet("policies", "What each policy asks for, and how it is met here.", columns, sections)


def _cells(row: ComparedRow, verdicts: Sequence[Verdict]) -> tuple[Cell, ...]:
    return (_asked(row), *(_cell(row.decisions.get(verdict.policy)) for verdict in verdicts))


def _asked(row: ComparedRow) -> Cell:
    """The name that the policies have for it; what is no figure is a condition, in words."""
    first = next(iter(row.decisions.values()))
    if not first.figure:
        return Cell(prose(first.required, cut=80))
    return Cell(prose(first.id, cut=80), "" if row.of in ("", *_WHOLE) else label(row.of).shown)


def _cell(decision: Decision | None) -> Cell:
    if decision is None:
        return Cell("not asked")
    weight = "; warns only" if decision.severity == "warn" else ""
    asked = prose(decision.required, cut=80) if decision.figure else ""
    return Cell(_WORDS[decision.outcome], asked + weight, tone=f"outcome {decision.outcome}")
