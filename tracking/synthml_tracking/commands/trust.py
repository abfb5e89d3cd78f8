"""`synthml trust`: the file that says whose signature counts for what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.attestation import Trust

__all__ = ["trust"]


@click.group()
def trust() -> None:
    """Whose signature counts: make a trust file, check it, show it."""


@trust.command()
@click.argument("name")
@click.argument("key", type=FILE)
@click.option("--role", "roles", multiple=True, help="A role; may be repeated. Default: all, for one person with everything.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("trust.yaml"), show_default=True)
def new(name: str, key: Path, roles: tuple[str, ...], output: Path) -> None:
    """Make a trust file with one key. NAME is the person or service, KEY a file with the public key, or the private one.

    A file that exists is never overwritten: it is made to be edited by people.
    """
    import yaml

    from synthml.attestation import ROLES, Trust, public_pem
    from synthml.errors import InputError
    from synthml_tracking.files import write_whole
    from synthml_tracking.keys import read_private_key

    raw = key.read_bytes()
    pem = public_pem(read_private_key(raw)) if b"PRIVATE KEY" in raw else raw
    entry = {"name": name, "roles": list(roles or ROLES), "key": pem.decode("ascii", "replace")}
    text = yaml.safe_dump({"version": 1, "keys": [entry]}, sort_keys=False, allow_unicode=True)
    Trust.parse(text, output.name)
    if output.exists():
        raise InputError(f"{output} exists already; add the key to it by hand, or choose another file with --output")
    write_whole(output, text.encode("utf-8"))
    click.echo(f"{output}: {name} may sign as {', '.join(entry['roles'])}")


@trust.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Is a trust file one that can judge? Names the line of every mistake."""

    from synthml.attestation import Trust

    found = Trust.load(file)
    click.echo(f"{file}: {len(found.keys)} key{'s' * (len(found.keys) != 1)}")


@trust.command()
@click.argument("file", type=FILE, required=False)
@AS_JSON
def show(file: Path | None, as_json: bool) -> None:
    """Who may sign as what, and since when not. Default: the file that SYNTHML_TRUST names."""
    from synthml_tracking.clock import now
    from synthml_tracking.trust import find_trust

    found, moment = find_trust(file), now()
    keys = [
        {
            "name": key.name,
            "roles": sorted(key.roles),
            "key_id": key.key_id,
            "expires": None if key.expires is None else key.expires.isoformat(),
            "counts": key.refusal(moment) is None,
            "why_not": key.refusal(moment),
        }
        for key in found.keys
    ]
    if as_json:
        click.echo(json.dumps({"keys": keys, "declare": sorted(found.declare), "lift": sorted(found.lift)}, indent=2))
        return
    click.echo("\n".join(_lines(found, keys)))


def _lines(found: Trust, keys: Sequence[Mapping[str, object]]) -> list[str]:
    if not found.keys:
        return ["Nobody is trusted: there is no trust file. Make one with: synthml trust new NAME KEY"]
    lines = []
    for key in keys:
        lines.append(f"{key['name']}: {', '.join(key['roles'])}")  # type: ignore[arg-type]
        lines.append(f"  key {str(key['key_id'])[:16]}" + ("" if key["counts"] else f", does not count: {key['why_not']}"))
    return [
        *lines,
        f"Recalls are declared by {' or '.join(sorted(found.declare))}, lifted by {' or '.join(sorted(found.lift))}.",
    ]
