"""A policy file is refused with the line of its mistake, and a child may only tighten."""

import pytest

from synthml.errors import PolicyError
from synthml.policy import Policy
from synthml.policy.criteria import shipped_policies

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
