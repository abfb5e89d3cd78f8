"""What was planted is found, named and sized within its interval; what was left alone stays quiet."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from bias.worlds import measured, models_of, people, study_of
from scipy.special import expit

from synthml.bias.amplification import amplification, both
from synthml.evidence import Dossier
from synthml.metrics import METRICS, Outcome
from synthml.policy import Criterion, Policy, decide
from synthml.study import Schema, Study


def three(seed: int = 0, n: int = 6000, **by_role: dict[str, object]) -> dict[str, object]:
    roles = ("source", "synthetic", "holdout")
    return {role: people(n, 10 * seed + i + 1, **by_role.get(role, {})) for i, role in enumerate(roles)}


def rate(site: str, flipped: float = 0.0) -> float:
    """Events among the people of a site, by quadrature over x."""
    x, weight = np.polynomial.hermite_e.hermegauss(60)
    plain = float(weight @ expit(x - 0.4 + {"north": 0.0, "south": 0.6, "west": -0.5}[site]) / weight.sum())
    return plain * (1 - flipped) + (1 - plain) * flipped


def west_gap(flipped: float = 0.0) -> float:
    return rate("west", flipped) - (0.6 * rate("north") + 0.4 * rate("south"))


def holds(figure, truth: float, *, wider: float = 1.7) -> bool:
    """Within the interval; widened to about 99.9%, for one study in twenty misses the interval itself."""
    return figure.value - wider * (figure.value - figure.low) <= truth <= figure.value + wider * (figure.high - figure.value)


def test_labels_flipped_in_the_source_are_carried_on_and_show_against_the_holdout():
    tables = three(source={"flipped": 0.25}, synthetic={"flipped": 0.25})
    figures = measured(study_of(tables)).figures
    assert holds(figures["bias.outcome.source/site:west"], west_gap(0.25))
    assert holds(figures["bias.outcome.synthetic/site:west"], west_gap(0.25))
    assert holds(figures["bias.outcome.holdout/site:west"], west_gap())
    assert holds(figures["bias.outcome.shift/site:west"], 0.0)
    assert figures["bias.outcome.source/site:west"].low > figures["bias.outcome.holdout/site:west"].high


def test_labels_flipped_by_the_generator_are_its_doing():
    figures = measured(study_of(three(synthetic={"flipped": 0.25}))).figures
    found = figures["bias.outcome.shift/site:west"]
    assert holds(found, west_gap(0.25) - west_gap())
    assert found.low > 0
    assert holds(figures["bias.outcome.amplification/site:west"], abs(west_gap(0.25)) - abs(west_gap()))


def test_a_group_drawn_half_as_often_is_found_and_sized():
    figures = measured(study_of(three(synthetic={"west": 0.15}))).figures
    truth = np.log(0.15 / 0.85) - np.log(0.3 / 0.7)
    assert holds(figures["bias.representation.synthetic/site:west"], truth)
    assert figures["bias.representation.synthetic/site:west"].high < -0.5


def test_a_model_blind_to_a_group_lost_its_difference_in_training():
    study = study_of(three())
    figures = measured(study, models_of(study, blind=True)).figures
    assert holds(figures["bias.chain.model/site:west"], 0.0)
    assert holds(figures["bias.chain.training/site:west"], -west_gap())
    assert figures["bias.chain.training/site:west"].low > 0.1
    assert holds(figures["bias.chain.synthesis/site:west"], 0.0)
    assert holds(figures["bias.chain.real_model/site:west"], west_gap())
    assert figures["bias.amplification.selection_rate/site"].high < 0
    (worst,) = {row["of"] for row in measured(study, models_of(study, blind=True)).tables["bias_chain"] if row["worst"]}
    assert worst in ("site:west", "site:south")


def test_a_group_that_the_generator_lost_fails_a_policy_and_is_named():
    tables = three()
    tables["synthetic"] = tables["synthetic"][tables["synthetic"]["site"] != "west"]
    evidence = measured(study_of(tables))
    figure = evidence.figures["bias.representation.synthetic/site:west"]
    assert figure.ok
    assert figure.high < -5
    assert np.isfinite([figure.value, figure.low]).all()
    assert any("site:west" in note and "no row" in note for note in evidence.notes)
    assert "no row" in evidence.figures["bias.outcome.shift/site:west"].reason
    criterion = Criterion(
        id="representation",
        figure="bias.representation.synthetic",
        of="each",
        at_least=-0.223,
        at_most=0.223,
        source="convention",
        set_by="test",
    )
    policy = Policy(name="all-groups", version=1, lineage={"no_contamination": False}, criteria=(criterion,))
    verdict = decide(Dossier({}).adding(evidence), policy, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert {d.of: d.outcome for d in verdict.decisions}["site:west"] == "fail"


def test_a_group_that_the_generator_invented_is_as_far_above_zero():
    tables = three()
    for role in ("source", "holdout"):
        tables[role] = tables[role][tables[role]["site"] != "west"]
    figure = measured(study_of(tables)).figures["bias.representation.synthetic/site:west"]
    assert figure.low > 5


def test_stated_shares_and_a_reference_table_show_whom_the_source_left_out():
    tables = three()
    shares = {"north": 0.3, "south": 0.2, "west": 0.5}
    stated = measured(study_of(tables, reference_shares={"site": shares})).figures["bias.representation.source/site:west"]
    assert holds(stated, np.log(0.3 / 0.7))
    assert stated.high < -0.7
    counted = measured(study_of({**tables, "reference": people(6000, 77, west=0.5)})).figures
    table = counted["bias.representation.source/site:west"]
    assert holds(table, np.log(0.3 / 0.7))
    assert table.high - table.low > 1.2 * (stated.high - stated.low)


def test_a_bin_of_the_population_that_no_table_has_is_told():
    rng = np.random.default_rng(0)
    tables = {role: t.assign(age=rng.integers(18, 60, len(t))) for role, t in three(n=1500).items()}
    study = study_of(
        tables,
        sensitive=["age"],
        features=["x", "age"],
        bins={"age": [18, 40, 65, 120]},
        reference_shares={"age": {"18-40": 0.4, "40-65": 0.4, "65-120": 0.2}},
    )
    assert measured(study).figures["bias.representation.source/age:65-120"].high < -3


@pytest.mark.slow
def test_intervals_of_tables_left_alone_hold_zero_as_often_as_they_say():
    """150 studies of two fresh tables, 900 rows of 300 persons: 0.95 less three standard errors."""
    held = dict.fromkeys(("representation.synthetic", "outcome.shift", "outcome.amplification"), 0)
    for run in range(150):
        tables = {role: people(900, 2 * run + i + 500, per_subject=3) for i, role in enumerate(("source", "synthetic"))}
        figures = measured(study_of(tables, subject=True)).figures
        for name in held:
            held[name] += holds(figures[f"bias.{name}/site:west"], 0.0, wider=1)
    assert all(count / 150 >= 0.90 for count in held.values()), held
    assert any(count < 150 for count in held.values())


def _both(rng: np.random.Generator, sizes: list[int], hurt: float, share: float) -> tuple:
    """Two models on the same rows; they share some of their errors, and the first serves the first group worse by `hurt`."""
    pieces: tuple[list[Outcome], list[Outcome]] = ([], [])
    for place, n in enumerate(sizes):
        y = (rng.random(n) < 0.4).astype(int)
        common = rng.standard_normal(n)
        for model in (0, 1):
            noise = share * common + np.sqrt(1 - share**2) * rng.standard_normal(n)
            skill = 1.5 - (hurt if place == 0 and model == 0 else 0.0)
            pieces[model].append(Outcome("binary", y, expit(noise + skill * y - 0.75), 0.5))
    return pieces


@pytest.mark.parametrize(("hurt", "metric"), [(0.0, "sensitivity"), (0.0, "auroc"), (1.0, "sensitivity"), (1.0, "auroc")])
def test_amplification_holds_the_truth_where_gaps_are_nil_equal_and_apart(hurt: float, metric: str):
    """The bounds are conservative where groups are alike, so only a lower limit of the coverage is tested."""
    big = _both(np.random.default_rng(1), [400_000, 400_000], hurt, 0.8)
    figure = METRICS[metric]
    values = [[figure.linearise(piece).value for piece in pieces] for pieces in big]
    truth = (np.ptp(values[0]) - np.ptp(values[1])) if hurt else 0.0
    runs, held, off = 150, 0, 0
    for run in range(runs):
        rng = np.random.default_rng([3, run])
        tstr, trtr = _both(rng, [250, 250, 250, 250], hurt, 0.8)
        found = [[figure.linearise(piece) for piece in (*tstr, *trtr)]]
        bounded = amplification(both([figure], tstr, trtr, found), confidence=0.95, rng=rng)
        held += holds(bounded, truth, wider=1)
        off += bounded.low > 0
    assert held / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert off / runs > 0.7 if hurt else off / runs < 0.06


def test_gaps_that_are_nil_never_get_an_interval_of_a_lone_point():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 150)
    score = np.where(rng.random(300) < 0.02, 1 - y, y).astype(float)
    study_rows = {"x": rng.standard_normal(300), "site": np.repeat(["a", "b"], 150), "y": y}
    schema = Schema(target="y", task="binary", positive=1, features=["x", "site"], sensitive=["site"])
    study = Study(schema, holdout=pd.DataFrame(study_rows))
    models = {"tstr": Outcome("binary", y, score, 0.5), "trtr": Outcome("binary", y, y.astype(float), 0.5)}
    figure = measured(study, models).figures["bias.amplification.accuracy/site"]
    assert figure.low < figure.value < figure.high
