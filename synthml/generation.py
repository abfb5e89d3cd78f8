"""How a synthetic table was made: `GenerationRecord`, the fields of its datasheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GenerationRecord"]


class GenerationRecord:
    """How a synthetic table was made."""

    def __init__(self, **fields: Any) -> None:
        self._fields = dict(fields)

    def to_dict(self) -> dict[str, Any]:
        """The document."""
        return dict(self._fields)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GenerationRecord:
        """Read the document."""
        return cls(**data)
