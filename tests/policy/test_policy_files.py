"""A policy file is refused with the line of its mistake, and a child may only tighten."""

import json
from importlib import resources
from pathlib import Path

import pytest

from synthml.errors import PolicyError
from synthml.metrics import metrics_for
from synthml.policy import Policy
from synthml.policy.criteria import policy_schema, shipped_policies
from synthml.policy.decision import DISTANCES
from synthml.policy.inheritance import inheritance
from synthml.policy.vocabulary import RANGES

PARENT = """\
name: parent
version: 1
require: {kinds: [utility], freshness_days: 100}
lineage: {no_recall: true}
criteria:
  - {id: loss, figure: utility.auroc.loss, of: each, at_most: 0.05, source: s, set_by: o}
"""


def load(tmp_path, text, name="child.yaml"):
    (tmp_path / "parent.yaml").write_text(PARENT)
    path = tmp_path / name
    path.write_text(text.replace("PARENT", str(tmp_path / "parent.yaml")))
    return Policy.load(path)


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_loads_and_names_the_source_of_each_threshold(name):
    policy = Policy.load(name)
    assert policy.name == name
    assert all(criterion.source and criterion.set_by for criterion in policy.criteria)


def test_a_policy_has_a_digest_that_changes_with_a_threshold(tmp_path):
    a = load(tmp_path, PARENT, "a.yaml")
    b = load(tmp_path, PARENT.replace("0.05", "0.06"), "b.yaml")
    assert a.digest != b.digest
    assert a.digest == load(tmp_path, "# a comment\n" + PARENT, "c.yaml").digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("at_most", "at_mots"), "line 6.*'at_mots' is no field here. Did you mean 'at_most'"),
        (("at_most: 0.05, ", ""), "line 6.*needs at_most"),
        (("at_most: 0.05", "at_most: high"), "line 6"),
        (("source: s, ", ""), "line 6.*source"),
        (("utility.auroc.loss", "AUROC"), "line 6.*not a figure"),
        (("version: 1", "version: one"), "line 2"),
        (("utility.auroc.loss", "utility.auroc.loss.high"), "the interval decides"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, change, told):
    with pytest.raises(PolicyError, match=told):
        load(tmp_path, PARENT.replace(*change))


def test_a_child_inherits_and_may_tighten(tmp_path):
    tight = (
        PARENT.replace("0.05", "0.03")
        .replace("freshness_days: 100", "freshness_days: 50")
        .replace("name: parent", "name: child\nextends: PARENT")
    )
    child = load(tmp_path, tight)
    assert child.criteria[0].at_most == 0.03
    assert child.require.freshness_days == 50
    plain = load(tmp_path, "name: child\nversion: 1\nextends: PARENT\n")
    assert plain.criteria[0].at_most == 0.05
    assert plain.lineage.no_recall


@pytest.mark.parametrize(
    "weaker",
    [
        "criteria:\n  - {id: loss, figure: utility.auroc.loss, of: each, at_most: 0.06, source: s, set_by: o}\n",
        "criteria:\n  - {id: loss, figure: utility.auroc.loss, of: all, at_most: 0.05, source: s, set_by: o}\n",
        "criteria:\n  - {id: loss, figure: utility.auroc.loss, of: each, at_most: 0.05, severity: warn, source: s, set_by: o}\n",
        "require: {freshness_days: 200}\n",
        "require: {kinds: []}\n",
        "lineage: {no_recall: false}\n",
    ],
)
def test_a_child_that_loosens_without_a_reason_is_refused(tmp_path, weaker):
    with pytest.raises(PolicyError, match="weaker"):
        load(tmp_path, f"name: child\nversion: 1\nextends: PARENT\n{weaker}")
    part = weaker.split(":")[0]
    loosens = f"loosens: [{{id: {'loss' if part == 'criteria' else part}, because: pilot}}]\n"
    load(tmp_path, f"name: child\nversion: 1\nextends: PARENT\n{loosens}{weaker}")


def test_policies_cannot_extend_each_other_in_a_circle(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nversion: 1\nextends: {path}\n")
    with pytest.raises(PolicyError, match="circle"):
        Policy.load(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("utility.auroc.loss", "utility.aurok.loss"), "line 6.*nothing measures.*Did you mean 'utility.auroc.loss'"),
        (("utility.auroc.loss", "disclosure.singling_out.risk_upper"), "line 6.*Did you mean 'disclosure.singling_out.risk'"),
        (("at_most: 0.05", "at_most: 5"), "line 6.*at_most is 5, and utility.auroc.loss lies between -1 and 1"),
        (("utility.auroc.loss, of: each, at_most: 0.05", "disclosure.copies.share, at_most: -0.1"), "line 6.*between 0 and 1"),
        (("utility.auroc.loss, of: each, at_most: 0.05", "disclosure.singling_out.risk, at_most: 9"), "line 6.*at 1 or below"),
        (("source: s", 'source: " "'), "line 6.*source"),
        (("kinds: [utility]", "kinds: [utilty]"), "line 3.*there is no kind of evidence 'utilty'. Did you mean 'utility'"),
        (("kinds: [utility]", "signatures: [custodain]"), "line 3.*no role 'custodain'. Did you mean 'custodian'"),
        (("kinds: [utility]", "documents: [generation.purpos]"), "line 3.*no field.*Did you mean 'generation.purpose'"),
        (("kinds: [utility]", "documents: [generation.source.owner]"), "line 3.*left out of the public view"),
    ],
)
def test_a_policy_that_could_never_decide_is_told_with_its_line(tmp_path, change, told):
    """A figure, kind, role or field that nothing ever gives, and a threshold that a figure cannot reach."""
    with pytest.raises(PolicyError, match=told):
        load(tmp_path, PARENT.replace(*change))


def test_every_metric_that_is_measured_may_be_asked_for():
    """The names of figures that policies know are those of the metrics and of their protocols."""
    metrics = {metric.name for task in ("binary", "multiclass", "regression") for metric in metrics_for(task)}
    for metric in metrics:
        assert {f"utility.{metric}.tstr", f"utility.{metric}.trtr", f"disparity.{metric}.tstr.difference"} <= set(RANGES)


def test_every_threshold_of_a_shipped_policy_is_one_that_can_fail_and_pass():
    """A bound at the very end of a figure's range would pass everything."""
    for name in shipped_policies():
        for criterion in Policy.load(name).criteria:
            least, most = RANGES[criterion.figure]
            assert criterion.at_most is None or criterion.at_most < most, criterion.id
            assert criterion.at_least is None or criterion.at_least > least, criterion.id


def test_the_json_schema_is_the_one_of_the_code():
    """The file that editors read is generated; when the policy's fields change it is written anew."""
    file = resources.files("synthml.policy") / "policy.schema.json"
    assert file.read_text(encoding="utf-8") == policy_schema()
    assert {"name", "version", "criteria"} <= set(json.loads(policy_schema())["properties"])


def test_the_manuals_policy_is_one(tmp_path):
    """As it stands there, with its loosening told."""
    manual = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    lines = manual.split("    name: ward-readmission", 1)[1].split("\n\n", 1)[0].splitlines()
    file = tmp_path / "ward.yaml"
    file.write_text("name: ward-readmission" + "\n".join(line.removeprefix("    ") for line in lines))
    policy = Policy.load(file)
    assert policy.require.approvals == 2
    assert {one.id: one.draws for one in policy.criteria if one.draws > 1} == {"singling-out": 10}
    assert inheritance(file)[0].loosened.keys() == {"membership"}


def test_release_policies_never_rest_on_a_distance_alone():
    """Each has a binding criterion on disclosure that is no distance, and each says that it claims no compliance."""
    for name in shipped_policies():
        if name.startswith("release-"):
            binding = {c.figure for c in Policy.load(name).criteria if c.severity == "block"}
            assert any(figure.removesuffix(".beyond") not in DISTANCES for figure in binding)
            head = (resources.files("synthml.policy") / f"{name}.yaml").read_text(encoding="utf-8").partition("\nname:")[0]
            assert "no claim of compliance" in head.replace("\n# ", " ")
