"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["AS_JSON", "FILE", "POLICY", "SIGN_KEY", "TRACKING_URI", "TRUST"]

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
POLICY = click.option("--policy", required=True, metavar="NAME", help="A shipped policy's name, or a file.")
TRUST = click.option("--trust", "trust_file", type=FILE, help="Trust file. Default: SYNTHML_TRUST.")
SIGN_KEY = click.option(
    "--sign-key", type=FILE, help="Private key that signs. Default: SYNTHML_SIGNING_KEY; without it nothing is signed."
)
TRACKING_URI = click.option(
    "--tracking-uri",
    metavar="URI",
    help="MLflow tracking store. Default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the working folder.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")
