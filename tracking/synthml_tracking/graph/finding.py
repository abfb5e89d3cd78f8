"""The graph of one reference, from the registry and the ledger.

A table leads down as `impacts` says, and to the newest runs that were given it; up through one request to the ledger for each
table behind it. A model leads up through its tables, and down through one search each for its versions, their aliases and where
they serve. The number of requests depends on the tables and names that are found, never on what else the registry holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.lineage import Graph, Link, Node
from synthml_tracking.ancestry import Edge, followed
from synthml_tracking.client import logged_model_id
from synthml_tracking.clock import now as time_now
from synthml_tracking.deployments import Deployment, all_deployments, folded
from synthml_tracking.derivations import Making, making_of, told_once
from synthml_tracking.entries import is_model_id
from synthml_tracking.impacts import AffectedVersion, read_impact, recalls_among, tables_named, with_aliases
from synthml_tracking.items import short_digest
from synthml_tracking.ledger import Ledger, open_ledger
from synthml_tracking.plain import one_line
from synthml_tracking.recalls import Recall, full_digests, is_digest, resolve_digest
from synthml_tracking.registry import versions_of
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from synthml.attestation import Trust

__all__ = ["lineage", "read_lineage"]

_RUN = re.compile(r"[0-9a-f]{32}")
_IDENTITY = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
_DEPLOYMENT = "deployment:"
_RUNS = 50  # of a table and of what was made from it
_VERSIONS = 1000  # of one run, that are asked for its models


def lineage(
    ref: str, *, trust: Trust | Path | str | None = None, tracking_uri: str | None = None, now: datetime | None = None
) -> Graph:
    """Where something comes from and what came of it.

    ref: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID or a run's id; a table's digest or 12 hex or more of it; an
    endpoint, also as deployment:ENDPOINT, or deployment: with 12 hex or more of the deployment's identity.

    Raises InputError for what names nothing or several things, EvidenceError when too many tables are behind it, TrackingError
    when the store fails.
    """
    judge, moment = find_trust(trust), now or time_now()
    with open_ledger(tracking_uri, "reading the lineage") as ledger:
        return read_lineage(ledger, ref.strip(), judge, moment)


def read_lineage(ledger: Ledger, ref: str, trust: Trust, now: datetime) -> Graph:
    """The same with an open ledger."""
    built = _Built(ledger, trust, now)
    if ref.startswith("models:/"):
        return built.of_model(ref)
    run = _run_named(ledger.client, ref)
    if run is not None:
        return built.of_run(run)
    if is_digest(ref):
        return built.of_table(resolve_digest(ledger.client, ref, ledger))
    return built.of_deployment(ref.removeprefix(_DEPLOYMENT))


def _run_named(client: Any, ref: str) -> Any | None:
    """The run of `runs:/ID`, or of 32 hex that are no run's but may be a table's: then None."""
    from mlflow.exceptions import MlflowException

    told = ref.startswith("runs:/")
    run_id = ref.removeprefix("runs:/").partition("/")[0]
    if not told and not _RUN.fullmatch(run_id):
        return None
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        if told:
            raise InputError(f"there is no run {one_line(run_id, 90)!r}") from error
        return None


class _Built:
    """A graph under construction."""

    def __init__(self, ledger: Ledger, trust: Trust, now: datetime) -> None:
        self.ledger, self.trust, self.now = ledger, trust, now
        self.nodes: dict[str, Node] = {}
        self.links: dict[Link, None] = {}
        self.full: dict[str, str] = {}
        self.pairs: set[tuple[str, str]] = set()  # tables between which a making stands
        self.told_by_runs: dict[Edge, None] = {}
        self.recalls: dict[str, tuple[Recall, ...]] = {}  # of the tables for which they were looked up already

    # ---- from each kind of reference

    def of_table(self, digest: str) -> Graph:
        found = read_impact(self.ledger, digest, self.trust, self.now)
        key = short_digest(digest)
        self.full |= {table.key: table.digest for table in found.tables}
        self.recalls |= {table.key: table.recalls for table in found.tables}
        self._made(found.makings, found.edges)
        self._versions(found.versions)
        for version in found.versions:
            self._sources(key, tables_named(version.tags))
        for one in found.deployments:
            self._deployment(one, [table.key for table in found.tables])
        self._runs_given([table.key for table in found.tables])
        self._behind([key])
        return self._graph(f"table:{key}")

    def of_run(self, run: Any) -> Graph:
        """The models that it says it made, and those of which versions say so."""
        self._run(run)
        models = {str(output.model_id): None for output in (run.outputs.model_outputs if run.outputs else ())}
        for version in self.ledger.client.search_model_versions(f"run_id = '{run.info.run_id}'", max_results=_VERSIONS):
            source = str(version.source).rstrip("/").removeprefix("models:/")
            models |= {source: None} if is_model_id(source) else {}
        for model_id in models:
            self._model(self.ledger.client.get_logged_model(model_id), run)
        self._behind(self._tables())
        return self._graph(f"run:{run.info.run_id}")

    def of_model(self, ref: str) -> Graph:
        from mlflow.exceptions import MlflowException

        try:
            logged = self.ledger.client.get_logged_model(logged_model_id(self.ledger.client, ref))
        except MlflowException as error:
            if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                raise
            raise InputError(f"there is no model {one_line(ref, 90)!r}") from error
        self._model_with_run(logged)
        self._behind(self._tables())
        return self._graph(self._root_of(ref.rstrip("/"), str(logged.model_id)))

    def of_deployment(self, ref: str) -> Graph:
        one = _deployment_named(all_deployments(self.ledger, self.trust, self.now), ref)
        for model_id in one.logged:
            self._model_if_there(model_id)
        for key, _ in one.tables:
            self._table(key)
        self._deployment(one, [key for key, _ in one.tables])
        self._behind(self._tables())
        return self._graph(f"deployment:{one.identity}")

    # ---- its parts

    def _root_of(self, ref: str, model_id: str) -> str:
        return next((node for node in (f"version:{ref}", f"alias:{ref}") if node in self.nodes), f"model:{model_id}")

    def _tables(self) -> list[str]:
        return [node.id.removeprefix("table:") for node in self.nodes.values() if node.kind == "table"]

    def _model_if_there(self, model_id: str) -> None:
        """A model that was deleted since is known by what the deployment's record says of it."""
        from mlflow.exceptions import MlflowException

        try:
            logged = self.ledger.client.get_logged_model(model_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return
        self._model_with_run(logged)

    def _model_with_run(self, logged: Any) -> None:
        run_id = logged.source_run_id
        run = None if run_id is None else self.ledger.client.get_run(run_id)
        if run is not None:
            self._run(run)
        self._model(logged, run)

    def _run(self, run: Any) -> None:
        run_id = str(run.info.run_id)
        self._add(Node(f"run:{run_id}", "run", str(run.info.run_name or run_id), {"run_id": run_id, "status": run.info.status}))
        self.full |= {short_digest(digest): digest for digest in full_digests(run)}
        self._used(f"run:{run_id}", tables_named(run.data.tags))

    def _runs_given(self, tables: Sequence[str]) -> None:
        """The newest runs that were given one of the tables, whether a version came of them or not; a search for each table."""
        left, experiments = _RUNS, self.ledger.others()
        for key in tables:
            if left < 1 or not experiments:
                return
            runs = self.ledger.client.search_runs(experiments, f"tags.`synthml.ds.{key}` LIKE '%'", max_results=left)
            left -= len(runs)
            for run in runs:
                self._run(run)
                for output in run.outputs.model_outputs if run.outputs else ():
                    self._add(Node(f"model:{output.model_id}", "model", str(output.model_id)))
                    self._link(f"run:{run.info.run_id}", f"model:{output.model_id}")

    def _model(self, logged: Any, run: Any | None) -> None:
        """A LoggedModel with its versions, aliases and deployments; three requests, and one for each name."""
        model_id, run_id = str(logged.model_id), None if run is None else str(run.info.run_id)
        self._add(Node(f"model:{model_id}", "model", model_id, {"name": str(logged.name or "")}))
        if run_id is not None:
            self._link(f"run:{run_id}", f"model:{model_id}")
        versions = [
            AffectedVersion(one.name, one.number, run_id, one.source, tables_named(one.tags), one.tags)
            for one in versions_of(self.ledger.client, model_id, run_id)
        ]
        self._versions(with_aliases(self.ledger.client, versions))
        for one in folded(self.ledger.serving(model_id), self.trust, self.now):
            self._deployment(one, ())

    def _versions(self, versions: Sequence[AffectedVersion]) -> None:
        for version in versions:
            verdict = version.tags.get("synthml.verdict")
            facts = {} if verdict is None else {"verdict": str(verdict)}
            self._add(Node(f"version:{version.uri}", "version", version.uri, facts))
        for version in versions:
            self._version(version)

    def _version(self, version: AffectedVersion) -> None:
        node = f"version:{version.uri}"
        run, model = f"run:{version.run_id}", None if version.model_id is None else f"model:{version.model_id}"
        if version.run_id is not None:
            self._add(Node(run, "run", version.run_id, {"run_id": version.run_id}))
        if model is not None:
            self._add(Node(model, "model", str(version.model_id)))
            self._link(model, node)
            if version.run_id is not None:
                self._link(run, model)
        elif f"version:{version.source.rstrip('/')}" in self.nodes:
            self._link(f"version:{version.source.rstrip('/')}", node, "copy")
        elif version.run_id is not None:
            self._link(run, node)
        self._used(run if version.run_id is not None else node, version.tables)
        for alias in version.aliases:
            told = f"models:/{version.name}@{alias}"
            self._add(Node(f"alias:{told}", "alias", told))
            self._link(node, f"alias:{told}")

    def _used(self, user: str, tables: Mapping[str, str]) -> None:
        """What a run was given. A source that went in by way of a synthetic table is linked to that one's making alone."""
        made = [key for key, roles in tables.items() if "synthetic" in roles.split(",")]
        for key in made:
            self._sources(key, tables)
        for key, told in tables.items():
            self._table(key)
            through = any(table != key for table in made)
            roles = [role for role in told.split(",") if not (role == "source" and through)]
            if roles:
                self._link(f"table:{key}", user, ", ".join(roles))

    def _sources(self, made: str, tables: Mapping[str, str]) -> None:
        """Of the synthetic table of a run, by the roles of that run's tables."""
        if "synthetic" in tables.get(made, "").split(","):
            sources = [key for key, roles in tables.items() if key != made and "source" in roles.split(",")]
            self.told_by_runs |= {Edge(made, source, told="the model's run"): None for source in sources}

    def _deployment(self, one: Deployment, tables: Sequence[str]) -> None:
        """tables: what it is linked to when neither its version nor its model is known any more."""
        facts = {"state": one.state, "environment": one.environment, "since": one.since, "by": one.by}
        facts |= {"signature": one.signature, "model": one.model, "until": one.until or "", "ended": one.ended or ""}
        node = f"deployment:{one.identity}"
        self._add(Node(node, "deployment", f"{one.environment} {one.endpoint}", {k: v for k, v in facts.items() if v}))
        before = [f"version:{one.version}"] if f"version:{one.version}" in self.nodes else []
        before = before or [f"model:{model}" for model in one.logged if f"model:{model}" in self.nodes]
        named = dict(one.tables)
        before = before or [f"table:{key}" for key in tables if key in named]
        for start in before:
            self._link(start, node, named.get(start.removeprefix("table:"), ""))

    def _behind(self, tables: Iterable[str]) -> None:
        """Everything that tables were made of; one request to the ledger for each table."""
        makings: dict[str, Making] = {}

        def edges(table: str) -> list[Edge]:
            told = [making for entry in self.ledger.about(table) if (making := making_of(entry.raw)) is not None]
            makings.update((making.identity, making) for making in told)
            return [edge for making in told for edge in making.edges("the ledger")]

        ancestry = followed(sorted(tables), self.told_by_runs, edges)
        self._made(makings.values(), ancestry.edges)

    def _made(self, makings: Iterable[Making], edges: Iterable[Edge]) -> None:
        """A node for each way in which tables were made that statements tell of, and for each edge that none tells of."""
        for making in told_once(makings):
            node = f"making:{making.identity}"
            self._add(Node(node, "making", making.generator or making.activity, {"activity": making.activity}))
            for digest in making.materials:
                self._link(self._table(short_digest(digest), digest), node)
            for digest in making.derived:
                self._link(node, self._table(short_digest(digest), digest))
            self.pairs |= {(edge.material, edge.derived) for edge in making.edges("the ledger")}
        for edge in edges:
            if (edge.material, edge.derived) not in self.pairs:
                self.pairs.add((edge.material, edge.derived))
                node = f"making:{edge.material}:{edge.derived}"
                self._add(Node(node, "making", edge.activity, {"activity": edge.activity, "told": edge.told}))
                self._link(self._table(edge.material), node)
                self._link(node, self._table(edge.derived))

    def _table(self, key: str, digest: str = "") -> str:
        if ":" in digest:
            self.full[key] = digest
        node = f"table:{key}"
        if node not in self.nodes:
            self._add(Node(node, "table", key))
        return node

    def _add(self, node: Node) -> None:
        held = self.nodes.get(node.id)
        if held is None or len(node.facts) > len(held.facts):
            self.nodes[node.id] = node

    def _link(self, start: str, end: str, label: str = "") -> None:
        self.links[Link(start, end, label)] = None

    def _graph(self, root: str) -> Graph:
        tables = {key: self.full.get(key, key) for key in self._tables()}
        unknown = {key: digest for key, digest in tables.items() if key not in self.recalls}
        found = recalls_among(self.ledger, unknown, self.trust, self.now) if unknown else {}
        for key, digest in tables.items():
            self.nodes[f"table:{key}"] = _table_node(key, digest, found.get(key) or self.recalls.get(key, ()))
        return Graph(root, dict(self.nodes), tuple(sorted(self.links)))


def _table_node(key: str, digest: str, recalls: Sequence[Recall]) -> Node:
    facts = {"digest": digest} if ":" in digest else {}
    told = {"recalled": "; ".join(map(str, recalls))} if recalls else {}
    return Node(f"table:{key}", "table", digest if ":" in digest else key, {**facts, **told})


def _deployment_named(found: Sequence[Deployment], ref: str) -> Deployment:
    """By endpoint or identity: what serves before what was retired."""
    match = _IDENTITY.fullmatch(ref)
    named = [
        one
        for one in found
        if one.endpoint == ref or (match is not None and one.identity.removeprefix("sha256:").startswith(match.group(1)))
    ]
    chosen = [one for one in named if one.serves] or named[-1:]
    if not chosen:
        told = "expected is models:/..., runs:/..., a run's id, a table's digest, or an endpoint that is recorded"
        raise InputError(f"{one_line(ref, 90)!r} names nothing in this registry; {told}")
    if len(chosen) > 1:
        told = ", ".join(f"deployment:{one.identity[7:19]} ({one.environment})" for one in chosen[:5])
        raise InputError(f"{one_line(ref, 90)!r} names {len(chosen)} deployments; choose one of {told}")
    return chosen[0]
