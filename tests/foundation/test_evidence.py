"""The evidence document: canonical, versioned, and without rows."""

import json

import pytest

from synthml.errors import EvidenceError
from synthml.estimate import Estimate
from synthml.evidence import Dossier, Evidence, canonical_json

AUROC = Estimate(0.65, 0.63, 0.67, n=6057, method="delong")


def dossier() -> Dossier:
    return Dossier(figures={"utility.auroc.tstr/all": AUROC}, kinds=("utility",), seed=7, synthml="0.1.0")


def test_a_dossier_survives_its_document():
    again = Dossier.from_json(dossier().to_json())
    assert again.to_json() == dossier().to_json()
    assert again.figures["utility.auroc.tstr/all"] == AUROC


def test_fields_of_a_newer_version_survive_so_that_the_digest_never_changes():
    data = json.loads(dossier().to_json())
    data["reviewed_by_committee"] = {"year": 2030}
    raw = canonical_json(data)
    assert Dossier.from_json(raw).to_json() == raw


def test_canonical_json_sorts_keys_and_wastes_no_space():
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


def test_a_number_that_is_not_finite_never_gets_in():
    with pytest.raises(ValueError, match="finite"):
        Estimate(float("nan"))
    with pytest.raises(EvidenceError):
        canonical_json({"a": float("inf")})


def test_a_table_holds_scalars_only():
    bad = Dossier(figures={}, tables={"t": ({"rows": [1, 2]},)})
    with pytest.raises(EvidenceError, match="list under 'rows'"):
        bad.to_json()


def test_an_insufficient_figure_has_a_reason_and_no_value():
    with pytest.raises(ValueError, match="reason"):
        Estimate(None, status="insufficient")
    assert Estimate.insufficient("too small").to_dict()["value"] is None


def test_a_figure_is_measured_once():
    with pytest.raises(EvidenceError, match="twice"):
        dossier().adding(Evidence("utility", {"utility.auroc.tstr/all": AUROC}))


def test_a_kind_without_figures_was_not_measured():
    assert dossier().adding(Evidence("subgroups", notes=("no holdout",))).kinds == ("utility",)


def test_metrics_are_values_and_bounds_under_the_figures_own_ids():
    assert dossier().metrics() == {
        "utility.auroc.tstr.high/all": 0.67,
        "utility.auroc.tstr.low/all": 0.63,
        "utility.auroc.tstr/all": 0.65,
    }


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"schema_version":"9"}', "schema_version"),
        (b'{"schema_version":"1"}', "incomplete"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(raw, told):
    with pytest.raises(EvidenceError, match=told):
        Dossier.from_json(raw)
