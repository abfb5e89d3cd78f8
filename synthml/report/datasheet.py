"""The datasheet of a synthetic table: Markdown from the evidence, never typed twice; a question without an answer stays open.

It shows the public view of the generation record only, and of the tables only columns, kinds and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthml.report.markdown import markdown_text
from synthml.report.wording import count, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict

__all__ = ["datasheet_markdown"]

_OPEN = "_open: not written down_"
# heading -> (question, path into the record)
_QUESTIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Purpose and use": (
        ("Purpose", "purpose"),
        ("Supported uses", "supported_uses"),
        ("Unsupported uses", "unsupported_uses"),
        ("Release scope", "release_scope"),
        ("Conditions", "conditions"),
        ("Expiry", "expiry"),
    ),
    "Source": (
        ("Period", "source.period"),
        ("Rows", "source.n"),
        ("People", "source.subjects"),
        ("Lawful basis", "source.lawful_basis"),
        ("Limitations", "source.limitations"),
    ),
    "Preparation before the generator": (
        ("Dropped", "preparation.dropped"),
        ("Pseudonymised", "preparation.pseudonymised"),
        ("Outliers", "preparation.outliers"),
        ("Rare cells", "preparation.rare_cells"),
    ),
    "Generator": (
        ("Name", "generator.name"),
        ("Library", "generator.library"),
        ("Version", "generator.version"),
        ("Parameters", "generator.parameters"),
        ("Rows trained on", "generator.training_rows"),
        ("Rows drawn", "output.n"),
        ("Rows rejected", "output.rejected_rows"),
        ("Tables drawn", "output.drawn"),
        ("How this one was chosen", "output.chosen"),
        ("Holdout never seen by the generator", "holdout.never_seen"),
    ),
    "Differential privacy": (
        ("Mechanism", "privacy.mechanism"),
        ("Epsilon", "privacy.epsilon"),
        ("Delta", "privacy.delta"),
        ("Unit", "privacy.unit"),
        ("Accountant", "privacy.accountant"),
        ("Preparation inside the budget", "privacy.preprocessing_inside"),
    ),
    "What remains": (("Residual risks", "residual_risks"), ("Controls", "controls")),
}


def datasheet_markdown(
    dossier: Dossier, verdicts: Sequence[Verdict], columns: Mapping[str, str], *, release: str = "Nothing was decided."
) -> str:
    """The datasheet. columns: name -> kind, of the synthetic table. Pure: the same input gives the same text.

    release: what is known of the table's release where its verdicts are not at hand.
    """
    record = dossier.generation or {}
    title = _told(record.get("id")) if record.get("id") else "Synthetic table"
    lines = [
        f"# {title}",
        "",
        "**Synthetic data**, drawn by a generator. What it gives away about real people is measured below.",
        "",
    ]
    lines += [*_identity(dossier, record), "", *_decisions(verdicts, release), ""]
    for heading, questions in _QUESTIONS.items():
        if heading == "Differential privacy" and not record.get("privacy"):
            lines += [f"## {heading}", "", "None declared.", ""]
            continue
        lines += [f"## {heading}", ""]
        lines += [f"- **{question}**: {_told(_at(record, path))}" for question, path in questions]
        lines.append("")
    lines += [*_dictionary(record, columns, dossier.study), "", *_attacks(dossier), ""]
    if dossier.notes:
        lines += ["## Notes", "", *(f"- {markdown_text(note, cut=400)}" for note in dossier.notes), ""]
    return "\n".join(lines).rstrip() + "\n"


def _identity(dossier: Dossier, record: Mapping[str, Any]) -> Iterator[str]:
    facts = dossier.datasets.get("synthetic", {})
    yield f"- **Digest of its content**: `{facts.get('digest', 'unknown')}`"
    yield f"- **Rows**: {count(facts.get('rows'))}; **columns**: {count(facts.get('columns'))}"
    synthesis = {"full": "fully synthetic", "partial": "partially synthetic"}.get(str(record.get("synthesis")))
    yield f"- **Label**: {synthesis or 'synthetic; whether fully or partially is not written down'}"
    for question, name in (("Version", "version"), ("Created", "created")):
        yield f"- **{question}**: {_told(record.get(name))}"
    yield f"- **Evidence**: `{dossier.digest}`, measured {dossier.created or 'at an unknown time'} with synthml {dossier.synthml}"


def _decisions(verdicts: Sequence[Verdict], release: str) -> Iterator[str]:
    yield "## Decision"
    yield ""
    if not verdicts:
        yield markdown_text(release, cut=400)
        return
    yield "A pass says that the evidence met the policy's thresholds. It is no claim of compliance with any law."
    yield ""
    yield "| policy | outcome | failed | not decidable |"
    yield "|---|---|---|---|"
    for verdict in verdicts:
        failed = ", ".join(dict.fromkeys(d.id for d in verdict.failed)) or "none"
        still = ", ".join(dict.fromkeys(d.id for d in verdict.open)) or "none"
        cells = (verdict.policy, verdict.outcome, failed, still)
        yield f"| {' | '.join(markdown_text(cell, cut=300) for cell in cells)} |"


def _dictionary(record: Mapping[str, Any], columns: Mapping[str, str], study: Mapping[str, Any]) -> Iterator[str]:
    yield "## Columns"
    yield ""
    yield "| column | kind | unit | classification | description |"
    yield "|---|---|---|---|---|"
    known = {str(entry.get("name")): entry for entry in record.get("dictionary") or () if isinstance(entry, Mapping)}
    quasi, secrets, sensitive = (set(study.get(name) or ()) for name in ("quasi_identifiers", "secrets", "sensitive"))
    for name, kind in columns.items():
        entry = known.get(name, {})
        words = [w for w, group in (("quasi", quasi), ("secret", secrets), ("sensitive", sensitive)) if name in group]
        classification = entry.get("classification") or ", ".join(words) or "none"
        cells = (name, entry.get("kind") or kind, entry.get("unit") or "", classification, entry.get("description") or "")
        yield f"| {' | '.join(markdown_text(cell, cut=120) for cell in cells)} |"


def _attacks(dossier: Dossier) -> Iterator[str]:
    """What each attack reached, on the source's patients and on others, by the tables that the evidence shows anyway."""
    yield "## Disclosure"
    yield ""
    rows = [row for row in dossier.tables.get("disclosure_attacks", ()) if row.get("decisive")]
    if not rows:
        yield "No attack with a control was measured."
        return
    models = {row.get("attack"): row for row in dossier.tables.get("threat_models", ())}
    for row in rows:
        asked = models.get(row.get("attack"), {}).get("question")
        name = str(row.get("attack")).replace("_", " ")
        of = "" if row.get("of") == "all" else f" of {row.get('of')}"
        yield f"- **{markdown_text(name)}{markdown_text(of, cut=80)}**" + (f" ({markdown_text(asked, cut=200)})" if asked else "")
        if row.get("risk") is None:
            yield f"  - not known: {_told(row.get('reason'))}"
            continue
        unit, main, control, guess = row.get("unit") or "rows", *(number(row.get(r)) for r in ("main", "control", "baseline"))
        yield f"  - succeeds on {main} of the source's {unit}, on {control} of those never seen by the generator"
        yield f"  - guessing succeeds on {guess}"
        yield f"  - risk {number(row.get('risk'))}, between {number(row.get('risk_low'))} and {number(row.get('risk_high'))}"


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _told(value: Any) -> str:
    """Any value of the record as one line of text."""
    if value is None or value == "" or (isinstance(value, (list, Mapping)) and not value):
        return _OPEN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        given = {markdown_text(str(k).replace("_", " "), cut=60): v for k, v in value.items() if v is not None}
        return _joined(f"{name}: {_told(item)}" for name, item in given.items())
    if isinstance(value, list):
        return _joined(_told(item) for item in value)
    return markdown_text(value, cut=600)


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts)
