"""`synthml deployment`: where versions serve, since when, and the end of that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from synthml_tracking.commands.options import AS_JSON, SIGN_KEY, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synthml_tracking.deployments import Deployment

__all__ = ["deployment"]

_BY = click.option("--by", envvar="SYNTHML_BY", help="Who or what does it. Default: SYNTHML_BY, else the user of this machine.")
_NOT_SIGNED = "NOT SIGNED: there was no key. It is listed all the same, as what it is."


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    return TRUST(TRACKING_URI(AS_JSON(command)))


@click.group()
def deployment() -> None:
    """Where versions serve: record, retire, list. The history is kept."""


@deployment.command()
@click.argument("model_uri")
@click.option("--environment", required=True, help="Such as production, or ward-3.")
@click.option("--endpoint", required=True, help="Address or name under which it answers.")
@click.option("--since", help="Time or date. Default: now.")
@click.option("--until", help="Planned end, if it is known.")
@_BY
@SIGN_KEY
@_common
def record(
    model_uri: str,
    environment: str,
    endpoint: str,
    since: str | None,
    until: str | None,
    by: str | None,
    sign_key: Path | None,
    trust_file: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Record that MODEL_URI serves. Its digest is computed from its files; the same record given twice is one."""
    from synthml_tracking.deployments import record_deployment
    from synthml_tracking.keys import signing_key

    signer = signing_key(sign_key)
    made = record_deployment(
        model_uri,
        environment=environment,
        endpoint=endpoint,
        by=_who(by),
        since=since,
        until=until,
        signer=signer,
        trust=trust_file,
        tracking_uri=tracking_uri,
    )
    _show_one(made, "recorded", signed=signer is not None, as_json=as_json)


@deployment.command()
@click.argument("which")
@click.option("--environment", help="Only there; for an endpoint that several environments have.")
@click.option("--reason", help="Why.")
@click.option("--until", help="Time or date of the end. Default: now.")
@_BY
@SIGN_KEY
@_common
def retire(
    which: str,
    environment: str | None,
    reason: str | None,
    until: str | None,
    by: str | None,
    sign_key: Path | None,
    trust_file: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Record that a deployment serves no more. WHICH is its endpoint, or 12 hex or more of its identity.

    What a trusted key recorded, only a trusted key retires.
    """
    from synthml_tracking.deployments import retire_deployment
    from synthml_tracking.keys import signing_key

    signer = signing_key(sign_key)
    made = retire_deployment(
        which,
        by=_who(by),
        environment=environment,
        reason=reason,
        until=until,
        signer=signer,
        trust=trust_file,
        tracking_uri=tracking_uri,
    )
    _show_one(made, "retired", signed=signer is not None, as_json=as_json)


@deployment.command("list")
@click.option("--model", "model_uri", metavar="MODEL_URI", help="Only of this model, in all its versions and copies.")
@click.option("--environment", help="Only there.")
@click.option("--live", is_flag=True, help="Only what was not retired.")
@_common
def list_all(
    model_uri: str | None,
    environment: str | None,
    live: bool,
    trust_file: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """What serves, and what did."""
    from synthml_tracking.deployments import list_deployments

    found = list_deployments(model_uri=model_uri, environment=environment, live=live, trust=trust_file, tracking_uri=tracking_uri)
    if as_json:
        click.echo(json.dumps({"deployments": [one.to_dict() for one in found]}, indent=2))
        return
    for one in found:
        click.echo(f"{one.identity[7:19]}  {one}")
    if not found:
        click.echo("no deployment is recorded")


def _who(by: str | None) -> str:
    if by is not None:
        return by
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise click.UsageError("this machine's user has no name: give --by, or SYNTHML_BY") from None


def _show_one(made: Deployment, what: str, *, signed: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({what: made.to_dict()}, indent=2))
    else:
        click.echo(f"{what}: {made.identity}\n  {made}")
    if not signed:
        click.echo(_NOT_SIGNED, err=True)
