"""`synthml impact`: what depends on a table, and which endpoints to take down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import FILE, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["impact"]


@click.command()
@click.argument("digest", required=False)
@click.option("--table", type=FILE, help="A table's file instead of its digest.")
@click.option(
    "--schema", "schema_file", type=FILE, metavar="STUDY", help="With --table: study file whose schema fixes the kinds."
)
@click.option("--digest-key", type=FILE, help="With --table: secret key of an hmac-sha256 digest.")
@click.option("--live", is_flag=True, help="Only the endpoints to take down: every deployment that was not retired.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@TRUST
@TRACKING_URI
def impact(
    digest: str | None,
    table: Path | None,
    schema_file: Path | None,
    digest_key: Path | None,
    live: bool,
    shape: str,
    as_json: bool,
    trust_file: Path | None,
    tracking_uri: str | None,
) -> None:
    """List every version, alias and deployment that depends on a table, through any chain of tables made from it.

    DIGEST is sha256:<64 hex>, hmac-sha256:<64 hex>, or the first 12 hex or more of one that this registry knows. Recalls in force
    are shown.
    """
    from synthml_tracking.commands.recall import digest_of_file
    from synthml_tracking.impacts import impact as find_impact

    if (digest is None) == (table is None):
        raise click.UsageError("name the table either by DIGEST or with --table FILE")
    named = str(digest) if table is None else digest_of_file(table, schema_file, digest_key)
    found = find_impact(named, trust=trust_file, tracking_uri=tracking_uri)
    if as_json or shape == "json":
        click.echo(json.dumps(found.to_dict(live=live), indent=2))
    elif shape == "csv":
        click.echo(found.to_csv(live=live), nl=False)
    else:
        click.echo(found.text(live=live))
