"""`synthml card`: the documents of a logged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from synthml_tracking.cards import Cards

__all__ = ["card"]


@click.command()
@click.argument("model_uri")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the documents.")
@click.option("--policy", metavar="NAME", help="Decide with this policy. Default: show the last verdict that a gate signed.")
@TRUST
@click.option("--attach", is_flag=True, help="Attach the documents to the model's run, in place of older ones.")
@click.option("--bom/--no-bom", default=True, show_default=True, help="The bill of materials needs synthml[bom].")
@TRACKING_URI
@AS_JSON
def card(
    model_uri: str,
    output: Path | None,
    policy: str | None,
    trust_file: Path | None,
    attach: bool,
    bom: bool,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Model card, datasheet, Croissant file and bill of materials (CycloneDX) of a model, from what is attached to it.

    MODEL_URI is anything MLflow understands: models:/NAME/1, models:/NAME@alias, models:/m-..., runs:/.... Without --output and
    --attach the model card is printed.
    """
    from synthml_tracking.cards import CARD, attach_cards, make_cards

    cards = make_cards(model_uri, policy=policy, trust=trust_file, bom=bom, tracking_uri=tracking_uri)
    if output is None and not attach and not as_json:
        click.echo(cards.files[CARD].decode("utf-8"), nl=False)
        return
    written = [] if output is None else _written(cards, output)
    attached = attach_cards(cards, tracking_uri=tracking_uri) if attach else ()
    if as_json:
        click.echo(json.dumps(_facts(cards, written, attached), indent=2))
        return
    for path in written:
        click.echo(f"written   {path}")
    for name in attached:
        click.echo(f"attached  {name}  (run {cards.run_id})")
    for name, why in cards.left_out.items():
        click.echo(f"left out  {name}: {why}")


def _written(cards: Cards, output: Path) -> list[str]:
    from synthml.errors import InputError
    from synthml_tracking.files import write_whole

    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in cards.files.items():
            write_whole(output / name, content)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from error
    return [str(output / name) for name in cards.files]


def _facts(cards: Cards, written: list[str], attached: tuple[str, ...]) -> dict[str, object]:
    verdict = cards.verdict
    return {
        "model_digest": cards.model_digest,
        "evidence_digest": cards.evidence_digest,
        "verdict": None
        if verdict is None
        else {"outcome": verdict.outcome, "policy": verdict.policy, "decided": verdict.decided},
        "files": written,
        "attached": list(attached),
        "left_out": dict(cards.left_out),
    }
