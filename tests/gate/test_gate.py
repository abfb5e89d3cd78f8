"""`gate`: what is decided, recorded and counted, at one captured time."""

import hashlib
import json
from datetime import timedelta

import pytest
from gate.conftest import AUROC, NOW, POLICY, TABLES
from lineage.a_registry import HOLDOUT, KEYS, SOURCE, a_model, asking, trust
from lineage.test_facts import recalled

import synthml_tracking as tracking
from synthml.errors import EvidenceError, TrackingError
from synthml.policy import verdict_of
from synthml_tracking import registry
from synthml_tracking.ledger import Ledger
from synthml_tracking.notices import is_ours


def judged(model, policy=POLICY, signer="gate", *, now=NOW, given=None, uri=None, record=True):
    key = None if signer is None else KEYS[signer]
    who = trust() if given is None else given
    return tracking.judge(uri or model.uri, policy, trust=who, signer=key, record=record, now=now)


def found_of(verdict):
    return {one.id: one.found for one in verdict.decisions}


def versions(model):
    return model.client.get_model_version("risk", "1")


def test_a_pass_is_signed_attached_told_and_counted(model):
    """The statement says what the verdict says; tag, artifact, description and ledger show it."""
    done = judged(model)
    assert done.verdict.outcome == "pass"
    (attached,) = [one for one in judged(model, record=False).gathered.attached if one.kind == "verdict"]
    assert attached
    assert verdict_of(attached.claim.statement) == done.verdict
    shown = versions(model)
    assert shown.tags["synthml.verdict"] == "pass under p v1"
    assert shown.description.startswith("**PASS**")
    assert json.loads((model.artifacts / "synthml/verdict.json").read_text()) == json.loads(json.dumps(done.verdict.to_dict()))
    assert Ledger(model.client).judged(HOLDOUT, besides=SOURCE, most=9) == 1
    assert not list(model.place.parent.glob("synthml-spool/*"))


def test_without_a_key_it_is_shown_and_counted_and_nobody_has_to_believe_it(model):
    """No statement is attached."""
    done = judged(model, signer=None)
    assert (done.attached, done.recorded) == (None, True)
    assert versions(model).tags["synthml.verdict"] == "pass under p v1"
    assert Ledger(model.client).judged(HOLDOUT, besides=SOURCE, most=9) == 1
    assert not any(one.kind == "verdict" for one in judged(model, record=False).gathered.attached)


def test_deciding_only_writes_nothing(model):
    """Neither files nor tags nor the ledger change."""
    before = (versions(model).to_proto().SerializeToString(), sorted(p.name for p in model.artifacts.rglob("*")))
    assert not judged(model, record=False).recorded
    assert (versions(model).to_proto().SerializeToString(), sorted(p.name for p in model.artifacts.rglob("*"))) == before
    assert model.client.get_experiment_by_name("synthml-ledger") is None


def test_the_same_inputs_give_the_same_verdict_byte_for_byte(model):
    """Also after it was attached, and whatever the model is called by; the signed bytes are equal too, so it is there once."""
    first = judged(model)
    second = judged(model, uri=f"models:/{model.model_id}")
    assert first.verdict.digest == second.verdict.digest
    assert first.attached.raw == second.attached.raw
    assert len(list((model.artifacts / "synthml/attestations").glob("*"))) == 4
    assert judged(model, now=NOW + timedelta(seconds=1)).verdict.digest != first.verdict.digest


def test_a_description_that_somebody_wrote_stays(model):
    """Ours is replaced by the next verdict's, theirs is not."""
    judged(model)
    assert versions(model).description.startswith("**PASS**")
    strict = asking(criteria=[{**AUROC, "at_least": 0.95}])
    judged(model, strict)
    assert versions(model).description.startswith("**FAIL**")
    model.client.update_model_version("risk", "1", "Talk to the ward before use.")
    judged(model)
    assert versions(model).description == "Talk to the ward before use."


def test_verdicts_wear_a_holdout_out(store):
    """Each model that is gated on it counts once; the one that is one too many fails."""
    policy = asking(lineage={"no_contamination": False, "holdout_verdicts_at_most": 2})
    models = [
        a_model(store, TABLES, name=f"m{i}", noted={"synthetic": TABLES["synthetic"], "n": f"sha256:{i:064x}"}) for i in range(3)
    ]
    outcomes = [judged(one, policy, uri=one.uri).verdict.outcome for one in (*models, models[0])]
    assert outcomes == ["pass", "pass", "fail", "fail"]


@pytest.mark.parametrize(
    ("change", "outcome", "criterion", "told"),
    [
        (lambda m: (m.place / "model.bin").write_bytes(b"wEights"), "insufficient", "evidence.utility", "not measured"),
        (lambda m: recalled(m, SOURCE), "fail", "lineage.no_recall", "consent withdrawn"),
        (lambda m: (m.place / "more.bin").write_bytes(b""), "insufficient", "signature.evaluator", "no verified signature"),
    ],
)
def test_what_changed_since_stops_it(model, change, outcome, criterion, told):
    """A byte of the model, a recall after a pass, a file more; the verdict that was attached before is no help."""
    assert judged(model).verdict
    change(model)
    verdict = judged(model).verdict
    assert verdict.outcome == outcome
    assert told in found_of(verdict)[criterion]


def _attestation(model, kind):
    gathered = judged(model, record=False).gathered
    key = next(one.key for one in gathered.attached if one.kind == kind)
    return model.artifacts / f"synthml/attestations/{key}.dsse.json"


def test_a_changed_byte_in_an_envelope_is_no_signature(model):
    """Of whichever statement; the name is its digest."""
    for kind, criterion in (("evidence", "signature.evaluator"), ("release", "lineage.release")):
        paths = list((model.artifacts / "synthml/attestations").iterdir()) if kind == "evidence" else [_attestation(model, kind)]
        kept = {path: path.read_bytes() for path in paths}
        for path, raw in kept.items():
            path.write_bytes(raw.replace(b'"sig":"', b'"sig":"A'))
        verdict = judged(model, record=False).verdict
        assert verdict.outcome == "insufficient"
        assert criterion in {one.id for one in verdict.open}
        for path, raw in kept.items():
            path.write_bytes(raw)


def test_a_changed_or_missing_document_stops_the_gate(model):
    """Somebody may have taken away what spoke against the model."""
    path = next((model.artifacts / "synthml/evidence").iterdir())
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"made up", b"made Up"))
    with pytest.raises(EvidenceError, match="changed after it was attached"):
        judged(model)
    path.unlink()
    with pytest.raises(EvidenceError, match="is not there"):
        judged(model)


def test_a_policy_that_was_changed_is_another_policy(model):
    """A review of the old one is none of the new one; the verdict names the digest that it was taken under."""
    asked = asking(require={"approvals": 1}, criteria=[AUROC])
    tracking.approve(model.uri, asked, "looked", "2030-06-01", signer=KEYS["reviewer"], trust=trust(), now=NOW)
    assert judged(model, asked).verdict
    changed = asking(require={"approvals": 1}, criteria=[{**AUROC, "at_least": 0.74}])
    verdict = judged(model, changed).verdict
    assert verdict.outcome == "insufficient"
    assert verdict.policy_digest == changed.digest != asked.digest


def test_a_model_that_was_deleted_and_made_again_has_nothing_of_the_old_one(store, model):
    """Same name, same number; tags of the old one, copied by hand, are no help."""
    assert judged(model).verdict
    tags = dict(versions(model).tags)
    model.client.delete_registered_model("risk")
    again = a_model(store, TABLES, noted={"synthetic": TABLES["synthetic"], "other": "x"})
    for key, value in tags.items():
        if not key.startswith(("synthml.ev.", "synthml.at.")):
            again._tag(key, value)
    assert judged(again).verdict.outcome == "insufficient"
    again._tag(*next((k, v) for k, v in tags.items() if k.startswith("synthml.ev.")))
    with pytest.raises(EvidenceError, match="is not there"):
        judged(again)


def test_evidence_of_another_version_counts_for_nothing(store, model):
    """Documents, statements and tags of one that passes, copied byte for byte."""
    other = a_model(store, TABLES, name="other", noted={"synthetic": TABLES["synthetic"], "other": "x"})
    for path in model.artifacts.rglob("*.json"):
        other._put(str(path.relative_to(model.artifacts)), path.read_bytes())
    for key, value in versions(model).tags.items():
        other._tag(key, value)
    verdict = judged(other, uri=other.uri).verdict
    assert verdict.outcome == "insufficient"
    assert found_of(verdict)["evidence.utility"] == "not measured"


def test_a_copy_of_a_version_is_the_same_model_and_is_judged_as_it(model):
    """`copy_model_version` copies the tags; the verdict rests on the files, and a recall reaches the copy too."""
    model.client.create_registered_model("production")
    model.client.copy_model_version(model.uri, "production")
    assert judged(model, uri="models:/production/1").verdict
    recalled(model, SOURCE)
    assert judged(model, uri="models:/production/1").verdict.outcome == "fail"
    assert model.client.get_model_version("risk", "1").tags["synthml.verdict"] == "fail under p v1"


@pytest.mark.parametrize("one_run", [False, True])
def test_a_copy_is_what_it_serves_and_not_what_stands_under_the_name_of_its_original(store, model, one_run):
    """A bad model is copied, its original deleted, and a good one put under that name: the copy still serves the bad one."""
    bad = a_model(store, TABLES, name="trial", noted={"synthetic": SOURCE})
    bad.client.create_registered_model("served")
    bad.client.copy_model_version("models:/trial/1", "served")
    place = bad.client.get_model_version_download_uri("served", "1")
    bad.client.delete_registered_model("trial")
    bad.client.create_registered_model("trial")
    run = bad.run_id if one_run else model.run_id
    bad.client.create_model_version("trial", source=f"models:/{model.model_id}", run_id=run, await_creation_for=0)
    assert bad.client.get_model_version_download_uri("served", "1") == place
    assert judged(model, uri="models:/trial/1").verdict
    done = judged(model, uri="models:/served/1", record=False)
    assert not done.verdict
    assert done.gathered.found.digest == bad.digest != model.digest
    assert not tracking.promote("models:/served/1", "champion", POLICY, trust=trust())


def test_a_copy_whose_original_was_deleted_is_still_that_model(store, model):
    """Found by the place of its files among the models that its run logged."""
    from mlflow.entities import LoggedModelOutput

    model.client.log_outputs(model.run_id, [LoggedModelOutput(model.model_id, 0)])
    model.client.create_registered_model("served")
    model.client.copy_model_version(model.uri, "served")
    model.client.delete_registered_model("risk")
    done = judged(model, uri="models:/served/1", record=False)
    assert (done.gathered.found.model_id, done.gathered.found.digest) == (model.model_id, model.digest)
    assert done.verdict.outcome == "pass"


@pytest.mark.parametrize(("ahead", "outcome"), [(timedelta(minutes=4), "pass"), (timedelta(minutes=6), "insufficient")])
def test_clocks_may_differ_by_five_minutes(store, ahead, outcome):
    """Evidence from a clock that runs a little ahead counts; from the future it does not."""
    model = a_model(store, TABLES)
    created = (NOW + ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
    model.add(model.evidence("evaluator", created=created), "evaluator")
    assert judged(model, asking(require={"freshness_days": 30}), record=False).verdict.outcome == outcome


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"evaluator": "expires: 2030-01-30"}, "expired"),
        ({"evaluator": "revoked: {at: 2030-01-30, reason: stolen}"}, "revoked: stolen"),
    ],
)
def test_a_key_that_counts_no_more(model, given, why):
    """What passed yesterday does not today, and says why."""
    verdict = judged(model, given=trust(**given), record=False).verdict
    assert verdict.outcome == "insufficient"
    assert why in found_of(verdict)["signature.evaluator"]


def test_a_verdict_is_never_believed_in_place_of_deciding(model):
    """A signed pass, attached again after a recall, changes nothing."""
    passed = judged(model)
    recalled(model, SOURCE)
    tracking.attach(model.uri, passed.attached.raw)
    assert judged(model, record=False).verdict.outcome == "fail"


def test_tags_that_claim_a_pass_are_read_by_nobody(store):
    """Edited by hand: verdict, approval, digest."""
    model = a_model(store, TABLES)
    for key, value in {"synthml.verdict": "pass under p v1", "synthml.approved": "yes", "synthml.release": "pass"}.items():
        model._tag(key, value)
    assert judged(model).verdict.outcome == "insufficient"
    assert versions(model).tags["synthml.verdict"] == "insufficient under p v1"


def test_a_path_that_leads_out_of_its_folder_is_refused(model, monkeypatch):
    """An artifact store that lies."""
    from mlflow.entities import FileInfo

    real = registry._repository

    def lying(uri):
        repository = real(uri)
        listed = repository.list_artifacts
        repository.list_artifacts = lambda place=None: [*listed(place), FileInfo("../../evil.json", False, 3)]
        return repository

    monkeypatch.setattr(registry, "_repository", lying)
    with pytest.raises(EvidenceError, match="leads out of its folder"):
        judged(model)


def test_a_store_that_dies_while_recording_leaves_a_spool_and_gating_again_repairs(model, monkeypatch):
    """At each call: the verdict is taken again, equal, and everything is there once."""
    import mlflow

    writes = ("log_batch", "set_model_version_tag", "update_model_version", "create_experiment", "create_run", "set_terminated")
    for name in writes:
        with monkeypatch.context() as patch:
            patch.setattr(mlflow.MlflowClient, name, lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone")))
            with pytest.raises(TrackingError, match="synthml resume"):
                judged(model, now=NOW + timedelta(days=writes.index(name)))
    last = NOW + timedelta(days=len(writes))
    assert judged(model, now=last).verdict
    assert Ledger(model.client).judged(HOLDOUT, besides=SOURCE, most=9) == 1
    told = [one for one in judged(model, record=False, now=last).gathered.attached if one.kind == "verdict"]
    assert any(one for one in told)
    assert judged(model, record=False, now=last).verdict


def test_requests_do_not_grow_with_the_ledger(model, monkeypatch):
    """Reading and recording take as many calls beside 40 other models as alone."""
    import mlflow
    from lineage.test_ledger import judgement

    calls = []
    for name in [n for n in dir(mlflow.MlflowClient) if not n.startswith("_") and callable(getattr(mlflow.MlflowClient, n))]:
        real = getattr(mlflow.MlflowClient, name)
        monkeypatch.setattr(
            mlflow.MlflowClient, name, lambda self, *a, _r=real, _n=name, **k: (calls.append(_n), _r(self, *a, **k))[1]
        )
    judged(model)
    calls.clear()
    judged(model, now=NOW + timedelta(seconds=1))
    few = len(calls)
    for i in range(40):
        Ledger(model.client).append(judgement((i + 1) << 180), holdouts=[HOLDOUT])
    calls.clear()
    judged(model, now=NOW + timedelta(seconds=2))
    assert len(calls) == few
    assert few <= 26, calls


@pytest.mark.parametrize("version", ["0", "2", None])
def test_evidence_of_a_schema_that_is_not_read_stops_the_gate(model, version):
    """Older or newer, whatever it says for the model: it is there, and nobody knows what it says against it."""
    data = {**model.evidence("engineer", 0.9).to_dict(), "schema_version": version}
    raw = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    model._put(f"synthml/evidence/{hashlib.sha256(raw).hexdigest()[:32]}.json", raw)
    with pytest.raises(EvidenceError, match="schema_version"):
        judged(model)
    assert not tracking.verify(model.uri, trust=trust(), now=NOW)


def test_an_artifact_that_is_no_document_of_ours_is_not_read(model):
    """Names that are no digest, a folder, somebody's notes."""
    place = model.artifacts / "synthml/evidence"
    (place / "notes.json").write_text("{")
    (place / ("a" * 31 + ".json")).write_text("{")
    (place / "folder").mkdir()
    assert judged(model, record=False).verdict


def test_what_a_card_of_ours_is():
    """The mark that decides whether a description is replaced stands in every card."""
    from synthml.evidence import Dossier
    from synthml.report.card import reviewer_card

    assert is_ours(reviewer_card(Dossier(figures={})))
    assert is_ours("  ")
    assert not is_ours("Talk to the ward before use.")


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"schema_version": "1", "figures": {}, "notes": ["\\ud800"]}', b"\xff", b"1" * 9_000]
)
def test_a_document_that_is_a_trap_is_told_as_bad_evidence(model, raw):
    """Depth, half a character, no text, a number without end; not an internal error, for `verify` neither."""
    key = hashlib.sha256(raw).hexdigest()[:32]
    model._put(f"synthml/evidence/{key}.json", raw)
    with pytest.raises(EvidenceError):
        judged(model)
    assert not tracking.verify(model.uri, trust=trust(), now=NOW)
