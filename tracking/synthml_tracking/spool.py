"""The spool: what was measured, on local disk before the first call that records it, until the store has all of it.

A folder of mode 0700 under `synthml-spool/` in the working folder:

    plan.json        what is to be written where; the folder counts as a spool only once this file stands in it
    artifacts/       files for the run's artifacts
    model/           the model folder, as it will be logged
    journal.jsonl    one line for every step that the store has confirmed, with what it returned

Writing it whole: everything else first, `plan.json` last, by rename. A journal line that was cut off is as if it were absent.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import InputError
from synthml_tracking.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SPOOL_VERSION", "Spool"]

SPOOL_VERSION = "1"
ROOT = "synthml-spool"


@dataclass(frozen=True)
class Spool:
    """One spool folder."""

    folder: Path

    @classmethod
    def create(
        cls,
        plan: Mapping[str, Any],
        *,
        artifacts: Mapping[str, bytes],
        model: Path | None = None,
        root: Path | None = None,
    ) -> Spool:
        """Write a plan with its files. model: an already saved model folder, which is moved in."""
        base = (root or Path.cwd()) / ROOT
        base.mkdir(parents=True, exist_ok=True)
        folder = base / uuid.uuid4().hex[:16]
        folder.mkdir(mode=0o700)
        for name, content in artifacts.items():
            path = folder / "artifacts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        if model is not None:
            shutil.move(str(model), folder / "model")
            _flush(folder / "model")
        document = {"spool_version": SPOOL_VERSION, **plan}
        write_whole(folder / "plan.json", json.dumps(document, sort_keys=True, ensure_ascii=False).encode("utf-8"))
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """An existing spool. Raises InputError when it is none, or was written by a newer version."""
        spool = cls(folder.resolve())
        version = spool.plan.get("spool_version")
        if version != SPOOL_VERSION:
            raise InputError(f"{folder} was written with spool version {version!r}; this synthml reads {SPOOL_VERSION!r}")
        return spool

    @property
    def plan(self) -> dict[str, Any]:
        """What is to be written."""
        try:
            document = json.loads((self.folder / "plan.json").read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"{self.folder} is no spool: plan.json is missing; nothing was recorded from it") from error
        except ValueError as error:
            raise InputError(f"{self.folder / 'plan.json'} is damaged and cannot be resumed") from error
        if not isinstance(document, dict):
            raise InputError(f"{self.folder / 'plan.json'} is damaged and cannot be resumed")
        return document

    @property
    def artifacts(self) -> Path:
        """Folder of the run's artifacts."""
        return self.folder / "artifacts"

    @property
    def model(self) -> Path | None:
        """Folder of the model, if there is one."""
        path = self.folder / "model"
        return path if path.is_dir() else None

    def done(self) -> dict[str, dict[str, Any]]:
        """Steps that the store confirmed, with what it returned."""
        path = self.folder / "journal.jsonl"
        if not path.exists():
            return {}
        steps = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            steps[str(entry["step"])] = dict(entry["result"])
        return steps

    def record(self, step: str, result: Mapping[str, Any]) -> None:
        """Note that the store has confirmed a step; on disk before this returns."""
        line = json.dumps({"step": step, "result": dict(result)}, sort_keys=True)
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            # a line that a kill cut off must not swallow this one
            journal.write(f"\n{line}\n")
            journal.flush()
            os.fsync(journal.fileno())

    def remove(self) -> None:
        """Everything is recorded: the spool has served."""
        shutil.rmtree(self.folder)
        if not any(self.folder.parent.iterdir()):
            self.folder.parent.rmdir()


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
