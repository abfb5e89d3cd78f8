"""Whose signature counts: by key, role, expiry and revocation, at one captured time; mistakes in the file name their line."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from synthml.attestation import (
    RecallPredicate,
    ReviewPredicate,
    Signatory,
    Statement,
    Subject,
    Trust,
    evidence_statement,
    key_id,
    new_key,
    private_key,
    public_pem,
    recall_statement,
    review_statement,
    sign,
    trust_schema,
)
from synthml.attestation.predicates import KIND_OF
from synthml.attestation.trust import _MAY_SIGN
from synthml.errors import AttestationError, TrustError
from synthml.evidence import Dossier

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
KNOWN, STRANGER = private_key(new_key()), private_key(new_key())
DIGEST, WHEN = "sha256:" + "a" * 64, "2030-01-31T12:00:00Z"
STATEMENT = recall_statement([DIGEST], RecallPredicate("consent withdrawn", WHEN))


def pem(signer=KNOWN):
    return json.dumps(public_pem(signer).decode())


def file(**entry):
    fields = {"name": "custodian of the tables", "roles": "[custodian]", "key": pem(), **entry}
    listed = ", ".join(f"{name}: {value}" for name, value in fields.items() if value is not None)
    return f"version: 1\nkeys:\n  - {{{listed}}}\n"


def standing(text, signer=KNOWN, now=NOW):
    return Trust.parse(text).claim(sign(STATEMENT, signer), now).standing


def test_a_key_counts_for_its_roles_only():
    """The name is the file's; another role, another key and nobody at all are told apart."""
    found = standing(file())
    assert (found.name, found.key_id, found.role) == ("custodian of the tables", key_id(KNOWN), "custodian")
    assert str(standing(file(roles="[gate]"))) == "custodian of the tables may sign as gate, not as custodian or operator"
    assert standing(file(roles="[gate, operator]")).role == "operator"
    assert "not in the trust file" in str(standing(file(), signer=STRANGER))
    assert "no trust file" in str(Trust().claim(sign(STATEMENT, KNOWN), NOW).standing)


@pytest.mark.parametrize(
    ("expires", "now", "counts"),
    [
        ("2030-01-31", NOW, True),  # until the end of that day
        ("2030-01-31", datetime(2030, 2, 1, tzinfo=UTC), False),
        ("2030-01-31T12:00:01Z", NOW, True),
        ("2030-01-31T12:00:00Z", NOW, False),
        ("2030-01-31T13:30:00+02:00", NOW, False),
        ("2030-01-31T14:30:00+02:00", NOW, True),
    ],
)
def test_an_expired_key_counts_no_more(expires, now, counts):
    """At the moment of expiry, not a second before, whatever the zone."""
    assert bool(standing(file(expires=expires), now=now)) is counts


def test_a_revoked_key_never_counts():
    """Neither for what is said to be signed before the revocation: that time is the thief's to choose."""
    found = standing(file(revoked="{at: 2031-01-01, reason: laptop lost}"))
    assert not found
    assert str(found) == "the key of custodian of the tables was revoked: laptop lost (2031-01-01)"


def test_a_statement_without_a_signature_is_read_and_does_not_count():
    """Unsigned claims stay visible; who asks decides what they are worth."""
    claim = Trust.parse(file()).claim(STATEMENT.to_json(), NOW)
    assert not claim
    assert claim.key_id is None
    assert claim.kind == "recall"
    assert str(claim.standing) == "it is not signed"


def test_a_forged_claim_is_read_and_does_not_count():
    """The key id of the custodian over a stranger's signature."""
    envelope = json.loads(sign(STATEMENT, STRANGER))
    envelope["signatures"][0]["keyid"] = key_id(KNOWN)
    claim = Trust.parse(file()).claim(json.dumps(envelope).encode(), NOW)
    assert not claim
    assert "does not hold" in str(claim.standing)


def test_what_is_no_statement_is_an_error():
    """Nothing to be judged: not JSON, not a statement, a kind that nobody reads."""
    strange = Statement((Subject("x", "sha256:" + "a" * 64),), "https://example.org/x/v9", {})
    for raw in (b"nothing", b"{}", strange.to_json()):
        with pytest.raises(AttestationError):
            Trust().claim(raw, NOW)


def evidence(producer):
    return evidence_statement(Dossier(figures={}, producer=producer), digest_form="form-1")


def review(key):
    predicate = ReviewPredicate("approved", "fit", WHEN, Signatory(key), WHEN)
    return review_statement(predicate, model=DIGEST, evidence=DIGEST, policy=DIGEST)


@pytest.mark.parametrize(
    ("roles", "statement", "counts"),
    [
        ("[evaluator]", evidence("evaluator"), True),
        ("[engineer]", evidence("evaluator"), False),  # measured in one role, signed in another
        ("[evaluator]", evidence("anybody"), False),
        ("[reviewer]", review(key_id(KNOWN)), True),
        ("[reviewer]", review(key_id(STRANGER)), False),  # signed in somebody else's name
        ("[engineer]", review(key_id(KNOWN)), False),
    ],
)
def test_each_kind_is_signed_in_its_role(roles, statement, counts):
    """A right signature in the wrong role is none."""
    assert bool(Trust.parse(file(roles=roles)).claim(sign(statement, KNOWN), NOW)) is counts


def test_every_kind_has_roles_that_may_sign_it():
    """No kind is left that nobody, or anybody, could sign."""
    words = {*KIND_OF.values(), "approval", "refusal"} - {"review", "evidence", "recall", "recall-lift"}
    assert set(_MAY_SIGN) == words


def test_who_declares_and_lifts_recalls():
    """Custodian and operator declare, the custodian lifts, unless the file says otherwise."""
    trust = Trust.parse(file())
    assert (trust.declare, trust.lift) == ({"custodian", "operator"}, {"custodian"})
    assert Trust.parse(file() + "recalls: {lift: [gate, custodian]}\n").lift == {"gate", "custodian"}


def test_keys_in_files_are_found_beside_the_trust_file(tmp_path):
    """Relative to the file, not to the working folder."""
    (tmp_path / "custodian.pub").write_bytes(public_pem(KNOWN))
    (tmp_path / "trust.yaml").write_text(file(key=None, key_file="custodian.pub"))
    assert Trust.load(tmp_path / "trust.yaml").keys[0].key_id == key_id(KNOWN)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (file(roles="[custodain]"), "line 3"),
        (file(rolls="[gate]"), "'rolls' is no field here. Did you mean 'roles'"),
        (file(key='"hello"'), "line 3: there is no public key"),
        (file(key=None), "either as `key`"),
        (file(key_file="x.pub"), "either as `key`"),
        (file(key=None, key_file="absent.pub"), "line 3: No such file"),
        (file(expires="2030-01-31T12:00:00"), "needs a timezone"),
        (file(name='""'), "line 3"),
        (file(roles="[]"), "line 3"),
        (file(revoked="{at: 2030-01-01}"), "revoked.reason"),
        (file() + file().splitlines()[2] + "\n", "line 4: this key stands there already, for custodian of the tables"),
        (file().replace("version: 1", "version: 2"), "line 1"),
        (file(key=json.dumps(public_pem(KNOWN).decode() + public_pem(STRANGER).decode())), "one public key is expected, 2"),
        ("keys: []\nversion: 1\n", "line 1"),
        ("- a\n", "no trust file"),
        ("version: 1\nkeys: &a [*a]\n", "alias"),
        (file() + "recalls: {lfit: [gate]}\n", "'lfit' is no field here. Did you mean 'lift'"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(text, told):
    """One mistake a row."""
    with pytest.raises(TrustError) as error:
        Trust.parse(text, "trust.yaml")
    assert told in str(error.value)
    assert "trust.yaml" in str(error.value)


def test_editors_get_a_schema():
    """A JSON Schema that knows roles and fields."""
    schema = json.loads(trust_schema())
    assert "operator" in json.dumps(schema)
    assert schema["required"] == ["version", "keys"]


def test_time_moves_nothing_but_expiry():
    """A hundred years later a key without expiry still counts."""
    assert standing(file(), now=NOW + timedelta(days=36500))
