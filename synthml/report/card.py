"""The reviewer's card: Markdown of at most 5,000 characters, because it is the description of a model version.

The most important stands first. Every section has lines that must fit or the section is left out, and rows that are added while
there is room, so a table is never cut in the middle: it ends with how many rows it leaves to the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthml.errors import InputError
from synthml.report.disclosure import disclosure_line, is_measured
from synthml.report.lines import chapter_lines
from synthml.report.markdown import digest_text, markdown_text
from synthml.report.performance import STANDING_WORDS
from synthml.report.reading import Reading, standing
from synthml.report.summary import decided_on, decision_lines, summarise
from synthml.report.terms import PROTOCOLS, metric_term
from synthml.report.wording import column_title, count, label, number, plural, spoken

if TYPE_CHECKING:
    from synthml.estimate import Estimate
    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict
    from synthml.report.terms import MetricTerm

__all__ = ["LIMIT", "reviewer_card"]

LIMIT = 5000
_LEAST_LIMIT = 1000
_SHORT = 44
_TOLD_DISPARITIES = ("auroc", "macro_auroc", "r2", "equalized_odds", "selection_rate", "ppv")


@dataclass
class _Part:
    """A section: head lines that must fit, then rows that may; `more` says what was left out.

    rank: who gets room first. least: rows without which the section is left out. wanted: rows before others get more than theirs.
    """

    head: list[str]
    rows: list[str] = field(default_factory=list)
    more: str = ""
    rank: int = 0
    least: int = 0
    wanted: int = 0
    shown: int = 0

    def text(self) -> str:
        """The section as it stands now."""
        left = len(self.rows) - self.shown
        lines = [*self.head, *self.rows[: self.shown]]
        if left and self.more:
            lines += ["", self.more.format(n=f"{left:,}")]
        return "\n".join(lines) + "\n"


def reviewer_card(dossier: Dossier, verdict: Verdict | None = None, *, limit: int = LIMIT) -> str:
    """The card as Markdown of at most `limit` characters (5,000: what a model version's description holds everywhere).

    Raises InputError when `limit` is below 1,000: not even the verdict and the headline would fit.
    """
    if limit < _LEAST_LIMIT:
        raise InputError(f"a reviewer's card needs room for {_LEAST_LIMIT:,} characters, got a limit of {limit:,}")
    reading = Reading(dossier)
    parts = [
        part
        for part in (
            _opening(reading, verdict),
            _headline(reading),
            _lines("What stands against it", [] if verdict is None else decision_lines(reading, verdict.failed)),
            _groups(reading),
            _lines("Not decided", [] if verdict is None else decision_lines(reading, verdict.open)),
            _lines("What synthesis did", list(chapter_lines(reading))),
            _lines("What the table gives away", [disclosure_line(reading, verdict)] if is_measured(reading) else []),
            _missing(reading),
            _tables(reading),
            _errors(reading),
            _disparities(reading),
            _generation(reading),
            _closing(reading, verdict),
        )
        if part is not None
    ]
    return _fitted(parts, limit)


def _fitted(parts: list[_Part], limit: int) -> str:
    """Sections by rank as long as they fit with their least rows; then the rows that each wants; then all rows that fit."""
    ranked = sorted(parts, key=lambda part: part.rank)
    kept: list[_Part] = []
    for part in ranked:
        part.shown = min(part.least, len(part.rows))
        if _size([*kept, part]) <= limit:
            kept.append(part)
    for most in (lambda part: min(part.wanted, len(part.rows)), lambda part: len(part.rows)):
        for part in kept:
            while part.shown < most(part):
                part.shown += 1
                if _size(kept) > limit:
                    part.shown -= 1
                    break
    return _joined([part for part in parts if part in kept])


def _joined(parts: list[_Part]) -> str:
    return "\n".join(part.text() for part in parts)


def _size(parts: list[_Part]) -> int:
    return len(_joined(parts))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(*heads: str) -> list[str]:
    return [_row(*heads), _row(*("---" for _ in heads))]


def _opening(reading: Reading, verdict: Verdict | None) -> _Part:
    summary = summarise(reading, verdict)
    under = "" if verdict is None else f" · {markdown_text(verdict.policy, cut=40)} · decided {decided_on(verdict)}"
    lines = [f"**{summary.word.upper()}**{under}", ""]
    if verdict is not None:
        lines += [f"{summary.verdict_line.split(': ', 1)[-1].capitalize()}", ""]
    return _Part([*lines, markdown_text(summary.answer, cut=400)], rank=0)


def _headline(reading: Reading) -> _Part | None:
    metric = reading.headline
    if metric is None:
        return None
    rows = []
    for p in PROTOCOLS:
        figure = reading.utility(metric.name, p.key)
        if figure is not None and p.key in ("tstr", "trtr", "trivial"):
            rows.append(_row(f"{p.plain} ({p.short})", _number(figure, metric), _bounds(figure, metric)))
    loss = reading.utility(metric.name, "loss")
    if loss is not None:
        place = STANDING_WORDS[standing(loss, reading.margin)]
        rows.insert(
            2,
            _row(
                "**Loss** (positive: worse)",
                f"**{_number(loss, metric)}**",
                _bounds(loss, metric) + (f", {place}" if place else ""),
            ),
        )
    on = f" on {reading.holdout_rows:,} real rows" if reading.holdout_rows else ""
    head = [f"### {metric.title}{on}", "", *_table("", metric.title, f"{reading.confidence_text} interval")]
    return _Part(head, rows, rank=1, least=len(rows))


def _number(figure: Estimate, metric: MetricTerm) -> str:
    return figure.status if figure.value is None else number(figure.value, digits=metric.digits)


def _bounds(figure: Estimate, metric: MetricTerm) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{number(figure.low, digits=metric.digits)} to {number(figure.high, digits=metric.digits)}"


def _lines(title: str, lines: list[str]) -> _Part | None:
    if not lines:
        return None
    rows = [f"- {markdown_text(text, cut=260)}" for text in lines]
    return _Part([f"### {title}", ""], rows, "and {n} more in the report", rank=4, least=1, wanted=8)


def _groups(reading: Reading) -> _Part | None:
    metric = reading.headline
    if metric is None or not reading.groups:
        return None
    losses = {group.of: loss for group, loss in reading.losses(metric.name)}
    order = {of: place for place, of in enumerate(losses)}
    ranked = sorted(reading.weakest_first(metric), key=lambda group: order.get(group.of, len(order)))
    events = any(group.events is not None for group in ranked)
    rows = []
    for group in ranked:
        loss = losses.get(group.of)
        tstr = reading.utility(metric.name, "tstr", group.of)
        told = "" if loss is None else spoken(loss, digits=metric.digits)
        place = STANDING_WORDS[standing(loss, reading.margin)]
        rows.append(
            _row(
                markdown_text(reading.group_title(group.of, cut=_SHORT)),
                count(group.rows) + (f" / {count(group.events)}" if events else ""),
                spoken(tstr, digits=metric.digits),
                f"{told}, {place}" if told and place else told,
            )
        )
    withheld = len(reading.withheld_groups)
    head = [f"### Patient groups, {'largest possible loss' if losses else 'weakest'} first", ""]
    if withheld:
        head += [f"{plural(withheld, 'group is', 'groups are')} too small to show, or withheld to protect a small one.", ""]
    if rows:
        head += _table("Group", "Rows / events" if events else "Rows", f"{metric.title}, trained on synthetic", "Loss")
    return _Part(head, rows, "and {n} more groups in the report", rank=5, least=3, wanted=12)


def _missing(reading: Reading) -> _Part | None:
    lines = [f"- {markdown_text(text, cut=220)}" for text in summarise(reading, None).missing]
    return _Part(["### Missing", ""], lines, "and {n} more in the report", rank=6, least=1, wanted=6) if lines else None


def _tables(reading: Reading) -> _Part | None:
    datasets = reading.dossier.datasets
    if not datasets:
        return None
    order = [role for role in ("source", "synthetic", "holdout") if role in datasets]
    order += sorted(set(datasets) - set(order))
    rows = [
        _row(markdown_text(role, cut=20), count(datasets[role].get("rows")), f"`{digest_text(datasets[role].get('digest'))}`")
        for role in order
    ]
    return _Part(["### Tables", "", *_table("Table", "Rows", "Digest")], rows, "and {n} more in the report", rank=3, least=3)


def _errors(reading: Reading) -> _Part | None:
    metrics = {m.name: m for m in (*reading.at_threshold, *reading.calibration)}
    chosen = [metrics[name] for name in ("fnr", "ppv", "fpr", "calibration_slope", "calibration_intercept") if name in metrics]
    rows = [_row(m.title, spoken(reading.utility(m.name, "tstr"), digits=m.digits), _trtr(reading, m)) for m in chosen]
    if not rows:
        return None
    head = ["### Errors and calibration", "", *_table("", "Trained on synthetic", "Trained on real")]
    return _Part(head, rows, rank=7, least=len(rows))


def _trtr(reading: Reading, metric: MetricTerm) -> str:
    return spoken(reading.utility(metric.name, "trtr"), digits=metric.digits)


def _disparities(reading: Reading) -> _Part | None:
    rows = []
    for name, figures in reading.family("disparity").items():
        parts = name.split(".")
        if len(parts) != 4 or parts[2:] != ["tstr", "difference"] or parts[1] not in _TOLD_DISPARITIES:
            continue
        rows += [
            _row(_measure(parts[1]), markdown_text(label(column_title(of), cut=_SHORT)), spoken(figure))
            for of, figure in figures.items()
        ]
    if not rows:
        return None
    return _Part(
        ["### Largest differences between groups", "", *_table("Measure", "Column", "Difference")],
        rows,
        "and {n} more in the report",
        rank=9,
        least=2,
        wanted=6,
    )


def _measure(name: str) -> str:
    return markdown_text(metric_term(name).title, cut=40)


def _generation(reading: Reading) -> _Part | None:
    made = [reading.document("generator", part) for part in ("name", "library", "version")]
    generator = " ".join(str(part) for part in made if part)
    purpose = reading.document("purpose")
    if not generator and not purpose:
        return None
    lines = [f"- Generator: {markdown_text(generator, cut=80)}"] if generator else []
    lines += [f"- Purpose: {markdown_text(purpose, cut=200)}"] if purpose else []
    return _Part(["### How the synthetic table was made", "", *lines], rank=8)


def _closing(reading: Reading, verdict: Verdict | None) -> _Part:
    parts = [f"Evidence `{digest_text(reading.dossier.digest)}`"]
    if verdict is not None:
        parts.append(f"policy `{digest_text(verdict.policy_digest)}`")
    return _Part([f"{', '.join(parts)}. Full report: artifact `synthml/report.html` of the source run."], rank=2)
