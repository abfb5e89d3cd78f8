"""The ledger in an embedded store: whole entries, few requests, nothing lost, and recalls that nothing but a lift ends."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from lineage.a_registry import HOLDOUT, KEYS, OTHER, SOURCE, SYNTHETIC, WHEN, short, trust

import synthml_tracking as tracking
from synthml.attestation import (
    DerivationPredicate,
    Material,
    RecallPredicate,
    Trust,
    derivation_statement,
    recall_statement,
    sign,
)
from synthml.errors import AttestationError, InputError, TrackingError
from synthml.policy import Verdict, verdict_statement
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.entries import entry_item
from synthml_tracking.ledger import Ledger

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
LATER = datetime(2030, 2, 1, 12, 0, tzinfo=UTC)
KEYED = "hmac-sha256:" + "d" * 64


@pytest.fixture
def client(store):
    return load_mlflow().MlflowClient(store)


class Counting:
    """A client that counts its calls."""

    def __init__(self, client):
        self._client, self.calls = client, []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append(name)
            return getattr(self._client, name)(*args, **kwargs)

        return call


def declare(store, signer="custodian", digest=SOURCE, now=NOW, reason="consent withdrawn"):
    key = None if signer is None else KEYS[signer]
    return tracking.recall(digest, reason, signer=key, trust=trust(), tracking_uri=store, now=now)


def standing(store, digest=SOURCE, given=None, now=LATER):
    return tracking.recalls_of(digest, trust=trust() if given is None else given, tracking_uri=store, now=now)


def lift(store, signer="custodian", given=None, now=LATER):
    return tracking.lift_recall(
        SOURCE, "consent given again", signer=KEYS[signer], trust=trust() if given is None else given, tracking_uri=store, now=now
    )


def test_a_recall_stands_until_it_is_lifted(store):
    """Declared, seen by whom and why, lifted, and standing again when it is declared anew."""
    made = declare(store)
    assert (made.verified, made.by, made.reason) == (True, "Custodian (custodian)", "consent withdrawn")
    assert standing(store) == (made,)
    assert standing(store, SYNTHETIC) == ()
    assert lift(store) == (made,)
    assert standing(store) == ()
    again = declare(store, now=LATER)
    assert standing(store) == (again,)
    with pytest.raises(InputError, match="nothing to lift"):
        tracking.lift_recall(OTHER, "x", signer=KEYS["custodian"], trust=trust(), tracking_uri=store)


@pytest.mark.parametrize("signer", [None, "stranger", "engineer"])
def test_an_unverified_recall_blocks_and_says_what_it_is(store, signer):
    """Unsigned, by a stranger, by somebody in another role: safety goes before availability, and the lift ends it."""
    made = declare(store, signer)
    assert not made.verified
    assert "unverified" in str(standing(store)[0])
    assert lift(store) == (made,)
    assert standing(store) == ()


def test_nobody_trusted_means_nothing_is_lifted(store):
    """Without a trust file recalls stand, lifted or not."""
    declare(store)
    lift(store)
    assert len(standing(store, given=Trust())) == 1
    with pytest.raises(InputError, match="would not count"):
        lift(store, given=Trust())


@pytest.mark.parametrize("signer", ["operator", "engineer", "stranger"])
def test_a_lift_by_the_wrong_hand_is_refused_and_would_not_count(store, signer, client):
    """The command refuses it; written by force, it ends nothing."""
    made = declare(store)
    with pytest.raises(InputError, match="would not count"):
        lift(store, signer)
    from synthml.attestation import RecallLiftPredicate, recall_lift_statement

    statement = recall_lift_statement([SOURCE], RecallLiftPredicate((made.identity,), "trust me", WHEN))
    Ledger(client).append(sign(statement, KEYS[signer]))
    Ledger(client).append(statement.to_json())
    assert standing(store) == (made,)


def test_keys_that_expire_or_are_revoked_never_make_a_gate_laxer(store):
    """The recall of an expired key still blocks; the lift of one does not count any more, so the recall is back."""
    declare(store)
    lift(store)
    assert standing(store) == ()
    for spoiled in ("expires: 2030-01-31T00:00:00Z", "revoked: {at: 2030-01-31, reason: stolen}"):
        (back,) = standing(store, given=trust(custodian=spoiled))
        assert not back.verified


def test_a_recall_that_is_deleted_in_mlflow_still_counts(store, client):
    """Deleting a run is one click; until it is purged the recall blocks."""
    made = declare(store)
    client.delete_run(made.run_id)
    (found,) = standing(store)
    assert found.deleted


def test_a_damaged_recall_still_counts_and_can_be_lifted(store, client):
    """One changed tag: the document is not the one that was written, and nobody can say that it was no recall."""
    made = declare(store)
    client.set_tag(made.run_id, "synthml.document.0", "{}")
    (found,) = standing(store)
    assert not found.verified
    assert "damaged" in str(found)
    client.delete_tag(made.run_id, "synthml.document.0")
    lift(store)
    assert standing(store) == ()


def test_a_tag_that_points_elsewhere_recalls_nothing_there(store, client):
    """A recall of one table with a tag of another: the statement says what it is about."""
    made = declare(store)
    client.set_tag(made.run_id, f"synthml.subject.{short(OTHER)}", "dataset")
    assert standing(store, OTHER) == ()


def test_the_same_recall_sent_twice_is_one(store, client):
    """A replay after the lift changes nothing."""
    raw = sign(recall_statement([SOURCE], RecallPredicate("x", WHEN)), KEYS["custodian"])
    ledger = Ledger(client)
    assert [ledger.append(raw), ledger.append(raw)] == [True, False]
    lift(store)
    client.create_run(ledger._place(), tags=dict(entry_item(raw).tags))
    assert standing(store) == ()


def test_writers_at_once_lose_nothing(store, client):
    """Eight threads with a client each, on a ledger that does not exist yet."""

    def write(i):
        mine = load_mlflow().MlflowClient(store)
        return Ledger(mine).append(sign(recall_statement([SOURCE], RecallPredicate(f"reason {i}", WHEN)), KEYS["custodian"]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write, range(16)))
    assert {one.reason for one in standing(store)} == {f"reason {i}" for i in range(16)}


def test_a_long_document_is_put_together_again(store, client):
    """Longer than a tag, with signs beyond ASCII, unsigned."""
    reason = "é" * 900
    materials = tuple(Material(f"sha256:{i:064x}") for i in range(79))
    statement = derivation_statement([("synthetic", SYNTHETIC)], DerivationPredicate(materials, "synthesis", WHEN, reason * 20))
    Ledger(client).append(statement.to_json())
    (entry,) = Ledger(client).about(SYNTHETIC)
    assert entry.whole
    assert entry.raw == statement.to_json()
    with pytest.raises(AttestationError, match="80 at once"):
        entry_item(
            derivation_statement([("a", SYNTHETIC), ("b", OTHER)], DerivationPredicate(materials, "split", WHEN)).to_json()
        )


def test_what_is_known_already_is_not_written_again(store, client):
    """The same descent from a thousand runs is one entry; by another signer it is another."""
    ledger = Ledger(client)

    def made(when):
        return derivation_statement([("synthetic", SYNTHETIC)], DerivationPredicate((Material(SOURCE),), "synthesis", when))

    assert ledger.append(made(WHEN).to_json())
    assert not ledger.append(made("2031-01-01T00:00:00Z").to_json())
    assert ledger.append(sign(made(WHEN), KEYS["custodian"]))
    assert [entry.kind for entry in ledger.made_from(SOURCE)] == ["derivation", "derivation"]
    assert len(ledger.all("derivation")) == 2


def judgement(model):
    return verdict_statement(Verdict("pass", "p v1", SOURCE, OTHER, WHEN, (), f"sha256:{model:064x}")).to_json()


def test_models_judged_on_a_holdout_are_counted_once_each(store, client):
    """Judged twice is once; this model is left out; counting stops where the policy's limit is passed."""
    ledger = Ledger(client)
    for model in (1, 2, 2, 3):
        ledger.append(judgement(model << 200), holdouts=[HOLDOUT])
    count = {most: Ledger(client).judged(HOLDOUT, besides=f"sha256:{3 << 200:064x}", most=most) for most in (1, 2, 50)}
    assert count == {1: 1, 2: 2, 50: 2}
    assert Ledger(client).judged(OTHER, besides=SOURCE, most=50) == 0


def test_reading_takes_two_requests_whatever_the_ledger_holds(store, client):
    """The experiment, and one search."""
    for i in range(30):
        Ledger(client).append(recall_statement([SOURCE if i % 2 else OTHER], RecallPredicate(f"{i}", WHEN)).to_json())
    counting = Counting(client)
    assert len(Ledger(counting).about(SOURCE)) == 15
    assert counting.calls == ["get_experiment_by_name", "search_runs"]


def test_a_deleted_ledger_is_an_error_not_an_empty_one(store, client):
    """What it held is unknown then."""
    declare(store)
    client.delete_experiment(client.get_experiment_by_name("synthml-ledger").experiment_id)
    with pytest.raises(TrackingError, match="was deleted"):
        standing(store)


def test_the_ledger_may_have_another_name(store, client, monkeypatch):
    """Managed stores want a path for a name."""
    monkeypatch.setenv("SYNTHML_LEDGER", "/Shared/our ledger's")
    declare(store)
    assert client.get_experiment_by_name("/Shared/our ledger's") is not None
    assert len(standing(store)) == 1


def run_with_input(client, digest):
    from synthml_tracking.items import DatasetItem
    from synthml_tracking.writer import _dataset

    run = client.create_run("0")
    from mlflow.entities import DatasetInput

    client.log_inputs(run.info.run_id, [DatasetInput(_dataset(DatasetItem(digest, ("source",), {}, {})), [])])


def test_a_table_is_named_by_twelve_hex_or_more(store, client):
    """Among the inputs of runs and in the ledger; ambiguous and unknown ones are told apart."""
    near = SOURCE[:30] + ("0" if SOURCE[30] != "0" else "1") * 41
    run_with_input(client, SOURCE)
    assert declare(store, digest=SOURCE[7:19]).digest == SOURCE
    assert declare(store, digest=SOURCE[:25]).digest == SOURCE
    assert declare(store, digest=KEYED).digest == KEYED  # in full: known or not
    assert declare(store, digest="d" * 12).digest == KEYED
    run_with_input(client, near)
    for text, told in [
        (SOURCE[7:19], "names 2 tables"),
        ("0" * 12, "no table in this registry"),
        (SOURCE[7:18], "is no digest"),
        ("x' OR '1", "is no digest"),
        ("sha256:" + "d" * 12, "no table"),
    ]:
        with pytest.raises(InputError, match=told):
            declare(store, digest=text)


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["recall", *arguments])
    return stop.value.code, capsys.readouterr()


def test_the_command(store, tmp_path, capsys):
    """By table, with a lift, as JSON; exit codes 0 and 2."""
    import pandas as pd

    from synthml import table_digest
    from synthml.attestation import new_key, private_key

    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "k.pem").write_bytes(new_key())
    at = ["--tracking-uri", store]
    code, told = command(capsys, "--table", "t.parquet", "--reason", "wrong consent", *at)
    assert (code, "NOT SIGNED" in told.err) == (0, True)
    assert table_digest(tmp_path / "t.parquet") in told.out
    assert command(capsys, "--table", "t.parquet", "--lift", "--reason", "x", *at)[0] == 2
    with pytest.raises(SystemExit) as stop:
        main(["trust", "new", "Ada", "k.pem"])
    assert stop.value.code == 0
    capsys.readouterr()
    code, told = command(
        capsys, "--table", "t.parquet", "--lift", "--reason", "x", "--sign-key", "k.pem", "--trust", "trust.yaml", "--json", *at
    )
    assert code == 0
    assert json.loads(told.out)["lifted"][0]["reason"] == "wrong consent"
    assert private_key((tmp_path / "k.pem").read_bytes())
    assert command(capsys, "--reason", "x", *at)[0] == 2
    assert command(capsys, "1" * 12, "--reason", "x", *at)[0] == 2
    assert command(capsys, SOURCE, "--reason", "  ", *at)[0] == 2


def test_a_reason_cannot_disturb_the_terminal(store):
    """Escape codes, line ends and turned text of a stranger are blanks."""
    made = declare(store, None, reason="a\x1b[31m\nb\u202ec")
    assert made.reason == "a [31m b c"
