"""Names come from whoever can write to the registry: every command takes them as text, and none of them becomes anything else."""

from __future__ import annotations

import csv
import io
import json

import pytest
from gate.conftest import NOW, POLICY, TABLES
from lineage.a_registry import KEYS, SOURCE, a_model, release, trust

import synthml_tracking as tracking
from synthml.report.verdicts import FORMATS
from synthml_tracking.cards import make_cards
from synthml_tracking.graph.drawing import dot, mermaid, tree

NAMES = [
    "it's", 'say "x" <b>', "100%_\\ é漢字 `x`", "' OR name != '", "=cmd()|a", "a" * 240, "-- ; drop", "x\u202ey", "{{x}} ${y}",
    "@everyone", "ward@night", "# one\n# two", "<script>alert(1)<b>",
]  # fmt: skip


@pytest.fixture(params=NAMES, ids=range(len(NAMES)))
def model(store, request):
    """As `gate.conftest.model`, under a name that nobody should give."""
    made = a_model(store, TABLES, name=request.param)
    made.add(made.evidence("engineer", 0.9), "engineer")
    made.add(made.evidence("evaluator", 0.8), "evaluator")
    made.state(release(), "custodian")
    return made


def test_from_gate_to_recall(model):
    """Gate, promote, serve, find, recall: each finds the very version, and says its name in a line that holds nothing else."""
    asked = {"trust": trust(), "now": NOW}
    assert tracking.gate(model.uri, POLICY, **asked).outcome == "pass"
    assert tracking.promote(model.uri, "champion", POLICY, trust=trust(), clock=lambda: NOW)
    endpoint = f"https://ward/{model.name if model.name.isprintable() else 'x'}"
    tracking.record_deployment(f"models:/{model.name}@champion", environment="pilot", endpoint=endpoint, by="=cd()", now=NOW)
    found = tracking.impact(SOURCE, **asked)
    assert [(one.uri, one.aliases) for one in found.versions] == [(model.uri, ("champion",))]
    assert found.live[0].version == model.uri
    graph = tracking.lineage(model.uri, **asked)
    assert graph.root == f"version:{model.uri}"
    assert tracking.verify(model.uri, **asked)
    tracking.recall(SOURCE, model.name, signer=KEYS["custodian"], **asked)
    assert model.client.get_model_version(model.name, "1").description.startswith("> **RECALLED**")
    assert not tracking.promote(f"models:/{model.name}@champion", "champion", POLICY, trust=trust(), clock=lambda: NOW)
    verdict = tracking.gate(model.uri, POLICY, **asked)
    assert verdict.outcome == "fail"
    for text in (found.text(), found.text(live=True), tree(graph), mermaid(graph), dot(graph), FORMATS["text"](verdict)):
        assert all(c.isprintable() for c in text.replace("\n", ""))
    rows = list(csv.reader(io.StringIO(found.to_csv())))
    assert len(rows) == 4
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]
    for name in ("json", "sarif"):
        json.loads(FORMATS[name](verdict))
    cards = make_cards(model.uri, policy=POLICY, trust=trust(), now=NOW).files
    assert b"<script>alert" not in cards["report.html"]
    outside = "".join(cards["model_card.md"].decode().split("```")[::2])
    assert "<script>alert" not in outside
    assert "<b>" not in outside
