"""What depends on a table: every version, alias and deployment, through any chain of tables that were made from it.

Downward from the table: the ledger tells what was made from it, the versions that name it tell what their generator made of it.
Then one search of the registry for each table found, by the tag `synthml.ds.<32 hex>`; nothing walks runs or versions.

A deployment depends on a table when its own record names the table, when a version that does is named by it, or when it serves
the LoggedModel of such a version: so a version that was deleted, or whose tags were removed, still leads to its endpoints. What
is doubtful is on the list. Being on it too much costs a look, being missing costs more.

Requests: two for each table, one for each name of a registered model (at most `_NAMES`, beyond that a page of all names for each
thousand), one for each thousand of recalls, lifts, deployments and retirements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synthml.errors import EvidenceError
from synthml_tracking.ancestry import Edge
from synthml_tracking.client import paged
from synthml_tracking.clock import now as time_now
from synthml_tracking.deployments import Deployment, all_deployments
from synthml_tracking.derivations import Making, making_of
from synthml_tracking.items import short_digest
from synthml_tracking.ledger import Ledger, open_ledger
from synthml_tracking.plain import csv_text, one_line
from synthml_tracking.recalls import Recall, in_force, resolve_digest
from synthml_tracking.trust import find_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from synthml.attestation import Trust
    from synthml_tracking.entries import Entry

__all__ = [
    "AffectedTable",
    "AffectedVersion",
    "Impact",
    "Reached",
    "impact",
    "read_impact",
    "recalls_among",
    "tables_named",
    "with_aliases",
]

_DS = "synthml.ds."
_KEY = re.compile(r"[0-9a-f]{32}")
_MOST = 10_000  # tables made from one
_NAMES = 20
_PAGE = 1000
_COLUMNS = ("kind", "what", "version", "environment", "since", "until", "by", "state", "signature", "table", "roles")


@dataclass(frozen=True)
class AffectedTable:
    """The table itself, or one that was made from it. key: the first 32 hex of its digest; digest: in full where that is known.

    path: keys from the table that was asked about to this one. recalls: those in force.
    """

    key: str
    digest: str
    path: tuple[str, ...]
    recalls: tuple[Recall, ...] = ()


@dataclass(frozen=True)
class AffectedVersion:
    """A registered version. tables: 32 hex -> roles, of the affected ones. source: what MLflow registered it from."""

    name: str
    number: str
    run_id: str | None
    source: str
    tables: Mapping[str, str]
    tags: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    description: str = ""

    @property
    def uri(self) -> str:
        """`models:/NAME/1`."""
        return f"models:/{self.name}/{self.number}"

    @property
    def model_id(self) -> str | None:
        """Of the LoggedModel, when it was registered from one; a copy names another version instead."""
        kept = self.source.rstrip("/").removeprefix("models:/")
        return kept if kept.startswith("m-") and "/" not in kept else None


@dataclass(frozen=True)
class Impact:
    """Everything that depends on a table; `live`: the deployments that were not retired.

    edges: between the tables; makings: the statements that tell of them, where there are any.
    """

    digest: str
    tables: tuple[AffectedTable, ...]
    versions: tuple[AffectedVersion, ...]
    deployments: tuple[Deployment, ...]
    edges: tuple[Edge, ...] = ()
    makings: tuple[Making, ...] = ()

    @property
    def live(self) -> tuple[Deployment, ...]:
        """The endpoints to take down when the table must not be relied on."""
        return tuple(one for one in self.deployments if one.serves)

    @property
    def recalls(self) -> tuple[Recall, ...]:
        """Those in force, of the table and of what was made from it."""
        return tuple(recall for table in self.tables for recall in table.recalls)

    def to_dict(self, *, live: bool = False) -> dict[str, Any]:
        """For machines. live: without tables and versions."""
        told: dict[str, Any] = {"digest": self.digest, "recalls": [one.to_dict() for one in self.recalls]}
        if live:
            return {**told, "live": [one.to_dict() for one in self.live]}
        tables = [{"digest": one.digest, "path": list(one.path), "recalled": bool(one.recalls)} for one in self.tables]
        versions = [
            {"version": one.uri, "aliases": list(one.aliases), "run_id": one.run_id, "tables": dict(one.tables)}
            for one in self.versions
        ]
        return {**told, "tables": tables, "versions": versions, "deployments": [one.to_dict() for one in self.deployments]}

    def to_csv(self, *, live: bool = False) -> str:
        """One row for each version, alias and deployment; safe to open in a spreadsheet. live: the endpoints to take down."""
        rows = [] if live else [row for one in self.versions for row in _version_rows(one)]
        rows += [self._deployment_row(one) for one in (self.live if live else self.deployments)]
        return csv_text(_COLUMNS, rows)

    def _deployment_row(self, one: Deployment) -> tuple[str, ...]:
        affected = {table.key for table in self.tables}
        named = [(key, roles) for key, roles in one.tables if key in affected]
        tables, roles = " ".join(key for key, _ in named), " ".join(roles for _, roles in named)
        until = one.ended or one.until or ""
        times = (one.since, until, one.by, one.state, one.signature)
        return ("deployment", one.endpoint, one.version or "", one.environment, *times, tables, roles)

    def text(self, *, live: bool = False) -> str:
        """For people. live: one line for each endpoint to take down."""
        if live:
            return "\n".join(_take_down(one) for one in self.live) or "nothing that serves depends on it"
        lines = [self.digest, *(f"  {recall}" for recall in self.tables[0].recalls)]
        lines += ["", f"tables made from it: {len(self.tables) - 1}"]
        for table in self.tables[1:]:
            lines.append(f"  {table.key[:12]}  {' -> '.join(key[:12] for key in table.path)}")
            lines += [f"    {recall}" for recall in table.recalls]
        lines += ["", f"versions: {len(self.versions)}"]
        for version in self.versions:
            aliases = "".join(f"  @{one_line(alias, 200)}" for alias in version.aliases)
            roles = ", ".join(f"{one_line(roles, 80)} {key[:12]}" for key, roles in version.tables.items())
            lines.append(f"  {one_line(version.uri, 300)}{aliases}  ({roles})")
        lines += ["", f"deployments: {len(self.deployments)}, of them not retired: {len(self.live)}"]
        lines += [f"  {one}" for one in self.deployments]
        return "\n".join(lines)


def _take_down(one: Deployment) -> str:
    return f"{one.environment}  {one.endpoint}  {one.serving or one.model}  ({one.state})"


def _version_rows(one: AffectedVersion) -> Iterable[tuple[str, ...]]:
    rest = ("", "", "", "", "", "", " ".join(one.tables), " ".join(one.tables.values()))
    yield ("version", one.uri, one.uri, *rest)
    for alias in one.aliases:
        yield ("alias", f"models:/{one.name}@{alias}", one.uri, *rest)


# ---- reading the registry -------------------------------------------------------------------------------------------------


def impact(
    digest: str,
    *,
    trust: Trust | Path | str | None = None,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Impact:
    """Everything that depends on a table. digest: in full, or 12 hex or more of it when they name one known table.

    Raises InputError for a digest that names no table or several, EvidenceError when more tables than `_MOST` were made from it,
    TrackingError when the store fails.
    """
    judge, moment = find_trust(trust), now or time_now()
    with open_ledger(tracking_uri, "looking for what depends on the table") as ledger:
        return read_impact(ledger, resolve_digest(ledger.client, digest, ledger), judge, moment)


def read_impact(ledger: Ledger, digest: str, trust: Trust, now: datetime) -> Impact:
    """The same with an open ledger and a digest in full."""
    reached = Reached.below(ledger, digest)
    versions = with_aliases(ledger.client, reached.found_versions())
    recalled = recalls_among(ledger, reached.tables, trust, now)
    tables = tuple(AffectedTable(key, full, reached.path(key), recalled.get(key, ())) for key, full in reached.tables.items())
    uris = {version.uri for version in versions}
    models = {version.model_id for version in versions if version.model_id}
    serving = tuple(
        one
        for one in all_deployments(ledger, trust, now)
        if one.version in uris or models.intersection(one.logged) or any(key in reached.tables for key, _ in one.tables)
    )
    return Impact(digest, tables, versions, serving, reached.edges, tuple(reached.makings.values()))


class Reached:
    """The tables below one, and the versions that name any of them.

    tables: 32 hex -> digest, in full where a statement told it, in the order in which they were found.
    """

    def __init__(self, digest: str) -> None:
        self.root = short_digest(digest)
        self.tables: dict[str, str] = {self.root: digest}
        self.versions: dict[str, AffectedVersion] = {}
        self.makings: dict[str, Making] = {}
        self._edges: dict[Edge, None] = {}
        self._pairs: set[tuple[str, str]] = set()
        self._before: dict[str, str] = {}

    @classmethod
    def below(cls, ledger: Ledger, digest: str) -> Reached:
        """Two requests for each table. Raises EvidenceError when there are too many."""
        reached = cls(digest)
        todo = [reached.root]
        for table in todo:
            new = reached._ledger_says(table, ledger.made_from(table))
            new += reached._versions_say(table, _naming(ledger.client, table))
            todo += new
            if len(reached.tables) > _MOST:
                raise EvidenceError(f"more than {_MOST:,} tables are said to be made from this one; the ledger holds a mistake")
        return reached

    @property
    def edges(self) -> tuple[Edge, ...]:
        """From what was made to what it was made of."""
        return tuple(self._edges)

    def path(self, table: str) -> tuple[str, ...]:
        """From the root to a table."""
        chain = [table]
        while chain[-1] != self.root:
            chain.append(self._before[chain[-1]])
        return tuple(reversed(chain))

    def found_versions(self) -> list[AffectedVersion]:
        """The versions, each with those of its tables that were reached."""
        return [
            replace(one, tables={key: roles for key, roles in tables_named(one.tags).items() if key in self.tables})
            for one in self.versions.values()
        ]

    def _ledger_says(self, table: str, entries: Iterable[Entry]) -> list[str]:
        """What was made from a table. Of a document that was damaged the tags are followed."""
        new = []
        for entry in entries:
            making = making_of(entry.raw) if entry.whole else None
            if making is None:
                told = [] if entry.whole else [(Edge(key, table, told="a damaged statement"), key) for key in entry.subjects]
            else:
                self.makings[making.identity] = making
                full = {short_digest(digest): digest for digest in making.derived}
                told = [(edge, full[edge.derived]) for edge in making.edges("the ledger") if edge.material == table]
            for edge, digest in told:
                self._edges[edge] = None
                self._pairs.add((edge.derived, edge.material))
                new += self._add(edge, digest)
        return new

    def _versions_say(self, table: str, versions: Iterable[Any]) -> list[str]:
        """What a version's generator made of its source, where no statement is in the ledger."""
        new = []
        for version in versions:
            named = tables_named(version.tags)
            found = AffectedVersion(
                name=str(version.name),
                number=str(version.version),
                run_id=version.run_id or None,
                source=str(version.source or ""),
                tables={},
                tags=dict(version.tags),
                description=str(version.description or ""),
            )
            self.versions.setdefault(found.uri, found)
            if "source" in named.get(table, "").split(","):
                for key in (key for key, roles in named.items() if key != table and "synthetic" in roles.split(",")):
                    edge = Edge(key, table, told="the model's run")
                    if (key, table) not in self._pairs:
                        self._pairs.add((key, table))
                        self._edges[edge] = None
                    new += self._add(edge, key)
        return new

    def _add(self, edge: Edge, digest: str) -> list[str]:
        if edge.derived in self.tables:
            if ":" in digest:
                self.tables[edge.derived] = digest
            return []
        self.tables[edge.derived] = digest
        self._before[edge.derived] = edge.material
        return [edge.derived]


def tables_named(tags: Mapping[str, Any]) -> dict[str, str]:
    """32 hex -> roles, from the tags of a version, a run or a deployment; tags of other forms are none of ours."""
    found = {key.removeprefix(_DS): str(roles) for key, roles in tags.items() if key.startswith(_DS)}
    return {key: roles for key, roles in found.items() if _KEY.fullmatch(key)}


def _naming(client: Any, table: str) -> Iterable[Any]:
    """The versions that name a table; a request for each thousand."""
    return paged(client.search_model_versions, f"tags.`{_DS}{table}` LIKE '%'", max_results=_PAGE)


def with_aliases(client: Any, versions: Iterable[AffectedVersion]) -> tuple[AffectedVersion, ...]:
    """Versions in order of name and number, with the aliases that point at them. Searches of versions never tell these."""
    versions = list(versions)
    names = {one.name for one in versions}
    aliases: dict[tuple[str, str], list[str]] = {}
    for model in _models(client, names):
        for alias, number in (model.aliases or {}).items():
            aliases.setdefault((str(model.name), str(number)), []).append(str(alias))
    told = (replace(one, aliases=tuple(sorted(aliases.get((one.name, one.number), ())))) for one in versions)
    return tuple(sorted(told, key=lambda one: (one.name, int(one.number) if one.number.isdecimal() else 0)))


def _models(client: Any, names: set[str]) -> Iterable[Any]:
    if len(names) <= _NAMES:
        for name in sorted(names):
            yield from _named(client, name)
        return
    token, wanted = None, set(names)
    while wanted:
        page = client.search_registered_models(max_results=_PAGE, page_token=token)
        yield from (model for model in page if model.name in wanted)
        wanted -= {model.name for model in page}
        token = page.token
        if not token:
            return


def _named(client: Any, name: str) -> Iterable[Any]:
    """By a search, for asking for a model by its name makes MLflow read all of its versions."""
    quote = next((mark for mark in "'\"" if mark not in name), None)
    if quote is None or "\\" in name:
        return [client.get_registered_model(name)]
    return list(client.search_registered_models(f"name = {quote}{name}{quote}", max_results=2))


def recalls_among(ledger: Ledger, tables: Mapping[str, str], trust: Trust, now: datetime) -> dict[str, tuple[Recall, ...]]:
    """32 hex -> the recalls in force. Two requests for each thousand recalls of all tables, whatever the number of tables."""
    about: dict[str, list[Entry]] = {}
    for entry in (*ledger.all("recall"), *ledger.all("recall-lift")):
        for subject in entry.subjects:
            about.setdefault(subject, []).append(entry)
    found = ((key, in_force(tables[key], about[key], trust, now)) for key in tables if key in about)
    return {key: standing for key, standing in found if standing}
