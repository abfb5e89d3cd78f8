"""What a policy has from the one that it extends: what it took over, tightened, loosened and why, and added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.policy.criteria import Policy, is_as_strict, is_weaker, parent_of
from synthml.policy.thresholds import asked

if TYPE_CHECKING:
    from pathlib import Path

    from synthml.policy.criteria import Criterion

__all__ = ["Inheritance", "inheritance"]


@dataclass(frozen=True)
class Inheritance:
    """A policy against its parent. unchanged, added: ids. tightened, loosened: name -> what it was and is, in words."""

    parent: Policy
    unchanged: tuple[str, ...]
    added: tuple[str, ...]
    tightened: dict[str, str]
    loosened: dict[str, str]

    def lines(self) -> list[str]:
        """In plain words."""
        told = [f"Extends {self.parent.name} v{self.parent.version} ({self.parent.digest[:19]}):"]
        told += [f"  inherited: {', '.join(self.unchanged)}"] if self.unchanged else []
        told += [f"  added: {', '.join(self.added)}"] if self.added else []
        told += [f"  tightened: {name}, {what}" for name, what in self.tightened.items()]
        told += [f"  LOOSENED: {name}, {what}" for name, what in self.loosened.items()]
        return told


def inheritance(name: str | Path) -> tuple[Inheritance, ...]:
    """Of a shipped policy or a file, and of each one further up. Raises PolicyError."""
    found, policy = [], Policy.load(name)
    while (above := parent_of(name, policy)) is not None:
        parent = Policy.load(above)
        found.append(_between(policy, parent))
        name, policy = above, parent
    return tuple(found)


def _between(child: Policy, parent: Policy) -> Inheritance:
    reasons = {loosening.id: loosening.because for loosening in child.loosens}
    theirs = {criterion.id: criterion for criterion in parent.criteria}
    mine = {criterion.id: criterion for criterion in child.criteria}
    tightened, loosened, unchanged = dict[str, str](), dict[str, str](), []
    for name, criterion in mine.items():
        if name not in theirs:
            continue
        if _asked(criterion) == _asked(theirs[name]):
            unchanged.append(name)
        elif is_weaker(criterion, theirs[name]):
            loosened[name] = f"{_bounds(criterion)} instead of {_bounds(theirs[name])}, because {reasons.get(name, 'not told')}"
        else:
            tightened[name] = f"{_bounds(criterion)} instead of {_bounds(theirs[name])}"
    for part in ("require", "lineage"):
        before, after = getattr(parent, part).model_dump(), getattr(child, part).model_dump()
        for field in sorted(field for field in after if after[field] != before[field]):
            told = f"{_word(after[field])} instead of {_word(before[field])}"
            if not is_as_strict(field, getattr(getattr(child, part), field), getattr(getattr(parent, part), field)):
                loosened[f"{part}.{field}"] = f"{told}, because {reasons.get(part, 'not told')}"
            else:
                tightened[f"{part}.{field}"] = told
    added = tuple(name for name in mine if name not in theirs)
    return Inheritance(parent, tuple(unchanged), added, tightened, loosened)


def _asked(criterion: Criterion) -> dict[str, Any]:
    """What a criterion asks, without where it comes from."""
    return criterion.model_dump(exclude={"source", "set_by"})


def _bounds(criterion: Criterion) -> str:
    where = "" if criterion.of == "all" else f" of {criterion.of}"
    waivable = ", waivable" if criterion.waivable else ""
    return f"{asked(criterion)}{where} ({criterion.severity}{waivable})"


def _word(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no limit" if value is None else str(value)
