"""One rule of the study, and which rows break it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import Problem
from synthml.study.rules.meaning import condition_of
from synthml.study.rules.parser import Among, Column, Compare, Literal, Node, parse
from synthml.study.rules.words import Misread
from synthml.study.tables import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from synthml.study.rules.truth import Truth
    from synthml.study.schema import Kind

__all__ = ["MOST_RULES", "Rule", "bind_rules", "columns_in", "label_notes", "problem_of", "syntax_problems"]

MOST_RULES = 200
_SHOWN = 60


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule over the columns of a study.

    text: as it was written. kinds: the columns that it names, each once, in the order of the text, and what they hold. labels:
    (column, label, place) for every text that it compares a column with.
    """

    text: str
    kinds: Mapping[str, Kind]
    labels: tuple[tuple[str, str, int], ...]
    judge: Callable[[pd.DataFrame], Truth]

    @classmethod
    def of(cls, text: str, kinds: Mapping[str, Kind]) -> Rule:
        """Read a rule over columns of these kinds. Raises Misread, also for a column that has no kind here."""
        tree = parse(text)
        used: dict[str, Kind] = {}
        for node in _columns(tree):
            if node.name not in kinds:
                raise Misread(f"names '{node.name[:40]}', which is no column of the study", "Check its spelling.", node.place)
            used[node.name] = kinds[node.name]
        if not used:
            raise Misread("names no column", "Write it over columns, such as `discharge >= admission`.", 0)
        return cls(text, used, tuple(_labels(tree, used)), condition_of(tree, used))

    def __reduce__(self) -> tuple[Any, ...]:
        return Rule.of, (self.text, dict(self.kinds))

    def __repr__(self) -> str:
        return f"Rule({self.label!r})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(self.kinds)

    @property
    def label(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())

    def broken(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """(n,) the rows of a normalised table that break it. Where a null leaves it open, it is not broken."""
        return np.broadcast_to(self.judge(frame).no, (len(frame),)).copy()


def _labels(tree: Node, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str, int]]:
    for node in _nodes(tree):
        pairs: list[tuple[Node, Node]] = []
        if isinstance(node, Among):
            pairs = [(node.of, literal) for literal in node.literals]
        elif isinstance(node, Compare):
            pairs = [pair for one, other in pairwise(node.terms) for pair in ((one, other), (other, one))]
        for column, literal in pairs:
            if isinstance(column, Column) and isinstance(literal, Literal) and kinds[column.name] == "categorical":
                yield column.name, label_of(literal.value), literal.place


def label_notes(rules: Sequence[Rule], frames: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """A note for each label in a rule that stands in no table: often a slip of the pen."""
    known: dict[str, set[object]] = {}
    for rule in rules:
        for column, label, place in rule.labels:
            if column not in known:
                known[column] = {one for frame in frames.values() if column in frame.columns for one in frame[column].unique()}
            if label not in known[column]:
                yield f"the rule `{_shortened(rule.text)}`: no row has the label at character {place + 1} in '{column}'."


def _nodes(tree: Node) -> Iterator[Node]:
    """The tree's nodes, in the order of the text."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(node.parts()))


def _columns(tree: Node) -> Iterator[Column]:
    return (node for node in _nodes(tree) if isinstance(node, Column))


def columns_in(text: str) -> tuple[tuple[str, int], ...]:
    """The columns that a rule names, each with its place; none when it cannot be read, which `syntax_problems` tells."""
    try:
        return tuple((node.name, node.place) for node in _columns(parse(text)))
    except Misread:
        return ()


def syntax_problems(rules: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with rules before any table is seen."""
    if len(rules) > MOST_RULES:
        yield Problem("schema.rules", f"has {len(rules)} rules, more than {MOST_RULES}", "Join some by `and`.")
        return
    for text in rules:
        try:
            tree = parse(text)
        except Misread as error:
            yield problem_of(text, error)
            continue
        if not any(True for _ in _columns(tree)):
            yield problem_of(text, Misread("names no column", "Write it over columns, such as `discharge >= admission`.", 0))


def bind_rules(rules: Sequence[str], kinds: Mapping[str, Kind]) -> tuple[tuple[Rule, ...], list[Problem]]:
    """The rules over these columns, and what is wrong with the others; a rule with an unknown column is left to `columns`."""
    found, problems = [], []
    for text in rules:
        if any(name not in kinds for name, _ in columns_in(text)):
            continue
        try:
            found.append(Rule.of(text, kinds))
        except Misread as error:
            problems.append(problem_of(text, error))
    return tuple(found), problems


def problem_of(text: str, error: Misread) -> Problem:
    """A mistake as a problem of the study that names the rule and the place in it."""
    place = f" (character {error.place + 1})" if error.place else ""
    return Problem("schema.rules", f"the rule `{_shortened(text)}` {error.what}{place}", error.remedy)


def _shortened(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
