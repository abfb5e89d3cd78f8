"""Every kind of claim: what a version says never changes, what it does not know survives, and what is wrong in it is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synthml.attestation import (
    RELEASE,
    DeploymentPredicate,
    DerivationPredicate,
    Material,
    RecallLiftPredicate,
    RecallPredicate,
    ReleasePredicate,
    RetirementPredicate,
    ReviewPredicate,
    Signatory,
    Statement,
    Subject,
    VerdictPredicate,
    WaiverPredicate,
    deployment_statement,
    derivation_statement,
    evidence_statement,
    kind_of,
    private_key,
    public_keys,
    public_pem,
    read_as,
    read_predicate,
    recall_lift_statement,
    recall_statement,
    retirement_statement,
    review_statement,
    sign,
    verify,
    waiver_statement,
)
from synthml.attestation.predicates import KIND_OF
from synthml.errors import AttestationError
from synthml.estimate import Estimate
from synthml.evidence import Dossier, canonical_json
from synthml.policy import Decision, Verdict, verdict_of, verdict_statement

GOLDEN = Path(__file__).parent / "golden"
WHEN, LATER = "2030-01-31T12:00:00Z", "2031-01-31T12:00:00Z"
A, B, C = ("sha256:" + x * 64 for x in "abc")
KEYED = "hmac-sha256:" + "d" * 64
WHO = Signatory("e" * 64, "second reviewer")
# a key for these tests alone: golden envelopes need one that stays
SECRET = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----
"""


def dossier():
    return Dossier(
        figures={"utility.auroc.tstr/all": Estimate(0.8)},
        datasets={"synthetic": {"digest": A}, "holdout": {"digest": KEYED}, "lost": {}},
        kinds=("utility",),
        producer="evaluator",
        created=WHEN,
        synthml="0.1.0",
    ).with_model(B, "models:/m-1")


def verdict(outcome="pass", *decisions):
    return Verdict(outcome, "p v1", A, B, WHEN, decisions, C)


def decision(name, outcome, **more):
    return Decision(name, outcome, "at most 1", "0", **more)


STATEMENTS = {
    "release-v1": Statement(
        (Subject("synthetic", A),),
        RELEASE,
        ReleasePredicate(
            "pass",
            {"p v1": {"outcome": "pass", "digest": B}},
            B,
            C,
            WHEN,
            7,
            "0.1.0",
            "synthml-table-1",
            derived_from=(Material(KEYED),),
        ).to_dict(),
    ),
    "evidence-v1": evidence_statement(dossier(), digest_form="synthml-table-1"),
    "derivation-v1": derivation_statement(
        [("synthetic", A)], DerivationPredicate((Material(B), Material(KEYED, "augmentation")), "synthesis", WHEN, "cart 1")
    ),
    "recall-v1": recall_statement([KEYED], RecallPredicate("consent withdrawn", WHEN)),
    "recall-lift-v1": recall_lift_statement([KEYED], RecallLiftPredicate((A,), "consent given again", LATER)),
    "approval-v1": review_statement(ReviewPredicate("approved", "fit for use", WHEN, WHO, LATER), model=A, evidence=B, policy=C),
    "refusal-v1": review_statement(ReviewPredicate("refused", "too few women", WHEN, WHO), model=A, evidence=B, policy=C),
    "waiver-v1": waiver_statement(WaiverPredicate("auroc-loss", "bridging", WHEN, LATER, WHO), model=A, policy=C),
    "deployment-v1": deployment_statement(
        DeploymentPredicate("production", "https://ward.example/score", WHEN, "Olga", None, "models:/risk/1"), model=A
    ),
    "retirement-v1": retirement_statement(RetirementPredicate(B, LATER, "Olga", "replaced"), model=A),
    "verdict-v0.1": verdict_statement(
        verdict("fail", decision("a", "pass"), decision("b", "fail", of="sex:F"), decision("c", "fail", severity="warn"))
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_version_is_what_it_was(name, golden):
    """The signed bytes of each version: whoever changes one has to add a version instead."""
    signer = private_key(SECRET)
    raw = sign(STATEMENTS[name], signer)
    golden(GOLDEN / f"{name}.dsse.json", raw)
    read = verify(raw, public_keys(public_pem(signer))).statement
    assert read.to_json() == STATEMENTS[name].to_json()
    assert canonical_json(read_predicate(read).to_dict()) == canonical_json(STATEMENTS[name].predicate)


def test_every_kind_has_a_golden_file():
    """A kind that nobody froze could change unnoticed."""
    assert {STATEMENTS[name].predicate_type for name in STATEMENTS} == set(KIND_OF)
    assert {kind_of(statement) for statement in STATEMENTS.values()} >= {"approval", "refusal", "verdict", "recall-lift"}


@pytest.mark.parametrize("name", STATEMENTS)
def test_unknown_fields_are_kept_and_ignored(name):
    """A field of a later version stands in the statement, and is no concern of the reader."""
    made = STATEMENTS[name]
    later = replace(made, predicate={**made.predicate, "fieldOfTomorrow": 1})
    assert read_predicate(later) == read_predicate(made)
    assert Statement.from_json(later.to_json()).predicate["fieldOfTomorrow"] == 1


@pytest.mark.parametrize("name", STATEMENTS)
def test_whatever_is_missing_is_told_or_optional(name):
    """Each field left out, or turned into a number, in turn: a predicate, or an error of ours; never another exception."""
    made = STATEMENTS[name]
    for field in made.predicate:
        for broken in ({k: v for k, v in made.predicate.items() if k != field}, {**made.predicate, field: 7}):
            try:
                read_predicate(replace(made, predicate=broken))
            except AttestationError:
                continue


@pytest.mark.parametrize(
    ("name", "field", "value", "told"),
    [
        ("recall-v1", "declared", "2030-01-31", "timezone"),
        ("recall-v1", "declared", "yesterday", "timezone"),
        ("recall-lift-v1", "recalls", [], "names the recalls"),
        ("recall-lift-v1", "recalls", ["sha256:ab"], "names the recalls"),
        ("approval-v1", "decision", "perhaps", "approved or refused"),
        ("approval-v1", "expires", None, "needs an expiry"),
        ("derivation-v1", "activity", "magic", "synthesis"),
        ("derivation-v1", "materials", [], "at least one"),
        ("derivation-v1", "materials", [{"name": "x", "digest": {"md5": "1"}}], "sha256"),
        ("verdict-v0.1", "result", "PASSED", "contradicts itself"),
        ("verdict-v0.1", "configuration", [], "one policy"),
    ],
)
def test_a_claim_that_cannot_be_meant_is_refused(name, field, value, told):
    """One wrong value each, named."""
    made = STATEMENTS[name]
    with pytest.raises(AttestationError, match=told):
        read_predicate(replace(made, predicate={**made.predicate, field: value}))


def test_a_test_result_of_another_tool_is_no_verdict():
    """The shape is shared, so the extension tells ours apart."""
    other = {"result": "PASSED", "configuration": [], "passedTests": ["build"]}
    with pytest.raises(AttestationError, match="not a verdict"):
        read_predicate(replace(STATEMENTS["verdict-v0.1"], predicate=other))


@pytest.mark.parametrize(
    ("outcome", "decisions", "result", "lists"),
    [
        ("pass", [decision("a", "pass")], "PASSED", (["a"], [], [])),
        ("pass", [decision("a", "pass"), decision("b", "insufficient", severity="warn")], "WARNED", (["a"], ["b"], [])),
        ("pass", [decision("a", "fail", waived="by the second reviewer")], "WARNED", ([], ["a"], [])),
        ("insufficient", [decision("a", "insufficient"), decision("b", "pass")], "FAILED", (["b"], [], ["a"])),
        ("fail", [decision("a", "fail", of="sex:F")], "FAILED", ([], [], ["a [sex:F]"])),
    ],
)
def test_a_verdict_in_in_totos_words(outcome, decisions, result, lists):
    """Whoever reads only `result` takes nothing for a pass that is none; the outcome itself is not lost."""
    made = verdict_statement(verdict(outcome, *decisions))
    assert made.predicate["result"] == result
    assert [made.predicate[f"{word}Tests"] for word in ("passed", "warned", "failed")] == list(lists)
    assert made.predicate["configuration"] == [{"name": "p v1", "digest": {"sha256": "a" * 64}}]
    assert read_as(made, VerdictPredicate).outcome == outcome
    assert verdict_of(made) == verdict(outcome, *decisions)


def test_a_verdict_whose_parts_differ_is_refused():
    """The lists say one thing and the verdict another: none of them is believed."""
    made = STATEMENTS["verdict-v0.1"]
    with pytest.raises(AttestationError, match="does not say what its verdict says"):
        verdict_of(replace(made, predicate={**made.predicate, "failedTests": []}))
    with pytest.raises(AttestationError, match="not what is expected"):
        verdict_of(STATEMENTS["recall-v1"])


def test_the_evidence_statement_is_about_document_model_and_tables():
    """Any of these digests finds it; a table without a digest is left out."""
    made = STATEMENTS["evidence-v1"]
    assert made.digests == (dossier().digest, B, KEYED, A)
    assert made.digest_of("model") == B
    assert made.digest_of("lost") is None
    assert json.loads(made.to_json())["predicate"]["producer"] == "evaluator"
