"""Known shares of a population, stated in the schema: `reference_shares: {sex: {F: 0.51, M: 0.49}}`.

Their words are checked where the schema is made, their labels where the tables are known. Shares are rounded when people write
them, so they may miss 1 by a hundredth, and are scaled to it. Rows whose value is missing are compared with nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from synthml.errors import Problem
from synthml.study.groups import MISSING, bin_label, group_rows
from synthml.study.problems import listed
from synthml.study.tables import label_of

if TYPE_CHECKING:
    import pandas as pd

    from synthml.study.problems import Problems
    from synthml.study.schema import Kind, Schema

__all__ = ["check_shares", "stated_shares"]

_SLACK = 0.01
_EXAMPLE = "Write {sex: {F: 0.51, M: 0.49}}."


def stated_shares(given: object, problems: list[Problem]) -> dict[str, dict[str, float]]:
    """column -> label -> share as it was written; a problem for each that is no share, and where they do not add up to 1."""
    if not isinstance(given, Mapping):
        problems.append(Problem("schema.reference_shares", "is not a map", _EXAMPLE))
        return {}
    found: dict[str, dict[str, float]] = {}
    for column, shares in given.items():
        where = f"schema.reference_shares.{column}"
        if not isinstance(shares, Mapping) or len(shares) < 2:
            problems.append(Problem(where, "is not a map of at least two groups", _EXAMPLE))
            continue
        wrong = sum(not _is_share(share) for share in shares.values())
        if wrong:
            told = f"{wrong} of {len(shares)} shares are not numbers above 0 and below 1"
            problems.append(Problem(where, told, "Leave out groups that nobody is in, and write shares, not percent."))
            continue
        labelled = {label_of(label): float(share) for label, share in shares.items()}
        total = math.fsum(labelled.values())
        if len(labelled) < len(shares):
            problems.append(Problem(where, f"{len(shares) - len(labelled)} groups stand there twice", "Name each once."))
        elif abs(total - 1) > _SLACK:
            remedy = "Give the share of every group; together they are the whole population."
            problems.append(Problem(where, f"the {len(shares)} shares add up to {total:.4g}, not to 1", remedy))
        found[str(column)] = labelled
    return found


def _is_share(share: object) -> bool:
    return isinstance(share, (int, float)) and not isinstance(share, bool) and 0 < share < 1


def check_shares(
    schema: Schema,
    kinds: Mapping[str, Kind],
    bins: Mapping[str, Sequence[float]],
    frames: Mapping[str, pd.DataFrame],
    problems: Problems,
    notes: list[str],
) -> None:
    """The labels of the shares against those of the tables: each share is somebody's, and each row of the source has one."""
    for column, shares in schema.reference_shares.items():
        held = {role: frame[column] for role, frame in frames.items() if column in frame.columns and len(frame)}
        if not held or kinds.get(column) == "datetime":
            continue  # told as a column that is not there, or that has no groups
        boolean = kinds.get(column) == "boolean"
        groups = {role: group_rows(column, values, bins.get(column), boolean=boolean) for role, values in held.items()}
        known = {label for grouping in groups.values() for ((_, label),) in grouping.labels}
        known |= {bin_label(low, high) for low, high in pairwise(bins.get(column) or ())}
        where = f"schema.reference_shares.{column}"
        strange = [label for label in shares if label not in known]
        if strange:
            told = f"{len(strange)} of {len(shares)} groups stand in none of the tables ({', '.join(held)}): {listed(strange)}"
            problems.add(where, told, _labels(column, bins.get(column)))
        if "source" not in groups:
            continue
        sizes = dict(zip((label for ((_, label),) in groups["source"].labels), groups["source"].sizes.tolist(), strict=True))
        lacking = {label: rows for label, rows in sizes.items() if label not in shares and label != MISSING}
        if lacking:
            total = sum(sizes.values())
            told = f"{len(lacking)} groups of the source, {sum(lacking.values())} of {total} rows, have no share"
            problems.add(where, told, f"Give the share of every group. {_labels(column, bins.get(column))}")
        elif sizes.get(MISSING):
            notes.append(f"reference_shares.{column}: source rows without a value are left out of the comparison.")


def _labels(column: str, bins: Sequence[float] | None) -> str:
    if bins is None:
        return "Write the labels as they stand in the tables."
    return f"The groups of '{column}' are its bins: {listed([bin_label(low, high) for low, high in pairwise(bins)])}."
