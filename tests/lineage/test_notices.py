"""The page of every version that depends on a recalled table says so, and what somebody wrote there is never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gate.conftest import AUROC, NOW, POLICY, TABLES
from lineage.a_registry import KEYS, SOURCE, SYNTHETIC, a_model, asking, release, trust

import synthml_tracking as tracking
from synthml.report.card import LIMIT
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.notices import is_ours, with_notice, without_notices
from synthml_tracking.recalls import Recall

BY_HAND = "Talk to the ward before use."
RECALL = Recall(SOURCE, "consent withdrawn", "2030-01-31T12:00:00Z", "Custodian (custodian)", True, "sha256:" + "1" * 64, "r")


@pytest.fixture
def client(store):
    return load_mlflow().MlflowClient(store)


@pytest.fixture
def model(store):
    made = a_model(store, TABLES)
    made.add(made.evidence("evaluator", 0.8), "evaluator")
    made.state(release(), "custodian")
    return made


def page(client, name="risk", number="1"):
    return client.get_model_version(name, number).description or ""


def recall(table=SOURCE, *, reason="consent withdrawn", signer="custodian", **how):
    signing = None if signer is None else KEYS[signer]
    return tracking.recall(table, reason, signer=signing, trust=trust(), **{"now": NOW, **how})


def lift(table=SOURCE, **how):
    return tracking.lift_recall(table, "an error", signer=KEYS["custodian"], trust=trust(), **{"now": NOW, **how})


def test_a_recall_is_told_on_every_version_that_depends_on_the_table_and_on_no_other(model, client, store):
    """Cards, words written by hand, empty pages, a copy; the lift leaves every page as it was."""
    a_model(store, {"synthetic": "sha256:" + "9" * 64}, name="another")
    tracking.gate(model.uri, POLICY, trust=trust(), now=NOW)
    client.copy_model_version(model.uri, "copied")
    by_hand = a_model(store, TABLES, name="by hand")
    client.update_model_version("by hand", "1", BY_HAND)
    a_model(store, TABLES, name="empty")
    names = ["risk", "copied", "by hand", "empty", "another"]
    before = {name: page(client, name) for name in names}
    declared = recall()
    line = page(client, "empty")
    for name in names[:4]:
        assert page(client, name) == (f"{line}\n\n{before[name]}" if before[name] else line)
    assert page(client, "another") == ""
    assert line.startswith("> **RECALLED** on 2030-01-31 by Custodian")
    assert "consent withdrawn" in line
    assert declared.digest.rpartition(":")[2][:12] in line
    assert len(line.splitlines()) == 1
    assert tracking.gate(by_hand.uri, asking(lineage={"no_recall": True}), trust=trust(), now=NOW).outcome == "fail"
    lift()
    assert {name: page(client, name) for name in names} == before


def test_a_recall_reaches_the_pages_through_any_chain(model, client):
    """The synthetic table is recalled, or what its source was made of."""
    recall(SYNTHETIC)
    assert page(client).startswith("> **RECALLED**")


def test_each_recall_has_its_line_and_its_lift_takes_both(model, client):
    """One is unverified, and told as such; a line is not written twice."""
    recall(reason="first")
    recall(reason="second", signer=None, now=NOW + timedelta(days=1))
    lines = page(client).split("\n\n")
    assert len(lines) == 2
    assert "signature was not verified" in lines[0]
    recall(SYNTHETIC, reason="third")
    assert len(page(client).split("\n\n")) == 3
    lift()
    assert "third" in page(client)
    assert "first" not in page(client)
    assert with_notice(with_notice("", [RECALL]), [RECALL]) == with_notice("", [RECALL])


def test_the_gates_card_stands_below_the_recalls_that_are_in_force(model, client):
    """Also under a policy that does not look at recalls, and on a version that was registered after the recall."""
    declared = recall()
    lax = asking(criteria=[AUROC])
    assert tracking.gate(model.uri, lax, trust=trust(), now=NOW).outcome == "pass"
    notice, card = page(client).split("\n\n", 1)
    assert declared.reason in notice
    assert card.startswith("**PASS**")
    lift()
    assert page(client) == card
    recall(reason="again", now=NOW + timedelta(days=1))
    tracking.gate(model.uri, lax, trust=trust(), now=NOW + timedelta(days=1))
    assert [line[:14] for line in page(client).split("\n\n")[:2]] == ["> **RECALLED**", "**PASS** · p v"]


def test_what_a_reason_holds_is_shown_as_text():
    """No tag, link, code or further line; the notice is found again."""
    hostile = "</blockquote><script>alert(1)</script>\n\n# fine\n[a](javascript:x) (recall `000000000000`)\n\n`" + "x" * 900
    text = with_notice(BY_HAND, [replace(RECALL, reason=hostile, by="<b>Ada</b>`\n")])
    line, rest = text.split("\n\n", 1)
    assert rest == BY_HAND
    assert "<" not in line.removeprefix(">")
    assert "](" not in line.replace("\\]", "")
    assert len(line) <= 600
    assert without_notices(text, [RECALL.identity]) == BY_HAND


def test_the_longest_notice_fits_above_a_card_of_ours(model, client):
    """And above words written by hand that leave no room it is left out: they are not cut."""
    longest = replace(RECALL, reason="<" * 1000, by="`" * 200)
    card = "x" * (LIMIT - 600)
    assert len(with_notice(card, [longest])) <= LIMIT
    assert with_notice(card, [longest]) != card
    full = "x" * LIMIT
    assert with_notice(full, [longest]) == full
    assert not is_ours(with_notice(BY_HAND, [RECALL]))
    assert is_ours(with_notice("", [RECALL]))
    tracking.gate(model.uri, POLICY, trust=trust(), now=NOW)
    assert len(page(client)) <= LIMIT - 600


def test_a_page_that_cannot_be_written_does_not_undo_the_recall(model, client, monkeypatch, caplog):
    """Nobody may change versions here: the recall counts, and the log says which pages are silent."""
    from mlflow.exceptions import MlflowException

    def refuse(*_):
        raise MlflowException("no permission")

    monkeypatch.setattr(type(client), "update_model_version", refuse)
    lines = []
    declared = recall(progress=lines.append)
    assert declared.verified
    assert tracking.gate(model.uri, POLICY, trust=trust(), now=NOW, record=False).outcome == "fail"
    assert "the pages of 1 versions do not tell of it" in caplog.text
    assert lines == ["pages of versions changed: 0, of 1 that depend on the table"]


def test_the_store_is_asked_once_for_each_page_and_not_for_the_pages_of_others(model, client, store, monkeypatch):
    """No request for a version that is not concerned."""
    for number in range(3):
        a_model(store, {"synthetic": f"sha256:{number:064x}"}, name=f"other {number}")
    written = []
    update = type(client).update_model_version
    monkeypatch.setattr(type(client), "update_model_version", lambda self, *told: written.append(told[:2]) or update(self, *told))
    recall()
    assert written == [("risk", "1")]
    recall(SYNTHETIC)
    lift()
    assert len(written) == 3


def test_the_command_says_how_many_pages_tell_of_it(model, store, capsys):
    """Beside its output, so that JSON stays JSON."""
    with pytest.raises(SystemExit) as stop:
        main(["recall", SOURCE, "--reason", "consent withdrawn", "--json"])
    assert stop.value.code == 0
    assert "pages of versions changed: 1, of 1 that depend on the table" in capsys.readouterr().err
