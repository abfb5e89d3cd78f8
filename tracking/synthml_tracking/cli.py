"""The `synthml` command. Thin: it reads files, calls the packages, and turns errors into exit codes.

Exit codes: 0 done; 1 fail; 2 usage or bad input; 3 insufficient evidence; 4 the tracking server cannot be reached or refused;
5 internal error; 130 interrupted. Heavy libraries are imported inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthml import __version__
from synthml_tracking.commands.attach import attach
from synthml_tracking.commands.card import card
from synthml_tracking.commands.deployment import deployment
from synthml_tracking.commands.derivation import derivation
from synthml_tracking.commands.gate import gate, promote, verify
from synthml_tracking.commands.impact import impact
from synthml_tracking.commands.key import key as key_group
from synthml_tracking.commands.lineage import lineage
from synthml_tracking.commands.monitor import monitor
from synthml_tracking.commands.options import AS_JSON, FILE, SIGN_KEY, TRACKING_URI
from synthml_tracking.commands.policy import policy as policy_group
from synthml_tracking.commands.recall import recall
from synthml_tracking.commands.release import release
from synthml_tracking.commands.review import approve, refuse, waive
from synthml_tracking.commands.sweep import sweep
from synthml_tracking.commands.trust import trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.quality import Suspects

__all__ = ["cli", "main"]


def _seed(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--seed", type=int, help="Overrides the study file's seed.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="synthml")
def cli() -> None:
    """Proof for models trained on synthetic data: measured on real rows, in every patient group, recorded in MLflow."""


cli.add_command(release)
cli.add_command(card)
cli.add_command(attach)
cli.add_command(sweep)
cli.add_command(monitor)
cli.add_command(key_group)
cli.add_command(policy_group)
cli.add_command(recall)
cli.add_command(deployment)
cli.add_command(derivation)
cli.add_command(impact)
cli.add_command(lineage)
cli.add_command(trust)
for _command in (gate, promote, verify, approve, refuse, waive):
    cli.add_command(_command)


@cli.command()
@TRACKING_URI
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--open", "open_ui", is_flag=True, help="Start the MLflow UI afterwards and open it.")
@AS_JSON
def demo(tracking_uri: str | None, seed: int, open_ui: bool, as_json: bool) -> None:
    """The whole flow on real data, in this folder: sqlite, no server, under a minute.

    RAND Health Insurance Experiment: predict high use of care; synthesise the patients, train on them, prove on real ones.
    """
    from synthml_tracking.console import steps
    from synthml_tracking.demo import print_demo, run_demo

    with steps(26, quiet=as_json) as step:
        result = run_demo(tracking_uri=tracking_uri, seed=seed, progress=step)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2))
    else:
        print_demo(result)
    if open_ui:
        from synthml_tracking.demo import open_mlflow_ui

        open_mlflow_ui(result)


@cli.command()
@click.argument("study", type=FILE)
@TRACKING_URI
@_seed
@click.option("--experiment", help="Overrides the study file's experiment.")
@click.option("--register", "registered_model", metavar="NAME", help="Register the model under this name.")
@click.option("--policy", default="research-sandbox", show_default=True, help="Policy of the verdict shown in report and card.")
@click.option("--strict", is_flag=True, help="Refuse to log a model file that holds rare values of a table.")
@click.option(
    "--release", "release_file", type=FILE, help="Release of the synthetic table. Default: release.dsse.json beside it."
)
@click.option("--release-key", type=FILE, help="Public keys that the release is checked with. Default: SYNTHML_TRUSTED_KEYS.")
@SIGN_KEY
@AS_JSON
def run(
    study: Path,
    tracking_uri: str | None,
    seed: int | None,
    experiment: str | None,
    registered_model: str | None,
    policy: str,
    strict: bool,
    release_file: Path | None,
    release_key: Path | None,
    sign_key: Path | None,
    as_json: bool,
) -> None:
    """Train the study's model on synthetic rows, measure it on real ones, log and register it."""
    from synthml import Policy, StudyFile
    from synthml_tracking import start_run
    from synthml_tracking.console import steps
    from synthml_tracking.keys import signing_key
    from synthml_tracking.releases import find_release

    signer = signing_key(sign_key)
    file = StudyFile.load(study)
    chosen = Policy.load(policy)
    if release_file is None and "synthetic" in file.tables:
        release_file = find_release(file.tables["synthetic"])
    estimator = file.build_estimator()
    with steps(24, quiet=as_json) as step:
        step("reading and checking the tables")
        checked = file.study()
        with start_run(
            checked,
            experiment=experiment or file.experiment,
            tracking_uri=tracking_uri,
            seed=file.seed if seed is None else seed,
            settings=file.settings,
            policy=chosen,
            strict=strict,
            release=release_file,
            release_keys=release_key,
            signer=signer,
            draws=file.draws(),
            progress=step,
        ) as active:
            active.fit(estimator)
        name = registered_model or file.registered_model
        version = active.register(name) if name else None
    _show_run(active, version, as_json=as_json)


def _show_run(active: Any, version: Any, *, as_json: bool) -> None:
    facts = {
        "run_id": active.run_id,
        "model_uri": active.model_uri,
        "model_digest": (active.dossier.model or {}).get("digest"),
        "evidence_digest": active.dossier.digest,
        "verdict": None if active.verdict is None else active.verdict.outcome,
        "release": None if active.release is None else active.release.told,
        "registered": None if version is None else f"models:/{version.name}/{version.version}",
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    from rich.console import Console

    from synthml_tracking.console import dossier_table

    console = Console(highlight=False)
    console.print(dossier_table(active.dossier))
    if active.verdict is not None:
        console.print(f"\n{active.verdict}", markup=False)
    for note in active.dossier.notes:
        console.print(f"note: {note}", markup=False)
    for key, value in facts.items():
        if value is not None and key != "verdict":
            console.print(f"{key.replace('_', ' ')}: {value}", markup=False, soft_wrap=True)


@cli.command()
@click.argument("study", type=FILE)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for evidence.json and report.html."
)
@click.option("--kind", "kinds", multiple=True, help="Only this kind of evidence; may be given several times.")
@click.option(
    "--suspects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the positions of rows with doubtful labels and of repeated rows; for whoever holds the tables.",
)
@_seed
@AS_JSON
def measure(study: Path, output: Path, kinds: tuple[str, ...], suspects: Path | None, seed: int | None, as_json: bool) -> None:
    """Measure a study without MLflow, for whoever holds the real rows: writes evidence.json and report.html."""
    from synthml import StudyFile, report_html
    from synthml import measure as measure_study
    from synthml_tracking.clock import now_iso
    from synthml_tracking.console import steps
    from synthml_tracking.files import write_private, write_whole
    from synthml_tracking.suspects import check_suspects, suspects_csv

    file, pages = StudyFile.load(study), dict[str, str]()
    check_suspects(suspects, output, kinds)
    found: list[Suspects] = []
    with steps(24, quiet=as_json) as step:
        step("reading and checking the tables")
        dossier = measure_study(
            file.study(),
            model=file.build_estimator(),
            kinds=kinds or None,
            seed=file.seed if seed is None else seed,
            settings=file.settings,
            pages=pages.__setitem__,
            draws=file.draws(),
            suspects=found.append,
            progress=step,
        ).stamped(created=now_iso())
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "evidence.json", dossier.to_json())
    for name, page in pages.items():
        write_whole(output / name, page.encode())
    write_whole(output / "report.html", report_html(dossier).encode())
    if suspects is not None:
        write_private(suspects, suspects_csv(found))
    if as_json:
        click.echo(
            json.dumps(
                {"evidence": str(output / "evidence.json"), "report": str(output / "report.html"), "digest": dossier.digest}
            )
        )
        return
    from rich.console import Console

    from synthml_tracking.console import dossier_table

    console = Console(highlight=False)
    console.print(dossier_table(dossier))
    for note in dossier.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"evidence: {output / 'evidence.json'}\nreport: {output / 'report.html'}", markup=False, soft_wrap=True)
    if suspects is not None:
        told = f"suspects: {suspects}  ({sum(map(len, found)):,} findings; keep it: it is no part of the evidence)"
        console.print(told, markup=False, soft_wrap=True)


@cli.command()
@click.argument("model_uri")
@click.argument("study", type=FILE)
@TRACKING_URI
@_seed
@click.option("--producer", default="evaluator", show_default=True, help="Role under which the evidence is attached.")
@SIGN_KEY
@AS_JSON
def evaluate(
    model_uri: str,
    study: Path,
    tracking_uri: str | None,
    seed: int | None,
    producer: str,
    sign_key: Path | None,
    as_json: bool,
) -> None:
    """Measure an already logged model on real rows and attach the evidence to its versions.

    MODEL_URI is anything MLflow understands: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/....
    """
    from synthml import StudyFile
    from synthml_tracking import evaluate as evaluate_model
    from synthml_tracking.console import dossier_table, steps
    from synthml_tracking.keys import signing_key

    signer = signing_key(sign_key)
    file = StudyFile.load(study)
    with steps(20, quiet=as_json) as step:
        step("reading and checking the tables")
        dossier = evaluate_model(
            model_uri,
            file.study(),
            tracking_uri=tracking_uri,
            producer=producer,
            seed=file.seed if seed is None else seed,
            settings=file.settings,
            signer=signer,
            progress=step,
        )
    if as_json:
        click.echo(json.dumps({"model": dict(dossier.model or {}), "evidence_digest": dossier.digest}, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(dossier_table(dossier))
    console.print(f"evidence {dossier.digest} attached to {model_uri}", markup=False, soft_wrap=True)


@cli.command()
@click.argument("spool", type=click.Path(exists=True, file_okay=False, path_type=Path))
@AS_JSON
def resume(spool: Path, as_json: bool) -> None:
    """Finish recording a run that was cut off. SPOOL is the folder that the error message named."""
    from synthml_tracking import resume as resume_run

    recorded = resume_run(spool)
    facts = {"run_id": recorded.run_id, "model_uri": recorded.model_uri}
    click.echo(json.dumps(facts, indent=2) if as_json else f"recorded: run {recorded.run_id}, model {recorded.model_uri}")


@cli.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--schema", "schema_file", type=FILE, metavar="STUDY", help="Study file whose schema fixes the columns' kinds.")
@click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Secret key: gives an hmac-sha256 digest."
)
@AS_JSON
def digest(file: Path, schema_file: Path | None, key_file: Path | None, as_json: bool) -> None:
    """Content digest of a table (CSV, Parquet, Arrow), or of a model folder."""
    from synthml import StudyFile, folder_digest, table_digest

    if file.is_dir():
        found = folder_digest(file)
    else:
        schema = None if schema_file is None else StudyFile.load(schema_file).schema
        found = table_digest(file, schema=schema, key=None if key_file is None else key_file.read_bytes().strip())
    click.echo(json.dumps({"file": str(file), "digest": found}) if as_json else found)


def main(argv: list[str] | None = None) -> None:
    """Entry point: errors become one clear message and the exit code of their kind, never a traceback."""
    from synthml.errors import SynthmlError

    try:
        code = cli.main(args=argv, prog_name="synthml", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SynthmlError as error:
        click.echo(f"synthml: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  the outermost edge: what nobody foresaw still ends in one line and exit code 5
        _internal(error)
    sys.exit(code if isinstance(code, int) else 0)


def _internal(error: Exception) -> None:
    """Where it happened, without the message, which may hold a value of a table; SYNTHML_DEBUG=1 shows everything."""
    import os
    import traceback

    if os.environ.get("SYNTHML_DEBUG"):
        traceback.print_exc()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    click.echo(f"synthml: internal error: {type(error).__name__} at {place}. Set SYNTHML_DEBUG=1 to see the traceback.", err=True)
    sys.exit(5)


if __name__ == "__main__":
    main()
