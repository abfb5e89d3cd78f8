"""How long impact, lineage and the list of deployments take on a large registry.

    uv run python benchmarks/registry_scale.py --versions 10000 --runs 100000
    uv run python benchmarks/registry_scale.py --uri postgresql+psycopg2://user@host/empty_database

Fills an empty store in bulk, through MLflow's own tables: a tenth of the versions on tables behind one source, through chains of
re-synthesis; the others on tables of their own; one holdout that a tenth of all versions share. Prints seconds and requests.
"""

import argparse
import hashlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy
from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
)
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel, SqlRun, SqlTag

from synthml.attestation import (
    DeploymentPredicate,
    DerivationPredicate,
    Material,
    Trust,
    deployment_statement,
    derivation_statement,
)
from synthml_tracking.client import load_mlflow
from synthml_tracking.deployments import all_deployments
from synthml_tracking.entries import entry_item, serving_item
from synthml_tracking.graph.finding import read_lineage
from synthml_tracking.impacts import read_impact
from synthml_tracking.ledger import Ledger, ledger_name

NOW = datetime(2030, 1, 31, tzinfo=UTC)
WHEN = "2030-01-01T00:00:00Z"
MODELS = 50  # names that the versions are spread over
ENDPOINTS = 100
BRANCHES, DEPTH = 4, 5  # tables behind the source: branches of chains
HEX = 32


def digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def short(name: str) -> str:
    return digest(name)[7 : 7 + HEX]


def key(kind: str, number: int) -> str:
    return hashlib.md5(f"{kind} {number}".encode()).hexdigest()


def tables_of(number: int, versions: int) -> dict[str, str]:
    """Tag -> role, of one version's tables."""
    behind = number % 10 == 0
    synthetic = f"chain {number // 10 % BRANCHES} {number // 10 % DEPTH}" if behind else f"synthetic {number}"
    holdout = "shared holdout" if number % 10 == 5 else f"holdout {number % max(1, versions // 10)}"
    return {f"synthml.ds.{short(synthetic)}": "synthetic", f"synthml.ds.{short(holdout)}": "holdout"}


def fill(uri: str, versions: int, runs: int) -> None:
    client = load_mlflow().MlflowClient(uri)
    client.search_experiments()
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:

        def insert(table, rows):
            held = list(rows)
            for start in range(0, len(held), 10_000):
                connection.execute(table.__table__.insert(), held[start : start + 10_000])

        insert(SqlRun, (run_row(key("run", i)) for i in range(runs)))
        tags = [(i, name, role) for i in range(runs) for name, role in tables_of(i, versions).items()]
        insert(SqlTag, ({"run_uuid": key("run", i), "key": name, "value": role} for i, name, role in tags))
        insert(SqlLoggedModel, (model_row(i) for i in range(versions)))
        insert(SqlRegisteredModel, ({"workspace": "default", "name": f"model-{i}"} for i in range(MODELS)))
        insert(SqlModelVersion, (version_row(i) for i in range(versions)))
        insert(
            SqlModelVersionTag,
            (
                {**version_of(i), "key": name, "value": role}
                for i in range(versions)
                for name, role in tables_of(i, versions).items()
            ),
        )
        insert(SqlRegisteredModelAlias, ({**version_of(i), "alias": "champion"} for i in range(MODELS)))
        if engine.dialect.name == "postgresql":
            connection.execute(sqlalchemy.text("ANALYZE"))  # what a server does by itself within a minute
    engine.dispose()
    client.create_experiment(ledger_name())
    write_ledger(Ledger(client), versions)


def run_row(run_id: str) -> dict:
    return {
        "run_uuid": run_id,
        "name": f"run {run_id[:8]}",
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "x",
        "status": "FINISHED",
        "start_time": 1,
        "end_time": 2,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": f"file:///nowhere/{run_id}",
        "experiment_id": 0,
    }


def model_row(i: int) -> dict:
    return {
        "model_id": f"m-{key('model', i)}",
        "experiment_id": 0,
        "name": "model",
        "artifact_location": f"file:///nowhere/{i}",
        "creation_timestamp_ms": 1,
        "last_updated_timestamp_ms": 1,
        "status": 2,
        "lifecycle_stage": "active",
        "source_run_id": key("run", i),
    }


def version_of(i: int) -> dict:
    return {"workspace": "default", "name": f"model-{i % MODELS}", "version": i // MODELS + 1}


def version_row(i: int) -> dict:
    facts = {"creation_time": i, "last_updated_time": i, "source": f"models:/m-{key('model', i)}", "run_id": key("run", i)}
    return {**version_of(i), **facts, "current_stage": "None", "status": "READY"}


def write_ledger(ledger: Ledger, versions: int) -> None:
    for branch in range(BRANCHES):
        for step in range(DEPTH):
            before = "source" if step == 0 else f"chain {branch} {step - 1}"
            predicate = DerivationPredicate((Material(digest(before)),), "synthesis", WHEN, "maker 1.0")
            ledger.write(entry_item(derivation_statement([("t", digest(f"chain {branch} {step}"))], predicate).to_json()))
    for number in range(0, min(versions, ENDPOINTS * 10), 10):
        version, model = version_of(number), f"m-{key('model', number)}"
        uri = f"models:/{version['name']}/{version['version']}"
        told = DeploymentPredicate("production", f"https://{number}", WHEN, "cd", version=uri)
        tables = {name.removeprefix("synthml.ds."): role for name, role in tables_of(number, versions).items()}
        ledger.write(serving_item(deployment_statement(told, model=digest(model)).to_json(), tables=tables, logged=[model]))


class Counting:
    """A client that counts its calls."""

    def __init__(self, client):
        self._client, self.calls = client, 0

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls += 1
            return getattr(self._client, name)(*args, **kwargs)

        return call


def measured(uri: str) -> list[str]:
    client = load_mlflow().MlflowClient(uri)
    asked = {
        "impact of the source": lambda ledger: len(read_impact(ledger, digest("source"), Trust(), NOW).versions),
        "impact of one synthetic table": lambda ledger: len(read_impact(ledger, digest("synthetic 1"), Trust(), NOW).versions),
        "impact of the shared holdout": lambda ledger: len(read_impact(ledger, digest("shared holdout"), Trust(), NOW).versions),
        "lineage of a version": lambda ledger: len(read_lineage(ledger, "models:/model-0/1", Trust(), NOW).nodes),
        "lineage of the source": lambda ledger: len(read_lineage(ledger, digest("source"), Trust(), NOW).nodes),
        "list of deployments": lambda ledger: len(all_deployments(ledger, Trust(), NOW)),
    }
    lines = ["| what | found | seconds | requests |", "|---|---|---|---|"]
    for what, call in asked.items():
        times, requests, found = [], 0, 0
        for _ in range(3):
            counting = Counting(client)
            started = time.perf_counter()
            found = call(Ledger(counting))
            times.append(time.perf_counter() - started)
            requests = counting.calls
        lines.append(f"| {what} | {found:,} | {sorted(times)[1]:.2f} | {requests} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--uri", help="An empty store; by default sqlite in a folder that is removed afterwards.")
    given = parser.parse_args()
    if given.runs < given.versions:
        parser.error("every version has a run of its own: --runs must be at least --versions")
    with tempfile.TemporaryDirectory() as folder:
        uri = given.uri or f"sqlite:///{Path(folder) / 'scale.db'}"
        started = time.perf_counter()
        fill(uri, given.versions, given.runs)
        print(f"{given.versions:,} versions, {given.runs:,} runs, filled in {time.perf_counter() - started:.0f} s")
        print("\n".join(measured(uri)))


if __name__ == "__main__":
    main()
