"""A sweep recorded: a parent run with the frontier, and a nested run for every draw.

Draws are recorded as soon as they are measured, each through a spool of its own: a sweep that is cut off keeps what it has.
No model and no table is logged: aggregates alone. That each draw was made of the source stands in the ledger, so that a recall of
the source finds whoever trains on a draw.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthml.errors import TrackingError
from synthml_tracking import items
from synthml_tracking.attachments import signed_evidence
from synthml_tracking.client import address, load_mlflow, patience, tracking_uri_of, without_autolog
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from securesystemslib.signer import Signer

    from synthml.evidence import Dossier
    from synthml.sweep import Draw, Sweep

__all__ = ["SweepRun", "start_sweep"]


class SweepRun:
    """An open sweep. run_id: the parent run."""

    def __init__(self, client: Any, uri: str, run: Any, signer: Signer | None) -> None:
        self._client, self._uri, self._signer = client, uri, signer
        self._experiment = str(run.info.experiment_id)
        self._artifacts = str(run.info.artifact_uri)
        self.run_id = str(run.info.run_id)

    def record(self, draw: Draw) -> None:
        """A nested run for one draw. Raises TrackingError, which names the spool."""
        name = f"{draw.setting.name}, draw {draw.number}"
        tags = {"mlflow.parentRunId": self.run_id, "mlflow.runName": name}
        with patience("starting a draw's run"):
            run = self._client.create_run(self._experiment, tags=tags)
        outcome = f"{draw.verdict.outcome} under {draw.verdict.policy}"
        told = items.draw(draw.study, draw.dossier, draw.setting.parameters, draw.number, outcome)
        listed = (*told, *items.descent(draw.study, draw.dossier, self._signer))
        evidence = next(item.path for item in listed if isinstance(item, items.ArtifactItem))
        self._write(run.info.run_id, str(run.info.artifact_uri), draw.dossier, listed, {evidence: draw.dossier.to_json()})

    def finish(self, swept: Sweep, generator: str, policy: str) -> None:
        """The parent's own figures, tags and report."""
        files = items.artifact_files(swept.dossier, None)
        listed = items.sweep(swept.dossier, generator, policy, swept.outcomes, artifacts=sorted(files))
        self._write(self.run_id, self._artifacts, swept.dossier, tuple(listed), files)

    def _write(
        self, run_id: str, artifacts: str, dossier: Dossier, listed: tuple[items.Item, ...], files: Mapping[str, bytes]
    ) -> None:
        """With the signed statement about the evidence, when there is a key."""
        signed = signed_evidence(dossier, self._signer)
        whole = (*listed, *items.attaching([one.path for one in signed], {one.tag: one.kind for one in signed}, ()))
        target = Target(self._uri, self._experiment, run_id, time.time_ns() // 1_000_000, artifacts)
        spool = Spool.begin()
        spool.seal(Plan(target, whole), {**files, **{one.path: one.raw for one in signed}})
        write(spool)
        spool.remove()


@contextmanager
def start_sweep(
    name: str, *, experiment: str, tracking_uri: str | None = None, signer: Signer | None = None
) -> Iterator[SweepRun]:
    """A parent run, open until the block ends; an exception marks it FAILED, an interrupt KILLED. Raises TrackingError.

    signer: signs the evidence of each draw and of the whole, and what the draws were made of.
    """
    uri = tracking_uri_of(tracking_uri)
    with address(uri), without_autolog():
        client = load_mlflow().MlflowClient(tracking_uri=uri)
        with patience("starting the sweep's run"):
            found = client.get_experiment_by_name(experiment)
            place = found.experiment_id if found is not None else client.create_experiment(experiment)
            run = client.create_run(place, tags={"mlflow.runName": name})
        sweep = SweepRun(client, uri, run, signer)
        try:
            yield sweep
        except BaseException as error:
            status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            _end(client.set_terminated, sweep.run_id, status, error)
            raise


def _end(terminate: Callable[..., None], run_id: str, status: str, error: BaseException) -> None:
    try:
        with patience("marking the sweep as ended"):
            terminate(run_id, status=status)
    except TrackingError as cause:
        error.add_note(f"Besides, {cause}")
