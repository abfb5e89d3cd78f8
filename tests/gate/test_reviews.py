"""Approval, refusal and waiver: bound to what was seen, by somebody who may; what would not count is not attached."""

import pytest
from gate.conftest import AUROC, NOW, TABLES
from lineage.a_registry import KEYS, a_model, asking, trust

import synthml_tracking as tracking
from synthml.attestation import Trust
from synthml.errors import InputError

REVIEWED = asking(require={"approvals": 1}, criteria=[{**AUROC, "at_least": 0.7}])
STRICT = asking(criteria=[{**AUROC, "at_least": 0.95}, {**AUROC, "id": "firm", "waivable": False}])


def outcome(model, policy=REVIEWED, now=NOW):
    return tracking.gate(model.uri, policy, trust=trust(), record=False, now=now).outcome


def review(model, what="approve", signer="reviewer", *, policy=REVIEWED, expires="2030-06-01", given=None, **more):
    key = None if signer is None else KEYS[signer]
    who = trust() if given is None else given
    return getattr(tracking, what)(model.uri, policy, "looked at it", expires, signer=key, trust=who, now=NOW, **more)


def waive(model, criterion="auroc", signer="reviewer", policy=STRICT, expires="2030-06-01"):
    return tracking.waive(model.uri, criterion, policy, "bridging", expires, signer=KEYS[signer], trust=trust(), now=NOW)


def test_an_approval_lets_through_until_it_expires(model):
    """Its last day counts."""
    assert outcome(model) == "insufficient"
    assert review(model).kind == "approval"
    assert outcome(model) == "pass"
    assert outcome(model, now=NOW.replace(month=6, day=1)) == "pass"
    assert outcome(model, now=NOW.replace(month=6, day=2)) == "insufficient"


def test_a_refusal_stops_until_the_same_person_approves(model):
    """Whatever the figures say, under the policy that it is about."""
    review(model)
    tracking.refuse(model.uri, REVIEWED, "no", signer=KEYS["reviewer"], trust=trust(), now=NOW.replace(hour=13))
    later = NOW.replace(hour=14)
    assert outcome(model, now=later) == "fail"
    assert outcome(model, asking(), now=later) == "pass"
    who = {"signer": KEYS["reviewer"], "trust": trust(), "now": later}
    tracking.approve(model.uri, REVIEWED, "mended", "2030-06-01", **who)
    assert outcome(model, now=later) == "pass"


def test_an_approval_is_of_the_evidence_that_was_there(model):
    """More evidence needs another look."""
    review(model)
    model.add(model.evidence("evaluator", 0.79, created="2030-01-02T00:00:00Z"), "evaluator")
    assert outcome(model) == "insufficient"


@pytest.mark.parametrize(
    ("signer", "given", "why"),
    [
        (None, {}, "only when it is signed"),
        ("engineer", {}, "may sign as engineer, not as reviewer"),
        ("stranger", {}, "not in the trust file"),
        ("reviewer", {"reviewer": "expires: 2030-01-30"}, "expired"),
        ("reviewer", {"reviewer": "revoked: {at: 2030-01-30, reason: left}"}, "revoked: left"),
    ],
)
def test_a_review_that_would_not_count_is_not_attached(model, signer, given, why):
    """Told at once, and not by the next gate."""
    before = sorted(model.artifacts.rglob("*"))
    with pytest.raises(InputError, match=why):
        review(model, signer=signer, given=trust(**given))
    assert sorted(model.artifacts.rglob("*")) == before


def both_roles():
    return Trust.parse(
        "version: 1\nkeys:\n"
        + "\n".join(
            f"  - {{name: {name}, roles: [{', '.join(roles)}], key: {pem}}}"
            for name, roles, pem in (("Ann", ["engineer", "reviewer"], key("engineer")), ("Ann", ["reviewer"], key("reviewer")))
        )
    )


def key(role):
    import json

    from synthml.attestation import public_pem

    return json.dumps(public_pem(KEYS[role]).decode())


@pytest.mark.parametrize("signer", ["engineer", "reviewer"])
def test_the_author_may_not_review_with_whichever_key(model, signer):
    """One name is one person; refusing one's own model is no harm."""
    with pytest.raises(InputError, match="Ann made the model"):
        review(model, signer=signer, given=both_roles())
    assert review(model, "refuse", signer=signer, given=both_roles()).kind == "refusal"


def test_without_a_known_author_nobody_can_approve(store):
    """The engineer's evidence is not signed."""
    model = a_model(store, TABLES)
    model.add(model.evidence("engineer"))
    with pytest.raises(InputError, match="who made the model is not known"):
        review(model)


def test_without_evidence_there_is_nothing_to_approve(store):
    """Nor after the model's files changed."""
    with pytest.raises(InputError, match="nothing to approve"):
        review(a_model(store, TABLES))


def test_a_waiver_lets_one_criterion_through(model):
    """Of this policy and until it expires."""
    assert outcome(model, STRICT) == "fail"
    assert waive(model).kind == "waiver"
    assert outcome(model, STRICT) == "pass"
    assert outcome(model, STRICT, NOW.replace(month=7)) == "fail"
    assert outcome(model, asking(criteria=[{**AUROC, "at_least": 0.96}])) == "fail"


@pytest.mark.parametrize(
    ("criterion", "signer", "expires", "why"),
    [
        ("firm", "reviewer", "2030-06-01", "does not let 'firm' be waived"),
        ("aurok", "reviewer", "2030-06-01", "no criterion 'aurok'. Did you mean 'auroc'"),
        ("auroc", "engineer", "2030-06-01", "may sign as engineer"),
        ("auroc", "reviewer", "2030-01-30", "lies in the past"),
        ("auroc", "reviewer", "soon", "is no expiry"),
        ("auroc", "reviewer", "2030-06-01T12:00:00", "needs a zone"),
    ],
)
def test_a_waiver_that_cannot_be(model, criterion, signer, expires, why):
    """Told with what is expected."""
    with pytest.raises(InputError, match=why):
        waive(model, criterion, signer, expires=expires)


@pytest.mark.parametrize(("reason", "why"), [("  ", "a reason is needed"), ("x" * 1001, "at most 1,000")])
def test_a_review_says_why(model, reason, why):
    """Neither nothing nor a book."""
    with pytest.raises(InputError, match=why):
        tracking.approve(model.uri, REVIEWED, reason, "2030-06-01", signer=KEYS["reviewer"], trust=trust(), now=NOW)
