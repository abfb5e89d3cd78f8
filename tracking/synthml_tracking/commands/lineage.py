"""`synthml lineage`: where something comes from, and what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import TRACKING_URI, TRUST

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lineage"]

_SHAPES = ("text", "json", "mermaid", "dot", "openlineage", "prov")


@click.command()
@click.argument("ref")
@click.option(
    "--format",
    "shape",
    type=click.Choice(_SHAPES),
    default="text",
    show_default=True,
    help="prov is PROV-JSON; openlineage one event a line, as a consumer takes them.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--most", type=click.IntRange(min=1), default=50, show_default=True, help="With text: branches shown of one node.")
@TRUST
@TRACKING_URI
def lineage(ref: str, shape: str, as_json: bool, most: int, trust_file: Path | None, tracking_uri: str | None) -> None:
    """Show the lineage of a version, alias, run, table or deployment: source, generator, synthetic table, run, model, version,
    deployment, both ways.

    REF is models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/ID or a run's id, a table's digest or 12 hex or more of it, or
    an endpoint (also deployment:ENDPOINT).
    """
    from synthml_tracking.clock import now_iso
    from synthml_tracking.graph import lineage as find_lineage
    from synthml_tracking.graph.drawing import dot, mermaid, tree
    from synthml_tracking.graph.prov import prov
    from synthml_tracking.openlineage import exported

    graph = find_lineage(ref, trust=trust_file, tracking_uri=tracking_uri)
    if as_json or shape == "json":
        click.echo(json.dumps(graph.to_dict(), indent=2))
    elif shape == "prov":
        click.echo(json.dumps(prov(graph), indent=2))
    elif shape == "openlineage":
        for event in exported(graph, at=now_iso()):
            click.echo(json.dumps(event))
    elif shape == "text":
        click.echo(tree(graph, most=most))
    else:
        click.echo({"mermaid": mermaid, "dot": dot}[shape](graph), nl=False)
