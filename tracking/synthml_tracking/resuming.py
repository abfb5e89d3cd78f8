"""Finish recording a run that was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synthml_tracking.spool import Spool
from synthml_tracking.writer import Recorded, write

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["resume"]


def resume(folder: str | Path, *, observer: Callable[[str], None] = lambda _: None) -> Recorded:
    """Write what is missing, add nothing twice, and remove the spool. May be called again and again.

    Raises InputError when the folder is no spool, TrackingError when the server still fails.
    """
    spool = Spool.open(Path(folder))
    recorded = write(spool, again=True, observer=observer)
    spool.remove()
    return recorded
