"""`evaluate` attaches evidence to a model that was logged before; `gate` decides from what is attached."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording.small_study import QUICK, admissions, estimator, study, tables

import synthml_tracking as tracking
from synthml import Dossier, Estimate
from synthml.errors import EvidenceError, InputError
from synthml_tracking.client import address, load_mlflow
from synthml_tracking.documents import Document, combined

mlflow = load_mlflow()


def engineer(name: str = "split") -> tracking.Run:
    """Trains with the synthetic table alone, and registers."""
    with tracking.start_run(study({"synthetic": tables()["synthetic"]}, subject=None), settings=QUICK) as run:
        run.fit(estimator())
    run.register(name)
    return run


def evaluators_study(**given: Any) -> Any:
    held = {role: table for role, table in tables().items() if role != "synthetic"}
    return study({**held, **given})


def client(uri: str) -> Any:
    return mlflow.MlflowClient(uri)


@pytest.mark.parametrize("way", ["models:/split/1", "models:/split@champion", "model", "run"])
def test_every_way_to_name_a_model_works(store: str, way: str) -> None:
    """By version, alias, model id or run: the figures are those of the same model, and the evidence binds its digest."""
    run = engineer()
    client(store).set_registered_model_alias("split", "champion", "1")
    uri = {"model": run.model_uri, "run": f"runs:/{run.run_id}/model"}.get(way, way)
    dossier = tracking.evaluate(uri, evaluators_study(), settings=QUICK)
    assert dossier.producer == "evaluator"
    assert dossier.model["digest"] == run.dossier.model["digest"]
    assert dossier.model["uri"] == run.model_uri
    assert dossier.figures["utility.auroc.tstr/all"].ok
    assert dossier.figures["utility.auroc.loss/all"].ok  # the source is there and the model can be trained again


def test_the_threshold_is_the_one_chosen_at_training_time(store: str) -> None:
    """The evaluator's figures are about the classifier that will be used, not about one tuned on the holdout."""
    run = engineer()
    dossier = tracking.evaluate("models:/split/1", evaluators_study(), settings=QUICK)
    assert dossier.figures["utility.threshold.tstr/all"].value == pytest.approx(run.dossier.model["threshold"])


def test_evidence_is_added_and_nothing_is_overwritten(store: str) -> None:
    """An evaluation is a run of its own below the first; document, tags and metrics stand beside what was there."""
    run = engineer()
    first = client(store).get_run(run.run_id)
    dossier = tracking.evaluate("models:/split/1", evaluators_study(), settings=QUICK)
    other = evaluators_study(holdout=admissions(400, seed=9, first_person=10**7))
    second = tracking.evaluate("models:/split/1", other, settings=QUICK)
    after = client(store).get_run(run.run_id)
    assert after.data.metrics == first.data.metrics
    assert after.info.status == "FINISHED"
    keys = [one.digest.removeprefix("sha256:")[:32] for one in (run.dossier, dossier, second)]
    names = {Path(entry.path).stem for entry in client(store).list_artifacts(run.run_id, "synthml/evidence")}
    assert names == set(keys)
    tags = client(store).get_model_version("split", "1").tags
    assert [tags[f"synthml.ev.{key}"] for key in keys] == ["engineer", "evaluator", "evaluator"]
    for role, facts in dossier.datasets.items():
        if role != "synthetic":
            assert tags[f"synthml.ds.{facts['digest'].removeprefix('sha256:')[:32]}"] == role
    below = client(store).search_runs([first.info.experiment_id], f"tags.mlflow.parentRunId = '{run.run_id}'")
    assert len(below) == 2
    assert {one.info.status for one in below} == {"FINISHED"}
    evaluated = [client(store).get_run(one.info.run_id).inputs.model_inputs for one in below]
    assert [[model.model_id for model in one] for one in evaluated] == [[run.model_uri.removeprefix("models:/")]] * 2
    metrics = client(store).get_logged_model(run.model_uri.removeprefix("models:/")).metrics
    measured = {(one.dataset_digest, one.run_id) for one in metrics if one.key == "utility.auroc.tstr/all"}
    assert len(measured) == 2


def test_the_evidence_knows_what_the_model_learned_from(store: str) -> None:
    """The evaluator never saw the synthetic table; its digest comes with the model, and another one is noted."""
    run = engineer()
    dossier = tracking.evaluate("models:/split/1", evaluators_study(), settings=QUICK)
    assert dossier.datasets["synthetic"]["digest"] == run.dossier.datasets["synthetic"]["digest"]
    other = admissions(400, seed=77).drop(columns="person")
    noted = tracking.evaluate("models:/split/1", evaluators_study(synthetic=other), settings=QUICK)
    assert any("not the one that the model was trained with" in note for note in noted.notes)


def test_columns_in_another_order_give_the_same_figures(store: str) -> None:
    """A model gets its columns in the order that it learned them."""
    engineer()
    plain = tracking.evaluate("models:/split/1", evaluators_study(), settings=QUICK)
    turned = {role: table[list(reversed(table.columns))] for role, table in tables().items() if role != "synthetic"}
    again = tracking.evaluate("models:/split/1", study(turned), settings=QUICK)
    assert again.figures["utility.auroc.tstr/all"] == plain.figures["utility.auroc.tstr/all"]


def test_a_study_that_does_not_fit_the_model_is_refused(store: str) -> None:
    """Other features or another task end in words that name them, before anything is written."""
    engineer()
    runs = len(client(store).search_runs(["1"]))
    with pytest.raises(InputError, match="missing: ward"):
        tracking.evaluate("models:/split/1", evaluators_study_without("ward"), settings=QUICK)
    with pytest.raises(InputError, match="no holdout"):
        tracking.evaluate("models:/split/1", study({"synthetic": tables()["synthetic"]}, subject=None))
    for wrong in ("split", "models:/split", "http://example.org/model"):
        with pytest.raises(InputError, match=r"models:/"):
            tracking.evaluate(wrong, evaluators_study())
    assert len(client(store).search_runs(["1"])) == runs


def evaluators_study_without(column: str) -> Any:
    return study({role: table.drop(columns=column) for role, table in tables().items() if role != "synthetic"})


def test_a_function_is_measured_without_what_cannot_be_trained_again(store: str) -> None:
    """TSTR is measured, TRTR is not, and the dossier says why."""

    def train(X: Any, y: Any) -> Any:
        share = float(np.mean(y))
        return lambda table: np.clip(share + 0.004 * (table["age"].to_numpy() - 55), 0.01, 0.99)

    with tracking.start_run(study({"synthetic": tables()["synthetic"]}, subject=None), settings=QUICK) as run:
        run.fit(train)
    dossier = tracking.evaluate(run.model_uri, evaluators_study(), settings=QUICK)
    assert dossier.figures["utility.auroc.tstr/all"].ok
    assert "utility.auroc.loss/all" not in dossier.figures
    assert any("cannot be trained again" in note for note in dossier.notes)


def test_copies_of_a_version_are_told_too(store: str) -> None:
    """A version promoted by copying it to another name gets the evidence's tag as well."""
    engineer()
    mlflow.set_tracking_uri(store)
    try:
        client(store).copy_model_version("models:/split/1", "production")
    finally:
        mlflow.set_tracking_uri(None)
    dossier = tracking.evaluate("models:/production/1", evaluators_study(), settings=QUICK)
    key = f"synthml.ev.{dossier.digest.removeprefix('sha256:')[:32]}"
    for name in ("split", "production"):
        assert client(store).get_model_version(name, "1").tags[key] == "evaluator"


def test_the_gate_decides_from_what_is_attached(store: str) -> None:
    """Insufficient with the engineer's evidence alone, decided once the evaluator's stands beside it."""
    run = engineer()
    assert tracking.gate("models:/split/1", "research-sandbox").outcome == "insufficient"
    tracking.evaluate("models:/split/1", evaluators_study(), settings=QUICK)
    verdict = tracking.gate("models:/split/1", "research-sandbox", now=datetime(2030, 1, 1, tzinfo=UTC))
    assert verdict.model_digest == run.dossier.model["digest"]
    assert {d.id: d.outcome for d in verdict.decisions if d.id.startswith("evidence.")} == {
        "evidence.utility": "pass",
        "evidence.subgroups": "pass",
    }
    assert tracking.gate(run.model_uri, "clinical-default").outcome != "pass"


def test_the_gate_notices_a_changed_model(store: str) -> None:
    """Evidence about other files than those in the store counts for nothing."""
    with tracking.start_run(study(), settings=QUICK) as run:
        run.fit(estimator())
    assert tracking.gate(run.model_uri, "research-sandbox").model_digest == run.dossier.model["digest"]
    place = client(store).get_logged_model(run.model_uri.removeprefix("models:/")).artifact_location
    with (Path(place) / "requirements.txt").open("a") as file:
        file.write("\nevil==1.0\n")
    verdict = tracking.gate(run.model_uri, "research-sandbox")
    assert verdict.outcome == "insufficient"
    assert verdict.model_digest != run.dossier.model["digest"]


def test_the_gate_notices_changed_evidence(store: str, tmp_path: Path) -> None:
    """A document that is not what its name says is an error, not a verdict."""
    with tracking.start_run(study(), settings=QUICK) as run:
        run.fit(estimator())
    name = f"{run.dossier.digest.removeprefix('sha256:')[:32]}.json"
    document = run.dossier.to_dict()
    document["figures"]["utility.auroc.loss/all"]["high"] = 0.001
    (tmp_path / name).write_text(json.dumps(document))
    with address(store):
        client(store).log_artifact(run.run_id, str(tmp_path / name), "synthml/evidence")
    with pytest.raises(EvidenceError, match="was changed"):
        tracking.gate(run.model_uri, "research-sandbox")


def test_of_several_documents_the_last_measurement_of_a_figure_counts() -> None:
    """Worse or better: a later evaluation is not hidden behind an earlier one, and what it left out stays."""
    earlier = Dossier({"utility.auroc.tstr/all": Estimate(0.8), "utility.auroc.loss/all": Estimate(0.01)}, kinds=("utility",))
    later = Dossier({"utility.auroc.tstr/all": Estimate(0.6)}, kinds=("utility", "subgroups"))
    late, early = later.stamped(created="2026-02-01T00:00:00Z"), earlier.stamped(created="2026-01-01T00:00:00Z")
    whole = combined([Document("b", late), Document("a", early)])
    assert {name: figure.value for name, figure in whole.figures.items()} == {
        "utility.auroc.tstr/all": 0.6,
        "utility.auroc.loss/all": 0.01,
    }
    assert whole.kinds == ("utility", "subgroups")
    assert whole.created == "2026-02-01T00:00:00Z"
    with pytest.raises(EvidenceError):
        combined([])
