"""Cards of a recorded model: what they say is what the registry holds, whoever signed it, and they lie where they should."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from recording.small_study import study

import synthml_tracking as tracking
from synthml.attestation import (
    ReviewPredicate,
    Signatory,
    Trust,
    new_key,
    private_key,
    public_pem,
    review_statement,
    sign,
)
from synthml.errors import InputError, MissingExtraError, TrackingError
from synthml.policy import Policy
from synthml.policy.attested import verdict_statement
from synthml_tracking.attaching import attach
from synthml_tracking.cards import BOM, CARD, CROISSANT, DATASHEET, REPORT, Cards, attach_cards, make_cards
from synthml_tracking.cli import cli, main
from synthml_tracking.client import load_mlflow

URI = "models:/risk/1"
NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
GATE, STRANGER = private_key(new_key()), private_key(new_key())


def trust() -> Trust:
    return Trust.parse(
        f"version: 1\nkeys:\n  - {{name: Gate, roles: [gate, reviewer], key: {json.dumps(public_pem(GATE).decode())}}}\n"
    )


def folder_of(client: Any, place: str) -> dict[str, bytes]:
    """path -> content of a model's or a run's files."""
    root = Path(load_mlflow().artifacts.download_artifacts(place))
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def run_id(store: str) -> str:
    return str(load_mlflow().MlflowClient(store).get_model_version("risk", "1").run_id)


def artifact(store: str, name: str) -> bytes:
    run = load_mlflow().MlflowClient(store).get_run(run_id(store))
    return (Path(str(run.info.artifact_uri).removeprefix("file://")) / "synthml" / name).read_bytes()


@pytest.fixture
def cards(store: str) -> Cards:
    return make_cards(URI, tracking_uri=store, now=NOW)


def test_every_document_says_what_the_evidence_and_the_files_say(store: str, cards: Cards) -> None:
    """Figures of the evidence in the card, digests of the files and what they need in the bill, the record in the datasheet."""
    assert set(cards.files) == {CARD, REPORT, DATASHEET, CROISSANT, BOM}
    gathered = tracking.gather_facts(URI, Policy(name="any", version=1), tracking_uri=store, now=NOW)
    data = yaml.safe_load(cards.files[CARD].decode().split("---\n")[1])
    figure = gathered.dossier.figures["utility.auroc.tstr/all"]
    assert data["model-index"][0]["results"][0]["metrics"][0]["value"] == figure.value
    assert data["library_name"] == "sklearn"
    assert cards.evidence_digest == gathered.dossier.digest
    bill = cards.files[BOM].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    document = json.loads(bill)
    client = load_mlflow().MlflowClient(store)
    location = client.get_logged_model(gathered.found.model_id).artifact_location
    files = folder_of(client, str(location))
    hashes = {f["name"]: f["hashes"][0]["content"] for f in document["metadata"]["component"]["components"]}
    assert hashes == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    pinned = {line for line in files["requirements.txt"].decode().splitlines() if line}
    libraries = {f"{c['name']}=={c['version']}" for c in document["components"] if c["type"] == "library"}
    assert libraries == pinned
    assert "- **Purpose**: to compare models" in cards.files[DATASHEET].decode()
    assert "Release: no release attestation." in cards.files[DATASHEET].decode()


def test_the_croissant_file_claims_no_file_that_is_not_at_hand(cards: Cards) -> None:
    """Neither a distribution nor a record set, which would want a checksum; the columns of the table, without the person's."""
    document = json.loads(cards.files[CROISSANT])
    assert {"@context", "@type", "conformsTo", "name", "description", "version", "datePublished", "identifier"} <= set(document)
    assert not {"distribution", "recordSet"} & set(document)
    assert {v["name"] for v in document["variableMeasured"]} == {"age", "sex", "ward", "lactate", "readmitted"}


def test_the_same_registry_and_time_give_the_same_bytes(store: str, cards: Cards) -> None:
    assert make_cards(URI, tracking_uri=store, now=NOW).files == cards.files


def test_with_a_policy_the_verdict_is_decided_at_that_time_and_told_as_unsigned(store: str) -> None:
    """As the gate decides it, with its date; evidence that the policy does not count is left out, and told."""
    made = make_cards(URI, policy="research-sandbox", tracking_uri=store, now=NOW)
    assert made.verdict == tracking.gate(URI, "research-sandbox", tracking_uri=store, now=NOW)
    card = made.files[CARD].decode()
    assert "decided 2030-01-31T12:00:00Z" in card
    assert "no gate signed it" in card
    strict = make_cards(URI, policy="clinical-default", tracking_uri=store, now=NOW)
    assert strict.verdict is not None
    assert not strict.verdict
    assert "is left out: it is not signed" in strict.files[CARD].decode()
    assert set(strict.left_out) == {DATASHEET, CROISSANT}


def test_a_verdict_counts_when_a_trusted_gate_signed_it_and_else_is_only_told_of(store: str) -> None:
    """A stranger's pass is not shown as a verdict; the gate's is, with its date; the last one stands."""
    verdict = tracking.gate(URI, "research-sandbox", tracking_uri=store, now=NOW)
    attach(URI, sign(verdict_statement(verdict), STRANGER), tracking_uri=store)
    made = make_cards(URI, trust=trust(), tracking_uri=store, now=NOW)
    assert made.verdict is None
    assert "does not count" in made.files[CARD].decode()
    attach(URI, sign(verdict_statement(verdict), GATE), tracking_uri=store)
    later = tracking.gate(URI, "clinical-default", tracking_uri=store, now=NOW.replace(month=2, day=1))
    attach(URI, sign(verdict_statement(later), GATE), tracking_uri=store)
    made = make_cards(URI, trust=trust(), tracking_uri=store, now=NOW.replace(month=3))
    assert made.verdict == later
    card = made.files[CARD].decode()
    assert "under clinical-default v1, decided 2030-02-01T12:00:00Z" in card
    assert "Signed by Gate (" in card


def test_a_recall_stands_on_every_document_about_the_model_and_the_table(store: str) -> None:
    gathered = tracking.gather_facts(URI, Policy(name="any", version=1), tracking_uri=store)
    source = gathered.dossier.datasets["source"]["digest"]
    tracking.recall(source, "consent <withdrawn>", tracking_uri=store)
    files = make_cards(URI, tracking_uri=store).files
    card = files[CARD].decode()
    assert "**RECALLED: The source table" in card
    assert "consent &lt;withdrawn&gt;" in card
    assert "RECALLED: The source table" in files[DATASHEET].decode()
    assert "consent <withdrawn>" in json.dumps(json.loads(files[BOM])["metadata"]["component"]["properties"])


def test_a_reviewers_decision_stands_on_the_card_while_its_signature_counts(store: str) -> None:
    """With name, date, expiry and reason; once it is over it is told as expired; of a stranger nothing is shown."""
    gathered = tracking.gather_facts(URI, Policy(name="any", version=1), tracking_uri=store, now=NOW)
    for signer, reason in ((GATE, "seen by us"), (STRANGER, "seen by nobody")):
        decision = ReviewPredicate(
            "approved", reason, "2030-01-30T12:00:00Z", Signatory(signer.public_key.keyid), "2030-06-30T12:00:00Z"
        )
        statement = review_statement(
            decision, model=gathered.found.digest, evidence=gathered.dossier.digest, policy="sha256:" + "0" * 64
        )
        attach(URI, sign(statement, signer), tracking_uri=store)
    card = make_cards(URI, trust=trust(), tracking_uri=store, now=NOW).files[CARD].decode()
    assert "- **Review**: approved by Gate on 2030-01-30, until 2030-06-30: seen by us" in card
    assert "seen by nobody" not in card
    later = make_cards(URI, trust=trust(), tracking_uri=store, now=NOW.replace(month=7)).files[CARD].decode()
    assert "expired on 2030-06-30" in later


def test_attached_cards_lie_with_the_run_and_change_nothing_that_is_judged(store: str, cards: Cards) -> None:
    before = tracking.gate(URI, "research-sandbox", tracking_uri=store, now=NOW)
    paths = attach_cards(cards, tracking_uri=store)
    assert set(paths) == {f"synthml/{name}" for name in cards.files}
    assert {name: artifact(store, name) for name in cards.files} == dict(cards.files)
    assert tracking.gate(URI, "research-sandbox", tracking_uri=store, now=NOW) == before
    assert not Path("synthml-spool").exists()


def test_attaching_that_was_cut_off_is_resumed(store: str, cards: Cards) -> None:
    changed = Cards(**{**vars(cards), "files": {**cards.files, CARD: b"# newer\n"}})

    def cut(seen: str) -> None:
        if seen == "before artifacts":
            raise TrackingError("cut")

    with pytest.raises(TrackingError):
        attach_cards(changed, tracking_uri=store, observer=cut)
    (spool,) = [path for path in Path("synthml-spool").iterdir() if (path / "plan.json").exists()]
    tracking.resume(spool)
    assert artifact(store, CARD) == b"# newer\n"


def test_a_model_outside_of_a_run_has_no_place_to_attach_to(cards: Cards) -> None:
    with pytest.raises(InputError, match="outside of a run"):
        attach_cards(Cards(**{**vars(cards), "run_id": None}))


def test_card_and_report_show_the_lineage_and_the_verdict(store: str) -> None:
    """Where the version serves, and a recall with its reason, stand in the text, in Mermaid and in the report's drawing."""
    tracking.record_deployment(URI, environment="pilot", endpoint="https://ward.example/risk", by="cd", tracking_uri=store)
    source = study().tables["source"].digest
    tracking.recall(source, "consent withdrawn", tracking_uri=store)
    files = make_cards(URI, policy="research-sandbox", bom=False, tracking_uri=store).files
    card, report = files[CARD].decode(), files[REPORT].decode()
    tree = card[card.index("```text") : card.index("```mermaid")]
    assert "deployment pilot https://ward.example/risk  live" in tree
    assert "RECALLED: recalled on" in tree
    assert "flowchart LR" in card
    figure = report[
        report.index('<figure class="lineage">') : report.index("</figure>", report.index('<figure class="lineage">'))
    ]
    assert "consent withdrawn" in figure
    assert "ward.example" in figure
    assert 'id="policy"' in report


def test_the_command_prints_writes_and_attaches(store: str, tmp_path: Path) -> None:
    """Alone it prints the card; with a folder it writes all; with --attach it attaches; in JSON it says what it did."""
    printed = CliRunner().invoke(cli, ["card", URI, "--tracking-uri", store], catch_exceptions=False)
    assert printed.exit_code == 0
    assert printed.stdout.startswith("---\nlicense: unknown\n")
    folder = tmp_path / "out"
    told = CliRunner().invoke(
        cli,
        ["card", URI, "--tracking-uri", store, "--output", str(folder), "--attach", "--json", "--policy", "research-sandbox"],
        catch_exceptions=False,
    )
    facts = json.loads(told.stdout)
    assert (
        {Path(path).name for path in facts["files"]}
        == {path.name for path in folder.iterdir()}
        == {CARD, REPORT, DATASHEET, CROISSANT, BOM}
    )
    assert facts["verdict"]["outcome"] == "pass"
    assert artifact(store, CARD) == (folder / CARD).read_bytes()


def test_without_the_library_the_command_says_how_to_get_it(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 before the store is asked; with --no-bom the other documents are made."""
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(MissingExtraError):
        make_cards("models:/nobody/1", tracking_uri=store)
    with pytest.raises(SystemExit) as stopped:
        main(["card", URI, "--tracking-uri", store])
    assert stopped.value.code == 2
    assert "pip install 'synthml[bom]'" in capsys.readouterr().err
    assert set(make_cards(URI, bom=False, tracking_uri=store).files) == {CARD, REPORT, DATASHEET, CROISSANT}


def test_an_output_that_cannot_be_written_is_told_plainly(store: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here already", encoding="utf-8")
    told = CliRunner().invoke(cli, ["card", URI, "--tracking-uri", store, "--output", str(tmp_path / "file" / "out")])
    assert isinstance(told.exception, InputError)
