"""What synthesis did, in a line a chapter: for the first screen and the reviewer's card.

A problem is told in its own words, the weightiest of its chapter first; a chapter without one is told in a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.report.bias import bias_findings
from synthml.report.fidelity import fidelity_chapter
from synthml.report.quality import quality_chapter

if TYPE_CHECKING:
    from synthml.report.reading import Reading

__all__ = ["chapter_lines"]


def chapter_lines(reading: Reading) -> tuple[str, ...]:
    """A sentence or two each of bias, fidelity and quality, of what was measured of them."""
    return tuple(line for line in (_bias(reading), _fidelity(reading), _quality(reading)) if line)


def _bias(reading: Reading) -> str:
    findings = bias_findings(reading)
    problems = [finding.text for finding in findings if finding.tone == "problem"]
    if problems:
        return " ".join(problems[:2])
    return "From source to model no difference between groups was clearly added." if findings else ""


def _fidelity(reading: Reading) -> str:
    chapter = fidelity_chapter(reading)
    return chapter.lead if chapter is not None else ""


def _quality(reading: Reading) -> str:
    chapter = quality_chapter(reading)
    if chapter is None:
        return ""
    problems = [found.text for found in chapter.found if found.tone == "problem"]
    return problems[0] if problems else "Nothing wrong was found in the tables' labels, rows and features."
