"""Tables whose rows belong to subjects: patients with several visits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthml.errors import InputError
from synthml.synthesis import CartSynthesizer


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """900 patients with 1 to 6 visits: frailty makes visits more frequent and pressure higher, and lasts; dates go forward."""
    rng = np.random.default_rng(0)
    frail = rng.random(900) < 0.3
    visits = np.where(frail, rng.integers(3, 7, 900), rng.integers(1, 4, 900))
    person = np.repeat(np.arange(900), visits)
    start = rng.integers(0, 300, 900)
    first = np.r_[True, np.diff(person) > 0]
    gaps = np.where(first, 0, rng.integers(10, 40, person.size))
    sums = np.cumsum(gaps)
    days = start[person] + sums - np.repeat(sums[first], visits)
    level = rng.normal(0, 8, 900)[person]
    return pd.DataFrame(
        {
            "patient": [f"P{p:04d}" for p in person],
            "frail": frail[person],
            "sex": rng.choice(["F", "M"], 900)[person],
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "pressure": (120 + 15 * frail[person] + level + rng.normal(0, 4, person.size)).round(),
            "ward": rng.choice(["A", "B", "C"], person.size),
        }
    )


@pytest.fixture(scope="module")
def synthetic(source: pd.DataFrame) -> pd.DataFrame:
    return CartSynthesizer(seed=1).fit(source, subject="patient").sample()


def test_synthetic_patients_are_new(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """As many patients as the source, none by a name that a real one has, each in one block of rows."""
    assert synthetic.patient.nunique() == 900
    assert not set(synthetic.patient) & set(source.patient)
    assert (synthetic.patient != synthetic.patient.shift()).sum() == 900


def test_numbers_of_visits_follow_the_patient(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """The frail have 4.5 visits and the others 2, in the source and in the synthetic table."""
    for frame in (source, synthetic):
        visits = frame.groupby("patient").agg(n=("sex", "size"), frail=("frail", "first"))
        assert visits.n[visits.frail].mean() == pytest.approx(4.5, abs=0.35)
        assert visits.n[~visits.frail].mean() == pytest.approx(2.0, abs=0.2)


def test_what_is_constant_in_real_patients_is_constant_in_synthetic_ones(synthetic: pd.DataFrame) -> None:
    """Sex and frailty do not change between visits; ward and pressure do."""
    different = synthetic.groupby("patient")[["sex", "frail", "ward", "pressure"]].nunique().max()
    assert different[["sex", "frail"]].tolist() == [1, 1]
    assert (different[["ward", "pressure"]] > 1).all()


def test_rows_of_one_patient_are_alike(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Pressure correlates between neighbouring and between distant visits of a patient as in the source; wards do not."""
    for lag in (1, 2):
        pairs = [frame.pressure.corr(frame.groupby("patient").pressure.shift(lag)) for frame in (source, synthetic)]
        assert pairs[0] > 0.6
        assert pairs[1] == pytest.approx(pairs[0], abs=0.15)


def test_dates_go_forward(source: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Visits stay in order, whole days apart, between 10 and 39 of them, within the source's years."""
    gaps = synthetic.groupby("patient").date.diff().dropna().dt.days
    assert gaps.min() >= 0
    assert gaps.between(10, 39).mean() > 0.97
    assert (synthetic.date == synthetic.date.dt.normalize()).all()
    assert synthetic.date.between(source.date.min(), source.date.max()).all()


def test_a_wanted_number_of_rows_is_met_exactly(source: pd.DataFrame) -> None:
    """Any n gives n rows: fewer than one patient has, and more than the source has."""
    generator = CartSynthesizer().fit(source, subject="patient")
    for n in (1, 7, 4000):
        drawn = generator.sample(n)
        assert len(drawn) == n
        assert (drawn.patient != drawn.patient.shift()).sum() == drawn.patient.nunique()


def test_numeric_ids_stay_numbers_and_clear_of_the_sources(source: pd.DataFrame) -> None:
    """Ids 1 to 900 become 1001, 1002, ...: new, and no hint at the largest but its number of digits."""
    numbered = source.assign(patient=pd.factorize(source.patient)[0] + 1)
    drawn = CartSynthesizer().fit(numbered, subject="patient").sample(50)
    assert drawn.patient.dtype == numbered.patient.dtype
    assert drawn.patient.min() == 1001


def test_ids_that_are_64_bit_hashes_are_cleared_too(source: pd.DataFrame) -> None:
    """Where no larger round number fits, new ids stand where no source id does."""
    hashes = np.random.default_rng(3).integers(-(2**62), 2**62, 900)
    hashed = source.assign(patient=hashes[pd.factorize(source.patient)[0]])
    drawn = CartSynthesizer().fit(hashed, subject="patient").sample(50)
    assert not set(drawn.patient) & set(hashes)


def test_order_of_patients_in_the_source_may_be_mixed(source: pd.DataFrame) -> None:
    """Rows sorted by date instead of by patient are the same patients."""
    mixed = source.sort_values("date", kind="stable")
    drawn = CartSynthesizer(seed=1).fit(mixed, subject="patient").sample()
    assert drawn.groupby("patient").sex.nunique().max() == 1
    assert (drawn.groupby("patient").date.diff().dropna() >= pd.Timedelta(0)).all()


def test_one_row_per_patient_is_a_table_without_visits() -> None:
    """When every subject has one row, every column belongs to the subject."""
    rng = np.random.default_rng(2)
    source = pd.DataFrame({"id": np.arange(400), "x": rng.normal(size=400), "y": rng.choice(["a", "b"], 400)})
    drawn = CartSynthesizer().fit(source, subject="id").sample()
    assert len(drawn) == drawn.id.nunique() == 400


def test_rows_of_nobody_are_refused(source: pd.DataFrame) -> None:
    """A null subject is an error that says how many and where."""
    holes = source.astype({"patient": object}).copy()
    holes.loc[[4, 9], "patient"] = None
    with pytest.raises(InputError, match="'patient' is null in 2 rows, the first at position 4"):
        CartSynthesizer().fit(holes, subject="patient")


def test_few_patients_with_many_rows_are_few() -> None:
    """A thousand rows of nine patients are too few for leaves of ten patients."""
    source = pd.DataFrame({"id": np.arange(1000) % 9, "x": np.random.default_rng(0).normal(size=1000)})
    with pytest.raises(InputError, match="9 subjects, fewer than 10"):
        CartSynthesizer().fit(source, subject="id")
