"""What a derivation or a release says of where a table comes from; believed unsigned, for it only makes a gate stricter. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError
from synthml.lineage import generator_name
from synthml_tracking.ancestry import Edge
from synthml_tracking.items import short_digest
from synthml_tracking.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Making", "edges_of", "making_of", "told_once"]


@dataclass(frozen=True)
class Making:
    """Tables were made from tables. derived, materials: digests in full; generator: its name and version, if it was told.

    identity: `sha256:<hex>` of the document that says so.
    """

    identity: str
    derived: tuple[str, ...]
    materials: tuple[str, ...]
    activity: str
    generator: str | None = None

    def edges(self, told: str) -> Iterator[Edge]:
        """From each that was made to each that it was made of."""
        for digest in self.derived:
            for material in self.materials:
                if material != digest:
                    yield Edge(short_digest(digest), short_digest(material), self.activity, told)


def making_of(raw: bytes) -> Making | None:
    """From a document, signed or not; None when it is about something else, or cannot be read."""
    from synthml.attestation import DerivationPredicate, ReleasePredicate, Statement, is_envelope, read_predicate, unverified

    try:
        statement = unverified(raw).statement if is_envelope(raw) else Statement.from_json(raw)
        predicate = read_predicate(statement)
    except AttestationError:
        return None
    identity = "sha256:" + hashlib.sha256(raw).hexdigest()
    if isinstance(predicate, DerivationPredicate):
        generator = None if predicate.generator is None else one_line(predicate.generator)
        materials = tuple(material.digest for material in predicate.materials)
        return Making(identity, statement.digests, materials, predicate.activity, generator)
    if isinstance(predicate, ReleasePredicate):
        materials = tuple(material.digest for material in predicate.derived_from)
        return Making(identity, statement.digests, materials, "synthesis", one_line(generator_name(predicate.generation)) or None)
    return None


def told_once(makings: Iterable[Making]) -> tuple[Making, ...]:
    """Of statements that tell the same of the same tables one, such as the custodian's release and each run that used the table.

    Those that name no generator are the same as one that does; two that name different ones are two.
    """
    alike: dict[tuple[Any, ...], dict[str | None, list[Making]]] = {}
    for making in makings:
        what = (frozenset(making.derived), frozenset(making.materials), making.activity)
        alike.setdefault(what, {}).setdefault(making.generator, []).append(making)
    groups = [group for by_name in alike.values() for name, group in by_name.items() if name is not None or len(by_name) == 1]
    return tuple(min(group, key=lambda one: one.identity) for group in groups)


def edges_of(raw: bytes, told: str) -> Iterator[Edge]:
    """The edges that a document tells; none when it tells none."""
    making = making_of(raw)
    if making is not None:
        yield from making.edges(told)
