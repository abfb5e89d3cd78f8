"""A sweep measures every draw of every setting, decides a setting by its worst draw, and says who pays for privacy."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from patients import patients
from sklearn.linear_model import LogisticRegression

import synthml
from synthml.errors import InputError
from synthml.sweep import grid_of, run_sweep
from synthml.synthesis import CartSynthesizer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SCHEMA = synthml.Schema(
    target="ill", positive=1, sensitive=["sex"], subject="person", quasi_identifiers=["age", "sex", "site"], secrets=["ill"],
    minimum_cell=synthml.MinimumCell(rows=50, events=10),
)  # fmt: skip
QUICK = synthml.MeasureSettings(
    importance_rows=100, importance_repeats=1, disclosure=synthml.DisclosureSettings(predicates=200, split_halves=20)
)


class Blurred:
    """A generator that copies the source and blurs it: the more noise, the less it tells."""

    def __init__(self, noise=0.0):
        self.noise = noise

    def fit(self, table, *, subject=None):
        self.table = table.drop(columns="person")
        return self

    def sample(self, n=None, *, seed=None, conditions=None):
        rng = np.random.default_rng(seed)
        out = self.table.iloc[rng.integers(0, len(self.table), len(self.table))].reset_index(drop=True)
        rank = rng.random(len(out)) < self.noise
        for name in out.columns:
            values = out[name].to_numpy(copy=True)
            values[rank] = rng.permutation(values[rank])
            out[name] = values
        out["marker"] = out["marker"] + rng.normal(0, self.noise, len(out))
        return out

    def record(self):
        return synthml.GenerationRecord(label="synthetic")


def sweep_of(rows, grid, policy, **changes):
    return run_sweep(
        SCHEMA,
        patients(rows, 1, per_subject=2),
        patients(rows, 2, per_subject=2, first_subject=10_000),
        lambda setting: Blurred(**setting.parameters),
        grid_of([grid]),
        model=LogisticRegression(max_iter=300),
        policy=policy,
        now=NOW,
        settings=QUICK,
        **changes,
    )


@pytest.fixture(scope="module")
def swept():
    seen = []
    policy = synthml.Policy.load("release-singapore")
    return sweep_of(900, "noise=0,0.9", policy, draws=2, seed=4, each=seen.append), seen


def test_every_draw_of_every_setting_is_measured_and_handed_on_at_once(swept):
    found, seen = swept
    assert [(draw.setting.name, draw.number) for draw in seen] == [
        ("noise=0", 1),
        ("noise=0", 2),
        ("noise=0.9", 1),
        ("noise=0.9", 2),
    ]
    assert len(found.draws) == 4
    assert found.draws[0].dossier.digest != found.draws[1].dossier.digest


def test_less_privacy_is_more_risk_and_more_privacy_costs_utility(swept):
    figures = swept[0].dossier.figures
    open_risk, safe_risk = (figures[f"sweep.risk.worst/noise:{noise}"] for noise in ("0", "0.9"))
    assert open_risk.low > 0
    assert safe_risk.value < open_risk.value
    cost = {(row["setting"], row["group"]): row for row in swept[0].dossier.tables["privacy_cost"]}
    assert cost["noise=0", "everyone"]["cost"] == 0
    assert cost["noise=0.9", "everyone"]["cost"] > 0.02
    assert {group for _, group in cost} == {"everyone", "sex: F", "sex: M"}


def test_the_cost_of_a_group_is_what_its_model_lost(swept):
    draws = swept[0].draws
    auroc = [np.mean([d.dossier.figures["utility.auroc.tstr/sex:F"].value for d in part]) for part in (draws[:2], draws[2:])]
    row = next(r for r in swept[0].dossier.tables["privacy_cost"] if r["setting"] == "noise=0.9" and r["of"] == "sex:F")
    assert row["cost"] == pytest.approx(auroc[0] - auroc[1])
    assert row["low"] < row["cost"] < row["high"]


def test_a_setting_is_decided_by_its_worst_draw(swept):
    order = ("fail", "insufficient", "pass")
    for name, outcome in swept[0].outcomes.items():
        outcomes = [draw.verdict.outcome for draw in swept[0].draws if draw.setting.name == name]
        assert outcome == min(outcomes, key=order.index)
    assert swept[0].outcomes["noise=0"] == "fail"


def test_the_spread_over_draws_stands_apart_from_the_sampling_error(swept):
    figure = swept[0].dossier.figures["sweep.auroc.spread/noise:0"]
    values = [draw.dossier.figures["utility.auroc.tstr/all"].value for draw in swept[0].draws[:2]]
    assert figure.value == pytest.approx(np.std(values, ddof=1))


def test_the_report_draws_the_frontier_and_names_the_settings(swept):
    page = synthml.report_html(swept[0].dossier)
    assert "What privacy costs, and who pays" in page
    assert "noise=0.9" in page
    assert "would fail" in page
    assert "Utility against risk" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "needs a grid"),
        (["min_leaf"], "not an axis"),
        (["min_leaf="], "not an axis"),
        (["min_leaf=1,,2"], "not an axis"),
        (["min_leaf=1", "min_leaf=2"], "twice"),
        (["min_leaf=1,1"], "same value twice"),
        (["a=" + ",".join(map(str, range(60)))], "more than 50"),
    ],
)
def test_a_grid_that_cannot_be_read_is_refused(words, told):
    with pytest.raises(InputError, match=told):
        grid_of(words)


def test_a_grid_is_every_combination_with_numbers_as_numbers():
    found = grid_of(["epsilon=0.5,2", "mechanism=mst"])
    assert [dict(setting.parameters) for setting in found] == [
        {"epsilon": 0.5, "mechanism": "mst"},
        {"epsilon": 2, "mechanism": "mst"},
    ]


def test_a_sweep_without_a_model_says_what_is_missing():
    with pytest.raises(InputError, match="needs a model"):
        run_sweep(
            SCHEMA, pd.DataFrame(), pd.DataFrame(), lambda s: CartSynthesizer(), grid_of(["min_leaf=1"]), model=None,
            policy=synthml.Policy.load("release-default"), now=NOW,
        )  # fmt: skip


def test_a_policy_that_asks_for_several_draws_decides_each_beside_the_others():
    """Every draw of a setting comes to the same decision, the worst; with too few draws none passes."""
    criterion = {"id": "auroc", "figure": "utility.auroc.tstr", "at_least": 0.4, "draws": 2, "source": "s", "set_by": "o"}
    asking = synthml.Policy(name="p", version=1, lineage={"no_contamination": False}, criteria=(criterion,))
    swept = sweep_of(600, "noise=0,0.5", asking, draws=2)
    found = [[d.found for d in draw.verdict.decisions if d.id == "auroc"] for draw in swept.draws]
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[0][0].startswith("worst of 2 draws")
    assert set(sweep_of(600, "noise=0,0.5", asking, draws=1).outcomes.values()) == {"insufficient"}
