"""TSTR, TRTR, TRTS, augmentation and the trivial baseline, each held to what scikit-learn gives by hand."""

import numpy as np
import pytest
from patients import patient_study, patients
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.svm import LinearSVC

import synthml
from synthml.errors import InputError
from synthml.settings import MeasureSettings
from synthml.utility.preparation import prepared
from synthml.utility.protocols import predict, run_protocols

FAST = MeasureSettings(learners=False, replicates=200, drift=False)


@pytest.fixture(scope="module")
def study():
    return patient_study()


@pytest.fixture(scope="module")
def outcomes(study):
    return run_protocols(study, LogisticRegression(max_iter=1000), seed=3, settings=FAST)


def by_hand(study, train, test):
    X = study.features(train)
    model = prepared(LogisticRegression(max_iter=1000), X, rare_below=10).fit(X, study.target(train))
    return study.target(test), model.predict_proba(study.features(test))[:, 1]


@pytest.mark.parametrize(
    ("protocol", "train", "test"),
    [("tstr", "synthetic", "holdout"), ("trtr", "source", "holdout"), ("trts", "source", "synthetic")],
)
def test_each_protocol_trains_and_tests_on_the_tables_in_its_name(study, outcomes, protocol, train, test):
    truth, score = by_hand(study, train, test)
    np.testing.assert_allclose(outcomes.by_protocol[protocol].score, score)
    np.testing.assert_array_equal(outcomes.by_protocol[protocol].truth, truth)


def test_augmentation_trains_on_source_and_synthetic_together(study, outcomes):
    augmented = outcomes.by_protocol["augmented"].score
    assert not np.allclose(augmented, outcomes.by_protocol["trtr"].score)
    assert augmented.shape == outcomes.by_protocol["tstr"].score.shape


def test_the_trivial_baseline_says_the_prevalence_of_the_synthetic_table(study, outcomes):
    assert set(outcomes.by_protocol["trivial"].score) == {study.target("synthetic").mean()}


def test_figures_agree_with_scikit_learn(study):
    dossier = synthml.measure(study, model=LogisticRegression(max_iter=1000), kinds=["utility"], seed=3, settings=FAST)
    truth, score = by_hand(study, "synthetic", "holdout")
    for name, expected in (
        ("auroc", roc_auc_score(truth, score)),
        ("brier", brier_score_loss(truth, score)),
        ("log_loss", log_loss(truth, score)),
    ):
        assert dossier.figures[f"utility.{name}.tstr/all"].value == pytest.approx(expected)


def test_the_threshold_never_sees_a_holdout_row():
    a, b = (patient_study(seed=1) for _ in range(2))
    spoiled = synthml.Study(
        schema=b.schema, source=b.frame("source"), synthetic=b.frame("synthetic"), holdout=patients(1500, 99, first_subject=10**6)
    )
    thresholds = [
        run_protocols(s, LogisticRegression(max_iter=1000), seed=3, settings=FAST).models["tstr"].threshold for s in (a, spoiled)
    ]
    assert thresholds[0] == thresholds[1]


def test_equal_seeds_give_equal_evidence_byte_for_byte(study):
    documents = [
        synthml.measure(study, model=LogisticRegression(max_iter=1000), seed=5, settings=FAST).to_json() for _ in range(2)
    ]
    assert documents[0] == documents[1]


def test_the_order_of_the_rows_of_a_subject_table_does_not_matter_to_the_interval():
    study = patient_study(per_subject=3)
    shuffled = study.frame("holdout").sample(frac=1, random_state=0)
    again = synthml.Study(schema=study.schema, synthetic=study.frame("synthetic"), source=study.frame("source"), holdout=shuffled)
    a, b = (
        synthml.measure(s, model=LogisticRegression(max_iter=1000), kinds=["utility"], settings=FAST).figures[
            "utility.auroc.loss/all"
        ]
        for s in (study, again)
    )
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_several_rows_of_a_patient_widen_the_interval():
    rows = patients(1500, 5)
    tripled = synthml.Study(
        schema=synthml.Schema(target="ill", positive=1, subject="person"),
        synthetic=patients(1500, 6),
        holdout=rows.loc[rows.index.repeat(3)].assign(person=lambda t: t["person"] + 10**6),
    )
    plain = synthml.Study(
        schema=synthml.Schema(target="ill", positive=1),
        synthetic=patients(1500, 6).drop(columns="person"),
        holdout=rows.loc[rows.index.repeat(3)].drop(columns="person"),
    )
    clustered, naive = (
        synthml.measure(s, model=LogisticRegression(max_iter=1000), kinds=["utility"], settings=FAST).figures[
            "utility.auroc.tstr/all"
        ]
        for s in (tripled, plain)
    )
    ratio = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert ratio == pytest.approx(np.sqrt(3), rel=0.02)


def test_regression_agrees_with_scikit_learn():
    tables = {
        role: patients(1200, seed, first_subject=first).drop(columns="ill")
        for role, seed, first in (("source", 1, 0), ("synthetic", 2, 0), ("holdout", 3, 10**6))
    }
    study = synthml.Study(
        schema=synthml.Schema(target="marker", task="regression", sensitive=["sex"], subject="person"), **tables
    )
    dossier = synthml.measure(study, model=LinearRegression(), settings=FAST)
    X = study.features("synthetic")
    model = prepared(LinearRegression(), X, rare_below=10).fit(X, study.target("synthetic"))
    said, truth = model.predict(study.features("holdout")), study.target("holdout")
    assert dossier.figures["utility.mae.tstr/all"].value == pytest.approx(mean_absolute_error(truth, said))
    assert dossier.figures["utility.r2.tstr/all"].value == pytest.approx(r2_score(truth, said))
    assert dossier.figures["utility.rmse.tstr/sex:F"].ok


def test_several_classes_agree_with_scikit_learn():
    tables = {
        role: patients(1500, seed, first_subject=first)
        for role, seed, first in (("source", 1, 0), ("synthetic", 2, 0), ("holdout", 3, 10**6))
    }
    study = synthml.Study(schema=synthml.Schema(target="site", task="multiclass", sensitive=["sex"], subject="person"), **tables)
    dossier = synthml.measure(study, model=LogisticRegression(max_iter=1000), settings=FAST)
    X = study.features("synthetic")
    model = prepared(LogisticRegression(max_iter=1000), X, rare_below=10).fit(X, study.target("synthetic"))
    proba = model.predict_proba(study.features("holdout"))
    expected = roc_auc_score(study.target("holdout"), proba, multi_class="ovr", average="macro")
    assert dossier.figures["utility.macro_auroc.tstr/all"].value == pytest.approx(expected)
    assert dossier.figures["utility.log_loss.tstr/all"].value == pytest.approx(log_loss(study.target("holdout"), proba))


def test_a_classifier_without_probabilities_is_refused_with_the_remedy(study):
    with pytest.raises(InputError, match="CalibratedClassifierCV"):
        run_protocols(study, LinearSVC(), seed=0, settings=FAST)


def test_predictions_that_are_no_numbers_are_refused(study):
    with pytest.raises(InputError, match="not finite"):
        predict(lambda X: np.full(len(X), np.nan), study.features("holdout"), "binary", 2)
    with pytest.raises(InputError, match="between 0 and 1"):
        predict(lambda X: np.full(len(X), 2.0), study.features("holdout"), "binary", 2)
    with pytest.raises(InputError, match="predictions for"):
        predict(lambda X: np.zeros(3), study.features("holdout"), "binary", 2)


def test_a_callable_is_a_model():
    study = patient_study(600)

    def train(X, y):
        mean = y[X["sex"].to_numpy() == "F"].mean()
        return lambda rows: np.where(rows["sex"] == "F", mean, 1 - mean)

    dossier = synthml.measure(study, model=train, kinds=["utility"], settings=FAST)
    assert dossier.figures["utility.auroc.tstr/all"].ok


def test_a_missing_role_leaves_out_what_needs_it_and_says_so():
    full = patient_study(600)
    alone = synthml.Study(schema=full.schema, synthetic=full.frame("synthetic"), holdout=full.frame("holdout"))
    dossier = synthml.measure(alone, model=LogisticRegression(max_iter=1000), settings=FAST)
    assert dossier.figures["utility.auroc.tstr/all"].ok
    assert "utility.auroc.loss/all" not in dossier.figures
    assert any("source" in note for note in dossier.notes)
    blind = synthml.Study(schema=full.schema, synthetic=full.frame("synthetic"))
    empty = synthml.measure(blind, model=LogisticRegression(), settings=FAST)
    assert empty.kinds == ("quality",), "nothing but the table itself can be looked at"
    assert any("holdout" in note for note in empty.notes)


def test_an_unknown_kind_is_refused(study):
    with pytest.raises(InputError, match="no evidence of kind 'utlity'"):
        synthml.measure(study, model=LogisticRegression(), kinds=["utlity"])
