"""`synthml release`: measure, decide under one or several policies, write it all down, sign."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthml_tracking.commands.options import AS_JSON, SIGN_KEY

if TYPE_CHECKING:
    from synthml import StudyFile
    from synthml.disclosure import RowsAtRisk
    from synthml.policy import Policy
    from synthml.release import Release

__all__ = ["release"]

_EXIT = {"pass": 0, "fail": 1, "insufficient": 3}
_WORDS = {"pass": ("released", "bold green"), "fail": ("refused", "bold red"), "insufficient": ("not decidable", "bold yellow")}
_FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
}
_FILES = frozenset({
    "dossier.html", "evidence.json", "verdicts.json", "datasheet.md", "datasheet.croissant.json",
    "release.dsse.json", "release.json",
})  # fmt: skip
_STEPS = 30
_MOST_TOLD = 12


@click.command()
@click.argument("study", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policy", "names", multiple=True, required=True, metavar="NAME", help="Shipped policy or file; may be repeated.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the release.")
@SIGN_KEY
@click.option("--rows-at-risk", type=click.Path(dir_okay=False, path_type=Path),
              help="File for the positions of source rows that attacks succeeded on; for the custodian only.")  # fmt: skip
@click.option("--seed", type=int, help="Overrides the study file's seed.")
@AS_JSON
def release(
    study: Path,
    names: tuple[str, ...],
    output: Path,
    sign_key: Path | None,
    rows_at_risk: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Decide whether a synthetic table may leave: attack it, hold it against policies, write it down, sign.

    Exit codes: 0 every policy passes, 1 one fails, 3 one cannot be decided, 2 bad input. Nothing is written unless all of it is.
    """
    from synthml import InputError, Policy, StudyFile
    from synthml.release import documents
    from synthml_tracking.files import write_private
    from synthml_tracking.keys import signing_key

    signer = signing_key(sign_key)
    policies = [Policy.load(name) for name in names]
    file = StudyFile.load(study)
    _check_places(output, rows_at_risk)
    decided, columns, at_risk = _measured(file, policies, seed=file.seed if seed is None else seed, quiet=as_json)
    table = file.tables["synthetic"]
    files = documents(
        decided,
        columns,
        signer=signer,
        file_name=table.name,
        file_format=_FORMATS.get(table.suffix.lower(), "application/octet-stream"),
        file_sha256=_sha256(table),
    )
    try:
        _write_folder(output, files)
        if rows_at_risk is not None:
            write_private(rows_at_risk, _rows_csv(at_risk))
    except OSError as error:
        raise InputError(f"the release cannot be written: {error.strerror}") from error
    if as_json:
        click.echo(json.dumps(_facts(decided, output, sorted(files), signed=signer is not None), indent=2))
    else:
        _show(decided, output, rows_at_risk, signed=signer is not None)
    if signer is None:
        click.echo(
            "NOT SIGNED: there was no key. Anyone can write such a statement; give --sign-key (synthml key new).", err=True
        )
    click.get_current_context().exit(_EXIT[decided.outcome])


def _measured(
    file: StudyFile, policies: list[Policy], *, seed: int, quiet: bool
) -> tuple[Release, dict[str, str], list[RowsAtRisk]]:
    from synthml import measure
    from synthml.errors import InputError
    from synthml.release import decide_release, kinds_to_measure
    from synthml_tracking.clock import iso, now
    from synthml_tracking.console import steps

    if "synthetic" not in file.tables:
        raise InputError("the study has no synthetic table, so there is nothing to release: name tables.synthetic")
    at_risk: list[RowsAtRisk] = []
    with steps(_STEPS, quiet=quiet) as step:
        step("reading and checking the tables")
        study = file.study()
        dossier = measure(
            study,
            model=file.build_estimator(),
            kinds=kinds_to_measure(policies, model=file.model is not None),
            seed=seed,
            settings=file.settings,
            synthesizer=file.build_synthesizer(),
            rows_at_risk=at_risk.append,
            draws=file.draws(),
            progress=step,
        )
        step("deciding")
        moment = now()
        decided = decide_release(dossier.stamped(created=iso(moment), producer="custodian"), policies, now=moment)
    kinds = study.schema.kinds
    columns = {str(name): str(kinds.get(str(name), "numeric")) for name in study.tables["synthetic"].frame.columns}
    return decided, columns, at_risk


def _sha256(table: Path) -> str:
    with table.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_places(output: Path, rows_at_risk: Path | None) -> None:
    """Told before anything is measured: places that cannot or must not be written to."""
    from synthml.errors import InputError

    if output.is_dir():
        strange = sorted(entry.name for entry in output.iterdir() if entry.name not in _FILES)
        if strange:
            raise InputError(
                f"{output} holds other files ({len(strange)}, such as {strange[0]}): name a folder for the release alone"
            )
    elif output.exists():
        raise InputError(f"{output} is a file, not a folder")
    if not os.access(_existing(output.absolute().parent), os.W_OK):
        raise InputError(f"{output} cannot be written: no leave to write beside it")
    if rows_at_risk is not None:
        if rows_at_risk.resolve().is_relative_to(output.resolve()):
            raise InputError("--rows-at-risk must lie outside of --output: the release is given away, the rows at risk never are")
        if not rows_at_risk.absolute().parent.is_dir():
            raise InputError(f"the folder of {rows_at_risk} does not exist")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _write_folder(output: Path, files: dict[str, bytes]) -> None:
    """All files or none: written in a folder beside, flushed, then moved; an older release is replaced as a whole."""
    from synthml_tracking.files import flush_folder

    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        new, old = beside / "new", beside / "old"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        flush_folder(new)
        if output.exists():
            output.rename(old)
        try:
            new.rename(output)
        except OSError:
            if old.exists():
                old.rename(output)
            raise
    finally:
        shutil.rmtree(beside)


def _rows_csv(found: list[RowsAtRisk]) -> bytes:
    """row: 0-based position in the source table; attacks that succeeded on it. No value of the row."""
    lines = ["row,attacks"]
    for at_risk in found:
        lines += [f"{row},{' '.join(attacks)}" for row, attacks in at_risk.by_row.items()]
    return ("\n".join(lines) + "\n").encode()


def _facts(decided: Release, output: Path, files: list[str], *, signed: bool) -> dict[str, Any]:
    return {
        "outcome": decided.outcome,
        "signed": signed,
        "subject": decided.subject,
        "evidence_digest": decided.dossier.digest,
        "policies": {
            verdict.policy: {
                "outcome": verdict.outcome,
                "failed": list(dict.fromkeys(d.id for d in verdict.failed)),
                "insufficient": list(dict.fromkeys(d.id for d in verdict.open)),
                "warnings": list(dict.fromkeys(d.id for d in verdict.warnings)),
            }
            for verdict in decided.verdicts
        },
        "files": [str(output / name) for name in files],
    }


def _show(decided: Release, output: Path, rows_at_risk: Path | None, *, signed: bool) -> None:
    """The outcome of each policy, what stands against it, what to do, where everything lies."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from synthml.figures import unescape_label
    from synthml.release import advice

    console = Console(highlight=False)
    for verdict in decided.verdicts:
        word, style = _WORDS[verdict.outcome]
        met = sum(d.outcome == "pass" for d in verdict.decisions)
        console.print(Text.assemble((f"{word:14}", style), (verdict.policy, "bold"), f"  {met} of {len(verdict.decisions)} met"))
        against = [*verdict.failed, *verdict.open, *verdict.warnings]
        if against:
            table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
            for title in ("", "criterion", "required", "found"):
                table.add_column(title, overflow="fold", no_wrap=title in ("", "criterion"))
            for d in against[:_MOST_TOLD]:
                mark = "warning" if d.severity == "warn" else {"insufficient": "open"}.get(d.outcome, d.outcome)
                criterion = d.id if d.of in ("", "all", "each", "groups") else f"{d.id} [{unescape_label(d.of)}]"
                table.add_row(*(Text(cell) for cell in (f"  {mark}", criterion, d.required, d.found)))
            console.print(table)
            if len(against) > _MOST_TOLD:
                console.print(f"  and {len(against) - _MOST_TOLD} more: see verdicts.json", markup=False)
    told = advice(decided)
    if told:
        console.print("\nWhat can be done", style="bold")
        for line in told[:_MOST_TOLD]:
            console.print(f"  - {line}", markup=False)
    console.print(f"\ntable     {decided.subject}", markup=False, soft_wrap=True)
    console.print(f"release   {output}  ({'signed' if signed else 'NOT SIGNED'})", markup=False, soft_wrap=True)
    if rows_at_risk is not None:
        console.print(f"at risk   {rows_at_risk}  (keep it: it is no part of the release)", markup=False, soft_wrap=True)
    console.print("A pass is no claim of compliance with any law.", style="dim")
