"""Words as a tree, by recursive descent.

rule        either [implies rule]
either      both {or both}
both        plain {and plain}
plain       not plain | sum {< <= == != >= > sum} | sum is [not] null | sum [not] in [literal, ...]
sum         product {+ - product}
product     signed {* / signed}
signed      - signed | number | "text" | true | false | column | `odd name` | ( rule )
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from synthml.study.rules.words import Misread, Word, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Among", "Arithmetic", "Column", "Compare", "Implies", "IsNull", "Join", "Literal", "Negative", "Node", "Not", "parse"]

MOST_DEPTH = 40
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")


@dataclass(frozen=True)
class Node:
    """place: where it begins in the rule, counted from 0."""

    place: int

    def parts(self) -> Iterator[Node]:
        """The nodes right below, from left to right."""
        for held in fields(self):
            value = getattr(self, held.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Node):
                    yield part


@dataclass(frozen=True)
class Column(Node):
    """A column by its name."""

    name: str


@dataclass(frozen=True)
class Literal(Node):
    """A number, a text, or true and false."""

    value: float | str | bool


@dataclass(frozen=True)
class Negative(Node):
    """Minus `of`."""

    of: Node


@dataclass(frozen=True)
class Arithmetic(Node):
    """terms joined from left to right by as many signs less one."""

    terms: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Compare(Node):
    """A chain: every two neighbours are compared."""

    terms: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Among(Node):
    """Whether `of` is one of the literals."""

    of: Node
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class IsNull(Node):
    """Whether `of` is null."""

    of: Node


@dataclass(frozen=True)
class Not(Node):
    """The contrary."""

    of: Node


@dataclass(frozen=True)
class Join(Node):
    """All of the terms (`and`), or at least one (`or`)."""

    word: str
    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Implies(Node):
    """Where `condition` holds, `consequence` must."""

    condition: Node
    consequence: Node


def parse(rule: str) -> Node:
    """The tree of a rule. Raises Misread."""
    reader = _Reader(words_of(rule))
    if reader.word.kind == "end":
        raise Misread("is empty", "Write it over columns, such as `discharge >= admission`.", 0)
    tree = reader.rule()
    if reader.word.kind != "end":
        raise reader.unexpected("an operator or the end of the rule")
    return tree


class _Reader:
    """The words, and how far they are read."""

    def __init__(self, words: list[Word]) -> None:
        self._words, self._at, self._depth = words, 0, 0

    @property
    def word(self) -> Word:
        """The next word."""
        return self._words[self._at]

    def unexpected(self, expected: str) -> Misread:
        """The mistake that the next word is."""
        word = self.word
        told = "ends too early" if word.kind == "end" else f"has '{word.text[:40]}' where {expected} belongs"
        return Misread(told, f"Expected is {expected}.", word.place)

    def _taken(self, *texts: str) -> str | None:
        """The next word, when it is one of these signs or keywords; it is read then."""
        if self.word.kind not in ("sign", "keyword") or self.word.text not in texts:
            return None
        self._at += 1
        return self._words[self._at - 1].text

    def _demand(self, text: str) -> None:
        if self._taken(text) is None:
            raise self.unexpected(f"'{text}'")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Misread(f"is nested more than {MOST_DEPTH} deep", "Split it into several rules.", self.word.place)

    def rule(self) -> Node:
        """The loosest binding: an implication."""
        place = self.word.place
        self._deeper()
        condition = self._joined("or")
        if self._taken("implies"):
            condition = Implies(place, condition, self.rule())
        self._depth -= 1
        return condition

    def _joined(self, word: str) -> Node:
        place = self.word.place
        terms = [self._joined("and") if word == "or" else self._plain()]
        while self._taken(word):
            terms.append(self._joined("and") if word == "or" else self._plain())
        return terms[0] if len(terms) == 1 else Join(place, word, tuple(terms))

    def _plain(self) -> Node:
        place = self.word.place
        if self._taken("not"):
            self._deeper()
            found: Node = Not(place, self._plain())
            self._depth -= 1
            return found
        first = self._sum()
        if self._taken("is"):
            contrary = self._taken("not")
            self._demand("null")
            return Not(place, IsNull(place, first)) if contrary else IsNull(place, first)
        contrary = self._taken("not")
        if contrary or (self.word.kind == "keyword" and self.word.text == "in"):
            self._demand("in")
            among = Among(place, first, self._literals())
            return Not(place, among) if contrary else among
        terms, signs = [first], list[str]()
        while sign := self._taken(*COMPARISONS):
            signs.append(sign)
            terms.append(self._sum())
        return Compare(place, tuple(terms), tuple(signs)) if signs else first

    def _literals(self) -> tuple[Literal, ...]:
        self._demand("[")
        found = [self._literal()]
        while self._taken(","):
            found.append(self._literal())
        self._demand("]")
        return tuple(found)

    def _literal(self) -> Literal:
        place, minus = self.word.place, self._taken("-")
        word = self.word
        if word.kind == "number":
            self._at += 1
            return Literal(place, -float(word.text) if minus else float(word.text))
        if not minus and (word.kind == "text" or word.text in ("true", "false")):
            self._at += 1
            return Literal(place, word.text if word.kind == "text" else word.text == "true")
        if word.kind == "name":
            raise Misread(f"has the bare word '{word.text[:40]}' in a list", f'Put it in quotes: "{word.text[:40]}".', word.place)
        raise self.unexpected("a number or a text in quotes")

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._signed)

    def _chain(self, signs: tuple[str, ...], below: Callable[[], Node]) -> Node:
        place = self.word.place
        terms, read = [below()], list[str]()
        while sign := self._taken(*signs):
            read.append(sign)
            terms.append(below())
        return Arithmetic(place, tuple(terms), tuple(read)) if read else terms[0]

    def _signed(self) -> Node:
        word = self.word
        if self._taken("-"):
            self._deeper()
            found: Node = Negative(word.place, self._signed())
            self._depth -= 1
            return found
        if self._taken("("):
            found = self.rule()
            self._demand(")")
            return found
        if word.kind == "name":
            self._at += 1
            if self.word.text == "(" and self.word.kind == "sign":
                told = f"has '{word.text[:40]}(', and there are no functions"
                raise Misread(told, "Put a column with brackets in its name in backticks.", word.place)
            return Column(word.place, word.text)
        if word.kind == "keyword" and word.text == "null":
            raise Misread("compares with null", "Write `column is null` or `column is not null`.", word.place)
        if word.kind in ("number", "text") or word.text in ("true", "false"):
            return self._literal()
        raise self.unexpected("a column, a number or a text in quotes")
