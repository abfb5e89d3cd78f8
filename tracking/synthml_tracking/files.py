"""Files that are whole or absent: written beside their place, flushed to disk, and moved into it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["flush_folder", "write_private", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none of it, whatever happens meanwhile."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _flush_entry(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """As `write_whole`, for its owner's eyes only, from the first byte on."""
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _flush_entry(path.parent)


def flush_folder(folder: Path) -> None:
    """Everything in a folder, on disk before this returns."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_entry(path)
    _flush_entry(folder)


def _flush_entry(folder: Path) -> None:
    """The names in a folder. Windows has no such call, and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
