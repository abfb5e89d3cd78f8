"""Where the trust file is found: named, else in the environment. What it says is `synthml.attestation.trust`.

SYNTHML_TRUST    the path of the file, or its text (more than one line)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from synthml.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.attestation import Trust

__all__ = ["TRUST", "find_trust"]

TRUST = "SYNTHML_TRUST"


def find_trust(given: Trust | Path | str | None, environment: Mapping[str, str] = os.environ) -> Trust:
    """The trust that was given, the file of that path, else the environment's; with none of them nobody is trusted.

    Raises TrustError that names the line of a mistake.
    """
    from synthml.attestation import Trust

    if isinstance(given, Trust):
        return given
    if given is not None:
        return Trust.load(given)
    value = environment.get(TRUST, "").strip()
    if not value:
        return Trust()
    if "\n" in value:
        return Trust.parse(value, TRUST)
    if not Path(value).is_file():
        raise TrustError(f"{TRUST} names {value[:200]}, which is no file; give a path, or the text of the file")
    return Trust.load(value)
