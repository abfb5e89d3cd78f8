"""The envelope: a statement with one signature over its type and bytes (DSSE, https://github.com/secure-systems-lab/dsse).

One envelope, one signature: two approvals are two envelopes, so that each can expire or be revoked alone.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates import known_predicate, read_predicate
from synthml.attestation.statement import Statement, parsed
from synthml.errors import AttestationError
from synthml.evidence import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securesystemslib.signer import Signer, SSlibKey

__all__ = ["PAYLOAD", "Verified", "is_envelope", "sign", "unverified", "verify"]

PAYLOAD = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Verified:
    """A statement whose signature holds, and the id of the key that made it."""

    statement: Statement
    key_id: str


def sign(statement: Statement, signer: Signer) -> bytes:
    """The envelope as canonical JSON. Ed25519 is deterministic: the same statement and key give the same bytes.

    Raises AttestationError for a statement that no reader can read, so that nothing is signed that cannot be verified, and when a
    key that is kept elsewhere (a key service, a token) refuses.
    """
    from securesystemslib.dsse import Envelope

    read_predicate(statement)
    envelope = Envelope(statement.to_json(), PAYLOAD, {})
    try:
        envelope.sign(signer)
    except Exception as error:  # key services raise their own libraries' errors: boto, hvac, grpc, PKCS #11
        raise AttestationError(f"the key could not sign ({type(error).__name__}); nothing was written") from error
    return canonical_json(envelope.to_dict())


def verify(raw: bytes, keys: Iterable[SSlibKey]) -> Verified:
    """The statement, if its signature holds under one of the keys.

    Raises AttestationError: no such key, a changed payload (a changed subject is one), another payload type, no signature or
    several, a predicate that no reader knows.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
    from securesystemslib.signer import Signature

    payload, signature_id, signature = _opened(raw)
    key = next((key for key in keys if key.keyid == signature_id), None)
    if key is None:
        raise AttestationError(f"the statement is signed by key {signature_id[:16]}, which is not among the trusted keys")
    made = Signature(signature_id, signature.hex())
    try:
        key.verify_signature(made, Envelope(payload, PAYLOAD, {signature_id: made}).pae())
    except (UnverifiedSignatureError, VerificationError) as error:
        raise AttestationError(
            f"the signature of key {signature_id[:16]} does not hold: the statement was changed after it was signed, "
            "or another key signed it"
        ) from error
    return Verified(_statement(payload), signature_id)


def unverified(raw: bytes) -> Verified:
    """The statement and the key id that the envelope claims, without looking at the signature."""
    payload, signature_id, _ = _opened(raw)
    return Verified(_statement(payload), signature_id)


def is_envelope(raw: bytes) -> bool:
    """Whether a document is an envelope rather than a bare statement. Raises AttestationError when it is no JSON object."""
    return "payloadType" in parsed(raw, "the document")


def _statement(payload: bytes) -> Statement:
    statement = Statement.from_json(payload)
    known_predicate(statement.predicate_type)
    return statement


def _opened(raw: bytes) -> tuple[bytes, str, bytes]:
    """Payload, key id and signature."""
    data = parsed(raw, "the envelope")
    if data.get("payloadType") != PAYLOAD:
        raise AttestationError(f"the envelope holds {str(data.get('payloadType'))[:80]!r}, not {PAYLOAD}")
    signatures = data.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        count = len(signatures) if isinstance(signatures, list) else 0
        raise AttestationError(f"the envelope holds {count} signatures; exactly one is expected")
    signature_id = signatures[0].get("keyid")
    if not isinstance(signature_id, str) or not signature_id:
        raise AttestationError("the envelope's signature names no key")
    return _bytes(data.get("payload"), "payload"), signature_id, _bytes(signatures[0].get("sig"), "signature")


def _bytes(value: Any, what: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise AttestationError(f"the envelope's {what} is not base64") from error
