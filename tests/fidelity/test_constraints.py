"""Rules between columns: learned, confirmed, broken on purpose, and quiet where there is nothing."""

import json

import numpy as np
import pandas as pd
import pytest
from patients import patients

import synthml
from synthml.fidelity.constraints import measure_constraints
from synthml.fidelity.constraints.measure import rule_of, share

DAY = np.timedelta64(1, "D")


def clinic(rows, seed):
    """Two dates in order, codes in chapters, bands of an age, what only women have, a sum, and columns of noise."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 95, rows).astype(float)
    sex = rng.choice(["F", "M"], rows)
    code = rng.integers(0, 60, rows)
    admission = np.datetime64("2020-01-01") + rng.integers(0, 700, rows) * DAY
    births = np.where(sex == "M", np.nan, rng.poisson(1.5, rows))
    return pd.DataFrame(
        {
            "age": age,
            "band": pd.cut(age, [-1, 17, 39, 64, 200], labels=["child", "young", "mid", "old"]).astype(str),
            "sex": sex,
            "code": [f"c{one:02d}" for one in code],
            "chapter": np.array([*"ABCDEF"])[code // 10],
            "admission": admission,
            "discharge": admission + rng.integers(0, 40, rows) * DAY,
            "pregnant": np.where((sex == "M") | (age >= 55), 0, rng.random(rows) < 0.2).astype(int),
            "births": births,
            "weight": rng.normal(70, 12, rows),
            "noise": rng.choice([*"abcd"], rows),
            "y": rng.integers(0, 2, rows),
        }
    )


def study(source, synthetic, holdout=None, **schema):
    tables = {"source": source, "synthetic": synthetic}
    if holdout is not None:
        tables["holdout"] = holdout
    return synthml.Study(synthml.Schema(target="y", **schema), **tables)


def measured(*tables, seed=0, **schema):
    return measure_constraints(study(*tables, **schema), seed=seed, confidence=0.95)


def rules_of(evidence):
    return {row["rule"]: row for row in evidence.tables["fidelity_rules"]}


def test_the_rules_of_a_clinic_are_learned_and_a_fresh_sample_keeps_them():
    evidence = measured(clinic(6000, 1), clinic(6000, 2), clinic(4000, 3))
    found = rules_of(evidence)
    assert {
        "admission <= discharge",
        "code determines chapter",
        "age determines band",
        "sex determines whether births is missing",
        "never sex = M with pregnant = 1",
        "age >= 0",
        "age is whole",
        "sex has a known value",
    } <= set(found)
    late = [rule for rule in found if rule.startswith("never age >=") and rule.endswith("with pregnant = 1")]
    assert len(late) == 1
    assert not [rule for rule in found if "noise" in rule and "known value" not in rule]
    # two decades of births, or a last one of age: a fresh sample may have values that nobody had yet
    assert evidence.figures["fidelity.rule_violations.synthetic/all"].value < 0.002
    assert evidence.figures["fidelity.rule_violations.floor/all"].value < 0.002


@pytest.mark.parametrize("with_holdout", [True, False])
def test_a_planted_departure_is_found_named_and_sized(with_holdout):
    synthetic = clinic(8000, 2)
    rng = np.random.default_rng(5)
    planted = {}
    rows = np.flatnonzero(rng.random(8000) < 0.05)
    synthetic.loc[rows, "chapter"] = synthetic.loc[rows, "chapter"].map(dict(zip("ABCDEF", "BCDEFA", strict=True)))
    planted["code determines chapter"] = len(rows)
    rows = np.flatnonzero(rng.random(8000) < 0.02)
    synthetic.loc[rows, "discharge"] = synthetic.loc[rows, "admission"] - DAY
    planted["admission <= discharge"] = len(rows)
    rows = np.flatnonzero((synthetic["sex"] == "M") & (rng.random(8000) < 0.1))
    synthetic.loc[rows, "pregnant"] = 1
    planted["never sex = M with pregnant = 1"] = len(rows)
    rows = np.flatnonzero((synthetic["band"] == "child") & (rng.random(8000) < 0.3))
    synthetic.loc[rows, "band"] = "mid"
    planted["age determines band"] = len(rows)
    rows = np.flatnonzero((synthetic["sex"] == "M") & (rng.random(8000) < 0.04))
    synthetic.loc[rows, "births"] = 1.0
    planted["sex determines whether births is missing"] = len(rows)
    rows = np.flatnonzero(rng.random(8000) < 0.01)
    synthetic.loc[rows, "age"] += 0.5
    planted["age is whole"] = len(rows)
    synthetic.loc[:79, "noise"] = "z"
    planted["noise has a known value"] = 80
    evidence = measured(clinic(8000, 1), synthetic, clinic(5000, 3) if with_holdout else None)
    found = rules_of(evidence)
    for rule, broken in planted.items():
        row = found[rule]
        assert row["broken"] == broken
        assert row["low"] <= broken / 8000 <= row["high"]
        assert row["source_share"] == row["holdout_share"] == 0
        figure = evidence.figures[f"fidelity.rule_violations.synthetic/{rule_of(rule)}"]
        assert figure.value == row["synthetic_share"] == broken / 8000
        assert figure.n == 8000
    assert evidence.tables["fidelity_rules"][0]["synthetic_share"] == max(row["synthetic_share"] for row in found.values())
    together = evidence.figures["fidelity.rule_violations.synthetic/all"].value
    assert max(planted.values()) / 8000 <= together <= sum(planted.values()) / 8000


def test_unrelated_columns_teach_no_rule_between_them():
    """Over 15 tables of 12 columns of every kind, skewed ones and nearly constant ones among them."""

    def table(rows, seed):
        rng = np.random.default_rng([7, seed])
        return pd.DataFrame(
            {
                "a": rng.normal(size=rows),
                "b": rng.normal(1.5, 1, rows),
                "c": rng.exponential(size=rows).round(2),
                "d": rng.choice([*"abcdefghij"], rows, p=np.arange(1, 11) / 55),
                "e": rng.choice(["x", "y"], rows, p=[0.99, 0.01]),
                "f": rng.random(rows) < 0.03,
                "g": np.where(rng.random(rows) < 0.2, np.nan, rng.poisson(3, rows)),
                "h": [f"{one:03d}" for one in rng.integers(0, 300, rows)],
                "i": rng.integers(0, 800, rows),
                "j": np.datetime64("2020-01-01") + rng.integers(0, 700, rows) * DAY,
                "k": np.datetime64("2021-01-01") + rng.integers(0, 700, rows) * DAY,
                "y": rng.integers(0, 2, rows),
            }
        )

    for seed in range(15):
        evidence = measured(table(1500, seed), table(1500, 100 + seed), seed=seed)
        between = [row["rule"] for row in evidence.tables.get("fidelity_rules", ()) if row["kind"] != "values"]
        assert between == []


def test_an_inequality_that_the_margins_force_is_no_rule():
    def apart(rows, seed):
        rng = np.random.default_rng(seed)
        low, high = rng.normal(0, 1, rows), rng.normal(20, 1, rows)
        return pd.DataFrame({"low": low, "high": high, "above": low + rng.random(rows), "y": rng.integers(0, 2, rows)})

    found = rules_of(measured(apart(2000, 1), apart(2000, 2), apart(2000, 3)))
    assert "low <= above" in found
    assert not any("high" in rule for rule in found if "determines" in rule or "<" in rule)


def test_inequalities_that_follow_from_others_are_left_out_and_equal_columns_are_told():
    def chain(rows, seed):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=rows)
        b, c = a + rng.random(rows), a + 1 + rng.random(rows)
        return pd.DataFrame({"a": a, "b": b, "c": c, "copy": a, "y": rng.integers(0, 2, rows)})

    found = rules_of(measured(chain(2000, 1), chain(2000, 2), chain(2000, 3)))
    assert "a == copy" in found
    assert "a <= b" in found
    assert "b <= c" in found
    assert not [rule for rule in found if "a" in rule.split() and "c" in rule.split()]
    assert not [rule for rule in found if "copy" in rule and "==" not in rule]


def test_an_inequality_is_strict_where_ties_were_to_be_expected_and_never_are():
    def counts(rows, seed):
        rng = np.random.default_rng(seed)
        a = rng.poisson(20, rows)
        return pd.DataFrame(
            {"a": a, "b": a + rng.integers(1, 9, rows), "c": a - rng.integers(0, 9, rows), "y": rng.integers(0, 2, rows)}
        )

    found = rules_of(measured(counts(2000, 1), counts(2000, 2), counts(2000, 3)))
    assert {"a < b", "c <= a"} <= set(found)


def test_a_slip_or_two_in_the_source_does_not_hide_a_rule_but_noise_does():
    source, synthetic, holdout = clinic(6000, 1), clinic(6000, 2), clinic(6000, 3)
    source.loc[:2, "discharge"] = source.loc[:2, "admission"] - DAY
    row = rules_of(measured(source, synthetic, holdout))["admission <= discharge"]
    assert row["source_share"] is None  # three patients are too few to be told of
    assert "fewer than 10 people" in row["reason"]
    source.loc[:200, "discharge"] = source.loc[:200, "admission"] - DAY
    assert "admission <= discharge" not in rules_of(measured(source, synthetic, holdout))


def test_what_other_real_rows_break_is_no_rule():
    source, holdout = clinic(4000, 1), clinic(4000, 3)
    holdout.loc[holdout.index[:400], "discharge"] = holdout.loc[holdout.index[:400], "admission"] - DAY
    evidence = measured(source, clinic(4000, 2), holdout)
    assert "admission <= discharge" not in rules_of(evidence)
    assert any("did not hold elsewhere" in note for note in evidence.notes)


def test_rules_of_the_study_are_held_against_every_table():
    source, synthetic, holdout = clinic(3000, 1), clinic(3000, 2), clinic(3000, 3)
    synthetic.loc[:299, "discharge"] = synthetic.loc[:299, "admission"] - DAY
    rules = ["discharge >= admission", "age >= 18", "`y` in [0, 1]"]
    evidence = measured(source, synthetic, holdout, rules=rules)
    found = rules_of(evidence)
    assert [row["rule"] for row in evidence.tables["fidelity_rules"][:3]] == rules
    assert found["discharge >= admission"]["synthetic_share"] == 0.1
    assert found["discharge >= admission"]["kind"] == "user"
    assert found["age >= 18"]["source_share"] == pytest.approx((source["age"] < 18).mean())
    assert found["age >= 18"]["holdout_share"] == pytest.approx((holdout["age"] < 18).mean())
    assert found["`y` in [0, 1]"]["synthetic_share"] == 0
    assert "admission <= discharge" not in found  # the study says so already
    assert [note for note in evidence.notes if "`age >= 18`, and the source does not" in note]
    name = "fidelity.rule_violations.synthetic/discharge_x20__x3e__x3d__x20_admission"
    assert evidence.figures[name].value == 0.1


def test_who_holds_no_source_still_sees_the_rules_of_the_study():
    table = clinic(500, 1)
    found = synthml.Study(synthml.Schema(target="y", rules=["age >= 18"]), synthetic=table)
    evidence = measure_constraints(found, seed=0, confidence=0.95)
    row = evidence.tables["fidelity_rules"][0]
    assert row["synthetic_share"] == pytest.approx((table["age"] < 18).mean())
    assert row["source_share"] is None
    assert row["holdout_share"] is None


def test_a_rule_on_a_column_that_the_synthetic_table_lacks_is_insufficient():
    synthetic = clinic(500, 2).drop(columns="weight")
    features = [name for name in synthetic.columns if name != "y"]
    evidence = measured(clinic(500, 1), synthetic, rules=["weight > 0"], features=features)
    row = rules_of(evidence)["weight > 0"]
    assert row["status"] == "insufficient"
    assert "has not all of the rule's columns" in row["reason"]
    assert row["source_share"] == 0


def test_a_long_rule_has_a_short_name():
    label = "age >= 0 and " * 30 + "age < 200"
    assert len(rule_of(label)) < 30
    assert rule_of("a <= b") == "a_x20__x3c__x3d__x20_b"


def test_rows_of_one_subject_widen_the_interval():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(200), 10)
    broken = (rng.random(200) < 0.2)[person]
    alone, together = share(broken, None, 0.95), share(broken, person, 0.95)
    assert alone.value == together.value
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_shares_of_clustered_tables_are_covered():
    """Of 300 tables of 60 subjects with 8 rows each, the interval holds the truth in about 95 of 100."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(60), 8)
    hits = 0
    for _ in range(300):
        chance = rng.beta(1.5, 6, 60)  # mean 0.2
        told = share(rng.random(480) < chance[person], person, 0.95)
        hits += told.low <= 0.2 <= told.high
    assert 0.91 <= hits / 300 <= 0.985


def test_nothing_depends_on_the_order_of_rows_or_columns():
    source, synthetic, holdout = clinic(2000, 1), clinic(2000, 2), clinic(2000, 3)
    synthetic.loc[:99, "chapter"] = "A"
    one = measured(source, synthetic, holdout)
    rng = np.random.default_rng(0)
    shuffled = [frame.iloc[rng.permutation(len(frame))].reset_index(drop=True) for frame in (source, synthetic, holdout)]
    other = measured(*[frame[frame.columns[::-1]] for frame in shuffled])
    assert {r: (v["broken"], v["holdout_share"]) for r, v in rules_of(one).items() if v["kind"] != "combination"} == {
        r: (v["broken"], v["holdout_share"]) for r, v in rules_of(other).items() if v["kind"] != "combination"
    }
    assert one.figures["fidelity.rule_violations.synthetic/all"] == other.figures["fidelity.rule_violations.synthetic/all"]
    again = measured(source, synthetic, holdout)
    assert json.dumps(one.tables, default=list) == json.dumps(again.tables, default=list)


def test_no_rare_value_stands_in_the_evidence():
    """A label of five people, and a number of one, are nowhere in it."""
    tables = [clinic(3000, seed) for seed in (1, 2, 3)]
    for table in tables:
        table["noise"] = table["noise"].astype(object)
        table.loc[:1, "noise"] = "canary-illness"
        table.loc[3, "weight"] = 987.654
        table.loc[2, "births"] = 77.0
    tables[1].loc[:50, "noise"] = "canary-illness"
    text = repr(measured(*tables))
    assert "canary" not in text
    assert "987" not in text
    assert "77" not in repr([row["rule"] for row in measured(*tables).tables["fidelity_rules"]])


def test_what_few_people_say_again_and_again_is_no_rule():
    """Thirty visits each of 40 people: what any of them has teaches nothing about others."""

    def visits(seed):
        rng = np.random.default_rng([31, seed])
        who = np.repeat(np.arange(40), 30)
        values = {name: rng.choice([*"pqrs"], 40)[who] for name in "abcd"}
        height = rng.normal(170, 10, 40).round(2)[who]
        return pd.DataFrame({"person": who + 1000 * seed, "height": height, **values, "y": rng.integers(0, 2, len(who))})

    for seed in range(8):
        words = synthml.Schema(target="y", subject="person")
        tables = {role: visits(3 * seed + at) for at, role in enumerate(("source", "synthetic", "holdout"))}
        evidence = measure_constraints(synthml.Study(words, **tables), seed=0, confidence=0.95)
        assert [row["rule"] for row in evidence.tables["fidelity_rules"] if row["kind"] != "values"] == []


def test_a_study_with_subjects_is_learned_from_by_subject():
    source, synthetic = patients(1200, 1, per_subject=3), patients(1200, 2, per_subject=3)
    words = synthml.Schema(target="ill", subject="person", sensitive=["sex"])
    evidence = measure_constraints(synthml.Study(words, source=source, synthetic=synthetic), seed=0, confidence=0.95)
    assert "by subject" in evidence.figures["fidelity.rule_violations.synthetic/all"].method
    assert not any("person" in row["rule"] for row in evidence.tables["fidelity_rules"])
