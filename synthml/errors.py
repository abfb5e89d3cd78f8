"""Every error a user can meet, in one tree.

SynthmlError
├── InputError               what was given cannot be used                      exit code 2
│   ├── StudyError           tables, schema or study file; carries every problem found
│   ├── PolicyError          a policy file that cannot be trusted to decide
│   ├── TrustError           a trust file that cannot say whose signature counts
│   └── EvidenceError        an evidence document that cannot be read
│       └── AttestationError a statement, signature or key that does not hold
├── MissingExtraError        an optional library is needed; names the command    exit code 2
└── TrackingError            the tracking server cannot be reached or refused    exit code 4

A message says what was found, what was expected and what to do. It names a column, a count and an example
*position*, never a value of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AttestationError",
    "EvidenceError",
    "InputError",
    "MissingExtraError",
    "PolicyError",
    "Problem",
    "StudyError",
    "SynthmlError",
    "TrackingError",
    "TrustError",
]


class SynthmlError(Exception):
    """Root of everything synthml raises on purpose."""

    exit_code = 5


class InputError(SynthmlError, ValueError):
    """What was given cannot be used as it is."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a study, told so that it can be mended.

    what: the finding, with its count. remedy: what to do about it. where: `source.age`, `schema.bins`, a file.
    """

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


class StudyError(InputError):
    """The study was stopped at the door; `problems` holds everything that was found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "the study has 1 problem" if count == 1 else f"the study has {count} problems"
        super().__init__("\n".join([f"{head}:", *(f"  - {problem}" for problem in self.problems)]))


class PolicyError(InputError):
    """A policy file has a mistake; the message names the line."""


class TrustError(InputError):
    """A trust file has a mistake; the message names the line."""


class EvidenceError(InputError):
    """An evidence document is malformed, or written by a newer version."""


class AttestationError(EvidenceError):
    """A statement cannot be read, its signature does not hold, or a key is of no use."""


class MissingExtraError(SynthmlError, ImportError):
    """An optional library is not installed."""

    exit_code = 2

    def __init__(self, library: str, purpose: str, install: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed. Install it with: {install}")


class TrackingError(SynthmlError, ConnectionError):
    """The tracking server cannot be reached, or refused. `spool` names where the evidence waits, if it was measured."""

    exit_code = 4

    def __init__(self, message: str, *, spool: str | None = None) -> None:
        self.spool = spool
        tail = "" if spool is None else f"\nNothing measured is lost. Finish recording with: synthml resume {spool}"
        super().__init__(message + tail)
