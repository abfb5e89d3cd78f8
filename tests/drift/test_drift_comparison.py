"""Two tables compared: the scores are Evidently's and scipy's, the intervals hold, what cannot be measured says so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from synthml.drift import Comparison, compare
from synthml.drift.comparison import LEAST_ROWS
from synthml.drift.engine import JENSEN_SHANNON, WASSERSTEIN
from synthml.drift.margin import margins, scale_of
from synthml.drift.masking import coded_labels, coded_numbers, common_labels, numbers_of
from synthml.errors import InputError

NAMES = ("holdout", "production")
KINDS = {"age": "numeric", "dose": "numeric", "ward": "categorical", "smoker": "boolean", "seen": "datetime", "stage": "numeric"}


def table(rows: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = np.timedelta64(86_400_000_000, "us")
    start = np.datetime64("2021-01-01", "us")
    found = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "dose": rng.lognormal(1, 0.5, rows) + shift,
            "smoker": np.where(rng.random(rows) < 0.02, np.nan, (rng.random(rows) < 0.3 + shift / 4).astype(float)),
            "stage": rng.choice([1.0, 2.0, 3.0], rows, p=[0.5, 0.3, 0.2]),
        }
    )
    found["ward"] = pd.Series(rng.choice(["east", "west", "north"], rows, p=[0.6, 0.3, 0.1]), dtype=object)
    found["seen"] = start + rng.integers(0, 700, rows) * day
    return found


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(table(1200, 1), table(900, 2, shift=1.0), names=NAMES, kinds=KINDS, seed=5)


def score(comparison: Comparison, column: str) -> Any:
    return next(figure for name, figure in comparison.figures.items() if name.endswith(f"/{column}"))


def test_ids_name_the_method_and_the_tables(compared: Comparison) -> None:
    assert set(compared.figures) == {
        "drift.wasserstein.holdout_production/age",
        "drift.wasserstein.holdout_production/dose",
        "drift.wasserstein.holdout_production/seen",
        "drift.jensen_shannon.holdout_production/smoker",
        "drift.jensen_shannon.holdout_production/stage",
        "drift.jensen_shannon.holdout_production/ward",
        "drift.share.holdout_production/all",
    }


@pytest.mark.parametrize("column", ["age", "dose", "seen"])
def test_numbers_agree_with_scipy_on_the_masked_values(compared: Comparison, column: str) -> None:
    one, other = table(1200, 1)[column], table(900, 2, shift=1.0)[column]
    kind = KINDS[column]
    coded = coded_numbers(numbers_of(one, kind), numbers_of(other, kind), kind)
    masked = [coded.column(side).astype(float) for side in (0, 1)]
    expected = wasserstein_distance(*masked) / masked[0].std()
    assert score(compared, column).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("column", ["smoker", "stage", "ward"])
def test_labels_agree_with_scipy(compared: Comparison, column: str) -> None:
    one, other = table(1200, 1)[column], table(900, 2, shift=1.0)[column]
    labels = sorted(one.dropna().unique())
    shares = [series.value_counts(normalize=True).reindex(labels).fillna(0.0).to_numpy() for series in (one, other)]
    assert score(compared, column).value == pytest.approx(jensenshannon(*shares), rel=1e-9)


def test_scores_are_those_of_evidently_called_by_hand(compared: Comparison) -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    one, other = table(1200, 1), table(900, 2, shift=1.0)
    numbers = coded_numbers(numbers_of(one["dose"], "numeric"), numbers_of(other["dose"], "numeric"), "numeric")
    common = common_labels((frame["ward"].to_numpy(), None) for frame in (one, other))
    wards = coded_labels(one["ward"].to_numpy(), other["ward"].to_numpy(), common)
    frames = [pd.DataFrame({"dose": numbers.column(side), "ward": wards.column(side)}) for side in (0, 1)]
    definition = DataDefinition(numerical_columns=["dose"], categorical_columns=["ward"])
    tables = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    metrics = [ValueDrift(column="dose", method="wasserstein"), ValueDrift(column="ward", method="jensenshannon")]
    found = Report(metrics).run(tables[1], tables[0]).dict()["metrics"]
    assert score(compared, "dose").value == pytest.approx(float(found[0]["value"]), rel=1e-12)
    assert score(compared, "ward").value == pytest.approx(float(found[1]["value"]), rel=1e-12)
    assert [metric["config"]["threshold"] for metric in found] == [WASSERSTEIN.threshold, JENSEN_SHANNON.threshold]


def test_methods_are_called_what_evidently_calls_them() -> None:
    from evidently.legacy.calculations.stattests import jensenshannon_stat_test, wasserstein_stat_test

    for ours, theirs in ((WASSERSTEIN, wasserstein_stat_test), (JENSEN_SHANNON, jensenshannon_stat_test)):
        assert (ours.key, ours.title, ours.threshold) == (theirs.name, theirs.display_name, theirs.default_threshold)


def test_the_share_is_that_of_the_rows_that_drift(compared: Comparison) -> None:
    share = compared.figures["drift.share.holdout_production/all"]
    assert share.value == pytest.approx(sum(row["drifted"] for row in compared.rows) / 6)
    assert share.low is not None
    assert share.low <= share.value <= share.high
    assert {row["column"] for row in compared.rows if row["drifted"]} == {"dose", "smoker"}
    assert "6 columns" in share.method


def test_a_row_says_all_about_its_column(compared: Comparison) -> None:
    row = next(row for row in compared.rows if row["column"] == "smoker")
    assert (row["comparison"], row["kind"]) == ("holdout_production", "boolean")
    assert (row["method"], row["threshold"]) == ("Jensen-Shannon distance", 0.1)
    assert row["n_reference"] == int(table(1200, 1)["smoker"].notna().sum())
    assert row["missing_reference"] == pytest.approx(0.02, abs=0.011)
    assert (row["score"], row["low"], row["high"]) == (
        (figure := score(compared, "smoker")).value,
        figure.low,
        figure.high,
    )


def test_a_shift_is_sized_within_its_interval(compared: Comparison) -> None:
    """A dose that is one higher for everybody lies 1 / sd away."""
    figure = score(compared, "dose")
    truth = 1 / math.sqrt((math.exp(0.25) - 1) * math.exp(2 + 0.25))
    assert figure.low <= truth <= figure.high
    assert figure.low > 0.1


def test_equal_tables_have_no_distance_and_columns_keep_their_scores_in_any_order_and_unit() -> None:
    one, other = table(400, 3), table(300, 4, shift=0.3)
    plain = compare(one, other, names=NAMES, kinds=KINDS, drawn=False)
    small = compare(
        one.assign(dose=one["dose"] * 1e-7).iloc[::-1].reset_index(drop=True),
        other.assign(dose=other["dose"] * 1e-7).iloc[::-1].reset_index(drop=True),
        names=NAMES,
        kinds=dict(reversed(KINDS.items())),
        drawn=False,
    )
    for name, figure in plain.figures.items():
        assert small.figures[name].value == pytest.approx(figure.value, rel=1e-6)
        if "dose" not in name:
            assert small.figures[name].n == figure.n
    same = compare(one, one, names=NAMES, kinds=KINDS, drawn=False)
    assert all(figure.value == 0.0 == figure.low for figure in same.figures.values())


def test_the_same_seed_gives_the_same_bytes(compared: Comparison) -> None:
    again = compare(table(1200, 1), table(900, 2, shift=1.0), names=NAMES, kinds=KINDS, seed=5)
    assert again.figures == compared.figures
    assert again.html == compared.html


@pytest.fixture(scope="module")
def awkward() -> Comparison:
    """Columns that nothing can be said of, beside one that is fine."""
    rows = 400
    one, other = table(rows, 6)[["age"]], table(rows, 7)[["age"]]
    for frame, name in ((one, "old"), (other, "new")):
        frame["nothing"] = np.nan
        frame["empty"] = np.full(rows, np.nan, dtype=object)
        frame["fixed"] = 3.0
        frame["broke"] = 3.0 if name == "old" else 4.0
        frame["note"] = np.array([f"{name} story number {i}" for i in range(rows)], dtype=object)
        frame["few"] = np.where(np.arange(rows) < LEAST_ROWS - 1, 1.0 * np.arange(rows), np.nan)
        frame["ward"] = np.array(["east"] * rows, dtype=object)
        frame["sparse"] = np.where(np.arange(rows) < 9, np.arange(rows) * 1.0, 0.0) if name == "old" else np.arange(rows) * 1.0
    one["gone"] = 1.0
    other.loc[:100, "ward"] = "hospice"
    kinds = {str(name): "numeric" for name in one} | {"empty": "categorical", "note": "categorical", "ward": "categorical"}
    return compare(one, other, names=NAMES, kinds=kinds)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("nothing", "no value in the holdout table"),
        ("empty", "no value in the holdout table"),
        ("few", "fewer than 50 values in the holdout table"),
        ("gone", "the production table lacks this column"),
        ("note", "most holdout rows carry labels that too few people share for them to be told"),
    ],
)
def test_what_cannot_be_measured_says_why(awkward: Comparison, column: str, reason: str) -> None:
    figure = score(awkward, column)
    assert (figure.status, figure.reason, figure.n) == ("insufficient", reason, None)
    row = next(row for row in awkward.rows if row["column"] == column)
    assert (row["score"], row["drifted"], row["reason"], row["n_reference"]) == (None, None, reason, None)


def test_a_constant_has_not_drifted_until_it_changes(awkward: Comparison) -> None:
    assert score(awkward, "fixed").value == 0.0
    assert score(awkward, "broke").value == pytest.approx(math.sqrt(math.log(2)))
    assert score(awkward, "broke").low > 0.1


def test_a_column_that_hardly_varied_and_now_does_is_found(awkward: Comparison) -> None:
    """The Wasserstein distance has no scale there: it is measured by its values."""
    assert score(awkward, "sparse").low > 0.1
    assert "drift.jensen_shannon.holdout_production/sparse" in awkward.figures


def test_a_new_category_is_found(awkward: Comparison) -> None:
    assert score(awkward, "ward").low > 0.1


def test_columns_that_were_not_measured_are_no_part_of_the_share(awkward: Comparison) -> None:
    share = awkward.figures["drift.share.holdout_production/all"]
    assert share.value == pytest.approx(3 / 5)


def test_one_row_is_too_few_to_say_anything() -> None:
    found = compare(table(300, 8), table(1, 9), names=NAMES, kinds=KINDS)
    assert {figure.status for figure in found.figures.values()} == {"insufficient"}
    assert found.html == ""


def test_an_empty_table_and_bad_names_are_refused() -> None:
    with pytest.raises(InputError, match="the production table has no rows"):
        compare(table(300, 8), table(0, 9), names=NAMES, kinds=KINDS)
    for names in (("a", "a"), ("Source", "holdout"), ("a_b", "c"), ("<b>", "c")):
        with pytest.raises(InputError, match="two different names"):
            compare(table(60, 8), table(60, 9), names=names, kinds=KINDS)


def covered(seed: int, *, shift: float, per_subject: int, rows: tuple[int, int] = (400, 250)) -> tuple[bool, bool, float]:
    """Whether the interval holds the truth for a number and for a label, and its half width on the label."""
    rng = np.random.default_rng([77, seed])
    numbers, labels, whose = [], [], []
    for side, count in enumerate(rows):
        people = -(-count // per_subject)
        who = np.repeat(np.arange(people), per_subject)[:count]
        level = rng.normal(size=people)[who] * math.sqrt(0.8) + rng.normal(size=count) * math.sqrt(0.2)
        numbers.append(level + shift * side)
        labels.append(np.where(level < -0.3 - 0.5 * shift * side, "a", "b").astype(object))
        whose.append(None if per_subject == 1 else who)
    subjects = (whose[0], whose[1])
    number = coded_numbers(numbers[0], numbers[1], "numeric", subjects)
    label = coded_labels(labels[0], labels[1], frozenset("ab"))
    margin = margins({"n": (number, WASSERSTEIN), "l": (label, JENSEN_SHANNON)}, subjects, rng, 0.95, 40)
    found = wasserstein_distance(*(number.column(side).astype(float) for side in (0, 1))) / scale_of(number)
    from scipy.stats import norm

    truth = [np.array([norm.cdf(cut), 1 - norm.cdf(cut)]) for cut in (-0.3, -0.3 - 0.5 * shift)]
    shares = [np.array([(x == "a").mean(), (x == "b").mean()]) for x in labels]
    return (
        abs(found - shift) <= margin["n"],
        abs(jensenshannon(*shares) - jensenshannon(*truth)) <= margin["l"],
        margin["l"],
    )


@pytest.mark.slow
@pytest.mark.parametrize("per_subject", [1, 5])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_intervals_hold_the_truth(shift: float, per_subject: int) -> None:
    """At least 95 in a hundred, for equal and for different populations, with rows by patient too."""
    hits = np.array([covered(seed, shift=shift, per_subject=per_subject)[:2] for seed in range(100)])
    assert hits.mean(axis=0).min() >= 0.92


def test_several_rows_of_a_patient_widen_the_interval() -> None:
    alone = np.mean([covered(seed, shift=0.0, per_subject=1)[2] for seed in range(10)])
    together = np.mean([covered(seed, shift=0.0, per_subject=5)[2] for seed in range(10)])
    assert together > 1.4 * alone
