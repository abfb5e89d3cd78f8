"""Point estimates against tables worked out by hand and against fairlearn; invariances; every subset of tables."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from bias.worlds import measured, models_of, people, study_of
from fairlearn.metrics import MetricFrame, equalized_odds_difference, selection_rate
from sklearn.metrics import recall_score

from synthml.bias.bounds import Table, mean_gaps
from synthml.evidence import Dossier
from synthml.metrics import Outcome
from synthml.policy.vocabulary import RANGES
from synthml.study import Schema, Study

LOGIT = {0.25: math.log(1 / 3), 0.5: 0.0}


def counted(cells: dict[tuple[str, int], int]) -> pd.DataFrame:
    """So many rows of each group and outcome, with a feature that tells rows apart."""
    rows = [(group, y) for (group, y), n in cells.items() for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["site", "y"])
    return frame.assign(x=np.random.default_rng([*cells.values()]).standard_normal(len(frame)))


def by_hand() -> Study:
    source = counted({("a", 1): 100, ("a", 0): 100, ("b", 1): 50, ("b", 0): 150})
    synthetic = counted({("a", 1): 60, ("a", 0): 40, ("b", 1): 60, ("b", 0): 240})
    holdout = counted({("a", 1): 90, ("a", 0): 110, ("b", 1): 60, ("b", 0): 140})
    schema = Schema(target="y", task="binary", positive=1, features=["x", "site"], sensitive=["site"])
    return Study(schema, source=source, synthetic=synthetic, holdout=holdout)


def test_a_table_worked_out_by_hand():
    """Half of the source is in a and a quarter of the synthetic table; a's rates are 0.5, 0.6 and b's 0.25, 0.2."""
    figures = measured(by_hand()).figures
    wanted = {
        "representation.synthetic/site:a": LOGIT[0.25] - LOGIT[0.5],
        "representation.synthetic/site:b": LOGIT[0.5] - LOGIT[0.25],
        "outcome.source/site:a": 0.25,
        "outcome.synthetic/site:a": 0.4,
        "outcome.holdout/site:a": 0.15,
        "outcome.shift/site:a": 0.15,
        "outcome.amplification/site:a": 0.15,
        "outcome.shift/site:b": -0.15,
        "outcome.amplification/site:b": 0.15,
    }
    assert {name: figures[f"bias.{name}"].value for name in wanted} == pytest.approx(wanted)


def test_a_reversed_difference_shows_as_a_shift_and_not_as_an_amplification():
    tables = {
        "source": counted({("a", 1): 150, ("a", 0): 50, ("b", 1): 50, ("b", 0): 150}),
        "synthetic": counted({("a", 1): 50, ("a", 0): 150, ("b", 1): 150, ("b", 0): 50}),
    }
    schema = Schema(target="y", task="binary", positive=1, features=["x", "site"], sensitive=["site"])
    figures = measured(Study(schema, **tables)).figures
    assert figures["bias.outcome.shift/site:a"].value == pytest.approx(-1.0)
    assert figures["bias.outcome.shift/site:a"].high < -0.8
    assert figures["bias.outcome.amplification/site:a"].value == pytest.approx(0.0)


def test_the_steps_of_the_chain_add_up_to_the_model_exactly():
    study = study_of({role: people(1500, seed) for seed, role in enumerate(("source", "synthetic", "holdout"))})
    models = models_of(study)
    figures = measured(study, models).figures
    for group in ("north", "south", "west"):
        steps = [figures[f"bias.chain.{step}/site:{group}"].value for step in ("source", "synthesis", "training")]
        inside = (study.frame("holdout")["site"] == group).to_numpy()
        model = models["tstr"].score[inside].mean() - models["tstr"].score[~inside].mean()
        assert sum(steps) == pytest.approx(figures[f"bias.chain.model/site:{group}"].value) == pytest.approx(model)
        assert steps[0] == figures[f"bias.outcome.source/site:{group}"].value
        assert steps[1] == figures[f"bias.outcome.shift/site:{group}"].value


def test_gaps_are_those_of_fairlearn():
    study = study_of({role: people(1500, seed) for seed, role in enumerate(("source", "synthetic", "holdout"))})
    models = models_of(study, blind=True)
    evidence = measured(study, models)
    site, y = study.frame("holdout")["site"], study.target("holdout")
    rows = {row["metric"]: row for row in evidence.tables["bias_amplification"]}
    for name, call in {"sensitivity": recall_score, "selection_rate": selection_rate}.items():
        gaps = {
            p: MetricFrame(metrics=call, y_true=y, y_pred=m.decision, sensitive_features=site).difference()
            for p, m in models.items()
        }
        assert rows[name]["gap_tstr"] == pytest.approx(gaps["tstr"])
        assert evidence.figures[f"bias.amplification.{name}/site"].value == pytest.approx(gaps["tstr"] - gaps["trtr"])
    odds = {p: equalized_odds_difference(y, m.decision, sensitive_features=site) for p, m in models.items()}
    assert evidence.figures["bias.amplification.equalized_odds/site"].value == pytest.approx(odds["tstr"] - odds["trtr"])


def test_directional_amplification_by_hand():
    """a has more events than average in training, b fewer; a is called at 0.6 for a rate of 0.45, b at 0.1 for 0.3."""
    study = by_hand()
    y, a = study.target("holdout"), (study.frame("holdout")["site"] == "a").to_numpy()
    called = np.zeros(len(y))
    called[np.flatnonzero(a)[:120]] = 1
    called[np.flatnonzero(~a)[:20]] = 1
    models = {"tstr": Outcome("binary", y, called, 0.5), "trtr": Outcome("binary", y, y.astype(float), 0.5)}
    figures = measured(study, models).figures
    found = figures["bias.directional.tstr/site"]
    assert found.value == pytest.approx(((0.6 - 0.45) - (0.1 - 0.3)) / 2)
    assert found.low > 0
    assert figures["bias.directional.trtr/site"].value == 0
    assert figures["bias.directional.trtr/site"].low < 0 < figures["bias.directional.trtr/site"].high


def test_a_model_that_says_the_same_amplifies_nothing_exactly():
    study = study_of({role: people(900, seed) for seed, role in enumerate(("source", "synthetic", "holdout"))})
    models = models_of(study)
    figures = measured(study, {"tstr": models["trtr"], "trtr": models["trtr"]}).figures
    found = [figure for name, figure in figures.items() if name.startswith("bias.amplification.")]
    assert len(found) > 10
    assert all((figure.value, figure.low, figure.high) == (0, 0, 0) for figure in found)


def test_means_by_subject_have_the_spread_of_the_subjects_sums():
    """The vectorised variances equal those of influences summed by subject, worked out one group at a time."""
    rng = np.random.default_rng(3)
    n = 400
    who, codes, y = rng.integers(0, 90, n), rng.integers(0, 3, n), rng.normal(50, 4, n)
    table = Table(codes, 3, who)
    gaps = mean_gaps(table, y, 0.95, share=False)
    inside, outside, together = table.spread(y - y.mean(), gaps.mean - y.mean(), gaps.rest - y.mean())
    for g in range(3):
        here = codes == g
        influences = [np.where(rows, (y - y[rows].mean()) / rows.sum(), 0.0) for rows in (here, ~here)]
        totals = [np.bincount(who, weights=influence, minlength=90) for influence in influences]
        units = [np.unique(who[rows]).size for rows in (here, ~here)]
        assert inside[g] == pytest.approx((totals[0] ** 2).sum() * units[0] / (units[0] - 1))
        assert outside[g] == pytest.approx((totals[1] ** 2).sum() * units[1] / (units[1] - 1))
        assert together[g] == pytest.approx((totals[0] * totals[1]).sum())
    alone = Table(codes, 3, None).spread(y - y.mean(), gaps.mean - y.mean(), gaps.rest - y.mean())
    singles = Table(codes, 3, np.arange(n)).spread(y - y.mean(), gaps.mean - y.mean(), gaps.rest - y.mean())
    np.testing.assert_allclose(alone[0], singles[0])
    np.testing.assert_allclose(alone[1], singles[1])


def tables(task: str = "binary", n: int = 1500, **settings: object) -> dict[str, pd.DataFrame]:
    return {role: people(n, seed, task=task, **settings) for seed, role in enumerate(("source", "synthetic", "holdout"))}


def test_neither_the_order_of_rows_nor_the_unit_of_a_number_matters():
    held = tables("regression")
    plain = study_of(held, task="regression")
    base = measured(plain, models_of(plain)).figures
    moved = {role: table.sample(frac=1, random_state=1).assign(y=lambda t: 1000 + 7 * t["y"]) for role, table in held.items()}
    other = study_of(moved, task="regression")
    scores = {
        name: Outcome("regression", other.target("holdout"), 1000 + 7 * model.score[moved["holdout"].index], None)
        for name, model in models_of(plain).items()
    }
    again = measured(other, scores).figures
    free = [name for name in base if not any(unit in name for unit in (".mae/", ".rmse/", "calibration_intercept"))]
    for name in free:
        if base[name].value is not None:
            assert again[name].value == pytest.approx(base[name].value, abs=1e-9), name
            assert again[name].low == pytest.approx(base[name].low, abs=1e-7), name


def test_a_rerun_is_equal_to_the_bit():
    study = study_of(tables())
    assert measured(study, models_of(study), seed=3) == measured(study, models_of(study), seed=3)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("subject", [False, True])
def test_every_task_with_and_without_subjects(task: str, subject: bool):
    study = study_of(
        tables(task, per_subject=3 if subject else 1),
        task=task,
        subject=subject,
        sensitive=["site", "sex"],
        intersections=[["site", "sex"]],
    )
    evidence = measured(study, models_of(study))
    assert {name.split("/")[0] for name in evidence.figures} <= set(RANGES)
    assert all(figure.ok for name, figure in evidence.figures.items() if "/sex" in name or "/site:" in name)
    assert set(evidence.tables) == {"bias_representation", "bias_outcomes", "bias_chain", "bias_amplification"}
    json.loads(Dossier({}).adding(evidence).to_json())


@pytest.mark.parametrize("roles", [("source",), ("synthetic",), ("holdout",), ("source", "synthetic"), ("synthetic", "holdout")])
def test_every_subset_of_tables_says_what_is_left_out(roles: tuple[str, ...]):
    study = study_of({role: table for role, table in tables().items() if role in roles})
    models = {"tstr": models_of(study)["tstr"]} if "holdout" in roles else {}
    evidence = measured(study, models)
    assert evidence.notes
    assert bool(evidence.figures) == (roles != ("synthetic",))
    assert ("bias.outcome.shift/site:west" in evidence.figures) == (roles == ("source", "synthetic"))
    assert ("bias.chain.model/site:west" in evidence.figures) == ("holdout" in roles)


def test_with_several_classes_the_largest_shift_is_told_and_each_class_stands_in_the_table():
    held = tables("multiclass")
    west = held["synthetic"]["site"] == "west"
    held["synthetic"].loc[west & (held["synthetic"]["y"] == "high"), "y"] = "low"
    held["synthetic"].loc[held["synthetic"].index[west][:30], "y"] = "high"
    evidence = measured(study_of(held, task="multiclass"))
    figure = evidence.figures["bias.outcome.shift/site:west"]
    rows = {
        row["class"]: row for row in evidence.tables["bias_outcomes"] if row["of"] == "site:west" and row["measure"] == "shift"
    }
    assert set(rows) == {None, "high", "low", "middle"}
    assert figure.value == pytest.approx(max(abs(row["value"]) for label, row in rows.items() if label))
    assert figure.low > 0.05
    assert rows["low"]["value"] > 0 > rows["high"]["value"]
