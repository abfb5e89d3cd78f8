"""One dossier under several policies. The release is as good as its worst verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml.policy.comparison import compare, worst_outcome
from synthml.policy.decision import decide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from synthml.evidence import Dossier
    from synthml.policy import Policy, Verdict
    from synthml.policy.comparison import ComparedRow
    from synthml.policy.verdict import Outcome

__all__ = ["Release", "decide_release", "kinds_to_measure"]

_OF_A_MODEL = ("utility", "subgroups")
_KIND_OF_FAMILY = {"utility": "utility", "learners": "utility", "explain": "utility", "disparity": "subgroups"}


@dataclass(frozen=True)
class Release:
    """A table, what was measured of it, and what each policy says. subject: digest of the synthetic table."""

    dossier: Dossier
    verdicts: tuple[Verdict, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst over the policies."""
        return worst_outcome(self.verdicts)

    @property
    def subject(self) -> str:
        """The digest of the synthetic table."""
        return str(self.dossier.datasets["synthetic"]["digest"])

    @property
    def binding(self) -> Verdict:
        """The first verdict with the worst outcome: what stands on the first page."""
        return next(verdict for verdict in self.verdicts if verdict.outcome == self.outcome)

    @property
    def rows(self) -> tuple[ComparedRow, ...]:
        """What the policies ask for, side by side."""
        return compare(self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """The verdicts as one document."""
        return {
            "schema_version": "1",
            "outcome": self.outcome,
            "subject": self.subject,
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
        }


def decide_release(dossier: Dossier, policies: Sequence[Policy], *, now: datetime) -> Release:
    """Hold a dossier against each policy, all at one time.

    Raises InputError without a policy, for two policies of one name and version, and without a synthetic table.
    """
    if not policies:
        raise InputError("name at least one policy")
    if "synthetic" not in dossier.datasets:
        raise InputError("the study has no synthetic table, so there is nothing to release")
    release = Release(dossier, tuple(decide(dossier, policy, now=now) for policy in policies))
    names = [verdict.policy for verdict in release.verdicts]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"the policy {twice[0]} was named twice; give one of them another name or version")
    return release


def kinds_to_measure(policies: Sequence[Policy], *, model: bool) -> tuple[str, ...]:
    """Disclosure, and what the policies ask for about a model when there is one."""
    asked = {kind for policy in policies for kind in policy.require.kinds}
    asked |= {_KIND_OF_FAMILY.get(c.figure.partition(".")[0], "") for policy in policies for c in policy.criteria}
    return (*(kind for kind in _OF_A_MODEL if model and kind in asked), "disclosure")
