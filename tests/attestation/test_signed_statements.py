"""A signature holds for exactly one statement, one type and one key; everything else is told apart."""

import base64
import json
import re

import pytest

from synthml.attestation import (
    RELEASE,
    Statement,
    Subject,
    key_id,
    new_key,
    private_key,
    public_keys,
    public_pem,
    read_predicate,
    sign,
    unverified,
    verify,
)
from synthml.errors import AttestationError, EvidenceError

HEX = "ab" * 32
PREDICATE = {
    "outcome": "pass",
    "policies": {"release-default v1": {"outcome": "pass", "digest": "sha256:" + HEX}},
    "evidence": "sha256:" + HEX,
    "datasheet": "sha256:" + HEX,
    "decided": "2026-01-01T00:00:00Z",
    "seed": 7,
    "synthml": "0.1.0",
    "digestForm": "synthml-table-1",
    "fieldOfTomorrow": {"a": [1, 2]},
}


def statement(digest="sha256:" + HEX, predicate_type=RELEASE):
    return Statement((Subject("synthetic", digest),), predicate_type, PREDICATE)


@pytest.fixture(scope="module")
def signer():
    return private_key(new_key())


@pytest.fixture(scope="module")
def trusted(signer):
    return public_keys(public_pem(signer))


def changed(envelope, **parts):
    return json.dumps({**json.loads(envelope), **parts}).encode()


def test_a_signed_statement_is_read_back_with_the_key_that_made_it(signer, trusted):
    """The round trip: type, subject and predicate come back, fields of later versions too, and the key's id."""
    verified = verify(sign(statement(), signer), trusted)
    assert verified.key_id == key_id(signer)
    assert verified.statement.subjects[0].digest == "sha256:" + HEX
    assert verified.statement.to_json() == statement().to_json()
    assert verified.statement.predicate["fieldOfTomorrow"] == {"a": [1, 2]}
    assert read_predicate(verified.statement).policies["release-default v1"]["outcome"] == "pass"


def test_the_envelope_is_what_the_specifications_say(signer):
    """DSSE and in-toto by hand: the fields, and Ed25519 over the pre-authentication encoding, checked without our code."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    envelope = json.loads(sign(statement(), signer))
    payload = base64.b64decode(envelope["payload"])
    kind = b"application/vnd.in-toto+json"
    assert envelope["payloadType"] == kind.decode()
    told = json.loads(payload)
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["subject"] == [{"name": "synthetic", "digest": {"sha256": HEX}}]
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    load_pem_public_key(public_pem(signer)).verify(signature, encoded)


def test_equal_statements_give_equal_bytes(signer):
    """The order in which a predicate was filled makes no difference to the envelope."""
    other = Statement((Subject("synthetic", "sha256:" + HEX),), RELEASE, dict(reversed(PREDICATE.items())))
    assert sign(statement(), signer) == sign(other, signer)


def test_a_keyed_digest_has_a_name_of_its_own(signer, trusted):
    """A digest under a key never passes for a plain SHA-256."""
    made = statement("hmac-sha256:" + HEX)
    assert made.to_dict()["subject"][0]["digest"] == {"hmacSha256": HEX}
    assert verify(sign(made, signer), trusted).statement.subjects[0].digest == "hmac-sha256:" + HEX


def test_a_strangers_signature_is_refused(trusted):
    """A valid signature by a key that nobody trusts."""
    with pytest.raises(AttestationError, match="not among the trusted keys"):
        verify(sign(statement(), private_key(new_key())), trusted)


def test_a_stranger_who_claims_a_trusted_key_is_refused(trusted):
    """The key id of a trusted key over another key's signature."""
    envelope = json.loads(sign(statement(), private_key(new_key())))
    envelope["signatures"][0]["keyid"] = trusted[0].keyid
    with pytest.raises(AttestationError, match="does not hold"):
        verify(json.dumps(envelope).encode(), trusted)


@pytest.mark.parametrize(("old", "new"), [(b'"pass"', b'"fail"'), (HEX.encode(), b"cd" * 32), (b'"seed":7', b'"seed":8')])
def test_a_changed_payload_is_refused(signer, trusted, old, new):
    """One changed outcome, subject or seed, and the signature holds no more."""
    envelope = sign(statement(), signer)
    payload = base64.b64decode(json.loads(envelope)["payload"])
    assert old in payload
    forged = changed(envelope, payload=base64.b64encode(payload.replace(old, new)).decode())
    with pytest.raises(AttestationError, match="does not hold"):
        verify(forged, trusted)


def test_every_changed_byte_of_the_payload_is_noticed(signer, trusted):
    """A bit flipped anywhere in the payload, at every position."""
    envelope = sign(statement(), signer)
    payload = base64.b64decode(json.loads(envelope)["payload"])
    for i in range(0, len(payload), 7):
        forged = payload[:i] + bytes([payload[i] ^ 1]) + payload[i + 1 :]
        with pytest.raises(AttestationError):
            verify(changed(envelope, payload=base64.b64encode(forged).decode()), trusted)


def test_what_is_no_single_signature_over_a_statement_is_refused(signer, trusted):
    """Another payload type, several signatures, none, no base64, no JSON, a name twice."""
    envelope = sign(statement(), signer)
    one = json.loads(envelope)["signatures"][0]
    for raw, told in [
        (changed(envelope, payloadType="text/plain"), "holds 'text/plain'"),
        (changed(envelope, signatures=[one, one]), "holds 2 signatures"),
        (changed(envelope, signatures=[]), "holds 0 signatures"),
        (changed(envelope, payload="%%%"), "not base64"),
        (changed(envelope, signatures=[{"sig": one["sig"]}]), "names no key"),
        (b"nothing", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"payload": "", "payload": ""}', "twice"),
    ]:
        with pytest.raises(AttestationError, match=told):
            verify(raw, trusted)
        with pytest.raises(AttestationError, match=told):
            unverified(raw)


def test_a_predicate_that_nobody_can_read_is_neither_signed_nor_believed(signer, trusted):
    """A predicate of a later version, though its signature is right."""
    later = statement(predicate_type=RELEASE.replace("v1", "v99"))
    with pytest.raises(AttestationError, match="v99"):
        sign(later, signer)
    from securesystemslib.dsse import Envelope

    envelope = Envelope(later.to_json(), "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    with pytest.raises(AttestationError, match="does not know the predicate"):
        verify(json.dumps(envelope.to_dict()).encode(), trusted)


@pytest.mark.parametrize("digest", ["md5:" + HEX, "sha256:ab", "sha256:" + HEX.upper(), HEX])
def test_a_subject_without_a_digest_that_can_be_compared_is_refused(digest):
    """Another algorithm, a digest cut short, capitals, no algorithm."""
    with pytest.raises(EvidenceError, match="sha256"):
        statement(digest)


def test_keys_are_ed25519_and_open_with_their_passphrase_only():
    """An encrypted key without or with a wrong passphrase, an RSA-less text, and a key pair's two halves."""
    pem = new_key(b"correct horse")
    assert b"ENCRYPTED" in pem
    assert re.fullmatch("[0-9a-f]{64}", key_id(private_key(pem, b"correct horse")))
    for passphrase, told in [(None, "encrypted"), (b"wrong", "passphrase is wrong")]:
        with pytest.raises(AttestationError, match=told):
            private_key(pem, passphrase)
    with pytest.raises(AttestationError, match="no private key"):
        private_key(b"hello")
    with pytest.raises(AttestationError, match="no public key"):
        public_keys(new_key())


def test_a_key_of_another_kind_is_refused():
    """Private keys in files are Ed25519; public ones may be ECDSA, for key services that have nothing else, and are never RSA."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    other = generate_private_key(SECP256R1())
    with pytest.raises(AttestationError, match="no Ed25519"):
        private_key(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert public_keys(pem)[0].scheme == "ecdsa-sha2-nistp256"
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key

    for strange, told in [(rsa_key(65537, 2048), "neither"), (generate_private_key(SECP256K1()), "curve")]:
        with pytest.raises(AttestationError, match=told):
            public_keys(strange.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_several_public_keys_stand_in_one_text(signer):
    """A file of trusted keys is their PEM texts one after the other."""
    other = private_key(new_key())
    keys = public_keys(public_pem(signer) + b"\na note\n" + public_pem(other))
    assert [key.keyid for key in keys] == [key_id(signer), key_id(other)]
    assert verify(sign(statement(), other), keys).key_id == key_id(other)
