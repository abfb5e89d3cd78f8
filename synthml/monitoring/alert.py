"""The message about a batch, in Markdown, for a chat, an e-mail or a ticket: what drifted, in whom, against which threshold.

Names of columns and labels of groups come out of somebody's table: they are escaped so that they stay text. No value of a row
stands in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthml.figures import unescape_label
from synthml.report.markdown import markdown_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synthml.evidence import Dossier
    from synthml.policy import Decision, Verdict

__all__ = ["alert_markdown", "headline"]

_HEADS = {"pass": "Quiet", "fail": "ALERT", "insufficient": "Not enough to say"}
_MOST = 15
_PLAIN = re.compile(r"[A-Za-z0-9 .,()=+-]{1,200}")
_ADDRESS = re.compile(r"[A-Za-z0-9:/@._#?&=, -]{1,300}")


def headline(dossier: Dossier, verdict: Verdict, model: str) -> str:
    """One line of plain text: `ALERT models:/x/1: 1,204 rows, 2 criteria failed (...)`."""
    rows = dossier.datasets.get("production", {}).get("rows") or 0
    against = verdict.failed or verdict.open
    told = ""
    if against:
        names = list(dict.fromkeys(f"{d.id} [{_subject(d)}]" if _subject(d) else d.id for d in against))
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        told = f": {', '.join(names[:4])}{more}"
    return f"{_HEADS[verdict.outcome]} {model}, {rows:,} rows{told}"


def alert_markdown(dossier: Dossier, verdict: Verdict, *, model: str, links: Mapping[str, str]) -> str:
    """The whole message. model: as it was asked for; links: what -> address or id, told at the end."""
    rows = dossier.datasets.get("production", {}).get("rows") or 0
    lines = [f"## {_HEADS[verdict.outcome]}: {_code(model)}", ""]
    people = dossier.datasets.get("production", {}).get("subjects")
    whose = f" of {people:,} persons" if isinstance(people, int) else ""
    lines += [f"Production batch of {rows:,} rows{whose}, {_code(dossier.created or 'at an unknown time')}.", ""]
    lines += _decisions("Failed", verdict.failed)
    lines += _decisions("Cannot be decided", verdict.open)
    lines += _decisions("Warnings", [d for d in verdict.warnings if d.outcome == "fail"])
    lines += _checks(dossier)
    notes = [note for note in dossier.notes if "performance" in note or "groups" in note]
    lines += [f"- {markdown_text(note, cut=300)}" for note in notes] + ([""] if notes else [])
    lines += [f"Policy {markdown_text(verdict.policy)}, {_code(verdict.policy_digest)}; evidence {_code(dossier.digest)}."]
    lines += [f"- {_ours(what)}: {_code(where)}" for what, where in links.items()]
    return "\n".join(lines) + "\n"


def _ours(text: str) -> str:
    """Words and numbers of our own making, which read better as they stand; anything else is escaped."""
    return text if _PLAIN.fullmatch(text) else markdown_text(text, cut=120)


def _code(text: str) -> str:
    """An address, an id or a digest in a code span; what could end the span is escaped text."""
    return f"`{text}`" if _ADDRESS.fullmatch(text) else markdown_text(text, cut=300)


def _decisions(title: str, decisions: Iterable[Decision]) -> list[str]:
    held = list(decisions)
    if not held:
        return []
    lines = [f"### {title}", "", "| | of | required | found |", "| --- | --- | --- | --- |"]
    for d in held[:_MOST]:
        whose = markdown_text(_subject(d), cut=120) or "everyone"
        lines.append(f"| {_ours(d.id)} | {whose} | {_ours(d.required)} | {_ours(d.found)} |")
    if len(held) > _MOST:
        lines.append(f"\nand {len(held) - _MOST} more in the evidence")
    return [*lines, ""]


def _subject(decision: Decision) -> str:
    """The column or the group that a criterion is about, as it reads."""
    if decision.of in ("", "all", "each", "groups"):
        return ""
    pairs = [part.partition(":") for part in decision.of.split(" ")]
    return ", ".join(f"{unescape_label(column)} {unescape_label(label)}".strip() for column, _, label in pairs)


def _checks(dossier: Dossier) -> list[str]:
    checks = dossier.tables.get("batch_checks", ())
    if not checks:
        return []
    ranked = sorted(checks, key=lambda row: not row["grave"])
    lines = [
        f"- {'**' if row['grave'] else ''}{markdown_text(row['finding'], cut=300)}{'**' if row['grave'] else ''}"
        for row in ranked
    ]
    more = [f"- and {len(lines) - _MOST} more in the evidence"] if len(lines) > _MOST else []
    return ["### The batch", "", *lines[:_MOST], *more, ""]
