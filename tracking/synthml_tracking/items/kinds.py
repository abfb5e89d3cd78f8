"""The items, typed, and their JSON form: a list of items is what the spool keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ArtifactItem",
    "DatasetItem",
    "EndItem",
    "Item",
    "LedgerItem",
    "MetricItem",
    "ModelInputItem",
    "ModelItem",
    "ParamItem",
    "TagItem",
    "VersionItem",
    "VersionTagItem",
    "VersionTextItem",
    "from_dict",
    "short_digest",
    "to_dict",
]


@dataclass(frozen=True)
class DatasetItem:
    """A dataset input. roles: sorted, one table in two roles is one input; columns: name -> MLflow's type.

    profile: flat facts that the UI's dataset drawer shows.
    """

    digest: str
    roles: tuple[str, ...]
    columns: Mapping[str, str]
    profile: Mapping[str, Any]

    @property
    def context(self) -> str:
        """MLflow's context of the input."""
        return ",".join(self.roles)

    @property
    def name(self) -> str:
        """The dataset's name: what it is, since tables of a study have no other."""
        return self.context


@dataclass(frozen=True)
class ModelInputItem:
    """A LoggedModel that was evaluated."""

    model_id: str


@dataclass(frozen=True)
class ModelItem:
    """The model folder of the spool, to be uploaded to the LoggedModel and linked to the run."""

    model_id: str


@dataclass(frozen=True)
class ParamItem:
    """One parameter of the run."""

    key: str
    value: str


@dataclass(frozen=True)
class TagItem:
    """One tag of the run, or of another one."""

    key: str
    value: str
    run_id: str | None = None


@dataclass(frozen=True)
class MetricItem:
    """One number under its figure's id. dataset: digest of the table that it was measured on, or None."""

    key: str
    value: float
    dataset: str | None


@dataclass(frozen=True)
class ArtifactItem:
    """A file of the spool's `artifacts` folder, for the run, or for another one too."""

    path: str
    run_id: str | None = None


@dataclass(frozen=True)
class VersionItem:
    """A version to be registered; tags and description go in when it is made."""

    name: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class VersionTagItem:
    """A tag on a version that stands already."""

    name: str
    version: str
    key: str
    value: str


@dataclass(frozen=True)
class VersionTextItem:
    """The description of a version that stands already."""

    name: str
    version: str
    text: str


@dataclass(frozen=True)
class LedgerItem:
    """An entry of the ledger, as the tags of a run of its own. once: a tag that an entry which says the same would have."""

    once: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class EndItem:
    """The end of the run."""

    status: str


Item = (
    DatasetItem
    | ModelInputItem
    | ModelItem
    | ParamItem
    | TagItem
    | MetricItem
    | ArtifactItem
    | VersionItem
    | VersionTagItem
    | VersionTextItem
    | LedgerItem
    | EndItem
)
_KINDS: dict[str, type[Item]] = {
    "dataset": DatasetItem,
    "model_input": ModelInputItem,
    "model": ModelItem,
    "param": ParamItem,
    "tag": TagItem,
    "metric": MetricItem,
    "artifact": ArtifactItem,
    "version": VersionItem,
    "version_tag": VersionTagItem,
    "version_text": VersionTextItem,
    "ledger": LedgerItem,
    "end": EndItem,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}


def to_dict(item: Item) -> dict[str, Any]:
    """JSON form. Law: `from_dict(to_dict(item)) == item`."""
    return {"item": _WORDS[type(item)], **asdict(item)}


def from_dict(data: Mapping[str, Any]) -> Item:
    """Read an item back. Raises InputError when this version does not know its kind."""
    fields = {key: value for key, value in data.items() if key != "item"}
    if data.get("item") not in _KINDS:
        raise InputError(
            f"the spool holds an item of kind '{data.get('item')}', which this synthml does not know; use a newer one"
        )
    if "roles" in fields:
        fields["roles"] = tuple(fields["roles"])
    return _KINDS[data["item"]](**fields)


def short_digest(digest: str) -> str:
    """The first 32 hex of a `sha256:` or `hmac-sha256:` digest: what fits MLflow's dataset digest, and names tags and files."""
    return digest.rpartition(":")[2][:32]
