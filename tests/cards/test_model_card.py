"""The model card: figures as measured, on real rows; the verdict with its date; what nobody said is open; labels are text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from cards.test_front_matter import MEANT, marks
from report.report_dossiers import HOSTILE, dossier, hostile, regression, verdict

from synthml.errors import InputError
from synthml.evidence import Dossier
from synthml.report.chai import applied_model_card
from synthml.report.model_card import model_card
from synthml.report.model_facts import ModelFacts
from synthml.report.reading import Reading

FACTS = ModelFacts("high-use", "high-use version 3", {"MLmodel": "a" * 64}, ("scikit-learn==1.9.1", "xgboost==3.1"))
OPEN = "_open: the evidence does not say_"


@pytest.fixture(scope="module")
def full() -> Dossier:
    return dossier()


def metadata(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_metadata_holds_every_measured_figure_of_the_model_on_real_rows(full: Dossier) -> None:
    """Each metric for everyone, the headline for every group that is shown, nothing of TRTS, TRTR or withheld groups."""
    data = metadata(model_card(full, FACTS))
    assert data["license"] == "unknown"
    assert (data["library_name"], data["pipeline_tag"]) == ("xgboost", "tabular-classification")
    assert data["datasets"] == [full.datasets[role]["digest"] for role in ("source", "synthetic", "holdout")]
    (index,) = data["model-index"]
    everyone, *groups = index["results"]
    measured = {
        name.split("/")[0].split(".")[1]: figure.value
        for name, figure in full.figures.items()
        if re.fullmatch(r"utility\.\w+\.tstr/all", name) and "threshold" not in name
    }
    assert sorted(metric["value"] for metric in everyone["metrics"]) == sorted(measured.values())
    auroc = full.figures["utility.auroc.tstr/all"]
    first = everyone["metrics"][0]
    assert (first["type"], first["value"]) == ("roc_auc", auroc.value)
    assert f"{auroc.low:.3f} to {auroc.high:.3f}" in first["name"]
    shown = Reading(full).shown_groups
    assert len(groups) == len(shown) < len(Reading(full).groups)
    assert [g["metrics"][0]["value"] for g in groups] == [full.figures[f"utility.auroc.tstr/{g.of}"].value for g in shown]
    assert all(result["dataset"]["type"] == full.datasets["holdout"]["digest"] for result in index["results"])


def test_the_verdict_stands_on_top_with_its_date_and_what_is_against_it(full: Dossier) -> None:
    card = model_card(full, replace(FACTS, verdict="Signed by Gate (gate)."), verdict(full))
    body = card.split("---\n", 2)[2]
    assert body.startswith("\n# high-use\n\n**FAIL** under clinical-default v1, decided 2026-03-02T08:00:00Z\n")
    assert "Signed by Gate (gate)." in body
    assert "- **Failed**: auroc-loss, required at most 0.05: sex: male found 0.091" in body
    assert "- **Waived**: calibration-slope: by dr.k until 2026-06-01" in body
    assert "which is not the evidence" not in body


def test_a_verdict_on_other_evidence_says_so_and_one_on_another_model_is_refused(full: Dossier) -> None:
    told = model_card(full, FACTS, replace(verdict(full), evidence_digest="sha256:" + "9" * 64))
    assert "which is not the evidence that this card shows" in told
    with pytest.raises(InputError, match="another model"):
        model_card(full, FACTS, replace(verdict(full), model_digest="sha256:" + "9" * 64))


def test_a_recall_is_the_first_thing_that_is_said(full: Dossier) -> None:
    card = model_card(
        full, replace(FACTS, recalls=("The source table a1a1 recalled on 2026-03-03 (custodian of the tables): consent.",))
    )
    lines = [line for line in card.split("---\n", 2)[2].splitlines() if line]
    assert lines[1].startswith("**RECALLED: The source table a1a1 recalled on 2026-03-03")


def test_withheld_groups_show_no_figure(full: Dossier) -> None:
    """A group that is too small stands by its name, with no number in its row."""
    card = model_card(full, FACTS)
    rows = [line for line in card.splitlines() if line.startswith("| ") and "withheld" in line]
    assert len(rows) == len(Reading(full).withheld_groups) == 2
    assert not any(re.search(r"\d", row) for row in rows)


def test_what_only_people_know_is_open_and_what_is_known_is_not(full: Dossier) -> None:
    """The fields of the applied model card: in part, whole, or open, as the evidence has it."""
    sections = {s.name: {f.name: f for f in s.fields} for s in applied_model_card(Reading(full), FACTS, None)}
    assert sections["Basic information"]["Model developer"].text == ""
    assert sections["Warnings"]["Clinical risk level"].text == ""
    uses = sections["Uses and directions"]
    assert "decisions about a single person; estimates of rare diseases" in uses["Cautioned out-of-scope settings"].text
    assert uses["Cautioned out-of-scope settings"].open
    assert "decision threshold of 0.380" in uses["How to use"].text
    assert "0.676 (0.664 to 0.689)" in sections["Key metrics: usefulness, usability, efficacy"]["Result"].text
    card = model_card(full, FACTS)
    assert f"- **Clinical risk level**: {OPEN}" in card
    assert card.count(OPEN) >= 15


def test_an_empty_dossier_gives_a_card_that_claims_nothing() -> None:
    card = model_card(Dossier(figures={}), ModelFacts("m-1"))
    assert "model-index" not in metadata(card)
    assert "Not measured." in card
    assert "**NO VERDICT YET**" in card


def test_a_regression_has_its_own_task_and_headline() -> None:
    data = metadata(model_card(regression(), ModelFacts("cost")))
    assert data["pipeline_tag"] == "tabular-regression"
    assert {"r_squared", "rmse"} <= set(data["metrics"])


def test_hostile_labels_stay_text_in_head_and_body() -> None:
    """No tag, link, image, code or table can come of a label, a name, a requirement or a reason."""
    facts = ModelFacts(
        HOSTILE[2], HOSTILE[0], {HOSTILE[1]: "a" * 64}, HOSTILE, HOSTILE, HOSTILE, release=HOSTILE[8], verdict=HOSTILE[7]
    )
    card = model_card(hostile(), facts)
    harmless = re.sub(r"`(unknown|sha256:[0-9a-f]{64})`", "digest", card)
    assert not marks(harmless) & (MEANT - {"em_open", "strong_open", "table_open"})
    tables = [line for line in card.splitlines() if line.startswith("| ")]
    assert {len(re.split(r"(?<!\\)\|", line)) - 2 for line in tables} <= {3, 4, 7}
    assert not any(sign in card for sign in ("<script", "<img", "://", "\u202e", "\x1b"))
    assert len(card) < 60_000


def test_the_same_input_gives_the_same_text(full: Dossier) -> None:
    assert model_card(full, FACTS, verdict(full)) == model_card(dossier(), FACTS, verdict(full))
