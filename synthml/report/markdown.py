"""Text of somebody's that stays text in Markdown.

Labels come out of somebody's table. They are cleaned, cut, and escaped by backslashes and entities in a way that CommonMark,
GitHub's dialect and Showdown (which MLflow uses) all read as plain text: no cell, link, image, mention or tag can come of them.
"""

from __future__ import annotations

import re

from synthml.report.wording import Label, prose

__all__ = ["digest_text", "markdown_text"]

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;", "$": "&#36;", "\\": "&#92;", "`": "&#96;"}
_ESCAPED = frozenset("*_[]~#{}!")
_MEANT = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(\d+)([.)])|^([-+=])")


def markdown_text(text: object, *, cut: int = 200) -> str:
    """Text that stays text in Markdown: cleaned, cut to `cut` characters, then escaped."""
    short = text.shown if isinstance(text, Label) else prose(text, cut=cut)
    escaped = "".join(_ENTITIES.get(c) or (f"\\{c}" if c in _ESCAPED else c) for c in short.strip())
    escaped = _MEANT.sub(lambda m: "&#58;" if m.group() == ":" else "&#46;", escaped)
    return _LIST_MARK.sub(lambda m: f"{m[1]}&#{ord(m[2])};" if m[1] else f"&#{ord(m[3])};", escaped)


def digest_text(text: object) -> str:
    """For a code span in a table cell: a digest, and nothing else."""
    return str(text) if re.fullmatch(r"[a-z0-9-]{1,20}:[0-9a-f]{1,64}", str(text)) else "unknown"
