"""What holds for every attack: leaks are found in the order of their size, fresh samples stay quiet, and nothing else matters."""

import json

import numpy as np
import pandas as pd
import pytest
from disclosure.attacked import leaking, people, study_of

import synthml
from synthml.disclosure import measure_disclosure

SOURCE, HOLDOUT, FRESH = people(1200, 1), people(1200, 2), people(1200, 3)
QUICK = synthml.MeasureSettings(disclosure=synthml.DisclosureSettings(predicates=400, split_halves=20))
NULLS = {
    "singling_out.risk/all": 0.0,
    "linkability.risk/all": 0.0,
    "inference.risk/hiv": 0.0,
    "membership.auroc/all": 0.5,
    "membership.tpr_at_fpr_10/all": 0.1,
    "copies.excess/all": 0.0,
    "near_copies.excess/all": 0.0,
    "nearest_share/all": 0.5,
    "cap.excess/hiv": 0.0,
}


def evidence(synthetic, source=SOURCE, holdout=HOLDOUT, settings=QUICK, seed=5, **schema):
    return measure_disclosure(study_of(source, synthetic, holdout, **schema), seed=seed, settings=settings)


@pytest.fixture(scope="module")
def ladder():
    return [evidence(leaking(share, SOURCE, FRESH)).figures for share in (0.0, 0.1, 0.5, 1.0)]


@pytest.mark.parametrize("name", [*NULLS, "copies.share/all", "disco/hiv", "replicated_uniques/all"])
def test_more_copies_are_more_risk_in_every_figure(ladder, name):
    values = [figures[f"disclosure.{name}"].value for figures in ladder]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("name", NULLS)
def test_a_tenth_of_copies_is_found_and_a_table_of_copies_is_certain(ladder, name):
    found = ladder[1][f"disclosure.{name}"]
    if name != "inference.risk/hiv":  # half of all guesses are right anyway: a tenth of copies moves the rate by a twentieth
        assert found.low > NULLS[name]
    assert ladder[3][f"disclosure.{name}"].low > NULLS[name] + 0.2


def test_the_source_itself_as_synthetic_table_is_found_at_once():
    figures = evidence(SOURCE.copy()).figures
    assert figures["disclosure.copies.share/all"].value == pytest.approx(1.0, abs=0.01)
    assert figures["disclosure.membership.auroc/all"].value > 0.95
    assert figures["disclosure.nearest_share/all"].value > 0.95
    assert figures["disclosure.copies.share.beyond/all"].value > 0.4


@pytest.mark.slow
def test_fresh_samples_raise_no_alarm():
    alarms = dict.fromkeys(NULLS, 0)
    runs = 24
    for run in range(runs):
        parts = [people(400, [7, run, part]) for part in range(3)]
        figures = evidence(parts[1], parts[0], parts[2], seed=run).figures
        for name, null in NULLS.items():
            alarms[name] += figures[f"disclosure.{name}"].low > null
    assert max(alarms.values()) <= 4, alarms  # 24 x 2.5% is 0.6; five or more by chance: below one in a thousand


def test_order_of_rows_and_index_change_nothing_and_a_seed_gives_the_same_bits():
    shuffled = [table.sample(frac=1, random_state=9) for table in (SOURCE, leaking(0.1, SOURCE, FRESH), HOLDOUT)]
    one = evidence(leaking(0.1, SOURCE, FRESH))
    other = evidence(shuffled[1], shuffled[0], shuffled[2])
    again = evidence(leaking(0.1, SOURCE, FRESH))
    assert {k: f.to_dict() for k, f in one.figures.items()} == {k: f.to_dict() for k, f in again.figures.items()}
    for name in NULLS:
        assert one.figures[f"disclosure.{name}"].value == pytest.approx(other.figures[f"disclosure.{name}"].value, abs=1e-12)


def test_columns_in_another_order_change_no_copy_and_no_distance():
    one = evidence(leaking(0.1, SOURCE, FRESH))
    other = evidence(leaking(0.1, SOURCE, FRESH)[list(reversed(FRESH.columns))])
    for name in ("copies.share/all", "nearest_share/all", "distance_share/all", "cap.excess/hiv"):
        assert one.figures[f"disclosure.{name}"].value == pytest.approx(other.figures[f"disclosure.{name}"].value)


@pytest.mark.parametrize("rows", [400, 2400])
def test_the_size_of_the_holdout_moves_risks_no_further_than_their_intervals(rows):
    table = leaking(0.3, SOURCE, FRESH)
    usual, other = evidence(table).figures, evidence(table, holdout=people(rows, 11)).figures
    for name in ("singling_out.risk/all", "linkability.risk/all", "inference.risk/hiv", "copies.excess/all"):
        one, two = usual[f"disclosure.{name}"], other[f"disclosure.{name}"]
        assert one.low - 0.02 < two.value < one.high + 0.02 or two.low < one.value < two.high


def test_without_a_holdout_what_needs_a_control_is_insufficient_and_the_rest_is_told():
    figures = evidence(leaking(0.1, SOURCE, FRESH), holdout=None).figures
    for name in (
        "singling_out.risk/all",
        "linkability.risk/all",
        "inference.risk/hiv",
        "membership.auroc/all",
        "copies.excess/all",
    ):
        assert figures[f"disclosure.{name}"].status == "insufficient"
        assert "holdout" in figures[f"disclosure.{name}"].reason
    for name in ("singling_out.main/all", "linkability.main/all", "copies.share/all", "distance_share/all", "disco/hiv"):
        assert figures[f"disclosure.{name}"].ok


def test_patients_with_several_rows_are_counted_once():
    tables = [table.assign(person=np.arange(len(table)) // 3 + 10_000 * at) for at, table in enumerate((SOURCE, FRESH, HOLDOUT))]
    found = evidence(tables[1], tables[0], tables[2], subject="person")
    figures = found.figures
    assert figures["disclosure.linkability.main/all"].n == 400
    assert "patients" in figures["disclosure.linkability.main/all"].method
    assert {row["unit"] for row in found.tables["disclosure_attacks"]} == {"patients"}


def test_rows_at_risk_are_positions_in_the_table_as_it_was_given_and_no_part_of_the_evidence():
    told = []
    study = study_of(SOURCE, leaking(0.1, SOURCE, FRESH), HOLDOUT)
    found = measure_disclosure(study, seed=5, settings=QUICK, rows_at_risk=told.append)
    copied = leaking(0.1, SOURCE, FRESH).merge(SOURCE.reset_index(names="row"), how="inner")["row"]
    assert set(told[0].by_attack["copies"]) == set(copied)
    document = json.dumps([dict(row) for rows in found.tables.values() for row in rows])
    assert not any(str(list(told[0].by_attack["copies"])[:3])[1:-1] in text for text in (document,))


def test_no_value_of_a_rare_person_stands_in_the_evidence():
    canary = SOURCE.copy()
    canary.loc[3, "zip"], canary.loc[3, "weight"] = "canary-of-zip", 987654.25
    document = evidence(leaking(0.2, canary, FRESH), source=canary)
    text = json.dumps(
        [{k: f.to_dict() for k, f in document.figures.items()}, {n: [dict(r) for r in t] for n, t in document.tables.items()}]
    )
    assert "canary-of-zip" not in text
    assert "987654" not in text


def test_a_constant_secret_and_a_table_without_values_are_told_not_guessed():
    tables = [table.assign(hiv="no", empty=np.nan) for table in (SOURCE, FRESH, HOLDOUT)]
    tables = [table.assign(empty=table["empty"].astype(float)) for table in tables]
    figures = evidence(tables[1].drop(columns="empty"), tables[0].drop(columns="empty"), tables[2].drop(columns="empty")).figures
    assert figures["disclosure.inference.risk/hiv"].status == "insufficient"
    assert "constant" in figures["disclosure.inference.risk/hiv"].reason
    assert figures["disclosure.linkability.risk/all"].ok


@pytest.mark.parametrize("rows", [20, 45])
def test_tiny_tables_end_in_insufficient_figures_and_no_error(rows):
    figures = evidence(people(rows, 3), people(rows, 1), people(rows, 2)).figures
    assert figures["disclosure.membership.auroc/all"].status == "insufficient"
    assert all(figure.reason for figure in figures.values() if figure.status != "ok")


def test_without_a_synthetic_table_nothing_is_attacked_and_a_note_says_so():
    study = synthml.Study(synthml.Schema(target="ill", positive=1), source=SOURCE, holdout=HOLDOUT)
    found = measure_disclosure(study, seed=1, settings=QUICK)
    assert not found.figures
    assert "no synthetic table" in found.notes[0]


def test_measure_takes_the_attacks_as_a_kind():
    dossier = synthml.measure(study_of(SOURCE, FRESH, HOLDOUT), kinds=["disclosure"], settings=QUICK)
    assert dossier.kinds == ("disclosure",)
    assert isinstance(dossier.metrics()["disclosure.linkability.risk/all"], float)
    assert pd.notna(dossier.figures["disclosure.membership.auroc/all"].value)
