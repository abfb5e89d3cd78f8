"""Where models serve: bound to the files' digest, kept, ended only by what is worth as much, and never lost between writers."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from lineage.a_registry import HOLDOUT, KEYS, SOURCE, SYNTHETIC, a_model, short, trust

import synthml_tracking as tracking
from synthml.attestation import DeploymentPredicate, Trust, deployment_statement
from synthml.errors import InputError
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.deployments import moment_of
from synthml_tracking.ledger import Ledger

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
LATER = datetime(2030, 6, 1, tzinfo=UTC)
TABLES = {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT}


@pytest.fixture
def model(store):
    return a_model(store, TABLES)


def record(store, uri="models:/risk/1", signer="operator", **changes):
    given = {"environment": "production", "endpoint": "https://ward/predict", "by": "pipeline", "now": NOW, "trust": trust()}
    return tracking.record_deployment(
        uri, signer=None if signer is None else KEYS[signer], tracking_uri=store, **{**given, **changes}
    )


def retire(store, which="https://ward/predict", signer="operator", **changes):
    given = {"by": "night shift", "now": LATER, "trust": trust(), "reason": "replaced"}
    return tracking.retire_deployment(
        which, signer=None if signer is None else KEYS[signer], tracking_uri=store, **{**given, **changes}
    )


def listed(store, now=LATER, **changes):
    return tracking.list_deployments(tracking_uri=store, now=now, **{"trust": trust(), **changes})


def test_a_deployment_is_bound_to_the_files_and_the_version(store, model):
    """Digest, version, tables and signer stand in it; a copy of the same files under another name has the same digest."""
    made = record(store)
    assert (made.model, made.version, made.state) == (model.digest, "models:/risk/1", "live")
    assert (made.verified, made.signature) == (True, "signed by Operator (operator)")
    assert dict(made.tables) == {short(SOURCE): "source", short(SYNTHETIC): "synthetic", short(HOLDOUT): "holdout"}
    model.client.set_registered_model_alias("risk", "champion", "1")
    assert record(store, "models:/risk@champion", endpoint="b").version == "models:/risk/1"
    assert record(store, f"models:/{model.model_id}", endpoint="c").version == "models:/risk/1"
    assert {one.endpoint for one in listed(store)} == {"https://ward/predict", "b", "c"}
    assert listed(store, model_uri="models:/risk@champion") == listed(store)


def test_the_same_record_given_twice_is_one(store, model):
    """A pipeline that tries again tells the same; a later one tells another."""
    assert record(store) == record(store)
    assert record(store, now=LATER) != record(store)
    assert len(listed(store)) == 2


def test_history_is_kept(store, model):
    """A retired deployment stays in the list, and the endpoint may serve again."""
    made = record(store)
    ended = retire(store)
    assert (ended.identity, ended.state, ended.ended, ended.ended_by) == (
        made.identity,
        "retired",
        "2030-06-01T00:00:00Z",
        "night shift",
    )
    assert listed(store, live=True) == ()
    again = record(store, since="2030-05-01")
    assert {one.identity: one.state for one in listed(store)} == {made.identity: "retired", again.identity: "live"}
    with pytest.raises(InputError, match="retired already"):
        retire(store, made.identity)


@pytest.mark.parametrize(
    ("times", "state", "serves"),
    [
        ({}, "live", True),
        ({"since": "2031-01-01"}, "planned", True),
        ({"until": "2030-03-01"}, "overdue", True),
        ({"until": "2030-09-01"}, "live", True),
    ],
)
def test_what_was_not_retired_is_to_be_taken_down(store, model, times, state, serves):
    """A planned end that has passed is no proof that an endpoint is gone."""
    record(store, **times)
    (one,) = listed(store)
    assert (one.state, one.serves) == (state, serves)


def test_an_end_must_be_worth_as_much_as_the_record(store, model):
    """Nobody hides what a trusted key recorded: neither unsigned, nor with a stranger's key, nor past the door."""
    for signer in (None, "stranger", "engineer"):
        record(store, endpoint=str(signer))
        with pytest.raises(InputError, match="would not count"):
            retire(store, str(signer), signer=signer)
        retire(store, str(signer), signer=signer, trust=Trust())  # whoever reads without a trust file believes it
    found = listed(store)
    assert [one.serves for one in found] == [True] * 3
    assert all("the deployment is signed" in one.doubtful for one in found)
    assert retire(store, "stranger").state == "retired"


def test_unsigned_is_allowed_and_told(store, model):
    """Without a key a deployment is listed as not signed, and ends without one."""
    made = record(store, signer=None)
    assert (made.verified, made.signature) == (False, "not signed")
    assert retire(store, signer=None).state == "retired"


def test_one_endpoint_in_two_environments_needs_the_environment(store, model):
    """Ambiguity is an error that names the choices; the identity always names one."""
    first, second = record(store), record(store, environment="staging")
    with pytest.raises(InputError, match=r"names 2 deployments[\s\S]*staging"):
        retire(store)
    assert retire(store, environment="staging").identity == second.identity
    assert retire(store, first.identity[7:19]).identity == first.identity
    with pytest.raises(InputError, match="nothing that serves"):
        retire(store, "elsewhere")


def test_what_was_retired_and_serves_again_is_on_the_list_again(store, model):
    """Also within one second, in which both would say the same words; with a time that was given it is an error."""
    record(store)
    retire(store, now=NOW)
    again = record(store)
    assert (again.serves, again.since) == (True, "2030-01-31T12:00:01Z")
    assert [one.state for one in listed(store)] == ["retired", "live"]
    retire(store, now=LATER)
    with pytest.raises(InputError, match="is retired"):
        record(store, since="2030-01-31T12:00:00Z")


def test_a_damaged_or_deleted_record_still_tells_that_something_serves(store, model):
    """What cannot be read is listed, not left out."""
    record(store)
    client, ledger = model.client, Ledger(model.client)
    (entry,) = ledger.all("deployment")
    client.delete_run(entry.run_id)
    assert [(one.state, one.deleted) for one in listed(store)] == [("live", True)]
    client.restore_run(entry.run_id)
    client.set_tag(entry.run_id, "synthml.document.0", "{}")
    (one,) = listed(store)
    assert (one.serves, one.signature) == (True, "its document is damaged")
    assert one.model == f"sha256:{short(model.digest)}"
    with pytest.raises(InputError, match="the record is damaged"):
        retire(store, one.identity, signer=None)
    assert retire(store, one.identity).state == "retired"
    assert [(one.state, one.signature) for one in listed(store)] == [("retired", "its document is damaged")]
    assert [one.state for one in listed(store, trust=Trust(()))] == ["live"]  # nobody is trusted: the end does not count


def test_what_a_stranger_wrote_cannot_play_with_the_terminal(store, model, capsys):
    """Escape sequences, line ends and marks of direction do not survive."""
    evil = "\x1b[31mred\x1b[0m\nsecond\u202eline"
    predicate = DeploymentPredicate(evil, evil * 500, "2030-01-01\u202e00:00:00Z", evil, version=evil)
    Ledger(model.client).append(deployment_statement(predicate, model=model.digest).to_json())
    with pytest.raises(SystemExit) as ended:
        main(["deployment", "list", "--tracking-uri", store])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(shown) < 4000


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint": " "},
        {"endpoint": "x" * 1001},
        {"by": "a\nb"},
        {"since": "soon"},
        {"since": "2030-01-01T00:00:00"},
        {"until": "2029-01-01"},
    ],
)
def test_what_makes_no_record_is_refused(store, model, given):
    """Nothing is written then."""
    with pytest.raises(InputError):
        record(store, **given)
    assert listed(store) == ()


def test_a_date_is_its_beginning_in_utc():
    """Times are told in UTC."""
    assert moment_of("2030-01-31", "since") == "2030-01-31T00:00:00Z"
    assert moment_of("2030-01-31T12:00:00+02:00", "since") == "2030-01-31T10:00:00Z"


WRITER = """
import sys
from synthml_tracking.client import load_mlflow
from synthml_tracking.entries import serving_item
from synthml_tracking.ledger import Ledger
from synthml.attestation import DeploymentPredicate, deployment_statement
ledger = Ledger(load_mlflow().MlflowClient(sys.argv[1]))
for i in range(6):
    predicate = DeploymentPredicate("production", f"{sys.argv[2]}-{i}", "2030-01-01T00:00:00Z", sys.argv[2])
    raw = deployment_statement(predicate, model="sha256:" + "a" * 64).to_json()
    ledger.write(serving_item(raw, tables={}, logged=[]))
"""


def test_several_processes_lose_nothing(store):
    """Three writers at once, into a ledger that does not exist yet: every record is there."""
    running = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", WRITER, store, f"writer-{i}"]) for i in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    assert len({one.endpoint for one in listed(store)}) == 18


def test_the_commands(store, model, capsys):
    """Record, list, retire: text and JSON; that nothing was signed is told on standard error."""
    told = ["--tracking-uri", store]
    where = ["--environment", "production", "--endpoint", "https://ward/predict", "--by", "pipeline"]

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *told])
        assert ended.value.code == 0
        return capsys.readouterr()

    made = run("deployment", "record", "models:/risk/1", *where, "--since", "2025-01-01", "--json")
    assert json.loads(made.out)["recorded"]["model"] == model.digest
    assert "NOT SIGNED" in made.err
    shown = run("deployment", "list").out
    assert "live  production  https://ward/predict  models:/risk/1  since 2025-01-01T00:00:00Z, by pipeline" in shown
    assert "retired" in run("deployment", "retire", "https://ward/predict", "--by", "night shift").out
    assert run("deployment", "list", "--live").out == "no deployment is recorded\n"
    assert load_mlflow().MlflowClient(store).get_experiment_by_name("synthml-ledger") is not None
