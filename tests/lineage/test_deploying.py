"""`mlflow deployments -t synthml:TARGET`: MLflow's own command and plugins, a target that is installed for the test alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from lineage.a_registry import HOLDOUT, KEYS, SOURCE, SYNTHETIC, a_model, trust
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException

import synthml_tracking as tracking
from synthml.attestation import new_key, private_key, public_pem

if TYPE_CHECKING:
    from pathlib import Path

TARGET = r"""
import json
import os
from pathlib import Path

from mlflow.deployments import BaseDeploymentClient

def run_local(name, model_uri, flavor=None, config=None):
    raise NotImplementedError


def target_help():
    return "a toy"


class Toy(BaseDeploymentClient):
    def _do(self, *what):
        if os.environ.get("TOY_FAILS") == what[0]:
            raise RuntimeError("the target is down")
        with Path(os.environ["TOY_PLACE"]).open("a") as file:
            file.write(json.dumps([self.target_uri, *what]) + "\n")
        return {"name": what[1], "flavor": None}

    def create_deployment(self, name, model_uri, flavor=None, config=None, endpoint=None):
        return self._do("create", name, model_uri, config, endpoint)

    def update_deployment(self, name, model_uri=None, flavor=None, config=None, endpoint=None):
        return self._do("update", name, model_uri, config, endpoint)

    def delete_deployment(self, name, config=None, endpoint=None):
        return self._do("delete", name, config, endpoint)

    def list_deployments(self, endpoint=None):
        return [{"name": "one of the toy's own"}]

    def get_deployment(self, name, endpoint=None):
        return {"name": name}

    def predict(self, deployment_name=None, inputs=None, endpoint=None):
        return []
"""


@pytest.fixture
def model(store: str) -> Any:
    return a_model(store, {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT})


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the target `toy` is installed."""
    information = tmp_path / "packages" / "toy_target-1.dist-info"
    information.mkdir(parents=True)
    (tmp_path / "packages" / "toy_target.py").write_text(TARGET)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-target\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[mlflow.deployments]\ntoy = toy_target\n")
    monkeypatch.setenv("TOY_PLACE", str(tmp_path / "toy.jsonl"))
    return tmp_path / "packages"


@pytest.fixture
def toy(store: str, model: Any, packages: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`synthml:toy:/here` in this process."""
    from mlflow.deployments.interface import plugin_store

    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setitem(plugin_store.registry, "toy", None)
    plugin_store.register("toy", "toy_target")
    return get_deploy_client("synthml:toy:/here")


def served(store: str, **how: Any) -> list[tuple[str, str, str, str | None]]:
    found = tracking.list_deployments(tracking_uri=store, **how)
    return [(one.environment, one.endpoint, one.state, one.version) for one in found]


def asked(tmp_path: Path) -> list[Any]:
    place = tmp_path / "toy.jsonl"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


@pytest.mark.slow
def test_mlflows_own_command_finds_it(store: str, model: Any, packages: Path, tmp_path: Path) -> None:
    """By entry points alone, in a process of its own; an error is MLflow's, with our words."""
    given = {**os.environ, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(packages)}

    def deployments(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlflow", "deployments", *arguments]
        return subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert "synthml.environment" in deployments("help", "-t", "synthml").stdout
    create = ("create", "-t", "synthml:toy", "--name", "risk", "-C", "synthml.environment=pilot", "-C", "size=small", "-m")
    done = deployments(*create, model.uri)
    assert done.returncode == 0, done.stderr
    assert asked(tmp_path) == [["toy", "create", "risk", model.uri, {"size": "small"}, None]]
    assert served(store) == [("pilot", "toy/risk", "live", model.uri)]
    refused = deployments(*create, "models:/nothing/1")
    assert refused.returncode != 0
    assert "cannot be recorded" in refused.stderr


def test_from_creation_to_deletion(store: str, model: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything reaches the target, without our settings; each step is in the ledger, with its history."""
    pem = new_key()
    monkeypatch.setenv("SYNTHML_SIGNING_KEY", pem.decode())
    settings = {"synthml.environment": "pilot", "synthml.by": "pipeline"}
    toy.create_deployment("risk", model.uri, config={**settings, "size": "small"})
    assert asked(tmp_path) == [["toy:/here", "create", "risk", model.uri, {"size": "small"}, None]]
    assert served(store) == [("pilot", "toy:/here/risk", "live", model.uri)]
    (one,) = tracking.list_deployments(tracking_uri=store)
    assert one.by == "pipeline"
    assert private_key(pem).public_key.keyid[:8] in one.signature
    model.client.copy_model_version(model.uri, "copy")
    toy.update_deployment("risk", "models:/copy/1", config=settings)
    assert {(state, version) for *_, state, version in served(store)} == {("retired", model.uri), ("live", "models:/copy/1")}
    toy.update_deployment("risk", config={**settings, "size": "large"})
    assert len(served(store)) == 2
    toy.delete_deployment("risk", config=settings)
    assert [state for *_, state, _ in served(store)] == ["retired", "retired"]
    assert [one[1] for one in asked(tmp_path)] == ["create", "update", "update", "delete"]
    assert toy.list_deployments() == [{"name": "one of the toy's own"}]


def test_a_target_that_fails_leaves_nothing_that_serves(
    store: str, model: Any, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record was there first, so that a kill in between cannot hide an endpoint; it is taken back with the reason."""
    monkeypatch.setenv("TOY_FAILS", "create")
    with pytest.raises(RuntimeError, match="the target is down"):
        toy.create_deployment("risk", model.uri)
    (one,) = tracking.list_deployments(tracking_uri=store)
    assert (one.state, one.reason) == ("retired", "the deployment failed (RuntimeError)")
    monkeypatch.setenv("TOY_FAILS", "update")
    toy.create_deployment("risk", model.uri)  # within the same second, with the same words
    assert [state for _, _, state, _ in served(store, live=True)] in (["live"], ["planned"])
    with pytest.raises(RuntimeError):
        toy.update_deployment("risk", model.uri)
    monkeypatch.setenv("TOY_FAILS", "delete")
    with pytest.raises(RuntimeError):
        toy.delete_deployment("risk")
    assert len(served(store, live=True)) == 1


@pytest.mark.parametrize(
    ("uri", "settings", "policy", "told"),
    [
        ("models:/nothing/1", {}, "", "cannot be recorded"),
        ("models:/risk/1", {"synthml.enviroment": "pilot"}, "", "is no setting of synthml"),
        ("models:/risk/1", {}, "clinical-default", "does not pass, insufficient under clinical-default v1"),
        ("models:/risk/1", {"synthml.policy": "no-such-policy"}, "", "no-such-policy"),
    ],
)
def test_what_cannot_be_recorded_or_does_not_pass_is_not_deployed(
    store: str,
    model: Any,
    toy: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    settings: Any,
    policy: str,
    told: str,
) -> None:
    """Neither a model that is nowhere, nor a setting that nobody knows, nor a version that a policy does not let through."""
    model.add(model.evidence("engineer"))
    monkeypatch.setenv("SYNTHML_POLICY", policy)
    with pytest.raises(MlflowException, match=told):
        toy.create_deployment("risk", uri, config=settings)
    assert asked(tmp_path) == []
    assert served(store) == []


@pytest.mark.parametrize("target", ["synthml", "synthml:", "synthml:synthml:toy"])
def test_a_target_behind_it_is_needed(target: str) -> None:
    """It deploys nothing itself."""
    with pytest.raises(MlflowException, match="names no target"):
        get_deploy_client(target)


def test_a_signed_record_needs_a_key_to_end(
    store: str, model: Any, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint is gone; that its record still stands is told with the remedy."""
    lines = f"version: 1\nkeys:\n  - {{name: op, roles: [operator], key: {json.dumps(public_pem(KEYS['operator']).decode())}}}\n"
    (tmp_path / "trust.yaml").write_text(lines)
    monkeypatch.setenv("SYNTHML_TRUST", str(tmp_path / "trust.yaml"))
    where = {"environment": "toy:/here", "endpoint": "toy:/here/risk"}
    tracking.record_deployment(model.uri, by="cd", signer=KEYS["operator"], trust=trust(), tracking_uri=store, **where)
    with pytest.raises(MlflowException, match="synthml deployment retire"):
        toy.delete_deployment("risk")
    assert [state for _, _, state, _ in served(store)] == ["live"]
