"""The demo, as a newcomer runs it: its figures are those that scikit-learn and fairlearn give by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_difference, equalized_odds_difference
from sklearn import metrics as sk

import synthml
from synthml_tracking.demo import demo_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning:mlflow"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    command = [sys.executable, "-m", "synthml_tracking.cli", "demo", "--json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def evidence(demo):
    folder, found = demo
    name = found["evidence_digest"].removeprefix("sha256:")[:32]
    (path,) = folder.rglob(f"evidence/{name}.json")
    return synthml.Dossier.from_json(path.read_bytes())


@pytest.fixture(scope="module")
def by_hand(demo):
    """The registered model, loaded as anybody would, on the holdout of the same seed."""
    import mlflow

    folder, found = demo
    study = demo_study(seed=7)
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    here = Path.cwd()
    try:
        os.chdir(folder)
        mlflow.set_tracking_uri(found["tracking_uri"])
        model = mlflow.sklearn.load_model(found["version"])
    finally:
        os.chdir(here)
        mlflow.set_tracking_uri(before)
    score = model.predict_proba(study.features("holdout"))[:, 1]
    return study, study.target("holdout"), score


def test_the_demo_leaves_nothing_but_the_store(demo):
    folder, found = demo
    assert sorted(path.name for path in folder.iterdir()) == ["mlflow.db", "mlruns"]
    assert found["verdict"] == "pass"


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("auroc", sk.roc_auc_score),
        ("average_precision", sk.average_precision_score),
        ("brier", sk.brier_score_loss),
        ("log_loss", sk.log_loss),
    ],
)
def test_overall_figures_are_scikit_learns(evidence, by_hand, name, reference):
    _, truth, score = by_hand
    assert evidence.figures[f"utility.{name}.tstr/all"].value == pytest.approx(reference(truth, score), rel=1e-6)


def test_group_figures_are_fairlearns(evidence, by_hand):
    study, truth, score = by_hand
    decision = (score >= evidence.figures["utility.threshold.tstr/all"].value).astype(int)
    measures = {
        "accuracy": sk.accuracy_score,
        "sensitivity": sk.recall_score,
        "ppv": sk.precision_score,
        "selection_rate": lambda t, d: np.mean(d),
    }
    for grouping in study.groupings("holdout"):
        groups = np.array(grouping.names)[grouping.codes]
        frame = MetricFrame(metrics=measures, y_true=truth, y_pred=decision, sensitive_features=groups)
        for group, row in frame.by_group.iterrows():
            for name, expected in row.items():
                figure = evidence.figures[f"utility.{name}.tstr/{group}"]
                if figure.ok:
                    assert figure.value == pytest.approx(expected, rel=1e-6)
                else:
                    assert figure.value is None


def test_disparities_are_fairlearns(evidence, by_hand):
    study, truth, score = by_hand
    decision = (score >= evidence.figures["utility.threshold.tstr/all"].value).astype(int)
    for grouping in study.groupings("holdout"):
        figures = [evidence.figures[f"utility.selection_rate.tstr/{name}"] for name in grouping.names]
        if not all(figure.ok for figure in figures):
            continue
        groups = np.array(grouping.names)[grouping.codes]
        parity = evidence.figures[f"disparity.selection_rate.tstr.difference/{grouping.column_name}"]
        odds = evidence.figures[f"disparity.equalized_odds.tstr.difference/{grouping.column_name}"]
        assert parity.value == pytest.approx(demographic_parity_difference(truth, decision, sensitive_features=groups), rel=1e-6)
        assert odds.value == pytest.approx(equalized_odds_difference(truth, decision, sensitive_features=groups), rel=1e-6)
        assert parity.low <= parity.value <= parity.high


def test_every_patient_group_is_there_and_small_ones_are_withheld(evidence, by_hand):
    study, _, _ = by_hand
    for grouping in study.groupings("holdout"):
        rows = np.bincount(grouping.codes)
        for name, n in zip(grouping.names, rows, strict=True):
            figure = evidence.figures[f"utility.auroc.tstr/{name}"]
            assert figure.ok or figure.reason
            if n < study.schema.minimum_cell.rows:
                assert figure.n is None


def test_the_evidence_names_each_table_by_its_digest(evidence, by_hand):
    study, _, _ = by_hand
    for role in ("source", "synthetic", "holdout"):
        assert evidence.datasets[role]["digest"] == study.tables[role].digest
