"""The commands: exit codes, formats, and the shell of the examples for pipelines."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from gate.conftest import AUROC
from lineage.a_registry import KEYS, PEOPLE, SOURCE
from lineage.test_facts import recalled

from synthml.attestation import new_key, private_key, public_pem
from synthml_tracking.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples" / "ci"
PIPELINE = new_key()
WARD = {
    "name": "ward",
    "version": 3,
    "require": {"signatures": ["evaluator"], "kinds": ["utility"]},
    "lineage": {"no_recall": True},
    "criteria": [AUROC, {**AUROC, "id": "hopeful", "at_least": 0.99, "severity": "warn"}],
}


@pytest.fixture
def place(model, tmp_path):
    """The working folder of a pipeline: policy, trust file, keys."""
    keys = [{"name": role.title(), "roles": [role], "key": public_pem(KEYS[role]).decode()} for role in PEOPLE if role != "gate"]
    keys.append({"name": "pipeline", "roles": ["gate"], "key": public_pem(private_key(PIPELINE)).decode()})
    (tmp_path / "trust.yaml").write_text(yaml.safe_dump({"version": 1, "keys": keys}))
    (tmp_path / "gate.pem").write_bytes(PIPELINE)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/ward.yaml").write_text(yaml.safe_dump(WARD, sort_keys=False))
    return tmp_path


def call(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    return stop.value.code, out, err


POLICY = ("--policy", "policies/ward.yaml")
TRUSTED = ("--trust", "trust.yaml")


def test_gate_exit_codes(place, model, capsys):
    """0 pass, 1 fail, 2 bad input, 3 insufficient, 4 no store."""
    code, out, err = call(capsys, "gate", model.uri, *POLICY, *TRUSTED, "--sign-key", "gate.pem")
    assert (code, err) == (0, "")
    assert out.startswith("PASS under ward v3\n")
    assert "warning       hopeful" in out
    code, out, err = call(capsys, "gate", model.uri, *POLICY)
    assert code == 3
    assert "no trust file" in out
    assert "NOT SIGNED" in err
    assert call(capsys, "gate", model.uri, "--policy", "wards")[0] == 2
    assert call(capsys, "gate", "risk", *POLICY)[0] == 2
    assert call(capsys, "gate", model.uri, *POLICY, "--report", "pdf=x")[0] == 2
    assert call(capsys, "gate", model.uri, *POLICY, "--tracking-uri", "sqlite:////nowhere/mlflow.db")[0] == 4
    recalled(model, SOURCE)
    assert call(capsys, "gate", model.uri, *POLICY, *TRUSTED, "--dry-run")[0] == 1


def test_one_verdict_in_several_formats(place, model, capsys):
    """All of one moment: their digests agree; SARIF points at the line of the policy."""
    reports = ["--report", "junit=out/gate.xml", "--report", "sarif=gate.sarif", "--report", "markdown=gate.md"]
    code, out, _ = call(capsys, "gate", model.uri, *POLICY, *TRUSTED, "--format", "json", *reports, "--sign-key", "gate.pem")
    assert code == 0
    verdict = json.loads(out)
    suite = ElementTree.parse("out/gate.xml").getroot()[0]
    told = {p.get("name"): p.get("value") for p in suite.iter("property")}
    (run,) = json.loads(Path("gate.sarif").read_text())["runs"]
    assert told["synthml.verdict_digest"] == run["properties"]["synthml.verdict_digest"] == verdict["digest"]
    assert verdict["policy_digest"] in Path("gate.md").read_text()
    (result,) = run["results"]
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "policies/ward.yaml"
    line = Path("policies/ward.yaml").read_text().splitlines()[where["region"]["startLine"] - 1]
    assert line.strip("- ") == "id: hopeful"


def test_review_promote_and_verify(place, model, capsys, monkeypatch):
    """Refused, approved, promoted, verified; and after a recall neither."""
    pem = new_key()
    Path("rita.pem").write_bytes(pem)
    trust = yaml.safe_load(Path("trust.yaml").read_text())
    trust["keys"].append({"name": "second reviewer", "roles": ["reviewer"], "key": public_pem(private_key(pem)).decode()})
    Path("trust.yaml").write_text(yaml.safe_dump(trust))
    Path("policies/ward.yaml").write_text(yaml.safe_dump({**WARD, "require": {**WARD["require"], "approvals": 1}}))
    monkeypatch.setenv("SYNTHML_TRUST", "trust.yaml")
    signed = ["--sign-key", "rita.pem"]
    asked = [model.uri, *POLICY]
    promote = ["promote", *asked, "--alias", "champion", "--sign-key", "gate.pem"]
    assert call(capsys, *promote)[0] == 3
    code, out, _ = call(capsys, "approve", *asked, "--reason", "fine", "--expires", "2099-01-01", *signed)
    assert (code, out[:29]) == (0, "approval signed and attached:")
    code, out, _ = call(capsys, *promote, "--json")
    assert (code, json.loads(out)["done"]) == (0, True)
    code, out, _ = call(capsys, "verify", f"models:/{model.name}@champion")
    assert (code, out.splitlines()[-1]) == (0, "everything holds")
    assert "signed by second reviewer (reviewer), until 2099-01-01" in out
    assert call(capsys, "waive", *asked, "--criterion", "hopeful", "--reason", "x", "--expires", "2099-01-01", *signed)[0] == 0
    assert call(capsys, "refuse", *asked, "--reason", "no", *signed)[0] == 0
    code, out, _ = call(capsys, *promote)
    assert code == 1
    assert "NOT PROMOTED: the verdict is fail; the alias 'champion' still stands on this version" in out
    recalled(model, SOURCE)
    code, out, _ = call(capsys, "verify", model.uri, "--json")
    assert (code, json.loads(out)["holds"]) == (1, False)


def test_policy_show_tells_what_was_inherited_tightened_and_loosened(place, capsys):
    """Against its parent, with the reason for what is weaker."""
    child = {
        "name": "night",
        "version": 1,
        "extends": "ward.yaml",
        "loosens": [{"id": "hopeful", "because": "the night ward is small"}],
        "require": {"approvals": 2},
        "criteria": [
            {**AUROC, "id": "hopeful", "at_least": 0.9, "severity": "warn"},
            {**AUROC, "id": "brier", "figure": "utility.brier.tstr", "at_least": None, "at_most": 0.2},
        ],
    }
    Path("policies/night.yaml").write_text(yaml.safe_dump(child))
    code, out, _ = call(capsys, "policy", "show", "policies/night.yaml")
    assert code == 0
    assert "Extends ward v3" in out
    assert "  inherited: auroc\n" in out
    assert "  added: brier\n" in out
    assert "  tightened: require.approvals, 2 instead of 0\n" in out
    assert (
        "  LOOSENED: hopeful, at least 0.9 (warn, waivable) instead of at least 0.99 (warn, waivable), because the night" in out
    )
    assert "Extends" not in call(capsys, "policy", "show", "policies/ward.yaml")[1]


@pytest.mark.parametrize(("parent", "child", "good"), [(2, 1, False), (2, 2, True), (1, 2, True)])
def test_a_child_asks_for_at_least_as_many_approvals(place, capsys, parent, child, good):
    """More of them is stricter; of days and verdicts fewer are."""
    above = {**WARD, "require": {"approvals": parent, "freshness_days": 30}}
    Path("policies/ward.yaml").write_text(yaml.safe_dump(above))
    below = {"name": "n", "version": 1, "extends": "ward.yaml", "require": {"approvals": child, "freshness_days": 20}}
    Path("policies/n.yaml").write_text(yaml.safe_dump(below))
    code, _, err = call(capsys, "policy", "check", "policies/n.yaml")
    assert code == (0 if good else 2)
    assert ("require.approvals is weaker" in err) is not good


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "name: !!python/object/apply:os.system [id]\n",
        "[" * 500_000,
        "a:\n" + "".join(f"{' ' * i}- \n" for i in range(1, 1000)),
        "name: x\n" + "# " + "y" * 1_100_000,
    ],
)
def test_a_policy_that_is_a_bomb_is_bad_input(place, model, capsys, text):
    """Aliases, tags, depth, size: told in a line, at once."""
    Path("policies/ward.yaml").write_text(text)
    code, out, err = call(capsys, "gate", model.uri, *POLICY)
    assert (code, out) == (2, "")
    assert len(err) < 500


def steps_of_github():
    job = yaml.safe_load((EXAMPLES / "github.yml").read_text())["jobs"]["gate"]
    return job["env"], [step["run"] for step in job["steps"] if "run" in step]


def steps_of_gitlab():
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["gate"]
    return job["variables"], [*job["before_script"], "\n".join(job["script"])]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [steps_of_github, steps_of_gitlab])
def test_the_shell_of_the_examples_runs(place, model, store, steps):
    """As a runner would run it: the model is promoted; once its table is recalled, the first step stops the job."""
    given, scripts = steps()
    assert scripts.pop(0) == "pip install synthml"
    plain = {key: value for key, value in given.items() if "${{" not in value}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **plain, "PATH": path, "MODEL": model.uri, "MLFLOW_TRACKING_URI": store}
    env |= {"SYNTHML_SIGNING_KEY": "gate.pem", "GITHUB_STEP_SUMMARY": str(place / "summary.md")}

    def run(script):
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=place, env=env, capture_output=True, text=True, check=False
        )

    for script in scripts:
        done = run(script)
        assert done.returncode == 0, done.stderr
    assert model.client.get_model_version_by_alias("risk", "champion").version in (1, "1")
    assert ElementTree.parse(place / "gate.xml").getroot().get("failures") == "0"
    recalled(model, SOURCE)
    assert run(scripts[0]).returncode == 1
    assert ElementTree.parse(place / "gate.xml").getroot().get("failures") == "1"
