"""Differentially private synthesis by dpmm (Mahiou et al. 2025, arXiv 2506.00322): MST, AIM and PrivBayes.

dpmm pins libraries that clash with ours, so it runs in an environment of its own, and tables go there and back through a private
temporary folder:

    uv venv ~/dpmm --python 3.11 && uv pip install --python ~/dpmm/bin/python dpmm==0.1.9
    export SYNTHML_DPMM_PYTHON=~/dpmm/bin/python

The mechanism protects rows. Where a person has several, the protection of the person is weaker by their number; what the attacks
compare with is therefore epsilon times the most rows that anybody has. Bounds of numbers are found inside the budget; the list of
categories is taken from the table unless `domain` says it, and the record says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthml.errors import InputError, MissingExtraError
from synthml.generation import GenerationRecord
from synthml.synthesis.subjects import NewSubjects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["DpmmSynthesizer"]

VERSION = "0.1.9"
_PYTHON = "SYNTHML_DPMM_PYTHON"
_INSTALL = f"uv venv ~/dpmm --python 3.11 && uv pip install --python ~/dpmm/bin/python dpmm=={VERSION}; then set {_PYTHON}"
_FEW = 20  # whole numbers with so many distinct values are labels: a bin would make numbers that nobody has
_MECHANISMS = ("mst", "aim", "privbayes")
_WORKER = Path(__file__).with_name("dpmm_worker.py")


class DpmmSynthesizer:
    """A generator with differential privacy (epsilon, delta) for rows.

    mechanism: mst, aim or privbayes. domain: column -> its categories, when they are public knowledge; those left out are taken
    from the table, outside the budget. iterations: of the fit to the noisy marginals, which touches no real row. python: the
    interpreter that has dpmm; default: the variable SYNTHML_DPMM_PYTHON.

    Raises MissingExtraError when there is no such interpreter, InputError for parameters out of range.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        mechanism: str = "mst",
        domain: Mapping[str, Sequence[str]] | None = None,
        iterations: int = 1000,
        python: str | None = None,
        seed: int = 0,
    ) -> None:
        if not epsilon > 0 or not 0 < delta < 1:
            raise InputError(f"epsilon must be above 0 and delta between 0 and 1, got {epsilon} and {delta}")
        if mechanism not in _MECHANISMS:
            raise InputError(f"there is no mechanism '{mechanism}'; there is {', '.join(_MECHANISMS)}")
        self.epsilon, self.delta, self.mechanism, self.seed = float(epsilon), float(delta), mechanism, int(seed)
        self.domain = {name: [str(label) for label in labels] for name, labels in (domain or {}).items()}
        self.iterations, self.python = int(iterations), python
        self._folder: Path | None = None
        self._template: pd.DataFrame | None = None
        self._labels: dict[str, pd.Index] = {}
        self._ids: NewSubjects | None = None
        self._rows = self._draws = 0

    def fit(self, table: pd.DataFrame, *, subject: str | None = None) -> Self:
        """Learn from a table of real rows; the subject column is left out of what is learned."""
        if subject is not None and subject not in table.columns:
            raise InputError(f"the subject column '{subject}' is not in the table. Name the column that says whose rows they are")
        self._folder = Path(tempfile.mkdtemp(prefix="synthml-dpmm-"))  # readable by its owner alone
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._template, self._rows = table.iloc[:0], len(table)
        self._ids = None if subject is None else NewSubjects(table[subject])
        columns = [str(name) for name in table.columns if name != subject]
        sent, self._labels = {}, {}
        domain = {}
        for at, name in enumerate(columns):
            sent[f"c{at}"], labels = _sent(table[name], self.domain.get(name))
            if labels is not None:
                self._labels[name] = labels
                domain[f"c{at}"] = {"categories": [str(code) for code in range(len(labels))]}
        pd.DataFrame(sent).to_csv(self._place / "table.csv", index=False)
        self._asked(
            do="fit",
            epsilon=self.epsilon,
            delta=self.delta,
            mechanism=self.mechanism,
            iterations=self.iterations,
            labels=list(domain),
            domain=domain,
            seed=self.seed,
        )
        (self._place / "table.csv").unlink()
        return self

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        conditions: Mapping[str, Any] | pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """n rows (default: as many as the source), each of a subject of its own. Conditions are not supported."""
        if self._template is None:
            raise InputError("the generator has not learned from a table yet. Call fit first")
        if conditions is not None:
            raise InputError("dpmm draws whole rows: conditions are not supported here. Use CartSynthesizer for them")
        rows = self._rows if n is None else int(n)
        self._asked(do="sample", rows=rows, seed=(self.seed + 1 + self._draws) if seed is None else int(seed))
        self._draws += 1
        names = {f"c{at}": name for at, name in enumerate(c for c in self._template.columns if not self._is_subject(c))}
        drawn = pd.read_csv(self._place / "sample.csv", keep_default_na=False, na_values=[""]).rename(columns=names)
        series = {}
        for name in self._template.columns:
            if self._is_subject(name):
                assert self._ids is not None
                series[name] = self._ids.series(np.arange(rows))
            else:
                series[name] = _received(drawn[name], self._template[name].dtype, self._labels.get(str(name)))
        return pd.DataFrame(series)

    def record(self) -> GenerationRecord:
        """How the last table was made."""
        return GenerationRecord.from_dict(
            {
                "label": "synthetic",
                "synthesis": "full",
                "generator": {
                    "name": "DpmmSynthesizer",
                    "library": "dpmm",
                    "version": VERSION,
                    "parameters": {"mechanism": self.mechanism, "iterations": self.iterations},
                    "seeds": self.seed,
                    "training_rows": self._rows,
                },
                "privacy": {
                    "mechanism": self.mechanism,
                    "epsilon": self.epsilon,
                    "delta": self.delta,
                    "unit": "row",
                    "accountant": "zCDP, by dpmm",
                    "preprocessing_inside": set(self._labels) <= set(self.domain),
                },
            }
        )

    @property
    def _place(self) -> Path:
        assert self._folder is not None
        return self._folder

    def _is_subject(self, name: object) -> bool:
        return self._ids is not None and name == self._ids.name

    def _asked(self, **request: Any) -> None:
        """Have the other interpreter do one thing. Its words may hold a value, so only their last line's class is told."""
        python = self.python or os.environ.get(_PYTHON)
        if not python or not Path(python).expanduser().exists():
            raise MissingExtraError("dpmm", "differentially private synthesis", _INSTALL)
        (self._place / "request.json").write_text(json.dumps(request), encoding="utf-8")
        command = [str(Path(python).expanduser()), "-I", str(_WORKER), str(self._place)]  # -I: none of our modules on its path
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            kind = (done.stderr.strip().splitlines() or ["no message"])[-1].partition(":")[0]
            if kind == "ModuleNotFoundError":
                raise MissingExtraError("dpmm", "differentially private synthesis", _INSTALL)
            raise InputError(f"dpmm could not {request['do']} ({kind}). Check the table's columns and the parameters")


def _sent(column: pd.Series[Any], public: Sequence[str] | None) -> tuple[pd.Series[Any], pd.Index | None]:
    """A column as numbers, or as codes of its labels: the public ones when they are known."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    few = pd.api.types.is_integer_dtype(column.dtype) and column.nunique() <= _FEW
    if few or not (numeric or pd.api.types.is_datetime64_any_dtype(column.dtype)):
        codes, labels = pd.factorize(column, sort=True)
        if public is not None:
            place = pd.Index(public).get_indexer(pd.Index(labels).astype(str))
            if (place < 0).any():
                lacking = f"domain.{column.name} lacks {int((place < 0).sum())} categories that the table has"
                raise InputError(f"{lacking}. Name them all, or leave the column out of the domain")
            codes, labels = np.where(codes < 0, -1, place[codes]), pd.Index(public)
        return pd.Series(codes, dtype="Int64").mask(codes < 0), pd.Index(labels)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        seconds = column.astype("datetime64[s]").astype("int64").astype("float64")
        return seconds.mask(column.isna()).reset_index(drop=True), None
    return column.astype("float64").reset_index(drop=True), None


def _received(column: pd.Series[Any], dtype: Any, labels: pd.Index | None) -> pd.Series[Any]:
    """A column back in the source's form."""
    if labels is not None:
        codes = pd.to_numeric(column, errors="coerce").fillna(-1).astype(int).to_numpy()
        values = pd.Series(labels.take(np.maximum(codes, 0)).to_numpy()).mask(codes < 0)
        return values if (codes < 0).any() and pd.api.types.is_bool_dtype(dtype) else values.astype(dtype)
    numbers = pd.to_numeric(column, errors="coerce")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return pd.to_datetime(numbers.round(), unit="s").astype(dtype)
    if pd.api.types.is_integer_dtype(dtype):
        return numbers.round().astype(dtype) if not numbers.isna().any() else numbers.round()
    return numbers.astype(dtype)
