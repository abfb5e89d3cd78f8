"""A metric that does not exist on the rows at hand."""

from __future__ import annotations

__all__ = ["Undefined"]


class Undefined(ValueError):  # noqa: N818  the field says that a metric is undefined, not that it is an error
    """The metric has no value here; the message is a plain reason, such as "only one class among these rows"."""
