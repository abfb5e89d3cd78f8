"""A metric that does not exist on the rows at hand."""

from __future__ import annotations

__all__ = ["Undefined"]


class Undefined(ValueError):
    """The metric has no value here; the message is a plain reason, such as "only one class among these rows"."""
