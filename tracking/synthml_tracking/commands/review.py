"""`synthml approve`, `refuse`, `waive`: a reviewer's signed decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from synthml_tracking.commands.options import AS_JSON, POLICY, SIGN_KEY, TRACKING_URI, TRUST

if TYPE_CHECKING:
    from pathlib import Path

    from synthml_tracking.attachments import Attachment

__all__ = ["approve", "refuse", "waive"]

_REASON = click.option("--reason", required=True, help="Why; it stands in the verdict.")
_EXPIRES = click.option("--expires", required=True, metavar="DAY", help="Until when: 2030-01-31, or a moment with its zone.")


@click.command()
@click.argument("model_uri")
@POLICY
@_REASON
@_EXPIRES
@TRUST
@SIGN_KEY
@TRACKING_URI
@AS_JSON
def approve(
    model_uri: str,
    policy: str,
    reason: str,
    expires: str,
    trust_file: Path | None,
    sign_key: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Approve a model on the evidence that is there now: bound to model, evidence and policy, by somebody who did not make it."""
    from synthml_tracking.keys import signing_key
    from synthml_tracking.reviewing import approve as sign_approval

    signer = signing_key(sign_key)
    done = sign_approval(model_uri, policy, reason, expires, signer=signer, trust=trust_file, tracking_uri=tracking_uri)
    _show(done, as_json=as_json)


@click.command()
@click.argument("model_uri")
@POLICY
@_REASON
@click.option("--expires", metavar="DAY", help="Until when. Default: until the same person approves.")
@TRUST
@SIGN_KEY
@TRACKING_URI
@AS_JSON
def refuse(
    model_uri: str,
    policy: str,
    reason: str,
    expires: str | None,
    trust_file: Path | None,
    sign_key: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Refuse a model: the gate fails under this policy, whatever the figures say."""
    from synthml_tracking.keys import signing_key
    from synthml_tracking.reviewing import refuse as sign_refusal

    signer = signing_key(sign_key)
    done = sign_refusal(model_uri, policy, reason, expires, signer=signer, trust=trust_file, tracking_uri=tracking_uri)
    _show(done, as_json=as_json)


@click.command()
@click.argument("model_uri")
@click.option("--criterion", required=True, metavar="ID", help="The criterion that is let through, by its id in the policy.")
@POLICY
@_REASON
@_EXPIRES
@TRUST
@SIGN_KEY
@TRACKING_URI
@AS_JSON
def waive(
    model_uri: str,
    criterion: str,
    policy: str,
    reason: str,
    expires: str,
    trust_file: Path | None,
    sign_key: Path | None,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Let one criterion through for this model and policy until a day, by somebody who did not make the model."""
    from synthml_tracking.keys import signing_key
    from synthml_tracking.reviewing import waive as sign_waiver

    signer = signing_key(sign_key)
    done = sign_waiver(model_uri, criterion, policy, reason, expires, signer=signer, trust=trust_file, tracking_uri=tracking_uri)
    _show(done, as_json=as_json)


def _show(done: Attachment, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"kind": done.kind, "attestation": done.path}, indent=2))
    else:
        click.echo(f"{done.kind} signed and attached: {done.path}")
