"""A study, however the user names it."""

from __future__ import annotations

from pathlib import Path

from synthml import Study
from synthml.errors import InputError
from synthml.study import StudyFile

__all__ = ["opened"]


def opened(given: object) -> tuple[Study, StudyFile | None]:
    """(study, its file if it came from one). given: a Study, a StudyFile, or the path of one. Raises InputError, StudyError."""
    if isinstance(given, Study):
        return given, None
    if isinstance(given, (str, Path)):
        given = StudyFile.load(given)
    if isinstance(given, StudyFile):
        return given.study(), given
    raise InputError(f"a study is a Study, a StudyFile or the path of one, not a {type(given).__name__}")
