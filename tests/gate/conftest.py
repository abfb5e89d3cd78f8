"""An embedded store with one model that passes, and everybody's keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lineage.a_registry import HOLDOUT, SOURCE, SYNTHETIC, a_model, asking, release
from lineage.conftest import migrated, store

__all__ = ["migrated", "store"]

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
TABLES = {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT}
AUROC = {"id": "auroc", "figure": "utility.auroc.tstr", "at_least": 0.75, "waivable": True, "source": "chance", "set_by": "us"}
POLICY = asking(
    require={"signatures": ["evaluator"], "kinds": ["utility"]},
    lineage={"no_recall": True, "no_contamination": True, "release": "required"},
    criteria=[AUROC],
)


def pytest_collection_modifyitems(items):
    """MLflow's own code warns of this on every call to its embedded store."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"))


@pytest.fixture
def model(store):
    """Released, measured and signed by engineer and evaluator: it passes POLICY."""
    made = a_model(store, TABLES)
    made.add(made.evidence("engineer", 0.9), "engineer")
    made.add(made.evidence("evaluator", 0.8), "evaluator")
    made.state(release(), "custodian")
    return made
