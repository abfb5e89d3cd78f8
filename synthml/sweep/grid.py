"""A grid of settings out of words such as `min_leaf=1,5,20,50`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml.figures import group_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Setting", "grid_of"]

Value = int | float | str | bool
_MOST = 50


@dataclass(frozen=True)
class Setting:
    """One point of the grid. values: parameter -> value."""

    values: tuple[tuple[str, Value], ...]

    @property
    def name(self) -> str:
        """`min_leaf=5, seed=1`."""
        return ", ".join(f"{key}={value}" for key, value in self.values)

    @property
    def of(self) -> str:
        """The setting as it stands in figure ids."""
        return group_of(tuple((key, str(value)) for key, value in self.values))

    @property
    def parameters(self) -> Mapping[str, Value]:
        """Parameters for the generator."""
        return dict(self.values)


def grid_of(words: Sequence[str]) -> tuple[Setting, ...]:
    """Every combination, in the order of the words: the first is the reference. Raises InputError."""
    axes: list[tuple[str, list[Value]]] = []
    for word in words:
        name, equals, values = word.partition("=")
        listed = [value.strip() for value in values.split(",")]
        if not equals or not name.strip().isidentifier() or not all(listed):
            raise InputError(f"'{word}' is not an axis of a grid: write a parameter and its values, such as min_leaf=1,5,20")
        if name.strip() in [axis for axis, _ in axes]:
            raise InputError(f"the grid names '{name.strip()}' twice: put all its values into one")
        if len(set(listed)) < len(listed):
            raise InputError(f"the grid gives '{name.strip()}' the same value twice")
        axes.append((name.strip(), [_value(value) for value in listed]))
    if not axes:
        raise InputError("a sweep needs a grid: --grid min_leaf=1,5,20,50")
    names = [name for name, _ in axes]
    found = tuple(Setting(tuple(zip(names, values, strict=True))) for values in product(*(values for _, values in axes)))
    if len(found) > _MOST:
        raise InputError(f"the grid has {len(found)} settings, more than {_MOST}: sweep fewer at a time")
    return found


def _value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
