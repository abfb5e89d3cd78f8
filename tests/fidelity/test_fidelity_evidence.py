"""From a study to the evidence: its figures and tables, what it may not hold, and tables at the edge of what can be measured."""

import json

import numpy as np
import pandas as pd
import pytest

import synthml
from synthml.evidence import Dossier
from synthml.fidelity import measure_fidelity
from synthml.fidelity.measure import measure_distributions
from synthml.figures import FigureId
from synthml.policy.vocabulary import RANGES

CANARY = "Zebulon-Quxley-7731"


def clinic(rows, seed, *, broken=False, per_person=1):
    """`ward` follows sex; pain follows age, but not for men where `broken`; weight is missing where pain is."""
    rng = np.random.default_rng(seed)
    people = -(-rows // per_person)
    who = np.repeat(np.arange(people), per_person)[:rows]
    sex = rng.choice(["F", "M"], people)[who]
    age = rng.integers(18, 90, people)[who].astype(float)
    noise = rng.normal(0, 12, rows)
    pain = np.where((sex == "M") & broken, 54, age) + noise
    ward = np.where(rng.random(rows) < 0.7, np.where(sex == "F", "east", "west"), "north")
    lost = rng.random(rows) < 0.1
    ill = (rng.random(rows) < 1 / (1 + np.exp(-(age - 54) / 15))).astype(int)
    day = np.datetime64("2021-03-01", "us") + rng.integers(0, 365, rows).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "person": who + seed * 100_000,
            "sex": sex,
            "age": age,
            "pain": np.where(lost, np.nan, pain),
            "weight": np.where(lost, np.nan, rng.normal(75, 12, rows)),
            "ward": ward,
            "seen": day,
            "smoker": rng.random(rows) < 0.3,
            "ill": ill,
        }
    )


def study(source, synthetic, **words):
    given = {
        "target": "ill",
        "positive": 1,
        "sensitive": ["sex", "ward"],
        "intersections": [["sex", "ward"]],
        "subject": "person",
        "minimum_cell": synthml.MinimumCell(rows=50, events=10),
        **words,
    }
    return synthml.Study(schema=synthml.Schema(**given), source=source, synthetic=synthetic)


def evidence(source, synthetic, *, seed=0, **words):
    return measure_distributions(study(source, synthetic, **words), seed=seed, confidence=0.95)


@pytest.fixture(scope="module")
def fresh():
    return evidence(clinic(1500, 1), clinic(1500, 2))


@pytest.fixture(scope="module")
def shuffled():
    source = clinic(1500, 1)
    rng = np.random.default_rng(0)
    return evidence(source, pd.DataFrame({name: source[name].to_numpy()[rng.permutation(1500)] for name in source}))


def test_every_figure_is_known_to_policies_and_lies_in_its_range(fresh):
    assert len(fresh.figures) > 150
    for text, figure in fresh.figures.items():
        low, high = RANGES[FigureId.parse(text).name]
        for number in (figure.value, figure.low, figure.high):
            assert number is None or low <= number <= high, text
        if figure.value is not None:
            assert figure.low is not None, text
            assert figure.low <= figure.value <= figure.high, text


def test_classifiers_and_rules_join_the_distributions(fresh):
    found = measure_fidelity(study(clinic(500, 1), clinic(500, 2)), seed=0, settings=synthml.MeasureSettings())
    assert {FigureId.parse(name).name for name in fresh.figures} <= {FigureId.parse(name).name for name in found.figures}
    assert "fidelity.discriminator_auroc.synthetic/all" in found.figures
    assert {"fidelity_columns", "fidelity_classifiers"} <= set(found.tables)
    assert all(FigureId.parse(name).name in RANGES for name in found.figures)


def test_a_fresh_sample_is_quiet(fresh):
    for measure in ("tvd", "pair_tvd", "association", "missingness"):
        assert fresh.figures[f"fidelity.{measure}.synthetic/all"].low == 0, measure
    assert fresh.figures["fidelity.tvd.excess/all"].low < 0 < fresh.figures["fidelity.tvd.excess/all"].high
    flags = [row["departs"] for row in fresh.tables["fidelity_columns"] if row["measure"] == "tvd"]
    assert sum(flags) <= 2


def test_shuffled_columns_fail_by_their_pairs(shuffled):
    """What a score of columns calls perfect: every column is the source's own, and nothing belongs together any more."""
    assert shuffled.figures["fidelity.tvd.synthetic/all"].value == 0
    assert not any(row["departs"] for row in shuffled.tables["fidelity_columns"] if row["measure"] in ("tvd", "ks"))
    for measure in ("pair_tvd", "association"):
        assert shuffled.figures[f"fidelity.{measure}.excess/all"].low > 0
        assert shuffled.figures[f"fidelity.{measure}.synthetic/age pain"].low > 0.1
    counts = {row["measure"]: row for row in shuffled.tables["fidelity_counts"]}
    assert counts["association"]["departing"] > 2 * counts["association"]["by_chance"]
    (patterns,) = (row for row in shuffled.tables["fidelity_missingness"] if row["kind"] == "patterns")
    assert patterns["departs"], "pain and weight are missing together in the source"


def test_a_group_that_the_generator_got_wrong_is_named():
    found = evidence(clinic(3000, 1), clinic(3000, 2, broken=True))
    women, men = (found.figures[f"fidelity.association.excess/sex:{sex}"] for sex in "FM")
    assert men.low > 0
    assert women.low < 0
    assert women.high < men.low


def test_small_groups_are_withheld_and_unseen_ones_told():
    source = clinic(1500, 1)
    rare = source.copy()
    rare.loc[:29, "ward"] = "attic"
    made = clinic(1500, 2)
    assert evidence(rare, made).figures["fidelity.tvd.synthetic/ward:attic"].status == "insufficient"
    found = evidence(source, made[made["ward"] != "north"])
    north = found.figures["fidelity.tvd.synthetic/ward:north"]
    assert north.status == "insufficient"
    assert "no row of this group" in north.reason


def test_missing_values_and_their_patterns(fresh):
    (weight,) = (row for row in fresh.tables["fidelity_missingness"] if row["of"] == "weight")
    assert weight["source_share"] == pytest.approx(0.1, abs=0.03)
    assert not weight["departs"]
    names = {row["of"] for row in fresh.tables["fidelity_missingness"] if row["kind"] == "pattern"}
    assert names == {"(none)", "pain, weight"}
    filled = clinic(1500, 2)
    filled["weight"] = filled["weight"].fillna(75)
    found = evidence(clinic(1500, 1), filled)
    assert found.figures["fidelity.missingness.synthetic/weight"].low > 0.05
    assert found.figures["fidelity.missing_patterns.synthetic/all"].value == pytest.approx(0.1, abs=0.03)


def test_few_people_without_a_value_count_as_none():
    source = clinic(1500, 1).assign(rating=3.5)
    source.loc[:6, "rating"] = np.nan
    source["rating"] += np.random.default_rng(0).normal(0, 1, 1500)
    made = clinic(1500, 2).assign(rating=np.random.default_rng(1).normal(3.5, 1, 1500))
    found = evidence(source, made)
    assert not [row for row in found.tables["fidelity_missingness"] if row["of"] == "rating"]


def test_coverage_and_new_categories():
    made = clinic(1500, 2)
    made["ward"] = made["ward"].replace({"north": "attic"})
    made = made[made["age"].between(40, 60)]
    found = evidence(clinic(1500, 1), made, sensitive=["sex"], intersections=[])
    ward, age = (found.figures[f"fidelity.coverage.synthetic/{name}"] for name in ("ward", "age"))
    assert ward.value == pytest.approx(2 / 3)
    assert age.value == pytest.approx(20 / 71, abs=0.03)
    share = (made["ward"] == "attic").mean()
    assert found.figures["fidelity.new_categories.synthetic/ward"].value == pytest.approx(share)
    (row,) = (r for r in found.tables["fidelity_columns"] if r["of"] == "ward" and r["measure"] == "new_categories")
    assert (row["count"], row["departs"]) == (1, True)
    (row,) = (r for r in found.tables["fidelity_columns"] if r["of"] == "ward" and r["measure"] == "coverage")
    assert row["departs"]


def test_no_value_of_a_row_leaves():
    """A rare category of either table, a lonely group, the largest cost."""
    source, made = clinic(900, 1), clinic(900, 2)
    source["note"] = "usual"
    made["note"] = "usual"
    source.loc[5, "note"] = CANARY
    source.loc[[7, 8], "ward"] = CANARY + "-ward"
    made.loc[9, "note"] = CANARY + "-made"
    made.loc[9, "ward"] = CANARY + "-made-ward"
    source["cost"] = np.append(np.random.default_rng(0).gamma(2, 100, 899), 987654.125)
    made["cost"] = np.random.default_rng(1).gamma(2, 100, 900)
    found = evidence(source, made)
    text = Dossier({}).adding(found).to_json().decode()
    assert CANARY not in text
    assert "987654" not in text
    assert "note" in text


def test_equal_seeds_give_equal_bytes():
    one, two = (Dossier({}).adding(evidence(clinic(400, 1), clinic(400, 2), seed=5)).to_json() for _ in range(2))
    assert one == two


def test_without_source_or_synthetic_table_there_is_a_note():
    schema = synthml.Schema(target="ill", positive=1, subject="person")
    found = measure_fidelity(synthml.Study(schema=schema, source=clinic(300, 1)), seed=0, settings=synthml.MeasureSettings())
    assert not found.figures
    assert "no synthetic table" in found.notes[0]


@pytest.mark.parametrize(("rows", "made"), [(300, 4000), (4000, 300), (100, 100)])
def test_tables_of_very_different_sizes(rows, made):
    found = evidence(clinic(rows, 1), clinic(made, 2))
    assert found.figures["fidelity.tvd.synthetic/all"].low <= 0.01
    assert found.figures["fidelity.pair_tvd.synthetic/all"].low <= 0.01


def test_odd_columns_are_measured_or_told():
    """A constant, two hundred labels, huge integers, a column that only the source has, one that is all but empty."""

    def odd(seed):
        frame = clinic(1000, seed)
        rng = np.random.default_rng(seed)
        frame["constant"] = 1.0
        frame["diagnosis"] = np.char.add("d", rng.integers(0, 200, 1000).astype(str)).astype(object)
        frame["barcode"] = rng.integers(2**60, 2**62, 1000)
        frame["hardly"] = np.where(np.arange(1000) < 4, 2.5, np.nan)
        return frame

    source, made = odd(1), odd(2)
    source["alone"] = np.random.default_rng(3).normal(size=1000)
    features = [name for name in made if name not in ("person", "ill")]
    found = evidence(source, made, features=features, secrets=["ill"], quasi_identifiers=["age"], subject="person")
    wasserstein = found.figures["fidelity.wasserstein.synthetic/constant"]
    assert (wasserstein.status, wasserstein.value) == ("insufficient", None)
    assert found.figures["fidelity.tvd.synthetic/constant"].value == 0
    assert found.figures["fidelity.tvd.synthetic/diagnosis"].low == 0
    assert found.figures["fidelity.coverage.synthetic/diagnosis"].status in ("ok", "insufficient")
    assert found.figures["fidelity.ks.synthetic/barcode"].value < 0.1
    assert found.figures["fidelity.missingness.synthetic/hardly"].value < 0.01
    assert not [name for name in found.figures if name.endswith("/alone")]
    for row in [row for rows in found.tables.values() for row in rows]:
        json.dumps(row, allow_nan=False)


def test_many_columns_keep_the_evidence_small(monkeypatch):
    monkeypatch.setattr("synthml.fidelity.measure._MOST_COLUMNS", 20)
    rng = np.random.default_rng(0)

    def wide(seed):
        frame = clinic(300, seed)
        return pd.concat([frame, pd.DataFrame({f"x{i}": rng.normal(size=300) for i in range(20)})], axis=1)

    found = evidence(wide(1), wide(2), sensitive=["sex"], intersections=[])
    assert sum(name.startswith("fidelity.pair_tvd.synthetic/") for name in found.figures) == 160 + 1 + 2  # all, two groups
    assert len(found.tables["fidelity_pairs"]) == 190
    assert "fidelity.ks.synthetic/age" not in found.figures
    assert any("20 of 28 columns" in note for note in found.notes)
