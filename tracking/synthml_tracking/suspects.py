"""Positions of suspected rows as a file for whoever holds the tables. They are logged nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from synthml.quality import Suspects

__all__ = ["check_suspects", "suspects_csv"]


def check_suspects(suspects: Path | None, output: Path, kinds: Sequence[str]) -> None:
    """Raise InputError for a file that cannot or must not be written, before anything is measured."""
    if suspects is None:
        return
    if kinds and "quality" not in kinds:
        raise InputError("--suspects are found with the evidence of kind quality: add --kind quality")
    if suspects.resolve().is_relative_to(output.resolve()):
        raise InputError("--suspects must lie outside of --output: the evidence is handed on, positions of rows never are")
    if not suspects.absolute().parent.is_dir():
        raise InputError(f"the folder of {suspects} does not exist")


def suspects_csv(found: Sequence[Suspects]) -> bytes:
    """role, position (0-based, in that table as it was given), finding. No value of the row."""
    lines = ["role,position,finding"]
    for suspects in found:
        for (role, finding), positions in sorted(suspects.found.items()):
            lines += [f"{role},{position},{finding}" for position in positions]
    return ("\n".join(lines) + "\n").encode()
