"""One logged model as the store holds it: its files, its run, its versions, and what is attached to it, in few requests.

Nothing here is judged. The digest is computed from the files as they stand now, of a copied version from those that would be
served; everything else is what somebody wrote.

Requests, besides one for each file: the version or alias, the LoggedModel, the run, its versions, and one listing each for the
folders of the model, the evidence and the statements. None of them depends on the size of the registry.
"""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthml.errors import EvidenceError
from synthml_tracking.attachments import PLACE, SUFFIX
from synthml_tracking.client import located, paged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Found", "Version", "find", "versions_of"]

EVIDENCE_PLACE = "synthml/evidence"
_KEY = re.compile(r"[0-9a-f]{32}")
_LARGEST = 50_000_000  # of a document; those of ours have at most a few MB
_MOST = 2000  # documents on one model
_DEEPEST = 20
_AT_ONCE = 8


@dataclass(frozen=True)
class Version:
    """A registered version of the model. source: what it was registered from; a copy names the version that it copies."""

    name: str
    number: str
    tags: Mapping[str, str]
    description: str = ""
    source: str = ""

    @property
    def uri(self) -> str:
        """`models:/NAME/1`."""
        return f"models:/{self.name}/{self.number}"


@dataclass(frozen=True)
class Found:
    """A logged model. digest: of its files. noted: what synthml noted in them, so the digest covers it.

    evidence, attestations: first 32 hex of the SHA-256, as the file's name claims -> content. datasets: digest and context of the
    run's inputs, the digest cut to 32 hex. files: path in the model -> hex of its SHA-256; requirements: lines of the model's own
    requirements.txt; the digest covers both.
    """

    model_id: str
    digest: str
    noted: Mapping[str, Any]
    run_id: str | None
    experiment_id: str
    artifact_uri: str | None
    run_tags: Mapping[str, str]
    datasets: tuple[tuple[str, str], ...]
    versions: tuple[Version, ...]
    evidence: Mapping[str, bytes]
    attestations: Mapping[str, bytes]
    files: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the run and of every version; of one that several have, the values that differ are joined by a comma."""
        whole: dict[str, dict[str, None]] = {}
        for tags in (self.run_tags, *(version.tags for version in self.versions)):
            for key, value in tags.items():
                whole.setdefault(key, {})[value] = None
        return MappingProxyType({key: ",".join(values) for key, values in whole.items()})


def find(client: Any, model_uri: str) -> Found:
    """Everything about a model. Raises InputError for what is no model, EvidenceError for files that no store of ours holds."""
    from synthml.digest import files_digest

    model_id, place = located(client, model_uri)
    logged = client.get_logged_model(model_id)
    run_id = logged.source_run_id
    run = None if run_id is None else client.get_run(run_id)
    uri = None if run is None else str(run.info.artifact_uri)
    with tempfile.TemporaryDirectory(prefix="synthml-model-") as copied:
        folder = Path(copied)
        files, noted = _model(place or str(logged.artifact_location), folder)
        requirements = _requirements(folder / "requirements.txt")
    inputs = () if run is None or run.inputs is None else run.inputs.dataset_inputs
    return Found(
        model_id=model_id,
        digest=files_digest(files),
        noted=noted,
        run_id=run_id,
        experiment_id=str(logged.experiment_id),
        artifact_uri=uri,
        run_tags={} if run is None else dict(run.data.tags),
        datasets=tuple((str(one.dataset.digest), _context(one)) for one in inputs),
        versions=tuple(versions_of(client, model_id, run_id)),
        evidence={} if uri is None else _documents(uri, EVIDENCE_PLACE, ".json"),
        attestations={} if uri is None else _documents(uri, PLACE, SUFFIX),
        files=files,
        requirements=requirements,
    )


def _context(given: Any) -> str:
    return next((str(tag.value) for tag in given.tags if tag.key == "mlflow.data.context"), "")


def versions_of(client: Any, model_id: str, run_id: str | None) -> list[Version]:
    """Every registered version of a LoggedModel, copies under other names included."""
    if run_id is None:
        return []
    found = paged(client.search_model_versions, f"run_id = '{run_id}'")
    sources, kept = {f"models:/{model_id}"}, dict[tuple[str, str], Version]()
    for version in sorted(found, key=lambda v: v.creation_timestamp):  # a copy comes after what it is a copy of
        if str(version.source).rstrip("/") in sources:
            tags, description = dict(version.tags or {}), str(version.description or "")
            made = Version(str(version.name), str(version.version), tags, description, str(version.source))
            kept[made.name, made.number] = made
            sources.add(made.uri)
    return list(kept.values())


# ---- files ----------------------------------------------------------------------------------------------------------------


def _repository(uri: str) -> Any:
    """Asked directly: the client's own calls would ask the server for the place before each file."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(uri)


def _model(location: str, place: Path) -> tuple[dict[str, str], Mapping[str, Any]]:
    """The model's files by their digests, and what synthml noted in MLmodel."""
    from synthml.digest import folder_files

    repository = _repository(location)
    paths = [path for path, _ in _listed(repository, "")]
    _fetch(repository, {path: place / path for path in paths})
    return folder_files(place), _noted(place / "MLmodel")


def _noted(path: Path) -> Mapping[str, Any]:
    """MLflow's own reader imports far more than YAML needs."""
    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        noted = told["metadata"]["synthml"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return {}  # logged by something else: nothing was noted
    return noted if isinstance(noted, dict) else {}


def _requirements(path: Path) -> tuple[str, ...]:
    """Lines that say something; none when the model has no such file, or it is no text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def _documents(uri: str, place: str, suffix: str) -> dict[str, bytes]:
    """32 hex -> content, of every file in a folder that has such a name; files of other names are none of ours."""
    repository = _repository(uri)
    wanted = {}
    for path, size in _listed(repository, place, deep=False):
        key = PurePosixPath(path).name.removesuffix(suffix)
        if not (path.endswith(suffix) and _KEY.fullmatch(key)):
            continue
        if size is not None and size > _LARGEST:
            raise EvidenceError(f"{path} has {size:,} bytes; a document of at most {_LARGEST:,} is expected")
        wanted[key] = path
    if len(wanted) > _MOST:
        raise EvidenceError(f"{place} holds {len(wanted):,} documents; at most {_MOST:,} are read")
    with tempfile.TemporaryDirectory(prefix="synthml-documents-") as folder:
        local = {path: Path(folder) / key for key, path in wanted.items()}
        _fetch(repository, local)
        return {key: local[path].read_bytes() for key, path in wanted.items()}


def _listed(repository: Any, place: str, *, deep: bool = True, depth: int = 0) -> Iterator[tuple[str, int | None]]:
    """Path and size of every file. Raises EvidenceError for a path that would lead out of its folder."""
    if depth > _DEEPEST:
        raise EvidenceError(f"the artifacts are nested more than {_DEEPEST} deep")
    for entry in repository.list_artifacts(place or None):
        path = PurePosixPath(str(entry.path))
        if path.is_absolute() or ".." in path.parts or "\\" in str(path):
            raise EvidenceError("an artifact's path leads out of its folder")
        if not entry.is_dir:
            yield str(path), entry.file_size
        elif deep:
            yield from _listed(repository, str(path), depth=depth + 1)


def _fetch(repository: Any, places: Mapping[str, Path]) -> None:
    """Download files, some at once."""
    for local in places.values():
        local.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(repository._download_file, path, str(local)) for path, local in places.items()]:
            done.result()
