"""Statements about tables and models, signed: in-toto statements in DSSE envelopes, with Ed25519.

`statement`   what is claimed of which digests; the bytes are canonical, so equal claims are equal bytes
`predicates`  the kinds of claims, each with its versions and one reader a version
`envelope`    sign and verify, through securesystemslib
`keys`        key pairs as PEM

Pure: no file, no environment, no clock. Which key may say what is decided elsewhere; here a signature only holds or does not.
"""

from __future__ import annotations

from synthml.attestation.envelope import Verified, sign, unverified, verify
from synthml.attestation.keys import key_id, new_key, private_key, public_keys, public_pem
from synthml.attestation.predicates import RELEASE, ReleasePredicate, read_predicate
from synthml.attestation.statement import Statement, Subject

__all__ = [
    "RELEASE",
    "ReleasePredicate",
    "Statement",
    "Subject",
    "Verified",
    "key_id",
    "new_key",
    "private_key",
    "public_keys",
    "public_pem",
    "read_predicate",
    "sign",
    "unverified",
    "verify",
]
