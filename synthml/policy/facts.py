"""What the evidence itself cannot know: facts that only a registry and a trust file give. Whoever gathers them verified them.

None means unknown, and the unknown never passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Approval", "Facts", "Waiver"]


@dataclass(frozen=True)
class Approval:
    """A reviewer's decision whose signature was verified, bound to what the reviewer saw.

    by: the name that the trust file gives to the key, so that one person with two keys is one. expires: always set when approved.
    """

    by: str
    model_digest: str
    evidence_digest: str
    policy_digest: str
    decided: datetime
    expires: datetime | None
    decision: Literal["approved", "refused"] = "approved"
    reason: str = ""


@dataclass(frozen=True)
class Waiver:
    """Leave for one criterion, one model and one policy, until it expires. Its giver is not the model's author."""

    criterion: str
    model_digest: str
    policy_digest: str
    by: str
    reason: str
    expires: datetime


@dataclass(frozen=True)
class Facts:
    """What the registry and the trust file say.

    recalls: digests of recalled tables among the model's own and their ancestors. contaminated: whether a holdout was among the
    inputs of an ancestor. signatures: roles whose verified signature covers what that role answers for. release: whether the
    synthetic table's release was verified; False when it was refused. holdout_verdicts: models that were judged on this holdout,
    this one included. authors: names of those who made the model. told: id of a condition -> what was found, in words.
    """

    recalls: tuple[str, ...] | None = None
    contaminated: bool | None = None
    signatures: frozenset[str] = frozenset()
    release: bool | None = None
    holdout_verdicts: int | None = None
    approvals: tuple[Approval, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    authors: frozenset[str] | None = None
    told: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
