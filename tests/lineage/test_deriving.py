"""What was done to a table before it was trained on is told by whoever did it, and recalls and contamination follow."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from gate.conftest import NOW
from lineage.a_registry import HOLDOUT, KEYS, OTHER, SOURCE, SYNTHETIC, a_model, asking, short, trust

import synthml_tracking as tracking
from synthml import table_digest
from synthml.attestation import ACTIVITIES
from synthml.errors import InputError
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.commands.derivation import derivation
from synthml_tracking.ledger import Ledger


@pytest.fixture
def client(store):
    return load_mlflow().MlflowClient(store)


def test_a_recall_reaches_what_was_augmented_sampled_and_synthesised_again(store):
    """source -> synthetic -> sampled -> augmented with another table -> model; the gate fails and impact lists it."""
    sampled, augmented = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    model = a_model(store, {"synthetic": augmented})
    tracking.record_derivation(SYNTHETIC, SOURCE, activity="synthesis", generator="maker 1.0", now=NOW)
    tracking.record_derivation(sampled, SYNTHETIC, activity="sampling", now=NOW)
    tracking.record_derivation(augmented, [sampled, OTHER], activity="augmentation", signer=KEYS["engineer"], now=NOW)
    found = tracking.impact(SOURCE, trust=trust(), now=NOW)
    assert [one.uri for one in found.versions] == [model.uri]
    assert [len(table.path) for table in found.tables] == [1, 2, 3, 4]
    policy = asking(lineage={"no_recall": True, "no_contamination": False})
    assert tracking.gate(model.uri, policy, trust=trust(), now=NOW, record=False).outcome == "pass"
    tracking.recall(OTHER, "consent withdrawn", signer=KEYS["custodian"], trust=trust(), now=NOW)
    assert tracking.gate(model.uri, policy, trust=trust(), now=NOW, record=False).outcome == "fail"


def test_a_holdout_that_went_into_a_generator_is_contaminated_and_the_other_part_of_a_split_is_not(store):
    """All of a table's rows are in what is made of it by synthesis; of a split only a part."""
    model = a_model(store, {"synthetic": SYNTHETIC, "holdout": HOLDOUT})
    tracking.record_derivation([SOURCE, HOLDOUT], OTHER, activity="split", now=NOW)
    tracking.record_derivation(SYNTHETIC, SOURCE, activity="synthesis", now=NOW)
    policy = asking(lineage={"no_contamination": True})

    def outcome():
        judged = tracking.judge(model.uri, policy, trust=trust(), now=NOW, record=False)
        return judged.gathered.facts.contaminated

    assert outcome() is False
    tracking.record_derivation(SYNTHETIC, HOLDOUT, activity="synthesis", now=NOW)
    assert outcome() is True


@pytest.mark.parametrize(
    ("derived", "materials", "activity", "told"),
    [
        (SYNTHETIC, SOURCE, "magic", "is no activity"),
        (SYNTHETIC, SYNTHETIC, "sampling", "made from itself"),
        ("no digest", SOURCE, "sampling", "is no digest"),
        ("f" * 12, SOURCE, "sampling", "no table in this registry"),
        ([], SOURCE, "sampling", "at least one table"),
        ([f"sha256:{i:064x}" for i in range(80)], SOURCE, "split", "at most 80"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(store, client, derived, materials, activity, told):
    with pytest.raises(InputError, match=told):
        tracking.record_derivation(derived, materials, activity=activity, now=NOW)
    assert not Ledger(client).all("derivation")


def test_said_twice_it_is_there_once(store, client):
    """By the same hand; the time is no difference."""
    tracking.record_derivation(SYNTHETIC, SOURCE, activity="synthesis", now=NOW)
    tracking.record_derivation(SYNTHETIC, SOURCE, activity="synthesis")
    assert len(Ledger(client).all("derivation")) == 1


def test_the_command_offers_every_activity():
    """Its own list, so that `--help` needs no library."""
    (option,) = [one for one in derivation.params if one.name == "activity"]
    assert tuple(option.type.choices) == ACTIVITIES


def test_the_command_takes_files_and_digests(store, tmp_path, monkeypatch, capsys):
    """A file's digest is that of `synthml digest`; what is neither is a usage error."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": [1, 2]}).to_parquet("synthetic.parquet")
    pd.DataFrame({"a": [1, 2, 3]}).to_csv("augmented.csv", index=False)

    def run(*words):
        with pytest.raises(SystemExit) as stop:
            main(["derivation", *words])
        return stop.value.code, capsys.readouterr()

    code, told = run("augmented.csv", "--from", "synthetic.parquet", "--from", SOURCE, "--activity", "augmentation", "--json")
    assert code == 0
    facts = json.loads(told.out)
    assert facts["made"] == [table_digest(tmp_path / "augmented.csv")]
    assert facts["from"] == [table_digest(tmp_path / "synthetic.parquet"), SOURCE]
    assert {one.key for one in tracking.impact(SOURCE, trust=trust(), now=NOW).tables} == {short(SOURCE), short(facts["made"][0])}
    code, told = run("augmented.csv", "--from", "gone.parquet", "--activity", "sampling")
    assert (code, "neither a file nor a digest" in told.err) == (2, True)
    code, told = run(short(SOURCE), "--from", "synthetic.parquet", "--activity", "transformation")
    assert (code, told.out.splitlines()[0]) == (0, "recorded: transformation")
