"""The first screen: what was asked, the answer, the numbers that matter, and what is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from synthml.report.charts import Whisker, scale_for, whisker
from synthml.report.disclosure import disclosure_line, is_measured
from synthml.report.lines import chapter_lines
from synthml.report.reading import KIND_TITLES, margin_text, rows_text, standing
from synthml.report.wording import count, interval, label, listed, number, plural, prose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synthml.estimate import Estimate
    from synthml.policy.verdict import Decision, Verdict
    from synthml.report.reading import Reading
    from synthml.report.terms import MetricTerm

__all__ = ["KeyFigure", "Summary", "decided_for", "decided_on", "decision_lines", "decision_name", "summarise"]

Tone = Literal["pass", "fail", "insufficient", "none"]

_MOST_TOLD = 4
_TOO_SMALL = "groups are too small to show"
_WORDS = {"pass": "Pass", "fail": "Fail", "insufficient": "Not enough evidence", "none": "No verdict yet"}


@dataclass(frozen=True)
class KeyFigure:
    """A number of the first screen, with its interval and a small drawing of it."""

    title: str
    value: str
    bounds: str
    note: str
    whiskers: tuple[Whisker, ...] = ()
    zero: str = ""
    margin: str = ""


@dataclass(frozen=True)
class Summary:
    """The first screen, in plain words. tone: the outcome; missing: what was not shown, the weightiest first."""

    tone: Tone
    word: str
    verdict_line: str
    asked: str
    answer: str
    details: tuple[str, ...]
    figures: tuple[KeyFigure, ...]
    against: tuple[str, ...]
    missing: tuple[str, ...]


def summarise(reading: Reading, verdict: Verdict | None) -> Summary:
    """Read the first screen out of a dossier and, when a policy was applied, its verdict."""
    tone: Tone = "none" if verdict is None else verdict.outcome
    return Summary(
        tone=tone,
        word=_WORDS[tone],
        verdict_line=_verdict_line(verdict),
        asked=_asked(reading),
        answer=_answer(reading, verdict),
        details=tuple(text for text in _details(reading, verdict) if text),
        figures=_key_figures(reading),
        against=() if verdict is None else tuple(decision_lines(reading, verdict.failed)),
        missing=_missing(reading, verdict),
    )


def _details(reading: Reading, verdict: Verdict | None) -> tuple[str, ...]:
    beyond = disclosure_line(reading, verdict) if reading.headline is not None else ""
    return _beats_nothing(reading), _groups_line(reading), _weakest_line(reading), *chapter_lines(reading), beyond


def _verdict_line(verdict: Verdict | None) -> str:
    if verdict is None:
        return "No policy has been applied. What follows is evidence, not a decision."
    policy = label(verdict.policy, cut=60).shown
    blocking = [d for d in verdict.decisions if d.severity == "block"]
    passed = sum(d.outcome == "pass" for d in blocking)
    parts = [f"{passed} of {plural(len(blocking), 'binding criterion', 'binding criteria')} met"]
    if verdict.failed:
        parts.append(f"{len(verdict.failed)} failed")
    if verdict.open:
        parts.append(f"{len(verdict.open)} could not be decided")
    waived = sum(bool(d.waived) for d in verdict.decisions)
    if waived:
        parts.append(f"{waived} waived")
    if verdict.warnings:
        parts.append(plural(len(verdict.warnings), "warning"))
    return f"Policy {policy}, decided {decided_on(verdict)}: {', '.join(parts)}."


def decided_on(verdict: Verdict) -> str:
    """`2030-01-31 12:00 UTC`, when that is what stands there."""
    return f"{prose(verdict.decided, cut=40)[:16].replace('T', ' ')} UTC"


def _asked(reading: Reading) -> str:
    rows = {role: facts.get("rows") for role, facts in reading.dossier.datasets.items()}
    synthetic = f"{count(rows['synthetic'])} synthetic rows" if rows.get("synthetic") else "synthetic rows"
    holdout = f"{count(reading.holdout_rows)} real rows" if reading.holdout_rows else "real rows"
    source = f" from the {count(rows['source'])} real ones" if rows.get("source") else " from real rows"
    target = f" “{reading.target}”" if reading.target else ""
    if reading.headline is None and is_measured(reading):
        people = f" the {count(rows['source'])} real rows" if rows.get("source") else " real people"
        return f"What do {synthetic} give away about the patients behind{people} that they were learned from?"
    return (
        f"Does a model that learned{target} from {synthetic} do as well on {holdout} that neither it nor the generator saw "
        f"as the same model would have done had it learned{source}?"
    )


def _answer(reading: Reading, verdict: Verdict | None) -> str:
    metric = reading.headline
    tstr = reading.utility(metric.name, "tstr") if metric else None
    if metric is None and is_measured(reading):
        return disclosure_line(reading, verdict)
    if metric is None or tstr is None or tstr.value is None:
        return "Not measured: the evidence holds no figure of the model on real rows."
    reached = f"It reaches {_named(metric)} of {number(tstr.value, digits=metric.digits)} on real rows"
    trtr, loss = reading.utility(metric.name, "trtr"), reading.utility(metric.name, "loss")
    if trtr is None or trtr.value is None or loss is None or loss.value is None:
        return f"{reached}. What training on real rows would have reached was not measured, so the loss is unknown."
    both = f"{reached}; trained on real rows it would have reached {number(trtr.value, digits=metric.digits)}."
    size = f"{reading.sentence(metric, loss)}"
    margin = margin_text(reading.margin)
    judged = standing(loss, reading.margin)
    if judged == "within":
        return (
            f"Overall yes, within the margin. {both} The loss is {size}: even its upper end does not pass the margin of {margin}."
        )
    if judged == "beyond":
        return f"Overall no. {both} The loss is {size}: even its lower end lies beyond the margin of {margin}."
    if judged == "open":
        return (
            f"Overall undecided. {both} The loss is {size}, and the margin of {margin} lies inside that interval: "
            "more real test rows would decide."
        )
    return f"{both} The loss is {size}. No margin was set to judge it by."


def _named(metric: MetricTerm) -> str:
    name = metric.title if metric.title[:2].isupper() else metric.title[:1].lower() + metric.title[1:]
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"


def _beats_nothing(reading: Reading) -> str:
    metric = reading.headline
    if metric is None or metric.better not in ("higher", "lower"):
        return ""
    tstr, trivial = reading.utility(metric.name, "tstr"), reading.utility(metric.name, "trivial")
    if tstr is None or trivial is None or tstr.low is None or tstr.high is None or trivial.value is None:
        return ""
    line = number(trivial.value, digits=metric.digits)
    better = tstr.low > trivial.value if metric.better == "higher" else tstr.high < trivial.value
    if better:
        return f"It beats knowing nothing, which would reach {line}."
    return f"It is not clearly better than knowing nothing, which would reach {line}."


def _groups_line(reading: Reading) -> str:
    metric, withheld = reading.headline, len(reading.withheld_groups)
    tail = f" {plural(withheld, 'group is', 'groups are')} too small to show or withheld." if withheld else ""
    if metric is None or not reading.groups:
        return "Patient groups were not measured." if metric is not None else ""
    told = reading.losses(metric.name)
    if not told or reading.margin is None:
        return f"{plural(len(reading.shown_groups), 'group was', 'groups were')} measured one by one.{tail}"
    places = Counter(standing(loss, reading.margin) for _, loss in told)
    if len(places) == 1:
        place = {"within": "within the margin", "beyond": "beyond the margin", "open": "undecided"}[next(iter(places))]
        return f"In each of {plural(len(told), 'group')} with enough rows, the loss is {place}.{tail}"
    parts = [
        text
        for text in (
            f"within the margin in {places['within']}" if places["within"] else "",
            f"beyond it in {places['beyond']}" if places["beyond"] else "",
            f"undecided in {places['open']}" if places["open"] else "",
        )
        if text
    ]
    return f"Of {plural(len(told), 'group')} with enough rows, the loss is {listed(parts)}.{tail}"


def _weakest_line(reading: Reading) -> str:
    metric = reading.headline
    worst = reading.worst_group(metric) if metric else None
    if metric is None or worst is None:
        return ""
    group, figure = worst
    who = f"{group.name} ({rows_text(group.rows, group.events)})"
    return f"It does worst for {who}: {metric.title} {reading.sentence(metric, figure)}."


def _key_figures(reading: Reading) -> tuple[KeyFigure, ...]:
    metric = reading.headline
    if metric is None:
        return ()
    tstr, loss = reading.utility(metric.name, "tstr"), reading.utility(metric.name, "loss")
    worst = reading.worst_group(metric)
    scale = scale_for(
        [tstr, reading.utility(metric.name, "trtr"), worst[1] if worst else None], floor=metric.floor, ceiling=metric.ceiling
    )
    found = []
    if tstr is not None:
        trtr = reading.utility(metric.name, "trtr")
        beside = "" if trtr is None or trtr.value is None else f"trained on real rows: {number(trtr.value, digits=metric.digits)}"
        marks = (*whisker("trtr", trtr, scale), *whisker("tstr", tstr, scale))
        found.append(_key(f"{metric.title} on real rows", tstr, metric, beside or metric.direction, marks))
    if loss is not None:
        found.append(_key_loss(reading, metric, loss))
    if worst is not None:
        group, figure = worst
        found.append(
            _key(
                "Weakest group",
                figure,
                metric,
                f"{label(str(group.name), cut=44)} · {rows_text(group.rows, group.events)}",
                whisker("tstr", figure, scale),
            )
        )
    return tuple(found)


def _key(title: str, figure: Estimate, metric: MetricTerm, note: str, marks: tuple[Whisker, ...]) -> KeyFigure:
    value = number(figure.value, digits=metric.digits) if figure.value is not None else "insufficient"
    return KeyFigure(title, value, interval(figure, digits=metric.digits), note, marks)


def _key_loss(reading: Reading, metric: MetricTerm, loss: Estimate) -> KeyFigure:
    margin = reading.margin
    scale = scale_for([loss], include=[0.0] if margin is None else [0.0, margin])
    words = {
        "within": f"within the margin of {margin_text(margin)}",
        "beyond": f"beyond the margin of {margin_text(margin)}",
        "open": f"margin of {margin_text(margin)} lies inside the interval",
        "unknown": "positive: synthetic-trained is worse",
    }
    plain = _key("Loss against real rows", loss, metric, words[standing(loss, margin)], whisker("loss", loss, scale))
    zero = "" if scale is None else f"{scale.at(0.0):.2f}"
    at_margin = "" if scale is None or margin is None else f"{scale.at(margin):.2f}"
    return KeyFigure(plain.title, plain.value, plain.bounds, plain.note, plain.whiskers, zero, at_margin)


def decision_name(reading: Reading, decision: Decision) -> str:
    """`auroc-loss, for sex: F`."""
    name = prose(decision.id, cut=80)
    if not decision.of or decision.of in ("all", "each", "groups"):
        return name
    return f"{name}, for {reading.group_title(decision.of, cut=60)}"


def decision_lines(reading: Reading, decisions: Iterable[Decision]) -> list[str]:
    """Decisions in words, those of one criterion in one line."""
    by_id: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        by_id.setdefault((decision.id, decision.required), []).append(decision)
    return [_criterion_line(reading, each) for each in by_id.values()]


def decided_for(reading: Reading, decisions: Iterable[Decision], *, most: int) -> str:
    """Whom decisions are about: `everyone, sex: F and 3 more`; empty for what is about no figure."""
    return listed([_of(reading, d) for d in decisions if d.figure], most=most)


def _criterion_line(reading: Reading, decisions: list[Decision]) -> str:
    first = decisions[0]
    required = prose(first.required, cut=160)
    if not first.figure:
        required = required if "." in required.split(" ")[0] else _capital(required, "")
        return f"Required: {required}. Found: {prose(first.found, cut=200)}."
    empty = [d for d in decisions if reading.lacks_figure(d)]
    told = [d for d in decisions if not reading.lacks_figure(d)]
    parts = [f"{_of(reading, d)} found {prose(d.found, cut=120)}{_would_decide(d)}" for d in told[:_MOST_TOLD]]
    if len(told) > _MOST_TOLD:
        parts.append(f"{len(told) - _MOST_TOLD} more")
    if empty:
        whom = listed([_of(reading, d) for d in empty], most=_MOST_TOLD)
        found = empty[0].found if len({d.found for d in empty}) == 1 else "no figure"
        parts.append(prose(found, cut=120) + ("" if whom == "everyone" else f" for {whom}"))
    return f"{prose(first.id, cut=80)}, required {required}: {'; '.join(parts)}."


def _of(reading: Reading, decision: Decision) -> str:
    return "everyone" if decision.of in ("", "all", "each", "groups") else reading.group_title(decision.of, cut=60).shown


def _would_decide(decision: Decision) -> str:
    return "" if decision.n_required is None else f", about {decision.n_required:,} rows would decide it"


def _missing(reading: Reading, verdict: Verdict | None) -> tuple[str, ...]:
    lines = [] if verdict is None else decision_lines(reading, verdict.open)
    withheld = [str(label(str(group.name), cut=40)) for group in reading.withheld_groups]
    if withheld:
        lines.append(f"No figures for {listed(withheld, most=5)}: too few rows or events, or withheld to protect a small group.")
    kinds = [KIND_TITLES[kind] for kind in reading.unmeasured_kinds]
    if kinds:
        lines.append(f"Not measured in this evidence: {listed(kinds)}.")
    # what could not be shown of a column stands above by name
    notes = [note for note in reading.dossier.notes if not (withheld and _TOO_SMALL in note)]
    lines.extend(_capital(prose(note, cut=300)) for note in notes)
    return tuple(dict.fromkeys(lines))


def _capital(text: str, stop: str = ".") -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else stop)
