"""A verdict as text, JSON, JUnit, SARIF and Markdown: what each says, and that nobody's label becomes markup in it."""

import json
import re
from xml.etree import ElementTree

import pytest
from lineage.a_registry import HOLDOUT, OTHER, SOURCE

from synthml.policy import Decision, Verdict
from synthml.report.verdicts import FORMATS, verdict_json, verdict_junit, verdict_markdown, verdict_sarif, verdict_text

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\nc | d | e",
    "[click](https://evil.example) @everyone #1 `x`",
    "\u202egnp.exe",
    "\ufffe\x00]]>&amp;",
    "名前 ✓ é",
    "x" * 10_000,
]


def decision(name, outcome="pass", **more):
    given = {"required": "at least 0.8", "found": "0.7 (0.6 to 0.75), n = 100", "source": "convention", "set_by": "us"}
    return Decision(name, outcome, **{**given, **more})


def verdict(*decisions, outcome="fail", policy="p v1"):
    return Verdict(outcome, policy, SOURCE, OTHER, "2030-01-31T12:00:00Z", decisions, HOLDOUT)


MIXED = verdict(
    decision("good", of="all"),
    decision("bad", "fail", figure="utility.auroc.tstr", of="sex:F"),
    decision("bad", "fail", figure="utility.auroc.tstr", of="all"),
    decision("wide", "insufficient", n_required=12_000),
    decision("mild", "fail", severity="warn"),
    decision("let-through", "fail", waived="by second reviewer until 2030-06-01: bridging"),
)


def test_text_tells_every_criterion_what_stands_against_it_first():
    """Required and found; rows that would decide; who waived."""
    lines = verdict_text(MIXED).splitlines()
    assert lines[0] == "FAIL under p v1"
    marks = [line.split()[0] for line in lines if re.match(r"(pass|fail|insufficient|warning|waived) ", line)]
    assert marks == ["fail", "fail", "insufficient", "warning", "waived", "pass"]
    assert "about 12,000 rows would decide it" in verdict_text(MIXED)
    assert lines[-1] == "1 of 6 criteria met, 2 failed, 1 not decidable, 1 waived, 1 warning"


def test_json_is_the_document_that_is_signed():
    """It reads back to the same verdict, whose digest it names."""
    data = json.loads(verdict_json(MIXED))
    digest = data.pop("digest")
    assert Verdict.from_dict({**data, "decisions": data["decisions"]}).digest == digest == MIXED.digest
    assert verdict_json(MIXED).isascii()


def test_junit_counts_what_could_not_be_decided_as_a_failure():
    """A pipeline that only looks at failures stops; warnings and waivers are skipped, with the reason."""
    (suite,) = ElementTree.fromstring(verdict_junit(MIXED))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped"), suite.get("errors")) == ("6", "3", "2", "0")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert {name for name, case in cases.items() if case.find("failure") is not None} == {"bad", "bad [sex:F]", "wide"}
    assert cases["wide"].find("failure").get("type") == "insufficient"
    assert "bridging" in cases["let-through"].find("skipped").get("message")
    assert cases["mild"].find("skipped").get("message").startswith("warning: required at least 0.8")
    assert len(cases["good"]) == 0
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["synthml.verdict_digest"] == MIXED.digest


def test_sarif_has_a_rule_for_each_criterion_and_results_for_what_is_not_met():
    """Level, place, fingerprint; what is waived is suppressed with its reason."""
    document = json.loads(verdict_sarif(MIXED, location="gates/ward 3.yaml", lines={"bad": 12}))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["bad", "good", "let-through", "mild", "wide"]
    assert "convention" in rules[0]["fullDescription"]["text"]
    results = run["results"]
    assert [(r["ruleId"], r["level"]) for r in results] == [
        ("bad", "error"),
        ("bad", "error"),
        ("wide", "error"),
        ("mild", "warning"),
        ("let-through", "error"),
    ]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "gates/ward%203.yaml"}, "region": {"startLine": 12}}
    assert ["suppressions" in r for r in results] == [False] * 4 + [True]
    prints = [r["partialFingerprints"]["synthmlCriterion/v1"] for r in results]
    assert len(set(prints)) == 5


def test_a_finding_keeps_its_fingerprint_when_figures_and_the_policys_version_change():
    """So that a code host does not open it anew each night."""

    def prints(given):
        (run,) = json.loads(verdict_sarif(given))["runs"]
        return [r["partialFingerprints"] for r in run["results"]]

    a = verdict(decision("bad", "fail", found="0.70"), policy="p v1")
    b = verdict(decision("bad", "insufficient", found="0.74"), policy="p v2")
    assert prints(a) == prints(b) != prints(verdict(decision("bad", "fail"), policy="q v1"))


def test_markdown_shows_what_is_not_met_and_folds_the_rest():
    """A table of five rows, and one more behind the fold."""
    text = verdict_markdown(MIXED)
    assert text.startswith("## FAIL under p v1\n")
    assert sum(line.startswith("| ") and "Required" not in line and "---" not in line for line in text.splitlines()) == 6
    assert "<summary>1 criterion met</summary>" in text
    assert MIXED.policy_digest in text


def test_markdown_fits_a_comment_and_says_what_was_left_out():
    """With more failing groups than a comment holds."""
    text = verdict_markdown(verdict(*(decision(f"c{i}", "fail", found="y" * 300) for i in range(500))))
    assert len(text) <= 60_000
    left = int(re.search(r"and (\d+) more criteria in the signed verdict", text)[1])
    assert left + text.count("\n| fail |") == 500
    assert text.endswith("A pass is no claim of compliance with any law.\n")


@pytest.mark.parametrize("bad", HOSTILE)
def test_nobodys_label_becomes_markup(bad):
    """In every field that others write, in every form."""
    fields = {"required": bad, "found": bad, "of": bad, "reason": bad, "source": bad, "set_by": bad}
    given = verdict(
        decision(bad, "fail", **fields), decision(bad, "fail", severity="warn", waived=bad, **fields), decision(bad), policy=bad
    )
    text = verdict_text(given)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert len(text.splitlines()) == 14
    suite = ElementTree.fromstring(verdict_junit(given).encode("utf-8"))[0]
    assert [len(case) for case in suite.iter("testcase")] == [1, 1, 0]
    assert not list(suite.iter("script"))
    assert not list(suite.iter("img"))
    (run,) = json.loads(verdict_sarif(given))["runs"]
    assert len(run["results"]) == 2
    assert not re.search(r"[\x00-\x1f\u202e]", run["results"][0]["message"]["text"])
    markdown = verdict_markdown(given)
    assert not re.search(r"<(?!/?(details|summary)>)", markdown)
    assert not re.search(r"(?<!\\)\]\(", markdown)
    assert "@everyone" not in markdown
    assert [line.count("|") for line in markdown.splitlines() if line.startswith("| ")] == [
        5
    ] * 7  # two heads, two rules, three rows
    assert max(map(len, (text, markdown, verdict_junit(given), verdict_sarif(given)))) < 40_000


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_same_verdict_gives_the_same_bytes(form):
    """Nothing is added by the clock or by the order of a set."""
    again = Verdict.from_dict(json.loads(json.dumps(MIXED.to_dict())))
    assert FORMATS[form](MIXED) == FORMATS[form](again)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_verdict_without_decisions_is_written_too(form):
    """A policy that asks for nothing."""
    assert FORMATS[form](verdict(outcome="pass"))
