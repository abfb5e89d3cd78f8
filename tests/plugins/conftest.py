"""The stores of the recording tests, and what makes these tests quick: two kinds of evidence instead of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from recording.conftest import migrated, recorded, server, store  # noqa: F401  fixtures

import synthml_tracking as tracking
from synthml import measurement
from synthml_tracking.client import load_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator

_MLFLOWS_OWN = (
    "ignore:.*integer column",  # advice on nulls, when it infers a schema; as an error it costs the schema
    "ignore:The ``noload`` loader strategy is deprecated",
    # matplotlib and pydantic, by way of MLflow's own evaluators and its autolog
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::PendingDeprecationWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here talks to a store; warnings are errors otherwise."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for text in _MLFLOWS_OWN:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture
def few_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Utility and subgroups: what depends on the model."""
    monkeypatch.setattr(measurement, "KINDS", {kind: measurement.KINDS[kind] for kind in ("utility", "subgroups")})


@pytest.fixture
def mlflow(store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: F811
    """MLflow, set to a fresh store; afterwards every autolog is off, ours first.

    In an experiment of this store's own: that of id 0 was made with the migrated copy, and its artifacts would go there, where no
    search for canaries looks.
    """
    found = load_mlflow()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "here")
    found.set_tracking_uri(store)
    try:
        yield found
    finally:
        tracking.autolog(disable=True)
        found.sklearn.autolog(disable=True)
        found.xgboost.autolog(disable=True)
        while found.active_run() is not None:
            found.end_run()
        found.clear_active_model()  # loading a model makes it the active one, which later metrics go to
        found.set_tracking_uri(None)
