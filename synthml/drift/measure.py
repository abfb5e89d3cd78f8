"""From the tables of a study to the evidence of kind "drift", and a page to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.drift.comparison import compare
from synthml.drift.masking import common_labels, labels_of
from synthml.drift.page import page_of
from synthml.evidence import Evidence
from synthml.study.groups import EMPTY
from synthml.subgroups.showing import shown_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synthml.estimate import Estimate
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["PAGE", "measure_drift", "tellable_labels"]

PAGE = "drift.html"
_COMPARED = (("source", "synthetic"), ("synthetic", "holdout"), ("holdout", "production"))


def measure_drift(
    study: Study,
    *,
    seed: int,
    settings: MeasureSettings,
    pages: Callable[[str, str], None] = lambda _name, _html: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """Drift source/synthetic, synthetic/holdout and, with a production table, holdout/production.

    The subject column stays out. pages: called with `drift.html` and one page that holds all comparisons. Figures and rows: see
    `comparison.compare`; table "drift". Raises MissingExtraError without Evidently.
    """
    pairs = [pair for pair in _COMPARED if all(role in study.roles for role in pair)]
    if not pairs:
        return Evidence("drift", notes=("drift needs two tables out of source, synthetic and holdout: it is not measured.",))
    kinds = {name: str(kind) for name, kind in study.schema.kinds.items() if name != study.schema.subject}
    common = tellable_labels(study)
    found = []
    for reference, current in pairs:
        progress(f"drift by Evidently: {reference} to {current}")
        found.append(
            compare(
                study.frame(reference),
                study.frame(current),
                names=(reference, current),
                kinds=kinds,
                common=common,
                subjects=(study.subjects(reference), study.subjects(current)),
                seed=seed,
            )
        )
    page = page_of(found)
    if page:
        pages(PAGE, page)
    figures: dict[str, Estimate] = {name: figure for one in found for name, figure in one.figures.items()}
    rows: tuple[Mapping[str, Any], ...] = tuple(row for one in found for row in one.rows)
    return Evidence("drift", figures, {"drift": rows}, tuple(note for one in found for note in one.notes))


def tellable_labels(study: Study) -> dict[str, frozenset[str]]:
    """Column -> labels that a page may show: those of ten people in the real tables; of groups, those that are not withheld."""
    real = [role for role in study.roles if role != "synthetic"] or list(study.roles)
    found = {}
    grouped = {name for name in study.schema.sensitive if name not in study.schema.bins}
    for name, kind in study.schema.kinds.items():
        if kind in ("categorical", "boolean") or name in grouped:
            holding = [(study.frame(role), study.subjects(role)) for role in real if name in study.frame(role).columns]
            found[name] = common_labels((labels_of(frame[name], str(kind)), who) for frame, who in holding)
    for role in ("source", "holdout"):
        if role in study.roles:
            for name, hidden in _withheld(study, role).items():
                found[name] -= hidden
    return found


def _withheld(study: Study, role: Any) -> dict[str, frozenset[str]]:
    """Sensitive column -> labels of groups whose size stands nowhere."""
    members, withheld = shown_groups(study, role)
    found = {}
    for at, member in enumerate(members):
        columns = member.grouping.columns
        if len(columns) == 1 and columns[0] not in study.schema.bins:
            hidden = [labels[0][1] for group, labels in enumerate(member.grouping.labels) if withheld.reason(at, group)]
            found[columns[0]] = frozenset("" if label == EMPTY else label for label in hidden)
    return found
