"""What the custodian measured of a table reaches the gate of every model that learned from it, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gate.conftest import NOW, TABLES
from lineage.a_registry import HOLDOUT, KEYS, OTHER, SOURCE, SYNTHETIC, a_model, asking, release, short, trust

import synthml_tracking as tracking
from synthml.attestation import evidence_statement, sign
from synthml.errors import EvidenceError
from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.policy import Policy
from synthml_tracking.cli import main
from synthml_tracking.entries import entry_item
from synthml_tracking.ledger import Ledger

RISK = {"id": "risk", "figure": "disclosure.singling_out.risk", "at_most": 0.09, "source": "us", "set_by": "us"}
APART = asking(
    require={
        "signatures": ["evaluator"],
        "kinds": ["utility", "disclosure"],
        "freshness_days": 365,
        "documents": ["generation.purpose"],
    },
    lineage={"no_recall": True, "no_contamination": True, "release": "required"},
    criteria=[RISK],
)
CONTROL = "sha256:" + "c" * 64


def of_table(risk=0.02, *, table=SYNTHETIC, producer="custodian", created="2030-01-01T00:00:00Z", **figures):
    """What a custodian measures: no model, and a holdout that is the control of the attacks."""
    return Dossier(
        figures={"disclosure.singling_out.risk/all": Estimate(risk, risk, risk, n=100, method="made up"), **figures},
        datasets={"source": {"digest": SOURCE}, "synthetic": {"digest": table}, "holdout": {"digest": CONTROL}},
        generation={"purpose": "research"},
        kinds=("disclosure", *({"utility"} if figures else ())),
        producer=producer,
        created=created,
    )


@pytest.fixture
def model(store):
    """The engineer has the synthetic table alone, the evaluator the holdout alone; disclosure is nobody's yet."""
    made = a_model(store, {"synthetic": SYNTHETIC, "holdout": HOLDOUT})
    made.add(made.evidence("engineer", 0.9), "engineer")
    made.add(made.evidence("evaluator", 0.8), "evaluator")
    return made


def released(model, dossier, signer="custodian", table=SYNTHETIC, **changes):
    """A release of the table that names the document, and the document."""
    model.state(release(table, evidence=dossier.digest, **changes), signer)
    return model.add(dossier)


def judged(model, policy=APART, *, now=NOW, given=None):
    return tracking.judge(model.uri, policy, trust=given or trust(), record=False, now=now)


def told(model, **how):
    return {one.id: (one.outcome, one.found) for one in judged(model, **how).verdict.decisions}


def test_three_roles_apart_pass_together(model):
    """The release signs the evidence that it names: disclosure, and the documents of the record, come from the custodian."""
    assert judged(model).verdict.outcome == "insufficient"
    dossier = released(model, of_table())
    done = judged(model)
    assert done.verdict.outcome == "pass"
    assert done.gathered.dossier.figures["disclosure.singling_out.risk/all"].value == 0.02
    assert done.gathered.dossier.datasets["holdout"]["digest"] == HOLDOUT
    assert [one.dossier.digest == dossier.digest for one in done.gathered.documents if one.of_table] == [True]


def test_the_strict_policy_can_be_met_by_roles_that_share_neither_machine_nor_table(model):
    """`clinical-default` as it is shipped: the evaluator proves performance, the custodian disclosure, nobody both."""

    def good(value):
        return Estimate(value, value, value, n=5000, method="made up")

    evaluated = replace(
        model.evidence("evaluator", created="2030-01-20T00:00:00Z"),
        figures={"utility.auroc.loss/all": good(0.01), "utility.auroc.loss/sex:F": good(0.02)},
        kinds=("utility", "subgroups"),
    )
    assert judged(model, Policy.load("clinical-default")).verdict.outcome == "insufficient"
    model.add(evaluated, "evaluator")
    figures = {
        "disclosure.linkability.risk/all": good(0.01),
        "disclosure.inference.risk/ill": good(0.01),
        "disclosure.membership.tpr_at_fpr_10/all": good(0.1),
    }
    attacked = of_table()
    record = {"purpose": "research", "source": {"limitations": {"bias": "one site"}}}
    released(model, replace(attacked, figures={**attacked.figures, **figures}, generation=record))
    verdict = judged(model, Policy.load("clinical-default")).verdict
    assert verdict.outcome == "pass", [(one.id, one.outcome, one.found) for one in verdict.decisions if not one.holds]


def test_the_custodian_may_sign_the_document_itself(model):
    """A later measurement needs no second release."""
    released(model, of_table(0.5))
    later = of_table(0.02, created="2030-01-02T00:00:00Z")
    model.add(later)
    model.state(evidence_statement(later, digest_form="form-1"), "custodian")
    assert told(model)["risk"][0] == "pass"


@pytest.mark.parametrize(
    ("dossier", "signer", "table", "named"),
    [
        (of_table(table=OTHER), "custodian", OTHER, None),
        (of_table(table=OTHER), "custodian", SYNTHETIC, None),
        (of_table(), "custodian", OTHER, None),
        (of_table(), "custodian", SYNTHETIC, of_table(0.01).digest),
        (of_table(), "engineer", SYNTHETIC, None),
        (of_table(), "stranger", SYNTHETIC, None),
        (of_table(producer="engineer"), "custodian", SYNTHETIC, None),
    ],
    ids=["another table", "another table than the release", "release of another table", "another document", "by the engineer",
         "by a stranger", "not measured as custodian"],
)  # fmt: skip
def test_what_does_not_count(model, dossier, signer, table, named):
    """Neither about another table, nor named by a release of another one, nor signed by another role."""
    model.state(release(table, evidence=named or dossier.digest), signer)
    model.add(dossier)
    found = told(model)
    assert (found["evidence.disclosure"][0], found["risk"][0]) == ("insufficient", "insufficient")


def test_the_engineer_may_not_sign_evidence_of_the_table_as_custodian(model):
    """The statement is about the document and the table, in a role that the key has not."""
    released(model, of_table(0.5))
    forged = of_table(0.01, created="2030-01-05T00:00:00Z")
    model.add(forged)
    model.state(evidence_statement(forged, digest_form="form-1"), "engineer")
    assert told(model)["risk"][0] == "fail"


def test_the_engineers_own_measurement_does_not_replace_the_custodians(model):
    """Later and more lenient; an evaluator's, which the policy asks for, does."""
    released(model, of_table(0.5))
    model.add(lenient(model, "engineer"), "engineer")
    assert told(model)["risk"][0] == "fail"
    model.add(lenient(model, "evaluator"), "evaluator")
    assert told(model)["risk"][0] == "pass"


def lenient(model, producer):
    """Later and more lenient than any custodian's."""
    own = model.evidence(producer, created="2030-01-20T00:00:00Z")
    risk = Estimate(0.0, 0.0, 0.0, n=100, method="made up")
    figures = {**own.figures, "disclosure.singling_out.risk/all": risk}
    return replace(own, figures=figures, kinds=("utility", "disclosure"), generation={"purpose": "research"})


@pytest.mark.parametrize("place", ["attached", "in the ledger"])
def test_the_engineers_own_measurement_does_not_step_into_the_place_of_the_custodians(model, place):
    """The document is withheld, with its tags; a release tells that there is one. An evaluator's measurement counts."""
    dossier = of_table(0.5)
    statement = release(evidence=dossier.digest)
    policy = APART if place == "attached" else asking(require=APART.require, criteria=[RISK])
    if place == "attached":
        model.state(statement, "custodian")
    else:
        Ledger(model.client).write(entry_item(sign(statement, KEYS["custodian"])))
    model.add(lenient(model, "engineer"), "engineer")
    found = told(model, policy=policy)
    assert found["risk"] == ("insufficient", "not measured")
    assert found["evidence.disclosure"][0] == "insufficient"
    assert f"the custodian's evidence {short(dossier.digest)[:12]} is known and not attached" in found["evidence.disclosure"][1]
    assert found["document.generation.purpose"][0] == "insufficient"
    assert found["evidence.utility"][0] == "pass"
    model.add(lenient(model, "evaluator"), "evaluator")
    assert told(model, policy=policy)["risk"][0] == "pass"
    model.add(dossier)
    if place == "attached":
        assert told(model, policy=policy)["risk"][0] == "pass"  # the policy asks for the evaluator, whose later figure counts


@pytest.mark.parametrize(("signer", "table"), [("engineer", SYNTHETIC), ("stranger", SYNTHETIC), ("custodian", OTHER)], ids=str)
def test_a_release_that_does_not_count_silences_nobody(model, signer, table):
    """Nobody but the custodian of this table can say that the engineer's measurement is not to be read."""
    model.state(release(table, evidence=of_table().digest), signer)
    model.add(lenient(model, "engineer"), "engineer")
    assert told(model)["risk"][0] == "pass"


def test_what_the_custodian_measured_together_with_the_model_stands_as_well(model):
    """Of the table; of the model the later measurement counts."""
    worse = lenient(model, "custodian")
    bad = Estimate(0.5, 0.5, 0.5, n=100, method="made up")
    figures = {**worse.figures, "disclosure.singling_out.risk/all": bad}
    model.add(replace(worse, figures=figures, created="2030-01-10T00:00:00Z"), "custodian")
    model.add(lenient(model, "engineer"), "engineer")
    assert told(model)["risk"][0] == "fail"


def test_figures_of_a_model_that_nobody_knows_are_left_out(model):
    """A document without a model says nothing of how this one performs."""
    good = Estimate(0.99, 0.99, 0.99, n=100, method="made up")
    released(model, of_table(created="2030-01-20T00:00:00Z", **{"utility.auroc.tstr/all": good}))
    dossier = judged(model).gathered.dossier
    assert dossier.figures["utility.auroc.tstr/all"].value == 0.8
    assert dossier.kinds == ("utility", "disclosure")


def test_taken_away_it_is_missed_and_changed_it_stops_the_gate(model):
    """The tag that is left behind says that it was there; without the tag disclosure is not measured."""
    dossier = released(model, of_table())
    key = short(dossier.digest)
    place = model.artifacts / f"synthml/evidence/{key}.json"
    raw = place.read_bytes()
    place.write_bytes(raw.replace(b"0.02", b"0.01"))
    with pytest.raises(EvidenceError, match="was changed"):
        judged(model)
    place.unlink()
    with pytest.raises(EvidenceError, match="is not there"):
        judged(model)
    model.client.delete_tag(model.run_id, f"synthml.ev.{key}")
    model.client.delete_model_version_tag(model.name, "1", f"synthml.ev.{key}")
    assert told(model)["evidence.disclosure"][0] == "insufficient"


def test_the_whole_is_as_old_as_the_oldest_kind_that_is_asked_for(model):
    """An evaluation of yesterday does not make the attacks of the year before last fresh; one from the future decides nothing."""
    released(model, of_table(created="2028-01-01T00:00:00Z"))
    assert told(model)["freshness"] == ("insufficient", "761 days old")
    later = of_table(created="2030-01-31T18:00:00Z")
    model.add(later)
    model.state(evidence_statement(later, digest_form="form-1"), "custodian")
    assert told(model)["freshness"][0] == "insufficient"
    assert told(model, now=NOW + timedelta(hours=7))["freshness"][0] == "pass"


def test_the_control_of_the_attacks_is_no_holdout_of_the_model_and_its_recall_counts(model):
    """It was not used to choose a model; evidence that rests on withdrawn rows is withdrawn."""
    released(model, of_table())
    done = judged(model)
    assert done.gathered.tables[short(CONTROL)] == {"control"}
    tracking.gate(model.uri, APART, trust=trust(), now=NOW)
    assert Ledger(model.client).judged(CONTROL, besides=SOURCE, most=9) == 0
    assert Ledger(model.client).judged(HOLDOUT, besides=SOURCE, most=9) == 1
    tracking.recall(CONTROL, "consent withdrawn", signer=KEYS["custodian"], trust=trust(), now=NOW)
    assert told(model)["lineage.no_recall"][0] == "fail"


def test_a_release_in_the_ledger_finds_the_versions_of_those_who_never_saw_the_source(model):
    """The engineer's tags name the synthetic table alone; the release says what it was made from."""
    Ledger(model.client).write(entry_item(sign(release(), KEYS["custodian"])))
    found = tracking.impact(SOURCE, trust=trust(), now=NOW)
    assert [one.uri for one in found.versions] == [model.uri]


def test_a_release_that_comes_after_the_training_is_attached_with_its_evidence(model, tmp_path, capsys):
    """By one command; the ledger tells of the source; a document that it does not name is refused, and nothing is attached."""
    dossier = of_table()
    raw = sign(release(evidence=dossier.digest), KEYS["custodian"])
    (tmp_path / "release.dsse.json").write_bytes(raw)
    (tmp_path / "other.json").write_bytes(of_table(0.3).to_json())

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main(["attach", model.uri, str(tmp_path / "release.dsse.json"), *words])
        return stopped.value.code

    assert run("--evidence", str(tmp_path / "other.json")) == 2
    assert "is not what the release names" in capsys.readouterr().err
    assert judged(model).verdict.outcome == "insufficient"
    assert run() == 0
    assert "without evidence" in capsys.readouterr().out
    assert told(model)["lineage.release"][0] == "pass"
    assert told(model)["evidence.disclosure"][0] == "insufficient"
    (tmp_path / "evidence.json").write_bytes(dossier.to_json())
    assert run() == 0
    assert "with its evidence" in capsys.readouterr().out
    assert judged(model).verdict.outcome == "pass"
    assert [one.uri for one in tracking.impact(SOURCE, trust=trust(), now=NOW).versions] == [model.uri]


def test_verify_tells_whose_evidence_it_is(model):
    """It holds, as evidence of the table alone; about another table it does not."""
    dossier = released(model, of_table())
    found = tracking.verify(model.uri, trust=trust(), now=NOW)
    (check,) = [one for one in found.checks if one.what == f"evidence {short(dossier.digest)[:12]}"]
    assert (check.holds, check.found) == (True, "of the table alone, measured as custodian: disclosure; signed")
    other = model.add(of_table(table=OTHER))
    found = tracking.verify(model.uri, trust=trust(), now=NOW)
    (check,) = [one for one in found.checks if one.what == f"evidence {short(other.digest)[:12]}"]
    assert check.holds is False


def test_draws_of_the_table_are_the_custodians_and_those_of_the_model_the_evaluators(model):
    """Each document brings the further draws that it measured; neither takes the place of the other's."""

    def drawn(name, figure, value):
        return Dossier(figures={figure: Estimate(value, n=5000)}, datasets={"synthetic": {"digest": name}})

    released(model, of_table(0.02).with_draws([drawn(OTHER, "disclosure.singling_out.risk/all", 0.2)]))
    evaluated = model.evidence("evaluator", 0.8, created="2030-01-20T00:00:00Z")
    model.add(evaluated.with_draws([drawn(OTHER, "utility.auroc.tstr/all", 0.5)]), "evaluator")
    auroc = {"id": "auroc", "figure": "utility.auroc.tstr", "at_least": 0.4, "draws": 2, "source": "us", "set_by": "us"}
    asked = asking(require=APART.require, criteria=[{**RISK, "draws": 2}, auroc])
    found = told(model, policy=asked)
    assert found["risk"] == ("fail", "worst of 2 draws: 0.2, n = 5,000")
    assert found["auroc"] == ("pass", "worst of 2 draws: 0.5, n = 5,000")


def test_nobody_signs_on_a_laptop(model):
    """Where the policy asks for no signature, the document counts like any other, bound to the table."""
    model.add(of_table(0.01))
    assert told(model, policy=asking(require={"kinds": ["disclosure"]}, criteria=[RISK]))["risk"][0] == "pass"
    assert TABLES["synthetic"] == SYNTHETIC
