"""`synthml key`: Ed25519 keys for signing releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

__all__ = ["key"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def key() -> None:
    """Keys that sign: make one, show its public half."""


@key.command()
@click.option("--output", type=_FILE, default=Path("synthml.key"), show_default=True, help="File for the private key; mode 0600.")
@AS_JSON
def new(output: Path, as_json: bool) -> None:
    """Make a private key, and print its id and its public half. A file that exists is never overwritten.

    With SYNTHML_SIGNING_PASSPHRASE set, the key is encrypted with it.
    """
    from synthml_tracking.keys import save_new_key

    _show(save_new_key(output), output, as_json=as_json)


@key.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@AS_JSON
def show(file: Path, as_json: bool) -> None:
    """Print id and public half of a private key, or of public keys."""
    from synthml.attestation import public_keys
    from synthml_tracking.keys import read_private_key

    if b"PRIVATE KEY" in file.read_bytes():
        _show(read_private_key(file.read_bytes()), file, as_json=as_json)
        return
    found = [str(public.keyid) for public in public_keys(file.read_bytes())]
    click.echo(json.dumps({"key_ids": found}) if as_json else "\n".join(found))


def _show(signer: Signer, file: Path, *, as_json: bool) -> None:
    from synthml.attestation import key_id, public_pem

    found, pem = key_id(signer), public_pem(signer).decode()
    if as_json:
        click.echo(json.dumps({"file": str(file), "key_id": found, "public_key": pem}))
        return
    click.echo(f"key id: {found}", err=True)
    click.echo(pem, nl=False)
