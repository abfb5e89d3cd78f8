"""The evidence of kind "subgroups": figures equal fairlearn's, small groups stay hidden, every task is handled."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, equalized_odds_difference, selection_rate
from scipy.special import expit, softmax
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from synthml.estimate import Estimate
from synthml.evidence import Dossier, Evidence
from synthml.metrics import Outcome, metrics_for
from synthml.study import Schema, Study
from synthml.study.schema import MinimumCell
from synthml.subgroups import measure_subgroups
from synthml.subgroups.measure import rows_needed

THRESHOLD = 0.35


def table(n: int = 3000, seed: int = 0, small: int = 0) -> pd.DataFrame:
    """Rows with a sex, a region of four, and, when asked, a region of `small` rows."""
    rng = np.random.default_rng(seed)
    region = rng.choice(["north", "south", "east", "west"], n, p=[0.4, 0.3, 0.2, 0.1])
    region[:small] = "isle"
    frame = pd.DataFrame(
        {"x0": rng.standard_normal(n), "x1": rng.standard_normal(n), "region": region, "sex": rng.choice(["F", "M"], n)}
    )
    frame["y"] = (rng.random(n) < expit(frame["x0"] - 0.5)).astype(int)
    frame["person"] = np.arange(n) // 2
    return frame


def binary(frame: pd.DataFrame, *, subject: bool = False, seed: int = 1, **schema: object) -> tuple[Study, dict[str, Outcome]]:
    given = {"sensitive": ["region", "sex"], "intersections": [["region", "sex"]], **schema}
    columns = ["x0", "x1", "region", "sex"]
    study = Study(
        Schema(target="y", task="binary", positive=1, features=columns, subject="person" if subject else None, **given),
        holdout=frame if subject else frame.drop(columns="person"),
    )
    rng = np.random.default_rng(seed)
    scores = {
        name: expit(frame["x0"] - 0.5 + s * rng.standard_normal(len(frame))).to_numpy()
        for name, s in (("tstr", 0.6), ("trtr", 0.3))
    }
    y, who = study.target("holdout"), study.subjects("holdout")
    return study, {name: Outcome("binary", y, score, THRESHOLD, who) for name, score in scores.items()}


@pytest.fixture(scope="module")
def measured() -> tuple[pd.DataFrame, dict[str, Outcome], Evidence]:
    frame = table(small=70)
    study, outcomes = binary(frame)
    return frame, outcomes, measure_subgroups(study, outcomes, seed=0)


def test_point_estimates_in_every_group_are_those_of_fairlearns_metric_frame(measured):
    frame, outcomes, evidence = measured
    by_call = {
        "accuracy": accuracy_score,
        "sensitivity": recall_score,
        "specificity": lambda y, p: recall_score(y, p, pos_label=0),
        "ppv": precision_score,
        "selection_rate": selection_rate,
    }
    by_score = {
        "auroc": roc_auc_score,
        "average_precision": average_precision_score,
        "brier": brier_score_loss,
        "log_loss": log_loss,
    }
    for protocol, outcome in outcomes.items():
        for metrics, said in ((by_call, outcome.decision), (by_score, outcome.score)):
            for columns in (["region"], ["sex"], ["region", "sex"]):
                theirs = MetricFrame(
                    metrics=metrics, y_true=outcome.truth, y_pred=said, sensitive_features=frame[columns]
                ).by_group
                for labels, row in theirs.iterrows():
                    pairs = zip(columns, labels if isinstance(labels, tuple) else (labels,), strict=True)
                    of = " ".join(f"{column}:{label}" for column, label in pairs)
                    for metric, value in row.items():
                        ours = evidence.figures[f"utility.{metric}.{protocol}/{of}"]
                        if ours.ok:
                            assert ours.value == pytest.approx(value), (metric, of)
                        else:
                            assert "isle" in of or "region" in of
    assert evidence.figures["utility.auroc.tstr/sex:F"].ok


def test_losses_and_disparities_are_those_of_the_figures(measured):
    frame, outcomes, evidence = measured
    figures = evidence.figures
    loss = figures["utility.auroc.trtr/sex:F"].value - figures["utility.auroc.tstr/sex:F"].value
    assert figures["utility.auroc.loss/sex:F"].value == pytest.approx(loss)
    assert "utility.selection_rate.loss/sex:F" not in figures
    sexes = [figures[f"utility.brier.tstr/sex:{sex}"].value for sex in "FM"]
    assert figures["disparity.brier.tstr.difference/sex"].value == pytest.approx(max(sexes) - min(sexes))
    assert figures["disparity.brier.tstr.ratio/sex"].value == pytest.approx(min(sexes) / max(sexes))
    assert figures["disparity.brier.tstr.worst/sex"].value == pytest.approx(max(sexes))
    theirs = equalized_odds_difference(outcomes["tstr"].truth, outcomes["tstr"].decision, sensitive_features=frame["sex"])
    assert figures["disparity.equalized_odds.tstr.difference/sex"].value == pytest.approx(theirs)
    assert not [name for name in figures if name.startswith("disparity.ece")]


def test_the_worst_group_is_named_in_table_and_method(measured):
    _, _, evidence = measured
    row = next(r for r in evidence.tables["disparities"] if (r["of"], r["metric"], r["protocol"]) == ("sex", "auroc", "tstr"))
    figure = evidence.figures["disparity.auroc.tstr.worst/sex"]
    assert figure.method.startswith(f"sex:{row['worst_group']};")
    assert "over 2 of 2 groups" in figure.method
    assert (row["worst"], row["worst_low"], row["worst_high"]) == (figure.value, figure.low, figure.high)
    assert row["difference_low"] <= row["difference_corrected"] <= row["difference"] <= row["difference_high"]


def test_a_small_group_is_insufficient_everywhere_and_its_counts_stand_nowhere():
    """77 rows of one region: neither that number, nor its events, nor what is left of the total, stands in any figure or row."""
    frame = table(seed=3, small=77)
    study, outcomes = binary(frame, intersections=[])
    evidence = measure_subgroups(study, outcomes, seed=0)
    hidden = {name: figure for name, figure in evidence.figures.items() if name.endswith("/region:isle")}
    assert len(hidden) == 15 * 3 - 1
    for figure in hidden.values():
        assert figure.status == "insufficient"
        assert figure.n is None
        assert "smaller than the minimum cell of 100 rows and 20 of either outcome" in figure.reason
    second = [f for name, f in evidence.figures.items() if name.startswith("utility.auroc.tstr/region:") and not f.ok]
    assert sorted(f.reason.split()[0] for f in second) == ["smaller", "withheld"]
    events = int(frame.loc[frame["region"] == "isle", "y"].sum())
    for row in evidence.tables["subgroups"]:
        if row["group"] == "isle":
            assert row["n"] is row["events"] is row["value"] is row["low"] is row["high"] is row["rows_needed"] is None
        assert row["n"] not in (77, len(frame) - 77)
    counts = {figure.n for figure in evidence.figures.values()}
    assert not counts & {77, events, 77 - events, len(frame) - 77}
    assert "77" not in " ".join(evidence.notes)


def test_a_column_with_one_group_to_show_has_no_disparity():
    frame = table(seed=4)
    frame["sex"] = np.where(np.arange(len(frame)) < 40, "F", "M")
    study, outcomes = binary(frame, sensitive=["sex"], intersections=[])
    evidence = measure_subgroups(study, outcomes, seed=0)
    figure = evidence.figures["disparity.auroc.tstr.difference/sex"]
    assert figure.status == "insufficient"
    assert "fewer than two groups" in figure.reason


def test_a_figure_that_a_group_lacks_is_insufficient_with_the_reason_and_left_out_of_the_disparity():
    frame = table(seed=5)
    study, outcomes = binary(frame, intersections=[])
    score = np.where(frame["region"] == "west", 0.01, outcomes["tstr"].score)
    evidence = measure_subgroups(study, {"tstr": Outcome("binary", outcomes["tstr"].truth, score, THRESHOLD)}, seed=0)
    assert evidence.figures["utility.ppv.tstr/region:west"].reason == "nobody is called at this threshold"
    assert "over 3 of 4 groups" in evidence.figures["disparity.ppv.tstr.difference/region"].method
    assert "over 4 of 4 groups" in evidence.figures["disparity.npv.tstr.difference/region"].method


def test_without_a_real_trained_model_there_are_no_losses(measured):
    frame = table(small=70)
    study, outcomes = binary(frame)
    alone = measure_subgroups(study, {"tstr": outcomes["tstr"]}, seed=0)
    assert not [name for name in alone.figures if ".loss/" in name or ".trtr/" in name]
    assert {row["protocol"] for row in alone.tables["subgroups"]} == {"tstr"}
    both = measured[2]
    same = "utility.accuracy.tstr/sex:F"
    assert alone.figures[same] == both.figures[same]


def test_the_evidence_is_a_document(measured):
    dossier = Dossier({}).adding(measured[2])
    again = Dossier.from_json(dossier.to_json())
    assert again.to_json() == dossier.to_json()
    assert set(dossier.tables) >= {"subgroups", "disparities"}
    assert dossier.kinds == ("subgroups",)


def test_equal_seeds_give_equal_evidence_and_row_order_changes_only_the_drawing():
    frame = table(1200, seed=6)
    study, outcomes = binary(frame, intersections=[])
    first = measure_subgroups(study, outcomes, seed=3)
    assert measure_subgroups(study, outcomes, seed=3) == first
    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = Study(study.schema, holdout=frame.drop(columns="person").iloc[order])
    moved = {name: Outcome("binary", o.truth[order], o.score[order], THRESHOLD) for name, o in outcomes.items()}
    again = measure_subgroups(shuffled, moved, seed=3)
    for name, figure in first.figures.items():
        if figure.ok and not name.startswith("disparity") and ".ece." not in name:
            assert again.figures[name].low == pytest.approx(figure.low), name


def test_subjects_with_alike_rows_widen_every_interval():
    frame = table(2000, seed=7)
    frame["sex"] = np.where(frame["person"] % 2, "F", "M")
    twice = pd.concat([frame.iloc[:1000].assign(person=np.arange(1000))] * 2, ignore_index=True)
    alone, outcomes = binary(twice, sensitive=["sex"], intersections=[])
    by_subject, clustered = binary(twice, subject=True, sensitive=["sex"], intersections=[])
    clustered = {
        name: Outcome("binary", o.truth, np.tile(outcomes[name].score[:1000], 2), THRESHOLD, o.clusters)
        for name, o in clustered.items()
    }
    outcomes = {name: Outcome("binary", o.truth, np.tile(o.score[:1000], 2), THRESHOLD) for name, o in outcomes.items()}
    narrow = measure_subgroups(alone, outcomes, seed=0).figures
    wide = measure_subgroups(by_subject, clustered, seed=0).figures
    for name in ("utility.auroc.tstr/sex:F", "utility.sensitivity.tstr/sex:F", "utility.brier.loss/sex:F"):
        gain = (wide[name].high - wide[name].low) / (narrow[name].high - narrow[name].low)
        assert gain == pytest.approx(np.sqrt(2), rel=0.06), name
    for name in ("disparity.sensitivity.tstr.difference/sex", "disparity.auroc.tstr.difference/sex"):
        assert wide[name].high > 1.15 * narrow[name].high - 0.15 * narrow[name].value


def test_a_regression_is_measured_in_every_group():
    frame = table(1500, seed=8).drop(columns="person")
    rng = np.random.default_rng(1)
    frame["y"] = frame["x0"] + rng.standard_normal(len(frame))
    study = Study(Schema(target="y", task="regression", features=["x0", "x1"], sensitive=["region", "sex"]), holdout=frame)
    y = study.target("holdout")
    outcomes = {name: Outcome("regression", y, frame["x0"].to_numpy() * share) for name, share in (("tstr", 0.5), ("trtr", 0.95))}
    evidence = measure_subgroups(study, outcomes, seed=0)
    men = (frame["sex"] == "M").to_numpy()
    assert evidence.figures["utility.r2.tstr/sex:M"].value == pytest.approx(r2_score(y[men], outcomes["tstr"].score[men]))
    assert evidence.figures["utility.r2.loss/sex:M"].value > 0
    for metric in metrics_for("regression"):
        assert evidence.figures[f"disparity.{metric.name}.tstr.difference/region"].ok
    assert "disparity.r2.tstr.ratio/region" not in evidence.figures
    rows = evidence.tables["subgroups"]
    assert {row["events"] for row in rows} == {None}
    assert all(row["rows_needed"] is None for row in rows if row["metric"] in ("mae", "rmse"))
    assert {row["measure"] for row in evidence.tables["slices"]} == {"squared_error"}


def test_several_classes_are_measured_in_every_group():
    frame = table(1800, seed=9).drop(columns="person")
    rng = np.random.default_rng(1)
    signal = np.stack([frame["x0"], frame["x1"], np.zeros(len(frame))], axis=1)
    frame["y"] = np.array(["a", "b", "c"])[(signal + rng.gumbel(size=signal.shape)).argmax(axis=1)]
    study = Study(Schema(target="y", task="multiclass", features=["x0", "x1"], sensitive=["sex"]), holdout=frame)
    y = study.target("holdout")
    outcomes = {name: Outcome("multiclass", y, softmax(signal * share, axis=1)) for name, share in (("tstr", 0.5), ("trtr", 1.0))}
    evidence = measure_subgroups(study, outcomes, seed=0)
    women = (frame["sex"] == "F").to_numpy()
    assert evidence.figures["utility.accuracy.tstr/sex:F"].value == pytest.approx((outcomes["tstr"].decision == y)[women].mean())
    for metric in ("macro_auroc", "macro_f1", "accuracy", "log_loss"):
        assert evidence.figures[f"disparity.{metric}.tstr.difference/sex"].ok
        assert evidence.figures[f"disparity.{metric}.tstr.ratio/sex"].ok
    assert "disparity.equalized_odds.tstr.difference/sex" not in evidence.figures


def test_without_sensitive_columns_only_slices_are_looked_for():
    study, outcomes = binary(table(1500, seed=10), sensitive=[], intersections=[])
    evidence = measure_subgroups(study, outcomes, seed=0)
    assert not evidence.figures
    assert any("no sensitive column" in note for note in evidence.notes)
    assert set(evidence.tables) <= {"slices"}


def test_without_a_synthetic_trained_model_nothing_is_measured():
    study, _ = binary(table(500, seed=11))
    evidence = measure_subgroups(study, {}, seed=0)
    assert not evidence.figures
    assert evidence.notes


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.02, -0.04, 0.08, 4000),  # half width 0.06, distance 0.03: four times the rows
        (0.08, 0.04, 0.12, 1800),  # half width towards the margin 0.04, distance 0.03: 16/9 of the rows, rounded up
        (0.00, -0.02, 0.02, None),  # decided: below the margin
        (0.09, 0.06, 0.12, None),  # decided: above
        (0.05, 0.02, 0.08, None),  # at the margin no number of rows decides
    ],
)
def test_rows_that_would_decide_a_loss(value: float, low: float, high: float, expected: int | None):
    """Each line: a loss of 1,000 rows with its interval, and the rows that a margin of 0.05 would need."""
    assert rows_needed(Estimate(value, low, high, n=1000), 0.05) == expected


def test_rows_needed_stand_with_losses_that_straddle_the_margin(measured):
    for row in measured[2].tables["subgroups"]:
        if row["protocol"] == "loss" and row["value"] is not None and abs(row["value"] - 0.05) > 1e-6:
            assert (row["rows_needed"] is not None) == (row["low"] <= 0.05 < row["high"])
        else:
            assert row["rows_needed"] is None


def test_nothing_of_a_planted_canary_reaches_the_evidence():
    frame = table(2500, seed=12)
    frame["region"] = frame["region"].astype(object)
    frame.loc[:2, "region"] = "CanaryRegion"
    frame["note"] = np.where(np.arange(len(frame)) == 5, "CanaryNote", "none")
    frame["amount"] = np.where(np.arange(len(frame)) == 9, 987654.321, np.round(frame["x1"], 2))
    study = Study(
        Schema(target="y", task="binary", positive=1, sensitive=["region", "sex"], intersections=[["region", "sex"]]),
        holdout=frame.drop(columns="person"),
    )
    _, outcomes = binary(frame)
    written = json.dumps(Dossier({}).adding(measure_subgroups(study, outcomes, seed=0)).to_dict())
    assert "Canary" not in written
    assert "987654" not in written


def test_the_minimum_cell_of_the_schema_counts():
    frame = table(1500, seed=13)
    study, outcomes = binary(frame, sensitive=["region"], intersections=[], minimum_cell=MinimumCell(rows=400, events=20))
    hidden = [
        f
        for name, f in measure_subgroups(study, outcomes, seed=0).figures.items()
        if name.startswith("utility.auroc.tstr/") and not f.ok
    ]
    assert len(hidden) == 2
    assert all("400 rows" in f.reason for f in hidden)
