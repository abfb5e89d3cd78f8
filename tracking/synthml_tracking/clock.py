"""The one place that reads the clock; everything else is told the time."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["iso", "now", "now_iso"]


def now() -> datetime:
    """The time, in UTC, to the second: finer would say nothing and make documents differ."""
    return datetime.now(UTC).replace(microsecond=0)


def iso(moment: datetime) -> str:
    """`2030-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_iso() -> str:
    """The time as it stands in documents."""
    return iso(now())
