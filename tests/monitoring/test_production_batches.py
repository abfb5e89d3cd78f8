"""A batch against the profile: untouched, drifted, small, broken, and with outcomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from recording.small_study import admissions, study, tables

from synthml import Dossier, Policy
from synthml.errors import InputError
from synthml.metrics import Outcome
from synthml.monitoring import (
    Profile,
    alert_markdown,
    decide_batch,
    measure_batch,
    read_batch,
    reference_profile,
    schema_of,
)
from synthml.subgroups import measure_subgroups
from synthml.utility.figures import figures as utility_figures

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = Policy.load("monitor-default")


def score(frame: pd.DataFrame) -> np.ndarray:
    """The truth of the small study, as a model that knows it would say."""
    known = 0.03 * (frame["age"].fillna(55) - 55) + 0.4 * (frame["lactate"].fillna(2) - 2) + 0.5 * (frame["ward"] == "oncology")
    return (1 / (1 + np.exp(-known))).to_numpy(dtype=np.float64)


@pytest.fixture(scope="module")
def proven():
    """The holdout of 2,000 persons: schema, profile, and the figures of its evidence."""
    given = study(tables(2000))
    outcome = Outcome("binary", given.target("holdout"), score(given.frame("holdout")), 0.5, given.subjects("holdout"))
    groups = measure_subgroups(given, {"tstr": outcome}, seed=0, replicates=100)
    figures = {**utility_figures({"tstr": outcome}), **groups.figures}
    schema = schema_of(json.loads(json.dumps(given.summary())))
    return schema, Profile.from_rows(reference_profile(given, outcome), schema.bins, schema.kinds), figures


def watch(proven, table, *, known=None):
    schema, profile, figures = proven
    batch = read_batch(table, schema, known or {})
    scores = score(batch.frame) if batch.complete else None
    found = measure_batch(batch, profile, figures, scores, why="columns are missing", threshold=0.5, classes=(0, 1))
    dossier = Dossier({}, datasets={"production": batch.facts()}, study={"task": "binary"}).adding(found)
    labelled = "utility.auroc.production/all" in found.figures
    return found, decide_batch(dossier, POLICY, now=NOW, labelled=labelled), dossier


def checks(found):
    return {row["check"] for row in found.tables.get("batch_checks", ())}


def test_an_untouched_batch_is_quiet_again_and_again(proven):
    """Forty batches of 600 persons: no alert, seldom undecided, and nothing beyond noise more often than it should."""
    beyond, quiet = 0, 0
    for seed in range(40):
        table = admissions(600, seed=100 + seed, first_person=10**7).drop(columns="readmitted")
        found, verdict, _ = watch(proven, table)
        assert verdict.outcome != "fail", str(verdict)
        quiet += verdict.outcome == "pass"
        columns = ("age", "sex", "ward", "lactate")
        beyond += sum(found.figures[f"drift.psi.holdout_production.excess/{name}"].low > 0 for name in columns)
    assert quiet >= 38
    assert beyond <= 11  # of 160, 2.5% are expected to be


def test_a_drifted_column_is_found_named_and_sized(proven):
    """Ward oncology doubled from a third to two thirds: the index is (1/3)(ln 2) + 2 (1/6)(ln 2) = 0.462."""
    table = admissions(3000, seed=5, first_person=10**7).drop(columns="readmitted")
    oncology = table["ward"] == "oncology"
    table = pd.concat([table[oncology], table[oncology].assign(person=lambda t: t["person"] + 10**6), table[~oncology]])
    others = table[table["ward"] != "oncology"].iloc[: int(oncology.sum())]
    table = pd.concat([table[table["ward"] == "oncology"], others])
    found, verdict, _ = watch(proven, table)
    share = 2 / 3
    expected = (share - 1 / 3) * np.log(share * 3) + 2 * (1 / 3 - 1 / 6) * np.log(2)
    figure = found.figures["drift.psi.holdout_production.excess/ward"]
    assert verdict.outcome == "fail"
    assert [(d.id, d.of) for d in verdict.failed if d.id == "feature-drift"] == [("feature-drift", "ward")]
    assert figure.low <= expected <= figure.high
    assert found.figures["drift.psi.holdout_production.excess/sex"].high < 0.05


def test_a_shift_of_numbers_has_a_direction(proven):
    table = admissions(1000, seed=6, first_person=10**7).drop(columns="readmitted")
    older, _, _ = watch(proven, table.assign(age=table["age"] + 15))
    younger, _, _ = watch(proven, table.assign(age=table["age"] - 15))
    side = [{row["column"]: row["direction"] for row in found.tables["production_columns"]}["age"] for found in (older, younger)]
    assert side[0] > 0.6
    assert side[1] < 0.4


@pytest.mark.parametrize("rows", [1, 12, 25])
def test_a_small_batch_does_not_alarm(proven, rows):
    table = admissions(rows, seed=9, first_person=10**7).drop(columns="readmitted")
    _, verdict, _ = watch(proven, table)
    assert verdict.outcome == "insufficient"


def test_nulls_and_unseen_labels_are_sized(proven):
    table = admissions(1000, seed=7, first_person=10**7).drop(columns="readmitted")
    table.loc[:299, "lactate"] = np.nan
    table.loc[:149, "ward"] = "Zarquon-ward"
    found, verdict, dossier = watch(proven, table)
    assert found.figures["drift.missing.holdout_production/lactate"].value == pytest.approx(0.3)
    unseen = found.figures["drift.unseen.holdout_production/ward"]
    assert unseen.value == pytest.approx(0.15)
    assert unseen.low > 0.12
    assert {"missing-values", "unseen-labels"} <= {d.id for d in verdict.failed}
    assert "new_categories" in checks(found)
    assert "Zarquon" not in dossier.to_json().decode()  # the label itself is told to nobody


def test_a_few_nulls_of_the_reference_make_no_alarm():
    """The reference keeps a small cell of nulls to itself; a batch with as many is no more than it could be."""
    given = tables(600)
    given["holdout"].loc[:14, "lactate"] = np.nan
    made = study(given)
    outcome = Outcome("binary", made.target("holdout"), score(made.frame("holdout")), 0.5, made.subjects("holdout"))
    schema = schema_of(made.summary())
    profile = Profile.from_rows(reference_profile(made, outcome), schema.bins, schema.kinds)
    table = admissions(600, seed=8, first_person=10**7).drop(columns="readmitted")
    table.loc[:14, "lactate"] = np.nan
    batch = read_batch(table, schema, {})
    found = measure_batch(batch, profile, {}, score(batch.frame), threshold=0.5).figures[
        "drift.missing.holdout_production/lactate"
    ]
    assert found.low <= 0 <= found.high


def test_a_batch_without_rows_is_a_finding(proven):
    table = admissions(10, seed=1).drop(columns="readmitted").iloc[:0]
    found, verdict, _ = watch(proven, table)
    assert "no_rows" in checks(found)
    assert verdict.outcome == "fail"
    assert [d.id for d in verdict.failed] == ["rows"]


def test_a_missing_column_is_named_with_the_nearest_one(proven):
    table = admissions(400, seed=1).rename(columns={"lactate": "Lactat"}).drop(columns="readmitted")
    found, verdict, _ = watch(proven, table)
    (row,) = (row for row in found.tables["batch_checks"] if row["check"] == "missing_column")
    assert row["column"] == "lactate"
    assert "'Lactat'" in row["finding"]
    assert "columns" in {d.id for d in verdict.failed}
    assert found.figures["drift.psi.holdout_production/lactate"].status == "insufficient"
    assert found.figures["drift.psi.holdout_production/age"].ok  # the rest is compared all the same


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_values_of_another_type_are_counted_never_shown(proven, tmp_path, suffix):
    table = admissions(400, seed=1).drop(columns="readmitted").astype({"age": object})
    table["age"] = table["age"].map(str)
    table.loc[:4, "age"] = "Zaphod"
    path = tmp_path / f"batch.{suffix}"
    table.to_parquet(path) if suffix == "parquet" else table.to_csv(path, index=False)
    found, verdict, dossier = watch(proven, path)
    assert "wrong_type" in checks(found)
    assert "readable" in {d.id for d in verdict.failed}
    assert "Zaphod" not in dossier.to_json().decode()


def test_all_null_infinite_and_repeated_rows_are_told(proven):
    table = admissions(400, seed=1).drop(columns="readmitted").astype({"age": float})
    table["lactate"] = np.nan
    table.loc[3, "age"] = np.inf
    found, _, _ = watch(proven, pd.concat([table, table.iloc[:7]]))
    assert {"all_null", "infinite", "repeated_rows", "rows_of_one_person"} <= checks(found)


def test_the_holdout_itself_is_no_production(proven):
    table = tables(2000)["holdout"]
    schema = proven[0]
    digest = read_batch(table, schema, {}).digest
    found, verdict, _ = watch(proven, table, known={digest: "holdout"})
    assert "contaminated" in checks(found)
    assert "production-rows" in {d.id for d in verdict.failed}


def test_what_is_no_table_is_bad_input(proven, tmp_path):
    (tmp_path / "batch.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError):
        read_batch(tmp_path / "batch.parquet", proven[0], {})


def test_outcomes_give_performance_for_everyone_and_every_group(proven):
    table = admissions(1500, seed=11, first_person=10**7)
    found, verdict, _ = watch(proven, table)
    assert verdict.outcome == "pass", str(verdict)
    for of in ("all", "sex:female", "sex:male"):
        lost = found.figures[f"utility.auroc.production_loss/{of}"]
        assert lost.low <= 0 <= lost.high
        now, before = found.figures[f"utility.auroc.production/{of}"], proven[2][f"utility.auroc.tstr/{of}"]
        assert lost.value == pytest.approx(before.value - now.value)
        assert found.figures[f"utility.auroc.production_loss.at_least/{of}"].value == lost.low


def test_a_group_whose_outcomes_no_longer_follow_is_found_and_named(proven):
    """The outcomes of women are drawn by coin: their AUROC is one half, and the loss is what it was less that."""
    table = admissions(3000, seed=12, first_person=10**7)
    women = table["sex"] == "female"
    table.loc[women, "readmitted"] = np.random.default_rng(0).integers(0, 2, int(women.sum()))
    found, verdict, dossier = watch(proven, table)
    assert ("auroc-lost", "sex:female") in {(d.id, d.of) for d in verdict.failed}
    assert ("auroc-lost", "sex:male") not in {(d.id, d.of) for d in verdict.failed}
    lost = found.figures["utility.auroc.production_loss/sex:female"]
    assert lost.low <= proven[2]["utility.auroc.tstr/sex:female"].value - 0.5 <= lost.high
    assert "sex female" in alert_markdown(dossier, verdict, model="models:/x/1", links={})


def test_a_small_group_is_withheld_as_in_the_evidence(proven):
    table = admissions(600, seed=13, first_person=10**7)
    table.loc[:14, "sex"] = "intersex"
    found, _, _ = watch(proven, table)
    for name, figure in found.figures.items():
        if "intersex" in name:
            assert figure.status == "insufficient"
    assert found.figures["utility.auroc.production/all"].ok


def test_few_outcomes_are_not_enough_to_say(proven):
    table = admissions(400, seed=14, first_person=10**7).astype({"readmitted": float})
    table.loc[10:, "readmitted"] = np.nan
    found, verdict, _ = watch(proven, table)
    assert found.figures["utility.auroc.production/all"].status == "insufficient"
    assert verdict.outcome == "insufficient"


def test_without_outcomes_criteria_on_performance_only_warn(proven):
    _, verdict, _ = watch(proven, admissions(800, seed=15, first_person=10**7).drop(columns="readmitted"))
    assert verdict.outcome == "pass"
    assert any(d.id == "auroc-lost" and d.severity == "warn" for d in verdict.decisions)


def test_the_alert_stays_text_whatever_a_column_is_called():
    """Names that would be markup, links or table cells in a chat come out as text."""
    from synthml.estimate import Estimate
    from synthml.figures import escape_label

    name = "<img src=x onerror=alert(1)>|[a](http://evil.example)"
    figure = Estimate(0.9, 0.8, 1.0, n=500)
    dossier = Dossier(
        {f"drift.psi.holdout_production.excess/{escape_label(name)}": figure},
        tables={"batch_checks": ({"check": "x", "column": name, "finding": f"'{name}' is missing", "count": 1, "grave": True},)},
        datasets={"production": {"rows": 500, "subjects": None}},
    )
    text = alert_markdown(
        dossier, decide_batch(dossier, POLICY, now=NOW, labelled=False), model="models:/x/1", links={"run": "abc"}
    )
    assert "<img" not in text
    assert "](http:" not in text
    assert "http://" not in text
    assert all(line.count(" | ") == 3 for line in text.splitlines() if line.startswith("| feature"))
