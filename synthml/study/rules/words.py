"""The text of a rule as words, each with its place."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["KEYWORDS", "MOST_CHARACTERS", "Misread", "Word", "words_of"]

MOST_CHARACTERS = 2000
KEYWORDS = frozenset({"and", "or", "not", "implies", "in", "is", "null", "true", "false"})
_WORD = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | "(?P<double>[^"]*)" | '(?P<single>[^']*)'
    | `(?P<quoted>[^`]+)`
    | (?P<name>[^\W\d][\w.]*)
    | (?P<sign><=|>=|==|!=|[<>+\-*/()\[\],])
    )""",
    re.VERBOSE,
)
_MISTAKES = {
    "=": 'Write == for "equals".',
    "&": 'Write "and".',
    "|": 'Write "or".',
    "!": 'Write "not", or != for "differs from".',
    '"': "The quotation mark is never closed.",
    "'": "The quotation mark is never closed.",
    "`": "The name of a column is never closed by a second backtick.",
}


class Misread(ValueError):  # noqa: N818 a mistake of the writer of a rule, not an error of the program
    """A rule that cannot be understood. what was found, a remedy, and the place in the rule, counted from 0."""

    def __init__(self, what: str, remedy: str, place: int) -> None:
        super().__init__(what)
        self.what, self.remedy, self.place = what, remedy, place


@dataclass(frozen=True)
class Word:
    """kind: number, text, name, keyword, sign or end. text: its content, keywords in lower case. place: counted from 0."""

    kind: str
    text: str
    place: int


def words_of(rule: str) -> list[Word]:
    """The words of a rule, closed by a word of kind `end`. Raises Misread."""
    if len(rule) > MOST_CHARACTERS:
        told = f"is longer than {MOST_CHARACTERS} characters"
        raise Misread(told, "Split it into several rules: all of them must hold anyway.", MOST_CHARACTERS)
    found: list[Word] = []
    at, end = 0, len(rule.rstrip())
    while at < end:
        match = _WORD.match(rule, at)
        if match is None:
            at += len(rule[at:]) - len(rule[at:].lstrip())
            raise Misread(f"has '{rule[at]}', which means nothing there", _MISTAKES.get(rule[at], "Take it out."), at)
        found.append(_word(match))
        at = match.end()
    return [*found, Word("end", "", end)]


def _word(match: re.Match[str]) -> Word:
    kind = str(match.lastgroup)
    text = match.group(kind)
    if kind == "number" and math.isinf(float(text)):
        raise Misread("has a number beyond what a computer holds", "Write a smaller one.", match.start(kind))
    place = match.start(kind) - (kind in ("double", "single", "quoted"))
    if kind in ("double", "single"):
        return Word("text", text, place)
    if kind == "quoted":
        return Word("name", text, place)
    if kind == "name" and text.lower() in KEYWORDS:
        return Word("keyword", text.lower(), place)
    return Word(kind, text, place)
