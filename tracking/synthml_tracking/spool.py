"""The spool: what was measured, on local disk before the first call that records it, until the store has all of it.

A folder of mode 0700 under `synthml-spool/` in the working folder:

    plan.json        where to write, and the items; the folder counts as a spool only once this file stands in it
    artifacts/       files for the run's artifacts, the evidence among them
    model/           the model folder, as it will be logged
    journal.jsonl    one line for every step that the store has confirmed, with what it returned

It is written whole: everything else first and flushed to disk, `plan.json` last, by rename. A journal line that was cut off is as
if it were absent. Whoever writes from a spool holds a lock on it, which a killed process loses.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml_tracking.files import flush_folder, write_whole
from synthml_tracking.items import Item, from_dict, to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SPOOL_VERSION", "Plan", "Spool", "Target"]

SPOOL_VERSION = "1"
ROOT = "synthml-spool"


@dataclass(frozen=True)
class Target:
    """Where items are written. timestamp: milliseconds, the time that every metric carries, so that none is written twice.

    model_id: the LoggedModel that metrics are about. artifact_uri, model_location: where files of run and model stand. step: of
    every metric, in a run that is a series.
    """

    tracking_uri: str
    experiment_id: str
    run_id: str
    timestamp: int
    artifact_uri: str
    model_id: str | None = None
    model_location: str | None = None
    registry_uri: str | None = None
    step: int = 0


@dataclass(frozen=True)
class Plan:
    """A target and what is to be written there."""

    target: Target
    items: tuple[Item, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "spool_version": SPOOL_VERSION,
            "target": asdict(self.target),
            "items": [to_dict(item) for item in self.items],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Read a plan. Raises InputError when a newer version wrote it."""
        version = data.get("spool_version")
        if version != SPOOL_VERSION:
            raise InputError(f"the spool has version {version!r}; this synthml reads {SPOOL_VERSION!r}")
        return cls(Target(**data["target"]), tuple(from_dict(item) for item in data["items"]))


@dataclass(frozen=True)
class Spool:
    """One spool folder."""

    folder: Path

    @classmethod
    def begin(cls, root: Path | None = None) -> Spool:
        """An empty folder, in which a model may be saved; it is no spool before `seal`."""
        base = (root or Path.cwd()) / ROOT
        base.mkdir(parents=True, exist_ok=True)
        folder = base.resolve() / uuid.uuid4().hex[:16]
        folder.mkdir(mode=0o700)
        return cls(folder)

    def seal(self, plan: Plan, artifacts: Mapping[str, bytes]) -> None:
        """Put everything on disk; `plan.json`, which makes it a spool, comes last."""
        for name, content in artifacts.items():
            path = self.artifacts / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        flush_folder(self.folder)
        self.amend(plan)

    def amend(self, plan: Plan) -> None:
        """Replace the plan."""
        document = json.dumps(plan.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        write_whole(self.folder / "plan.json", document.encode("utf-8"))

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """An existing spool. Raises InputError when it is none, or was written by a newer version."""
        spool = cls(folder.resolve())
        spool.plan()
        return spool

    def plan(self) -> Plan:
        """What is to be written. Raises InputError."""
        path = self.folder / "plan.json"
        try:
            return Plan.from_dict(json.loads(path.read_bytes()))
        except FileNotFoundError as error:
            raise InputError(
                f"{self.folder} is no spool: it has no plan.json. A process that is killed while it still measures leaves such a "
                "folder; nothing in it can be recorded, and it may be deleted."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged and cannot be resumed") from error

    @property
    def artifacts(self) -> Path:
        """Folder of files for the run's artifacts."""
        return self.folder / "artifacts"

    @property
    def model(self) -> Path:
        """Folder of the model."""
        return self.folder / "model"

    def done(self) -> dict[str, dict[str, Any]]:
        """Steps that the store confirmed, with what it returned."""
        path = self.folder / "journal.jsonl"
        if not path.exists():
            return {}
        steps = {}
        for line in path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                steps[str(entry["step"])] = dict(entry["result"])
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a kill: the step is looked at again
        return steps

    def note(self, step: str, result: Mapping[str, Any]) -> None:
        """Note that the store has confirmed a step; on disk before this returns."""
        line = json.dumps({"step": step, "result": dict(result)}, sort_keys=True)
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            # begins with a line end, so that a line that a kill cut off does not swallow this one
            journal.write(f"\n{line}\n")
            journal.flush()
            os.fsync(journal.fileno())

    def remove(self) -> None:
        """Everything is recorded: the spool has served. The plan goes first, so that a half-removed folder is no spool."""
        (self.folder / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.parent.rmdir()
        except OSError:
            return  # another spool stands there

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process writes from a spool. Raises InputError when another one does."""
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"{self.folder} is being recorded by another process") from error
            yield
        finally:
            os.close(descriptor)
