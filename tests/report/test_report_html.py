"""The report: what it says, in which order, and that nothing from a table can break out of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from report.report_dossiers import HOSTILE, dossier, hostile, regression, verdict

from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.figures import group_of
from synthml.report.curves import curves
from synthml.report.html import _script, report_html
from synthml.report.questions import answers
from synthml.report.reading import Reading
from synthml.report.summary import summarise

VOID = {"meta", "br", "hr", "img", "input", "link"}
EMPTY_SVG = {"line", "path", "rect", "circle", "use"}


class Page(HTMLParser):
    """The elements of a page with their attributes, the text, and whether every tag is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.torn: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.torn.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def full() -> Dossier:
    return dossier()


@pytest.fixture(scope="module")
def page(full: Dossier) -> Page:
    return Page(report_html(full, verdict(full)))


def every_report() -> dict[str, str]:
    full = dossier()
    return {
        "full": report_html(full),
        "verdict": report_html(full, verdict(full)),
        "regression": report_html(regression()),
        "hostile": report_html(hostile()),
        "empty": report_html(Dossier({})),
    }


@pytest.fixture(scope="module")
def reports() -> dict[str, str]:
    return every_report()


def test_the_verdict_and_the_answer_come_before_everything_else(page: Page) -> None:
    """A reviewer reads the outcome, the question and the answer first, then the questions, then the chapters."""
    places = [
        page.text.index(words)
        for words in (
            "Fail Policy clinical-default v1, decided 2026-03-02 08:00 UTC: 2 of 6 binding criteria met, 1 failed,",
            "What was asked",
            "Overall yes, within the margin. It reaches an AUROC of",
            "What stands against it",
            "What is missing",
            "The reviewer's eighteen questions",
        )
    ]
    assert places == sorted(places)
    chapters = [attributes["id"] for attributes in page.all("h2")]
    assert chapters[:5] == ["summary", "questions", "policy", "performance", "groups"]
    assert chapters[-5:] == ["generation", "datasets", "methods", "glossary", "figures"]


def test_the_eighteen_questions_stand_in_their_order(full: Dossier, page: Page) -> None:
    """All eighteen are asked, each has an answer, and what was not measured says so."""
    told = answers(Reading(full), verdict(full))
    assert [answer.number for answer in told] == list(range(1, 19))
    places = [page.text.index(answer.question) for answer in told]
    assert places == sorted(places)
    assert all(answer.text for answer in told)
    words = {answer.number: answer.status for answer in told}
    assert [words[n] for n in (1, 2, 3, 4, 7)] == ["answered"] * 5
    assert [words[n] for n in (5, 6, 8, 9, 10, 11, 12, 14, 15)] == ["open"] * 9
    assert [words[n] for n in (16, 17, 18)] == ["person"] * 3


def test_figures_are_shown_as_they_stand_in_the_evidence(full: Dossier, page: Page) -> None:
    """The report computes nothing: the value and bounds of a group are those of its figure, rounded."""
    of = group_of((("sex", "female"),))
    for protocol in ("tstr", "trtr", "loss"):
        figure = full.figures[f"utility.auroc.{protocol}/{of}"]
        assert f"{figure.value:.3f} {figure.low:.3f} to {figure.high:.3f}" in page.text


def test_withheld_groups_are_listed_without_figures(full: Dossier, page: Page) -> None:
    """A small group is named as insufficient, and stands in no forest plot."""
    small = [group.name.shown for group in Reading(full).withheld_groups]
    assert small == ["sex: female × self-rated health: poor", "sex: male × self-rated health: poor"]
    assert "Groups without figures" in page.text
    assert "fewer rows or events than the minimum cell" in page.text
    assert "female × poor" not in page.text


@pytest.mark.parametrize(
    ("low", "value", "high", "begins"),
    [
        (0.0, 0.01, 0.05, "Overall yes, within the margin."),
        (0.0, 0.01, 0.0501, "Overall undecided."),
        (0.05, 0.07, 0.09, "Overall undecided."),
        (0.0501, 0.07, 0.09, "Overall no."),
    ],
)
def test_the_loss_is_read_on_its_interval(full: Dossier, low: float, value: float, high: float, begins: str) -> None:
    """At the margin itself the upper bound still passes; a lower bound at the margin does not yet fail."""
    figures = {**full.figures, "utility.auroc.loss/all": Estimate(value, low, high, n=100)}
    assert summarise(Reading(replace(full, figures=figures)), None).answer.startswith(begins)


def test_equal_dossiers_give_equal_bytes(full: Dossier) -> None:
    """Nothing of the clock, the process or the order of keys is in the file."""
    again = Dossier.from_json(full.to_json())
    assert report_html(full, verdict(full)) == report_html(again, verdict(again))


def test_the_file_is_self_contained(reports: dict[str, str]) -> None:
    """No address is fetched, and a policy in the file forbids it; the only script is our own, named by its digest."""
    script, digest = _script()
    for text in reports.values():
        page = Page(text)
        for attributes in (attributes for _, attributes in page.elements):
            assert not attributes.keys() & {"src", "srcset", "data", "action", "poster", "ping", "style"}
            assert attributes.get("href", "#").startswith("#")
            assert attributes.get("xlink:href") is None
        assert not {"link", "img", "iframe", "object", "embed", "form", "base", "input"} & {tag for tag, _ in page.elements}
        style = text[text.index("<style>") : text.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style
        policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
        assert digest in policy
        assert len(page.all("script")) == 1
        assert str(script) in text


def test_every_link_has_its_place_and_every_id_is_unique(reports: dict[str, str]) -> None:
    """Links, labels and drawings refer to ids that stand in the file once."""
    for name, text in reports.items():
        page = Page(text)
        ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
        assert max(ids.values()) == 1, name
        wanted = {a["href"][1:] for a in page.all("a", "use")}
        wanted |= {i for _, a in page.elements for i in a.get("aria-labelledby", "").split()}
        assert wanted <= set(ids), (name, wanted - set(ids))


def test_tags_are_closed_in_their_places(reports: dict[str, str]) -> None:
    """The page is well formed, whatever stands in the labels."""
    for name, text in reports.items():
        page = Page(text)
        assert not page.torn, name
        assert not page.open, name


def test_a_screen_reader_finds_its_way(reports: dict[str, str]) -> None:
    """Language, landmarks, headings that skip no level, tables with caption and scopes, charts with title and description."""
    for name, text in reports.items():
        page = Page(text)
        tags = [tag for tag, _ in page.elements]
        assert page.all("html")[0]["lang"] == "en"
        assert tags.count("main") == tags.count("header") == tags.count("footer") == tags.count("h1") == 1
        assert page.all("nav")[0]["aria-label"]
        levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
        assert all(b - a <= 1 for a, b in pairwise(levels)), name
        assert tags.count("caption") == tags.count("table")
        assert all(th.get("scope") in ("col", "row", "rowgroup") for th in page.all("th"))
        for svg in page.all("svg"):
            assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-labelledby"))


def test_an_empty_dossier_renders_and_says_what_is_missing() -> None:
    """Nothing measured is a report too: it says so, question by question."""
    text = Page(report_html(Dossier({}))).text
    assert "Not measured: the evidence holds no figure of the model on real rows." in text
    assert text.count("Not measured") > 15


def _without(full: Dossier, part: str) -> Dossier:
    if part in full.tables:
        return replace(full, tables={name: rows for name, rows in full.tables.items() if name != part})
    if part in ("datasets", "study"):
        return replace(full, **{part: {}})
    if part in ("generation", "model"):
        return replace(full, **{part: None})
    return replace(full, figures={name: figure for name, figure in full.figures.items() if part not in name})


@pytest.mark.parametrize(
    "part",
    ["subgroups", "disparities", "slices", "learners", "importances", "roc", "calibration", "net_benefit", "datasets", "study",
     "generation", "model", "utility.auroc", ".tstr", ".trtr", ".loss", "disparity.", "explain.", "trivial", "sex:", "threshold"],
)  # fmt: skip
def test_any_part_may_be_missing(full: Dossier, part: str) -> None:
    """Evidence comes from people who do not all hold the same tables: whatever is left out, the rest is shown."""
    made = _without(full, part)
    page = Page(report_html(made, verdict(made)))
    assert not page.torn
    assert "undefined" not in page.text.lower()


def test_hostile_labels_stay_text(reports: dict[str, str]) -> None:
    """Markup, quotes, template marks, direction marks and 10,000 characters in labels change no element and no attribute."""
    text = reports["hostile"]
    plain, evil = Page(reports["full"]), Page(text)
    assert {tag for tag, _ in evil.elements} <= {tag for tag, _ in plain.elements}
    names = {name for _, attributes in plain.elements for name in attributes}
    assert {name for _, attributes in evil.elements for name in attributes} <= names
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", text)
    assert "<script>alert(1)</script>" in evil.text
    assert "{{ 7*7 }}" in evil.text
    assert "Ž" * 700 not in text
    assert len(text.encode()) < 1_000_000


def test_labels_that_are_cut_alike_stay_apart() -> None:
    """Two labels of 10,000 characters that differ at the end are two rows with two names."""
    a, b = HOSTILE[5], HOSTILE[6]
    made = dossier(rename={"female": a, "male": b})
    names = {group.name.shown for group in Reading(made).groups if group.column == "sex"}
    assert len(names) == 2


def test_the_file_stays_small(reports: dict[str, str]) -> None:
    """A usual report is below 400 kB."""
    assert all(len(text.encode()) < 400_000 for text in reports.values())


def test_nine_hundred_groups_stay_below_a_megabyte() -> None:
    """With 30 x 30 groups the forest shows the weakest, further tables are left to evidence.json, and the report says so."""
    figures = {}
    for i in range(30):
        for j in range(30):
            of = group_of((("ward" * 20, f"ward number {i}"), ("hospital" * 10, f"house number {j}")))
            for name in ("auroc", "brier", "fnr", "ppv", "calibration_slope", "accuracy"):
                for protocol in ("tstr", "trtr", "loss"):
                    value = 0.6 + i / 100 + j / 10_000
                    figures[f"utility.{name}.{protocol}/{of}"] = Estimate(value, value - 0.05, value + 0.05, n=400, method="m")
    text = report_html(Dossier(figures))
    assert len(text.encode()) < 1_000_000
    assert "The 300 weakest of 900 groups" in text
    assert "further figures are not listed here" in text


def test_a_regression_shows_errors_in_its_unit() -> None:
    """R² leads, RMSE keeps four figures, and nothing is said of thresholds."""
    text = Page(report_html(regression())).text
    assert "It reaches an explained variance (R²) of 0.410 on real rows" in text
    assert "1,312" in text
    assert "Errors at a threshold exist for a binary outcome." in text


def test_a_contaminated_holdout_is_called_a_problem(full: Dossier) -> None:
    """When the holdout is the source table, the second question says so in so many words."""
    datasets = {**full.datasets, "holdout": full.datasets["source"]}
    answer = answers(Reading(replace(full, datasets=datasets)), None)[1]
    assert answer.status == "problem"
    assert answer.text.startswith("No. The holdout is the source table")


def test_a_kind_of_evidence_that_the_report_does_not_know_is_shown(full: Dossier) -> None:
    """Later kinds need no change here: their figures get a chapter, and the question about them points to it."""
    figures = {
        **full.figures,
        "bias.representation.synthetic/sex:female": Estimate(0.11, 0.05, 0.17, n=14133, method="log odds"),
        "weather.rain/all": Estimate.insufficient("the sky was clear"),
    }
    made = replace(full, figures=figures)
    page = Page(report_html(made))
    assert {"bias", "family-weather"} <= {attributes.get("id") for _, attributes in page.elements}
    assert "bias.representation.synthetic" in page.text
    assert answers(Reading(made), None)[4].chapter == "bias"


def test_figures_whose_id_cannot_be_read_do_no_harm(full: Dossier) -> None:
    """A figure under a malformed id is left out of the chapters and does not stop the report."""
    figures = {
        "nonsense": Estimate(1.0),
        "Utility.X/": Estimate(1.0),
        "utility.auroc.tstr/sex:_xzz_": Estimate(0.5),
        **full.figures,
    }
    assert report_html(replace(full, figures=figures))


def test_decisions_of_one_criterion_stand_in_one_line(full: Dossier) -> None:
    """Ten undecided groups are one line of the summary, with the first four by name."""
    decided = verdict(full)
    one = next(d for d in decided.decisions if d.outcome == "insufficient" and d.figure)
    many = tuple(replace(one, of=f"ward:{i}", found="insufficient", n_required=None) for i in range(10))
    missing = summarise(Reading(full), replace(decided, decisions=many)).missing
    assert missing[0] == "auroc-loss, required at most 0.05: insufficient for ward: 0, ward: 1, ward: 2, ward: 3 and 6 more."


def test_the_curves_draw_what_the_tables_hold(full: Dossier) -> None:
    """Three charts; net benefit beside treating everyone, whose line leaves the chart, and no one, whose line is zero."""
    roc, calibration, benefit = curves(Reading(full))
    assert [drawn.kind for drawn in roc.plot.drawn] == ["diagonal", "tstr", "trtr"]
    assert len(calibration.plot.drawn[1].markers) == 10
    kinds = {drawn.kind: drawn.path for drawn in benefit.plot.drawn}
    assert list(kinds) == ["nobody", "all", "tstr", "trtr"]
    assert len({point.split(" ")[1] for point in kinds["nobody"][1:].split("L")}) == 1
    assert kinds["all"].count("L") < kinds["tstr"].count("L")
