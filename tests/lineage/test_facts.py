"""What a gate is told: each fact by hand, each kind of bad faith, and how few requests it takes."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from lineage.a_registry import (
    HOLDOUT,
    KEYS,
    OLDER,
    OTHER,
    SOURCE,
    SYNTHETIC,
    WHEN,
    a_model,
    asking,
    release,
    short,
    trust,
)
from lineage.test_ledger import Counting, judgement

import synthml_tracking as tracking
from synthml.attestation import (
    DerivationPredicate,
    Material,
    RecallPredicate,
    ReviewPredicate,
    Signatory,
    Trust,
    WaiverPredicate,
    derivation_statement,
    evidence_statement,
    key_id,
    recall_statement,
    review_statement,
    sign,
    waiver_statement,
)
from synthml.errors import EvidenceError
from synthml.policy import decide
from synthml_tracking import facts
from synthml_tracking.ledger import Ledger

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
ALL = {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT}
SIGNED = asking(require={"signatures": ["evaluator"], "kinds": ["utility"]})


@pytest.fixture
def model(store):
    return a_model(store, ALL)


def gather(model, policy=SIGNED, given=None, uri=None):
    return tracking.gather_facts(uri or model.uri, policy, trust=trust() if given is None else given, now=NOW)


def value(gathered):
    return gathered.dossier.figures["utility.auroc.tstr/all"].value


# ---- evidence and signatures ----------------------------------------------------------------------------------------------


def test_signed_evidence_counts_and_unsigned_is_left_out(model):
    """The nicer figures of an unsigned document, though it is later, do not count where a signature is asked for."""
    model.add(model.evidence("evaluator", 0.7), "evaluator")
    model.add(model.evidence("evaluator", 0.99, created="2030-01-30T00:00:00Z"))
    gathered = gather(model)
    assert value(gathered) == 0.7
    assert gathered.facts.signatures == {"evaluator"}
    assert gathered.facts.told["signature.evaluator"] == "signed by Evaluator"
    assert [d.why for d in gathered.documents if not d.counts] == ["it is not signed"]
    assert value(gather(model, asking())) == 0.99  # a policy that asks for none reads all


def test_nobody_replaces_what_a_required_role_measured(model):
    """The engineer's signed and later figure stands aside; among evaluators the later counts."""
    model.add(model.evidence("evaluator", 0.7), "evaluator")
    model.add(model.evidence("engineer", 0.99, created="2030-01-30T00:00:00Z"), "engineer")
    assert value(gather(model)) == 0.7
    model.add(model.evidence("evaluator", 0.6, created="2030-01-02T00:00:00Z"), "evaluator")
    assert value(gather(model)) == 0.6
    assert gather(model).facts.authors == {"Engineer"}


@pytest.mark.parametrize(
    ("producer", "signer", "given", "why"),
    [
        ("evaluator", "engineer", {}, "may sign as engineer"),
        ("evaluator", "stranger", {}, "not in the trust file"),
        ("evaluator", "evaluator", {"evaluator": "expires: 2030-01-30"}, "expired"),
        ("evaluator", "evaluator", {"evaluator": "revoked: {at: 2030-01-30, reason: stolen}"}, "revoked: stolen"),
    ],
)
def test_a_signature_that_does_not_count_is_told(model, producer, signer, given, why):
    """Wrong role, stranger, expired, revoked: insufficient, with the reason in the verdict."""
    model.add(model.evidence(producer), signer)
    gathered = gather(model, given=trust(**given))
    assert gathered.facts.signatures == frozenset()
    verdict = decide(gathered.dossier, SIGNED, now=NOW, facts=gathered.facts)
    assert verdict.outcome == "insufficient"
    assert why in {d.id: d.found for d in verdict.open}["signature.evaluator"]


def test_a_signature_covers_what_its_role_answers_for(model):
    """The evaluator signed something, but not the subgroups that the policy requires."""
    model.add(model.evidence("evaluator"), "evaluator")
    asked = asking(require={"signatures": ["evaluator"], "kinds": ["utility", "subgroups"]})
    gathered = gather(model, asked)
    assert gathered.facts.signatures == frozenset()
    assert "not for subgroups" in gathered.facts.told["signature.evaluator"]


def test_evidence_copied_from_another_version_counts_for_nothing(store, model):
    """Document, statement and tags of a good model, copied to another whose files differ."""
    other = a_model(store, ALL, name="other")
    (other.place / "model.bin").write_bytes(b"other weights")
    model.add(model.evidence("evaluator"), "evaluator")
    shutil.copytree(model.artifacts, other.artifacts, dirs_exist_ok=True)
    gathered = gather(other)
    assert gathered.documents == ()
    assert gathered.facts.signatures == frozenset()
    assert any(one for one in gathered.attached)  # the signature itself holds; it is about another model


def test_a_statement_about_another_document_signs_nothing(model):
    """The evaluator's signature over one document does not lend itself to another."""
    good = model.evidence("evaluator", 0.7)
    model.add(model.evidence("evaluator", 0.99))
    model.state(evidence_statement(good, digest_form="form-1"), "evaluator")
    assert gather(model).facts.signatures == frozenset()


def test_a_changed_model_has_no_evidence(model):
    """One byte of one file."""
    model.add(model.evidence("evaluator"), "evaluator")
    before = model.digest
    (model.place / "model.bin").write_bytes(b"weight5")
    gathered = gather(model)
    assert gathered.found.digest != before
    assert gathered.documents == ()


def test_evidence_that_was_changed_or_taken_away_stops_the_gate(model):
    """A changed byte, and a document that only its tag remembers."""
    key = short(model.add(model.evidence("evaluator")).digest)
    path = model.artifacts / "synthml" / "evidence" / f"{key}.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.8", b"0.9"))
    with pytest.raises(EvidenceError, match="was changed"):
        gather(model)
    path.unlink()
    with pytest.raises(EvidenceError, match="is not there"):
        gather(model)


def test_statements_that_were_changed_or_taken_away_do_not_hold(model):
    """Each is told with its reason, and counts for nothing."""
    model.add(model.evidence("evaluator"), "evaluator")
    (path,) = (model.artifacts / "synthml" / "attestations").iterdir()
    whole = path.read_bytes()
    for content, why in [(whole.replace(b"payload", b"paylaod"), "was changed"), (None, "is not there")]:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        (one,) = gather(model).attached
        assert not one
        assert why in one.told
        path.write_bytes(whole)
    assert all(gather(model).attached)


def test_files_of_other_names_are_none_of_ours(model):
    """Notes and pictures beside the statements are not read."""
    place = model.artifacts / "synthml" / "attestations"
    place.mkdir(parents=True)
    for name in ("note.txt", "x.dsse.json", "A" * 32 + ".dsse.json"):
        (place / name).write_text("hello")
    assert gather(model).attached == ()


# ---- tables: recalls, contamination, release ------------------------------------------------------------------------------

RECALLED = asking(lineage={"no_contamination": False, "no_recall": True})
CLEAN = asking()
CONTAMINATED = asking(lineage={"no_contamination": True})


def derive(model, derived, material, activity="synthesis"):
    statement = derivation_statement([("table", derived)], DerivationPredicate((Material(material),), activity, WHEN))
    Ledger(model.client).append(statement.to_json())


def recalled(model, digest, signer="custodian"):
    statement = recall_statement([digest], RecallPredicate("consent withdrawn", WHEN))
    Ledger(model.client).append(sign(statement, KEYS[signer]))


@pytest.mark.parametrize("digest", [SOURCE, SYNTHETIC, HOLDOUT])
def test_a_recall_of_any_table_of_the_model_fails_it(model, digest):
    """What it was trained on, what that was made of, and what it was measured on."""
    assert gather(model, RECALLED).facts.recalls == ()
    recalled(model, digest)
    gathered = gather(model, RECALLED)
    assert gathered.facts.recalls == (short(digest),)
    verdict = decide(gathered.dossier, RECALLED, now=NOW, facts=gathered.facts)
    assert verdict.outcome == "fail"
    assert "Custodian (custodian)): consent withdrawn" in verdict.failed[0].found


def test_a_recall_is_found_through_any_chain(store):
    """synthetic < augmented < older source, known to the ledger only, recalled at its far end."""
    model = a_model(store, {"synthetic": SYNTHETIC})
    derive(model, SYNTHETIC, OTHER, "augmentation")
    derive(model, OTHER, OLDER, "sampling")
    recalled(model, OLDER)
    gathered = gather(model, RECALLED)
    (found,) = gathered.recalls
    assert found[1] == (short(SYNTHETIC), short(OTHER), short(OLDER))
    assert "behind the synthetic table" in gathered.facts.told["lineage.no_recall"]


def test_a_recall_is_found_through_a_release(store):
    """The engineer never saw the source; the custodian's release names it."""
    model = a_model(store, {"synthetic": SYNTHETIC})
    model.state(release(), "custodian")
    recalled(model, SOURCE)
    assert gather(model, RECALLED).facts.recalls == (short(SOURCE),)


def test_tags_edited_by_hand_hide_no_table_of_the_models_files(store):
    """The files name what the model learned from, and the digest covers them; tags can only add."""
    model = a_model(store, {"synthetic": SYNTHETIC}, noted={"synthetic": SYNTHETIC, "source": SOURCE})
    model.client.delete_tag(model.run_id, f"synthml.ds.{short(SYNTHETIC)}")
    model.client.delete_model_version_tag("risk", "1", f"synthml.ds.{short(SYNTHETIC)}")
    recalled(model, SOURCE)
    assert gather(model, RECALLED).facts.recalls == (short(SOURCE),)
    assert set(gather(model, RECALLED).tables) == {short(SYNTHETIC), short(SOURCE)}


@pytest.mark.parametrize(
    ("tables", "edges", "expected"),
    [
        (ALL, [], False),
        ({**ALL, "holdout": SOURCE}, [], True),
        (ALL, [(SYNTHETIC, HOLDOUT)], True),
        (ALL, [(SOURCE, OTHER), (OTHER, HOLDOUT)], True),
        (ALL, [(HOLDOUT, SOURCE, "sampling")], True),
        (ALL, [(HOLDOUT, OTHER, "split"), (SOURCE, OTHER, "split")], False),
        ({"synthetic": SYNTHETIC, "holdout": HOLDOUT}, [], None),  # nobody says where the table comes from
        ({"synthetic": SYNTHETIC, "holdout": HOLDOUT}, [(SYNTHETIC, SOURCE)], False),
        ({"synthetic": SYNTHETIC, "source": SOURCE}, [], None),  # no holdout
    ],
)
def test_a_holdout_among_the_inputs_of_an_ancestor(store, tables, edges, expected):
    """Directly, through a chain, the other way round, and not for two halves of one table."""
    named = {role: digest for role, digest in tables.items() if role != "holdout" or digest != SOURCE}
    model = a_model(store, named)
    if tables.get("holdout") == SOURCE:
        model._tag(f"synthml.ds.{short(SOURCE)}", "holdout,source")
    for edge in edges:
        derive(model, *edge)
    assert gather(model, CONTAMINATED).facts.contaminated is expected


def test_a_holdout_of_any_evidence_counts_as_one(model):
    """An earlier evaluation on the source is not hidden by a later one on a clean holdout."""
    model.add(model.evidence("evaluator", tables={**ALL, "holdout": SYNTHETIC}), "evaluator")
    model.add(model.evidence("evaluator", created="2030-01-30T00:00:00Z"), "evaluator")
    gathered = gather(model, CONTAMINATED)
    assert gathered.facts.contaminated is True
    assert "was seen" in decide(gathered.dossier, CONTAMINATED, now=NOW, facts=gathered.facts).failed[0].found


RELEASED = asking(lineage={"no_contamination": False, "release": "required"})


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        ([], None, "no release attestation"),
        ([(release(), "custodian")], True, "pass, signed by Custodian"),
        ([(release(outcome="fail"), "custodian")], False, "not released: fail"),
        ([(release(), "engineer")], None, "may sign as engineer"),
        ([(release(OTHER), "custodian")], None, "about another table"),
        ([(release(), "custodian"), (release(outcome="fail", decided="2030-01-02T00:00:00Z"), "custodian")], False, "fail"),
        ([(release(outcome="fail"), "custodian"), (release(decided="2030-01-02T00:00:00Z"), "custodian")], True, "pass"),
        ([(release(generation={"expiry": "2030-01-30"}), "custodian")], False, "expired on 2030-01-30"),
        ([(release(generation={"expiry": "2030-01-31"}), "custodian")], True, "pass"),
        ([(release(generation={"expiry": "with the agreement"}), "custodian")], True, "pass"),
    ],
)
def test_the_release_of_the_table(model, given, expected, told):
    """Signed by a custodian, about this table, passed, not expired; of several the last."""
    for statement, signer in given:
        model.state(statement, signer)
    gathered = gather(model, RELEASED)
    assert gathered.facts.release is expected
    assert told in gathered.facts.told["lineage.release"]


def test_how_many_models_were_judged_on_the_holdout(model):
    """This one included; nothing is counted where the policy does not ask."""
    ledger = Ledger(model.client)
    for number in range(4):
        ledger.append(judgement((number + 1) << 200), holdouts=[HOLDOUT])
    limited = asking(lineage={"no_contamination": False, "holdout_verdicts_at_most": 50})
    assert gather(model, limited).facts.holdout_verdicts == 5
    tight = asking(lineage={"no_contamination": False, "holdout_verdicts_at_most": 2})
    gathered = gather(model, tight)
    assert decide(gathered.dossier, tight, now=NOW, facts=gathered.facts).outcome == "fail"
    assert gather(model, CLEAN).facts.holdout_verdicts is None


# ---- reviews --------------------------------------------------------------------------------------------------------------

REVIEWED = asking(require={"approvals": 1})


def review(gathered, decision="approved", signer="reviewer", *, named=None, model=None):
    expires = "2030-06-01T00:00:00Z" if decision == "approved" else None
    predicate = ReviewPredicate(decision, "looked at", WHEN, Signatory(key_id(KEYS[named or signer])), expires)
    digest = model or gathered.found.digest
    return review_statement(predicate, model=digest, evidence=gathered.dossier.digest, policy=REVIEWED.digest)


def outcome(model, policy=REVIEWED):
    gathered = gather(model, policy)
    return decide(gathered.dossier, policy, now=NOW, facts=gathered.facts).outcome


def test_an_approval_of_what_the_reviewer_saw(model):
    """It passes, until further evidence comes that the reviewer has not seen."""
    model.add(model.evidence("engineer"), "engineer")
    assert outcome(model) == "insufficient"
    model.state(review(gather(model, REVIEWED)), "reviewer")
    assert outcome(model) == "pass"
    model.add(model.evidence("evaluator", 0.5, created="2029-01-01T00:00:00Z"), "evaluator")  # older, so no figure changes
    assert outcome(model) == "insufficient"


@pytest.mark.parametrize(("signer", "named"), [("engineer", None), ("stranger", None), ("reviewer", "stranger")])
def test_an_approval_by_the_wrong_hand(model, signer, named):
    """The author's own, a stranger's, and one in somebody else's name."""
    model.add(model.evidence("engineer"), "engineer")
    model.state(review(gather(model, REVIEWED), signer=signer, named=named), signer)
    assert outcome(model) == "insufficient"


def test_a_refusal_stops_the_gate_and_is_not_lost(model):
    """Read or not: who damages it gains nothing."""
    model.add(model.evidence("engineer"), "engineer")
    attachment = model.state(review(gather(model, REVIEWED), "refused"), "reviewer")
    assert outcome(model) == "fail"
    (model.artifacts / attachment.path).unlink()
    with pytest.raises(EvidenceError, match="refusal"):
        outcome(model)


def test_a_waiver_is_for_one_criterion_of_one_policy(model):
    """Given by a reviewer to this model under this policy; for another model it is nothing."""
    criterion = {"id": "auroc", "figure": "utility.auroc.tstr", "at_least": 0.9, "waivable": True, "source": "t", "set_by": "t"}
    policy = asking(criteria=[criterion])
    model.add(model.evidence("engineer"), "engineer")
    predicate = WaiverPredicate("auroc", "bridging", WHEN, "2030-06-01T00:00:00Z", Signatory(key_id(KEYS["reviewer"])))
    model.state(waiver_statement(predicate, model=OTHER, policy=policy.digest), "reviewer")
    assert outcome(model, policy) == "fail"
    model.state(waiver_statement(predicate, model=model.digest, policy=policy.digest), "reviewer")
    assert outcome(model, policy) == "pass"


# ---- the whole ------------------------------------------------------------------------------------------------------------


def test_the_same_store_and_clock_give_the_same_verdict(model):
    """Byte for byte, whoever asks and by whatever name; the clock alone makes a difference."""
    model.add(model.evidence("evaluator"), "evaluator")
    a, b = (
        decide(g.dossier, SIGNED, now=g.now, facts=g.facts)
        for g in (gather(model), gather(model, uri=f"models:/{model.model_id}"))
    )
    assert a.digest == b.digest
    later = tracking.gather_facts(model.uri, SIGNED, trust=trust(), now=NOW + timedelta(days=1))
    assert decide(later.dossier, SIGNED, now=later.now, facts=later.facts).digest != a.digest


def test_a_model_that_synthml_never_saw_is_not_decidable(store):
    """No run, no tags, no metadata: nothing fails, and nothing passes."""
    client = a_model(store, ALL).client
    logged = client.create_logged_model("0", name="bare")
    place = Path(logged.artifact_location.removeprefix("file://"))
    place.mkdir(parents=True)
    (place / "MLmodel").write_text("flavors: {}")
    gathered = tracking.gather_facts(f"models:/{logged.model_id}", RELEASED, trust=Trust(), now=NOW)
    assert decide(gathered.dossier, RELEASED, now=NOW, facts=gathered.facts).outcome == "insufficient"
    assert gathered.facts.contaminated is None


def test_the_number_of_requests_does_not_grow_with_the_registry(store, model):
    """The same calls with ten other models, and a ledger full of other tables."""
    model.add(model.evidence("evaluator"), "evaluator")

    def calls():
        counting = Counting(model.client)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(facts, "load_mlflow", lambda: SimpleNamespace(MlflowClient=lambda **_: counting))
            gather(model)
        return counting.calls

    before = calls()
    for i in range(10):
        a_model(store, {"synthetic": f"sha256:{i:064x}", "holdout": HOLDOUT}, name=f"other{i}")
        Ledger(model.client).append(recall_statement([f"sha256:{i:064x}"], RecallPredicate("x", WHEN)).to_json())
        Ledger(model.client).append(judgement((i + 1) << 200), holdouts=[HOLDOUT])
    after = calls()
    assert [name for name in after if name != "search_runs"] == [name for name in before if name != "search_runs"]
    assert after.count("search_runs") == len(ALL)


def test_evidence_and_its_signature_travel_through_a_recording(model):
    """`attach` adds to run and version, and a version that is copied later is told too."""
    model.client.copy_model_version(model.uri, "production")
    raw = sign(release(), KEYS["custodian"])
    attachment = tracking.attach(model.uri, raw)
    for name in ("risk", "production"):
        assert model.client.get_model_version(name, "1").tags[attachment.tag] == "release"
    assert gather(model, RELEASED, uri="models:/production/1").facts.release is True
    assert json.loads((model.artifacts / attachment.path).read_bytes()) == json.loads(raw)
