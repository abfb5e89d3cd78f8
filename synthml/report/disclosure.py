"""The chapter on disclosure: one plain answer to each question a privacy officer asks, then the figures behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.estimate import Estimate
from synthml.figures import unescape_label
from synthml.report.charts import Cell, Column, Section, Sheet, reference, scale_for, whisker
from synthml.report.wording import count, interval, label, listed, number, plural, prose, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synthml.policy.verdict import Verdict
    from synthml.report.reading import Reading

__all__ = ["ATTACKS", "Asked", "asked", "attack_sheet", "disclosure_folds", "disclosure_line", "distance_sheet", "is_measured"]

ATTACKS = ("singling_out", "linkability", "inference")
DISTANCES = ("distance_share", "nearest_share", "nndr")
_NAMES = {
    "singling_out": "Singling out",
    "linkability": "Linkability",
    "inference": "Inference",
    "membership": "Membership",
    "copies": "Copies",
    "near_copies": "Near copies",
    "distances": "Distances",
    "distance_share": "Distance share",
    "nearest_share": "Nearest share",
    "nndr": "Nearest over second nearest",
    "attribution": "Attribution",
    "cap": "Attribution (CAP)",
    "tcap": "Attribution (targeted CAP)",
    "disco": "DiSCO",
    "replicated_uniques": "Replicated uniques",
    "split_half": "Halves of the source",
}
_AT_MOST = re.compile(r"at most (-?[0-9.]+)")
# figure of a question, what it is without a leak, and how much more is worth a word
_OTHERS = {
    "membership": ("membership.auroc", 0.5),
    "copies": ("copies.excess", 0.0),
    "distances": ("nearest_share", 0.5),
    "attribution": ("cap.excess", 0.0),
}


@dataclass(frozen=True)
class Asked:
    """One question. tone: a chip's class; word: the chip; answer, knows, tries: sentences."""

    question: str
    tone: str
    word: str
    answer: str
    knows: str
    tries: str


def is_measured(reading: Reading) -> bool:
    """Whether the evidence has any figure of disclosure."""
    return any(name.startswith("disclosure.") for name in reading.by_name)


def asked(reading: Reading, verdict: Verdict | None) -> tuple[Asked, ...]:
    """The questions in the order in which they were measured."""
    found = []
    for row in reading.table("threat_models"):
        attack = str(row.get("attack"))
        if attack == "split_half":
            continue
        tone, word, answer = _answer(reading, attack, verdict)
        found.append(
            Asked(
                prose(row.get("question"), cut=160),
                tone,
                word,
                answer,
                prose(row.get("knows"), cut=240),
                prose(row.get("tries"), cut=240),
            )
        )
    return tuple(found)


def _answer(reading: Reading, attack: str, verdict: Verdict | None) -> tuple[str, str, str]:
    name, null = (f"disclosure.{attack}.risk", 0.0) if attack in ATTACKS else _OTHERS.get(attack, ("", 0.0))
    name = name if name.startswith("disclosure.") else f"disclosure.{name}"
    figures = reading.by_name.get(name, {})
    if not figures:
        return "open", "Not measured", "This was not measured."
    of, worst = max(figures.items(), key=lambda pair: (pair[1].value is None, pair[1].high or pair[1].value or 0.0))
    whom = f" about {label(unescape_label(of), cut=40)}" if of != "all" else ""
    if worst.value is None or worst.status == "inconclusive":
        word = "Inconclusive" if worst.status == "inconclusive" else "Insufficient"
        return "open", word, f"It cannot be told{whom}: {prose(worst.reason or 'no figure', cut=240)}."
    limit = _threshold(verdict, name)
    told = _sentence(attack, worst, whom)
    low, high = worst.low if worst.low is not None else worst.value, worst.high if worst.high is not None else worst.value
    if limit is not None and low > limit:
        return "problem", "Beyond the limit", f"{told} Even the lower end lies beyond the policy's {limit:g}."
    if low > null:
        word = "Found, within the limit" if limit is not None and high <= limit else "Found"
        return (
            ("partly" if limit is not None and high <= limit else "problem"),
            word,
            f"{told} That is more than chance explains.",
        )
    if limit is not None and high > limit:
        return "open", "Undecided", f"{told} The policy's {limit:g} lies inside the interval: more patients would decide."
    quiet = "Nothing beyond chance was found" if attack != "distances" else "Nothing was found, which proves nothing"
    return "answered", "Not found", f"{told} {quiet}."


def _sentence(attack: str, figure: Estimate, whom: str) -> str:
    value = spoken(figure)
    return {
        "membership": f"Members are told from strangers with an AUROC of {value}; 0.5 is chance.",
        "copies": f"Copies of source rows exceed those of strangers' rows by {value}.",
        "distances": f"A share of {value} of synthetic rows lies nearer to the source than to strangers; a half is chance.",
        "attribution": f"Guesses{whom} are right more often than for strangers by {value}.",
    }.get(attack, f"The risk{whom} over what strangers face is {value}.")


def _threshold(verdict: Verdict | None, figure: str) -> float | None:
    """What the policy allows at most, when a criterion reads this figure."""
    for decision in verdict.decisions if verdict is not None else ():
        match = _AT_MOST.search(decision.required)
        if decision.figure == figure and match:
            return float(match.group(1).rstrip("."))
    return None


def attack_sheet(reading: Reading, verdict: Verdict | None) -> Sheet | None:
    """The attacks that decide: main, control and guess, the risk drawn against the policy's threshold, and the worst group."""
    rows = [row for row in reading.table("disclosure_attacks") if row.get("decisive")]
    if not rows:
        return None
    risks = [_of_row(row, "risk") for row in rows]
    limit = next((t for t in (_threshold(verdict, f"disclosure.{a}.risk") for a in ATTACKS) if t is not None), None)
    scale = scale_for(risks, include=[0.0] if limit is None else [0.0, limit])
    columns = (
        Column("Attack", "label"),
        Column(
            "Risk",
            "plot",
            "right: more",
            scale=scale,
            references=(*reference("zero", 0.0, scale), *reference("margin", limit, scale)),
        ),
        Column("Risk", "number", "over the control", mark="loss"),
        Column("Source", "number", "attack succeeds"),
        Column("Strangers", "number", "the same attack"),
        Column("Guess", "number", "without the table"),
        Column("Worst group", "text", "bounds for all groups"),
    )
    cells = tuple(_attack_row(reading, row, risk, scale) for row, risk in zip(rows, risks, strict=True))
    caption = "Attacks on the source's people beside the same attacks on strangers."
    return Sheet("attacks", caption, columns, (Section("", cells),))


def _attack_row(reading: Reading, row: Mapping[str, Any], risk: Estimate, scale: Any) -> tuple[Cell, ...]:
    name = _NAMES.get(str(row.get("attack")), str(row.get("attack")))
    of = "" if row.get("of") == "all" else f" of {label(row.get('of'), cut=40)}"
    people = f"{count(row.get('n_main'))} attacked; {prose(row.get('mode'), cut=80)}"
    told = number(risk.value) if risk.value is not None else str(row.get("status") or "insufficient")
    bounds = interval(risk) if risk.value is not None else ""
    return (
        Cell(f"{name}{of}", people),
        Cell(whiskers=whisker("loss", risk, scale)),
        Cell(told, bounds if row.get("status") == "ok" else prose(row.get("reason") or bounds, cut=160)),
        Cell(number(row.get("main"))),
        Cell(number(row.get("control"))),
        Cell(number(row.get("baseline"))),
        _worst(reading, row),
    )


def _worst(reading: Reading, row: Mapping[str, Any]) -> Cell:
    for group in reading.table("disclosure_groups"):
        if group.get("worst") and group.get("attack") == row.get("attack") and group.get("of") == row.get("of"):
            figure = _of_row(group, "risk", "low", "high")
            name = label(f"{group.get('column')}: {group.get('group')}", cut=48)
            return Cell(name.shown, spoken(figure), name.full)
    return Cell("—", tone="absent")


def _of_row(row: Mapping[str, Any], value: str, low: str = "", high: str = "") -> Estimate:
    """A figure out of a table's row; insufficient where it has no value."""
    if row.get(value) is None:
        return Estimate.insufficient(str(row.get("reason") or "not measured"))
    return Estimate(
        row[value], row.get(low or f"{value}_low"), row.get(high or f"{value}_high"), row.get("n_main") or row.get("n")
    )


def distance_sheet(reading: Reading) -> Sheet | None:
    """Membership, copies, distances and attribution: each with its interval and what it is without a leak."""
    asked_for = (
        ("membership.auroc", "0.5", "AUROC of the strongest score"),
        ("membership.tpr_at_fpr_10", "0.1", "members found at 10% false alarms"),
        ("membership.tpr_at_fpr_1", "0.01", "members found at 1% false alarms"),
        ("membership.auroc.exposed", "0.5", "AUROC for the most exposed hundredth"),
        ("membership.epsilon_bound", "0", "epsilon is at least this"),
        ("copies.excess", "0", "exact copies beyond those of strangers"),
        ("near_copies.excess", "0", "near copies beyond those of strangers"),
        ("cap.excess", "0", "right guesses beyond those for strangers"),
        ("tcap.excess", "0", "the same where the table is of one mind"),
        ("replicated_uniques", "—", "unique people whose keys stand once in the table"),
        ("disco", "—", "people whose keys lead to one secret, the right one"),
        ("distance_share", "—", "may fail, never pass"),
        ("nearest_share", "0.5", "may fail, never pass"),
        ("nndr", "0", "may fail, never pass"),
    )
    rows = []
    for name, null, meaning in asked_for:
        for of, figure in reading.by_name.get(f"disclosure.{name}", {}).items():
            title = _NAMES.get(name.partition(".")[0], name) + ("" if of == "all" else f" of {label(unescape_label(of), cut=40)}")
            value = number(figure.value) if figure.value is not None else figure.status
            note = interval(figure) if figure.value is not None else prose(figure.reason or "", cut=160)
            beyond = reading.figure(f"disclosure.{'copies.share' if name == 'copies.excess' else name}.beyond", of)
            rows.append((Cell(title, meaning), Cell(value, note), Cell(null), Cell(_beyond(beyond))))
    if not rows:
        return None
    columns = (
        Column("Figure", "label"),
        Column("Value", "number"),
        Column("Without a leak", "number"),
        Column("Beyond 95 of 100 halves", "number", "of the source"),
    )
    return Sheet(
        "membership-and-distances", "Membership, copies, attribution and distances.", columns, (Section("", tuple(rows)),)
    )


def _beyond(figure: Estimate | None) -> str:
    if figure is None or figure.value is None:
        return "—"
    return f"yes, by {number(figure.value)}" if figure.value > 0 else "no"


def disclosure_folds(reading: Reading) -> tuple[tuple[str, Sheet], ...]:
    """Everything else, for whoever wants to check: all modes, groups, power, scores, thresholds."""
    asked_for: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
        (
            "disclosure_attacks",
            "Every mode of every attack",
            "attack",
            (("of", "About"), ("mode", "Mode"), ("risk", "Risk"), ("risk_low", "Low"), ("risk_high", "High"), ("main", "Source"),
             ("control", "Strangers"), ("baseline", "Guess"), ("difference", "Difference"), ("status", "Status")),
        ),
        (
            "disclosure_groups",
            "Every sensitive group",
            "attack",
            (("of", "About"), ("column", "Column"), ("group", "Group"), ("n", "Attacked"), ("risk", "Risk"), ("low", "Low"),
             ("high", "High"), ("reason", "Why not shown")),
        ),
        (
            "disclosure_power",
            "Whether quiet attacks find planted rows",
            "attack",
            (("of", "About"), ("planted_share", "Planted"), ("found", "Found"), ("risk", "Risk"), ("low", "Low"),
             ("high", "High")),
        ),
        (
            "membership_scores",
            "Scores of membership",
            "score",
            (("who", "Who"), ("auroc", "AUROC"), ("low", "Low"), ("high", "High"), ("tpr_at_fpr_1", "At 1%"),
             ("tpr_at_fpr_10", "At 10%"), ("chosen", "Chosen")),
        ),
        (
            "disclosure_thresholds",
            "What halves of the source look like to each other",
            "figure",
            (("of", "About"), ("value", "Synthetic table"), ("threshold", "95 of 100 halves"), ("repeats", "Repeats"),
             ("half_rows", "Rows of a half")),
        ),
        (
            "disclosure_cap",
            "Attribution of secrets",
            "secret",
            (("cap", "CAP"), ("cap_control", "CAP, strangers"), ("baseline", "Guess"), ("tcap", "Targeted"),
             ("tcap_control", "Targeted, strangers"), ("key_groups", "Large key groups"), ("key_groups_above_070", "Above 0.7")),
        ),
    )  # fmt: skip
    found = []
    for table, title, first, columns in asked_for:
        rows = reading.table(table)
        if rows:
            heads = (Column("", "label"), *(Column(head, "text" if key in _WORDS else "number") for key, head in columns))
            cells = tuple(_cells(row, first, [key for key, _ in columns]) for row in rows)
            found.append(
                (
                    f"{title}, {plural(len(rows), 'row')}",
                    Sheet(table.replace("_", "-"), f"{title}.", heads, (Section("", cells),)),
                )
            )
    return tuple(found)


_WORDS = ("of", "mode", "status", "column", "group", "reason", "who", "found", "chosen")


def _cells(row: Mapping[str, Any], first: str, keys: Iterable[str]) -> tuple[Cell, ...]:
    name = str(row.get(first) or "")
    return (Cell(_NAMES.get(name, prose(name, cut=80))), *(Cell(_plain(row.get(key))) for key in keys))


def _plain(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    return number(value) if isinstance(value, float) else prose(value, cut=120)


def disclosure_line(reading: Reading, verdict: Verdict | None) -> str:
    """One sentence for the first screen."""
    questions = asked(reading, verdict)
    if not questions:
        return ""
    by_tone: dict[str, list[str]] = {}
    for row, each in zip([r for r in reading.table("threat_models") if r.get("attack") != "split_half"], questions, strict=True):
        by_tone.setdefault(each.tone, []).append(_NAMES.get(str(row.get("attack")), "").lower())
    words = {
        "problem": "found more than chance explains by",
        "partly": "found, within the policy's limit, by",
        "open": "not decided for",
        "answered": "nothing found by",
    }
    parts = [f"{words[tone]} {listed(by_tone[tone])}" for tone in words if tone in by_tone]
    return f"Attacked as an intruder would: {'; '.join(parts)}."
