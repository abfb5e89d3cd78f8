"""The generation record: typed, lossless, with a public view that gives nobody away."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthml.errors import StudyError
from synthml.evidence import canonical_json
from synthml.generation import GenerationRecord

FULL = {
    "schema_version": "1",
    "id": "ward-7",
    "version": "3",
    "digest": "sha256:ab",
    "created": "2025-03-01",
    "label": "synthetic",
    "synthesis": "full",
    "purpose": "teach",
    "supported_uses": ["teaching"],
    "unsupported_uses": ["care"],
    "recipients": ["Dr Canary"],
    "release_scope": "open",
    "source": {
        "owner": "Canary hospital",
        "site": "Canary ward",
        "period": "2019 to 2021",
        "n": 4000,
        "subjects": 900,
        "lawful_basis": "consent",
        "ethics_reference": "Canary-77",
        "digest": "sha256:canary",
        "limitations": {
            "missingness": "bmi",
            "labels": "codes",
            "label_error": 0.02,
            "bias": "urban",
            "group_rows": {"Canary": 3},
        },
    },
    "dictionary": [{"name": "age", "kind": "numeric", "unit": "years", "classification": "quasi"}],
    "preparation": {"dropped": ["name"], "outliers": "capped at 99%"},
    "generator": {
        "name": "CartSynthesizer",
        "library": "synthml",
        "version": "0.1",
        "parameters": {"min_leaf": 5, "smooth": True, "categories": ["Canary"], "seed": 4711, "workspace": "Canary"},
        "seeds": 4711,
        "training_rows": 4000,
        "conditioning": {"ward": "Canary"},
    },
    "privacy": {"mechanism": "none", "epsilon": None, "unit": "subject"},
    "holdout": {"never_seen": True, "split_digest": "sha256:canary", "rows": 1000},
    "output": {"n": 4000, "drawn": 3, "chosen": "the first"},
    "residual_risks": ["linkage"],
    "controls": "access by contract",
    "agreement": "Canary agreement",
    "incident_plan": "call Canary",
    "approvals": [{"by": "Canary"}],
    "expiry": "2026-03-01",
    "local_field": {"kept": [1, 2.0, None], "Canary": True},
}


def test_a_record_survives_a_round_trip_byte_by_byte():
    record = GenerationRecord.from_dict(FULL)
    assert canonical_json(record.to_dict()) == canonical_json(FULL)
    assert canonical_json(GenerationRecord.from_dict(record.to_dict()).to_dict()) == canonical_json(FULL)
    assert record.source.n == 4000
    assert record.source.limitations.label_error == 0.02


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8).map("x".__add__), PLAIN, max_size=4))
@settings(max_examples=80, deadline=None)
def test_fields_that_this_version_does_not_know_survive(extra):
    data = {"id": "a", "source": {"n": 3, **extra}, **extra}
    assert canonical_json(GenerationRecord.from_dict(data).to_dict()) == canonical_json(data)


def test_the_public_view_gives_nobody_away():
    public = GenerationRecord.from_dict(FULL).redacted()
    text = json.dumps(public.to_dict()).lower()
    assert "canary" not in text
    assert "4711" not in text
    assert public.view == "public"
    assert public.purpose == "teach"
    assert public.source.period == "2019 to 2021"
    assert public.source.limitations.bias == "urban"
    assert public.generator.parameters == {"min_leaf": 5, "smooth": True}
    assert public.redacted().to_dict() == public.to_dict()


def test_limitations_in_words_are_public():
    record = GenerationRecord(source={"owner": "x", "limitations": "labels were imputed"})
    assert record.redacted().to_dict() == {"source": {"limitations": "labels were imputed"}, "view": "public"}


@pytest.mark.parametrize(
    ("data", "where", "told"),
    [
        ({"id": 3}, "generation.id", "string is expected"),
        ({"privacy": {"epsilon": "1"}}, "generation.privacy.epsilon", "integer or number is expected"),
        ({"source": {"n": 1.5}}, "generation.source.n", "integer is expected"),
        ({"source": {"limitations": {"labels": 3}}}, "generation.source.limitations.labels", "string is expected"),
        ({"dictionary": [{"kind": "numeric"}]}, "generation.dictionary.0.name", "is missing"),
        ({"dictionary": [{"name": "a", "classification": "x"}]}, "generation.dictionary.0.classification", "'direct', 'quasi'"),
        ({"release_scope": "everyone"}, "generation.release_scope", "'open', 'controlled' or 'internal'"),
        ({"supported_uses": "teaching"}, "generation.supported_uses", "list is expected"),
        ({"schema_version": "2"}, "generation.schema_version", "this synthml reads '1'"),
        ({"schema_version": 1}, "generation.schema_version", "Write it as text"),
        ({"created": object()}, "generation", "cannot be written as JSON"),
        ({"x": float("nan")}, "generation", "cannot be written as JSON"),
        ([1], "generation", "is not a map"),
        ({1: 2}, "generation", "is not a map with text keys"),
    ],
)
def test_a_record_that_is_wrong_says_where(data, where, told):
    with pytest.raises(StudyError) as caught:
        GenerationRecord.from_dict(data)
    problem = next(p for p in caught.value.problems if p.where == where)
    assert told in str(problem)


def test_a_record_is_frozen_and_compares_by_content():
    record = GenerationRecord(id="a")
    with pytest.raises(Exception, match="frozen"):
        record.id = "b"
    assert record == GenerationRecord.from_dict({"id": "a"})
