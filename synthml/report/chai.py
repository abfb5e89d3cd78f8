"""The fields of CHAI's applied model card, version 0.2, as far as evidence fills them. https://mc.chai.org/v0.2/schema.xsd

Sections and fields stand in the order of that schema. What only the maker, the clinic or the regulator can say stays open:
nothing is guessed, and a field that evidence fills in part says which part is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.report.bias import bias_findings
from synthml.report.reading import margin_text
from synthml.report.summary import summarise
from synthml.report.terms import metric_term
from synthml.report.wording import column_title, count, label, listed, prose, short_digest, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml.policy.verdict import Verdict
    from synthml.report.model_facts import ModelFacts
    from synthml.report.reading import Reading

__all__ = ["Field", "Section", "applied_model_card"]

_TASKS = {"binary": "a probability of the outcome", "multiclass": "a probability for each class", "regression": "a number"}
_MOST = 30


@dataclass(frozen=True)
class Field:
    """A field. text: empty when the evidence says nothing about it. open: what of it is still open, when only that is."""

    name: str
    text: str = ""
    open: str = ""


@dataclass(frozen=True)
class Section:
    """A section and its fields."""

    name: str
    fields: tuple[Field, ...]


def applied_model_card(reading: Reading, model: ModelFacts, verdict: Verdict | None) -> tuple[Section, ...]:
    """All sections, in order. Texts are somebody's words in part: whoever shows them escapes them."""
    summary = summarise(reading, verdict)
    return (
        Section("Basic information", (Field("Model name", model.name), Field("Model developer"), Field("Developer contact"))),
        Section(
            "Release information",
            (
                Field("Release stage"),
                Field("Release date"),
                Field("Release version", model.version),
                Field("Global availability"),
                Field("Compatibility with health record systems"),
                Field("Regulatory approval"),
            ),
        ),
        Section("Model summary", (Field("Summary", f"{summary.asked} {summary.answer}"), Field("Keywords"))),
        Section("Uses and directions", tuple(_uses(reading))),
        Section("Warnings", tuple(_warnings(reading, model, summary.missing))),
        Section("Trust ingredients: facts of the AI system", tuple(_facts(reading, model))),
        Section(
            "Trust ingredients: transparency",
            (
                Field("Funding source"),
                Field("Third-party information", _third_party(reading), "whether anything else is a third party's"),
                Field("Stakeholders consulted"),
            ),
        ),
        Section("Key metrics: usefulness, usability, efficacy", tuple(_usefulness(reading, summary.answer))),
        Section("Key metrics: fairness and equity", tuple(_fairness(reading))),
        Section("Key metrics: safety and reliability", tuple(_safety(reading))),
        Section("Resources", tuple(_resources(reading))),
        Section("Bibliography", (Field("Bibliography"),)),
    )


def _uses(reading: Reading) -> Iterator[Field]:
    purpose, period = _told(reading.document("purpose")), _told(reading.document("source", "period"))
    made_for = f"The synthetic table that the model learned from was made for: {purpose}" if purpose else ""
    yield Field("Intended use and workflow", made_for, "the model's own use and the workflow around it")
    yield Field("Primary intended users")
    features = reading.schema("features")
    named = [label(name, cut=48).shown for name in features] if isinstance(features, (list, tuple)) else []
    use = f"It is given {listed(named, most=_MOST)}" if named else ""
    threshold = reading.figure("utility.threshold.tstr")
    if use and threshold is not None and threshold.value is not None:
        use += f"; the errors here are measured at a decision threshold of {threshold.value:.3f}"
    yield Field("How to use", use, "how its answer is shown and acted on")
    whom = f"The real rows behind the synthetic table are of {period}" if period else ""
    yield Field("Targeted patient population", whom, "the patients whom it is meant for")
    unsupported = _told(reading.document("unsupported_uses"))
    cautioned = f"Unsupported uses of the synthetic table: {unsupported}" if unsupported else ""
    yield Field("Cautioned out-of-scope settings", cautioned, "settings that are out of the model's own scope")


def _warnings(reading: Reading, model: ModelFacts, missing: tuple[str, ...]) -> Iterator[Field]:
    limits = _told(reading.document("source", "limitations"))
    parts = [*model.recalls, f"Limitations of the source: {limits}." if limits else "", *missing]
    yield Field("Known risks and limitations", " ".join(part for part in parts if part), "risks in clinical use")
    findings = [finding.text for finding in bias_findings(reading) if finding.tone == "problem"]
    bias = _told(reading.document("source", "limitations", "bias"))
    yield Field(
        "Known biases or ethical considerations",
        " ".join([*([f"{bias}."] if bias else []), *findings, *_weakest(reading)]),
        "ethical considerations beyond what was measured",
    )
    yield Field("Clinical risk level")


def _facts(reading: Reading, model: ModelFacts) -> Iterator[Field]:
    task = _TASKS.get(reading.task, "")
    yield Field("Outcomes and outputs", f"{task[:1].upper()}{task[1:]}: “{reading.target}”" if task and reading.target else "")
    estimator = (reading.dossier.model or {}).get("estimator")
    yield Field("Model type", "" if estimator is None else label(estimator).shown)
    yield Field("Foundation models")
    source = reading.dossier.datasets.get("source", {})
    yield Field(
        "Input data source",
        f"Synthetic rows, drawn from a generator trained on {count(source['rows'])} real rows" if source.get("rows") else "",
        "where the model gets its input when it is used",
    )
    kinds, features = reading.schema("kinds"), reading.schema("features")
    typed = (
        [f"{label(name, cut=48)} ({label(kinds[name], cut=24)})" for name in features if name in kinds]
        if isinstance(kinds, Mapping) and isinstance(features, (list, tuple))
        else []
    )
    yield Field("Output and input data types", listed(typed, most=_MOST))
    yield Field("Development data characterization", " ".join(_tables(reading)))
    yield Field("Bias mitigation approaches")
    expiry = _told(reading.document("expiry"))
    yield Field("Ongoing maintenance", f"The synthetic table expires: {expiry}" if expiry else "", "how the model is maintained")
    yield Field("Security")
    evidence = f"Every figure stands in evidence {short_digest(reading.dossier.digest)}, with its interval, rows and method"
    yield Field("Transparency", f"{evidence}. {model.release}".strip())


def _tables(reading: Reading) -> Iterator[str]:
    for role in ("source", "synthetic", "holdout"):
        facts = reading.dossier.datasets.get(role)
        if facts:
            people = f" of {count(facts['subjects'])} people" if facts.get("subjects") else ""
            yield f"{role.capitalize()}: {count(facts.get('rows'))} rows{people}, {count(facts.get('columns'))} columns."


def _third_party(reading: Reading) -> str:
    made = [reading.document("generator", part) for part in ("name", "library", "version")]
    told = " ".join(label(part, cut=48).shown for part in made if part)
    return f"The synthetic table was drawn by {told}" if told else ""


# ---- key metrics ----------------------------------------------------------------------------------------------------------


def _usefulness(reading: Reading, answer: str) -> Iterator[Field]:
    metric = reading.headline
    tstr = None if metric is None else reading.utility(metric.name, "tstr")
    if metric is None or tstr is None:
        yield from _unmeasured()
        return
    loss = reading.utility(metric.name, "loss")
    yield Field("Goal", _goal(reading, "over all rows"), "the clinical goal")
    result = (
        f"{metric.title} {reading.sentence(metric, tstr)}; loss against training on real rows {reading.sentence(metric, loss)}"
    )
    yield Field("Result", result)
    yield Field("Interpretation", answer, "what it means for a patient")
    yield from _tested(reading)


def _fairness(reading: Reading) -> Iterator[Field]:
    if not reading.groups:
        yield from _unmeasured()
        return
    differences = [
        f"{metric_term(name.split('.')[1]).title} over {column_title(of)}: {spoken(figure)}"
        for name, figures in reading.family("disparity").items()
        if name.endswith(".tstr.difference")
        for of, figure in figures.items()
    ]
    yield Field("Goal", _goal(reading, "in every group"), "the clinical goal")
    told = f"Largest differences: {'; '.join(differences[:6])}" if differences else ""
    yield Field("Result", " ".join([*_weakest(reading), told]).strip())
    withheld = len(reading.withheld_groups)
    hidden = f"; {withheld} too small to show, or withheld to protect a small one" if withheld else ""
    yield Field("Interpretation", f"{len(reading.shown_groups)} groups have figures{hidden}", "what it means for a patient")
    yield from _tested(reading)


def _safety(reading: Reading) -> Iterator[Field]:
    told = [
        f"{metric.title} {reading.sentence(metric, reading.utility(metric.name, 'tstr'))}"
        for metric in (*reading.at_threshold, *reading.calibration)
        if metric.name in ("fnr", "fpr", "calibration_slope", "calibration_intercept")
    ]
    if not told:
        yield from _unmeasured()
        return
    yield Field("Goal")
    yield Field("Result", "; ".join(told))
    yield Field("Interpretation")
    yield from _tested(reading)


def _tested(reading: Reading) -> Iterator[Field]:
    rows = reading.holdout_rows
    yield Field("Test type", "On real rows held out" if rows else "", "whether they are of another site or a later time")
    holdout = reading.dossier.datasets.get("holdout", {})
    described = f"{count(rows)} real rows, digest {short_digest(holdout['digest'])}" if rows and holdout.get("digest") else ""
    yield Field("Testing data", described)
    metric = reading.headline
    method = getattr(reading.utility(metric.name, "tstr"), "method", "") if metric else ""
    how = f"{reading.confidence_text} intervals ({method}); the same model trained on real rows is measured on the same rows"
    yield Field("Validation process and justification", how if method else "")


def _unmeasured() -> Iterator[Field]:
    names = ("Goal", "Result", "Interpretation", "Test type", "Testing data", "Validation process and justification")
    yield from map(Field, names)


def _resources(reading: Reading) -> Iterator[Field]:
    yield Field("Evaluation references", f"The report of the run, and evidence {short_digest(reading.dossier.digest)}")
    yield Field("Clinical trial")
    yield Field("Peer-reviewed publications")
    yield Field("Reimbursement status")
    basis = _told(reading.document("source", "lawful_basis"))
    consent = f"Lawful basis of the source: {basis}" if basis else ""
    yield Field("Patient consent or disclosure", consent, "consent and disclosure when the model is used")


# ---- words ----------------------------------------------------------------------------------------------------------------


def _goal(reading: Reading, where: str) -> str:
    metric, margin = reading.headline, margin_text(reading.margin)
    return "" if metric is None or not margin else f"A loss of {metric.title} of at most {margin} {where}"


def _weakest(reading: Reading) -> Iterator[str]:
    metric = reading.headline
    worst = reading.worst_group(metric) if metric else None
    if metric is not None and worst is not None:
        yield f"Worst for {worst[0].name}: {metric.title} {reading.sentence(metric, worst[1])}."


def _told(value: Any) -> str:
    """Anything of the record in one line; empty for nothing."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, Mapping):
        parts = [(prose(str(key).replace("_", " "), cut=60), _told(item)) for key, item in value.items()]
        return "; ".join(f"{key}: {text}" for key, text in parts if text)
    if isinstance(value, list):
        return "; ".join(filter(None, map(_told, value)))
    return prose(value, cut=300).rstrip(".")
