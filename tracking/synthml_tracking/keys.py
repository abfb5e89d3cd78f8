"""Where keys are found: files, and the environment of a pipeline. What they are is `synthml.attestation.keys`.

SYNTHML_SIGNING_KEY          the private key: PEM, the path of a file with it (`file2:` before it is understood), or the address
of
                             a key that is kept elsewhere, such as hv:release-key/1, awskms:alias/release, hsm:2
SYNTHML_SIGNING_PUBLIC_KEY   with an address: the public half, PEM or the path of a file with it
SYNTHML_SIGNING_PASSPHRASE   its passphrase or PIN, when it has one
SYNTHML_TRUSTED_KEYS         public keys that releases are checked with: PEM texts, or the path of a file with them
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from synthml.errors import AttestationError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

__all__ = ["PASSPHRASE", "PUBLIC", "SIGNING", "TRUSTED", "read_private_key", "save_new_key", "signing_key", "trusted_keys"]

SIGNING, PASSPHRASE, TRUSTED = "SYNTHML_SIGNING_KEY", "SYNTHML_SIGNING_PASSPHRASE", "SYNTHML_TRUSTED_KEYS"
PUBLIC = "SYNTHML_SIGNING_PUBLIC_KEY"
_LARGEST = 1_000_000


def signing_key(path: Path | None, environment: Mapping[str, str] = os.environ) -> Signer | None:
    """The signer of a file, else of the environment, else None.

    Raises AttestationError, which never shows the key, and MissingExtraError when the library of a key service is not installed.
    """
    from synthml.attestation import is_address

    if path is None:
        value = environment.get(SIGNING, "").strip()
        if value.startswith("file2:"):
            value = value.removeprefix("file2:")
        elif "-----BEGIN" not in value and is_address(value):
            return _remote(value, environment)
        pem = _given(value)
    else:
        pem = _read(path)
    return None if pem is None else read_private_key(pem, environment)


def _remote(address: str, environment: Mapping[str, str]) -> Signer:
    from synthml.attestation import public_keys, remote_signer

    pem = _given(environment.get(PUBLIC))
    if pem is None:
        raise AttestationError(f"a key that is kept elsewhere needs its public half: set {PUBLIC} to it (PEM, or a file with it)")
    found = public_keys(pem)
    if len(found) != 1:
        raise AttestationError(f"{PUBLIC} holds {len(found)} public keys; one is expected")
    return remote_signer(address, found[0], lambda _: environment.get(PASSPHRASE, ""))


def read_private_key(pem: bytes, environment: Mapping[str, str] = os.environ) -> CryptoSigner:
    """A signer from PEM, with the passphrase of the environment. Raises AttestationError."""
    from synthml.attestation import private_key

    passphrase = environment.get(PASSPHRASE)
    try:
        return private_key(pem, passphrase.encode() if passphrase else None)
    except AttestationError as error:
        hint = f" in {PASSPHRASE}" if "give its passphrase" in str(error) else ""
        raise AttestationError(f"{error}{hint}") from error


def trusted_keys(path: Path | None, environment: Mapping[str, str] = os.environ) -> tuple[SSlibKey, ...]:
    """Public keys of a file, else of the environment; none when neither is given. Raises AttestationError."""
    from synthml.attestation import public_keys

    pem = _read(path) if path is not None else _given(environment.get(TRUSTED))
    return () if pem is None else public_keys(pem)


def save_new_key(path: Path, environment: Mapping[str, str] = os.environ) -> CryptoSigner:
    """Make a key and write it, for its owner's eyes only. Raises InputError when something stands there already."""
    from synthml.attestation import new_key, private_key

    passphrase = environment.get(PASSPHRASE)
    secret = passphrase.encode() if passphrase else None
    pem = new_key(secret)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{path} exists already: a key is never overwritten. Choose another file.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return private_key(pem, secret)


def _given(value: str | None) -> bytes | None:
    """PEM, or the path of a file with it."""
    if not value:
        return None
    return value.encode() if "-----BEGIN" in value else _read(Path(value))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise AttestationError(f"{path} is too large to be a key")
        return path.read_bytes()
    except OSError as error:
        raise AttestationError(f"the key file {path} cannot be read: {error.strerror}") from error
