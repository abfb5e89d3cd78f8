"""Whose rows they are: the source's subjects as numbers, and names for synthetic ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NewSubjects", "subject_codes"]


def subject_codes(series: pd.Series) -> NDArray[np.int64]:
    """(n,) 0, 1, ... in order of appearance. Raises InputError for rows that belong to nobody."""
    codes, _ = pd.factorize(series)
    nobody = np.flatnonzero(codes < 0)
    if nobody.size:
        raise InputError(
            f"the subject column '{series.name}' is null in {nobody.size} rows, the first at position {nobody[0]}. "
            "Say whose rows they are, or leave them out"
        )
    return codes.astype(np.int64)


class NewSubjects:
    """Ids for synthetic subjects that no subject of the source has.

    Numbers start after the first power of ten that no source id exceeds, so that not even the largest id is told; text is
    `synthetic-1`, `synthetic-2`, ...
    """

    def __init__(self, series: pd.Series) -> None:
        self._name, self._dtype = series.name, series.dtype
        self._is_number = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
        self._start, self._prefix = 0, "synthetic-"
        if self._is_number:
            self._start = _free(series)
        else:
            taken = series.astype(str).str
            while taken.startswith(self._prefix).any():
                self._prefix = f"new-{self._prefix}"

    @property
    def name(self) -> object:
        """The subject column."""
        return self._name

    def series(self, owner: NDArray[np.int64]) -> pd.Series:
        """The subject column for rows of subjects 0, 1, ..."""
        if not self._is_number:
            text = np.char.add(self._prefix, (owner + 1).astype(str)).astype(object)
            return pd.Series(text, name=self._name, dtype=self._dtype if _is_text(self._dtype) else object)
        ids = pd.Series(owner + self._start + 1, name=self._name)
        fits = not pd.api.types.is_integer_dtype(self._dtype) or _room(self._dtype) >= int(ids.max())
        return ids.astype(self._dtype) if fits else ids


def _free(series: pd.Series) -> int:
    """A round number after which no source id stands for long."""
    ids = np.unique(series.to_numpy(dtype=np.float64))
    starts = [10 ** len(str(max(int(ids[-1]), 0))), 0, *(10**digits for digits in range(9, 18))]
    for start in starts:
        if start <= 10**18 and np.searchsorted(ids, start, "right") == np.searchsorted(ids, start + 10**9, "right"):
            return int(start)
    raise InputError(f"the subject column '{series.name}' leaves no room for new ids. Give its ids as text")


def _is_text(dtype: Any) -> bool:
    return isinstance(dtype, pd.StringDtype) or (isinstance(dtype, pd.ArrowDtype) and pd.api.types.is_string_dtype(dtype))


def _room(dtype: Any) -> int:
    native = dtype.numpy_dtype if hasattr(dtype, "numpy_dtype") else dtype
    return int(np.iinfo(native).max)
