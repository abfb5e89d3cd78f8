"""`synthml gate`, `promote`, `verify`: may this version serve?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, POLICY, SIGN_KEY, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from synthml.policy import Policy, Verdict

__all__ = ["gate", "promote", "verify"]

_FORMATS = ("text", "json", "junit", "sarif", "markdown")
_EXIT = {"pass": 0, "fail": 1, "insufficient": 3}


@click.command()
@click.argument("model_uri")
@POLICY
@TRUST
@SIGN_KEY
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="For people, machines, test reports, code scanning, a pull request.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File for it. Default: standard output.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="FORMAT=FILE",
    help="The same verdict in a further format, such as junit=gate.xml; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Decide only: nothing is attached, and the look at the holdout is not counted.")
@TRACKING_URI
def gate(
    model_uri: str,
    policy: str,
    trust_file: Path | None,
    sign_key: Path | None,
    form: str,
    output: Path | None,
    reports: tuple[str, ...],
    dry_run: bool,
    tracking_uri: str | None,
) -> None:
    """May this version serve? Decides under a policy, attaches the verdict, and counts it against the holdout.

    MODEL_URI is models:/NAME/1, models:/NAME@alias, models:/m-... or runs:/ID/model. Exit code 0 pass, 1 fail, 3 insufficient
    evidence, 2 bad input, 4 when the store fails. A verdict that counts elsewhere is signed: --sign-key.
    """
    from synthml import Policy as PolicyFile
    from synthml_tracking.gating import judge
    from synthml_tracking.keys import signing_key

    places = _places(reports)
    chosen, signer = PolicyFile.load(policy), signing_key(sign_key)
    judged = judge(model_uri, chosen, trust=trust_file, signer=signer, record=not dry_run, tracking_uri=tracking_uri)
    if output is None:
        click.echo(_written(judged.verdict, form, policy, chosen), nl=False)
    else:
        places.append((form, output))
        click.echo(f"{judged.verdict.outcome} under {chosen.name} v{chosen.version}: {output}", err=True)
    for each, place in places:
        _put(place, _written(judged.verdict, each, policy, chosen))
    if not judged.recorded:
        why = "dry run" if dry_run else "the model was logged outside of a run"
        click.echo(f"NOT RECORDED: {why}.", err=True)
    elif judged.attached is None:
        click.echo("NOT SIGNED: there was no key. The verdict is shown and counted, and nobody has to believe it.", err=True)
    click.get_current_context().exit(_EXIT[judged.verdict.outcome])


def _places(reports: tuple[str, ...]) -> list[tuple[str, Path]]:
    found = []
    for one in reports:
        form, _, place = one.partition("=")
        if form not in _FORMATS or not place:
            raise click.UsageError(f"--report {one[:80]!r}: expected FORMAT=FILE, FORMAT one of {', '.join(_FORMATS)}")
        found.append((form, Path(place)))
    return found


def _put(place: Path, text: str) -> None:
    from synthml.errors import InputError
    from synthml_tracking.files import write_whole

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text.encode("utf-8"))
    except OSError as error:
        raise InputError(f"{place} cannot be written: {error.strerror}") from error


def _written(verdict: Verdict, form: str, policy: str, chosen: Policy) -> str:
    from synthml.policy.criteria import criterion_lines
    from synthml.report.verdicts import FORMATS, verdict_sarif

    if form != "sarif":
        return FORMATS[form](verdict)
    path = Path(policy)
    if not path.is_file():
        return verdict_sarif(verdict, location=f"{chosen.name}.yaml")
    inside = path.resolve().is_relative_to(Path.cwd())
    shown = path.resolve().relative_to(Path.cwd()).as_posix() if inside else path.name
    return verdict_sarif(verdict, location=shown, lines=criterion_lines(path))


@click.command()
@click.argument("model_uri")
@click.option("--alias", required=True, metavar="NAME", help="The alias to set, such as champion.")
@POLICY
@TRUST
@SIGN_KEY
@TRACKING_URI
@AS_JSON
def promote(
    model_uri: str,
    alias: str,
    policy: str,
    trust_file: Path | None,
    sign_key: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Gate a version and set an alias on it when it passes; look again after the write, and take it back when it no longer does.

    MODEL_URI is models:/NAME/1 or models:/NAME@alias. Exit code 0 the alias stands, 1 refused or taken back, 3 insufficient
    evidence, 4 when the store fails: run it again then, it goes on from where it stopped.
    """
    from synthml.report.verdicts import verdict_text
    from synthml.report.wording import clean
    from synthml_tracking.keys import signing_key
    from synthml_tracking.promoting import promote as promote_version

    done = promote_version(model_uri, alias, policy, trust=trust_file, signer=signing_key(sign_key), tracking_uri=tracking_uri)
    if as_json:
        facts = {
            "model": done.name,
            "version": done.number,
            "alias": done.alias,
            "done": bool(done),
            "previous": done.previous,
            "told": done.told,
            "verdict": {**done.verdict.to_dict(), "digest": done.verdict.digest},
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(verdict_text(done.verdict))
        click.echo(clean(f"{'promoted' if done else 'NOT PROMOTED'}: {done.told}"))
    click.get_current_context().exit(done.exit_code)


@click.command()
@click.argument("model_uri")
@TRUST
@TRACKING_URI
@AS_JSON
def verify(model_uri: str, trust_file: Path | None, tracking_uri: str | None, as_json: bool) -> None:
    """Recompute every digest and signature of a model, and print what holds and what does not. Exit code 0 or 1.

    Without a trust file no signature holds: nobody says whose it is.
    """
    from synthml.report.wording import clean
    from synthml_tracking.verifying import verify as verify_model

    found = verify_model(model_uri, trust=trust_file, tracking_uri=tracking_uri)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        click.echo(f"{found.model_id}  {found.model_digest}")
        for check in found.checks:
            click.echo(clean(check))
        broken = sum(check.holds is False for check in found.checks)
        click.echo("everything holds" if found else f"{broken} of {len(found.checks)} do not hold")
    click.get_current_context().exit(0 if found else 1)
