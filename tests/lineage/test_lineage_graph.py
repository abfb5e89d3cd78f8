"""The graph of anything, both ways, and its pictures: the same nodes whatever was asked, safe whatever they are named."""

import hashlib
import itertools
import json
import re
from datetime import UTC, datetime

import pytest
from lineage.a_registry import HOLDOUT, KEYS, SOURCE, SYNTHETIC, a_model, release, short, trust

import synthml_tracking as tracking
from synthml.attestation import (
    DeploymentPredicate,
    DerivationPredicate,
    Material,
    deployment_statement,
    derivation_statement,
    sign,
)
from synthml.errors import InputError
from synthml.lineage import Graph, Link, Node
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.entries import entry_item, serving_item
from synthml_tracking.graph.drawing import dot, mermaid, tree
from synthml_tracking.graph.finding import read_lineage
from synthml_tracking.graph.prov import prov
from synthml_tracking.ledger import Ledger
from synthml_tracking.openlineage import exported

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
EVIL = '"]; click n0 "javascript:alert(1)" <img src=x onerror=alert(1)> \\" } [bold red] é漢字 \x1b[31m \n end `--` |a| ../../etc'


def digest(name):
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


@pytest.fixture
def client(store):
    return load_mlflow().MlflowClient(store)


def made(client, derived, *materials, generator="maker 1.0", activity="synthesis"):
    predicate = DerivationPredicate(tuple(Material(one) for one in materials), activity, "2030-01-01T00:00:00Z", generator)
    Ledger(client).append(derivation_statement([("table", derived)], predicate).to_json())


def serve(store, uri, endpoint, **changes):
    given = {"environment": "production", "by": "pipeline", "now": NOW, **changes}
    return tracking.record_deployment(uri, endpoint=endpoint, tracking_uri=store, **given)


def asked(store, ref):
    return tracking.lineage(ref, trust=trust(), tracking_uri=store, now=NOW)


@pytest.fixture
def whole(store, client):
    """base -> source -> synthetic -> run -> model -> version, copied, with an alias and two endpoints; and something else."""
    made(client, SOURCE, digest("base"), generator=None, activity="sampling")
    made(client, SYNTHETIC, SOURCE, generator="synthpop 1.8")
    model = a_model(store, {"source": SOURCE, "synthetic": SYNTHETIC, "holdout": HOLDOUT})
    a_model(store, {"synthetic": digest("unrelated")}, name="other")
    client.copy_model_version("models:/risk/1", "a-copy")
    client.set_registered_model_alias("risk", "champion", "1")
    serve(store, "models:/risk/1", "https://ward")
    serve(store, "models:/a-copy/1", "https://clinic")
    return model


def kinds(graph):
    return sorted({node.kind for node in graph.nodes.values()})


def reaches(graph, start, end):
    """Whether links lead from one node to another."""
    seen, todo = {start}, [start]
    while todo:
        for link in graph.after(todo.pop()):
            if link.end not in seen:
                seen.add(link.end)
                todo.append(link.end)
    return end in seen


def test_the_same_story_from_every_side(store, whole):
    """Table, run, model, version, alias and endpoint lead to the same chain from the base table to both endpoints."""
    refs = {
        digest("base"): f"table:{short(digest('base'))}",
        SYNTHETIC: f"table:{short(SYNTHETIC)}",
        SYNTHETIC[7:25]: f"table:{short(SYNTHETIC)}",
        f"runs:/{whole.run_id}": f"run:{whole.run_id}",
        whole.run_id: f"run:{whole.run_id}",
        f"models:/{whole.model_id}": f"model:{whole.model_id}",
        "models:/risk/1": "version:models:/risk/1",
        "models:/a-copy/1": "version:models:/a-copy/1",
        "models:/risk@champion": "alias:models:/risk@champion",
        "https://ward": None,
        "deployment:https://clinic": None,
    }
    for ref, root in refs.items():
        graph = asked(store, ref)
        assert root is None or graph.root == root
        ends = {node.name: node.id for node in graph.nodes.values() if node.kind == "deployment"}
        assert set(ends) == {"production https://ward", "production https://clinic"}, ref
        for end in ends.values():
            assert reaches(graph, f"table:{short(digest('base'))}", end), ref
        assert not any("other" in node.name for node in graph.nodes.values())
        assert kinds(graph) == ["alias", "deployment", "making", "model", "run", "table", "version"]
        assert all(link.start in graph.nodes and link.end in graph.nodes for link in graph.links)


def test_a_source_goes_in_by_way_of_its_table(store, whole):
    """The generator stands between source and synthetic table; the holdout goes into the run; the copy is a copy."""
    graph = asked(store, "models:/risk/1")
    made_by = [node for node in graph.nodes.values() if node.kind == "making"]
    assert sorted(node.name for node in made_by) == ["sampling", "synthpop 1.8"]
    run = f"run:{whole.run_id}"
    assert {(link.start, link.label) for link in graph.before(run)} == {
        (f"table:{short(SYNTHETIC)}", "synthetic"),
        (f"table:{short(HOLDOUT)}", "holdout"),
    }
    assert Link("version:models:/risk/1", "version:models:/a-copy/1", "copy") in graph.links


def test_what_several_statements_tell_is_drawn_once(store, client, whole):
    """Release, run and evaluation tell of one making; who names no generator agrees with who does, another name is another."""
    made(client, SYNTHETIC, SOURCE, generator=None)
    told = release(generation={"generator": {"name": "synthpop", "version": "1.8"}})
    Ledger(client).write(entry_item(sign(told, KEYS["custodian"])))

    def names():
        return sorted(node.name for node in asked(store, SYNTHETIC).nodes.values() if node.kind == "making")

    assert names() == ["sampling", "synthpop 1.8"]
    made(client, SYNTHETIC, SOURCE, generator="another 2.0")
    assert names() == ["another 2.0", "sampling", "synthpop 1.8"]


def test_without_a_statement_the_run_tells(store, client):
    """A run with a source and a synthetic table tells that one was made of the other, whichever of them is asked about."""
    a_model(store, {"source": SOURCE, "synthetic": SYNTHETIC})
    for ref in ("models:/risk/1", SOURCE, SYNTHETIC):
        graph = asked(store, ref)
        (making,) = [node for node in graph.nodes.values() if node.kind == "making"]
        assert making.facts["told"] == "the model's run"
        assert reaches(graph, f"table:{short(SOURCE)}", f"table:{short(SYNTHETIC)}")


def test_a_long_chain_of_re_synthesis(store, client):
    """Thirty tables, each made of the one before, in one line; a cycle among them ends."""
    names = [digest(f"t{i}") for i in range(30)]
    for before, after in itertools.pairwise(names):
        made(client, after, before)
    made(client, names[0], names[5])
    a_model(store, {"synthetic": names[-1]})
    graph = asked(store, "models:/risk/1")
    assert reaches(graph, f"table:{short(names[0])}", "version:models:/risk/1")
    assert tree(graph).count("table ") == 31  # the one that closes the cycle is named again
    assert "(see above)" in tree(graph)


def test_a_recalled_table_is_marked_everywhere(store, client, whole):
    """In every picture, with the reason."""
    tracking.recall(digest("base"), "consent <withdrawn>", signer=KEYS["custodian"], trust=trust(), tracking_uri=store, now=NOW)
    graph = asked(store, "https://ward")
    assert "RECALLED: recalled on 2030-01-31 (Custodian (custodian)): consent <withdrawn>" in tree(graph)
    assert re.search(r"class n\d+ recalled", mermaid(graph))
    assert "color=red" in dot(graph)
    assert "consent" in json.dumps(prov(graph))


def test_what_serves_without_a_registry_still_leads_to_its_tables(store, client, whole):
    """Versions and their tags are gone, and so is the LoggedModel of a bare record."""
    client.delete_registered_model("a-copy")
    client.delete_registered_model("risk")
    graph = asked(store, "https://ward")
    assert reaches(graph, f"table:{short(digest('base'))}", graph.root)
    predicate = DeploymentPredicate("production", "https://bare", "2030-01-01T00:00:00Z", "x")
    raw = deployment_statement(predicate, model="sha256:" + "a" * 64).to_json()
    Ledger(client).write(serving_item(raw, tables={SYNTHETIC: "synthetic"}, logged=["m-" + "0" * 32]))
    bare = asked(store, "https://bare")
    assert reaches(bare, f"table:{short(digest('base'))}", bare.root)
    assert "https://bare" in tree(asked(store, SOURCE))


def test_a_table_leads_to_runs_that_nobody_registered(store, client, whole):
    """With the models that they made; not to runs of other tables, to deleted ones, or to more than fifty."""
    from mlflow.entities import LoggedModelOutput

    run = client.create_run("0", run_name="a try", tags={f"synthml.ds.{short(SYNTHETIC)}": "synthetic"}).info.run_id
    tried = client.create_logged_model("0", name="tried", source_run_id=run)
    client.log_outputs(run, models=[LoggedModelOutput(tried.model_id, 0)])
    gone = client.create_run("0", tags={f"synthml.ds.{short(SYNTHETIC)}": "synthetic"}).info.run_id
    client.delete_run(gone)
    elsewhere = client.create_run("0", tags={f"synthml.ds.{short(digest('x'))}": "synthetic"}).info.run_id
    graph = asked(store, digest("base"))
    assert reaches(graph, graph.root, f"model:{tried.model_id}")
    assert not {f"run:{gone}", f"run:{elsewhere}"} & set(graph.nodes)
    assert "a try" in tree(graph)
    assert len([node for node in graph.nodes.values() if node.kind == "run"]) == 2
    for _ in range(60):
        client.create_run("0", tags={f"synthml.ds.{short(SYNTHETIC)}": "synthetic"})
    graph = asked(store, SYNTHETIC)
    assert len([node for node in graph.nodes.values() if node.kind == "run"]) == 51
    assert reaches(graph, graph.root, "version:models:/risk/1")


class Counting:
    """A client that counts its calls."""

    def __init__(self, client):
        self._client, self.calls = client, []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append(name)
            return getattr(self._client, name)(*args, **kwargs)

        return call


@pytest.mark.parametrize("ref", ["models:/risk/1", SOURCE])
def test_requests_do_not_grow_with_the_registry(store, client, whole, ref):
    """Further models on other tables change nothing."""

    def calls():
        counting = Counting(client)
        read_lineage(Ledger(counting), ref, trust(), NOW)
        return counting.calls

    before = calls()
    for i in range(8):
        a_model(store, {"synthetic": digest(f"more {i}")}, name=f"more-{i}")
    assert calls() == before
    assert len(before) <= 20


@pytest.mark.parametrize(
    "ref", ["models:/none/1", "runs:/" + "0" * 32, "0" * 32, "f" * 20, "https://nowhere", "models:/risk", "'"]
)
def test_what_names_nothing_is_an_error_that_says_so(store, client, ref):
    """Never an empty graph."""
    with pytest.raises(InputError):
        asked(store, ref)


def test_one_endpoint_twice_asks_which(store, whole):
    """With the identities to choose from; a retired one steps back."""
    again = serve(store, "models:/risk/1", "https://ward", environment="staging")
    with pytest.raises(InputError, match=f"names 2 deployments.*{again.identity[7:19]}"):
        asked(store, "https://ward")
    assert asked(store, f"deployment:{again.identity[7:19]}").root == f"deployment:{again.identity}"
    tracking.retire_deployment(again.identity, by="night shift", tracking_uri=store, now=NOW)
    assert asked(store, "https://ward").root != f"deployment:{again.identity}"


# ---- pictures, without a store


def hostile(name=EVIL):
    nodes = [
        Node("table:" + "a" * 32, "table", name, {"recalled": name}),
        Node(f"making:{name}", "making", name, {"activity": name}),
        Node("deployment:1", "deployment", name, {"state": name, "by": name, "since": name}),
    ]
    links = (Link(nodes[0].id, nodes[1].id, name), Link(nodes[1].id, nodes[2].id, name))
    return Graph(nodes[1].id, {node.id: node for node in nodes}, links)


@pytest.mark.parametrize("name", [EVIL, "x" * 10_000, "<b>" * 4000, "\u202e\u0000", ""])
def test_hostile_names_stay_text(name):
    """One line each, no markup, no escape from quotes, not endless; JSON keeps them whole."""
    graph = hostile(name)
    shown, chart, drawn = tree(graph), mermaid(graph), dot(graph)
    assert len(shown.splitlines()) == 5
    assert all(c.isprintable() for text in (shown, chart, drawn) for c in text if c != "\n")
    assert max(map(len, (shown, chart, drawn))) < 12_000
    for line in chart.splitlines():
        assert re.fullmatch(r'flowchart LR|  n\d\["[^"<>`|\[\]]*"\]|  n\d -->(\|"[^"<>`|]*"\|)? n\d|  class(Def)? [^"<>]*', line)
    for line in drawn.splitlines()[3:-1]:
        assert re.fullmatch(r'  n\d( -> n\d)?( \[label="(?:[^"\\]|\\.)*"[a-z0-9=, ]*\])?;', line), line
    assert json.loads(json.dumps(graph.to_dict()))["nodes"][0]["name"] == name
    document = json.loads(json.dumps(prov(graph)))
    names = [*document["entity"], *document["activity"], *document["agent"]] if name else [*document["entity"]]
    assert all(re.fullmatch(r"synthml:[A-Za-z0-9_%-]+", one) for one in names)


def test_a_chain_longer_than_the_stack_is_drawn():
    """Five thousand tables in a row."""
    nodes = {f"n{i}": Node(f"n{i}", "table", f"t{i}") for i in range(5000)}
    graph = Graph("n4999", nodes, tuple(Link(f"n{i}", f"n{i + 1}") for i in range(4999)))
    assert tree(graph).count("\n") == 5000


def test_too_many_branches_are_counted():
    """A holdout that thousands of runs share is one screen."""
    nodes = {f"n{i}": Node(f"n{i}", "run", f"r{i}") for i in range(4001)}
    graph = Graph("n0", nodes, tuple(Link("n0", f"n{i}") for i in range(1, 4001)))
    assert tree(graph).endswith("└─ and 3,950 more")


def test_prov_has_the_relations_of_the_submission(store, whole):
    """Used, generated, derived, associated; every end of a relation is declared."""
    document = prov(asked(store, "models:/risk/1"))
    assert {"used", "wasGeneratedBy", "wasDerivedFrom", "specializationOf", "alternateOf", "wasAssociatedWith"} <= set(document)
    declared = {*document["entity"], *document["activity"], *document["agent"]}
    attributes = ("prov:type", "prov:role", "prov:label")
    for relation in set(document) - {"prefix", "entity", "activity", "agent"}:
        for told in document[relation].values():
            assert {value for key, value in told.items() if key not in attributes} <= declared
    derived = {
        "prov:generatedEntity": f"synthml:table%3A{short(SYNTHETIC)}",
        "prov:usedEntity": f"synthml:table%3A{short(SOURCE)}",
    }
    assert derived in document["wasDerivedFrom"].values()


def test_openlineage_has_a_job_for_each_making_and_run(store, client, whole):
    """Tables by digest, the model with where it is registered and serves; a recall as a tag; names as a recording gives them."""
    tracking.recall(SOURCE, "consent withdrawn", signer=KEYS["custodian"], trust=trust(), tracking_uri=store, now=NOW)
    events = exported(asked(store, "models:/risk/1"), at="2030-01-31T12:00:00Z")
    assert all((one["eventTime"], one["schemaURL"].rpartition("/")[2]) == ("2030-01-31T12:00:00Z", "JobEvent") for one in events)
    jobs = {one["job"]["name"]: one for one in events}
    assert set(jobs) == {f"sampling.{short(SOURCE)}", f"synthesis.{short(SYNTHETIC)}", f"training.{whole.run_id}"}
    training = jobs[f"training.{whole.run_id}"]
    assert {one["name"] for one in training["inputs"]} == {SYNTHETIC, short(HOLDOUT)}
    (model,) = training["outputs"]
    assert model["name"] == f"models:/{whole.model_id}"
    told = model["facets"]["synthml_registered"]
    assert (told["versions"], told["aliases"]) == (["models:/risk/1", "models:/a-copy/1"], ["models:/risk@champion"])
    assert {one["name"] for one in told["deployments"]} == {"production https://ward", "production https://clinic"}
    (source,) = jobs[f"synthesis.{short(SYNTHETIC)}"]["inputs"]
    assert "consent withdrawn" in source["facets"]["tags"]["tags"][0]["value"]


def test_openlineage_of_a_table_that_nobody_used_is_an_event_of_the_table():
    """There is no job to name it."""
    graph = Graph("table:a", {"table:a": Node("table:a", "table", SOURCE)}, ())
    (event,) = exported(graph, at="2030-01-31T12:00:00Z")
    assert (event["dataset"]["name"], event["schemaURL"].rpartition("/")[2]) == (SOURCE, "DatasetEvent")


def test_the_command(store, whole, capsys):
    """Each format on standard output, exit code 0."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["lineage", "models:/risk/1", *arguments, "--tracking-uri", store])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert run().startswith("version models:/risk/1\nmade from\n└─ model m-")
    assert json.loads(run("--json"))["root"] == json.loads(run("--format", "json"))["root"] == "version:models:/risk/1"
    assert run("--format", "mermaid").startswith("flowchart LR\n")
    assert run("--format", "dot").startswith("digraph lineage {\n")
    assert all("job" in json.loads(line) for line in run("--format", "openlineage").splitlines())
    assert "entity" in json.loads(run("--format", "prov"))
