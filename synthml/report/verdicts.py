"""A verdict for those who read verdicts: people at a terminal, pipelines, and the pages of a code host. Pure: Verdict -> text.

    text       every criterion with what was required and what was found, for a terminal
    json       the verdict's own document, with its digest
    junit      JUnit XML: a case a criterion; what failed or could not be decided is a failure, what only warns is skipped
    sarif      SARIF 2.1.0: a rule a criterion, a result for each that is not met
    markdown   for the conversation of a pull request

Names, labels and reasons were written by others: a model's name may hold HTML, a column's label a control character. Each form
escapes for its own reader, after `clean` took out what cannot be shown. The same verdict gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthml.report.markdown import markdown_text
from synthml.report.wording import clean, plural, prose
from synthml.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synthml.policy.verdict import Decision, Verdict

__all__ = ["FORMATS", "verdict_json", "verdict_junit", "verdict_markdown", "verdict_sarif", "verdict_text"]

_CUT = 600
_TOOL = "synthml gate"
_PAGE = "https://synthml.dev"
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_MARKDOWN_LIMIT = 60_000  # code hosts cut a comment at 65,536 characters


def verdict_text(verdict: Verdict) -> str:
    """Every criterion, what stands against the model first."""
    head = [
        f"{verdict.outcome.upper()} under {prose(verdict.policy, cut=200)}",
        f"  decided   {verdict.decided}",
        f"  model     {verdict.model_digest or 'none'}",
        f"  evidence  {verdict.evidence_digest}",
        f"  policy    {verdict.policy_digest}",
        "",
    ]
    lines = []
    for one in sorted(verdict.decisions, key=_place):
        lines.append(f"{_mark(one):13} {_name(one)}")
        lines.append(f"{'':14}required {prose(one.required, cut=_CUT)}; found {prose(one.found, cut=_CUT)}{_tail(one)}")
    return "\n".join([*head, *lines, "", _count(verdict)]) + "\n"


def verdict_json(verdict: Verdict) -> str:
    """The document, with the digest under which it is signed. ASCII, so that a terminal shows it as it is."""
    return json.dumps({**verdict.to_dict(), "digest": verdict.digest}, indent=2, sort_keys=True) + "\n"


def verdict_junit(verdict: Verdict) -> str:
    """One suite, one case for each criterion and group."""
    from xml.etree import ElementTree as Xml

    failures = [d for d in verdict.decisions if not d.holds]
    skipped = [d for d in verdict.decisions if d.holds and d.outcome != "pass"]
    counts = {"tests": len(verdict.decisions), "failures": len(failures), "errors": 0, "skipped": len(skipped)}
    told = {key: str(value) for key, value in counts.items()}
    policy = _xml(prose(verdict.policy, cut=200))
    whole = Xml.Element("testsuites", {"name": _TOOL, **told})
    suite = Xml.SubElement(
        whole, "testsuite", {"name": policy, **told, "timestamp": verdict.decided.removesuffix("Z"), "time": "0"}
    )
    properties = Xml.SubElement(suite, "properties")
    for name, value in _facts(verdict).items():
        Xml.SubElement(properties, "property", {"name": name, "value": _xml(value)})
    for one in verdict.decisions:
        case = Xml.SubElement(suite, "testcase", {"classname": policy, "name": _xml(_name(one)), "time": "0"})
        message = _xml(_sentence(one))
        if not one.holds:
            failure = Xml.SubElement(case, "failure", {"type": one.outcome, "message": message})
            failure.text = _xml("; ".join(filter(None, (message, one.source and f"threshold: {one.source}"))))
        elif one.outcome != "pass":
            Xml.SubElement(case, "skipped", {"message": message})
    Xml.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(whole, encoding="unicode") + "\n"


def verdict_sarif(verdict: Verdict, *, location: str = "policy.yaml", lines: Mapping[str, int] | None = None) -> str:
    """A run with one result for each criterion and group that is not met.

    location: the policy's file relative to the repository, where viewers show the result: they refuse one that stands nowhere.
    lines: criterion -> its line in that file. What is waived is there, suppressed, with the reason.
    """
    rules = {one.id: one for one in reversed(verdict.decisions)}
    order = sorted(rules)
    results = [
        _result(one, verdict, order.index(one.id), location, (lines or {}).get(one.id, 1))
        for one in verdict.decisions
        if one.outcome != "pass"
    ]
    driver = {"name": _TOOL, "version": __version__, "informationUri": _PAGE, "rules": [_rule(rules[name]) for name in order]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"synthml-gate/{prose(verdict.policy, cut=100)}/"},
        "properties": _facts(verdict),
        "results": results,
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2, sort_keys=True) + "\n"


def verdict_markdown(verdict: Verdict) -> str:
    """What stands against the model in a table, the rest behind a fold; cut at what a comment holds, and told where."""
    against = [d for d in sorted(verdict.decisions, key=_place) if d.outcome != "pass"]
    met = [d for d in verdict.decisions if d.outcome == "pass"]
    head = [
        f"## {verdict.outcome.upper()} under {markdown_text(verdict.policy, cut=100)}",
        "",
        markdown_text(_count(verdict)),
        "",
    ]
    facts = [f"- {name}: `{_code(value)}`" for name, value in _facts(verdict).items() if name.endswith(("digest", "decided"))]
    closing = ["", *facts, "", "A pass is no claim of compliance with any law."]
    left = _MARKDOWN_LIMIT - sum(len(line) + 1 for line in (*head, *closing)) - 600
    table = _rows(against, left)
    left -= sum(len(line) + 1 for line in table)
    folded = _rows(met, left)
    fold = ["", f"<details><summary>{plural(len(met), 'criterion', 'criteria')} met</summary>", "", *folded, "", "</details>"]
    return "\n".join([*head, *table, *(fold if folded else ()), *closing]) + "\n"


FORMATS: Mapping[str, Callable[[Verdict], str]] = MappingProxyType(
    {
        "text": verdict_text,
        "json": verdict_json,
        "junit": verdict_junit,
        "sarif": verdict_sarif,
        "markdown": verdict_markdown,
    }
)


# ---- words ----------------------------------------------------------------------------------------------------------------


def _place(one: Decision) -> tuple[int, int]:
    """What blocks first, failed before open; then what is waived or only warns; then what is met."""
    return (0 if not one.holds else 1 if one.outcome != "pass" else 2, 0 if one.outcome == "fail" else 1)


def _mark(one: Decision) -> str:
    if one.outcome == "pass":
        return "pass"
    if one.waived:
        return "waived"
    return "warning" if one.severity == "warn" else one.outcome


def _name(one: Decision) -> str:
    name = prose(one.id, cut=200)
    return name if not one.of or one.of == "all" else f"{name} [{prose(one.of, cut=200)}]"


def _tail(one: Decision) -> str:
    more = "" if one.n_required is None else f"; about {one.n_required:,} rows would decide it"
    return more + (f"; waived {prose(one.waived, cut=_CUT)}" if one.waived else "")


def _sentence(one: Decision) -> str:
    found = f"required {prose(one.required, cut=_CUT)}, found {prose(one.found, cut=_CUT)}{_tail(one)}"
    return f"{_mark(one)}: {found}"


def _count(verdict: Verdict) -> str:
    met = sum(d.outcome == "pass" for d in verdict.decisions)
    waived = sum(bool(d.waived) for d in verdict.decisions)
    parts = [f"{met} of {plural(len(verdict.decisions), 'criterion', 'criteria')} met"]
    counts = {"failed": len(verdict.failed), "not decidable": len(verdict.open), "waived": waived}
    parts += [f"{n} {word}" for word, n in counts.items() if n]
    warnings = sum(not d.waived for d in verdict.warnings)
    return ", ".join([*parts, *([plural(warnings, "warning")] if warnings else [])])


def _facts(verdict: Verdict) -> dict[str, str]:
    return {
        "synthml.outcome": verdict.outcome,
        "synthml.policy": prose(verdict.policy, cut=200),
        "synthml.decided": verdict.decided,
        "synthml.model_digest": verdict.model_digest or "none",
        "synthml.evidence_digest": verdict.evidence_digest,
        "synthml.policy_digest": verdict.policy_digest,
        "synthml.verdict_digest": verdict.digest,
    }


# ---- XML ------------------------------------------------------------------------------------------------------------------


def _xml(text: str) -> str:
    """What XML 1.0 may hold at all: the writer escapes the rest."""
    return "".join("\ufffd" if ord(c) in (0xFFFE, 0xFFFF) else c for c in clean(text))


# ---- SARIF ----------------------------------------------------------------------------------------------------------------


def _rule(one: Decision) -> dict[str, Any]:
    asked = f"required: {prose(one.required, cut=_CUT)}"
    figure = f"{one.figure}, " if one.figure else ""
    source = f"Source of the threshold: {prose(one.source, cut=_CUT)}; set by {prose(one.set_by, cut=200)}."
    return {
        "id": prose(one.id, cut=200),
        "shortDescription": {"text": f"{figure}{asked}"},
        "fullDescription": {"text": f"{figure}{asked}. {source}"},
        "help": {"text": source},
        "defaultConfiguration": {"level": "error" if one.severity == "block" else "warning"},
        "properties": {"source": prose(one.source, cut=_CUT), "set_by": prose(one.set_by, cut=200), "tags": ["synthml"]},
    }


def _result(one: Decision, verdict: Verdict, index: int, location: str, line: int) -> dict[str, Any]:
    from urllib.parse import quote

    where = {"artifactLocation": {"uri": quote(location)}, "region": {"startLine": line}}
    found: dict[str, Any] = {
        "ruleId": prose(one.id, cut=200),
        "ruleIndex": index,
        "level": "error" if one.severity == "block" else "warning",
        "kind": "fail",
        "message": {"text": f"{_name(one)}: {_sentence(one)}"},
        "locations": [{"physicalLocation": where}],
        "partialFingerprints": {"synthmlCriterion/v1": _fingerprint(one, verdict)},
        "properties": {"outcome": one.outcome, "of": clean(one.of)[:240], "figure": one.figure},
    }
    if one.waived:
        found["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": f"waived {prose(one.waived, cut=_CUT)}"}
        ]
    return found


def _fingerprint(one: Decision, verdict: Verdict) -> str:
    """The same criterion of the same policy on the same group: so that a host knows an old finding from a new one."""
    name = verdict.policy.rpartition(" v")[0] or verdict.policy  # a new version of a policy asks about the same thing
    said = json.dumps([name, one.id, one.figure, one.of])
    return hashlib.sha256(said.encode()).hexdigest()


# ---- Markdown -------------------------------------------------------------------------------------------------------------


def _rows(decisions: list[Decision], room: int) -> list[str]:
    """A table of whole rows in at most `room` characters."""
    if not decisions:
        return []
    lines = ["| | Criterion | Required | Found |", "| --- | --- | --- | --- |"]
    for i, one in enumerate(decisions):
        found = f"{prose(one.found, cut=300)}{_tail(one)}"
        cells = (_mark(one), _name(one), one.required, found)
        row = "| " + " | ".join(markdown_text(cell, cut=_CUT) for cell in cells) + " |"
        room -= len(row) + 1
        if room < 0:
            return [*lines, "", f"and {plural(len(decisions) - i, 'more criterion', 'more criteria')} in the signed verdict"]
        lines.append(row)
    return lines


def _code(text: str) -> str:
    """For a code span: digests and times, which are ours; anything else is not shown."""
    return text if all(c.isascii() and (c.isalnum() or c in ":-") for c in text) else "unknown"
