"""Each attack on tables small enough to work out by hand, or against the definition written out."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from disclosure.attacked import people, study_of

from synthml.disclosure import attribution, copies, inference, linkability, singling_out, split_half
from synthml.disclosure.ground import Ground
from synthml.disclosure.membership.rates import clopper_pearson, epsilon_bound, f1, tpr_at_fpr
from synthml.disclosure.singling_out import Columns
from synthml.settings import DisclosureSettings


def columns(**values):
    units = np.array(values.pop("units"))
    return Columns.of([np.array(column, dtype=float) for column in values.values()], units)


def test_a_predicate_singles_out_when_all_its_rows_are_one_patients():
    table = columns(age=[30, 40, 40, 50, np.nan], sex=[0, 1, 1, 0, 1], units=[0, 1, 1, 2, 3])
    assert table.patient_of(((0, "==", 40.0),)) == 1  # two rows of one patient
    assert table.patient_of(((0, "<=", 40.0),)) == -1  # two patients
    assert table.patient_of(((0, ">=", 45.0),)) == 3
    assert table.patient_of(((0, "null", 0.0),)) == 4
    assert table.patient_of(((0, "<=", 45.0), (1, "==", 0.0))) == 0
    assert table.patient_of(((0, "==", 99.0),)) == -1
    assert table.patients_with(0, np.array([30.0, 40.0, 99.0, 50.0])).tolist() == [0, 1, -1, 3]


def test_predicates_match_the_rows_that_a_plain_query_gives():
    frame = people(300, 5)
    rng = np.random.default_rng(1)
    table = columns(age=frame["age"], weight=frame["weight"], units=np.arange(300))
    for _ in range(200):
        age, weight = rng.choice(frame["age"]), rng.choice(frame["weight"].dropna())
        wanted = np.flatnonzero((frame["age"] <= age) & (frame["weight"] >= weight))
        assert sorted(table.matching(((0, "<=", age), (1, ">=", weight)))) == wanted.tolist()


def test_every_value_that_stands_once_is_tried_and_nothing_else():
    synthetic = people(200, 3)
    ground = Ground.of(study_of(people(200, 1), synthetic, people(200, 2)))
    tables = singling_out._tables(ground)
    made = singling_out._univariate(tables)
    at = ground.columns.index("weight")
    counts = synthetic["weight"].value_counts()
    assert sorted(made.equal[at]) == sorted(counts.index[counts == 1])


def test_chance_of_a_link_is_the_share_of_draws_that_meet():
    rows, k = 6, 2
    draws = list(itertools.combinations(range(rows), k))
    meeting = sum(bool(set(a) & set(b)) for a in draws for b in draws) / len(draws) ** 2
    assert linkability.chance(rows, k) == pytest.approx(meeting)
    assert linkability.chance(3, 2) == 1.0


def test_without_quasi_identifiers_columns_are_halved_several_times_and_never_overlap():
    ground = Ground.of(study_of(people(60, 1), people(60, 2), people(60, 3), quasi_identifiers=[]))
    for _, one, other in linkability.splits(ground):
        assert not set(one) & set(other)
        assert set(one) | set(other) == set(ground.columns)


def test_ties_are_drawn_by_lot_so_that_a_blind_split_links_no_more_than_chance():
    table = [people(1500, seed).assign(age=50.0, weight=70.0, zip="1", plan="a") for seed in (1, 2, 3)]
    found = linkability.finding(Ground.of(study_of(table[0], table[1], table[2], sensitive=[]), seed=2))
    row = next(r for r in found.tables["disclosure_attacks"] if r["mode"].endswith("k = 10"))
    assert row["main"] == pytest.approx(row["baseline"], abs=0.03)


@pytest.mark.parametrize(
    ("guess", "truth", "kind", "right"),
    [
        (105.0, 100.0, "numeric", True),
        (106.0, 100.0, "numeric", False),
        (-105.0, -100.0, "numeric", True),
        (-100.0, 100.0, "numeric", False),  # a negative guess is no special case
        (0.4, 0.0, "numeric", True),  # within 5% of the scale, 10
        (0.6, 0.0, "numeric", False),
        (np.nan, np.nan, "numeric", True),
        (np.nan, 3.0, "numeric", False),
    ],
)
def test_a_guessed_number_is_right_within_the_tolerance(guess, truth, kind, right):
    assert inference.succeeds(np.array([guess]), np.array([truth]), kind, 0.05, 10.0)[0] == right


def test_the_constant_guess_is_the_majority_or_the_median():
    assert inference.constant_guess(np.array(["b", "a", "b", np.nan], dtype=object), "categorical") == "b"
    assert inference.constant_guess(np.array(["b", "a"], dtype=object), "categorical") == "a"
    assert inference.constant_guess(np.array([1.0, 2.0, 9.0]), "numeric") == 2.0


def test_the_baseline_of_a_balanced_secret_is_a_half_whatever_the_index():
    tables = [people(1000, seed) for seed in (1, 2, 3)]
    moved = tables[0].set_index(np.arange(5000, 4000, -1))
    for source in (tables[0], moved):
        figures = inference.finding(Ground.of(study_of(source, tables[1], tables[2]))).figures
        assert figures["disclosure.inference.baseline/hiv"].value == pytest.approx(0.5, abs=0.05)


def test_a_memorised_secret_is_found_by_inference_and_by_attribution():
    source, fresh, holdout = people(2000, 1), people(2000, 2), people(2000, 3)
    told = fresh.copy()
    for name in ("age", "weight", "zip", "plan", "hiv"):
        told[name] = np.where(np.arange(2000) % 3 == 0, source[name], fresh[name])
    ground = Ground.of(study_of(source, told, holdout))
    assert inference.finding(ground).figures["disclosure.inference.risk/hiv"].low > 0.2
    assert attribution.finding(ground).figures["disclosure.cap.excess/hiv"].low > 0.2


def test_groups_have_their_own_control():
    source, fresh, holdout = people(3000, 1), people(3000, 2), people(3000, 3)
    known = [table.assign(hiv=np.where(table["plan"] == "b", "yes", table["hiv"])) for table in (source, fresh, holdout)]
    found = inference.finding(Ground.of(study_of(known[0], known[1], known[2])))
    group = next(row for row in found.tables["disclosure_groups"] if row["group"] == "b")
    assert group["main"] > 0.9
    assert group["control"] > 0.9  # everybody in plan b has it: that is known of strangers too


KEYS = np.array([0, 0, 1, 2, 3])
SECRET = np.array([0, 1, 0, 1, 1])
MADE_KEYS = np.array([0, 0, 1, 1, 2, 2])
MADE_SECRET = np.array([0, 0, 0, 1, 1, 1])


def test_attribution_by_hand():
    assert attribution.cap(KEYS, SECRET, MADE_KEYS, MADE_SECRET).tolist() == [1.0, 0.0, 0.5, 1.0, 0.0]
    targeted = attribution.tcap(KEYS, SECRET, MADE_KEYS, MADE_SECRET)
    assert targeted[[0, 1, 3]].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(targeted[[2, 4]]).all()  # of two minds; no such row
    assert attribution.disco(KEYS, SECRET, MADE_KEYS, MADE_SECRET).tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert attribution.replicated_uniques(KEYS, np.array([0, 1, 2, 2])).tolist() == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_a_copy_weighs_one_over_the_patients_who_have_the_row():
    real, units = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2])
    assert copies.weighted_share(real, units, np.array([0, 1, 9, 9])) == pytest.approx((0.5 + 1) / 4)
    same = np.array([0, 0, 0, 0])
    assert copies.weighted_share(same, same, np.array([0, 0])) == 1.0  # four visits of one patient are one patient's


def test_thresholds_of_halves_equal_a_plain_computation_over_the_same_halves():
    source = (
        people(300, 1).round({"weight": -1, "lab": 0}).assign(age=lambda t: t["age"] // 20, lab=lambda t: t["lab"] + 0.0, zip="1")
    )
    settings = DisclosureSettings(split_halves=20)
    ground = Ground.of(study_of(source, people(300, 2), people(300, 3)), settings=settings, seed=4)
    row = next(r for r in split_half.finding(ground).tables["disclosure_thresholds"] if r["figure"] == "disclosure.copies.share")
    rng, shares = ground.rng("split_half"), []
    rows = [tuple(map(str, values)) for values in ground.source.frame.to_numpy(dtype=object)]
    for _ in range(20):
        first = rng.permutation(300)[:150]
        rng.permutation(300)
        one = pd.Series([rows[i] for i in range(300) if i in set(first)]).value_counts()
        other = [rows[i] for i in range(300) if i not in set(first)]
        shares.append(np.mean([1 / one[r] if r in one.index else 0 for r in other]))
    assert row["threshold"] == pytest.approx(np.percentile(shares, 95))


def test_members_found_at_a_false_alarm_rate_by_hand():
    others, members = np.arange(100.0), np.array([95.0, 96.0, 97.0, 10.0])
    found = tpr_at_fpr(members, others, 0.1, confidence=0.95, replicates=1000, rng=np.random.default_rng(0))
    assert found.value == pytest.approx(0.75)
    tied = tpr_at_fpr(np.zeros(100), np.zeros(100), 0.1, confidence=0.95, replicates=1000, rng=np.random.default_rng(0))
    assert tied.value == pytest.approx(0.1)  # a score that tells nothing finds what chance finds
    few = tpr_at_fpr(members, others, 0.001, confidence=0.95, replicates=1000, rng=np.random.default_rng(0))
    assert few.status == "insufficient"


def test_f1_by_hand_takes_the_share_of_members_among_those_tried():
    members, others = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    precision, recall = 0.2 * 0.5 / (0.2 * 0.5 + 0.8 * 0.25), 0.5
    assert f1(members, others, 0.5, 0.2) == pytest.approx(2 * precision * recall / (precision + recall))


def test_exact_bounds_of_a_share_equal_those_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in ((0, 10), (3, 10), (10, 10), (47, 200)):
        assert clopper_pearson(hits, n, 0.95) == pytest.approx(proportion_confint(hits, n, method="beta"))


def test_the_bound_of_epsilon_stays_below_the_truth_and_is_worth_something():
    rng, epsilon = np.random.default_rng(3), 1.0
    honest = math.exp(epsilon) / (1 + math.exp(epsilon))
    bounds = []
    for _ in range(300):
        members, others = (rng.random(2000) < honest).astype(float), (rng.random(2000) < 1 - honest).astype(float)
        bounds.append(epsilon_bound(members, others, 0.5, delta=0.0, confidence=0.95))
    assert np.mean(np.array(bounds) > epsilon) <= 0.05
    assert np.median(bounds) > 0.75
