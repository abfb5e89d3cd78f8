"""Classifiers that tell synthetic rows from real ones: by hand, by closed forms, quiet on fresh samples, loud on departures."""

import numpy as np
import pandas as pd
import pytest
from patients import patients
from scipy import stats
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_limits

import synthml
from synthml.fidelity.classifiers import measure_classifiers
from synthml.fidelity.classifiers.discriminator import discriminate, telling
from synthml.fidelity.classifiers.propensity import design, pmse
from synthml.fidelity.classifiers.sides import Side, drawn, labels_of, paired


@pytest.fixture(autouse=True)
def _one_thread():
    """As in a measurement: many small products."""
    with threadpool_limits(1, "blas"):
        yield


def table(rows, seed, shift=0.0, together=0.0):
    """Six columns; `together` links two of them, `shift` moves one."""
    rng = np.random.default_rng([17, seed])
    x = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "x": x + shift,
            "z": together * x + np.sqrt(1 - together**2) * rng.normal(size=rows),
            "label": rng.choice([*"abc"], rows).astype(object),
            "count": rng.poisson(2, rows).astype(float),
            "gap": np.where(rng.random(rows) < 0.2, np.nan, rng.exponential(size=rows)),
            "day": np.datetime64("2020-01-01", "us") + rng.integers(0, 900, rows) * np.timedelta64(1, "D"),
        }
    )


def sides(rows, seed, **words):
    return Side.of(table(rows, 2 * seed), None), Side.of(table(rows, 2 * seed + 1, **words), None)


def asked(one, other, seed=0, **words):
    return pmse(one, other, np.random.default_rng(seed), 0.95, **words)


def test_pmse_is_what_a_linear_learner_gives():
    one, other = sides(600, 1, shift=0.3)
    found = asked(one, other, terms=30)
    frame, _, label = paired(one, other)
    features = design(frame, 30)
    believed = LinearRegression().fit(features, label).predict(features)
    assert found.value == pytest.approx(np.mean((believed - label.mean()) ** 2), rel=1e-3)
    assert found.n == 1200


def test_pmse_by_hand():
    """Half against half, 3 of 4 and 1 of 4 rows with the label: beliefs 3/4 and 1/4, so (1/4)^2."""
    real = pd.DataFrame({"sex": np.array(["F", "F", "F", "M"] * 25, dtype=object)})
    made = pd.DataFrame({"sex": np.array(["F", "M", "M", "M"] * 25, dtype=object)})
    assert asked(Side.of(real, None), Side.of(made, None)).value == pytest.approx(1 / 16, rel=1e-5)


def test_the_null_has_the_mean_of_the_closed_form():
    """k c (1 - c) / (N - 1) for two samples of one population, by any k."""
    for terms in (5, 40, 60):
        found = asked(*sides(1000, 1), terms=terms, permutations=600)
        assert found.mean == pytest.approx(found.terms * 0.25 / 1999, rel=4 * np.sqrt(2 / found.terms / 600))
        assert found.null.var() == pytest.approx(2 * found.terms * (0.25 / 2000) ** 2, rel=0.3)


def test_snokes_null_holds_for_tables_drawn_from_a_model_fitted_to_the_source():
    """Snoke et al. 2018: k c (1 - c)^2 / N, half of what two independent samples show when c is a half."""
    ratios = []
    for seed in range(150):
        rng = np.random.default_rng([4, seed])
        mean = np.zeros(3)
        real = pd.DataFrame(rng.multivariate_normal(mean, np.eye(3), 400), columns=[*"abc"])
        drawn_ = rng.multivariate_normal(real.mean(), np.cov(real.T), 400)
        made = pd.DataFrame(drawn_, columns=[*"abc"])
        one, other = Side.of(real, None), Side.of(made, None)
        frame, _, label = paired(one, other)
        features = np.column_stack([frame.to_numpy(), *(frame[a] * frame[b] for a, b in ("aa", "ab", "ac", "bb", "bc", "cc"))])
        believed = LinearRegression().fit(features, label).predict(features)
        ratios.append(np.mean((believed - 0.5) ** 2) / (9 * 0.125 / 800))
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / np.sqrt(150))


def test_p_values_of_fresh_samples_are_uniform():
    values = [asked(*sides(200, seed), seed, terms=12, permutations=99).p for seed in range(150)]
    assert stats.kstest(values, "uniform").pvalue > 0.001
    assert np.mean(np.array(values) <= 0.1) == pytest.approx(0.1, abs=0.08)


def clustered(subjects, seed, visits=4):
    rng = np.random.default_rng([23, seed])
    person = np.repeat(np.arange(subjects), visits)
    frame = pd.DataFrame({name: rng.normal(size=subjects)[person] + 0.5 * rng.normal(size=len(person)) for name in "abcd"})
    return frame, person


@pytest.mark.parametrize("single", [False, True], ids=["both by subject", "one by subject"])
def test_p_values_of_clustered_samples_are_uniform(single):
    """Rows of one subject are alike; taken as independent they would make every fresh sample a departure."""
    values, naive = [], []
    for seed in range(100):
        real, person = clustered(120, seed)
        made, other = clustered(480 if single else 120, 1000 + seed, 1 if single else 4)
        one = Side.of(real, person)
        two = Side.of(made, None if single else other)
        values.append(asked(one, two, seed, terms=10, permutations=99).p)
        naive.append(asked(Side.of(real, None), Side.of(made, None), seed, terms=10, permutations=99).p)
    assert stats.kstest(values, "uniform").pvalue > 0.001
    assert np.mean(np.array(naive) < 0.05) > 0.2


def test_the_interval_of_pmse_holds_what_repeated_draws_give_on_average():
    words = {"shift": 0.25, "together": 0.3}
    truth = np.mean([asked(*sides(400, 500 + seed, **words), seed, terms=25, permutations=2).value for seed in range(150)])
    found = [asked(*sides(400, seed, **words), seed, terms=25, permutations=100) for seed in range(80)]
    assert 0.89 <= np.mean([one.low <= truth <= one.high for one in found]) <= 1
    assert np.mean([one.low > one.mean for one in found]) > 0.8  # and it sees that this is no fresh sample


def test_pmse_sees_a_link_between_columns_that_no_column_shows():
    quiet, loud = asked(*sides(2000, 1)), asked(*sides(2000, 1, together=0.5))
    assert quiet.p > 0.01
    assert loud.p < 0.01
    assert loud.low > 2 * loud.mean


def test_constant_columns_have_no_pmse():
    frame = pd.DataFrame({"a": np.ones(200), "b": np.array(["x"] * 200, dtype=object)})
    assert asked(Side.of(frame, None), Side.of(frame, None)) is None


def auroc(one, other, seed=0, **words):
    return discriminate(one, other, np.random.default_rng([5, seed]), **words).auroc(0.95)


@pytest.mark.slow
def test_the_discriminator_covers_a_half_between_fresh_samples():
    found = [auroc(*sides(300, seed), seed) for seed in range(50)]
    assert 0.88 <= np.mean([one.low <= 0.5 <= one.high for one in found]) <= 1
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_the_discriminator_covers_a_half_between_fresh_samples_of_patients_with_visits():
    found, naive = [], []
    for seed in range(30):
        real, person = clustered(100, seed)
        made, other = clustered(100, 1000 + seed)
        found.append(auroc(Side.of(real, person), Side.of(made, other), seed))
        naive.append(auroc(Side.of(real, None), Side.of(made, None), seed))
    assert np.mean([one.low <= 0.5 <= one.high for one in found]) >= 0.88
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.03)
    assert "by subject" in found[0].method
    assert np.mean([one.value for one in naive]) > 0.55  # it meets people again whom it was trained on


def test_the_discriminator_finds_a_shift_of_its_size_and_the_column():
    """Normal columns one apart: no learner can reach more than Phi(1 / sqrt 2) = 0.760, and a good one comes near."""
    found = discriminate(*sides(4000, 1, shift=1.0), np.random.default_rng(0))
    told = found.auroc(0.95)
    best = stats.norm.cdf(1 / np.sqrt(2))
    assert best - 0.03 < told.value < best + 0.02
    tells = telling(found, np.random.default_rng(0), 0.95)
    assert tells[0][0] == "x"
    assert tells[0][1].low > 0.15
    assert all(abs(drop.value) < 0.03 for _, drop in tells[1:])


def test_copies_push_the_discriminator_below_a_half():
    source = table(2000, 1)
    copies = source.sample(frac=1, random_state=0).reset_index(drop=True)
    assert auroc(Side.of(source, None), Side.of(copies, None)).high < 0.5


def test_parts_are_disjoint_whole_subjects():
    person = np.random.default_rng(0).integers(0, 50, 400)
    side = Side.of(pd.DataFrame({"person": person}), person)
    one, other = drawn(side, (150, 150), np.random.default_rng(1))
    assert not set(one.frame["person"]) & set(other.frame["person"])
    assert 130 <= len(one) <= 150
    assert len(one) + len(other) <= 300


def test_labels_are_coded_by_how_common_they_are():
    values = np.array(["b", "a", "b", np.nan, "c", "a", "b"], dtype=object)
    assert labels_of(values).tolist() == [0, 1, 0, -1, 2, 1, 0]


def patient_evidence(noise, rows=3000, seed=0, **words):
    study = synthml.Study(
        synthml.Schema(
            target="ill",
            sensitive=["sex", "site"],
            subject="person",
            minimum_cell=synthml.MinimumCell(rows=200, events=20),
            **words,
        ),
        source=patients(rows, 1, per_subject=2),
        synthetic=patients(rows, 2, per_subject=2, noise=noise),
    )
    return measure_classifiers(study, seed=seed, confidence=0.95)


def test_a_fresh_sample_of_patients_is_quiet_in_every_group():
    evidence = patient_evidence(0.0)
    rows = evidence.tables["fidelity_classifiers"]
    assert {row["of"] for row in rows} == {"all", "sex:F", "sex:M", "site:north", "site:south", "site:west"}
    for row in rows:
        if row["measure"] == "pmse":
            assert row["low"] <= row["floor_high"] * 1.1
        else:
            assert abs(row["value"] - 0.5) < 0.08
    assert evidence.figures["fidelity.pmse.ratio/all"].value < 1.4
    assert 0.45 < evidence.figures["fidelity.discriminator_auroc.floor/all"].value < 0.55


def test_a_departure_in_one_group_is_found_there():
    rng = np.random.default_rng(0)
    source, synthetic = patients(6000, 1), patients(6000, 2)
    west = (synthetic["site"] == "west").to_numpy()
    synthetic.loc[west, "marker"] += rng.normal(1.0, 0.3, west.sum())
    words = synthml.Schema(
        target="ill", sensitive=["site"], subject="person", minimum_cell=synthml.MinimumCell(rows=200, events=20)
    )
    found = measure_classifiers(synthml.Study(words, source=source, synthetic=synthetic), seed=1, confidence=0.95).figures
    assert found["fidelity.discriminator_auroc.synthetic/site:west"].low > 0.6
    assert found["fidelity.pmse.ratio/site:west"].low > 3
    for group in ("site:north", "site:south"):
        assert found[f"fidelity.discriminator_auroc.synthetic/{group}"].value < 0.56
        assert found[f"fidelity.pmse.ratio/{group}"].value < 1.5


def test_small_groups_are_insufficient_and_rare_values_are_not_told():
    source, synthetic = patients(3000, 1), patients(3000, 2)
    source.loc[:3, "sex"] = "canary"
    synthetic = synthetic[(synthetic["site"] != "west") | (np.arange(3000) < 200)]
    words = synthml.Schema(
        target="ill", sensitive=["site"], subject="person", minimum_cell=synthml.MinimumCell(rows=200, events=20)
    )
    evidence = measure_classifiers(synthml.Study(words, source=source, synthetic=synthetic), seed=1, confidence=0.95)
    west = evidence.figures["fidelity.discriminator_auroc.synthetic/site:west"]
    assert west.status == "insufficient"
    assert "too few rows of this group" in west.reason
    assert "canary" not in repr(evidence)


def test_equal_seeds_give_equal_evidence():
    one, other = patient_evidence(0.4, 1000), patient_evidence(0.4, 1000)
    assert one.figures == other.figures
    assert repr(one.tables) == repr(other.tables)


def test_without_a_source_there_is_nothing_to_tell():
    study = synthml.Study(synthml.Schema(target="ill"), synthetic=patients(300, 1))
    assert not measure_classifiers(study, seed=0, confidence=0.95).figures
