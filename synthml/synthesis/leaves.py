"""One decision tree as a set of donors: which source rows may lend their value to a synthetic row.

The tree is grown on the columns that come before (scikit-learn; Breiman, Friedman, Olshen & Stone 1984). A synthetic row falls
into a leaf and takes the value of one of the source rows in it, drawn at random (Reiter 2005, "Using CART to generate partially
synthetic, public use microdata"). A leaf with fewer than `min_leaf` subjects lends nothing by itself: it uses the smallest branch
above it that has enough. Of a very large table a random part of the rows decides where the tree splits, and all rows lend.

Categories that predict are put in the order of the response: by its mean, or for several classes along the first principal
component of the class shares (Coppersmith, Hong & Hosking 1999, doi 10.1023/A:1009869804967), so that a category of a thousand
levels costs as much as a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Leaves", "grow"]

_MOST_CLASSES = 32
_MOST_GROWN = 100_000  # a larger table grows its trees on so many of its rows, and lends from all of them
_SHRINKAGE = 5.0  # rows of the average that every category is given before categories are put in order


@dataclass(frozen=True)
class Leaves:
    """A grown tree and the training rows of every leaf.

    orders: for predictor number j that is a category, (levels + 1,) the place of each level, the last for null.
    donors (n,): training rows, leaf by leaf. starts, stops (nodes,): the part of `donors` that a leaf may lend from.
    tree: None when all rows are one leaf.
    """

    tree: Any
    orders: dict[int, NDArray[np.float32]]
    donors: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def draw(self, given: Sequence[NDArray[np.floating]], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(n,) a donor for each of n rows that hold the predictors `given`, each (n,)."""
        leaf = np.zeros(n, dtype=np.int64)
        if self.tree is not None:
            leaf = self.tree.apply(_matrix(given, self.orders, n))
        start = self.starts[leaf]
        size = self.stops[leaf] - start
        return self.donors[start + (rng.random(n) * size).astype(np.int64)]


def grow(
    given: Sequence[NDArray[np.float32]],
    categories: Sequence[int],
    response: NDArray[Any],
    units: NDArray[np.int64] | None,
    *,
    classes: int,
    min_leaf: int,
    seed: int,
) -> Leaves:
    """Grow the tree of one response.

    given: predictors, each (n,). categories: for each of them its number of levels, 0 for numbers. response (n,): class codes
    when `classes` > 0, else numbers. units (n,): each row's subject, None when every row is its own.
    """
    n = response.shape[0]
    rows = np.arange(n)
    single = Leaves(None, {}, rows, np.array([0]), np.array([n]))
    if not given or n < 2 * min_leaf or (response == response[0]).all():
        return single
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if classes > _MOST_CLASSES:
        response, classes = _grouped(response, classes, given), _MOST_CLASSES
    orders = {j: _order(given[j], levels, response, classes) for j, levels in enumerate(categories) if levels > 2}
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    matrix = _matrix(given, orders, n)
    grown = np.random.default_rng(seed).choice(n, _MOST_GROWN, replace=False) if n > _MOST_GROWN else rows
    model = kind(min_samples_leaf=min_leaf, random_state=seed).fit(matrix[grown], response[grown])
    leaf = model.tree_.apply(matrix)
    rows = np.argsort(leaf, kind="stable")
    starts, stops = _settled(model.tree_, leaf[rows], None if units is None else units[rows], min_leaf)
    return Leaves(model.tree_, orders, rows, starts, stops)


def _matrix(given: Sequence[NDArray[np.floating]], orders: dict[int, NDArray[np.float32]], n: int) -> NDArray[np.float32]:
    matrix = np.empty((n, len(given)), dtype=np.float32, order="F")
    for j, position in enumerate(given):
        # Code -1, null, picks the last place.
        matrix[:, j] = orders[j][position.astype(np.int64)] if j in orders else position
    return matrix


def _order(position: NDArray[np.float32], levels: int, response: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """(levels + 1,) places of a predicting category's levels, null last, in the order of the response."""
    codes = position.astype(np.int64) % (levels + 1)
    count = np.bincount(codes, minlength=levels + 1).astype(np.float64)
    if not classes:
        score = np.bincount(codes, weights=response, minlength=levels + 1) - count * response.mean()
        score /= count + _SHRINKAGE
    else:
        shares = np.bincount(codes * classes + response, minlength=(levels + 1) * classes).reshape(levels + 1, classes)
        average = np.bincount(response, minlength=classes) / response.shape[0]
        shares = (shares - count[:, None] * average) / (count[:, None] + _SHRINKAGE)
        score = shares @ _principal(shares, count)
    place = np.empty(levels + 1, dtype=np.float32)
    place[np.argsort(score, kind="stable")] = np.arange(levels + 1)
    return place


def _principal(points: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """First principal direction of weighted, centred points (m, k), its sign fixed so that reruns agree."""
    direction: NDArray[np.float64] = np.linalg.eigh((points * weight[:, None]).T @ points)[1][:, -1]
    return direction * (1.0 if direction[np.abs(direction).argmax()] > 0 else -1.0)


def _grouped(response: NDArray[np.int64], classes: int, given: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
    """Many classes as few: frequent ones stay alone, the others are joined with those most alike in the predictors' means.

    Only the growing of the tree sees the groups; donors lend the category they have.
    """
    count = np.bincount(response, minlength=classes).astype(np.float64)
    present = np.maximum(count, 1.0)
    means = np.stack([np.bincount(response, weights=p, minlength=classes) / present for p in given], axis=1)
    spread = np.array([p.std() for p in given])
    means = (means - np.array([p.mean() for p in given])) / np.where(spread > 0, spread, 1.0)
    score = means @ _principal(means, count)
    alone = np.argsort(-count, kind="stable")[: _MOST_CLASSES // 2]
    group = np.empty(classes, dtype=np.int64)
    group[alone] = np.arange(alone.size)
    rest = np.setdiff1d(np.argsort(score, kind="stable"), alone, assume_unique=True)
    rest = rest[np.argsort(score[rest], kind="stable")]
    upto = np.cumsum(count[rest])
    bins = _MOST_CLASSES - alone.size
    group[rest] = alone.size + np.minimum((upto - count[rest] / 2) / max(upto[-1], 1.0) * bins, bins - 1).astype(np.int64)
    return group[response]


def _settled(
    tree: Any, leaf: NDArray[np.int64], units: NDArray[np.int64] | None, min_leaf: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each leaf's donors start and stop among the rows sorted by leaf; leaves with too few subjects use a branch above.

    scikit-learn numbers the nodes depth first, so the rows below any node are neighbours once sorted by leaf.
    """
    left, right = tree.children_left, tree.children_right
    nodes = np.arange(tree.node_count)
    last = np.where(right >= 0, right, nodes)
    while (right[last] >= 0).any():
        last = np.where(right[last] >= 0, right[last], last)
    starts, stops = np.searchsorted(leaf, nodes, side="left"), np.searchsorted(leaf, last, side="right")
    if units is None:
        return starts, stops
    parent = np.zeros(tree.node_count, dtype=np.int64)
    inner = np.flatnonzero(left >= 0)
    parent[left[inner]], parent[right[inner]] = inner, inner
    lender = nodes.copy()
    asked = nodes[left < 0]
    while asked.size:
        branches = np.unique(lender[asked])
        few = np.zeros(tree.node_count, dtype=bool)
        few[branches] = _distinct(units, starts[branches], stops[branches]) < min_leaf
        asked = asked[few[lender[asked]] & (lender[asked] != 0)]
        lender[asked] = parent[lender[asked]]
    return starts[lender], stops[lender]


def _distinct(units: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many different subjects stand in each of several stretches of rows."""
    sizes = stops - starts
    which = np.repeat(np.arange(sizes.size), sizes)
    rows = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(starts, sizes)
    base = int(units.max()) + 1
    pairs = np.unique(which * base + units[rows])
    return np.bincount(pairs // base, minlength=sizes.size)
