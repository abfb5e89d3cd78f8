"""Kill -9 at every step of recording, and in the middle of steps: `resume` then leaves what an uninterrupted run leaves."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synthml.errors import InputError
from synthml_tracking import resume
from synthml_tracking.items import VersionItem
from synthml_tracking.ledger import ledger_name
from synthml_tracking.spool import Plan, Spool
from synthml_tracking.writer import write

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]

STEPS = ("inputs", "model files", "model", "model output", "figures 0", "artifacts", "ledger 0", "end")
REGISTRATION = ("registered model", "version", "model's versions")
MOMENTS = ("before", "stored")  # once it is noted, it is before the next

SCRIPT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from recording.small_study import QUICK, estimator, study
import synthml_tracking as tracking

def die(event):
    if event == "before inputs":
        os.kill(os.getpid(), signal.SIGKILL)

with tracking.start_run(study(), settings=QUICK, observer=die) as run:
    run.fit(estimator())
"""


@dataclass(frozen=True)
class Scene:
    """A working folder in which a process was killed before it recorded anything, and a copy of how it was then."""

    folder: Path
    copy: Path

    def reset(self) -> Path:
        """The folder as it was; returns the spool. No process that lives on has opened its database."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder)
        (spool,) = (self.folder / "synthml-spool").iterdir()
        return spool


@pytest.fixture(scope="module")
def scene(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A real process, killed with its evidence measured and nothing of it recorded."""
    base = tmp_path_factory.mktemp("killed")
    folder = base / "work"
    folder.mkdir()
    shutil.copy(migrated, folder / "mlflow.db")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    tests = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", SCRIPT, tests], cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    shutil.copytree(folder, base / "copy")
    return Scene(folder, base / "copy")


def in_child(work: Callable[[], None]) -> int:
    """The exit code of a forked process that does `work`; negative for the signal that killed it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killing(event: str) -> Callable[[str], None]:
    """An observer that kills its process at an event."""

    def observe(seen: str) -> None:
        if seen == event:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


SHOWN = {
    "runs": "run_uuid, status, lifecycle_stage",
    "metrics": "run_uuid, key, value, timestamp, step",
    "latest_metrics": "run_uuid, key, value, timestamp, step",
    "params": "run_uuid, key, value",
    "tags": "run_uuid, key, value",
    "datasets": "name, digest, dataset_schema, dataset_profile",
    "inputs": "source_type, destination_type, destination_id",
    "input_tags": "name, value",
    "logged_models": "model_id, name, status, source_run_id, lifecycle_stage",
    "logged_model_metrics": "model_id, metric_name, metric_timestamp_ms, metric_value, run_id, dataset_name, dataset_digest",
    "logged_model_tags": "model_id, tag_key, tag_value",
    "logged_model_params": "model_id, param_key, param_value",
    "registered_models": "name",
    "model_versions": "name, version, source, run_id, description",
    "model_version_tags": "name, version, key, value",
}


def state(spool: Path) -> dict[str, list[Any]]:
    """Every row that the store holds of the run, its model and its versions, times of writing aside; and every file."""
    place = spool.parents[1]
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        found = {table: list(database.execute(f"SELECT {shown} FROM {table}")) for table, shown in SHOWN.items()}
        chosen = "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id) WHERE experiments.name = ?"
        entries = {run_id for (run_id,) in database.execute(chosen, [ledger_name()])}
    # an entry of the ledger is a run with an id of its own every time it is made; it is whole before it is closed
    found["runs"] = [row if row[0] not in entries else (row[0], "entry") for row in found["runs"]]
    found = {
        table: sorted((tuple("ledger" if x in entries else x for x in row) for row in rows), key=repr)
        for table, rows in found.items()
    }
    files = [path for path in sorted((place / "mlruns").rglob("*")) if path.is_file()]
    found["files"] = [(str(path.relative_to(place)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return found


@pytest.fixture(scope="module")
def uninterrupted(scene: Scene) -> dict[str, list[Any]]:
    """The state after writing the same spool in one go, and registering."""
    spool = scene.reset()
    assert in_child(lambda: _record_and_register(spool)) == 0
    found = state(spool)
    assert sorted(run[1] for run in found["runs"]) == ["FINISHED", "entry"], "the run, and an entry of the ledger"
    assert len(found["metrics"]) == len(found["logged_model_metrics"]) > 100
    assert len(found["model_versions"]) == len(found["logged_models"]) == 1
    assert len(found["files"]) > 5
    return found


def _registration(spool: Path) -> Spool:
    """A spool for a version of the scene's model, under a name that is the same in every scene."""
    target = Spool.open(spool).plan().target
    registration = Spool(spool.parent / "registration")
    registration.folder.mkdir()
    registration.seal(Plan(target, (VersionItem("readmission", "the card", {"synthml.verdict": "pass"}),)), {})
    return registration


def _record_and_register(spool: Path, observer: Callable[[str], None] = lambda _: None) -> None:
    registration = _registration(spool)
    write(Spool.open(spool), observer=observer)
    write(registration, observer=observer)


def _resume(spool: Path) -> None:
    resume(spool)
    resume(spool.parent / "registration")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", [*STEPS, *REGISTRATION])
def test_killed_at_a_step(scene: Scene, uninterrupted: dict[str, list[Any]], step: str, moment: str) -> None:
    """Killed before a step, or when the store has it and the journal not yet: resuming completes it and adds nothing twice."""
    spool = scene.reset()
    assert in_child(lambda: _record_and_register(spool, killing(f"{moment} {step}"))) == -signal.SIGKILL
    assert in_child(lambda: _resume(spool)) == 0
    assert state(spool) == uninterrupted
    assert not spool.exists()


def test_killed_in_the_middle_of_calls(scene: Scene, uninterrupted: dict[str, list[Any]]) -> None:
    """Killed at any time, also inside a transaction or a copy, and killed again while resuming: the end is the same."""
    spool = scene.reset()
    started = time.monotonic()
    assert in_child(lambda: _record_and_register(spool)) == 0
    whole = time.monotonic() - started
    chance = random.Random(11)
    cut = 0
    for part in (0.2, 0.45, 0.6, 0.75, 0.9):
        spool = scene.reset()
        cut += _killed_after(lambda: _record_and_register(spool), whole * part) == -signal.SIGKILL  # noqa: B023  used at once
        if not (spool.parent / "registration").exists():
            _registration(spool)
        cut += _killed_after(lambda: _resume(spool), whole * chance.random()) == -signal.SIGKILL  # noqa: B023  used at once
        for one in (spool, spool.parent / "registration"):
            if (one / "plan.json").exists():
                assert in_child(lambda: resume(one)) == 0  # noqa: B023  used at once
        assert state(spool) == uninterrupted
    assert cut >= 4


def _killed_after(work: Callable[[], None], seconds: float) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_resuming_what_is_complete_changes_nothing(scene: Scene, uninterrupted: dict[str, list[Any]]) -> None:
    """A journal that was lost altogether costs nothing: every step finds its work done."""
    spool = scene.reset()
    assert in_child(lambda: _record_and_register(spool)) == 0
    for one in (spool, spool.parent / "registration"):
        (one / "journal.jsonl").unlink()
    assert in_child(lambda: _resume(spool)) == 0
    assert state(spool) == uninterrupted


def test_only_one_process_writes_from_a_spool(scene: Scene) -> None:
    """A second process is refused while the first is recording, and a killed process holds nothing back."""
    spool = scene.reset()
    with Spool.open(spool).locked():
        assert in_child(lambda: _refused(spool)) == 0
    assert in_child(lambda: write(Spool.open(spool), observer=killing("before model")) and None) == -signal.SIGKILL
    assert in_child(lambda: resume(spool) and None) == 0


def _refused(spool: Path) -> None:
    with pytest.raises(InputError, match="another process"):
        resume(spool)


def test_a_folder_that_was_never_sealed_is_no_spool(tmp_path: Path) -> None:
    """What a process leaves that was killed while measuring holds no evidence, and says so."""
    folder = Spool.begin(tmp_path).folder
    with pytest.raises(InputError, match=r"no plan\.json"):
        resume(folder)


def test_a_cut_journal_line_counts_as_absent(scene: Scene) -> None:
    """A line that the kill cut off neither counts nor swallows the next one."""
    spool = Spool(scene.reset())
    spool.note("inputs", {})
    with (spool.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('\n{"result": {}, "st')
    spool.note("model", {"model_id": "m-1"})
    assert spool.done() == {"inputs": {}, "model": {"model_id": "m-1"}}


def test_a_newer_spool_is_not_guessed_at(scene: Scene) -> None:
    """A spool of another version is refused in words."""
    spool = Spool(scene.reset())
    document = json.loads((spool.folder / "plan.json").read_text())
    (spool.folder / "plan.json").write_text(json.dumps({**document, "spool_version": "2"}))
    with pytest.raises(InputError, match="version '2'"):
        resume(spool.folder)


def test_a_plan_survives_its_document(scene: Scene) -> None:
    """Law: a plan read back from JSON is the plan, items, roles, digests and all."""
    plan = Spool(scene.reset()).plan()
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert replace(plan, items=()) != plan
