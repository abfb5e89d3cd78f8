"""Recalls on the page of a version: a line above its description for each, put there by the recall and taken away by its lift.

The description is for whoever looks at the page; nothing is decided from it. What somebody wrote stands below, untouched, and
stands alone again when every recall is lifted. Cards of ours leave room for one notice (`items.card`). Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthml_tracking.items import NOTICE, short_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from synthml_tracking.recalls import Recall

__all__ = ["is_ours", "with_notice", "without_notices"]

_CUTS = (200, 100, 40, 10)  # characters of a reason
_OUR_CARD = "Full report: artifact `synthml/report.html`"  # stands in every card of ours
_NOTICE = re.compile(r"> \*\*RECALLED\*\*[^\n]* \(recall `([0-9a-f]{12})`\)(?:\n\n|\Z)")


def is_ours(description: str) -> bool:
    """Whether a card may take the place of a description: what somebody wrote by hand may not be replaced."""
    _, below = _split(description)
    return not below.strip() or _OUR_CARD in below


def with_notice(description: str, recalls: Iterable[Recall]) -> str:
    """The description below a notice of each recall that it does not tell of yet, as far as there is room for a whole one."""
    from synthml.report.card import LIMIT

    for recall in recalls:
        above, _ = _split(description)
        if _key(recall.identity) not in {key for key, _ in above}:
            longer = f"{_line(recall)}\n\n{description}".removesuffix("\n\n")
            description = longer if len(longer) <= LIMIT else description
    return description


def without_notices(description: str, identities: Collection[str]) -> str:
    """The description without the notices of these recalls."""
    above, below = _split(description)
    gone = {_key(one) for one in identities}
    return "".join(line for key, line in above if key not in gone) + below


def _split(description: str) -> tuple[list[tuple[str, str]], str]:
    """(key and text of each notice at the top, what stands below them)."""
    above = []
    while found := _NOTICE.match(description):
        above.append((found[1], found[0]))
        description = description[found.end() :]
    return above, description


def _key(identity: str) -> str:
    return short_digest(identity)[:12]


def _line(recall: Recall) -> str:
    """One line, as much of it as a card leaves room for: what a reason holds of Markdown or HTML is shown as text, and longer."""
    lines = (_cut_line(recall, cut) for cut in _CUTS)
    return next((line for line in lines if len(line) <= NOTICE - 2), _cut_line(recall, _CUTS[-1]))


def _cut_line(recall: Recall, cut: int) -> str:
    from synthml.report.markdown import markdown_text

    by = markdown_text(recall.by, cut=min(cut, 60)) if recall.verified else "somebody whose signature was not verified"
    told = f" on {recall.declared[:10]}" if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", recall.declared) else ""
    why = f": {markdown_text(recall.reason, cut=cut)}" if recall.reason else ""
    table = short_digest(recall.digest)[:12]
    head = f"> **RECALLED**{told} by {by}. Behind this model is table `{table}`, which must not be relied on"
    return f"{head}{why}. `synthml gate` says whether it may serve. (recall `{_key(recall.identity)}`)"
