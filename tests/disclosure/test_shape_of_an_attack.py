"""What all attacks share: rates by patient, groups, the strongest mode, power on planted rows, tables in the order of content."""

import numpy as np
import pandas as pd
import pytest
from patients import patient_study, patients

import synthml
from synthml.disclosure.attack import Attack, ThreatModel, measured
from synthml.disclosure.finding import Trials, attempt_of, by_patient, rates_of
from synthml.disclosure.ground import Ground, content_order
from synthml.neighbours import nearest

WORDS = ThreatModel("Can it be known?", "nothing", "guesses", "guesses right")


SMALL = synthml.MinimumCell(rows=20, events=1)


def ground_of(rows=600, per_subject=1, **schema):
    schema.setdefault("minimum_cell", SMALL)
    return Ground.of(patient_study(rows, per_subject=per_subject, **schema), seed=3)


def trials(ground, main, control, baseline=0.1):
    rng = np.random.default_rng(0)
    return Trials(
        rng.random(len(ground.source)) < main,
        rng.random(len(ground.holdout)) < control,
        np.full(len(ground.source), baseline),
    )


def test_success_on_any_row_of_a_patient_is_success_and_chances_add_up_as_independent_guesses():
    ground = ground_of(40, per_subject=2)
    side = ground.source
    first = np.zeros(40)
    first[np.flatnonzero(side.units == 0)[0]] = 1
    assert by_patient(first, side).tolist() == [1.0] + [0.0] * 19
    assert by_patient(np.full(40, 0.5), side) == pytest.approx([0.75] * 20)
    only = np.flatnonzero(side.units == 1)[:1]
    assert by_patient(np.array([0.25]), side, only) == pytest.approx([0.25])


def test_risk_is_what_main_has_over_control_of_what_control_leaves():
    ground = ground_of(20)
    held = Trials(np.arange(20) < 12, np.arange(20) < 4, np.full(20, 0.1))
    rates = rates_of(held, ground)
    assert (rates.main.value, rates.control.value, rates.baseline.value) == pytest.approx((0.6, 0.2, 0.1))
    assert rates.risk.value == pytest.approx((0.6 - 0.2) / 0.8)
    assert rates.difference.value == pytest.approx(0.4)
    assert rates.risk.low < rates.risk.value < rates.risk.high <= 1


def test_a_control_that_always_succeeds_leaves_no_risk_to_tell():
    ground = ground_of(20)
    rates = rates_of(Trials(np.ones(20, bool), np.ones(20, bool), np.zeros(20)), ground)
    assert rates.risk.status == "insufficient"
    assert rates.difference.value == 0


def test_without_holdout_main_and_baseline_are_told_and_what_needs_a_control_is_insufficient():
    table = patients(80, 1)
    schema = synthml.Schema(target="ill", positive=1, sensitive=["sex"], subject="person", minimum_cell=SMALL)
    study = synthml.Study(schema, source=table, synthetic=patients(80, 2))
    ground = Ground.of(study)
    rates = rates_of(Trials(np.ones(80, bool), None, np.zeros(80)), ground)
    assert rates.main.ok
    assert (rates.control.status, rates.risk.status) == ("insufficient", "insufficient")
    assert "no holdout" in rates.risk.reason


def test_the_strongest_of_several_modes_decides_and_its_lower_bound_is_widened():
    ground = ground_of(400)
    weak, strong = trials(ground, 0.12, 0.1), trials(ground, 0.4, 0.1)
    attack = Attack("linkability", WORDS, lambda g: [attempt_of(g, "weak", weak), attempt_of(g, "strong", strong)])
    found = measured(attack, ground)
    risk, alone = found.figures["disclosure.linkability.risk/all"], rates_of(strong, ground).risk
    assert (risk.value, risk.high) == (alone.value, alone.high)  # the highest of both modes
    assert risk.low < alone.low
    decisive = {row["mode"]: row["decisive"] for row in found.tables["disclosure_attacks"]}
    assert decisive == {"weak": False, "strong": True}


def test_the_worst_group_is_named_with_wider_bounds_and_small_groups_are_withheld():
    ground = ground_of(600, minimum_cell=synthml.MinimumCell(rows=150, events=10), intersections=[])
    women = next(group for group in ground.groups if group.of == "sex:F")
    main = np.zeros(600, bool)
    main[women.source] = np.random.default_rng(1).random(len(women.source)) < 0.5
    held = Trials(main, np.zeros(600, bool), np.zeros(600))
    found = measured(Attack("linkability", WORDS, lambda g: [attempt_of(g, "one", held)]), ground)
    rows = {row["name"]: row for row in found.tables["disclosure_groups"]}
    assert rows["sex:F"]["worst"]
    assert rows["sex:F"]["risk"] > 0.4 > rows["sex:M"]["risk"]
    small = [row for row in rows.values() if row["reason"]]
    assert small
    assert all(row["risk"] is None and row["n"] is None for row in small)
    worst = found.figures["disclosure.linkability.worst_group/all"]
    alone = rates_of(held.of_group(women.source, women.holdout), ground).risk
    assert worst.value == pytest.approx(alone.value)
    assert worst.low < alone.low < alone.high < worst.high


def copies_found(ground):
    """An attack that sees exact copies and nothing else."""
    hit = [nearest(side.encoded, ground.synthetic.encoded, k=1).distance[:, 0] == 0 for side in (ground.source, ground.holdout)]
    return [attempt_of(ground, "copies", Trials(hit[0], hit[1], np.full(len(ground.source), 0.001)))]


def blind(ground):
    """An attack that never sees anything."""
    nothing = np.zeros(len(ground.source), bool)
    return [attempt_of(ground, "blind", Trials(nothing, np.zeros(len(ground.holdout), bool), np.full(len(nothing), 0.001)))]


def test_the_quiet_of_an_attack_counts_only_when_it_finds_planted_rows():
    ground = ground_of(1500)
    seeing = measured(Attack("linkability", WORDS, copies_found), ground)
    assert seeing.figures["disclosure.linkability.risk/all"].ok
    assert seeing.tables["disclosure_power"][0]["found"]
    unseeing = measured(Attack("linkability", WORDS, blind), ground)
    assert unseeing.figures["disclosure.linkability.risk/all"].status == "inconclusive"
    assert not unseeing.tables["disclosure_power"][0]["found"]


def test_an_attack_that_beats_guessing_needs_no_planting():
    ground = ground_of(400)
    held = trials(ground, 0.5, 0.3, baseline=0.05)
    found = measured(Attack("linkability", WORDS, lambda g: [attempt_of(g, "one", held)]), ground)
    assert "disclosure_power" not in found.tables


def test_planted_rows_are_source_rows_and_as_many_as_said():
    ground = ground_of(1000)
    near = nearest(ground.planted(0.05).synthetic.encoded, ground.source.encoded, k=1).distance[:, 0]
    assert (near == 0).sum() == pytest.approx(50, abs=2)
    assert len(ground.planted(0.05).synthetic) == len(ground.synthetic)


def test_rows_at_risk_are_those_that_guessing_alone_would_not_have_got():
    ground = ground_of(20)
    baseline = np.where(np.arange(20) < 15, 0.9, 0.1)
    attempt = attempt_of(ground, "one", Trials(np.arange(20) % 2 == 0, np.zeros(20, bool), baseline))
    assert attempt.hits.tolist() == [16, 18]


def test_the_order_of_rows_is_that_of_their_content():
    frame = pd.DataFrame({"a": [3.0, 1.0, np.nan, 2.0], "b": ["x", "y", "x", np.nan]})
    shuffled = frame.iloc[[2, 0, 3, 1]].reset_index(drop=True)
    one = frame.iloc[content_order(frame)].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, shuffled.iloc[content_order(shuffled)].reset_index(drop=True))


def test_the_declared_epsilon_is_that_of_the_unit_attacked():
    tables = {"source": patients(60, 1, per_subject=3), "synthetic": patients(60, 2, per_subject=3)}
    schema = synthml.Schema(target="ill", positive=1, subject="person", minimum_cell=SMALL)
    by_row = {"privacy": {"epsilon": 0.5, "unit": "row"}}
    by_person = {"privacy": {"epsilon": 0.5, "unit": "subject"}}
    assert Ground.of(synthml.Study(schema, **tables, generation=by_row)).epsilon == pytest.approx(1.5)
    assert Ground.of(synthml.Study(schema, **tables, generation=by_person)).epsilon == pytest.approx(0.5)
    assert Ground.of(synthml.Study(schema, **tables)).epsilon is None


def test_without_quasi_identifiers_an_intruder_may_know_everything_but_the_secrets():
    assert ground_of(60).quasi_identifiers == ("age", "sex", "site", "marker")
    assert ground_of(60, quasi_identifiers=["age", "sex"]).quasi_identifiers == ("age", "sex")
