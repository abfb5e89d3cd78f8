"""Further tables of the generator: measured alike, recorded with the model, and decided on by the gate."""

from __future__ import annotations

import pytest
from gate.conftest import NOW
from recording.small_study import QUICK, admissions, estimator, study, tables

import synthml
import synthml_tracking as tracking
from synthml.errors import InputError
from synthml.policy import Policy

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
ASKING = {"id": "auroc", "figure": "utility.auroc.tstr", "at_least": 0.3, "source": "s", "set_by": "o"}


def drawn(seed, **changed):
    return study({**tables(), "synthetic": admissions(seed=seed).drop(columns="person"), **changed})


def policy(draws, **changes):
    return Policy(name="p", version=1, lineage={"no_contamination": False}, criteria=({**ASKING, "draws": draws, **changes},))


def test_each_draw_is_measured_as_if_it_were_the_only_one():
    """Same figures as its own measurement has; a model of its own; the first table's figures do not change."""
    told = []
    kinds = ["utility", "subgroups"]
    whole = synthml.measure(study(), model=estimator(), kinds=kinds, settings=QUICK, draws=[drawn(5)], progress=told.append)
    own = synthml.measure(study(), model=estimator(), kinds=kinds, settings=QUICK)
    alone = synthml.measure(drawn(5), model=estimator(), kinds=kinds, settings=QUICK)
    assert dict(whole.figures) == dict(own.figures)
    (draw,) = whole.draws
    assert {name: figure.value for name, figure in draw.items()} == {name: f.value for name, f in alone.figures.items()}
    assert draw["utility.auroc.tstr/all"].value != whole.figures["utility.auroc.tstr/all"].value
    assert "draw 2 of 2" in told


@pytest.mark.parametrize(
    ("draws", "told"),
    [
        (lambda: [study()], "draw 2 is a table that is there already"),
        (lambda: [drawn(5), drawn(5)], "draw 3 is a table that is there already"),
        (lambda: [drawn(5, holdout=admissions(seed=9, first_person=10**7))], "draw 2 is measured beside other tables"),
    ],
    ids=["the table itself", "one twice", "another holdout"],
)
def test_draws_of_another_study_are_refused(draws, told):
    with pytest.raises(InputError, match=told):
        synthml.measure(study(), model=estimator(), kinds=["utility"], settings=QUICK, draws=draws())


def test_the_gate_decides_on_the_worst_of_the_draws_that_a_run_was_given(store):
    """What is recorded is what is decided on; without enough draws it is insufficient."""
    noise = admissions(seed=7).drop(columns="person")
    noise["readmitted"] = 1 - noise["readmitted"]  # a draw that learned the contrary
    with tracking.start_run(study(), settings=QUICK, draws=[drawn(5)], tracking_uri=store) as run:
        run.fit(estimator())
    assert tracking.gate(run.model_uri, policy(2), record=False, now=NOW).outcome == "pass"
    assert tracking.gate(run.model_uri, policy(3), record=False, now=NOW).outcome == "insufficient"
    with tracking.start_run(study(), settings=QUICK, draws=[drawn(5), study({**tables(), "synthetic": noise})]) as run:
        run.fit(estimator())
    verdict = tracking.gate(run.model_uri, policy(3, at_least=0.5), record=False, now=NOW)
    assert verdict.outcome == "fail"
    assert verdict.failed[0].found.startswith("worst of 3 draws: 0.")
    assert tracking.gate(run.model_uri, policy(1, at_least=0.5), record=False, now=NOW).outcome == "pass"
