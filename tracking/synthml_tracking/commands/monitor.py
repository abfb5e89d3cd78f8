"""`synthml monitor`: one production batch against what the version was proven on, for a person or a scheduler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthml_tracking.commands.options import AS_JSON, FILE, TRACKING_URI

if TYPE_CHECKING:
    from datetime import datetime

    from synthml_tracking.monitoring import MonitorResult

__all__ = ["monitor"]

_MOST = 12


@click.command()
@click.argument("model_uri")
@click.option("--batch", "batch", type=FILE, required=True, help="The batch: Parquet, CSV or Arrow.")
@click.option("--reference", type=FILE, help="The holdout's rows, for Evidently's report; must be the evidence's, by digest.")
@click.option("--study", type=FILE, help="Study file whose holdout is the reference.")
@click.option("--policy", default="monitor-default", show_default=True, help="Shipped policy or file with the thresholds.")
@click.option("--at", "at", metavar="TIME", help="When the batch is of, ISO 8601. Default: now.")
@click.option("--again", is_flag=True, help="Record a batch that was measured already a second time.")
@click.option("--markdown", metavar="FILE", help="Write the summary for a chat or an e-mail; - for standard output.")
@TRACKING_URI
@click.option("--seed", type=int, default=0, show_default=True)
@AS_JSON
def monitor(
    model_uri: str,
    batch: Path,
    reference: Path | None,
    study: Path | None,
    policy: str,
    at: str | None,
    again: bool,
    markdown: str | None,
    tracking_uri: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Watch a model in use: drift of features and predictions and, with outcomes in the batch, performance in every group.

    The batch is compared with the real holdout that the version was proven on; the profile of it stands in the evidence.

    Exit codes: 0 quiet, 1 alert, 3 not enough evidence to say, 2 bad input, 4 the tracking server cannot be reached or refused.
    """
    from synthml import InputError
    from synthml_tracking.console import steps
    from synthml_tracking.files import write_whole
    from synthml_tracking.monitoring import monitor as monitor_batch

    if reference is not None and study is not None:
        raise InputError("give --reference or --study, not both: each names the holdout")
    if as_json and markdown == "-":
        raise InputError("--json and --markdown - both want standard output: give the summary a file")
    moment = None if at is None else _time(at)
    with steps(6, quiet=True) as step:
        result = monitor_batch(
            model_uri,
            batch,
            reference=_holdout(study) if study is not None else reference,
            policy=policy,
            at=moment,
            again=again,
            tracking_uri=tracking_uri,
            seed=seed,
            progress=step,
        )
    if markdown is not None and markdown != "-":
        try:
            write_whole(Path(markdown), result.markdown.encode("utf-8"))
        except OSError as error:
            raise InputError(f"{markdown} cannot be written: {error.strerror}") from error
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2))
    elif markdown == "-":
        click.echo(result.markdown, nl=False)
    else:
        _show(result)
    click.get_current_context().exit(result.exit_code)


def _time(text: str) -> datetime:
    from datetime import datetime

    from synthml import InputError

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--at {text} is no time: write it as 2030-01-31T12:00:00Z") from error
    if found.tzinfo is None:
        raise InputError(f"--at {text} has no time zone: write it as 2030-01-31T12:00:00Z")
    return found


def _holdout(study: Path) -> Any:
    from synthml import InputError, Study, StudyFile

    file = StudyFile.load(study)
    if "holdout" not in file.tables:
        raise InputError("the study has no holdout table, which is the reference: name tables.holdout")
    return Study(file.schema, holdout=file.tables["holdout"])


def _show(result: MonitorResult) -> None:
    """One line when all is quiet; else what stands against it."""
    from synthml.figures import unescape_label

    click.echo(result.headline)
    if result.repeated:
        click.echo(f"already measured at {result.dossier.created}, step {result.step}: nothing was recorded (--again does)")
    if not result.verdict:
        against = [*result.verdict.failed, *result.verdict.open]
        for d in against[:_MOST]:
            of = "" if d.of in ("", "all", "each", "groups") else f" [{unescape_label(d.of)}]"
            word = "failed" if d.outcome == "fail" else "undecided"
            click.echo(f"  {word}: {d.id}{of}: required {d.required}, found {d.found}")
        if len(against) > _MOST:
            click.echo(f"  and {len(against) - _MOST} more: see the evidence")
        for row in result.dossier.tables.get("batch_checks", ()):
            if row["grave"]:
                click.echo(f"  batch: {row['finding']}")
        click.echo(f"  run {result.run_id}, step {result.step}")
