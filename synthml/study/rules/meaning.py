"""A tree over columns of known kinds: what each part is, whether the parts fit, and how rows are judged.

Each part becomes a `Meaning`: what it is (number, boolean, text, date or condition) and a function from a normalised table to
its values. Mistakes are found here, before any row is looked at. A boolean column is a condition, and 0 and 1 where numbers are
wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from synthml.study.rules.parser import Among, Arithmetic, Column, Compare, Implies, IsNull, Join, Literal, Negative, Node, Not
from synthml.study.rules.truth import Numbers, Truth, compared
from synthml.study.rules.words import Misread
from synthml.study.tables import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthml.study.schema import Kind

__all__ = ["Meaning", "condition_of"]

_KINDS = {"numeric": "number", "boolean": "boolean", "categorical": "text", "datetime": "date"}
_DAY = 86_400e6
_A = {"number": "a number", "boolean": "yes or no", "text": "a text", "date": "a date", "condition": "a condition"}
_SIGNED = ("number", "boolean")


@dataclass(frozen=True, eq=False)
class Meaning:
    """is_: number, boolean, text, date or condition. of: a table -> Numbers (dates as days since 1970), texts, or Truth.

    literal: the value where it is one, place: where it stands in the rule.
    """

    is_: str
    of: Callable[[pd.DataFrame], Any]
    place: int
    literal: float | str | bool | None = None

    def truth(self) -> Callable[[pd.DataFrame], Truth]:
        """As a condition. Raises Misread when it is none."""
        if self.is_ == "condition":
            return self.of
        if self.is_ != "boolean":
            remedy = "Compare it with something, such as `pregnant == 1`."
            raise Misread(f"has {_A[self.is_]} where a condition belongs", remedy, self.place)
        of = self.of

        def judged(frame: pd.DataFrame) -> Truth:
            value = of(frame).value
            return Truth.where(value == 1, ~np.isnan(value))

        return judged


def condition_of(tree: Node, kinds: Mapping[str, Kind]) -> Callable[[pd.DataFrame], Truth]:
    """How a rule judges the rows of a table with columns of these kinds. Raises Misread."""
    return _meaning(tree, kinds).truth()


def _meaning(node: Node, kinds: Mapping[str, Kind]) -> Meaning:
    if isinstance(node, Column):
        return _column(node, kinds)
    if isinstance(node, Literal):
        return _literal(node)
    if isinstance(node, (Negative, Arithmetic)):
        return _arithmetic(node, kinds)
    if isinstance(node, Compare):
        return _compare(node, kinds)
    if isinstance(node, Among):
        return _among(node, kinds)
    if isinstance(node, IsNull):
        return _null(node, kinds)
    return _logic(node, kinds)


def _column(node: Column, kinds: Mapping[str, Kind]) -> Meaning:
    name, is_ = node.name, _KINDS[kinds[node.name]]
    if is_ == "text":
        return Meaning(is_, lambda frame: frame[name].to_numpy(), node.place)
    if is_ == "date":
        return Meaning(is_, lambda frame: Numbers(_days(frame[name].to_numpy())), node.place)
    return Meaning(is_, lambda frame: Numbers(frame[name].to_numpy()), node.place)


def _days(stamps: NDArray[Any]) -> NDArray[np.float64]:
    days = stamps.astype("datetime64[us]").astype("int64") / _DAY
    return np.where(np.isnat(stamps), np.nan, days)


def _literal(node: Literal) -> Meaning:
    value = node.value
    if isinstance(value, str):
        return Meaning("text", lambda _: value, node.place, value)
    number = Numbers(np.asarray(float(value)))
    return Meaning("boolean" if isinstance(value, bool) else "number", lambda _: number, node.place, value)


def _arithmetic(node: Negative | Arithmetic, kinds: Mapping[str, Kind]) -> Meaning:
    if isinstance(node, Negative):
        of = _meaning(node.of, kinds)
        _demand_number(of.is_, of.place)
        return Meaning("number", lambda frame: of.of(frame).negative(), node.place)
    terms = [_meaning(term, kinds) for term in node.terms]
    is_ = terms[0].is_
    for sign, before, term in zip(node.signs, terms[:-1], terms[1:], strict=True):
        is_ = _combined(is_, sign, term, before.place)

    def combined(frame: pd.DataFrame) -> Numbers:
        value = terms[0].of(frame)
        for sign, term in zip(node.signs, terms[1:], strict=True):
            value = value.combined(sign, term.of(frame))
        return cast("Numbers", value)

    return Meaning(is_, combined, node.place)


def _demand_number(is_: str, place: int) -> None:
    if is_ not in _SIGNED:
        remedy = "Say kinds: numeric if the column holds numbers." if is_ == "text" else "Only numbers are calculated with."
        raise Misread(f"calculates with {_A[is_]}", remedy, place)


def _combined(left: str, sign: str, right: Meaning, place: int) -> str:
    """Numbers as numbers; a date less a date is a number of days, a date and a number of days a date."""
    if "date" not in (left, right.is_):
        _demand_number(left, place)
        _demand_number(right.is_, right.place)
        return "number"
    if left == right.is_ and sign == "-":
        return "number"
    if (left == "date" and right.is_ in _SIGNED and sign in "+-") or (left in _SIGNED and sign == "+"):
        return "date"
    remedy = "Write `discharge - admission <= 30` or `admission + 30`: days are added to dates, dates subtracted."
    raise Misread(f"calculates {_A[left]} {sign} {_A[right.is_]}", remedy, place)


def _compare(node: Compare, kinds: Mapping[str, Kind]) -> Meaning:
    terms = [_meaning(term, kinds) for term in node.terms]
    links = [_link(one, sign, other) for (one, other), sign in zip(pairwise(terms), node.signs, strict=True)]
    return Meaning("condition", lambda frame: Truth.all_of([link(frame) for link in links]), node.place)


def _link(left: Meaning, sign: str, right: Meaning) -> Callable[[pd.DataFrame], Truth]:
    left, right = _fitted(left, right), _fitted(right, left)
    one, other = left.of, right.of
    if left.is_ == right.is_ == "text":
        if sign not in ("==", "!="):
            remedy = "Use == and !=, or say kinds: numeric if the column holds numbers."
            raise Misread(f"puts texts in an order ({sign})", remedy, left.place)
        return lambda frame: _same_text(one(frame), other(frame), equal=sign == "==")
    if left.is_ != right.is_ and not (left.is_ in _SIGNED and right.is_ in _SIGNED):
        raise Misread(f"compares {_A[left.is_]} with {_A[right.is_]}", _remedy(left, right), left.place)
    if left.is_ == "condition":
        raise Misread("compares two conditions", "Join them by `and`, `or` or `implies`.", left.place)
    return lambda frame: compared(one(frame), sign, other(frame))


def _remedy(left: Meaning, right: Meaning) -> str:
    if "date" in (left.is_, right.is_):
        return 'Write a date in quotes, "2020-01-31", or compare a difference of dates with a number of days.'
    if "text" in (left.is_, right.is_):
        return "Say under kinds what the column holds, or compare it with a value of its own kind."
    return "Compare values of one kind."


def _fitted(what: Meaning, beside: Meaning) -> Meaning:
    """A literal in the form of what it is compared with: texts as dates, numbers as labels."""
    if what.literal is None or what.is_ == beside.is_:
        return what
    if beside.is_ == "date" and isinstance(what.literal, str):
        days = Numbers(np.asarray(_date(what.literal, what.place)))
        return Meaning("date", lambda _: days, what.place, what.literal)
    if beside.is_ == "text" and beside.literal is None and not isinstance(what.literal, str):
        label = label_of(what.literal)
        return Meaning("text", lambda _: label, what.place, label)
    return what


def _date(text: str, place: int) -> float:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise Misread(f"has '{text[:40]}' for a date", 'Write it like "2020-01-31" or "2020-01-31T08:30".', place) from error
    stamp = stamp.astimezone(UTC).replace(tzinfo=None) if stamp.tzinfo is not None else stamp
    return float(np.datetime64(stamp, "us").astype("int64")) / _DAY


def _same_text(one: Any, other: Any, *, equal: bool) -> Truth:
    known = np.asarray(pd.notna(one)) & np.asarray(pd.notna(other))
    same = np.asarray(one == other, dtype=bool)
    return Truth.where(same if equal else ~same, known)


def _among(node: Among, kinds: Mapping[str, Kind]) -> Meaning:
    what = _meaning(node.of, kinds)
    if what.is_ == "condition":
        raise Misread("asks whether a condition is in a list", "Join conditions by `and`, `or` or `implies`.", node.place)
    fitted = [_fitted(_literal(literal), what) for literal in node.literals]
    for one in fitted:
        if one.is_ != what.is_ and not (one.is_ in _SIGNED and what.is_ in _SIGNED):
            raise Misread(f"looks for {_A[one.is_]} where the column holds {_A[what.is_]}", _remedy(one, what), one.place)
    of = what.of
    if what.is_ == "text":
        labels = [one.of(_NO_TABLE) for one in fitted]

        def told(frame: pd.DataFrame) -> Truth:
            series = pd.Series(of(frame), dtype=object)
            return Truth.where(series.isin(labels).to_numpy(), series.notna().to_numpy())

        return Meaning("condition", told, node.place)
    numbers = [cast("Numbers", one.of(_NO_TABLE)) for one in fitted]

    def found(frame: pd.DataFrame) -> Truth:
        value = of(frame)
        return Truth.all_of([compared(value, "!=", number) for number in numbers]).contrary()

    return Meaning("condition", found, node.place)


_NO_TABLE = pd.DataFrame()


def _null(node: IsNull, kinds: Mapping[str, Kind]) -> Meaning:
    what = _meaning(node.of, kinds)
    if what.is_ == "condition":
        raise Misread("asks whether a condition is null", "Ask it of a column: `column is null`.", node.place)
    of, text = what.of, what.is_ == "text"

    def judged(frame: pd.DataFrame) -> Truth:
        null = np.asarray(pd.isna(of(frame) if text else of(frame).value))
        return Truth(null, ~null)

    return Meaning("condition", judged, node.place)


def _logic(node: Node, kinds: Mapping[str, Kind]) -> Meaning:
    parts = [_meaning(part, kinds).truth() for part in node.parts()]
    if isinstance(node, Not):
        return Meaning("condition", lambda frame: parts[0](frame).contrary(), node.place)
    if isinstance(node, Join) and node.word == "and":
        return Meaning("condition", lambda frame: Truth.all_of([part(frame) for part in parts]), node.place)
    assert isinstance(node, (Join, Implies))

    def either(frame: pd.DataFrame) -> Truth:
        found = [part(frame) for part in parts]
        if isinstance(node, Implies):
            found[0] = found[0].contrary()
        return Truth.all_of([one.contrary() for one in found]).contrary()

    return Meaning("condition", either, node.place)
