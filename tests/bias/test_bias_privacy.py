"""Nothing of a small group leaves: not its figures, not its name, not by subtraction; the same groups are hidden everywhere."""

from __future__ import annotations

import numpy as np
from bias.worlds import measured, models_of, people, study_of

from synthml.evidence import Dossier

CANARY = "Zyxqueville"


def tables(n: int = 1500) -> dict:
    return {role: people(n, seed) for seed, role in enumerate(("source", "synthetic", "holdout"))}


def with_shift(study):
    frame = study.frame("holdout")
    frame = frame.assign(site=frame["site"].where(frame["site"].isin(["north", "south", "west"]), "north"))

    class Plain:
        schema = study.schema
        classes = study.classes

        def frame(self, role):
            return frame

        def target(self, role):
            return study.target(role)

        def subjects(self, role):
            return study.subjects(role)

    return models_of(Plain())


def test_a_rare_value_of_a_sensitive_column_stands_nowhere_in_the_evidence():
    held = tables()
    for role, table in held.items():
        table.loc[table.index[:4], "site"] = CANARY if role != "synthetic" else CANARY + "burg"
    study = study_of(held, sensitive=["site", "sex"], intersections=[["site", "sex"]])
    text = Dossier({}).adding(measured(study, with_shift(study))).to_json().decode()
    assert CANARY not in text
    assert "rare" in text


def test_a_group_small_in_one_real_table_is_hidden_in_all_of_them():
    for small in ("source", "holdout"):
        held = tables()
        for role, table in held.items():
            table.loc[table.index[: 60 if role == small else 300], "site"] = "isle"
        study = study_of(held)
        evidence = measured(study, with_shift(study))
        hidden = [f for name, f in evidence.figures.items() if name.endswith("site:isle")]
        assert len(hidden) > 8
        assert all(figure.value is None and figure.n is None for figure in hidden)
        rows = [row for each in evidence.tables.values() for row in each if row["of"] == "site:isle"]
        assert rows
        kept = {"of", "column", "group", "table", "against", "measure", "step", "worst", "status", "reason"}
        assert all(value is None for row in rows for key, value in row.items() if key not in kept)


def test_a_small_group_cannot_be_worked_out_from_the_others():
    """A second group is hidden beside it, so the rows of the shown groups do not add up to all but the small one."""
    held = tables()
    for table in held.values():
        table.loc[table.index[:60], "site"] = "isle"
    evidence = measured(study_of(held))
    shown = {row["of"]: row["n"] for row in evidence.tables["bias_representation"] if row["n"] is not None}
    assert len(shown) == 2
    assert 1500 - sum(shown.values()) > 160


def test_the_same_reason_is_given_for_a_small_group_and_for_the_one_that_protects_it():
    held = tables()
    for table in held.values():
        table.loc[table.index[:60], "site"] = "isle"
    figures = measured(study_of(held)).figures
    reasons = {f.reason for name, f in figures.items() if name.startswith("bias.outcome.source") and f.value is None}
    assert len(reasons) == 1


def test_a_class_that_few_people_of_a_group_have_is_not_told_there():
    held = {role: people(1500, seed, task="multiclass") for seed, role in enumerate(("source", "synthetic", "holdout"))}
    for role in ("source", "holdout"):
        west = np.flatnonzero((held[role]["site"] == "west") & (held[role]["y"] == "high"))
        held[role].loc[held[role].index[west[8:]], "y"] = "low"
    evidence = measured(study_of(held, task="multiclass"))
    told = {row["class"] for row in evidence.tables["bias_outcomes"] if row["of"] == "site:west"}
    assert "high" not in told
    assert len(told - {None}) in (0, 1)
