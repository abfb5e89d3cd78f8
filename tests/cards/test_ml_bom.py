"""The bill of materials: valid by the library's own validator, with the evidence's figures, and the same bytes each time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from report.report_dossiers import HOSTILE, dossier, hostile, regression, verdict

from synthml.errors import InputError, MissingExtraError
from synthml.evidence import Dossier
from synthml.report.mlbom import ml_bom
from synthml.report.model_facts import ModelFacts
from synthml.report.reading import Reading

FACTS = ModelFacts(
    "high-use",
    "high-use version 3",
    {"MLmodel": "a" * 64, "model.skops": "b" * 64},
    ("scikit-learn==1.9.1", "Some_Lib[extra]==2.0; python_version > '3.10'", "git+https://example.org/x.git", "numpy"),
)
MADE = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def read(raw: bytes) -> dict[str, Any]:
    """The document, which must be valid."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw.decode("utf-8")) is None
    return json.loads(raw)


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in component["properties"]}


@pytest.fixture(scope="module")
def full() -> Dossier:
    return dossier()


def test_the_validator_would_notice() -> None:
    """What every other test here rests on: a model card that is none is refused."""
    document = json.loads(ml_bom(dossier(), FACTS))
    document["metadata"]["component"]["modelCard"]["modelParameters"]["approach"]["type"] = "guessing"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None


def test_files_tables_and_libraries_are_components_with_their_digests(full: Dossier) -> None:
    document = read(ml_bom(full, FACTS, made=MADE))
    model = document["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "high-use")
    assert {f["name"]: f["hashes"][0]["content"] for f in model["components"]} == dict(FACTS.files)
    assert properties(model)["synthml:digest"] == full.model["digest"]
    assert properties(model)["synthml:requirements-not-understood"] == "1"
    tables = {c["name"]: c for c in document["components"] if c["type"] == "data"}
    assert {role: properties(c)["synthml:digest"] for role, c in tables.items()} == {
        role: facts["digest"] for role, facts in full.datasets.items()
    }
    assert not any("hashes" in component for component in tables.values())  # of the content, not of a file
    libraries = {c["purl"] for c in document["components"] if c["type"] == "library"}
    assert libraries == {"pkg:pypi/scikit-learn@1.9.1", "pkg:pypi/some-lib@2.0", "pkg:pypi/numpy"}
    (depends,) = [entry for entry in document["dependencies"] if entry["ref"] == model["bom-ref"]]
    assert set(depends["dependsOn"]) == {component["bom-ref"] for component in document["components"]}


def test_every_figure_on_real_rows_stands_with_its_interval_and_group(full: Dossier) -> None:
    card = read(ml_bom(full, FACTS))["metadata"]["component"]["modelCard"]
    metrics = card["quantitativeAnalysis"]["performanceMetrics"]
    found = {(m["type"], m.get("slice")): m for m in metrics}
    assert len(found) == len(metrics)
    reading = Reading(full)
    for of, slice_ in (("all", None), ("sex:male", "sex: male")):
        for name in ("auroc", "fnr", "calibration_slope"):
            figure, told = reading.utility(name, "tstr", of), found[f"utility.{name}.tstr", slice_]
            assert float(told["value"]) == pytest.approx(figure.value, rel=1e-5)
            bounds = told["confidenceInterval"]
            assert float(bounds["lowerBound"]) == pytest.approx(figure.low, rel=1e-5)
            assert float(bounds["upperBound"]) == pytest.approx(figure.high, rel=1e-5)
    assert not any("trts" in m["type"] for m in metrics)
    withheld = {group.name.shown for group in reading.withheld_groups}
    assert withheld
    assert not withheld & {m.get("slice") for m in metrics}


def test_each_group_has_a_fairness_assessment_and_a_withheld_one_no_number(full: Dossier) -> None:
    card = read(ml_bom(full, FACTS))["metadata"]["component"]["modelCard"]
    assessed = {a["groupAtRisk"]: a["harms"] for a in card["considerations"]["fairnessAssessments"]}
    assert set(assessed) == {group.name.shown for group in Reading(full).groups}
    assert assessed["sex: male"].startswith("AUROC 0.671 (0.652 to 0.690) on 2,812 real rows; loss")
    assert assessed["sex: male"].endswith("not decided against the margin")
    for group in Reading(full).withheld_groups:
        assert assessed[group.name.shown].startswith("Not shown: ")


def test_the_verdict_stands_with_its_date_and_one_on_another_model_is_refused(full: Dossier) -> None:
    decided = verdict(full)
    told = properties(read(ml_bom(full, FACTS, decided))["metadata"]["component"])
    assert (told["synthml:verdict"], told["synthml:verdict-decided"]) == ("fail", "2026-03-02T08:00:00Z")
    with pytest.raises(InputError, match="another model"):
        ml_bom(full, FACTS, replace(decided, model_digest="sha256:" + "9" * 64))


def test_bytes_and_serial_number_come_of_the_content_alone(full: Dossier) -> None:
    raw = ml_bom(full, FACTS, verdict(full), made=MADE)
    assert raw == ml_bom(dossier(), FACTS, verdict(full), made=MADE)
    assert read(raw)["metadata"]["timestamp"].startswith("2026-03-03T10:00:00")
    bare = read(ml_bom(full, FACTS, verdict(full)))
    assert "timestamp" not in bare["metadata"]
    assert bare["serialNumber"] != read(raw)["serialNumber"]


@pytest.mark.parametrize("made", [hostile, regression, lambda: Dossier(figures={})])
def test_hostile_small_and_empty_dossiers_are_valid_too(made: Any) -> None:
    facts = ModelFacts(HOSTILE[2], HOSTILE[0], {HOSTILE[4]: "a" * 64, "x": "no digest"}, HOSTILE, HOSTILE, release=HOSTILE[8])
    raw = ml_bom(made(), facts, made=MADE)
    document = read(raw)
    assert not any(c["type"] == "library" for c in document["components"])
    assert not any(sign in raw.decode() for sign in ("\u202e", "\u2066", "\\u001b", "\\u0000"))
    assert len(raw) < 200_000


def test_without_the_library_the_command_that_installs_it_is_named(full: Dossier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'synthml\[bom\]'"):
        ml_bom(full, FACTS)
