"""`report_html`: one self-contained file for a model reviewer.

Nothing is fetched or stored: no font, image or script from elsewhere, and a content security policy in the file that forbids
them and lets only our own few lines of script run (they follow links inside MLflow's sandboxed frame). Equal dossiers give
equal bytes. Everything that stood in somebody's table is escaped by the template engine.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from synthml.report.bias import bias_chapter
from synthml.report.charts import Cell, Column, Section, Sheet
from synthml.report.curves import curves
from synthml.report.descent import drawing, graph_of
from synthml.report.disclosure import asked, attack_sheet, disclosure_folds, distance_sheet, is_measured
from synthml.report.drift import drift_chapter
from synthml.report.fidelity import fidelity_chapter
from synthml.report.groups import disparity_sheets, forest, further_forests, group_numbers, slice_sheet, withheld_sheet
from synthml.report.performance import importance_sheet, learner_sheet, metric_sheet, protocol_sheet, threshold_sheet
from synthml.report.policies import policies_sheet
from synthml.report.provenance import (
    dataset_sheet,
    dictionary_sheet,
    families,
    figure_blocks,
    generation_facts,
    methods,
    model_facts,
    study_facts,
)
from synthml.report.quality import quality_chapter
from synthml.report.questions import answers
from synthml.report.reading import Reading, margin_text
from synthml.report.summary import decided_for, summarise
from synthml.report.sweeping import cost_sheet, draws_sheet, frontier, sweep_sheet
from synthml.report.terms import GLOSSARY, PROTOCOLS
from synthml.report.wording import clean, label, prose, short_digest, spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment
    from markupsafe import Markup

    from synthml.evidence import Dossier
    from synthml.lineage import Graph
    from synthml.policy.verdict import Decision, Verdict
    from synthml.report.provenance import Family

__all__ = ["environment", "report_html"]


@dataclass(frozen=True)
class Chapter:
    """A chapter: its anchor and its title. `numbered` by its place."""

    key: str
    title: str
    number: int


_CHAPTERS = (
    ("performance", "Overall performance"),
    ("groups", "Patient groups"),
    ("disparities", "Differences between groups"),
    ("curves", "Discrimination, calibration, benefit"),
    ("threshold", "Errors at the decision threshold"),
    ("agreement", "Other learners and explanations"),
    ("slices", "Where it errs most"),
)
_TABLES = (
    ("bias", "Bias, from source to model"),
    ("fidelity", "Likeness to the source"),
    ("quality", "Quality of tables and labels"),
)
_DRIFT = ("drift", "Drift between the tables")
_LAST = (
    ("generation", "How the synthetic table was made"),
    ("datasets", "Tables and model"),
    ("methods", "Settings and methods"),
    ("glossary", "Terms in one sentence"),
    ("figures", "Every figure"),
)


def report_html(
    dossier: Dossier, verdict: Verdict | None = None, *, verdicts: Sequence[Verdict] = (), lineage: Graph | None = None
) -> str:
    """The report as one HTML document, at most 1 MB. Pure: the same dossier and verdict give the same text.

    A dossier may lack any part; what was not measured is said to be so. verdicts: of all policies, when there are several; they
    are shown side by side, and `verdict` stands on the first page. lineage: what a registry knows of where the model comes from
    and where it went; without it, what the evidence knows is drawn.
    """
    return environment().get_template("report.html").render(**_context(Reading(dossier), verdict, verdicts, lineage))


@cache
def environment() -> Environment:
    """The templates of this package. Everything is escaped; a name that a template misspells is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("synthml.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def _script() -> tuple[Markup, str]:
    """The page's own script, and its digest as a content security policy writes it."""
    from markupsafe import Markup

    text = resources.files("synthml.report").joinpath("templates", "report.js").read_text(encoding="utf-8")
    return Markup(text), "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _chapters(
    verdict: Verdict | None, others: tuple[Family, ...], *, several: bool, of_a_model: bool, swept: bool
) -> tuple[Chapter, ...]:
    """Of a table that was attacked and trained no model, the chapters about a model are left out."""
    keys = [
        *([("policy", "The policy, criterion by criterion")] if verdict is not None else []),
        *([("policies", "The policies side by side")] if several else []),
        *(_CHAPTERS if of_a_model else ()),
        *(() if swept else _TABLES),
        *([] if swept else [("disclosure", "What the table gives away about people"), _DRIFT]),
        *([("sweep", "What privacy costs, and who pays")] if swept else []),
        *((f"family-{family.key}", family.title) for family in others),
        *_LAST,
    ]
    return tuple(Chapter(key, title, place) for place, (key, title) in enumerate(keys, 1))


def _context(
    reading: Reading, verdict: Verdict | None, verdicts: Sequence[Verdict] = (), lineage: Graph | None = None
) -> dict[str, Any]:
    dossier, metric = reading.dossier, reading.headline
    others = families(reading)
    blocks, left = figure_blocks(reading)
    facts, empty = generation_facts(reading)
    disparities, further_disparities = disparity_sheets(reading)
    script, script_digest = _script()
    swept = bool(reading.table("sweep"))
    return {
        "title": _title(reading),
        "script": script,
        "script_digest": script_digest,
        "stamp": _stamp(reading),
        "reading": reading,
        "metric": metric,
        "margin": margin_text(reading.margin),
        "summary": summarise(reading, verdict),
        "chapters": {
            chapter.key: chapter
            for chapter in _chapters(
                verdict,
                others,
                several=len(verdicts) > 1,
                of_a_model=metric is not None or not (is_measured(reading) or swept),
                swept=swept,
            )
        },
        "answers": answers(reading, verdict),
        "policy_open": None if verdict is None else _decision_sheet(reading, verdict, passed=False),
        "policy_passed": None if verdict is None else _decision_sheet(reading, verdict, passed=True),
        "verdict": verdict,
        "policies": policies_sheet(verdicts) if len(verdicts) > 1 else None,
        "policy_digest": "" if verdict is None else label(verdict.policy_digest, cut=100).shown,
        "protocols": protocol_sheet(reading),
        "all_metrics": metric_sheet(reading),
        "forest": None if metric is None else forest(reading, metric, "forest"),
        "further": further_forests(reading),
        "group_numbers": group_numbers(reading),
        "withheld": withheld_sheet(reading),
        "disparities": disparities,
        "disparities_further": further_disparities,
        "curves": curves(reading),
        "threshold": threshold_sheet(reading),
        "threshold_value": spoken(reading.figure("utility.threshold.tstr")),
        "learners": learner_sheet(reading),
        "importances": importance_sheet(reading),
        "agreements": _agreements(reading),
        "slices": slice_sheet(reading),
        "bias": bias_chapter(reading),
        "fidelity": fidelity_chapter(reading),
        "quality": quality_chapter(reading),
        "drift": drift_chapter(reading),
        "asked": asked(reading, verdict),
        "attacks": attack_sheet(reading, verdict),
        "distances": distance_sheet(reading),
        "disclosure_folds": disclosure_folds(reading),
        "sweep": sweep_sheet(reading),
        "frontier": frontier(reading),
        "costs": cost_sheet(reading),
        "sweep_draws": draws_sheet(reading),
        "families": others,
        "generation": facts,
        "generation_empty": empty,
        "dictionary": dictionary_sheet(reading),
        "descent": drawing(graph_of(reading) if lineage is None else lineage),
        "tables": dataset_sheet(reading),
        "model": model_facts(reading),
        "study": study_facts(reading),
        "methods": methods(reading),
        "notes": tuple(prose(note, cut=400) for note in (*dossier.notes, *_study_notes(reading))),
        "glossary": GLOSSARY,
        "protocol_terms": PROTOCOLS,
        "metric_terms": reading.metrics,
        "blocks": blocks,
        "blocks_left": left,
        "evidence_digest": dossier.digest,
    }


def _title(reading: Reading) -> str:
    if reading.table("sweep"):
        return "Privacy against utility: one generator at several settings"
    if reading.headline is None and is_measured(reading):
        return "What a synthetic table gives away about the people behind it"
    return (
        f"Predicting {reading.target}: trained on synthetic, tested on real"
        if reading.target
        else "Trained on synthetic, tested on real"
    )


def _study_notes(reading: Reading) -> tuple[str, ...]:
    """What the check at the door chose by itself."""
    notes = reading.dossier.study.get("notes")
    return tuple(str(note) for note in notes) if isinstance(notes, (list, tuple)) else ()


def _stamp(reading: Reading) -> tuple[str, ...]:
    """Who measured what, when and with what: one line under the title."""
    dossier = reading.dossier
    model = (dossier.model or {}).get("digest")
    parts = [
        f"Measured {clean(dossier.created)[:16].replace('T', ' ')} UTC" if dossier.created else "",
        f"by the {label(dossier.producer, cut=40)}" if dossier.producer else "",
        f"synthml {label(dossier.synthml, cut=30)}" if dossier.synthml else "",
        f"seed {dossier.seed}",
        f"model {short_digest(model)}" if model else "",
        f"evidence {short_digest(dossier.digest)}",
    ]
    return tuple(part for part in parts if part)


_OUTCOME_WORDS = {"pass": "Pass", "fail": "Fail", "insufficient": "Insufficient"}
_OUTCOME_ORDER = {"fail": 0, "insufficient": 1, "pass": 2}
_MOST_CRITERIA = 200
_MOST_NAMED = 8


def _decision_sheet(reading: Reading, verdict: Verdict, *, passed: bool) -> Sheet | None:
    """Criteria that passed, or those that did not: the binding ones first, failed before undecided.

    Groups for which a criterion passes, or lacks a figure, share a row; each that fails or is undecided has its own.
    """
    chosen = [d for d in verdict.decisions if (d.outcome == "pass") == passed]
    if not chosen:
        return None
    chosen.sort(key=lambda d: (d.severity == "warn", bool(d.waived), _OUTCOME_ORDER[d.outcome]))
    rows: dict[tuple[str, ...], list[Decision]] = {}
    for d in chosen:
        shared = passed or reading.lacks_figure(d)
        key = (d.id, d.outcome, d.severity, d.required, d.waived)
        rows.setdefault((*key, "" if passed else d.found if shared else d.of), []).append(d)
    columns = (
        Column("Criterion", "label"),
        Column("Outcome"),
        Column("Required"),
        Column("Found"),
        Column("Where the threshold comes from"),
    )
    cells = tuple(_decision_row(reading, each) for each in list(rows.values())[:_MOST_CRITERIA])
    caption = "Criteria that are met." if passed else "Criteria that are not met, or could not be decided."
    return Sheet("criteria-passed" if passed else "criteria-open", caption, columns, (Section("", cells),))


def _decision_row(reading: Reading, decisions: list[Decision]) -> tuple[Cell, ...]:
    first = decisions[0]
    notes = [
        "warns only" if first.severity == "warn" else "",
        f"waived {prose(first.waived, cut=160)}" if first.waived else "",
    ]
    needs = "" if first.n_required is None else f"about {first.n_required:,} rows would decide it"
    reason = "" if first.reason == first.found else prose(first.reason, cut=200)
    why = "; ".join(part for part in (reason, needs) if part) if len(decisions) == 1 else ""
    found = prose(first.found, cut=160) if len({d.found for d in decisions}) == 1 else f"{len(decisions)} figures, all within"
    outcome = _OUTCOME_WORDS.get(first.outcome, clean(first.outcome))
    return (
        Cell(prose(first.id, cut=80), decided_for(reading, decisions, most=_MOST_NAMED)),
        Cell(outcome, "; ".join(n for n in notes if n), tone=f"outcome {first.outcome}"),
        Cell(prose(first.required, cut=160)),
        Cell(found, why),
        Cell(prose(first.source, cut=240), f"set by {prose(first.set_by, cut=60)}" if first.set_by else ""),
    )


def _agreements(reading: Reading) -> tuple[tuple[str, str, str], ...]:
    """(what, figure, how to read it) for the agreement between the two models."""
    asked = (
        (
            "learners.rank_agreement",
            "Learners keep their order",
            "Kendall's tau: 1 is the same order, 0 no relation, −1 reversed.",
        ),
        (
            "explain.importance_agreement",
            "The same columns matter",
            "Spearman correlation of permutation importances: 1 is the same order.",
        ),
        ("explain.decision_agreement", "The same decisions", "Share of real rows on which both models decide alike."),
        ("explain.score_agreement", "The same scores", "Correlation of the two models' scores: 1 is the same order and spacing."),
    )
    return tuple((title, spoken(figure), how) for name, title, how in asked if (figure := reading.figure(name)) is not None)
