"""The eighteen questions of a model reviewer, in their order, each answered from the evidence or marked as not measured.

An answer never says more than the evidence: what only a person can judge is marked so, and what was not measured says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from synthml.report.bias import bias_findings
from synthml.report.quality import clearly_above, largest_excess
from synthml.report.reading import margin_text, standing
from synthml.report.wording import clean, label, listed, plural, prose, short_digest, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthml.policy.verdict import Verdict
    from synthml.report.reading import Reading
    from synthml.report.terms import MetricTerm

__all__ = ["STATUS_WORDS", "Answer", "answers"]

Status = Literal["answered", "partly", "problem", "person", "open"]
STATUS_WORDS: dict[Status, str] = {
    "answered": "Answered",
    "partly": "Partly",
    "problem": "Problem",
    "person": "For you to judge",
    "open": "Not measured",
}

_DISTANCES = ("disclosure.copies.", "disclosure.distance_share", "disclosure.nearest_share", "disclosure.nndr")
_AXES = {
    "singling out": "disclosure.singling_out.",
    "linkability": "disclosure.linkability.",
    "inference": "disclosure.inference.",
    "membership": "disclosure.membership.",
}


@dataclass(frozen=True)
class Answer:
    """One question, how far it is answered, the answer in a sentence or two, and the chapter to read (empty: none).

    short: what is asked in a few words, for the page that is printed.
    """

    number: int
    question: str
    status: Status
    text: str
    chapter: str = ""
    short: str = ""

    @property
    def word(self) -> str:
        """The status in words."""
        return STATUS_WORDS[self.status]


Told = tuple[Status, str, str]


def answers(reading: Reading, verdict: Verdict | None) -> tuple[Answer, ...]:
    """All eighteen, in order."""
    asked = zip(_QUESTIONS, _SHORT, strict=True)
    return tuple(Answer(n, question, *told(reading, verdict), short) for n, ((question, told), short) in enumerate(asked, 1))


def _primary(reading: Reading, verdict: Verdict | None) -> Told:
    metric = reading.headline
    tstr = reading.utility(metric.name, "tstr") if metric else None
    if metric is None or tstr is None or tstr.value is None:
        return "open", "No figure of the model on real rows.", ""
    on = f" on {reading.holdout_rows:,} real rows" if reading.holdout_rows else ""
    text = f"{metric.title} {reading.sentence(metric, tstr)}{on}, trained on synthetic rows"
    trtr, loss = reading.utility(metric.name, "trtr"), reading.utility(metric.name, "loss")
    if trtr is None or trtr.value is None:
        return "partly", f"{text}. Trained on real rows: not measured.", "performance"
    text += f"; {reading.sentence(metric, trtr)} on the same rows, trained on real ones."
    judged = standing(loss, reading.margin)
    if judged != "unknown":
        words = {"within": "within", "beyond": "beyond", "open": "not decided against"}[judged]
        text += f" The loss of {reading.sentence(metric, loss)} is {words} the margin of {margin_text(reading.margin)}."
    return "answered", text, "performance"


def _disjoint(reading: Reading, verdict: Verdict | None) -> Told:
    digests = {role: facts.get("digest") for role, facts in reading.dossier.datasets.items()}
    holdout = digests.get("holdout")
    if not holdout:
        return "open", "There is no holdout table.", ""
    same = [role for role in ("source", "synthetic") if digests.get(role) == holdout]
    if same:
        return "problem", f"No. The holdout is the {same[0]} table: the same digest. No figure here counts.", "datasets"
    if not digests.get("source"):
        return (
            "partly",
            "The source table was not at hand, so the holdout could be compared with the synthetic table only.",
            "datasets",
        )
    subject = reading.schema("subject")
    parts = ["By digest: the tables differ."]
    parts += [f"By person: no {label(subject, cut=40)} stands in both source and holdout."] if subject else []
    checked = reading.dossier.study.get("contamination")
    twins, chance = (
        (checked.get("distinct_rows"), checked.get("distinct_rows_by_chance")) if isinstance(checked, Mapping) else (None, None)
    )
    if isinstance(twins, int) and isinstance(chance, (int, float)):
        told = f"{plural(twins, 'distinct row')} stand" + ("s" if twins == 1 else "")
        parts.append(f"By row: {told} in both, where chance gives about {chance:,.0f}.")
    parts += [] if subject else ["No subject column was named, so persons could not be compared."]
    return ("answered" if subject else "partly"), " ".join(parts), "datasets"


def _subgroups(reading: Reading, verdict: Verdict | None) -> Told:
    if not reading.groups:
        return "open", "No sensitive column was named, or the groups were not measured.", ""
    events = " and events" if any(group.events is not None for group in reading.groups) else ""
    crossed = [column for column in reading.columns if "×" in column or " " in column]
    text = f"{plural(len(reading.shown_groups), 'group')} of {listed(reading.columns, most=4)}, with rows{events}"
    text += "." if crossed else "; no intersection was asked for."
    withheld = len(reading.withheld_groups)
    cell = reading.schema("minimum_cell")
    least = (
        f" (fewer than {cell.get('rows')} rows or {cell.get('events')} events, or withheld to protect such a group)"
        if isinstance(cell, Mapping)
        else ""
    )
    text += f" {withheld} marked insufficient{least}." if withheld else " None had to be withheld."
    return "answered", text, "groups"


def _intervals(reading: Reading, verdict: Verdict | None) -> Told:
    metric = reading.headline
    worst = reading.worst_group(metric) if metric else None
    with_interval = sum(figure.low is not None for figure in reading.dossier.figures.values())
    valued = sum(figure.value is not None for figure in reading.dossier.figures.values())
    if not valued:
        return "open", "Nothing was measured.", ""
    text = f"{with_interval:,} of {valued:,} figures carry a {reading.confidence_text} interval."
    if metric is None or worst is None:
        return "partly", f"{text} No worst group: groups were not measured.", "figures"
    return "answered", f"{text} Worst group in {metric.title}: {worst[0].name}, {reading.sentence(metric, worst[1])}.", "groups"


def _of_family(*prefixes: str, chapter: str, absent: str) -> Callable[[Reading, Verdict | None], Told]:
    """An answer that counts what a later kind of evidence brought, and points to its chapter."""

    def told(reading: Reading, verdict: Verdict | None) -> Told:
        figures = [e for name, each in reading.by_name.items() if name.startswith(prefixes) for e in each.values()]
        if not figures:
            return "open", absent, ""
        valued = sum(e.value is not None for e in figures)
        return (
            ("answered" if valued == len(figures) else "partly"),
            f"{valued} of {plural(len(figures), 'figure')} measured.",
            chapter,
        )

    return told


def _labels(reading: Reading, verdict: Verdict | None) -> Told:
    overall, worst = reading.figure("quality.label_disagreement.excess"), largest_excess(reading)
    if overall is None or worst is None:
        reason = "" if overall is None or not overall.reason else f" {prose(overall.reason, cut=160)}."
        return "open", f"Label plausibility was not measured.{reason}", "quality" if reason else ""
    figures = reading.by_name["quality.label_disagreement.excess"]
    groups = {of: figure for of, figure in figures.items() if of != "all"}
    shown, (of, figure) = sum(f.ok for f in groups.values()), worst
    whom = reading.group_title(of, cut=48) if of != "all" else "all rows"
    least = f"; the least plausible in {whom}, with {spoken(figure)} beyond real rows" if of != "all" else ""
    if clearly_above(figure, max(shown, 1), reading.confidence):
        return "problem", f"No: labels are less plausible than real ones in {whom}, by {spoken(figure)}.", "quality"
    text = f"In none of {plural(shown, 'group')} are labels clearly less plausible than real ones{least}"
    text = text if shown else "No group was measured"
    withheld = len(groups) - shown
    text += f". {plural(withheld, 'group')} too small to tell" if withheld else ""
    return ("answered" if shown else "partly"), f"{text}. Over all rows: {spoken(overall)}.", "quality"


def _bias(reading: Reading, verdict: Verdict | None) -> Told:
    """Every link of the chain in a sentence; a problem when one of them is."""
    found = bias_findings(reading)
    if not found:
        return "open", "The bias chain was not measured.", ""
    text = " ".join(finding.text for finding in found)
    if any(finding.tone == "problem" for finding in found):
        return "problem", text, "bias"
    missing = [name for name in ("bias.chain.training", "bias.outcome.shift") if name not in reading.by_name]
    return ("partly" if missing else "answered"), text, "bias"


def _threshold(reading: Reading, verdict: Verdict | None) -> Told:
    wanted = {m.name: m for m in (*reading.calibration, *reading.at_threshold)}
    parts = [
        _short(reading, wanted[name]) for name in ("calibration_slope", "calibration_intercept", "fnr", "ppv") if name in wanted
    ]
    if not parts:
        return "open", "Neither calibration nor errors at a threshold were measured.", ""
    status: Status = (
        "answered" if {"calibration_slope", "fnr", "ppv"} <= set(wanted) or reading.task == "regression" else "partly"
    )
    return status, f"{listed(parts)}.", "threshold" if reading.at_threshold else "curves"


def _short(reading: Reading, metric: MetricTerm) -> str:
    return f"{metric.title} {reading.sentence(metric, reading.utility(metric.name, 'tstr'))}"


def _draws(reading: Reading, verdict: Verdict | None) -> Told:
    drawn = reading.document("output", "drawn")
    if drawn and drawn != 1:
        return (
            "partly",
            f"The record says that {clean(drawn)[:20]} tables were drawn; the spread between them was not measured.",
            "generation",
        )
    return "open", "One synthetic table was measured: how much another draw would differ is unknown.", ""


def _axes(reading: Reading, verdict: Verdict | None) -> Told:
    there = [axis for axis, prefix in _AXES.items() if any(name.startswith(prefix) for name in reading.by_name)]
    if not there:
        return "open", "No attack was run on the synthetic table in this evidence.", ""
    missing = [axis for axis in _AXES if axis not in there]
    text = f"Attacked by {listed(there)}; the chapter says what the intruder knows and tries." + (
        f" Not by {listed(missing)}." if missing else ""
    )
    return ("partly" if missing else "answered"), text, "disclosure"


def _distance_alone(reading: Reading, verdict: Verdict | None) -> Told:
    disclosure = [d for d in verdict.decisions if d.figure.startswith("disclosure.")] if verdict is not None else []
    if not disclosure:
        return "open", "No disclosure criterion was decided, so none rests on distance.", ""
    passed = [d for d in disclosure if d.outcome == "pass"]
    if not passed:
        return "open", "Nothing about disclosure passes, so no pass rests on distance.", "policy"
    if all(d.figure.startswith(_DISTANCES) for d in passed):
        return "problem", "Yes: only distances pass, and distances can fail a table but never clear it.", "policy"
    return "answered", "No: attacks pass too.", "policy"


def _disagree(reading: Reading, verdict: Verdict | None) -> Told:
    near = reading.figure("disclosure.nearest_share")
    risks = [
        f for name in _AXES.values() for f in reading.by_name.get(f"{name.rstrip('.')}.risk", {}).values() if f.low is not None
    ]
    member = reading.figure("disclosure.membership.auroc")
    if near is None or near.low is None or not (risks or member):
        return "open", "Attacks and distances were not both measured.", ""
    attacked = any((f.low or 0) > 0 for f in risks) or (member is not None and member.low is not None and member.low > 0.5)
    close = near.low > 0.5
    if attacked == close:
        return "answered", f"They agree: both {'find' if close else 'find nothing of'} a leak.", "disclosure"
    louder = "attacks find a leak that distances miss" if attacked else "distances speak of nearness that no attack could use"
    return "partly", f"They disagree: {louder}. The attacks decide.", "disclosure"


def _fixed_before(reading: Reading, verdict: Verdict | None) -> Told:
    if verdict is None:
        return "open", "No policy has been applied.", ""
    policy, digest = label(verdict.policy, cut=60), short_digest(verdict.policy_digest)
    text = f"The policy {policy} is named by its digest {digest}, which changes with any threshold. "
    return "partly", text + "That it was written before the results is for its owner to show.", "policy"


def _drift(reading: Reading, verdict: Verdict | None) -> Told:
    pairs = {name.rpartition(".")[2] for name in reading.by_name if name.startswith("drift.")}
    real = [role for role in ("source", "holdout", "reference") if any(role in pair.split("_") for pair in pairs)]
    if reading.table("reference_profile") and "holdout_production" not in pairs:
        told = "a profile of the holdout stands in this evidence, and production is held against it by `synthml monitor`"
        return "answered", f"Yes: {told}.", "drift" if pairs else ""
    if not pairs:
        return "open", "No drift figures in this evidence.", ""
    if not real:
        return "partly", "Drift was measured, but not against real rows.", "drift"
    used = "holdout_production" in pairs or "reference_production" in pairs
    told = "rows met in use were compared with real rows" if used else "later batches have real rows to be compared with"
    return "answered", f"Yes: {told} ({listed(real)}).", "drift"


def _use(reading: Reading, verdict: Verdict | None) -> Told:
    purpose = reading.document("purpose")
    unsupported = reading.document("unsupported_uses")
    if not purpose:
        return "person", "The generation record states no purpose.", "generation"
    text = f"Stated purpose of the synthetic table: “{prose(purpose, cut=200)}”."
    if unsupported:
        words = [str(u) for u in unsupported] if isinstance(unsupported, (list, tuple)) else [str(unsupported)]
        text += f" Not meant for: {listed([prose(w, cut=100) for w in words], most=4)}."
    return "person", text + " Whether this model's use matches is for you to judge.", "generation"


def _disclosed(reading: Reading, verdict: Verdict | None) -> Told:
    return "person", "That end users are told of the synthetic training rows cannot be seen in the evidence.", ""


def _approver(reading: Reading, verdict: Verdict | None) -> Told:
    decided = [d for d in verdict.decisions if d.id == "approvals"] if verdict is not None else []
    if decided:
        return "answered", f"Required: {clean(decided[0].required)}; found: {clean(decided[0].found)}.", "policy"
    when = "" if reading.dossier.created is None else f" The evidence is of {clean(reading.dossier.created)[:10]}."
    return "person", f"Approvals are kept in the registry, not in this evidence.{when}", ""


_QUESTIONS: tuple[tuple[str, Callable[[Reading, Verdict | None], Told]], ...] = (
    ("Is the primary metric measured on real, untouched rows, beside a model trained on real rows?", _primary),
    ("Are the test rows disjoint from what the generator and the model saw, with proof?", _disjoint),
    ("Are subgroups and intersections shown, with rows and events, and small ones marked insufficient?", _subgroups),
    ("Do figures carry intervals, and is the worst group named?", _intervals),
    (
        "Is bias followed from source to synthetic table to model?",
        _bias,
    ),
    ("Are labels plausible in every group?", _labels),
    ("Are calibration and errors at the threshold shown, not only discrimination?", _threshold),
    (
        "What does privacy cost in each group?",
        _of_family("privacy.", "privacy_cost.", chapter="family-privacy", absent="The cost of privacy was not measured."),
    ),
    ("How much do results vary over draws of the synthetic table?", _draws),
    ("Were the three disclosure axes and membership attacked, with explicit threat models?", _axes),
    ("Does any pass rest on distance alone?", _distance_alone),
    ("Do attacks and distances disagree?", _disagree),
    ("Were thresholds fixed before the results?", _fixed_before),
    (
        "Was the generator itself assessed, apart from its output?",
        _of_family("disclosure.generator", chapter="disclosure", absent="The generator itself was not assessed."),
    ),
    ("Is there a drift baseline on real data?", _drift),
    ("Does the intended use match?", _use),
    ("Are end users told?", _disclosed),
    ("Is the approver someone other than the author, and the approval in force?", _approver),
)
_SHORT = (
    "Real rows, beside real training",
    "Test rows disjoint, with proof",
    "Groups and intersections shown",
    "Intervals, and the worst group",
    "Bias from source to model",
    "Labels plausible in every group",
    "Calibration and errors at the threshold",
    "Cost of privacy by group",
    "Variation over draws",
    "Three disclosure axes and membership",
    "No pass on distance alone",
    "Attacks and distances agree",
    "Thresholds fixed before results",
    "The generator itself assessed",
    "Drift baseline on real rows",
    "Intended use matches",
    "End users are told",
    "Approver is not the author, in force",
)
