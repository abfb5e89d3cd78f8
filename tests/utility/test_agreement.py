"""Do learners keep their order, and do the two models explain alike? Held to scipy, and to models whose answer is known."""

import numpy as np
import pytest
from patients import patient_study
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.linear_model import LogisticRegression

import synthml
from synthml.settings import MeasureSettings
from synthml.utility.learners import tau_b


@pytest.fixture(scope="module")
def dossier():
    return synthml.measure(patient_study(), model=LogisticRegression(max_iter=1000), kinds=["utility"], seed=2)


def test_kendalls_tau_of_draws_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    np.testing.assert_allclose(tau_b(a, b), [kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)])


def test_rank_agreement_is_kendalls_tau_of_the_learners_table(dossier):
    table = dossier.tables["learners"]
    order = {p: [r["value"] for r in table if r["protocol"] == p] for p in ("tstr", "trtr")}
    assert len(order["tstr"]) >= 5
    figure = dossier.figures["learners.rank_agreement/all"]
    assert figure.value == pytest.approx(kendalltau(order["tstr"], order["trtr"]).statistic)
    assert -1 <= figure.low <= figure.value <= figure.high <= 1


def test_importance_agreement_is_spearmans_rho_of_the_importances_table(dossier):
    table = dossier.tables["importances"]
    expected = spearmanr([r["tstr"] for r in table], [r["trtr"] for r in table]).statistic
    assert dossier.figures["explain.importance_agreement/all"].value == pytest.approx(expected)


def test_the_feature_that_matters_is_found_and_noise_is_not(dossier):
    table = {row["feature"]: row for row in dossier.tables["importances"]}
    assert dossier.tables["importances"][0]["feature"] == "marker"
    assert table["marker"]["tstr_low"] > 0
    assert table["sex"]["tstr_low"] < 0.005


def test_the_same_model_twice_agrees_wholly():
    study = patient_study(900)
    same = synthml.Study(
        schema=study.schema, source=study.frame("source"), synthetic=study.frame("source"), holdout=study.frame("holdout")
    )
    settings = MeasureSettings(learners=False)
    dossier = synthml.measure(same, model=LogisticRegression(max_iter=1000), kinds=["utility"], settings=settings)
    assert dossier.figures["explain.decision_agreement/all"].value == 1
    assert dossier.figures["explain.score_agreement/all"].value == pytest.approx(1)
    assert dossier.figures["utility.auroc.loss/all"].value == 0


def test_score_agreement_is_pearsons_r_with_fishers_interval():
    study = patient_study(1500, per_subject=1)
    settings = MeasureSettings(learners=False)
    from synthml.utility.explain import _score_agreement
    from synthml.utility.protocols import run_protocols

    outcomes = run_protocols(study, LogisticRegression(max_iter=1000), seed=0, settings=settings).by_protocol
    figure = _score_agreement(outcomes["tstr"], outcomes["trtr"], 0.95)
    expected = pearsonr(outcomes["tstr"].score, outcomes["trtr"].score)
    assert figure.value == pytest.approx(expected.statistic)
    assert figure.low < figure.value < figure.high
