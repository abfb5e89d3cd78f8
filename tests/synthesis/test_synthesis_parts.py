"""The parts, on tables small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthml.synthesis.columns import holders, read_column
from synthml.synthesis.leaves import grow
from synthml.synthesis.smoothing import Smoother


def test_holders_are_subjects_not_rows() -> None:
    """Level 0 stands in three rows of one subject, level 1 in two of two, null in one."""
    codes = np.array([0, 0, 0, 1, 1, -1])
    units = np.array([7, 7, 7, 7, 8, 8])
    assert holders(codes, 2, None).tolist() == [3, 2, 1]
    assert holders(codes, 2, units).tolist() == [1, 2, 1]


def test_a_number_is_spread_over_its_neighbours() -> None:
    """Of 0, 1, ... 99 the value 50 is drawn between 47.5 and 52.5 at a leaf of 2: two values and half its own to either side."""
    column = read_column("x", pd.Series(np.arange(100) + 0.5 * np.sqrt(2)))
    smoother = Smoother.fit(column, None, 2, np.random.default_rng(0))
    values, positions = smoother.draw(np.full(20000, 50), np.random.default_rng(1))
    drawn = values - 0.5 * np.sqrt(2)
    assert 47.5 <= drawn.min() < 47.6
    assert 52.4 < drawn.max() <= 52.5
    assert drawn.mean() == pytest.approx(50, abs=0.05)
    assert positions.min() == 47.5
    assert not np.isin(values, column.levels).any()
    assert smoother.bounds == pytest.approx((1 + 0.5 * np.sqrt(2), 98 + 0.5 * np.sqrt(2)))


def test_an_atom_is_drawn_as_it_stands() -> None:
    """Of 40 zeros and the numbers 1 to 4 only the zeros are held by five, and a zero stays a zero."""
    column = read_column("x", pd.Series([0] * 40 + [1, 2, 3, 4]))
    smoother = Smoother.fit(column, None, 5, np.random.default_rng(0))
    assert smoother.loose.tolist() == [False, True, True, True, True]
    assert (smoother.draw(np.zeros(100, dtype=np.int64), np.random.default_rng(0))[0] == 0).all()


def test_every_leaf_lends_from_enough_rows() -> None:
    """Grown on 500 rows, every draw is made among the minimum of 12 or more, and together the leaves hold every row once."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=500).astype(np.float32)
    leaves = grow([x], [0], x + rng.normal(0, 0.1, 500), None, classes=0, min_leaf=12, seed=0)
    ends = leaves.tree.children_left < 0
    sizes = (leaves.stops - leaves.starts)[ends]
    assert sizes.min() >= 12
    assert sizes.sum() == 500
    assert np.sort(leaves.donors).tolist() == list(range(500))


def test_donors_of_a_row_stand_in_its_own_leaf() -> None:
    """A row that is given its own predictors gets donors with nearly its own response, not those of another branch."""
    rng = np.random.default_rng(1)
    x = rng.uniform(size=2000).astype(np.float32)
    leaves = grow([x], [0], x.astype(float), None, classes=0, min_leaf=5, seed=0)
    donors = leaves.draw([x], 2000, rng)
    assert np.abs(x[donors] - x).max() < 0.02


def test_every_leaf_lends_from_enough_subjects() -> None:
    """Where one subject's rows fill a leaf, the branch above it lends, until four subjects do."""
    rng = np.random.default_rng(2)
    units = np.repeat(np.arange(60), 20)
    x = (units + rng.uniform(0, 0.5, 1200)).astype(np.float32)
    leaves = grow([x], [0], rng.normal(size=1200) + units, units, classes=0, min_leaf=4, seed=0)
    ends = np.flatnonzero(leaves.tree.children_left < 0)
    subjects = [np.unique(units[leaves.donors[leaves.starts[leaf] : leaves.stops[leaf]]]).size for leaf in ends]
    assert min(subjects) >= 4
    assert np.median(subjects) < 15


def test_categories_are_put_in_the_order_of_the_response() -> None:
    """Means 3, 1, 2 give the places 2, 0, 1; null, whose mean is the largest, comes last."""
    codes = np.tile([0, 1, 2, -1], 50).astype(np.float32)
    response = np.tile([3.0, 1.0, 2.0, 9.0], 50)
    leaves = grow([codes], [3], response, None, classes=0, min_leaf=5, seed=0)
    assert leaves.orders[0].tolist() == [2, 0, 1, 3]


def test_categories_are_put_in_the_order_of_several_classes() -> None:
    """Levels 0 and 2 lead to class 0, levels 1 and 3 to class 2: like ones become neighbours."""
    codes = np.tile([0, 1, 2, 3], 50).astype(np.float32)
    response = np.tile([0, 2, 0, 2], 50)
    response[:4] = [1, 1, 1, 1]
    order = grow([codes], [4], response, None, classes=3, min_leaf=5, seed=0).orders[0]
    assert abs(order[0] - order[2]) < abs(order[0] - order[1])
    assert abs(order[1] - order[3]) < abs(order[1] - order[2])
