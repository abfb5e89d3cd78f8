"""The model card: Hugging Face style Markdown with metadata, from the evidence, never typed twice.

Metadata. `model-index` holds figures of the model on real rows only, with their intervals in the names, since that format has no
place for them. Datasets are named by digest. A licence is nobody's to say but the maker's, so it is `unknown`.

Text. Verdict with its date, evaluation, groups, what stands against it, and the fields of CHAI's applied model card (`chai`);
what the evidence does not say is marked open. Everything of somebody's is escaped as in the reviewer's card.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from synthml.figures import ALL
from synthml.report.chai import applied_model_card
from synthml.report.front_matter import front_matter
from synthml.report.markdown import digest_text, markdown_text
from synthml.report.model_facts import check_verdict
from synthml.report.performance import STANDING_WORDS
from synthml.report.reading import Reading, standing
from synthml.report.summary import decision_lines, summarise
from synthml.report.terms import metric_term
from synthml.report.wording import column_title, count, interval, label, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict
    from synthml.report.model_facts import ModelFacts
    from synthml.report.terms import MetricTerm

__all__ = ["model_card"]

# what metrics are called on Hugging Face; others keep their names
_TYPES = {
    "auroc": "roc_auc", "macro_auroc": "roc_auc", "macro_f1": "f1", "sensitivity": "recall", "ppv": "precision",
    "brier": "brier_score", "r2": "r_squared",
}  # fmt: skip
_LIBRARIES = {"xgboost": "xgboost", "scikit-learn": "sklearn"}
_OPEN = "_open: the evidence does not say_"


def model_card(dossier: Dossier, model: ModelFacts, verdict: Verdict | None = None) -> str:
    """The card. Pure: the same input gives the same text. Raises InputError when the verdict is about another model."""
    check_verdict(dossier, verdict)
    reading = Reading(dossier)
    parts = (
        _opening(reading, model, verdict),
        _details(reading, model),
        _training(reading, model),
        _lineage(model),
        _evaluation(reading),
        _groups(reading),
        _differences(reading),
        _limits(reading),
        _decision(reading, model, verdict),
        _applied(reading, model, verdict),
    )
    body = "\n".join(line for part in parts for line in part)
    return front_matter(_metadata(reading, model)) + "\n" + body.rstrip() + "\n"


# ---- metadata -------------------------------------------------------------------------------------------------------------


def _metadata(reading: Reading, model: ModelFacts) -> dict[str, Any]:
    datasets = [str(facts["digest"]) for _, facts in _datasets(reading) if digest_text(facts.get("digest")) != "unknown"]
    names = [line.partition("=")[0].strip().lower() for line in model.requirements]
    library = next((told for name, told in _LIBRARIES.items() if name in names), None)
    results = list(_results(reading))
    data: dict[str, Any] = {
        "license": "unknown",
        "library_name": library,
        "pipeline_tag": _pipeline(reading),
        "tags": ["tabular", "synthetic-data", "trained-on-synthetic-data", "synthml"],
        "datasets": list(dict.fromkeys(datasets)),
        "metrics": list(dict.fromkeys(metric["type"] for result in results for metric in result["metrics"])),
        "model-index": [{"name": label(model.name, cut=120).shown, "results": results}] if results else None,
    }
    return {key: value for key, value in data.items() if value}


def _pipeline(reading: Reading) -> str | None:
    if reading.task not in ("binary", "multiclass", "regression"):
        return None
    return "tabular-regression" if reading.task == "regression" else "tabular-classification"


def _results(reading: Reading) -> Iterator[dict[str, Any]]:
    """Every metric for everyone, the headline metric for every group that is shown; figures on the holdout only."""
    for of in (ALL, *(group.of for group in reading.shown_groups)):
        asked = reading.metrics if of == ALL or reading.headline is None else (reading.headline,)
        metrics = [found for metric in asked if (found := _metric(reading, metric, of))]
        if not metrics:
            continue
        name = "real rows held out" + ("" if of == ALL else f", {reading.group_title(of)}")
        digest = digest_text(reading.dossier.datasets.get("holdout", {}).get("digest"))
        dataset = {"name": name, "type": digest, "split": "holdout"}
        task = _pipeline(reading) or "tabular"
        yield {
            "task": {"type": task, "name": label(reading.target or task, cut=80).shown},
            "dataset": dataset,
            "metrics": metrics,
        }


def _metric(reading: Reading, metric: MetricTerm, of: str) -> dict[str, Any] | None:
    figure = reading.utility(metric.name, "tstr", of)
    if figure is None or figure.value is None or not figure.ok:
        return None
    bounds = interval(figure, digits=metric.digits)
    name = metric.title + (f" ({reading.confidence_text} interval {bounds})" if bounds else "")
    return {"type": _TYPES.get(metric.name, metric.name), "value": figure.value, "name": name}


# ---- text -----------------------------------------------------------------------------------------------------------------


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(*heads: str) -> list[str]:
    return [_row(*heads), _row(*("---" for _ in heads))]


def _datasets(reading: Reading) -> Iterator[tuple[str, Any]]:
    known = [role for role in ("source", "synthetic", "holdout") if role in reading.dossier.datasets]
    for role in (*known, *sorted(set(reading.dossier.datasets) - set(known))):
        yield role, reading.dossier.datasets[role]


def _opening(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> Iterator[str]:
    summary = summarise(reading, verdict)
    yield f"# {markdown_text(model.name, cut=120)}"
    yield ""
    for told in model.recalls:
        yield f"**RECALLED: {markdown_text(told, cut=400)}**"
        yield ""
    if verdict is None:
        yield f"**{summary.word.upper()}**"
    else:
        policy, decided = markdown_text(verdict.policy, cut=100), _time(verdict.decided)
        yield f"**{summary.word.upper()}** under {policy}, decided {decided}"
        yield ""
        yield markdown_text(summary.verdict_line, cut=300)
    if model.verdict:
        yield ""
        yield markdown_text(model.verdict, cut=400)
    yield ""
    yield markdown_text(summary.answer, cut=600)
    yield ""
    for text in summary.details:
        yield f"- {markdown_text(text, cut=500)}"
    yield ""


def _details(reading: Reading, model: ModelFacts) -> Iterator[str]:
    facts = reading.dossier.model or {}
    estimator = facts.get("estimator")
    yield "## Model details"
    yield ""
    yield f"- **Digest of its files**: `{digest_text(facts.get('digest'))}`"
    yield f"- **Version**: {markdown_text(model.version, cut=200) if model.version else 'not registered'}"
    yield f"- **Estimator**: {markdown_text(estimator, cut=120) if estimator else _OPEN}"
    yield f"- **Predicts**: {markdown_text(reading.target, cut=120) if reading.target else _OPEN}"
    yield f"- **Licence**: {_OPEN}"
    needed = ", ".join(markdown_text(line, cut=80) for line in model.requirements)
    yield f"- **Needs**: {needed or _OPEN}"
    yield ""


def _training(reading: Reading, model: ModelFacts) -> Iterator[str]:
    yield "## Training and test data"
    yield ""
    yield "The holdout is real: every figure of the model is measured on it."
    yield ""
    yield from _table("Table", "Rows", "People", "Digest")
    for role, facts in _datasets(reading):
        digest = digest_text(facts.get("digest"))
        yield _row(markdown_text(role, cut=40), count(facts.get("rows")), count(facts.get("subjects")), f"`{digest}`")
    yield ""
    made = [reading.document("generator", part) for part in ("name", "library", "version")]
    told = " ".join(str(part) for part in made if part)
    yield f"- **Generator**: {markdown_text(told, cut=120) if told else _OPEN}"
    purpose = reading.document("purpose")
    yield f"- **Purpose of the synthetic table**: {markdown_text(purpose, cut=400) if purpose else _OPEN}"
    yield f"- **Release of the synthetic table**: {markdown_text(model.release, cut=300) if model.release else _OPEN}"
    yield ""


def _lineage(model: ModelFacts) -> Iterator[str]:
    """As text for whoever shows no Mermaid, as Mermaid for whoever does."""
    if model.lineage is None:
        return
    tree, mermaid = model.lineage
    yield from ("## Lineage", "", "```text", *_block(tree), "```", "", "```mermaid", *_block(mermaid), "```", "")


def _block(text: str) -> Iterator[str]:
    """Lines of a block, none of which can end it."""
    return (line.replace("```", "~~~") for line in text.splitlines())


def _evaluation(reading: Reading) -> Iterator[str]:
    yield "## Evaluation on real rows"
    yield ""
    rows = []
    for metric in reading.metrics:
        figures = [reading.utility(metric.name, protocol) for protocol in ("tstr", "trtr", "loss")]
        if figures[0] is not None:
            cells = [spoken(figure, digits=metric.digits) if figure is not None else "" for figure in figures]
            rows.append(_row(markdown_text(metric.title, cut=60), *cells))
    if not rows:
        yield "Not measured."
        yield ""
        return
    on = f"{reading.holdout_rows:,} real rows, " if reading.holdout_rows else ""
    yield f"{on}{reading.confidence_text} intervals. Loss: how much better training on real rows does; positive is worse."
    yield ""
    yield from _table("Measure", "Trained on synthetic rows", "Trained on real rows", "Loss")
    yield from rows
    yield ""


def _groups(reading: Reading) -> Iterator[str]:
    metric = reading.headline
    yield "## Patient groups"
    yield ""
    if metric is None or not reading.groups:
        yield "Not measured."
        yield ""
        return
    yield from _table(
        "Group", "Rows", "Events", f"{metric.title}, synthetic", f"{metric.title}, real", "Loss", "Against the margin"
    )
    for group in reading.groups:
        figures = [reading.utility(metric.name, protocol, group.of) for protocol in ("tstr", "trtr", "loss")]
        told = [] if group.reason else [spoken(figure, digits=metric.digits) for figure in figures]
        words = "" if group.reason else STANDING_WORDS[standing(figures[2], reading.margin)]
        cells = told or ["withheld", "withheld", "withheld"]
        yield _row(markdown_text(group.name), count(group.rows), count(group.events), *cells, words or "not judged")
    yield ""


def _differences(reading: Reading) -> Iterator[str]:
    rows = []
    for name, figures in reading.family("disparity").items():
        parts = name.split(".")
        if parts[2:] == ["tstr", "difference"]:
            title = markdown_text(metric_term(parts[1]).title, cut=60)
            rows += [_row(title, markdown_text(column_title(of), cut=120), spoken(figure)) for of, figure in figures.items()]
    if rows:
        yield "## Largest differences between groups"
        yield ""
        yield from _table("Measure", "Column", "Largest difference")
        yield from rows
        yield ""


def _limits(reading: Reading) -> Iterator[str]:
    missing = summarise(reading, None).missing
    yield "## What is missing"
    yield ""
    yield from (f"- {markdown_text(text, cut=500)}" for text in missing)
    if not missing:
        yield "Nothing that this evidence could hold."
    yield ""


def _decision(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> Iterator[str]:
    yield "## Decision"
    yield ""
    if verdict is None:
        yield "No policy was applied."
    else:
        yield f"- **Outcome**: {verdict.outcome} under {markdown_text(verdict.policy, cut=100)}"
        yield f"- **Decided**: {_time(verdict.decided)}"
        yield f"- **Policy**: `{digest_text(verdict.policy_digest)}`"
        yield f"- **Evidence decided on**: `{digest_text(verdict.evidence_digest)}`{_other(reading, verdict)}"
        for name, decisions in (("Failed", verdict.failed), ("Not decided", verdict.open), ("Warning", verdict.warnings)):
            yield from (f"- **{name}**: {markdown_text(text, cut=400)}" for text in decision_lines(reading, decisions))
        waived = [f"{d.id}: {d.waived}" for d in verdict.decisions if d.waived]
        yield from (f"- **Waived**: {markdown_text(text, cut=400)}" for text in waived)
    yield from (f"- **Review**: {markdown_text(text, cut=400)}" for text in model.reviews)
    yield ""
    yield f"This card shows evidence `{digest_text(reading.dossier.digest)}`. A pass is no claim of compliance with any law."
    yield ""


def _time(text: str) -> str:
    """A time as it is written everywhere here; anything else as text."""
    return text if re.fullmatch(r"[0-9T:.Z+-]{10,32}", text) else markdown_text(text, cut=40)


def _other(reading: Reading, verdict: Verdict) -> str:
    return "" if verdict.evidence_digest == reading.dossier.digest else ", which is not the evidence that this card shows"


def _applied(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> Iterator[str]:
    yield "## Applied model card"
    yield ""
    yield "The fields of CHAI's applied model card, version 0.2. What the evidence does not say is for the maker to fill."
    yield ""
    for section in applied_model_card(reading, model, verdict):
        yield f"### {section.name}"
        yield ""
        for field in section.fields:
            text = markdown_text(field.text, cut=1200)
            still = f"{'' if text.endswith('.') else '.'} _open: {field.open}_" if text and field.open else ""
            yield f"- **{field.name}**: {text + still if text else _OPEN}"
        yield ""
