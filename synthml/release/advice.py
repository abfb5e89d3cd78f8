"""What a custodian can do about a release that was refused or could not be decided: one line a reason, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthml.policy.verdict import Decision
    from synthml.release.decision import Release

__all__ = ["advice"]

_COARSER = (
    "make the table again with a coarser or a private generator (a larger min_leaf, a smaller epsilon) and measure that one"
)
_ON_FAIL = {
    "disclosure": _COARSER,
    "utility": "the table costs the model too much: a finer generator or more source rows; expect the risks to rise",
}


def advice(release: Release) -> tuple[str, ...]:
    """Lines of advice, the most binding first; none when every policy passes."""
    lines: list[str] = []
    for verdict in release.verdicts:
        lines += [_about_failed(decision) for decision in verdict.failed]
    for verdict in release.verdicts:
        lines += [_about_open(decision) for decision in verdict.open]
    missing = dict.fromkeys(d.figure for verdict in release.verdicts for d in verdict.open if _missing(d))
    if missing:
        lines.append(f"not measured: {', '.join(missing)}; the notes of the dossier say why")
    return tuple(dict.fromkeys(line for line in lines if line))


def _about_failed(decision: Decision) -> str:
    if decision.id == "lineage.no_contamination":
        return "give a holdout whose patients neither generator nor model has seen"
    return _ON_FAIL.get(decision.figure.partition(".")[0], "")


def _missing(decision: Decision) -> bool:
    return bool(decision.figure) and decision.found == "not measured"


def _about_open(decision: Decision) -> str:
    if _missing(decision):
        return ""
    kind, _, what = decision.id.partition(".")
    if kind == "document":
        return f"fill in {what} in the study's generation record"
    if decision.id == "lineage.no_contamination" or "holdout" in decision.reason:
        return "name tables.holdout in the study: real rows that the generator never saw"
    if decision.id == "freshness":
        return "measure again: the evidence is too old or carries no time"
    if decision.n_required is not None:
        return f"{decision.figure} is undecided: about {decision.n_required:,} rows would decide it, if its value stayed"
    if decision.figure:
        return f"{decision.figure} was not decided: {decision.reason or decision.found}"
    return ""
