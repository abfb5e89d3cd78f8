"""Finish recording a run that was cut off."""

from __future__ import annotations

from pathlib import Path

from synthml_tracking.spool import Spool
from synthml_tracking.writer import Observer, Recorded, write

__all__ = ["resume"]


def resume(folder: str | Path, *, observer: Observer = lambda _: None) -> Recorded:
    """Write what is missing, add nothing twice, and remove the spool. May be called again and again until it succeeds.

    folder: the spool, as the error message named it. Raises InputError when it is no spool or another process is writing from it,
    TrackingError when the server still fails.
    """
    spool = Spool.open(Path(folder))
    recorded = write(spool, again=True, observer=observer)
    spool.remove()
    return recorded
