"""`verify`: every digest and signature recomputed, and told whether it holds."""

import pytest
from gate.conftest import AUROC, NOW, POLICY
from lineage.a_registry import KEYS, SOURCE, asking, release, trust
from lineage.test_facts import recalled

import synthml_tracking as tracking
from synthml.attestation import Trust


def verify(model, given=None, now=NOW):
    return tracking.verify(model.uri, trust=trust() if given is None else given, now=now)


def broken(found):
    return [str(check) for check in found.checks if check.holds is False]


def test_everything_holds(model):
    """Model, two documents, their statements, the release, the verdict, the tables."""
    model._tag("synthml.model_digest", model.digest)
    tracking.gate(model.uri, POLICY, trust=trust(), signer=KEYS["gate"], now=NOW)
    found = verify(model)
    assert found
    told = "\n".join(map(str, found.checks))
    assert told.count("measured as") == 2
    assert "signed by Gate (gate): pass under p v1 at 2030-01-31T12:00:00Z" in told
    assert "none of 3 is recalled" in told
    assert [check.holds for check in found.checks] == [True] * len(found.checks)
    assert found.to_dict()["holds"] is True


def change(suffix, old, new):
    def apply(model):
        path = next(p for p in sorted(model.artifacts.rglob(f"*{suffix}")) if old in p.read_bytes())
        path.write_bytes(path.read_bytes().replace(old, new))

    return apply


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda m: (m.place / "model.bin").write_bytes(b"other"), "its files are"),
        (change(".json", b"made up", b"made Up"), "its name is not its digest"),
        (change(".dsse.json", b'"sig":"', b'"sig":"A'), "its name is not its digest"),
        (lambda m: next((m.artifacts / "synthml/evidence").iterdir()).unlink(), "is not there"),
        (lambda m: next((m.artifacts / "synthml/attestations").iterdir()).unlink(), "is not there"),
        (lambda m: m.state(release(), "engineer"), "not as custodian"),
        (lambda m: m.client.set_model_version_tag("risk", "1", "synthml.model_digest", "sha256:1"), "noted is sha256:1"),
        (lambda m: recalled(m, SOURCE), "consent withdrawn"),
    ],
)
def test_what_was_spoilt_is_named(model, spoil, told):
    """And the whole does not hold."""
    model._tag("synthml.model_digest", model.digest)
    assert verify(model)
    spoil(model)
    found = verify(model)
    assert not found
    assert told in "\n".join(broken(found))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Trust(), "no trust file"),
        (trust(evaluator="revoked: {at: 2030-01-30, reason: stolen}"), "revoked: stolen"),
        (trust(evaluator="expires: 2030-01-30"), "expired"),
    ],
)
def test_a_signature_whose_key_does_not_count_does_not_hold(model, given, told):
    """Without a trust file none does."""
    assert told in "\n".join(broken(verify(model, given)))


def test_what_is_not_signed_and_what_expired_is_open(model):
    """Told, and no fault: a policy says whether it counts."""
    model.add(model.evidence("evaluator", 0.81, created="2030-01-02T00:00:00Z"))
    asked = asking(require={"approvals": 1}, criteria=[AUROC])
    tracking.approve(model.uri, asked, "ok", "2030-02-01", signer=KEYS["reviewer"], trust=trust(), now=NOW)
    found = verify(model, now=NOW.replace(month=3))
    assert found
    told = [str(check) for check in found.checks if check.holds is None]
    assert any("no signature that counts" in line for line in told)
    assert any("expired 2030-02-01" in line for line in told)


def test_evidence_and_statements_of_another_model_do_not_hold(model):
    """Copied here, or left behind by files that were replaced."""
    (model.place / "more.bin").write_bytes(b"")
    told = "\n".join(broken(verify(model)))
    assert told.count("it is about another model") == 2
    assert told.count("signed by Evaluator (evaluator), about another model") == 1
