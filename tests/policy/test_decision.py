"""Policies are decided on the interval; what is unknown never passes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from synthml.errors import InputError
from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.policy import Criterion, Facts, Policy, Waiver, decide

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


def figure(low, value, high, n=1000):
    return Estimate(value, low, high, n=n, method="test")


def dossier(**figures):
    named = {name.replace("__", "/").replace("_of_", ":"): f for name, f in figures.items()}
    return Dossier(
        figures=named or {"utility.auroc.loss/all": figure(0.0, 0.01, 0.02)},
        study={"task": "binary"},
        model={"digest": "sha256:m"},
    )


def with_loss(of, estimate):
    return Dossier(figures={f"utility.auroc.loss/{of}": estimate}, study={"task": "binary"}, model={"digest": "sha256:m"})


def policy(**changes):
    base = {"id": "loss", "figure": "utility.auroc.loss", "at_most": 0.05, "source": "test", "set_by": "test"}
    return Policy(name="p", version=1, lineage={"no_contamination": False}, criteria=(Criterion(**{**base, **changes}),))


@pytest.mark.parametrize(
    ("low", "value", "high", "outcome"),
    [
        (0.00, 0.02, 0.05, "pass"),
        (0.00, 0.02, 0.0501, "insufficient"),
        (0.05, 0.06, 0.08, "insufficient"),
        (0.0501, 0.06, 0.08, "fail"),
    ],
)
def test_at_most_passes_on_the_upper_bound_and_fails_on_the_lower(low, value, high, outcome):
    assert decide(with_loss("all", figure(low, value, high)), policy(), now=NOW).outcome == outcome


def test_at_least_is_the_mirror_image():
    asked = policy(at_most=None, at_least=0.5)
    assert decide(with_loss("all", figure(0.5, 0.6, 0.7)), asked, now=NOW)
    assert decide(with_loss("all", figure(0.3, 0.4, 0.49)), asked, now=NOW).outcome == "fail"
    assert decide(with_loss("all", figure(0.4, 0.5, 0.6)), asked, now=NOW).outcome == "insufficient"


def test_the_rows_that_would_decide_it_follow_the_root_of_n():
    verdict = decide(with_loss("all", figure(0.01, 0.03, 0.07, n=401)), policy(), now=NOW)
    assert verdict.decisions[0].n_required == 1700  # 401 * (0.04 / 0.02) ** 2 = 1604, to two digits and not below


def test_each_group_is_decided_and_the_smallest_one_can_stop_the_whole():
    figures = {
        "utility.auroc.loss/all": figure(0, 0.01, 0.02),
        "utility.auroc.loss/sex:F": figure(0, 0.01, 0.04),
        "utility.auroc.loss/sex:M": Estimate.insufficient("smaller than the minimum cell"),
    }
    verdict = decide(Dossier(figures=figures, study={"task": "binary"}), policy(of="each"), now=NOW)
    assert [(d.of, d.outcome) for d in verdict.decisions] == [("all", "pass"), ("sex:F", "pass"), ("sex:M", "insufficient")]
    assert verdict.outcome == "insufficient"
    assert not verdict


def test_an_absent_figure_is_insufficient():
    assert decide(with_loss("sex:F", figure(0, 0, 0)), policy(), now=NOW).outcome == "insufficient"


def test_an_inconclusive_figure_never_passes():
    quiet = Estimate(0.0, 0.0, 0.0, status="inconclusive", reason="no power")
    assert decide(with_loss("all", quiet), policy(), now=NOW).outcome == "insufficient"


def test_a_failure_outweighs_what_is_missing():
    asked = Policy(
        name="p", version=1, require={"kinds": ["disclosure"]}, lineage={"no_contamination": False}, criteria=policy().criteria
    )
    assert decide(with_loss("all", figure(0.2, 0.3, 0.4)), asked, now=NOW).outcome == "fail"


def test_a_warning_never_changes_the_outcome():
    verdict = decide(with_loss("all", figure(0.2, 0.3, 0.4)), policy(severity="warn"), now=NOW)
    assert verdict
    assert verdict.warnings[0].outcome == "fail"


def test_a_waiver_holds_for_one_model_one_policy_and_a_limited_time():
    asked = policy(waivable=True)
    failing = with_loss("all", figure(0.2, 0.3, 0.4))
    waiver = Waiver("loss", "sha256:m", asked.digest, "reviewer", "bridging", NOW + timedelta(days=1))
    assert decide(failing, asked, now=NOW, facts=Facts(waivers=(waiver,), authors=frozenset({"engineer"})))
    for spoiled in (
        replace(waiver, model_digest="sha256:other"),
        replace(waiver, policy_digest="sha256:other"),
        replace(waiver, expires=NOW),
        replace(waiver, criterion="other"),
    ):
        assert decide(failing, asked, now=NOW, facts=Facts(waivers=(spoiled,), authors=frozenset({"engineer"}))).outcome == "fail"
    assert decide(failing, policy(), now=NOW, facts=Facts(waivers=(waiver,), authors=frozenset({"engineer"}))).outcome == "fail"
    for authors in (None, frozenset({"reviewer"})):  # unknown, and the same person: nobody waives for oneself
        assert decide(failing, asked, now=NOW, facts=Facts(waivers=(waiver,), authors=authors)).outcome == "fail"


def only(**parts):
    return Policy(name="p", version=1, **{"lineage": {"no_contamination": False}, **parts})


@pytest.mark.parametrize(
    ("asked", "facts", "outcome"),
    [
        (only(require={"signatures": ["evaluator"]}), Facts(), "insufficient"),
        (only(require={"signatures": ["evaluator"]}), Facts(signatures=frozenset({"evaluator"})), "pass"),
        (only(lineage={"no_contamination": False, "no_recall": True}), Facts(), "insufficient"),
        (only(lineage={"no_contamination": False, "no_recall": True}), Facts(recalls=()), "pass"),
        (only(lineage={"no_contamination": False, "no_recall": True}), Facts(recalls=("sha256:x",)), "fail"),
        (only(lineage={"no_contamination": False, "release": "required"}), Facts(), "insufficient"),
        (only(lineage={"no_contamination": False, "release": "required"}), Facts(release=False), "fail"),
        (only(lineage={"no_contamination": False, "release": "required"}), Facts(release=True), "pass"),
        (only(lineage={"no_contamination": False, "holdout_verdicts_at_most": 3}), Facts(holdout_verdicts=4), "fail"),
        (only(lineage={"no_contamination": False, "holdout_verdicts_at_most": 3}), Facts(), "insufficient"),
        (only(require={"approvals": 1}), Facts(), "insufficient"),
        (only(require={"approvals": 1}), Facts(authors=frozenset()), "insufficient"),
    ],
)
def test_what_the_registry_does_not_know_never_passes(asked, facts, outcome):
    assert decide(dossier(), asked, now=NOW, facts=facts).outcome == outcome


@pytest.mark.parametrize(
    ("created", "outcome"),
    [
        (None, "insufficient"),
        ("2030-01-30T12:00:00Z", "pass"),
        ("2028-01-30T12:00:00Z", "insufficient"),
        ("2030-02-10T12:00:00Z", "insufficient"),
        ("yesterday", "insufficient"),
    ],
)
def test_evidence_must_be_fresh_and_not_from_the_future(created, outcome):
    asked = only(require={"freshness_days": 365})
    assert decide(replace(dossier(), created=created), asked, now=NOW).outcome == outcome


def test_a_holdout_that_the_generator_saw_fails():
    tables = {"source": {"digest": "sha256:a"}, "holdout": {"digest": "sha256:a"}}
    asked = Policy(name="p", version=1)
    assert decide(replace(dossier(), datasets=tables), asked, now=NOW).outcome == "fail"
    apart = {**tables, "holdout": {"digest": "sha256:b"}}
    assert decide(replace(dossier(), datasets=apart), asked, now=NOW)
    assert decide(replace(dossier(), datasets=apart), asked, now=NOW, facts=Facts(contaminated=True)).outcome == "fail"
    assert decide(replace(dossier(), datasets={"holdout": {"digest": "sha256:b"}}), asked, now=NOW).outcome == "insufficient"


def test_documents_are_asked_for_by_path():
    asked = only(require={"documents": ["generation.source.limitations"]})
    assert decide(dossier(), asked, now=NOW).outcome == "insufficient"
    filled = replace(dossier(), generation={"source": {"limitations": "one site"}})
    assert decide(filled, asked, now=NOW)


def test_the_same_inputs_give_the_same_verdict_byte_for_byte():
    a, b = (decide(dossier(), policy(of="each"), now=NOW) for _ in range(2))
    assert a.digest == b.digest
    assert a == type(a).from_dict(a.to_dict())


def test_a_criterion_about_another_task_is_not_asked():
    assert decide(dossier(), policy(figure="utility.r2.loss", tasks=("regression",)), now=NOW).decisions == ()


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InputError, match="timezone"):
        decide(dossier(), policy(), now=datetime(2030, 1, 1))


def test_a_verdict_explains_itself():
    text = str(decide(with_loss("sex:F", figure(0.2, 0.3, 0.4)), policy(of="each"), now=NOW))
    assert "FAIL under p v1" in text
    assert "loss [sex:F]: required at most 0.05, found 0.300 (0.200 to 0.400)" in text


def distance_policy(*figures):
    criteria = tuple(
        Criterion(id=name, figure=name, at_most=0.5, source="test", set_by="test")  # each passes on what it reads
        for name in figures
    )
    return Policy(name="p", version=1, lineage={"no_contamination": False}, criteria=criteria)


def test_distances_may_fail_but_no_pass_rests_on_them_alone():
    quiet = {"disclosure.nearest_share/all": figure(0.4, 0.45, 0.5), "disclosure.linkability.risk/all": figure(0.0, 0.01, 0.02)}
    held = Dossier(figures=quiet, study={})
    alone = decide(held, distance_policy("disclosure.nearest_share"), now=NOW)
    assert alone.outcome == "insufficient"
    assert alone.open[0].id == "disclosure.attacks"
    assert decide(held, distance_policy("disclosure.nearest_share", "disclosure.linkability.risk"), now=NOW)
    near = Dossier(figures={**quiet, "disclosure.nearest_share/all": figure(0.6, 0.7, 0.8)}, study={})
    assert decide(near, distance_policy("disclosure.nearest_share", "disclosure.linkability.risk"), now=NOW).outcome == "fail"
