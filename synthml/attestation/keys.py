"""Ed25519 key pairs as PEM: PKCS #8 for the private half, SubjectPublicKeyInfo for the public one.

A key's id is what securesystemslib computes from the public key, so that other in-toto tools name it alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthml.errors import AttestationError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

__all__ = ["key_id", "new_key", "private_key", "public_keys", "public_pem"]

_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def new_key(passphrase: bytes | None = None) -> bytes:
    """A new private key as PEM, encrypted when a passphrase is given."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def private_key(pem: bytes, passphrase: bytes | None = None) -> CryptoSigner:
    """A signer from PEM. Raises AttestationError: no key, no Ed25519 key, or the passphrase is missing or wrong."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    locked = b"ENCRYPTED" in pem
    if locked and not passphrase:
        raise AttestationError("the signing key is encrypted: give its passphrase")
    try:
        key = load_pem_private_key(pem, passphrase if locked else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        told = "its passphrase is wrong, or it is damaged" if locked else "it is no private key in PEM (PKCS #8)"
        raise AttestationError(f"the signing key cannot be read: {told}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise AttestationError("the signing key is no Ed25519 key; make one with: synthml key new")
    return CryptoSigner(key)


def public_keys(pem: bytes) -> tuple[SSlibKey, ...]:
    """Every public key in a PEM text; a private key's public half counts. Raises AttestationError when there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    found = []
    for block in _PUBLIC.findall(pem):
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise AttestationError("a public key cannot be read: it is damaged") from error
        if not isinstance(key, Ed25519PublicKey):
            raise AttestationError("a public key is no Ed25519 key")
        found.append(SSlibKey.from_crypto(key))
    if not found:
        raise AttestationError("there is no public key (PEM, BEGIN PUBLIC KEY) in the text; `synthml key show` prints one")
    return tuple(found)


def public_pem(signer: CryptoSigner) -> bytes:
    """The public half, to be given to whoever verifies."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = bytes.fromhex(str(signer.public_key.keyval["public"]))
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(signer: CryptoSigner) -> str:
    """The id of a key: 64 hex."""
    return str(signer.public_key.keyid)
