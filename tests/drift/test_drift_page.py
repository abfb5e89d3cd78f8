"""The page: nothing of a patient in it, nothing fetched, nothing run but its own two programs, whatever columns are called."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from synthml.drift import Comparison, compare, page_of
from synthml.drift.engine import Drawing
from synthml.drift.page import shown_names
from synthml.drift.telling import held_back

RARE_DIAGNOSIS = "Kuru prionosis"
PERSON = "NHS-4857773456"
PRECISE = 173.482915
LARGEST = 98765.4321
ROWS = 300
HOSTILE = ("</script><img src=x onerror=alert(1)>", '"quote" & <b>bold</b>', "naïve ☂", "\u202eevil", "index", "target")
KINDS = {
    "diagnosis": "categorical",
    "record": "categorical",
    "lab": "numeric",
    "born": "datetime",
    **dict.fromkeys(HOSTILE, "numeric"),
    "</script><script>alert(2)</script>": "categorical",
}


def ward(seed: int, *, canary: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"lab": rng.normal(140, 10, ROWS)})
    found["diagnosis"] = np.array(rng.choice(["asthma", "flu"], ROWS), dtype=object)
    found["record"] = np.array([f"record {seed}-{i}" for i in range(ROWS)], dtype=object)
    found["born"] = np.datetime64("1950-01-01", "us") + rng.integers(0, 20_000, ROWS) * np.timedelta64(86_400_000_000, "us")
    for name in HOSTILE:
        found[name] = rng.normal(size=ROWS)
    found["</script><script>alert(2)</script>"] = np.array(
        rng.choice(["<img src=x onerror=alert(3)>", "</script>"], ROWS), dtype=object
    )
    found["person"] = np.array([f"NHS-{seed}{i:06d}" for i in range(ROWS)], dtype=object)
    if canary:
        found.loc[7, ["diagnosis", "record", "person"]] = [RARE_DIAGNOSIS, "record of " + PERSON, PERSON]
        found.loc[7, "lab"], found.loc[8, "lab"] = PRECISE, LARGEST
        found.loc[7, "born"] = np.datetime64("1931-02-03", "us")
    return found


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    source, holdout = ward(1, canary=True), ward(2, canary=False)
    return [
        compare(source, holdout, names=("source", "holdout"), kinds=KINDS),
        compare(holdout, source, names=("holdout", "production"), kinds=KINDS),
    ]


@pytest.fixture(scope="module")
def page(comparisons: list[Comparison]) -> str:
    return page_of(comparisons)


class Reader(HTMLParser):
    """The tags, with attributes, and the text of each script."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.mark.parametrize("canary", [RARE_DIAGNOSIS, PERSON, str(PRECISE), str(LARGEST), "1931-02-03"])
def test_no_canary_stands_in_the_page_in_any_form(page: str, comparisons: list[Comparison], canary: str) -> None:
    told = json.dumps([dict(row) for one in comparisons for row in one.rows]) + str([one.figures for one in comparisons])
    forms = {canary, json.dumps(canary)[1:-1], html.escape(canary), base64.b64encode(canary.encode()).decode().rstrip("=")}
    for form in forms:
        assert form not in page
        assert form not in told


def test_an_exact_value_is_nowhere_as_a_number(comparisons: list[Comparison]) -> None:
    """No number drawn is one of the 600 measured lab values."""
    values = {value for seed in (1, 2) for value in ward(seed, canary=seed == 1)["lab"]}
    for one in comparisons:
        assert one.drawing is not None
        drawn = json.dumps({"a": one.drawing.dashboard, "b": one.drawing.graphs})
        assert not values & {float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", drawn)}


def test_what_was_not_masked_would_be_found() -> None:
    """The searches above can fail: an unmasked table's page has the canaries."""
    from synthml.drift.engine import JENSEN_SHANNON, WASSERSTEIN, evidently_scores

    frames = [ward(1, canary=True)[["lab", "diagnosis"]], ward(2, canary=False)[["lab", "diagnosis"]]]
    drawing = evidently_scores(frames[0], frames[1], {"lab": WASSERSTEIN, "diagnosis": JENSEN_SHANNON}).drawing
    assert drawing is not None
    drawn = json.dumps(drawing.dashboard)
    assert RARE_DIAGNOSIS in drawn
    assert "98765" in drawn
    masked = [pd.DataFrame({"lab": [1.0], "diagnosis": ["flu"]})] * 2
    kept, notes = held_back(drawing, frames, masked, "source_holdout")
    assert kept is None
    assert "column 'diagnosis'" not in "".join(notes) or RARE_DIAGNOSIS not in "".join(notes)
    assert re.search(r"\d+ of column 'lab', \d+ of column 'diagnosis'", notes[0])


def planted(content: object) -> Drawing:
    return Drawing({"widgets": [{"params": content}]}, {}, "", "")


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ({"label": RARE_DIAGNOSIS}, "diagnosis"),
        ({"text": f"most common: {RARE_DIAGNOSIS} (1%)"}, "diagnosis"),
        (json.dumps({"x": [RARE_DIAGNOSIS]}), "diagnosis"),
        ({RARE_DIAGNOSIS: 1}, "diagnosis"),
        ({"x": [1.0, PRECISE]}, "lab"),
        ({"text": f"mean {PRECISE}"}, "lab"),
        ({"max": LARGEST + 1e-11}, "lab"),
        ({"y": {"dtype": "f8", "bdata": base64.b64encode(np.array([PRECISE]).tobytes()).decode()}}, "lab"),
        ({"person": PERSON}, "person"),
        ({"day": "born 1931-02-03"}, "born"),
    ],
)
def test_a_page_with_a_telling_value_is_held_back(content: object, column: str) -> None:
    raw = [ward(1, canary=True), ward(2, canary=False)]
    masked = [pd.DataFrame({"lab": [140.0, 150.0], "diagnosis": ["flu", "asthma"]})] * 2
    drawing, notes = held_back(planted(content), raw, masked, "source_holdout")
    assert drawing is None
    assert f"1 of column '{column}'" in notes[0]
    assert not any(secret in notes[0] for secret in (RARE_DIAGNOSIS, PERSON, str(PRECISE), "98765", "1931"))


@pytest.mark.parametrize(
    "content", [{"label": "flu"}, {"x": [140.0, 0.123456789]}, {"title": "Reference distribution, 300 rows"}, None]
)
def test_a_page_without_one_is_not(content: object) -> None:
    raw = [ward(1, canary=True), ward(2, canary=False)]
    masked = [pd.DataFrame({"lab": [140.0, 150.0], "diagnosis": ["flu", "asthma"]})] * 2
    drawing, notes = held_back(planted(content), raw, masked, "source_holdout")
    assert drawing is not None
    assert notes == ()


def test_a_refused_page_leaves_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthml.drift.comparison.held_back", lambda *_: (None, ("drift: there is no page",)))
    found = compare(ward(1, canary=True), ward(2, canary=False), names=("source", "holdout"), kinds={"lab": "numeric"})
    assert found.html == ""
    assert found.notes == ("drift: there is no page",)
    assert found.figures["drift.wasserstein.source_holdout/lab"].value is not None


def test_the_program_stands_once_and_each_comparison_is_a_tab(page: str) -> None:
    reader = read(page)
    kinds = [attributes.get("type") for tag, attributes in reader.tags if tag == "script"]
    assert kinds == ["application/json", "application/json", None, None]
    assert sum(attributes.get("role") == "tab" for _, attributes in reader.tags) == 2
    assert len(page.encode()) < 8_000_000
    for text in reader.scripts[:2]:
        assert set(json.loads(text)) == {"dashboard", "graphs"}


def test_only_the_two_programs_may_run_and_nothing_is_fetched(page: str) -> None:
    reader = read(page)
    policy = next(a["content"] or "" for tag, a in reader.tags if tag == "meta" and a.get("http-equiv"))
    digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in reader.scripts[2:]}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert not any(attributes.get("src") or attributes.get("href") for _, attributes in reader.tags)
    assert "\r" not in page


def test_names_that_would_break_out_are_text(page: str) -> None:
    reader = read(page)
    assert not any(tag in ("img", "b") for tag, _ in reader.tags)
    assert "alert(1)" not in "".join(reader.scripts[2:])


def test_names_are_printable_short_and_different() -> None:
    names = ["a\nb", "a b", "<i>", "", "x" * 90, "x" * 89 + "y", "\u202e", "tiny"]
    shown = shown_names(names, [1.0] * 7 + [1e6])
    assert list(shown.values()) == [
        "a b",
        "a b (2)",
        "‹i›",
        "(blank)",
        "x" * 39 + "…",
        "x" * 39 + "… (2)",
        "(blank) (2)",
        "tiny (× 1e+06)",
    ]
