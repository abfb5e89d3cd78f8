"""Chains of tables by hand: what is behind a table, and which holdout was seen."""

import pytest

from synthml.errors import EvidenceError
from synthml_tracking.ancestry import MOST, Edge, followed, seen_holdouts


def ancestry(*edges, start=("y",)):
    made = [
        Edge(*edge.split("<")) if "/" not in edge else Edge(*edge.split("/")[0].split("<"), edge.split("/")[1]) for edge in edges
    ]
    return followed(start, (), lambda table: [edge for edge in made if edge.derived == table])


def test_a_chain_is_followed_to_its_origin():
    """Re-synthesised, augmented, in a circle, and never into what was made of a table."""
    found = ancestry("y<x", "x<s", "x<a", "s<y", "other<s")
    assert set(found.tables) == {"y", "x", "s", "a"}
    assert found.above(["y"]) == {"x", "s", "a", "y"}
    assert found.path("y", "a") == ("y", "x", "a")
    assert found.path("a", "y") == ()


@pytest.mark.parametrize(
    ("edges", "learned", "seen"),
    [
        (["y<s"], "ys", None),
        ([], "h", "learned from it"),
        (["y<h"], "y", "inputs of an ancestor"),
        (["y<x", "x<h"], "y", "inputs of an ancestor"),
        (["y<x/augmentation", "x<h/sampling"], "y", "inputs of an ancestor"),  # the holdout holds what was sampled from it
        (["h<s", "y<s"], "ys", "was made of a table"),
        (["h<s/sampling", "y<s"], "y", "was made of a table"),
        (["h<t/split", "s<t/split", "y<s"], "ys", None),  # two halves of one table
        (["h<t/sampling", "s<t/split", "y<s", "y<t"], "ys", "was made of a table"),  # but the whole of it went in elsewhere
        (["h<u/split", "u<t/split", "s<t/split"], "s", None),
    ],
)
def test_a_holdout_was_seen(edges, learned, seen):
    """One way a row; a common origin alone is none."""
    found = seen_holdouts(ancestry(*edges, start=(*learned, "h")), tuple(learned), ["h"])
    assert (found.get("h") is None) if seen is None else (seen in found["h"])


def test_a_flood_of_tables_is_refused():
    """Whoever writes thousands of derivations does not keep a gate busy for ever."""
    with pytest.raises(EvidenceError, match="more than"):
        followed(["0"], (), lambda table: [Edge(table, str(int(table) + 1))])
    assert MOST <= 1000
