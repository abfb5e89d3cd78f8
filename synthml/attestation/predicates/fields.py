"""Reading a field of a predicate: there and of its type, or an AttestationError that names it.

A predicate comes from whoever can write to the registry, so nothing is taken to be what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from synthml.errors import AttestationError

__all__ = ["choice", "mapping", "mappings", "moment", "optional_text", "text", "texts"]


def text(data: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = data.get(name)
    if not isinstance(value, str):
        raise AttestationError(f"the predicate has no '{name}'")
    return value


def optional_text(data: Mapping[str, Any], name: str) -> str | None:
    """A text, or None when it is absent or null."""
    return None if data.get(name) is None else text(data, name)


def choice(data: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    """One of a few words."""
    value = text(data, name)
    if value not in known:
        raise AttestationError(f"the predicate's '{name}' is {value[:40]!r}; expected is {' or '.join(known)}")
    return value


def moment(data: Mapping[str, Any], name: str) -> str:
    """A time with a timezone, kept as the text that was signed."""
    value = text(data, name)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise AttestationError(f"the predicate's '{name}' is no time with a timezone")
    return value


def mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A map that must be there."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise AttestationError(f"the predicate has no '{name}'")
    return value


def texts(data: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts; absent is empty."""
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise AttestationError(f"the predicate's '{name}' is no list of texts")
    return tuple(value)


def mappings(data: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """A list of maps; absent is empty."""
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise AttestationError(f"the predicate's '{name}' is no list of maps")
    return tuple(value)
