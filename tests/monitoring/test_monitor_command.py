"""`synthml monitor` against a real store: a series, exit codes, nothing twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from monitoring.conftest import NAME
from recording.small_study import QUICK, admissions, estimator, study, tables

import synthml_tracking as tracking
from synthml import Dossier
from synthml.errors import InputError, TrackingError
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.series import BATCH_TAG, SERIES_TAG

if TYPE_CHECKING:
    from recording.conftest import Server

mlflow = load_mlflow()
URI = f"models:/{NAME}/1"
DAY = datetime(2030, 1, 1, tzinfo=UTC)


def usual(seed: int = 21, rows: int = 900) -> Any:
    return admissions(rows, seed=seed, first_person=10**7)


def drifted(seed: int = 22) -> Any:
    table = usual(seed)
    return table.assign(age=table["age"] + 25)


def client(uri: str) -> Any:
    return mlflow.MlflowClient(uri)


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_two_batches_are_two_steps_of_one_series(watched: str) -> None:
    """One run below the training run; each figure is a line of two points at the batches' times; the version tells the last."""
    first = tracking.monitor(URI, usual(), at=DAY, tracking_uri=watched)
    second = tracking.monitor(URI, drifted(), at=DAY.replace(day=2), tracking_uri=watched)
    assert (first.outcome, second.outcome) == ("pass", "fail")
    assert (first.step, second.step) == (1, 2)
    assert first.run_id == second.run_id
    run = client(watched).get_run(first.run_id)
    trained = client(watched).get_model_version(NAME, "1").run_id
    assert run.data.tags["mlflow.parentRunId"] == trained
    assert run.info.experiment_id == client(watched).get_run(trained).info.experiment_id
    history = client(watched).get_metric_history(first.run_id, "drift.psi.holdout_production.excess/age")
    assert [(m.step, m.timestamp) for m in history] == [(1, 1893456000000), (2, 1893456000000 + 86_400_000)]
    assert history[1].value == pytest.approx(second.dossier.figures["drift.psi.holdout_production.excess/age"].value)
    assert len(run.inputs.dataset_inputs) == 2
    assert {tag.value for one in run.inputs.dataset_inputs for tag in one.tags} == {"production"}
    tags = client(watched).get_model_version(NAME, "1").tags
    assert tags["synthml.monitor.last"] == "2030-01-02T00:00:00Z"
    assert tags["synthml.monitor.outcome"].startswith("fail under monitor-default")
    assert not Path("synthml-spool").exists()


def test_each_batch_leaves_its_evidence_and_its_message(watched: str, tmp_path: Path) -> None:
    result = tracking.monitor(URI, usual(), at=DAY, tracking_uri=watched)
    (folder,) = client(watched).list_artifacts(result.run_id, "synthml/monitor")
    names = {Path(entry.path).name for entry in client(watched).list_artifacts(result.run_id, folder.path)}
    key = result.dossier.digest.removeprefix("sha256:")[:32]
    assert names == {f"{key}.json", "verdict.json", "alert.md"}
    raw = Path(client(watched).download_artifacts(result.run_id, f"{folder.path}/{key}.json", str(tmp_path))).read_bytes()
    assert Dossier.from_json(raw).digest == result.dossier.digest


def test_the_same_batch_counts_once(watched: str) -> None:
    """Measured again it gives the recorded answer, also under another policy; --again makes a second point."""
    first = tracking.monitor(URI, drifted(), at=DAY, tracking_uri=watched)
    again = tracking.monitor(URI, drifted(), tracking_uri=watched)
    assert again.repeated
    assert (again.step, again.outcome) == (1, "fail")
    assert again.dossier.digest == first.dossier.digest
    key = "monitor.rows/all"
    assert len(client(watched).get_metric_history(first.run_id, key)) == 1
    twice = tracking.monitor(URI, drifted(), at=DAY.replace(day=3), again=True, tracking_uri=watched)
    assert (twice.step, twice.repeated) == (2, False)
    assert len(client(watched).get_metric_history(first.run_id, key)) == 2


def test_a_claimed_step_is_not_taken_by_another_batch(watched: str) -> None:
    """A monitor that is at work has noted its step; the next one takes another, and one that starts anew takes its own up."""
    first = tracking.monitor(URI, usual(), at=DAY, tracking_uri=watched)
    from synthml import table_digest

    late = usual(33)
    key = table_digest(late).removeprefix("sha256:")[:32]
    client(watched).set_tag(first.run_id, f"{BATCH_TAG}{key}", "2 2030-01-05T00:00:00Z recording")
    assert tracking.monitor(URI, usual(34), tracking_uri=watched).step == 3
    taken_up = tracking.monitor(URI, late, tracking_uri=watched)
    assert (taken_up.step, taken_up.dossier.created) == (2, "2030-01-05T00:00:00Z")


def test_two_runs_of_one_model_are_one_series(watched: str) -> None:
    """Where two monitors began at once and each made a run, batches of both count."""
    first = tracking.monitor(URI, usual(), at=DAY, tracking_uri=watched)
    model_id = client(watched).get_run(first.run_id).data.tags[SERIES_TAG]
    other = client(watched).create_run(client(watched).get_run(first.run_id).info.experiment_id, tags={SERIES_TAG: model_id})
    client(watched).set_tag(other.info.run_id, f"{BATCH_TAG}{'0' * 32}", "2 2030-01-05T00:00:00Z pass abc")
    assert tracking.monitor(URI, usual(35), tracking_uri=watched).step == 3


def test_a_failed_recording_is_resumed(watched: str) -> None:
    """What was measured waits in a spool; resumed, the step is complete, and nothing stands there twice."""

    class GoneError(Exception):
        pass

    def stop(seen: str) -> None:
        if seen == "before artifacts":
            raise GoneError

    tracking.monitor(URI, usual(), at=DAY, tracking_uri=watched)
    with pytest.raises(GoneError):
        tracking.monitor(URI, drifted(), at=DAY.replace(day=2), tracking_uri=watched, observer=stop)
    (spool,) = Path("synthml-spool").iterdir()
    recorded = tracking.resume(spool)
    history = client(watched).get_metric_history(recorded.run_id, "monitor.rows/all")
    assert [m.step for m in history] == [1, 2]
    again = tracking.monitor(URI, drifted(), tracking_uri=watched)
    assert (again.repeated, again.step) == (True, 2)


def test_the_holdout_gives_evidentlys_page(watched: str) -> None:
    """Rows that are the holdout, by digest, are compared by Evidently; other rows are refused, with both digests named."""
    holdout = tables(1500)["holdout"]
    with pytest.raises(InputError, match=r"sha256:.* and the evidence names sha256:"):
        tracking.monitor(URI, usual(), reference=holdout.iloc[1:], tracking_uri=watched)
    result = tracking.monitor(URI, usual(), reference=holdout, at=DAY, tracking_uri=watched)
    assert result.dossier.figures["drift.wasserstein.holdout_production/age"].ok
    assert result.dossier.tables["drift"]
    (folder,) = client(watched).list_artifacts(result.run_id, "synthml/monitor")
    assert "drift.html" in {Path(entry.path).name for entry in client(watched).list_artifacts(result.run_id, folder.path)}


def test_a_version_that_was_never_proven_is_told(store: str) -> None:
    """Trained without a holdout: there is nothing to compare with."""
    with tracking.start_run(study({"synthetic": tables()["synthetic"]}, subject=None), tracking_uri=store, settings=QUICK) as run:
        run.fit(estimator())
    with pytest.raises(InputError, match="synthml evaluate"):
        tracking.monitor(run.model_uri, usual(), tracking_uri=store)


def test_a_changed_model_is_not_watched(watched: str, tmp_path: Path) -> None:
    """The evidence is about other files than those in the store."""
    version = client(watched).get_model_version(NAME, "1")
    place = Path(client(watched).get_logged_model(str(version.source).removeprefix("models:/")).artifact_location)
    before = (place / "requirements.txt").read_text()
    try:
        (place / "requirements.txt").write_text(before + "\nevil==1.0\n")
        with pytest.raises(InputError, match="about its files as they stand"):
            tracking.monitor(URI, usual(), tracking_uri=watched)
    finally:
        (place / "requirements.txt").write_text(before)


def test_exit_codes_for_a_scheduler(
    watched: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 and one line when quiet, 1 on alert, 3 when there is too little, 2 for bad input, 4 without a server; no traceback."""
    usual().to_parquet("usual.parquet")
    drifted().to_csv("drifted.csv", index=False)
    usual(23, rows=12).drop(columns="readmitted").to_parquet("small.parquet")
    Path("broken.parquet").write_bytes(b"PAR1")
    code, out, _ = call(capsys, "monitor", URI, "--batch", "usual.parquet", "--tracking-uri", watched)
    assert (code, out.count("\n")) == (0, 1)
    code, out, _ = call(capsys, "monitor", URI, "--batch", "drifted.csv", "--tracking-uri", watched, "--markdown", "alert.md")
    assert code == 1
    assert "feature-drift [age]" in out
    assert "feature-drift" in Path("alert.md").read_text()
    code, out, _ = call(capsys, "monitor", URI, "--batch", "small.parquet", "--tracking-uri", watched, "--json")
    assert code == 3
    assert json.loads(out)["outcome"] == "insufficient"
    for words in (
        ["monitor", URI, "--batch", "broken.parquet"],
        ["monitor", URI, "--batch", "absent.parquet"],
        ["monitor", f"models:/{NAME}", "--batch", "usual.parquet"],
        ["monitor", URI, "--batch", "usual.parquet", "--policy", "nonsense"],
        ["monitor", URI, "--batch", "usual.parquet", "--at", "yesterday"],
        ["monitor", URI, "--batch", "usual.parquet", "--at", "2030-01-01T00:00:00"],
    ):
        code, out, err = call(capsys, *words, "--tracking-uri", watched)
        assert code == 2, words
        assert "Traceback" not in out + err
    code, _, err = call(capsys, "monitor", URI, "--batch", "usual.parquet", "--tracking-uri", "http://127.0.0.1:9")
    assert code == 4
    assert "cannot be reached" in err


def test_a_canary_of_the_batch_is_found_nowhere(watched: str, tmp_path: Path) -> None:
    """A rare label, number and group of a production batch reach neither database nor artifacts."""
    table = usual()
    table.loc[7, "ward"] = "Slartibartfast-42"
    table.loc[11, "lactate"] = 31415.926535
    table.loc[[20, 21, 22], "sex"] = "vogon-prostet"
    result = tracking.monitor(URI, table, reference=tables(1500)["holdout"], tracking_uri=watched)
    place = Path(client(watched).get_run(result.run_id).info.artifact_uri.removeprefix("file://"))
    raws = [path.read_bytes() for folder in (tmp_path, place) for path in folder.rglob("*") if path.is_file()]
    assert any(b"holdout_production" in raw for raw in raws)
    for canary in (b"Slartibartfast", b"31415.9", b"vogon", np.float64(31415.926535).tobytes()):
        assert not any(canary in raw for raw in raws), canary


@pytest.mark.slow
def test_over_http_it_is_the_same(server: Server, store: str) -> None:
    """Train, register and watch on a real server; a batch that is sent again stays one."""
    with tracking.start_run(study(tables(1500)), experiment="watched", tracking_uri=server.uri, settings=QUICK) as run:
        run.fit(estimator())
    version = run.register("watched")
    uri = f"models:/{version.name}/{version.version}"
    results = [tracking.monitor(uri, table, tracking_uri=server.uri) for table in (usual(), drifted(), usual())]
    assert [(one.step, one.outcome, one.repeated) for one in results] == [
        (1, "pass", False),
        (2, "fail", False),
        (1, "pass", True),
    ]
    history = client(server.uri).get_metric_history(results[0].run_id, "drift.prediction.psi.holdout_production/all")
    assert [m.step for m in history] == [1, 2]
    assert f"{server.uri}/#/experiments/" in results[0].markdown
    with pytest.raises(TrackingError):
        tracking.monitor(uri, usual(), tracking_uri="http://127.0.0.1:9")
