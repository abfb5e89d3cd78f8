"""How a figure is held against a threshold: interval, value or a bound, on enough rows, on the worst of several draws."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from synthml.errors import EvidenceError, PolicyError
from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.policy import Policy, decide
from synthml.policy.criteria import Criterion
from synthml.policy.thresholds import asked, is_laxer

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
LOSS = {"id": "loss", "figure": "utility.auroc.loss", "at_most": 0.05, "source": "s", "set_by": "o"}
PARENT = "name: parent\nversion: 1\nrequire: {minimum_cell: {rows: 100, events: 20}}\ncriteria:\n  - {CRITERION}\n"
CRITERION = "id: loss, figure: utility.auroc.loss, at_most: 0.05, draws: 3, decided_on: value, source: s, set_by: o"


def figure(low, value, high, n=1000):
    return Estimate(value, low, high, n=n, method="test")


def table(name):
    return {"synthetic": {"digest": f"sha256:{name * 64}"}}


def about(loss, name="a", **figures):
    return Dossier(figures={"utility.auroc.loss/all": loss, **figures}, datasets=table(name), study={"task": "binary"})


def policy(*, require=None, **changes):
    criterion = Criterion(**{**LOSS, **changes})
    return Policy(name="p", version=1, require=require or {}, lineage={"no_contamination": False}, criteria=(criterion,))


def told(dossier, asking):
    return [(one.of, one.outcome, one.found, one.reason) for one in decide(dossier, asking, now=NOW).decisions if one.figure]


@pytest.mark.parametrize(
    ("bounds", "decided_on", "at_most", "at_least"),
    [
        ((0.01, 0.04, 0.08), "interval", "insufficient", "insufficient"),
        ((0.01, 0.04, 0.08), "value", "pass", "fail"),
        ((0.01, 0.04, 0.08), "low", "pass", "fail"),
        ((0.01, 0.04, 0.08), "high", "fail", "pass"),
        ((0.04, 0.06, 0.08), "value", "fail", "pass"),
        ((0.06, 0.07, 0.08), "low", "fail", "pass"),
        ((0.01, 0.02, 0.05), "high", "pass", "pass"),
        ((None, 0.04, None), "interval", "pass", "fail"),
        ((None, 0.04, None), "low", "insufficient", "insufficient"),
        ((None, 0.04, None), "high", "insufficient", "insufficient"),
    ],
)
def test_what_is_read_against_the_threshold(bounds, decided_on, at_most, at_least):
    """0.05, worked by hand for a figure of low, value, high."""
    low, value, high = bounds
    dossier = about(figure(low, value, high))
    ((_, most, *_),) = told(dossier, policy(decided_on=decided_on))
    ((_, least, *_),) = told(dossier, policy(decided_on=decided_on, at_most=None, at_least=0.05))
    assert (most, least) == (at_most, at_least)


def test_what_is_asked_is_said():
    assert asked(Criterion(**LOSS)) == "at most 0.05"
    assert asked(Criterion(**LOSS, decided_on="low")) == "lower bound at most 0.05"
    assert asked(Criterion(**{**LOSS, "at_least": 0.0}, draws=10)) == "at least 0 and at most 0.05 on the worst of 10 draws"


@pytest.mark.parametrize(
    ("mine", "theirs", "laxer"),
    [
        ({"decided_on": "value"}, {}, True),
        ({"decided_on": "low"}, {"decided_on": "value"}, True),
        ({"decided_on": "high"}, {}, False),
        ({}, {"decided_on": "high"}, False),
        ({}, {"decided_on": "low"}, False),
        ({"draws": 2}, {"draws": 3}, True),
        ({"draws": 4}, {"draws": 3}, False),
        ({"at_least": 0.0, "decided_on": "high"}, {"at_least": 0.0}, True),
    ],
)
def test_what_could_pass_that_the_other_stops(mine, theirs, laxer):
    assert is_laxer(Criterion(**{**LOSS, **mine}), Criterion(**{**LOSS, **theirs})) is laxer


# ---- draws


def test_the_worst_of_the_draws_counts():
    """The model's own table passes; another draw of the generator does not."""
    good, bad, unsure = figure(0.0, 0.01, 0.02), figure(0.06, 0.07, 0.08), figure(0.03, 0.04, 0.06)
    own = about(good)
    assert told(own, policy())[0][1] == "pass"
    asking = policy(draws=2)
    assert told(own, asking) == [
        (
            "all",
            "insufficient",
            "0.010 (0.000 to 0.020), n = 1,000",
            "measured on 1 of the 2 draws that are asked for",
        )
    ]
    assert told(own.with_draws([about(good, "b")]), asking)[0][1] == "pass"
    assert told(own.with_draws([about(good, "b"), about(bad, "c")]), asking)[0][1:3] == (
        "fail",
        "worst of 3 draws: 0.070 (0.060 to 0.080), n = 1,000",
    )
    assert told(own.with_draws([about(unsure, "b")]), asking)[0][1] == "insufficient"
    assert told(own.with_draws([about(Estimate.insufficient("no events"), "b")]), asking)[0][1] == "insufficient"
    assert told(own.with_draws([about(bad, "b")]), policy())[0][1] == "pass"  # nobody asked for draws
    assert told(own.with_draws([about(bad, "b")]), policy(draws=3))[0][1] == "fail"  # whatever the further draws would show


def test_of_draws_that_pass_the_one_nearest_the_threshold_is_told():
    own = about(figure(0.0, 0.01, 0.02)).with_draws([about(figure(0.01, 0.03, 0.045), "b")])
    assert told(own, policy(draws=2))[0][2].startswith("worst of 2 draws: 0.030 ")


def test_each_group_is_decided_on_its_own_draws():
    """A group that one draw does not show is measured on fewer draws."""
    good = figure(0.0, 0.01, 0.02)
    women, men = "utility.auroc.loss/sex:F", "utility.auroc.loss/sex:M"
    own = about(good, **{women: good, men: good}).with_draws([about(good, "b", **{women: figure(0.06, 0.07, 0.08)})])
    found = {of: outcome for of, outcome, *_ in told(own, policy(of="each", draws=2))}
    assert found == {"all": "pass", "sex:F": "fail", "sex:M": "insufficient"}


def test_draws_travel_with_the_document_and_are_different_tables():
    own, other = about(figure(0.0, 0.01, 0.02)), about(figure(0.06, 0.07, 0.08), "b")
    whole = own.with_draws([other])
    again = Dossier.from_json(whole.to_json())
    assert (again.digest, again.draws[0]["utility.auroc.loss/all"].value) == (whole.digest, 0.07)
    assert whole.digest != own.digest
    for others in ([own], [other, other]):
        with pytest.raises(EvidenceError, match="same table"):
            own.with_draws(others)
    damaged = replace(own, tables={"draws": ({"table": "sha256:b", "figure": "utility.auroc.loss/all"},)})
    with pytest.raises(EvidenceError, match="damaged"):
        decide(damaged, policy(draws=2), now=NOW)


def test_a_draw_that_is_the_models_own_table_is_not_counted_twice():
    """Somebody wrote the rows by hand."""
    good = figure(0.0, 0.01, 0.02)
    row = {
        "table": table("a")["synthetic"]["digest"],
        "figure": "utility.auroc.loss/all",
        "value": 0.01,
        "low": 0.0,
        "high": 0.02,
    }
    padded = replace(about(good), tables={"draws": ({**row, "n": 1000, "status": "ok", "reason": None},)})
    assert told(padded, policy(draws=2))[0][1] == "insufficient"


# ---- small cells


@pytest.mark.parametrize(
    ("cell", "outcome"),
    [
        ({"rows": 100, "events": 20}, "pass"),
        ({"rows": 99, "events": 20}, "insufficient"),
        ({"rows": 100, "events": 19}, "insufficient"),
        ({"rows": 100}, "insufficient"),
        (None, "insufficient"),
    ],
)
def test_evidence_that_shows_smaller_groups_is_not_enough(cell, outcome):
    dossier = replace(about(figure(0.0, 0.01, 0.02)), study={"task": "binary", "minimum_cell": cell})
    asking = policy(require={"minimum_cell": {"rows": 100, "events": 20}})
    found = {one.id: one.outcome for one in decide(dossier, asking, now=NOW).decisions}
    assert found == {"minimum_cell": outcome, "loss": "pass"}


def test_a_figure_on_few_rows_decides_nothing():
    """Neither that it passes nor that it fails; attacks count attempts, which are no rows."""
    cell = {"rows": 100, "events": 20}
    asking = policy(require={"minimum_cell": cell})
    for loss in (figure(0.0, 0.01, 0.02, n=99), figure(0.06, 0.07, 0.08, n=99)):
        ((_, outcome, _, reason),) = told(about(loss), asking)
        assert (outcome, reason) == ("insufficient", "rests on 99 rows, fewer than 100")
    assert told(about(figure(0.0, 0.01, 0.02, n=100)), asking)[0][1] == "pass"
    risk = policy(figure="disclosure.singling_out.risk", require={"minimum_cell": cell})
    dossier = Dossier(figures={"disclosure.singling_out.risk/all": figure(0.0, 0.01, 0.02, n=50)}, study={"task": "binary"})
    assert told(dossier, risk)[0][1] == "pass"


# ---- files


def load(tmp_path, text, name="child.yaml"):
    (tmp_path / "parent.yaml").write_text(PARENT.replace("CRITERION", CRITERION))
    (tmp_path / name).write_text(text)
    return Policy.load(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "weaker"),
    [
        (f"criteria:\n  - {{{CRITERION.replace('draws: 3', 'draws: 2')}}}\n", True),
        (f"criteria:\n  - {{{CRITERION.replace('decided_on: value', 'decided_on: low')}}}\n", True),
        (f"criteria:\n  - {{{CRITERION.replace('decided_on: value', 'decided_on: interval')}}}\n", False),
        ("require: {minimum_cell: {rows: 50, events: 20}}\n", True),
        ("require: {minimum_cell: {rows: 200, events: 10}}\n", True),
        ("require: {minimum_cell: {rows: 200, events: 20}}\n", False),
    ],
)
def test_a_child_may_tighten_them_alone(tmp_path, line, weaker):
    text = f"name: child\nversion: 1\nextends: parent.yaml\n{line}"
    if weaker:
        with pytest.raises(PolicyError, match=r"line \d.*weaker"):
            load(tmp_path, text)
    else:
        child = load(tmp_path, text)
        assert child.require.minimum_cell.events == 20


def test_a_mistake_is_told_with_its_line(tmp_path):
    for mistake, told_as in [
        ("draws: 0", "line 5"), ("decided_on: middle", "line 5"), ("decided: value", "Did you mean 'decided_on'"),
    ]:  # fmt: skip
        broken = PARENT.replace("CRITERION", CRITERION.replace("draws: 3, decided_on: value", mistake))
        with pytest.raises(PolicyError, match=told_as):
            load(tmp_path, broken, "broken.yaml")
    with pytest.raises(PolicyError, match=r"line 3.*Did you mean 'rows'"):
        load(tmp_path, PARENT.replace("CRITERION", CRITERION).replace("rows:", "row:"), "broken.yaml")


def test_a_field_that_asks_for_nothing_changes_no_digest():
    """Approvals and waivers name the digest: a field of a later version must not end them."""
    assert policy().digest == policy(draws=1, decided_on="interval", severity="block").digest
    assert policy().digest != policy(draws=2).digest
    assert policy().digest != policy(require={"minimum_cell": {"rows": 100}}).digest
