"""Keys that never leave a key service are reached by address; what is missing for it is named."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, SSlibKey

from synthml.attestation import (
    RecallPredicate,
    Trust,
    is_address,
    key_id,
    new_key,
    private_key,
    public_keys,
    public_pem,
    recall_statement,
    sign,
    verify,
)
from synthml.errors import AttestationError, MissingExtraError
from synthml_tracking.keys import signing_key

STATEMENT = recall_statement(["sha256:" + "a" * 64], RecallPredicate("x", "2030-01-31T12:00:00Z"))
ECDSA = generate_private_key(SECP256R1())
PUBLIC = ECDSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Token(CryptoSigner):
    """A token that asks for a PIN; its key is an ECDSA key, as with most key services."""

    asked: str = ""

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri, public_key, secrets_handler=None):
        if secrets_handler("pin") != "1234":
            raise PermissionError("wrong PIN")
        return cls(ECDSA, public_key)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "hsm", Token)


def environment(**more):
    return {"SYNTHML_SIGNING_KEY": "hsm:2", "SYNTHML_SIGNING_PUBLIC_KEY": PUBLIC, "SYNTHML_SIGNING_PASSPHRASE": "1234", **more}


def test_a_token_signs_and_its_signature_holds(token):
    """ECDSA behind an address: signed, verified, and trusted by its public half."""
    signer = signing_key(None, environment())
    raw = sign(STATEMENT, signer)
    assert verify(raw, public_keys(PUBLIC.encode())).key_id == key_id(signer)
    assert public_pem(signer).decode().strip() == PUBLIC.strip()
    trust = Trust.parse(f"version: 1\nkeys: [{{name: T, roles: [custodian], key: {json.dumps(PUBLIC)}}}]")
    from datetime import UTC, datetime

    assert trust.claim(raw, datetime(2030, 1, 1, tzinfo=UTC))


def test_what_is_wrong_with_an_address_is_told(token):
    """A wrong PIN, no public half, two of them; the PIN is never shown."""
    for wrong, told in [
        ({"SYNTHML_SIGNING_PASSPHRASE": "99887"}, "PermissionError"),
        ({"SYNTHML_SIGNING_PUBLIC_KEY": ""}, "SYNTHML_SIGNING_PUBLIC_KEY"),
        ({"SYNTHML_SIGNING_PUBLIC_KEY": PUBLIC + public_pem(private_key(new_key())).decode()}, "holds 2 public keys"),
    ]:
        with pytest.raises(AttestationError, match=told) as error:
            signing_key(None, environment(**wrong))
        assert "99887" not in str(error.value)


@pytest.mark.parametrize(("address", "extra"), [("hv:release/1", "vault"), ("awskms:alias/x", "awskms"), ("gcpkms:x", "gcpkms")])
def test_a_missing_library_is_named_with_the_command(address, extra):
    """None of these libraries is a dependency of ours."""
    with pytest.raises(MissingExtraError, match=rf"pip install 'securesystemslib\[{extra}\]'"):
        signing_key(None, environment(SYNTHML_SIGNING_KEY=address))


def test_a_key_service_that_refuses_signs_nothing():
    """Whatever its library raises becomes one error of ours."""

    class Refusing(CryptoSigner):
        def sign(self, payload):
            raise RuntimeError("no quota for account 4711")

    with pytest.raises(AttestationError, match="could not sign") as error:
        sign(STATEMENT, Refusing(ECDSA))
    assert "4711" not in str(error.value)


def test_paths_are_no_addresses(tmp_path):
    """Windows' drives, schemes that are left out, and `file2:` before a path."""
    for text in ("C:\\keys\\synthml.key", "synthml.key", "gnupg:ABC", "file2:synthml.key", "https://example.org"):
        assert not is_address(text)
    (tmp_path / "k.pem").write_bytes(new_key())
    assert signing_key(None, {"SYNTHML_SIGNING_KEY": f"file2:{tmp_path / 'k.pem'}"}) is not None


def test_an_ecdsa_signature_over_something_else_does_not_hold(token):
    """A changed payload under a key that is not Ed25519."""
    envelope = json.loads(sign(STATEMENT, signing_key(None, environment())))
    payload = base64.b64decode(envelope["payload"]).replace(b'"x"', b'"y"')
    forged = json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}).encode()
    with pytest.raises(AttestationError, match="does not hold"):
        verify(forged, public_keys(PUBLIC.encode()))
    assert isinstance(public_keys(PUBLIC.encode())[0], SSlibKey)
