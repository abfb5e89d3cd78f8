"""`synthml attach`: a signed statement for a model that stands already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, FILE, TRACKING_URI

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["attach"]


@click.command()
@click.argument("model_uri")
@click.argument("statement", type=FILE)
@click.option("--evidence", type=FILE, help="The document that it stands by. Default: evidence.json beside it, when that is it.")
@TRACKING_URI
@AS_JSON
def attach(model_uri: str, statement: Path, evidence: Path | None, tracking_uri: str | None, as_json: bool) -> None:
    """Attach a signed statement to MODEL_URI and all its versions: a release that came after the training, or signed evidence.

    STATEMENT is a DSSE envelope, such as release.dsse.json. It is not judged here: what it is worth is judged whenever it is
    read.
    """
    from synthml_tracking.attaching import attach as attach_to
    from synthml_tracking.attaching import statement_with_evidence

    raw, document = statement_with_evidence(statement, evidence)
    done = attach_to(model_uri, raw, evidence=document, tracking_uri=tracking_uri)
    if as_json:
        click.echo(json.dumps({"attached": done.kind, "key": done.key, "evidence": document is not None}))
        return
    click.echo(f"attached  {done.kind} {done.key}{' with its evidence' if document is not None else ', without evidence'}")
