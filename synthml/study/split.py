"""A split of a table into training and holdout rows that never tears the rows of one subject apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthml.errors import InputError

__all__ = ["split_by_subject"]


def split_by_subject(
    frame: pd.DataFrame, *, subject: str | None = None, fraction: float = 0.3, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, holdout): a random `fraction` of the subjects, with all their rows, becomes the holdout.

    Without `subject` every row is its own subject. Rows keep their order and their index. Which subjects are drawn depends on
    the seed and on the order in which they first appear. Raises InputError.
    """
    if not 0 < fraction < 1:
        raise InputError(f"fraction must lie between 0 and 1, got {fraction}")
    if subject is None:
        codes = np.arange(len(frame))
        count = len(frame)
    else:
        if subject not in frame.columns:
            raise InputError(f"the table has no column '{subject}' to split by")
        codes, uniques = pd.factorize(frame[subject])
        count = len(uniques)
        missing = int((codes < 0).sum())
        if missing:
            raise InputError(
                f"{subject}: {missing} of {len(frame)} rows have no subject (first at row {int(np.argmax(codes < 0))}). "
                "Drop these rows, or give each a subject of its own."
            )
    if count < 2:
        raise InputError(f"a table of {count} subject{'' if count == 1 else 's'} cannot be split in two")
    taken = min(max(round(fraction * count), 1), count - 1)
    held = np.zeros(count, dtype=bool)
    held[np.random.default_rng(seed).permutation(count)[:taken]] = True
    rows = held[codes]
    return frame.loc[~rows], frame.loc[rows]
