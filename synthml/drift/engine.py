"""The one place that runs Evidently: two masked tables in, its scores and what its page draws out.

Evidently is imported on first use only, and takes seconds to. Its telemetry reads `DO_NOT_TRACK` whenever it would send, so the
variable stands while Evidently is imported and runs, and is put back; nothing that is used here sends anything to begin with.
Warnings, NumPy's error state and its global random state are those of the caller again afterwards.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

__all__ = ["JENSEN_SHANNON", "WASSERSTEIN", "Drawing", "Method", "Scores", "evidently_scores"]


@dataclass(frozen=True)
class Method:
    """A method of Evidently. name: in our ids; key, title: in Evidently; threshold: the score from which a column drifts."""

    name: str
    key: str
    title: str
    threshold: float = 0.1


WASSERSTEIN = Method("wasserstein", "wasserstein", "Wasserstein distance (normed)")
JENSEN_SHANNON = Method("jensen_shannon", "jensenshannon", "Jensen-Shannon distance")


@dataclass(frozen=True)
class Drawing:
    """What Evidently draws. dashboard, graphs: its data; style, script: its look and its program, the same in every page."""

    dashboard: Mapping[str, Any]
    graphs: Mapping[str, Any]
    style: str
    script: str


@dataclass(frozen=True)
class Scores:
    """by_column: Evidently's score; share: of the columns that drift, by Evidently; version: of Evidently."""

    by_column: Mapping[str, float]
    share: float
    version: str
    drawing: Drawing | None


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = os.environ.get("DO_NOT_TRACK")
    state = np.random.get_state()  # noqa: NPY002  Evidently seeds the global generator; that one is put back
    os.environ["DO_NOT_TRACK"] = "1"
    try:
        with warnings.catch_warnings(), np.errstate():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        if before is None:
            os.environ.pop("DO_NOT_TRACK", None)
        else:
            os.environ["DO_NOT_TRACK"] = before


def evidently_scores(
    reference: pd.DataFrame, current: pd.DataFrame, methods: Mapping[str, Method], *, drawn: bool = True
) -> Scores:
    """Run Evidently's drift and summary presets. methods: of each column; Wasserstein's are numbers, the others are labels.

    Both tables have just these columns, and a value in each. drawn: also what its page shows. Raises MissingExtraError.
    """
    with _undisturbed():
        try:
            import evidently
            from evidently import DataDefinition, Dataset, Report
            from evidently.presets import DataDriftPreset, DataSummaryPreset
        except ImportError as error:
            raise MissingExtraError("Evidently", "drift", "pip install 'evidently>=0.7.20,<0.8'") from error
        definition = DataDefinition(
            numerical_columns=[name for name, method in methods.items() if method is WASSERSTEIN],
            categorical_columns=[name for name, method in methods.items() if method is not WASSERSTEIN],
        )
        drift = DataDriftPreset(
            columns=list(methods),
            num_method=WASSERSTEIN.key,
            cat_method=JENSEN_SHANNON.key,
            num_threshold=WASSERSTEIN.threshold,
            cat_threshold=JENSEN_SHANNON.threshold,
        )
        presets = [drift, DataSummaryPreset(columns=list(methods))] if drawn else [drift]
        tables = [Dataset.from_pandas(table, data_definition=definition) for table in (reference, current)]
        snapshot = Report(presets, include_tests=False).run(tables[1], tables[0])
        found = {metric["config"].get("column"): metric for metric in snapshot.dict()["metrics"] if _is(metric, "ValueDrift")}
        count = next(metric for metric in snapshot.dict()["metrics"] if _is(metric, "DriftedColumnsCount"))
        return Scores(
            {name: float(found[name]["value"]) for name in methods},
            float(count["value"]["share"]),
            str(evidently.__version__),
            _drawing(snapshot.get_html_str(as_iframe=False)) if drawn else None,
        )


def _is(metric: Mapping[str, Any], kind: str) -> bool:
    return str(metric["config"]["type"]).endswith(f":{kind}")


_DATA = re.compile(r"<script>\s*var metric_\w+ = ")
_GRAPHS = re.compile(r";\s*var additional_graphs_\w+ = ")
_PROGRAM = re.compile(r"<script>var global = globalThis</script>\s*<script>(.*?)</script>", re.DOTALL)
_LAID_OUT = "Evidently's page is not laid out as this synthml knows it; it works with 0.7.20 to 0.7.23"


def _drawing(page: str) -> Drawing:
    """The parts of a page of Evidently: its data is two JavaScript variables that are JSON, its program the script after them."""
    data = _DATA.search(page)
    if data is None:
        raise RuntimeError(_LAID_OUT)
    decoder = json.JSONDecoder()
    dashboard, end = decoder.raw_decode(page, data.end())
    graphs_at = _GRAPHS.match(page, end)
    if graphs_at is None:
        raise RuntimeError(_LAID_OUT)
    graphs, end = decoder.raw_decode(page, graphs_at.end())
    program = _PROGRAM.search(page, end)
    if program is None:
        raise RuntimeError(_LAID_OUT)
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    return Drawing(dashboard, graphs, style, program.group(1))
