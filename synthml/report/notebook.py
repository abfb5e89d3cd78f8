"""How a dossier and a verdict show in a notebook: a compact block that takes the notebook's own colours, light or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthml.evidence import Dossier
from synthml.report.html import environment
from synthml.report.performance import STANDING_WORDS, figure_cell
from synthml.report.reading import Reading, standing
from synthml.report.summary import decision_name, summarise
from synthml.report.wording import clean, count, plural, short_digest

if TYPE_CHECKING:
    from synthml.policy.verdict import Verdict

__all__ = ["dossier_html", "verdict_html"]

_MOST_GROUPS = 12
_MOST_DECISIONS = 30


def dossier_html(dossier: Dossier) -> str:
    """The answer, the headline figures and the groups with the largest possible loss. Self-contained HTML without script."""
    reading = Reading(dossier)
    metric = reading.headline
    rows = []
    if metric is not None:
        known = reading.losses(metric.name)
        for of, title, size in [
            ("all", "Everyone", reading.holdout_rows),
            *((g.of, str(g.name), g.rows) for g, _ in known[:_MOST_GROUPS]),
        ]:
            loss = reading.utility(metric.name, "loss", of)
            cells = [figure_cell(reading.utility(metric.name, p, of), metric) for p in ("tstr", "trtr", "loss")]
            rows.append((title, count(size), cells, STANDING_WORDS[standing(loss, reading.margin)]))
    return _drawn(
        "dossier",
        summary=summarise(reading, None),
        metric=metric,
        rows=rows,
        left=0 if metric is None else max(0, len(reading.losses(metric.name)) - _MOST_GROUPS),
        confidence=reading.confidence_text,
        facts=(
            f"{len(dossier.figures):,} figures",
            f"kinds: {clean(', '.join(dossier.kinds))}" if dossier.kinds else "no kind of evidence",
            plural(len(dossier.tables), "table"),
            short_digest(dossier.digest),
        ),
    )


def verdict_html(verdict: Verdict) -> str:
    """The outcome, and every criterion that is not met. Self-contained HTML without script."""
    order = {"fail": 0, "insufficient": 1, "pass": 2}
    held = [d for d in verdict.decisions if d.outcome == "pass"]
    broken = sorted(
        (d for d in verdict.decisions if d.outcome != "pass"),
        key=lambda d: (d.severity == "warn", bool(d.waived), order[d.outcome]),
    )
    reading = Reading(Dossier({}))
    return _drawn(
        "verdict",
        verdict=verdict,
        word={"pass": "Pass", "fail": "Fail", "insufficient": "Not enough evidence"}[verdict.outcome],
        policy=clean(verdict.policy)[:80],
        rows=[(decision_name(reading, d), d) for d in broken[:_MOST_DECISIONS]],
        left=max(0, len(broken) - _MOST_DECISIONS),
        held=len(held),
        total=len(verdict.decisions),
        digest=short_digest(verdict.policy_digest),
    )


def _drawn(macro: str, **facts: Any) -> str:
    return str(getattr(environment().get_template("notebook.html").module, macro)(**facts))
