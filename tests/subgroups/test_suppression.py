"""No withheld group can be read off, nor worked out from what is published."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patients import patient_study
from scipy.optimize import linprog

import synthml
from synthml.study.groups import Grouping, cross
from synthml.study.schema import MinimumCell
from synthml.subgroups.naming import Members, people_in
from synthml.subgroups.showing import shown_groups
from synthml.subgroups.suppression import Withheld, Withholding, withhold

MINIMUM = MinimumCell(rows=100, events=20)


def grouping(column: str, codes: np.ndarray) -> Grouping:
    return Grouping((column,), tuple(((column, f"{column}{i}"),) for i in range(codes.max() + 1)), codes)


def members(*groupings: Grouping, people: np.ndarray | None = None) -> list[Members]:
    return [Members(g, g.sizes, people_in(g.codes, len(g.labels), people)) for g in groupings]


def table(sizes: list[int], events: list[int]) -> tuple[Grouping, np.ndarray]:
    """Rows of groups with these sizes and events."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    truth = np.concatenate(
        [np.r_[np.ones(e, dtype=np.int64), np.zeros(n - e, dtype=np.int64)] for n, e in zip(sizes, events, strict=True)]
    )
    return grouping("g", codes), truth


def flags(withholding: Withholding, at: int = 0) -> str:
    return "".join("." if why is None else why.value[0] for why in withholding.by_grouping[at])


@pytest.mark.parametrize(
    ("sizes", "events", "expected"),
    [
        ([500, 400, 300], [100, 100, 100], "..."),  # nothing is small
        ([500, 400, 99], [100, 100, 40], ".cs"),  # one small group: the next smallest hides it
        (
            [500, 400, 300, 60, 60],
            [100, 100, 100, 30, 30],
            "...ss",
        ),  # two small ones hide each other: together they hold the minimum
        ([500, 400, 300, 30, 30], [100, 100, 100, 20, 10], "..css"),  # two very small ones do not
        (
            [500, 110, 3],
            [100, 60, 1],
            "c.s",
        ),  # 110 rows known to be at least 100 hide nothing
        ([500, 400, 300], [100, 100, 19], ".cs"),  # too few events
        ([500, 400, 300], [100, 100, 281], ".cs"),  # too few rows without the event
        ([500, 99], [100, 40], "cs"),  # with two groups both go
    ],
)
def test_groups_of_one_column(sizes: list[int], events: list[int], expected: str):
    """Each line is a column: its groups' rows and events, and which are withheld (s small, c complementary)."""
    g, truth = table(sizes, events)
    assert flags(withhold(members(g), truth, MINIMUM)) == expected


def test_reasons_tell_small_from_complementary_and_give_no_count():
    g, truth = table([500, 400, 77], [100, 100, 40])
    found = withhold(members(g), truth, MINIMUM)
    assert found.reason(0, 0) is None
    assert found.reason(0, 2) == "smaller than the minimum cell of 100 rows and 20 of either outcome"
    assert found.reason(0, 1) == "withheld so that a smaller group cannot be worked out from the total"


def test_without_a_binary_outcome_only_rows_count():
    g, _ = table([500, 400, 99], [0, 0, 0])
    assert flags(withhold(members(g), None, MINIMUM)) == ".cs"
    assert "outcome" not in (withhold(members(g), None, MINIMUM).reason(0, 2) or "")


def test_many_rows_of_few_people_are_a_small_group():
    g, truth = table([500, 400, 300], [100, 100, 100])
    people = np.r_[np.arange(900), 900 + np.arange(300) % 9]
    assert flags(withhold(members(g, people=people), truth, MINIMUM)) == ".cs"


def test_a_margin_is_withheld_with_its_cells_open_only_when_nothing_follows():
    """A withheld margin whose intersection cells were all shown could be added up: one of them is withheld too."""
    a = np.repeat([0, 0, 1, 1, 2], [3000, 3000, 400, 400, 50])
    b = np.repeat([0, 1, 0, 1, 0], [3000, 3000, 400, 400, 50])
    truth = (np.arange(a.size) % 4 == 0).astype(np.int64)
    first, second = grouping("a", a), grouping("b", b)
    found = withhold(members(first, second, cross([first, second])), truth, MINIMUM)
    assert flags(found) == ".cs"
    of_second_group = [
        why for why, labels in zip(found.by_grouping[2], cross([first, second]).labels, strict=True) if labels[0][1] == "a1"
    ]
    assert any(why is not None for why in of_second_group)


def _attack(found: Withholding, groups: list[Members], truth: np.ndarray | None, weigh: np.ndarray) -> list[tuple[float, float]]:
    """An attacker of our own making: what the published counts leave open of each withheld one, joint over all tables."""
    columns = sorted({c for m in groups for c in m.grouping.columns})
    labels = {c: sorted({dict(label)[c] for m in groups for label in m.grouping.labels if c in dict(label)}) for c in columns}
    atoms = [dict(zip(columns, combo, strict=True)) for combo in _product([labels[c] for c in columns])]
    kinds = 1 if truth is None else 2
    equal, right, cells, below, bound = [], [], [], [], []
    for at, member in enumerate(groups):
        for group, label in enumerate(member.grouping.labels):
            inside = np.array([all(atom[c] == v for c, v in label) for atom in atoms], dtype=float)
            rows = member.grouping.codes == group
            counts = [rows.sum()] if truth is None else [(rows & (truth == k)).sum() for k in range(kinds)]
            why = found.by_grouping[at][group]
            for k in range(kinds):
                vector = np.kron(inside, np.eye(kinds)[k])
                if why is None:
                    equal.append(vector)
                    right.append(counts[k])
                elif why is Withheld.COMPLEMENTARY:
                    below.append(-vector)
                    bound.append(-(MINIMUM.rows if kinds == 1 else MINIMUM.events))
            if why is Withheld.COMPLEMENTARY:
                below.append(-np.kron(inside, np.ones(kinds)))
                bound.append(-MINIMUM.rows)
            if why is not None:
                cells.append(np.kron(inside, weigh))
    total = [groups[0].rows.sum()] if truth is None else [(truth == k).sum() for k in range(kinds)]
    for k in range(kinds):
        equal.append(np.kron(np.ones(len(atoms)), np.eye(kinds)[k]))
        right.append(total[k])
    found_ranges = []
    for cell in cells:
        ends = []
        for sign in (1, -1):
            solved = linprog(
                sign * cell, A_eq=np.array(equal), b_eq=right, A_ub=np.array(below) if below else None, b_ub=bound or None
            )
            assert solved.status == 0
            ends.append(sign * solved.fun)
        found_ranges.append((ends[0], ends[1]))
    return found_ranges


def _product(lists: list[list[str]]) -> list[tuple[str, ...]]:
    return [()] if not lists else [(head, *rest) for head in lists[0] for rest in _product(lists[1:])]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), first=st.integers(2, 4), second=st.integers(2, 4), n=st.integers(1500, 8000))
def test_no_withheld_count_can_be_pinned_to_within_the_minimum(seed: int, first: int, second: int, n: int):
    """Over two columns and their intersection, an attacker with linear programs keeps a range of at least the minimum."""
    rng = np.random.default_rng(seed)
    a = rng.choice(first, n, p=rng.dirichlet(np.full(first, 0.6)))
    b = rng.choice(second, n, p=rng.dirichlet(np.full(second, 0.6)))
    truth = (rng.random(n) < 0.3).astype(np.int64)
    one, other = (grouping(name, np.unique(codes, return_inverse=True)[1]) for name, codes in (("a", a), ("b", b)))
    groups = members(one, other, cross([one, other]))
    found = withhold(groups, truth, MINIMUM)
    for weigh, least in (
        (np.ones(2), MINIMUM.rows),
        (np.array([0.0, 1.0]), MINIMUM.events),
        (np.array([1.0, 0.0]), MINIMUM.events),
    ):
        for low, high in _attack(found, groups, truth, weigh):
            assert high - low >= least - 1e-3


def test_withholding_is_deterministic_and_knows_no_row_order():
    rng = np.random.default_rng(3)
    a, b = rng.choice(4, 3000, p=[0.7, 0.2, 0.08, 0.02]), rng.choice(3, 3000, p=[0.6, 0.35, 0.05])
    truth = (rng.random(3000) < 0.3).astype(np.int64)
    order = rng.permutation(3000)

    def found(at: np.ndarray) -> Withholding:
        one, other = grouping("a", a[at]), grouping("b", b[at])
        return withhold(members(one, other, cross([one, other])), truth[at], MINIMUM)

    assert found(np.arange(3000)).by_grouping == found(order).by_grouping


def test_intersections_that_share_a_column_are_linked():
    """`sex` is no grouping of its own here, but both intersections add up to it."""
    sex = np.repeat([0, 1], [4000, 4000])
    race = np.r_[np.repeat([0, 1, 2], [3900, 60, 40]), np.repeat([0, 1, 2], [2000, 1000, 1000])]
    site = np.r_[np.repeat([0, 1], [2000, 2000]), np.repeat([0, 1], [3950, 50])]
    truth = (np.arange(8000) % 3 == 0).astype(np.int64)
    by = {name: grouping(name, codes) for name, codes in (("sex", sex), ("race", race), ("site", site))}
    groups = members(cross([by["sex"], by["race"]]), cross([by["sex"], by["site"]]))
    found = withhold(groups, truth, MINIMUM)
    assert any(why is Withheld.SMALL for why in found.by_grouping[0])
    for low, high in _attack(found, groups, truth, np.ones(2)):
        assert high - low >= MINIMUM.rows - 1e-3


def test_what_another_table_withholds_is_the_first_choice_here():
    """Of the groups that would hide a small one, the one that is withheld elsewhere is taken, and no other besides."""
    made, truth = table([500, 400, 300, 99], [100, 100, 100, 40])
    assert flags(withhold(members(made), truth, MINIMUM)) == "..cs"
    assert flags(withhold(members(made), truth, MINIMUM, {(("g", "g0"),)})) == "c..s"


def test_what_another_table_withholds_is_shown_where_nothing_is_small():
    made, truth = table([500, 400, 300], [100, 100, 100])
    assert flags(withhold(members(made), truth, MINIMUM, {(("g", "g0"),)})) == "..."


def test_every_kind_of_evidence_withholds_the_same_groups_of_the_source():
    """Otherwise what one kind shows would give away what another hides."""
    study = patient_study(1500, minimum_cell=MinimumCell(rows=230, events=20))
    shown, decided = shown_groups(study, "source")
    hidden = {
        name
        for member, reasons in zip(shown, decided.by_grouping, strict=True)
        for name, why in zip(member.grouping.names, reasons, strict=True)
        if why is not None
    }
    assert hidden
    dossier = synthml.measure(study, kinds=["bias", "fidelity", "quality", "disclosure"])
    named = {"bias_representation": ("of", "n_against"), "fidelity_groups": ("of", "n"), "disclosure_groups": ("name", "n")}
    sized = [
        row[name] for table, (name, count) in named.items() for row in dossier.tables[table] if row[name] != "all" and row[count]
    ]
    assert len(sized) > 10
    assert not hidden & set(sized)
