"""`synthml sweep`: privacy against utility over settings and draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthml_tracking.commands.options import AS_JSON, SIGN_KEY, TRACKING_URI

if TYPE_CHECKING:
    import pandas as pd

    from synthml import StudyFile
    from synthml.study.file import Built
    from synthml.sweep import Sweep

__all__ = ["sweep"]

_STUDY = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("study", type=_STUDY)
@click.option(
    "--generator", metavar="PATH", help="Import path of the generator. Default: the study file's, else synthml.CartSynthesizer."
)
@click.option(
    "--grid", multiple=True, required=True, metavar="NAME=V,V", help="A parameter and its values; the first is the reference."
)
@click.option("--draws", type=click.IntRange(1, 200), default=3, show_default=True, help="Tables drawn at every setting.")
@click.option("--policy", default="release-default", show_default=True, help="Policy that marks the settings.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for evidence.json and report.html besides."
)
@click.option("--experiment", help="Overrides the study file's experiment.")
@TRACKING_URI
@click.option("--seed", type=int, help="Overrides the study file's seed.")
@SIGN_KEY
@AS_JSON
def sweep(
    study: Path,
    generator: str | None,
    grid: tuple[str, ...],
    draws: int,
    policy: str,
    output: Path | None,
    experiment: str | None,
    tracking_uri: str | None,
    seed: int | None,
    sign_key: Path | None,
    as_json: bool,
) -> None:
    """What does privacy cost, and which patients pay? Trains the generator at every setting of the grid and measures each draw.

    A parent run holds the frontier of utility and risk, nested runs the draws. A setting is decided by its worst draw.
    """
    from synthml import InputError, Policy, StudyFile
    from synthml.study.file import Built
    from synthml.sweep import grid_of, run_sweep
    from synthml_tracking.clock import now
    from synthml_tracking.console import steps
    from synthml_tracking.keys import signing_key
    from synthml_tracking.sweeping import start_sweep

    signer = signing_key(sign_key)
    points, chosen, file = grid_of(grid), Policy.load(policy), StudyFile.load(study)
    lacking = [role for role in ("source", "holdout") if role not in file.tables]
    if lacking:
        raise InputError(f"a sweep trains on the source and measures on the holdout: name tables.{lacking[0]} in the study file")
    if file.model is None:
        raise InputError("a sweep needs a model to see what privacy costs: name one under model in the study file")
    made = (
        file.generator
        if generator is None and file.generator is not None
        else Built(generator or "synthml.CartSynthesizer", {}, "generator")
    )
    made.build(**points[0].parameters)  # a parameter that it does not have is told before anything is read
    with (
        steps(2 * len(points) * (draws + 1), quiet=as_json) as step,
        start_sweep(
            f"sweep of {', '.join(grid)}",
            experiment=experiment or file.experiment or "synthml",
            tracking_uri=tracking_uri,
            signer=signer,
        ) as run,
    ):
        step("reading the tables")
        swept = run_sweep(
            file.schema,
            _table(file, "source"),
            _table(file, "holdout"),
            lambda setting: made.build(**setting.parameters),
            points,
            model=file.build_estimator(),
            policy=chosen,
            now=now(),
            draws=draws,
            generation=file.generation,
            seed=file.seed if seed is None else seed,
            settings=file.settings,
            progress=step,
            each=run.record,
        )
        step("recording the frontier")
        run.finish(swept, made.path, f"{chosen.name} v{chosen.version}")
    if output is not None:
        _write(output, swept)
    _show(swept, run.run_id, made, output, as_json=as_json)


def _table(file: StudyFile, role: str) -> pd.DataFrame:
    from synthml.reading import read_table

    frame: pd.DataFrame = read_table(file.tables[role], where=role, kinds=file.schema.kinds).arrow.to_pandas()
    return frame


def _write(output: Path, swept: Sweep) -> None:
    from synthml import report_html
    from synthml_tracking.files import write_whole

    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "evidence.json", swept.dossier.to_json())
    write_whole(output / "report.html", report_html(swept.dossier).encode())


def _show(swept: Sweep, run_id: str, made: Built, output: Path | None, *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [dict(row) for row in swept.dossier.tables["sweep"]]
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "generator": made.path, "outcomes": swept.outcomes, "draws": rows}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for title in ("setting", "draw", str(rows[0]["metric"]), "worst group", "risk", "policy"):
        table.add_column(title)
    for row in rows:
        group = f"{_number(row['group'])} {row['worst_group']}"
        risk = f"{_number(row['risk'])} {row['attack']}"
        table.add_row(row["setting"], str(row["draw"]), _number(row["utility"]), group, risk, row["outcome"])
    console.print(table)
    passing = [name for name, outcome in swept.outcomes.items() if outcome == "pass"]
    console.print(f"\nwould pass: {', '.join(passing) or 'no setting'}", markup=False)
    console.print(f"run id: {run_id}", markup=False)
    if output is not None:
        console.print(f"report: {output / 'report.html'}", markup=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
