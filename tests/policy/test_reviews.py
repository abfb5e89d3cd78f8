"""A reviewer's decision holds for what the reviewer saw, for a time, and never for one's own model."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from synthml.evidence import Dossier
from synthml.policy import Approval, Facts, Policy, decide

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DOSSIER = Dossier(figures={}, model={"digest": "sha256:m"})


def asking(count):
    return Policy(name="p", version=1, require={"approvals": count}, lineage={"no_contamination": False})


ONE, TWO, NONE = asking(1), asking(2), asking(0)


def approval(by="rita", policy=ONE, **changes):
    given = Approval(by, "sha256:m", DOSSIER.digest, policy.digest, NOW - DAY, NOW + DAY)
    return replace(given, **changes)


def refusal(by="rita", policy=ONE, **changes):
    return approval(by, policy, **{"decision": "refused", "expires": None, **changes})


def outcome(asked, *given, authors=frozenset({"ed"})):
    return decide(DOSSIER, asked, now=NOW, facts=Facts(approvals=given, authors=authors)).outcome


@pytest.mark.parametrize(
    ("asked", "given", "expected"),
    [
        (ONE, [approval()], "pass"),
        (ONE, [approval(expires=NOW)], "insufficient"),
        (ONE, [approval(model_digest="sha256:other")], "insufficient"),
        (ONE, [approval(evidence_digest="sha256:older")], "insufficient"),
        (ONE, [approval(policy_digest="sha256:edited")], "insufficient"),
        (ONE, [approval("ed")], "insufficient"),  # the author
        (ONE, [approval(decided=NOW + DAY)], "insufficient"),  # a clock that runs ahead
        (TWO, [approval(policy=TWO), approval(policy=TWO, decided=NOW - 2 * DAY)], "insufficient"),  # one person, twice
        (TWO, [approval(policy=TWO), approval("ruth", TWO)], "pass"),
    ],
)
def test_an_approval_holds_for_what_was_seen(asked, given, expected):
    """Every row differs from the first in one thing."""
    assert outcome(asked, *given) == expected


@pytest.mark.parametrize(
    ("asked", "given", "expected"),
    [
        (ONE, [refusal()], "fail"),
        (NONE, [refusal(policy=NONE)], "fail"),  # asked for or not
        (ONE, [approval("ruth"), refusal()], "fail"),  # one refusal outweighs another's approval
        (ONE, [refusal(decided=NOW - 2 * DAY), approval()], "pass"),  # the same person, later
        (ONE, [approval(decided=NOW - 2 * DAY), refusal()], "fail"),
        (ONE, [approval(), refusal()], "fail"),  # in the same second
        (ONE, [refusal(evidence_digest="sha256:older")], "fail"),  # new evidence does not undo it
        (ONE, [refusal(expires=NOW), approval("ruth")], "pass"),
        (ONE, [refusal(model_digest="sha256:other"), approval()], "pass"),
        (ONE, [refusal(decided=NOW + DAY), approval("ruth")], "fail"),  # whatever its clock says
    ],
)
def test_a_refusal_stands_until_the_same_person_approves(asked, given, expected):
    """The last decision of each person counts, and no refusal is lost to a doubt about times."""
    assert outcome(asked, *given) == expected


def test_who_does_not_know_the_author_cannot_say_that_the_approver_is_another():
    """Unsigned engineering leaves the approval open, and the verdict says why."""
    verdict = decide(DOSSIER, ONE, now=NOW, facts=Facts(approvals=(approval(),), authors=None))
    assert verdict.outcome == "insufficient"
    assert "not signed" in verdict.open[0].found


def test_what_was_found_is_told_in_the_gatherers_words():
    """Facts carry their explanation into the verdict."""
    asked = Policy(name="p", version=1, lineage={"no_contamination": False, "no_recall": True})
    facts = Facts(recalls=("sha256:x",), told={"lineage.no_recall": "source recalled by the custodian: consent withdrawn"})
    assert decide(DOSSIER, asked, now=NOW, facts=facts).failed[0].found.endswith("consent withdrawn")
