"""`synthml derivation`: tables that were made from tables."""

from __future__ import annotations

import json
from pathlib import Path

import click

from synthml_tracking.commands.options import AS_JSON, FILE, SIGN_KEY, TRACKING_URI

__all__ = ["derivation"]

_ACTIVITIES = ("synthesis", "augmentation", "transformation", "sampling", "split")


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@click.option("--from", "materials", multiple=True, required=True, metavar="TABLE", help="What they were made from; repeatable.")
@click.option("--activity", type=click.Choice(_ACTIVITIES), required=True, help="What was done.")
@click.option("--generator", metavar="NAME", help="What made them: name and version.")
@click.option("--schema", "schema_file", type=FILE, metavar="STUDY", help="Study file whose schema fixes the kinds of files.")
@click.option("--digest-key", type=FILE, help="Secret key of hmac-sha256 digests of files.")
@SIGN_KEY
@TRACKING_URI
@AS_JSON
def derivation(
    tables: tuple[str, ...],
    materials: tuple[str, ...],
    activity: str,
    generator: str | None,
    schema_file: Path | None,
    digest_key: Path | None,
    sign_key: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Record that tables were made from other tables, so that recall and contamination follow from one to the other.

    Runs, evaluations, sweeps and releases record it by themselves. TABLE is a file, or a digest in full or 12 hex or more of one
    that this registry knows. Of `sampling` and `split` a part of the rows went in, of the others all.
    """
    from synthml_tracking.commands.recall import digest_of_file
    from synthml_tracking.deriving import record_derivation
    from synthml_tracking.keys import signing_key
    from synthml_tracking.recalls import is_digest

    def named(table: str) -> str:
        if Path(table).is_file():
            return digest_of_file(Path(table), schema_file, digest_key)
        if is_digest(table):
            return table
        raise click.UsageError(f"'{table[:200]}' is neither a file nor a digest")

    signer = signing_key(sign_key)
    making = record_derivation(
        [named(table) for table in tables],
        [named(table) for table in materials],
        activity=activity,
        generator=generator,
        signer=signer,
        tracking_uri=tracking_uri,
    )
    if as_json:
        facts = {"made": list(making.derived), "from": list(making.materials), "activity": making.activity}
        click.echo(json.dumps({**facts, "generator": making.generator, "signed": signer is not None}, indent=2))
        return
    by = f" by {making.generator}" if making.generator else ""
    click.echo(f"recorded: {making.activity}{by}")
    for digest in making.materials:
        click.echo(f"  from  {digest}")
    for digest in making.derived:
        click.echo(f"  made  {digest}")
