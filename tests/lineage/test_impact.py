"""What depends on a table: through chains, copies and deletions, with few requests, in outputs that nobody can play with."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime

import pytest
from lineage.a_registry import HOLDOUT, KEYS, SOURCE, SYNTHETIC, a_model, short, trust

import synthml_tracking as tracking
from synthml.attestation import (
    DeploymentPredicate,
    DerivationPredicate,
    Material,
    deployment_statement,
    derivation_statement,
)
from synthml.errors import InputError
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.entries import serving_item
from synthml_tracking.impacts import read_impact
from synthml_tracking.ledger import Ledger

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


def digest(name):
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


@pytest.fixture
def client(store):
    return load_mlflow().MlflowClient(store)


def made(client, derived, *materials, activity="synthesis"):
    predicate = DerivationPredicate(tuple(Material(one) for one in materials), activity, "2030-01-01T00:00:00Z", "maker 1.0")
    Ledger(client).append(derivation_statement([("table", derived)], predicate).to_json())


def serve(store, uri, endpoint, **changes):
    given = {"environment": "production", "by": "pipeline", "now": NOW, **changes}
    return tracking.record_deployment(uri, endpoint=endpoint, tracking_uri=store, **given)


def asked(store, of=SOURCE, **changes):
    return tracking.impact(of, tracking_uri=store, now=NOW, **{"trust": trust(), **changes})


def chain(client, store):
    """source -> a (sampled) -> b (re-synthesised) -> c (augmented), with a model on c that knows nothing of the source."""
    made(client, digest("a"), SOURCE, activity="sampling")
    made(client, digest("b"), digest("a"))
    made(client, digest("c"), digest("b"), digest("elsewhere"), activity="augmentation")
    return a_model(store, {"synthetic": digest("c"), "holdout": HOLDOUT}, name="chained")


def test_through_any_chain_of_tables(store, client):
    """A model on a table four steps below is found, with the path; one on another table is not."""
    chain(client, store)
    a_model(store, {"synthetic": digest("unrelated")}, name="other")
    found = asked(store)
    assert [one.uri for one in found.versions] == ["models:/chained/1"]
    assert found.versions[0].tables == {short(digest("c")): "synthetic"}
    assert found.tables[-1].digest == digest("c")
    assert found.tables[-1].path == tuple(short(one) for one in (SOURCE, digest("a"), digest("b"), digest("c")))
    assert asked(store, digest("elsewhere")).versions == found.versions
    assert asked(store, digest("unrelated")).versions[0].uri == "models:/other/1"
    assert asked(store, digest("never heard of")).versions == ()


def test_what_a_run_made_of_its_source_is_followed_without_a_statement(store, client):
    """A table made in a run that left no derivation still leads to who used it elsewhere."""
    a_model(store, {"source": SOURCE, "synthetic": SYNTHETIC}, name="first")
    a_model(store, {"synthetic": SYNTHETIC}, name="second")
    assert [one.uri for one in asked(store).versions] == ["models:/first/1", "models:/second/1"]
    assert [one.uri for one in asked(store, SYNTHETIC).versions] == ["models:/first/1", "models:/second/1"]


def test_cycles_end(store, client):
    """Two tables that are said to be made of each other are two tables."""
    made(client, digest("a"), SOURCE)
    made(client, SOURCE, digest("a"))
    assert [one.digest for one in asked(store).tables] == [SOURCE, digest("a")]


def test_a_damaged_derivation_is_followed_by_its_tags(store, client):
    """An edge can only add; so a statement that cannot be read leads on all the same."""
    made(client, digest("a"), SOURCE)
    (entry,) = Ledger(client).made_from(SOURCE)
    client.set_tag(entry.run_id, "synthml.document.0", "{}")
    assert [one.key for one in asked(store).tables] == [short(SOURCE), short(digest("a"))]


@pytest.mark.parametrize("name", ["risk-copy", "it's", 'say "x"', "100%_\\ é漢字 `x`", "' OR name != '"])
def test_copies_and_aliases(store, client, name):
    """A copy under another name, whatever it is, is another version with the same tables; aliases of each are told."""
    a_model(store, {"source": SOURCE, "synthetic": SYNTHETIC})
    client.copy_model_version("models:/risk/1", name)
    client.set_registered_model_alias("risk", "champion", "1")
    client.set_registered_model_alias(name, "shadow", "1")
    client.set_registered_model_alias(name, "champion", "1")
    found = {one.uri: one.aliases for one in asked(store).versions}
    assert found == {"models:/risk/1": ("champion",), f"models:/{name}/1": ("champion", "shadow")}


def test_what_serves_is_found_by_table_version_and_model(store, client):
    """A copy that serves, and a version that was deleted from the registry since, are on the list of what to take down."""
    chain(client, store)
    client.copy_model_version("models:/chained/1", "copy")
    serve(store, "models:/chained/1", "https://one")
    serve(store, "models:/copy/1", "https://two")
    serve(store, "models:/chained/1", "https://gone")
    tracking.retire_deployment("https://gone", by="night shift", tracking_uri=store, now=NOW)
    client.delete_registered_model("chained")
    client.delete_registered_model("copy")
    found = asked(store)
    assert found.versions == ()
    assert {one.endpoint for one in found.live} == {"https://one", "https://two"}
    assert {one.endpoint for one in found.deployments} == {"https://one", "https://two", "https://gone"}


def test_a_record_that_names_only_the_version_is_found(store, client):
    """A pipeline's own entry without any table in its tags counts by the version that it names."""
    chain(client, store)
    predicate = DeploymentPredicate("production", "https://bare", "2030-01-01T00:00:00Z", "x", version="models:/chained/1")
    raw = deployment_statement(predicate, model="sha256:" + "a" * 64).to_json()
    Ledger(client).write(serving_item(raw, tables={}, logged=[]))
    assert [one.endpoint for one in asked(store).live] == ["https://bare"]


def test_recalls_in_force_are_shown(store, client, capsys):
    """Of the table and of what was made from it; a lifted one is not."""
    chain(client, store)
    given = {"signer": KEYS["custodian"], "trust": trust(), "tracking_uri": store}
    tracking.recall(SOURCE, "consent withdrawn", **given, now=NOW)
    tracking.recall(digest("b"), "wrong seed", **given, now=NOW)
    found = asked(store)
    assert [one.reason for one in found.recalls] == ["consent withdrawn", "wrong seed"]
    assert "recalled on 2030-01-31 (Custodian (custodian)): consent withdrawn" in found.text()
    tracking.lift_recall(digest("b"), "seed was right", **given, now=NOW)
    assert [one.reason for one in asked(store).recalls] == ["consent withdrawn"]


class Counting:
    """A client that counts its calls."""

    def __init__(self, client):
        self._client, self.calls = client, []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append(name)
            return getattr(self._client, name)(*args, **kwargs)

        return call


def test_requests_do_not_grow_with_the_registry(store, client):
    """The same calls with one unrelated version as with twenty, and with one deployment as with three."""
    model = chain(client, store)
    serve(store, "models:/chained/1", "https://one")

    def calls():
        counting = Counting(client)
        assert len(read_impact(Ledger(counting), SOURCE, trust(), NOW).versions) == 1
        return counting.calls

    before = calls()
    assert len(before) == 1 + 2 * 4 + 1 + 4  # the ledger's place, two for each table, one name, four kinds of statements
    for i in range(20):
        version = client.create_model_version(
            "chained", source=f"models:/{model.model_id}", run_id=model.run_id, await_creation_for=0
        )
        client.set_model_version_tag("chained", version.version, f"synthml.ds.{short(digest(f'unrelated {i}'))}", "synthetic")
    serve(store, "models:/chained/1", "https://two")
    serve(store, "models:/chained/1", "https://three")
    assert calls() == before


def test_many_names_are_read_in_pages(store, client):
    """Beyond twenty names the aliases come from pages of all names."""
    model = a_model(store, {"synthetic": SYNTHETIC})
    for i in range(25):
        client.create_registered_model(f"name-{i}")
        client.create_model_version(
            f"name-{i}",
            source=f"models:/{model.model_id}",
            run_id=model.run_id,
            await_creation_for=0,
            tags={f"synthml.ds.{short(SYNTHETIC)}": "synthetic"},
        )
        client.set_registered_model_alias(f"name-{i}", "champion", "1")
    counting = Counting(client)
    found = read_impact(Ledger(counting), SYNTHETIC, trust(), NOW)
    assert sum(one.aliases == ("champion",) for one in found.versions) == 25
    assert counting.calls.count("search_registered_models") == 1
    assert "get_registered_model" not in counting.calls


HOSTILE = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1", "＝1", "a\"b'c", "<script>alert(1)</script>", "é漢字/..", "x" * 999]


def test_a_spreadsheet_finds_no_formula(store, client):
    """Every hostile name stands in the CSV as text, one row each."""
    a_model(store, {"synthetic": SYNTHETIC})
    client.copy_model_version("models:/risk/1", "=cmd|'!A1'\"<b>")
    for name in HOSTILE:
        serve(store, "models:/=cmd|'!A1'\"<b>/1", name, environment=name, by=name)
    found = asked(store, SYNTHETIC)
    rows = list(csv.reader(io.StringIO(found.to_csv(live=True))))
    assert len(rows) == 1 + len(HOSTILE)
    assert {row[1].removeprefix("'") for row in rows[1:]} == {name.strip() for name in HOSTILE}
    for row in list(csv.reader(io.StringIO(found.to_csv())))[1:]:
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "＝")) for cell in row)
    assert json.loads(json.dumps(found.to_dict()))["versions"][0]["version"] == "models:/=cmd|'!A1'\"<b>/1"
    assert found.text(live=True).count("\n") == len(HOSTILE) - 1


def test_the_command(store, client, capsys, tmp_path):
    """By digest, by prefix and by the table's file; the endpoints to take down; what names no table is an error."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    from synthml import table_digest

    of = table_digest(tmp_path / "t.csv")
    made(client, SYNTHETIC, of)
    a_model(store, {"synthetic": SYNTHETIC})
    serve(store, "models:/risk/1", "https://ward/predict", since="2025-01-01")

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["impact", *arguments, "--tracking-uri", store])
        assert ended.value.code == code
        return capsys.readouterr().out

    whole = run(of)
    assert run(of[7:20]) == run("--table", str(tmp_path / "t.csv")) == whole
    assert "tables made from it: 1" in whole
    assert "models:/risk/1" in whole
    assert run(of, "--live") == "production  https://ward/predict  models:/risk/1  (live)\n"
    assert json.loads(run(of, "--live", "--json"))["live"][0]["endpoint"] == "https://ward/predict"
    assert run(of, "--format", "csv").count("\n") == 3
    assert run(digest("unheard of"), "--live") == "nothing that serves depends on it\n"
    run("ffffffffffff", code=2)
    run(code=2)
    with pytest.raises(InputError, match="is no digest"):
        asked(store, "'; DROP TABLE runs; --")
