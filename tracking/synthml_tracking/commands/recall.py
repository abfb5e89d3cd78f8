"""`synthml recall`: a table is withdrawn, and the end of that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, FILE, SIGN_KEY, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from pathlib import Path

    from synthml_tracking.recalls import Recall

__all__ = ["digest_of_file", "recall"]


@click.command()
@click.argument("digest", required=False)
@click.option("--table", type=FILE, help="A table's file instead of its digest.")
@click.option(
    "--schema", "schema_file", type=FILE, metavar="STUDY", help="With --table: study file whose schema fixes the kinds."
)
@click.option("--digest-key", type=FILE, help="With --table: secret key of an hmac-sha256 digest.")
@click.option("--reason", required=True, help="Why; everybody who is stopped by it reads this.")
@click.option("--lift", is_flag=True, help="End every recall of this table that is in force.")
@SIGN_KEY
@TRUST
@TRACKING_URI
@AS_JSON
def recall(
    digest: str | None,
    table: Path | None,
    schema_file: Path | None,
    digest_key: Path | None,
    reason: str,
    lift: bool,
    sign_key: Path | None,
    trust_file: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Withdraw a table: from now on every gate that asks fails the versions that depend on it, through any chain of tables.

    DIGEST is sha256:<64 hex>, hmac-sha256:<64 hex>, or the first 12 hex or more of one that this registry knows. A recall is
    signed when there is a key, and blocks without one too; with --lift it ends, and that needs a key that the trust file lets
    lift. The pages of these versions in MLflow say so.
    """
    from synthml_tracking.keys import signing_key
    from synthml_tracking.recalling import lift_recall
    from synthml_tracking.recalling import recall as declare

    if (digest is None) == (table is None):
        raise click.UsageError("name the table either by DIGEST or with --table FILE")
    named = str(digest) if table is None else digest_of_file(table, schema_file, digest_key)
    signer = signing_key(sign_key)
    if lift:
        lifted = lift_recall(named, reason, signer=signer, trust=trust_file, tracking_uri=tracking_uri, progress=_note)
        _show(lifted, "lifted", as_json=as_json)
        return
    declared = declare(named, reason, signer=signer, trust=trust_file, tracking_uri=tracking_uri, progress=_note)
    _show((declared,), "recalled", as_json=as_json)
    if signer is None:
        click.echo("NOT SIGNED: there was no key. It blocks all the same, and is told as unverified.", err=True)


def _note(line: str) -> None:
    click.echo(line, err=True)


def digest_of_file(table: Path, schema_file: Path | None, digest_key: Path | None) -> str:
    """The digest of a table's file, as `synthml digest` prints it."""
    from synthml import StudyFile, table_digest

    schema = None if schema_file is None else StudyFile.load(schema_file).schema
    return table_digest(table, schema=schema, key=None if digest_key is None else digest_key.read_bytes().strip())


def _show(recalls: tuple[Recall, ...], what: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({what: [one.to_dict() for one in recalls]}, indent=2))
        return
    for one in recalls:
        click.echo(f"{what}: {one.digest}\n  {one}")
