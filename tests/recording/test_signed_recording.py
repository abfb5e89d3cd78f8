"""Signed evidence is part of the recording: attached with it, resumed with it, and what a gate believes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml.attestation import Trust, new_key, private_key, public_pem
from synthml.errors import TrackingError
from synthml.policy import Policy
from synthml_tracking.client import load_mlflow
from synthml_tracking.items import short_digest
from synthml_tracking.ledger import Ledger

ENGINEER, EVALUATOR = private_key(new_key()), private_key(new_key())
POLICY = Policy(
    name="p",
    version=1,
    require={"signatures": ["engineer", "evaluator"], "kinds": ["utility", "subgroups"]},
    lineage={"no_recall": True, "no_contamination": True},
)


def trust() -> Trust:
    lines = [
        f"  - {{name: {name}, roles: [{role}], key: {json.dumps(public_pem(signer).decode())}}}"
        for name, role, signer in (("first engineer", "engineer", ENGINEER), ("evaluation team", "evaluator", EVALUATOR))
    ]
    return Trust.parse("\n".join(["version: 1", "keys:", *lines]))


def attached(client: Any, run_id: str) -> dict[str, str]:
    tags = client.get_run(run_id).data.tags
    return {key: value for key, value in tags.items() if key.startswith("synthml.at.")}


def test_engineer_and_evaluator_sign_and_the_gate_believes_them(store: str) -> None:
    """From training to verdict: both signatures hold, the descent of the tables is known, and a recall fails the model."""
    with tracking.start_run(study(), settings=QUICK, signer=ENGINEER) as run:
        run.fit(estimator())
    run.register("risk")
    held = {role: table for role, table in tables().items() if role != "synthetic"}
    tracking.evaluate("models:/risk/1", study(held), settings=QUICK, signer=EVALUATOR)
    client = load_mlflow().MlflowClient(store)
    assert set(attached(client, run.run_id).values()) == {"evidence"}
    assert len(attached(client, run.run_id)) == 2
    version = client.get_model_version("risk", "1").tags
    assert attached(client, run.run_id).items() <= version.items()
    gathered = tracking.gather_facts("models:/risk/1", POLICY, trust=trust())
    assert gathered.facts.signatures == {"engineer", "evaluator"}
    assert gathered.facts.authors == {"first engineer"}
    assert gathered.facts.contaminated is False
    given = study()
    (entry,) = Ledger(client).made_from(given.tables["source"].digest)
    assert entry.kind == "derivation"
    assert tracking.gate("models:/risk/1", POLICY, trust=trust()).outcome == "pass"
    tracking.recall(given.tables["source"].digest, "consent withdrawn", tracking_uri=store)
    assert tracking.gate("models:/risk/1", POLICY, trust=trust()).outcome == "fail"


def test_a_cut_anywhere_in_the_signed_recording_is_resumed(store: str) -> None:
    """After the statement was uploaded, and after the ledger was written but not noted: nothing twice, nothing lost."""
    for event in ("before artifacts", "stored ledger 0"):

        def cut(seen: str, event: str = event) -> None:
            if seen == event:
                raise TrackingError("cut")

        with (
            pytest.raises(TrackingError),
            tracking.start_run(study(), settings=QUICK, signer=ENGINEER, observer=cut) as run,
        ):
            run.fit(estimator())
        (spool,) = [path for path in Path("synthml-spool").iterdir() if (path / "plan.json").exists()]
        tracking.resume(spool)
        client = load_mlflow().MlflowClient(store)
        (tag,) = attached(client, run.run_id)
        key = tag.removeprefix("synthml.at.")
        names = [Path(one.path).name for one in client.list_artifacts(run.run_id, "synthml/attestations")]
        assert names == [f"{key}.dsse.json"]
        source = study().tables["source"].digest
        assert len(Ledger(client).made_from(source)) == 1
        assert short_digest(source) in {key.rpartition(".")[2] for key in client.get_run(run.run_id).data.tags}
