"""The series of batches on which a model is watched: one run below the model's own, one step and one tag for each batch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthml.errors import EvidenceError
from synthml_tracking.client import paged
from synthml_tracking.clock import iso
from synthml_tracking.items import evidence_key

if TYPE_CHECKING:
    from datetime import datetime

    from synthml.evidence import Dossier
    from synthml_tracking.monitoring import Watched

__all__ = ["BATCH_TAG", "PLACE", "SERIES_TAG", "RecordedBatch", "Series"]

SERIES_TAG = "synthml.monitor"
BATCH_TAG = "synthml.batch."
PLACE = "synthml/monitor"
_RECORDING = "recording"
_TRIES = 20


@dataclass(frozen=True)
class RecordedBatch:
    """One batch of the series, as its tag has it: `<step> <time> <outcome or "recording"> <key of the evidence>`."""

    key: str
    run_id: str
    step: int
    at: datetime
    outcome: str
    evidence: str = ""

    @property
    def complete(self) -> bool:
        """Whether the recording was finished."""
        return self.outcome != _RECORDING

    @classmethod
    def read(cls, key: str, run_id: str, text: str) -> RecordedBatch | None:
        """From a tag; None when somebody else wrote it."""
        from datetime import datetime

        parts = text.split(" ")
        try:
            return cls(key, run_id, int(parts[0]), datetime.fromisoformat(parts[1]), parts[2], parts[3] if len(parts) > 3 else "")
        except (IndexError, ValueError):
            return None

    def place(self) -> str:
        """Where the evidence lies under the run's artifacts."""
        return f"{PLACE}/{self.at:%Y%m%dT%H%M%SZ}-{self.key[:8]}/{self.evidence}.json"


@dataclass
class Series:
    """The monitoring runs of a model: one, or more where two monitors began at the very same moment."""

    client: Any
    watched: Watched
    runs: list[Any]

    @classmethod
    def find(cls, client: Any, watched: Watched) -> Series:
        """The series of a model; none may have begun."""
        series = cls(client, watched, [])
        series.look()
        return series

    def look(self) -> None:
        """Read the runs again."""
        mine = f"tags.`{SERIES_TAG}` = '{self.watched.model_id}'"
        found = paged(self.client.search_runs, [self.watched.experiment_id], mine)
        self.runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))

    @property
    def batches(self) -> dict[str, RecordedBatch]:
        """Every batch by the first 32 hex of its digest."""
        read = (
            RecordedBatch.read(tag.removeprefix(BATCH_TAG), run.info.run_id, text)
            for run in self.runs
            for tag, text in run.data.tags.items()
            if tag.startswith(BATCH_TAG)
        )
        return {one.key: one for one in read if one is not None}

    def evidence(self, batch: RecordedBatch) -> Dossier | None:
        """What was recorded; None when it did not arrive, so that the batch is measured again."""
        from mlflow.exceptions import MlflowException

        from synthml import Dossier as Document

        with tempfile.TemporaryDirectory(prefix="synthml-evidence-") as place:
            try:
                raw = Path(self.client.download_artifacts(batch.run_id, batch.place(), place)).read_bytes()
            except (MlflowException, OSError):
                return None
        dossier = Document.from_json(raw)
        if evidence_key(dossier) != batch.evidence:
            raise EvidenceError(f"{batch.place()} of run {batch.run_id} was changed after it was recorded: it is not its name's")
        return dossier

    def claim(self, key: str, moment: datetime, *, again: bool) -> tuple[str, str, int]:
        """(run, where its artifacts stand, step), noted in the run before anything else is.

        When two monitors claim one step, the one whose batch has the larger digest takes the next.
        """
        self.look()
        run = self.runs[0] if self.runs else self._begin()
        before = self.batches.get(key)
        mine = before.step if before is not None and not again else None
        for _ in range(_TRIES):
            others = [one.step for one in self.batches.values() if one.key != key or again]
            step = max(others, default=0) + 1 if mine is None else mine
            self.client.set_tag(run.info.run_id, f"{BATCH_TAG}{key}", f"{step} {iso(moment)} {_RECORDING}")
            self.look()
            rivals = [one.key for one in self.batches.values() if one.step == step and one.key != key]
            if not rivals or key < min(rivals):
                break
            mine, again = None, False
        return str(run.info.run_id), str(run.info.artifact_uri), step

    def _begin(self) -> Any:
        """The series' run; where another monitor began one a moment before, that one, and ours goes."""
        tags = {"mlflow.runName": f"monitoring of {self.watched.name}", SERIES_TAG: self.watched.model_id}
        if self.watched.run_id is not None:
            tags["mlflow.parentRunId"] = self.watched.run_id
        own = self.client.create_run(self.watched.experiment_id, tags=tags)
        self.look()
        first = self.runs[0] if self.runs else own
        if first.info.run_id != own.info.run_id:
            self.client.delete_run(own.info.run_id)
            self.look()
        return first
