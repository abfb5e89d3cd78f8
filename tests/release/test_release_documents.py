"""What a release decides, what it consists of, and that nothing but what is known stands in it."""

import hashlib
import json
import re

import pytest
from release.a_release import CALM, COLUMNS, DIGEST, NOW, RECORD, dossier

from synthml.attestation import new_key, private_key, public_keys, public_pem, read_predicate, unverified, verify
from synthml.errors import InputError
from synthml.evidence import Dossier, canonical_json
from synthml.policy import Policy
from synthml.policy.comparison import compare
from synthml.release import decide_release, documents, kinds_to_measure

NAMES = ("release-default", "release-open", "release-uk", "release-singapore", "release-korea")


def policies(*names):
    return [Policy.load(name) for name in names or NAMES]


def outcomes(of):
    return {v.policy.partition(" ")[0]: v.outcome for v in decide_release(of, policies(), now=NOW).verdicts}


def test_a_calm_table_is_released_everywhere():
    """Every upper bound below its threshold, every document filled in: five passes."""
    assert set(outcomes(dossier()).values()) == {"pass"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # singling out for certain: the Korean criteria as we read them do not ask for it, the others fail
        ({"singling_out_risk": (0.2, 0.15, 0.25)}, {"release-korea": "pass", "rest": "fail"}),
        # between 0.05 and 0.09: only the open release cannot decide
        ({"linkability_risk": (0.04, 0.0, 0.08)}, {"release-open": "insufficient", "rest": "pass"}),
        # exact copies beyond what two halves show, though no more than the holdout's: Singapore asks for the excess
        ({"copies_share_beyond": (0.01, None, None)}, {"release-singapore": "pass", "rest": "fail"}),
        # membership binds in two of five
        (
            {"membership_tpr_at_fpr_10": (0.3, 0.25, 0.35)},
            {"release-default": "fail", "release-open": "fail", "rest": "pass"},
        ),
        # a pass may not rest on distances, a fail may
        (
            {"distance_share_beyond": (0.01, None, None)},
            {"release-uk": "pass", "release-singapore": "pass", "rest": "fail"},
        ),
        # one group only
        ({"inference_worst_group": (0.2, 0.12, 0.3)}, {"release-open": "fail", "rest": "pass"}),
    ],
)
def test_policies_differ_where_their_sources_do(found, expected):
    """One finding changed, and who still passes."""
    told = outcomes(dossier(**found))
    assert told == {name: expected.get(name, expected["rest"]) for name in NAMES}


def test_what_was_not_measured_never_passes():
    """Without one attack, or without a document, the outcome is insufficient, not pass."""
    assert outcomes(dossier(without="linkability"))["release-default"] == "insufficient"
    record = {key: value for key, value in RECORD.items() if key != "controls"}
    told = outcomes(dossier(record=record))
    assert (told["release-uk"], told["release-default"]) == ("insufficient", "pass")
    assert set(outcomes(Dossier(figures={}, datasets={"synthetic": {"digest": DIGEST["synthetic"]}})).values()) == {
        "insufficient"
    }


def test_the_worst_verdict_is_the_releases():
    """Fail before insufficient before pass, and the binding verdict is the one that stands on the first page."""
    release = decide_release(dossier(singling_out_risk=(0.2, 0.15, 0.25)), policies("release-korea", "release-uk"), now=NOW)
    assert (release.outcome, release.binding.policy) == ("fail", "release-uk v1")
    undecided = decide_release(dossier(linkability_risk=(0.04, 0, 0.08)), policies("release-open", "release-uk"), now=NOW)
    assert undecided.outcome == "insufficient"


def test_a_comparison_puts_first_what_stands_against_the_release():
    """Rows are figures, not ids: a policy that does not ask for a figure has no decision there."""
    release = decide_release(dossier(singling_out_risk=(0.2, 0.15, 0.25)), policies("release-korea", "release-uk"), now=NOW)
    first = release.rows[0]
    assert (first.asks, first.differs) == ("disclosure.singling_out.risk", True)
    assert first.decisions["release-uk v1"].outcome == "fail"
    assert first.decisions["release-korea v1"].severity == "warn"
    alone = {row.asks: row for row in release.rows}["disclosure.distance_share.beyond"]
    assert list(alone.decisions) == ["release-korea v1"]
    assert not any(row.differs for row in compare(release.verdicts[:1]))


@pytest.mark.parametrize(("names", "told"), [((), "at least one"), (("release-uk", "release-uk"), "twice")])
def test_policies_are_named_once_each(names, told):
    """None, and one of them twice."""
    with pytest.raises(InputError, match=told):
        decide_release(dossier(), [Policy.load(name) for name in names], now=NOW)


def test_a_model_is_measured_only_where_there_is_one_and_a_policy_asks():
    """release-uk looks at the loss of AUROC; release-korea at no model."""
    assert kinds_to_measure(policies("release-uk"), model=True) == ("utility", "disclosure")
    assert kinds_to_measure(policies("release-uk"), model=False) == ("disclosure",)
    assert kinds_to_measure(policies("release-korea"), model=True) == ("disclosure",)


@pytest.fixture(scope="module")
def signer():
    return private_key(new_key())


@pytest.fixture(scope="module")
def files(signer):
    return documents(
        decide_release(dossier(), policies(), now=NOW), COLUMNS, signer=signer, file_name="table.csv", file_format="text/csv"
    )


def test_one_signature_covers_every_document(signer, files):
    """The statement's subject is the table; it names the digest of each file that lies beside it, and each policy's."""
    verified = verify(files["release.dsse.json"], public_keys(public_pem(signer)))
    told = read_predicate(verified.statement)
    assert verified.statement.subjects[0].digest == DIGEST["synthetic"]
    assert {
        name: "sha256:" + hashlib.sha256(raw).hexdigest() for name, raw in files.items() if "dsse" not in name
    } == told.documents
    assert told.evidence == dossier().digest == told.documents["evidence.json"]
    assert told.datasheet == told.documents["datasheet.md"]
    assert told.policies["release-uk v1"]["digest"] == Policy.load("release-uk").digest
    assert (told.outcome, told.seed, told.decided) == ("pass", 7, "2026-01-02T12:00:00Z")
    assert sorted(files) == [
        "datasheet.croissant.json", "datasheet.md", "dossier.html", "evidence.json", "release.dsse.json", "verdicts.json",
    ]  # fmt: skip


def test_without_a_key_there_is_a_statement_and_no_envelope():
    """An unsigned release cannot be taken for a signed one: other name, and nothing opens it as an envelope."""
    files = documents(decide_release(dossier(), policies("release-uk"), now=NOW), COLUMNS)
    assert "release.dsse.json" not in files
    assert json.loads(files["release.json"])["subject"][0]["digest"]["sha256"] == DIGEST["synthetic"].partition(":")[2]
    with pytest.raises(InputError):
        unverified(files["release.json"])


def test_the_same_release_is_the_same_bytes(signer, files):
    """Twice the same evidence, policies and time: every file alike, the signature too."""
    again = documents(
        decide_release(dossier(), policies(), now=NOW), COLUMNS, signer=signer, file_name="table.csv", file_format="text/csv"
    )
    assert again == files


def test_the_datasheet_answers_from_the_evidence_and_leaves_open_what_it_does_not_know(files):
    """Record, columns, attacks and decisions are there; a field that nobody filled is open; markup stays text."""
    text = files["datasheet.md"].decode()
    assert DIGEST["synthetic"] in text
    assert "- **Unsupported uses**: _open: not written down_" in text
    assert re.search(r"\| age \| numeric \| years \| quasi \| age at visit \|", text)
    assert re.search(r"\| sex \| categorical \|  \| quasi, sensitive \|", text)
    assert "release-uk v1 | pass | none | none" in text
    assert "succeeds on 0.050 of the source's patients, on 0.040 of those never seen" in text
    assert "not known: no holdout" in text
    assert "<b>" not in text
    assert "None declared." in text


def test_the_croissant_document_has_what_the_specification_requires(files):
    """Croissant 1.0: context, type, conformsTo, name, description, distribution, and a record set of typed fields."""
    data = json.loads(files["datasheet.croissant.json"])
    assert data["@type"] == "sc:Dataset"
    assert data["conformsTo"][0] == "http://mlcommons.org/croissant/1.0"
    assert {"@context", "name", "description", "distribution", "recordSet", "datePublished", "version"} <= set(data)
    context = data["@context"]
    assert (context["rai"], context["recordSet"]) == ("http://mlcommons.org/croissant/RAI/", "cr:recordSet")
    for term in (key for key in data if ":" in key):
        assert term.partition(":")[0] in context
    (file,) = data["distribution"]
    assert (file["@type"], file["contentUrl"], file["encodingFormat"]) == ("cr:FileObject", "table.csv", "text/csv")
    (records,) = data["recordSet"]
    assert {f["name"]: f["dataType"] for f in records["field"]} == {
        "age": "sc:Float", "sex": "sc:Text", "ill": "sc:Boolean", "seen": "sc:DateTime",
    }  # fmt: skip
    assert len({f["@id"] for f in records["field"]}) == 4
    assert all(f["source"]["fileObject"]["@id"] == file["@id"] for f in records["field"])
    assert data["rai:dataBiases"] == "one site"
    assert "sha256" not in file  # the digest is of the content, not of the file's bytes
    assert data["identifier"] == DIGEST["synthetic"]


def test_the_dossier_shows_where_the_policies_differ(files):
    """Several policies: a chapter with a column each. One policy: none."""
    page = files["dossier.html"].decode()
    assert "The policies side by side" in page
    assert all(f"{name} v1" in page for name in NAMES)
    alone = documents(decide_release(dossier(), policies("release-uk"), now=NOW), COLUMNS)["dossier.html"].decode()
    assert "The policies side by side" not in alone


def test_an_empty_record_gives_documents_all_the_same():
    """A study without a generation record: every question is open, nothing breaks."""
    bare = Dossier(figures={}, datasets={"synthetic": {"digest": DIGEST["synthetic"], "rows": 0, "columns": 0}})
    files = documents(decide_release(bare, policies("release-default"), now=NOW), {})
    assert "No attack with a control was measured." in files["datasheet.md"].decode()
    assert json.loads(files["datasheet.croissant.json"])["recordSet"][0]["field"] == []


def test_the_verdicts_of_a_known_dossier_do_not_change_unnoticed():
    """One decided and one refused, criterion by criterion, held against what was written down by hand."""
    release = decide_release(dossier(singling_out_risk=(0.2, 0.15, 0.25)), policies("release-singapore"), now=NOW)
    assert {d.id: d.outcome for d in release.verdicts[0].decisions if d.figure} == {
        "singling-out": "fail", "linkability": "pass", "inference": "pass", "copies": "pass", "membership": "pass",
        "auroc-loss": "insufficient",
    }  # fmt: skip
    assert [d.id for d in release.verdicts[0].failed] == ["singling-out"]
    assert canonical_json(release.to_dict()) == canonical_json(json.loads(canonical_json(release.to_dict())))
    assert set(CALM) >= {d.figure + "/" + d.of for d in release.verdicts[0].decisions if d.figure and d.of == "ill"}


def test_the_example_study_is_one_that_every_release_policy_has_documents_for():
    """examples/release: its generation record leaves no document open under the policies that its script names."""
    from pathlib import Path

    from synthml import StudyFile

    file = StudyFile.load(Path(__file__).parents[2] / "examples" / "release" / "study.yaml")
    record = file.generation.redacted().to_dict()
    for verdict in decide_release(dossier(record=record), policies(), now=NOW).verdicts:
        assert not [d.id for d in verdict.decisions if d.id.startswith("document.") and d.outcome != "pass"]
