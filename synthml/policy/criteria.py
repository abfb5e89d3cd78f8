"""A policy as a file: what must hold, with the source of each threshold and who set it.

A criterion is about a figure id of the evidence. It is decided on the interval, so a threshold is never met by luck alone.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from synthml.documents import did_you_mean, parse_yaml, read_yaml, told_problem
from synthml.errors import PolicyError
from synthml.evidence import digest_json
from synthml.figures import FigureId
from synthml.policy.thresholds import is_laxer
from synthml.policy.verdict import Severity
from synthml.policy.vocabulary import KINDS, RANGES, ROLES, record_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synthml.documents import YamlDocument

__all__ = [
    "Cell",
    "Criterion",
    "Lineage",
    "Policy",
    "Requirements",
    "criterion_lines",
    "is_as_strict",
    "is_weaker",
    "parent_of",
    "policy_schema",
    "shipped_policies",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Criterion(_Strict):
    """One figure against a threshold.

    of: "all"; "each" (everyone and every group); "groups" (every group); or one `<of>` as it stands in the figure's id. at_most
    passes when the upper bound does not exceed it, fails when the lower bound does; at_least the other way round. decided_on:
    another way to read the figure, draws: tables of the generator of which the worst counts (both: `thresholds`). tasks: the
    criterion is about these tasks only.
    """

    id: str = Field(min_length=1)
    figure: str
    of: str = "all"
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    decided_on: Literal["interval", "value", "low", "high"] = "interval"
    draws: int = Field(default=1, ge=1)
    tasks: tuple[Literal["binary", "multiclass", "regression"], ...] = ()
    severity: Severity = "block"
    waivable: bool = False
    source: str = Field(min_length=1, pattern=r"\S")
    set_by: str = Field(min_length=1, pattern=r"\S")

    @field_validator("figure")
    @classmethod
    def _is_a_name(cls, figure: str) -> str:
        if FigureId.parse(f"{figure}/all").bound is not None:
            raise ValueError("name the figure without .low or .high: the interval decides")
        if figure not in RANGES:
            raise ValueError(f"nothing measures a figure '{figure}'.{did_you_mean(figure, RANGES)}")
        return figure

    @model_validator(mode="after")
    def _has_a_threshold(self) -> Criterion:
        if self.at_most is None and self.at_least is None:
            raise ValueError("a criterion needs at_most, at_least, or both")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise ValueError("at_least lies above at_most: nothing could pass")
        least, most = RANGES[self.figure]
        for name, threshold in (("at_most", self.at_most), ("at_least", self.at_least)):
            if threshold is not None and not least <= threshold <= most:
                raise ValueError(f"{name} is {threshold:g}, and {self.figure} lies {_between(least, most)}")
        return self


def _between(least: float, most: float) -> str:
    if math.isinf(least):
        return f"at {most:g} or below"
    return f"at {least:g} or above" if math.isinf(most) else f"between {least:g} and {most:g}"


def _among(values: tuple[str, ...], known: Iterable[str], what: str) -> tuple[str, ...]:
    known = sorted(known)
    for value in values:
        if value not in known:
            raise ValueError(f"there is no {what} '{value}'.{did_you_mean(value, known)}")
    return values


class Cell(_Strict):
    """The smallest group that evidence may show: its rows, and of them the rarer outcome."""

    rows: int = Field(ge=1)
    events: int = Field(default=1, ge=1)


class Requirements(_Strict):
    """What must be there at all: kinds of evidence, roles that signed, age in days, filled fields of the generation record.

    minimum_cell: smaller groups are withheld, and no figure of model or bias that a criterion reads rests on fewer rows.
    """

    kinds: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    freshness_days: int | None = Field(default=None, ge=1)
    documents: tuple[str, ...] = ()
    approvals: int = Field(default=0, ge=0)
    minimum_cell: Cell | None = None

    @field_validator("kinds")
    @classmethod
    def _kinds_exist(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return _among(kinds, KINDS, "kind of evidence")

    @field_validator("signatures")
    @classmethod
    def _roles_exist(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        return _among(roles, ROLES, "role")

    @field_validator("documents")
    @classmethod
    def _fields_exist(cls, documents: tuple[str, ...]) -> tuple[str, ...]:
        hidden = [path for path in documents if path in record_fields() - record_fields(public=True)]
        if hidden:
            raise ValueError(f"'{hidden[0]}' is left out of the public view of the record, so evidence never shows it")
        return _among(documents, record_fields(public=True), "field")


class Lineage(_Strict):
    """Conditions on where the tables came from."""

    no_recall: bool = False
    no_contamination: bool = True
    release: Literal["required", "optional"] = "optional"
    holdout_verdicts_at_most: int | None = Field(default=None, ge=1)


class Loosening(_Strict):
    """Leave to be weaker than the parent in one criterion, or in `require` or `lineage`."""

    id: str
    because: str = Field(min_length=1)


class Policy(_Strict):
    """What must hold, with a digest. Load one by its shipped name or from a file."""

    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    description: str = ""
    extends: str | None = None
    loosens: tuple[Loosening, ...] = ()
    require: Requirements = Requirements()
    lineage: Lineage = Lineage()
    criteria: tuple[Criterion, ...] = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Policy:
        ids = [criterion.id for criterion in self.criteria]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"the criterion '{twice[0]}' stands there twice")
        return self

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON without defaults, so that a field which is added later changes no digest."""
        return digest_json(self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def load(cls, name: str | Path) -> Policy:
        """A shipped policy by name, or a file by path. Raises PolicyError that names the line of a mistake."""
        return _load(name, ())


def policy_schema() -> str:
    """JSON Schema of a policy file, for editors; what it cannot say (known figures, ranges) is said when a file is read."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Policy.model_json_schema(), "title": "synthml policy"}
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def shipped_policies() -> tuple[str, ...]:
    """Names of the policies in the package."""
    files = resources.files("synthml.policy").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def criterion_lines(path: Path) -> dict[str, int]:
    """Id of each criterion that stands in a policy file itself -> its line. Raises PolicyError when the file cannot be read."""
    document = _document(path)
    criteria = document.data.get("criteria") or () if isinstance(document.data, dict) else ()
    return {str(one.get("id")): document.line_of(("criteria", i)) for i, one in enumerate(criteria) if isinstance(one, dict)}


def parent_of(name: str | Path, policy: Policy) -> str | None:
    """What a policy that was loaded by this name extends, as it can be loaded itself: a shipped name, or a path."""
    above = policy.extends
    if above is None or above in shipped_policies():
        return above
    return str((Path(name).parent / above).resolve())


def _load(name: str | Path, below: tuple[str, ...]) -> Policy:
    """below: the policies that extend this one, to notice a circle."""
    document = _document(name)
    data = document.data
    if not isinstance(data, dict):
        raise PolicyError(f"{document.name} is not a policy: expected name, version and criteria")
    child = _validated(data, document)
    above = parent_of(name, child)
    if above is None:
        return child
    path = (*below, above)
    if above in below or (Path(name).exists() and above == str(Path(name).resolve())):
        raise PolicyError(f"{document.at(('extends',))}: policies extend each other in a circle")
    return _merged(_load(above, path), child, data, document)


def _document(name: str | Path) -> YamlDocument:
    text = str(name)
    if text in shipped_policies():
        file = resources.files("synthml.policy") / f"{text}.yaml"
        return parse_yaml(file.read_text(encoding="utf-8"), f"{text}.yaml", PolicyError)
    path = Path(name)
    if not path.exists():
        raise PolicyError(
            f"there is no policy '{text}': neither a file nor one of {', '.join(shipped_policies())}."
            f"{did_you_mean(text, shipped_policies())}"
        )
    return read_yaml(path, PolicyError)


def _validated(data: dict[str, Any], document: YamlDocument) -> Policy:
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        problems = [_told(problem, document) for problem in error.errors()]
        raise PolicyError("\n".join(problems)) from error


def _told(problem: Any, document: YamlDocument) -> str:
    where = tuple(problem["loc"])
    parts: dict[str, type[_Strict]] = {"criteria": Criterion, "require": Requirements, "lineage": Lineage}
    known = parts.get(str(where[0]), Policy) if len(where) > 1 else Policy
    known = Cell if "minimum_cell" in where[:-1] else known
    return told_problem(problem, document, known.model_fields)


def _merged(parent: Policy, child: Policy, data: dict[str, Any], document: YamlDocument) -> Policy:
    """The child over its parent; what is weaker than the parent's needs a reason in `loosens`."""
    allowed = {loosening.id for loosening in child.loosens}
    own = {criterion.id: criterion for criterion in child.criteria}
    for inherited in parent.criteria:
        mine = own.get(inherited.id)
        if mine is not None and inherited.id not in allowed and is_weaker(mine, inherited):
            position = [c.id for c in child.criteria].index(inherited.id)
            raise PolicyError(
                f"{document.at(('criteria', position))}: '{mine.id}' is weaker than in {parent.name}; "
                "tighten it, or add it to `loosens` with a reason"
            )
    criteria = tuple(own.pop(c.id, c) for c in parent.criteria) + tuple(own.values())
    require = _tightened(parent.require, child.require, "require", data, allowed, document)
    lineage = _tightened(parent.lineage, child.lineage, "lineage", data, allowed, document)
    return child.model_copy(update={"criteria": criteria, "require": require, "lineage": lineage})


def is_weaker(mine: Criterion, theirs: Criterion) -> bool:
    """Whether something could pass mine that theirs stops."""
    return (
        mine.figure != theirs.figure
        or mine.of != theirs.of
        or is_laxer(mine, theirs)
        or (theirs.at_most is not None and (mine.at_most is None or mine.at_most > theirs.at_most))
        or (theirs.at_least is not None and (mine.at_least is None or mine.at_least < theirs.at_least))
        or (mine.severity == "warn" and theirs.severity == "block")
        or (mine.waivable and not theirs.waivable)
        or (bool(mine.tasks) and not set(theirs.tasks or ("binary", "multiclass", "regression")) <= set(mine.tasks))
    )


def _tightened(parent: Any, child: Any, part: str, data: dict[str, Any], allowed: set[str], document: YamlDocument) -> Any:
    """`require` or `lineage` of the child over the parent's; a field that the child does not name is inherited."""
    values = parent.model_dump()
    for name in data.get(part) or {}:
        mine, theirs = getattr(child, name), getattr(parent, name)
        if part not in allowed and not is_as_strict(name, mine, theirs):
            raise PolicyError(
                f"{document.at((part, name))}: {part}.{name} is weaker than in the policy it extends; "
                f"tighten it, or add '{part}' to `loosens` with a reason"
            )
        values[name] = mine
    return type(parent).model_validate(values)


def is_as_strict(name: str, mine: Any, theirs: Any) -> bool:
    """Whether a field of `require` or `lineage` asks at least as much as theirs."""
    if isinstance(theirs, tuple):
        return set(theirs) <= set(mine)
    if isinstance(theirs, bool):
        return bool(mine) >= theirs
    if isinstance(theirs, str):
        return theirs == "optional" or mine == "required"
    if name == "minimum_cell":
        return theirs is None or (mine is not None and mine.rows >= theirs.rows and mine.events >= theirs.events)
    if name == "approvals":  # the other numbers are limits: fewer days, fewer verdicts are stricter
        return bool(mine >= theirs)
    return theirs is None or (mine is not None and mine <= theirs)
