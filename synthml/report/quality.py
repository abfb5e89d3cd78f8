"""The chapter on the quality of tables and labels: what is wrong, worst first, then the figures.

Of many groups one is above zero by luck, so a group is named only when its interval stays above zero after widening it over all
of them (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from synthml.figures import ALL
from synthml.report.quality_sheets import (
    ROLES,
    as_float,
    duplicate_sheet,
    feature_sheet,
    missing_sheet,
    noise_sheet,
    plausibility_sheet,
    quality_folds,
    row_figure,
)
from synthml.report.wording import group_label, interval, label, listed, number, plural, prose, spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.estimate import Estimate
    from synthml.report.charts import Sheet
    from synthml.report.reading import Reading

__all__ = ["Found", "QualityChapter", "clearly_above", "largest_excess", "quality_chapter"]

_EXCESS, _NOISE = "quality.label_disagreement.excess", "quality.label_noise.source"
_MUCH = 0.05
_MOST_NAMED = 4
_CHANCE = 1.25  # what chance gives is itself an estimate: a quarter more is not yet told
_ORDER = {"problem": 0, "partly": 1, "answered": 2, "open": 3}


@dataclass(frozen=True)
class Found:
    """One finding. tone: a chip's class; word: the chip; text: a sentence. size: what findings of one kind are sorted by."""

    tone: str
    word: str
    text: str
    size: float = 0.0


@dataclass(frozen=True)
class QualityChapter:
    """What the chapter shows. lead: the answer in a sentence; folds: (title, sheet)."""

    lead: str
    found: tuple[Found, ...]
    plausibility: Sheet | None
    noise: Sheet | None
    everyone_noise: str
    features: Sheet | None
    duplicates: Sheet | None
    missing: Sheet | None
    folds: tuple[tuple[str, Sheet], ...]


def quality_chapter(reading: Reading) -> QualityChapter | None:
    """The chapter; None when nothing of it was measured."""
    if not reading.family("quality"):
        return None
    parts = (_telling, _plausible, _noisy, _repeated, _lacking, _small)  # what harms most comes first
    looked = [(place, found) for place, part in enumerate(parts) for found in part(reading)]
    looked.sort(key=lambda pair: (_ORDER[pair[1].tone], pair[0], -pair[1].size, pair[1].text))
    found = [each for _, each in looked]
    return QualityChapter(
        _lead(found),
        tuple(found),
        plausibility_sheet(reading),
        noise_sheet(reading),
        _everyone(reading),
        feature_sheet(reading, suspect=True),
        duplicate_sheet(reading),
        missing_sheet(reading),
        quality_folds(reading),
    )


def _lead(found: list[Found]) -> str:
    problems, smaller = (sum(f.tone == tone for f in found) for tone in ("problem", "partly"))
    if not problems and not smaller:
        return "Nothing was found wrong with the tables and their labels, as far as they can tell."
    told = [plural(problems, "problem")] if problems else []
    told += [plural(smaller, "smaller finding")] if smaller else []
    return f"{listed(told).capitalize()}, the worst first."


def clearly_above(figure: Estimate, among: int, confidence: float) -> bool:
    """Whether a figure lies above zero even as the largest of so many."""
    if not figure.ok or figure.value is None or figure.low is None:
        return False
    normal = NormalDist()
    wider = normal.inv_cdf(1 - (1 - confidence) / (2 * max(among, 1))) / normal.inv_cdf((1 + confidence) / 2)
    return figure.value - wider * (figure.value - figure.low) > 0


def _clear(reading: Reading, name: str) -> list[tuple[str, Estimate]]:
    """Groups whose figure clearly lies above zero, the largest first."""
    told = {of: f for of, f in reading.by_name.get(name, {}).items() if of != ALL and f.ok}
    found = [(of, f) for of, f in told.items() if clearly_above(f, len(told), reading.confidence)]
    return sorted(found, key=lambda pair: (-(pair[1].value or 0.0), pair[0]))


def largest_excess(reading: Reading) -> tuple[str, Estimate] | None:
    """The group (or `all`, when there is none) whose synthetic labels are the least plausible."""
    figures = {of: f for of, f in reading.by_name.get(_EXCESS, {}).items() if f.ok and f.value is not None}
    groups = {of: f for of, f in figures.items() if of != ALL} or figures
    if not groups:
        return None
    return max(groups.items(), key=lambda pair: (pair[1].low if pair[1].low is not None else -1.0, pair[0]))


def _named(clear: list[tuple[str, Estimate]]) -> str:
    return listed([f"{group_label(of, cut=48)} by {spoken(f)}" for of, f in clear], most=_MOST_NAMED)


def _plausible(reading: Reading) -> list[Found]:
    overall = reading.figure(_EXCESS)
    if overall is None:
        return [Found("open", "Not measured", "Label plausibility needs a source and a synthetic table.")]
    out = []
    clear = _clear(reading, _EXCESS)
    if clear:
        worst = clear[0][1].value or 0.0
        text = (
            f"Synthetic labels are less plausible than real ones in {_named(clear)} (chance that a model of real rows would give "
            "another label, beyond that chance on real rows)."
        )
        out.append(Found("problem" if worst >= _MUCH else "partly", "Implausible labels", text, worst))
    elif overall.low is not None and overall.low > 0:
        text = f"Over all rows synthetic labels are less plausible than real ones by {spoken(overall)}; no group stands out."
        out.append(
            Found("problem" if (overall.value or 0) >= _MUCH else "partly", "Implausible labels", text, overall.value or 0)
        )
    elif overall.ok:
        groups = sum(f.ok for of, f in reading.by_name.get(_EXCESS, {}).items() if of != ALL)
        in_groups = f", in none of {plural(groups, 'group')}" if groups else ""
        out.append(
            Found(
                "answered",
                "Labels plausible",
                f"Synthetic labels are no less plausible than real ones{in_groups}; over all rows by {spoken(overall)}.",
            )
        )
    else:
        out.append(Found("open", "Not decided", f"Label plausibility cannot be told: {prose(overall.reason or '', cut=160)}."))
    if overall.high is not None and overall.high < -_MUCH:
        text = (
            f"Synthetic labels follow the features more closely than real ones do ({spoken(overall)}): outcomes look more "
            "certain than they are."
        )
        out.append(Found("partly", "Too tidy", text, -(overall.value or 0)))
    return out


def _noisy(reading: Reading) -> list[Found]:
    figures = reading.by_name.get(_NOISE, {})
    if not figures:
        return []
    clear = _clear(reading, _NOISE)
    if clear:
        worst = clear[0][1].value or 0.0
        if reading.task == "regression":
            text = f"In the source outlying numbers are more frequent than elsewhere in {_named(clear)}."
        else:
            text = (
                f"In the source labels contradict the features where these leave no doubt, in {_named(clear)} (share of wrong "
                "labels)."
            )
        return [Found("problem" if worst >= _MUCH else "partly", "Doubtful labels", text, worst)]
    told = [f.ok for of, f in figures.items() if of != ALL]
    if not any(told):
        return []
    open_ = f" {plural(len(told) - sum(told), 'group')} could not be told." if not all(told) else ""
    text = (
        f"In none of {plural(sum(told), 'group')} do the source's labels contradict the features more often than everybody "
        f"else's lead to expect.{open_}"
    )
    return [Found("answered", "No group stands out", text)]


def _telling(reading: Reading) -> list[Found]:
    rows = reading.table("quality_features")
    if not rows:
        return []
    out = []
    telling = [row for row in rows if _gives_away(row)]
    for row in telling[:_MOST_NAMED]:
        by_missing = row.get("missing_alone") if "missing" in str(row.get("verdict")) else row.get("alone")
        measure = "an explained variance of" if reading.task == "regression" else "an AUROC of"
        text = (
            f"“{label(row.get('column'), cut=48)}” {_telling_words(row)}: alone it reaches {measure} "
            f"{number(as_float(by_missing))}. Was it known before the outcome?"
        )
        out.append(Found("problem", "Gives the target away", text, as_float(by_missing) or 1.0))
    if len(telling) > _MOST_NAMED:
        out.append(Found("problem", "Gives the target away", f"So do {len(telling) - _MOST_NAMED} further features."))
    constant = [row for row in rows if "constant" in str(row.get("verdict"))]
    if constant:
        names = listed([f"“{label(row.get('column'), cut=40)}”" for row in constant], most=_MOST_NAMED)
        are = "is constant or nearly so" if len(constant) == 1 else "are constant or nearly so"
        out.append(Found("partly", "Empty of information", f"{names} {are}: nothing can be learned from it."))
    if not telling:
        out.append(
            Found("answered", "No feature tells", f"None of {plural(len(rows), 'feature')} gives the target away by itself.")
        )
    return out


def _gives_away(row: Mapping[str, Any]) -> bool:
    return str(row.get("verdict")) not in ("", "None", "constant", "nearly constant")


def _telling_words(row: Mapping[str, Any]) -> str:
    return {
        "missing values give the target away": "gives the target away by being missing or not",
        "equals the target up to names": "is the target under other names",
    }.get(str(row.get("verdict")), "gives the target away")


def _repeated(reading: Reading) -> list[Found]:
    rows = reading.table("quality_duplicates")
    out, quiet = [], []
    for row in rows:
        role = str(row.get("role"))
        share, chance = as_float(row.get("between_subjects")) or 0.0, as_float(row.get("by_chance")) or 0.0
        figure = reading.figure(f"quality.duplicates.{role}")
        within = as_float(row.get("within_subject")) or 0.0
        low = 0.0 if figure is None or figure.low is None else figure.low - within
        if share > 0 and low > _CHANCE * chance:
            text = (
                f"{_percent(share)} of the rows of the {ROLES.get(role, role)} repeat an earlier row; coarse columns explain "
                f"{_percent(chance)}."
            )
            out.append(Found("problem" if share - chance >= 0.01 else "partly", "Repeated rows", text, share - chance))
        else:
            quiet.append(ROLES.get(role, role))
    if quiet and not out:
        text = f"No more rows of {listed(quiet)} repeat an earlier one than chance explains."
        out.append(Found("answered", "No repeated rows", text))
    return out


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share >= 0.0005 or share == 0 else "less than 0.1%"


def _lacking(reading: Reading) -> list[Found]:
    """Missing values that depend on group or outcome: of the source, else of the first table where they do."""
    by_group = [_missing_by_group(reading, role) for role in ROLES]
    by_outcome = [_missing_by_outcome(reading, role) for role in ROLES if role != "synthetic"]
    return [found for each in (by_group, by_outcome) if (found := next(filter(None, each), None)) is not None]


def _missing_rows(reading: Reading, role: str, what: str) -> list[Mapping[str, Any]]:
    rows = reading.table("quality_missingness")
    return [row for row in rows if row.get("role") == role and row.get("what") == what and row.get("low") is not None]


def _missing_by_group(reading: Reading, role: str) -> Found | None:
    clear = [row for row in _missing_rows(reading, role, "by group") if row["low"] > 0]
    if not clear:
        return None
    # a single column says more plainly than an intersection what differs
    worst = min(clear, key=lambda row: ("," in str(row.get("sensitive")), -row["value"], str(row.get("column"))))
    more = f" So in {plural(len(clear) - 1, 'further comparison')}." if len(clear) > 1 else ""
    column, sensitive, most, least = (label(worst.get(key), cut=40) for key in ("column", "sensitive", "most", "least"))
    text = (
        f"In the {ROLES[role]} “{column}” is missing more often for {sensitive} {most} than {least}, by "
        f"{number(worst['value'])} ({interval(row_figure(worst))}).{more}"
    )
    return Found("problem" if worst["value"] >= 2 * _MUCH else "partly", "Missing unevenly", text, worst["value"])


def _missing_by_outcome(reading: Reading, role: str) -> Found | None:
    clear = [row for row in _missing_rows(reading, role, "by outcome") if row["low"] > 0 or row["high"] < 0]
    if not clear:
        return None
    worst = min(clear, key=lambda row: (-abs(row["value"]), str(row.get("column"))))
    text = (
        f"In the {ROLES[role]} whether “{label(worst.get('column'), cut=40)}” is missing depends on the outcome: the shares "
        f"differ by {number(abs(worst['value']))}."
    )
    return Found("partly", "Missing by outcome", text, abs(worst["value"]))


def _small(reading: Reading) -> list[Found]:
    rows = [row for row in reading.table("quality_groups") if row.get("role") == "source"]
    small = [row for row in rows if row.get("reason")]
    if not small:
        return []
    columns = listed(dict.fromkeys(label(row.get("column"), cut=40).shown for row in small), most=_MOST_NAMED)
    text = (
        f"{len(small)} of {plural(len(rows), 'group')} ({columns}) cannot be measured with this source: too small, or withheld "
        "to protect one that is."
    )
    return [Found("partly", "Too small to measure", text)]


def _everyone(reading: Reading) -> str:
    """What can be said of all labels together."""
    figure = reading.figure(_NOISE)
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return (
        f"Over all rows between {_percent(figure.low)} and {_percent(figure.high)} of the labels can be wrong: the lower end is "
        "what the worst group shows, the upper end what the rows allow that the model is surest of. Errors that fall on "
        "everybody alike cannot be told from chance by one table."
    )
