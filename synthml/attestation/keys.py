"""Keys: Ed25519 pairs as PEM (PKCS #8, SubjectPublicKeyInfo), and keys that never leave a key service or a token.

A key's id is what securesystemslib computes from the public key, so that other in-toto tools name it alike.

Keys that are kept elsewhere are reached by securesystemslib's addresses, such as `hv:release-key/1` for Vault or
`awskms:alias/release`. They may be ECDSA keys too, since few of these services offer Ed25519; their signatures differ each time,
so that equal statements are equal envelopes holds for Ed25519 only. RSA is left out: its public key does not say which scheme it
signs with. GnuPG is left out: its signatures are not over DSSE's bytes. Sigstore's keyless signing is left out: it goes through
public services, whose log would hold who signed what in a hospital.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthml.errors import AttestationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

__all__ = ["is_address", "key_id", "new_key", "private_key", "public_keys", "public_pem", "remote_signer"]

# scheme -> extra of securesystemslib that brings its library
_EXTRAS = {"awskms": "awskms", "azurekms": "azurekms", "gcpkms": "gcpkms", "hsm": "hsm", "hv": "vault", "tkey": "tkey"}
_REFUSED = {"file2", "gnupg"}

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


def is_address(text: str) -> bool:
    """Whether a text is the address of a key that is kept elsewhere; other signers that securesystemslib was given count too."""
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME

    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme in {*SIGNER_FOR_URI_SCHEME, *_EXTRAS} - _REFUSED


def remote_signer(address: str, public_key: SSlibKey, secret: Callable[[str], str] | None = None) -> Signer:
    """A signer by its address. secret: asked for a PIN or passphrase when the signer needs one.

    Raises MissingExtraError when the service's library is not installed, AttestationError when the address or the service is of
    no use.
    """
    from securesystemslib.exceptions import UnsupportedLibraryError
    from securesystemslib.signer import Signer

    scheme = address.partition(":")[0]
    try:
        return Signer.from_priv_key_uri(address, public_key, secret)
    except UnsupportedLibraryError as error:
        extra = _EXTRAS.get(scheme, scheme)
        raise MissingExtraError(
            f"the libraries of securesystemslib[{extra}]", f"signing with {scheme}:", f"pip install 'securesystemslib[{extra}]'"
        ) from error
    except Exception as error:  # key services raise their own libraries' errors, and an address may be malformed in many ways
        raise AttestationError(f"the signing key {scheme}:... cannot be used ({type(error).__name__})") from error


def public_keys(pem: bytes) -> tuple[SSlibKey, ...]:
    """Every public key in a PEM text, Ed25519 or ECDSA. Raises AttestationError when there is none, or one of another kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    found = []
    for block in _PUBLIC.findall(pem):
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise AttestationError("a public key cannot be read: it is damaged") from error
        if not isinstance(key, (Ed25519PublicKey, EllipticCurvePublicKey)):
            raise AttestationError("a public key is neither an Ed25519 nor an ECDSA key")
        try:
            found.append(SSlibKey.from_crypto(key))
        except ValueError as error:
            raise AttestationError("a public key lies on a curve that is not read; NIST P-256, P-384 and P-521 are") from error
    if not found:
        raise AttestationError("there is no public key (PEM, BEGIN PUBLIC KEY) in the text; `synthml key show` prints one")
    return tuple(found)


def public_pem(signer: Signer) -> bytes:
    """The public half, to be given to whoever verifies."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    held = str(signer.public_key.keyval["public"])
    if held.startswith("-----BEGIN"):
        return held.encode()
    raw = bytes.fromhex(held)
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(signer: Signer) -> str:
    """The id of a key: 64 hex."""
    return str(signer.public_key.keyid)
