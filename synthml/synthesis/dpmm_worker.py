"""Runs under the Python that has dpmm, never under ours: one request from a folder, one answer into it.

Usage: python dpmm_worker.py FOLDER. The folder holds `request.json`; `fit` reads `table.csv` and stores the pipeline, `sample`
loads it and writes `sample.csv`. Imports nothing of synthml, whose libraries clash with dpmm's pins.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

_BINNING = 0.1  # share of the budget that finds the bins of numbers


def main(folder: Path) -> None:
    """Answer one request."""
    warnings.filterwarnings("ignore")
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    {"fit": _fit, "sample": _sample}[request["do"]](folder, request)


def _fit(folder: Path, request: dict[str, Any]) -> None:
    import pandas as pd
    from dpmm.pipelines import AIMPipeline, MSTPipeline, PrivBayesPipeline

    labels = request["labels"]
    table = pd.read_csv(folder / "table.csv", dtype=dict.fromkeys(labels, str), keep_default_na=False, na_values=[""])
    kind = {"mst": MSTPipeline, "aim": AIMPipeline, "privbayes": PrivBayesPipeline}[request["mechanism"]]
    epsilon = float(request["epsilon"])
    pipeline = kind(
        epsilon=(1 - _BINNING) * epsilon,
        proc_epsilon=_BINNING * epsilon,
        delta=float(request["delta"]),
        n_jobs=1,
        gen_kwargs={"n_iters": request["iterations"]},
    )
    pipeline.fit(table, domain=request["domain"], random_state=request["seed"])
    stored = folder / "pipeline"
    stored.mkdir(exist_ok=True)
    pipeline.store(stored)


def _sample(folder: Path, request: dict[str, Any]) -> None:
    from dpmm.pipelines.base import GenerativePipeline

    pipeline = GenerativePipeline.load(folder / "pipeline")
    drawn = pipeline.generate(n_records=request["rows"], random_state=request["seed"])
    drawn.to_csv(folder / "sample.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
