"""The drawing of lineage: what stands in it is what the graph says, and nothing in a name is more than text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.report_dossiers import dossier

from synthml.lineage import Graph, Link, Node
from synthml.report.descent import drawing, graph_of
from synthml.report.html import report_html
from synthml.report.reading import Reading

EVIL = "<script>alert(1)</script>\"'&\u202e\x1b[31m\n" + "é漢字" * 3000


def chain(*, recalled: bool = False, endpoints: int = 2) -> Graph:
    nodes = [
        Node("s", "table", "sha256:" + "a" * 64, {"recalled": "recalled on 2030-01-01 (custodian): consent"} if recalled else {}),
        Node("g", "making", "CART 1"),
        Node("y", "table", "sha256:" + "b" * 64),
        Node("h", "table", "sha256:" + "c" * 64),
        Node("r", "run", "a run"),
        Node("m", "model", "m-1"),
        Node("v", "version", "models:/risk/1"),
        *(
            Node(f"d{i}", "deployment", f"ward {i}", {"state": "live" if i == endpoints - 1 else "retired"})
            for i in range(endpoints)
        ),
    ]
    links = [
        Link("s", "g"),
        Link("g", "y"),
        Link("y", "r", "synthetic"),
        Link("h", "r", "holdout"),
        Link("r", "m"),
        Link("m", "v"),
    ]
    return Graph("v", {node.id: node for node in nodes}, (*links, *(Link("v", f"d{i}") for i in range(endpoints))))


def test_every_node_and_link_is_drawn_below_what_it_came_from() -> None:
    graph = chain()
    made = drawing(graph)
    assert made is not None
    assert [box.name for box in made.boxes if box.asked] == ["models:/risk/1"]
    place = {box.full: box.y for box in made.boxes}
    assert len(place) == len(graph.nodes)
    assert len(made.arrows) == len(graph.links)
    assert all(place[graph.nodes[link.start].name] < place[graph.nodes[link.end].name] for link in graph.links)
    words = {box.word for box in made.boxes}
    assert {"source table", "synthetic table", "holdout table", "made by", "deployment"} <= words
    assert place["sha256:" + "c" * 64] == place["sha256:" + "b" * 64]  # the holdout stands beside what the run was given too
    assert made.words[2] == f"table sha256:{'b' * 64} → training run a run, as synthetic"


def test_a_recalled_table_is_named_so_and_why_stands_in_words() -> None:
    made = drawing(chain(recalled=True))
    assert made is not None
    (box,) = [one for one in made.boxes if one.recalled]
    assert (box.mark, box.word) == ("RECALLED", "source table")
    assert "consent" in box.full
    assert "RECALLED: recalled on 2030-01-01 (custodian): consent" in made.words[0]


def test_where_there_is_no_room_what_serves_is_drawn_and_the_rest_is_counted() -> None:
    made = drawing(chain(endpoints=30))
    assert made is not None
    shown = [box for box in made.boxes if box.kind == "deployment"]
    assert len(shown) == 4
    assert "live" in {box.mark for box in shown}
    assert (made.left_out, [box.name for box in made.boxes if box.kind == "more"]) == (26, ["and 26 more"])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_any_links_are_drawn_in_a_frame_that_holds_them(pairs: list[tuple[int, int]]) -> None:
    """Rings and links from a node to itself too, which only a mistaken statement makes."""
    nodes = {str(i): Node(str(i), "table", f"t{i}") for i in range(10)}
    links = tuple(sorted({Link(str(a), str(b)) for a, b in pairs}))
    made = drawing(Graph("0", nodes, links))
    if made is None:
        assert not links
        return
    for box in made.boxes:
        assert 0 <= box.x <= made.width - made.wide
        assert 0 <= box.y <= made.height - made.high
    spots = [(box.x, box.y) for box in made.boxes]
    assert len(set(spots)) == len(spots)


@pytest.mark.parametrize("kind", ["table", "making", "run", "model", "version", "deployment"])
def test_names_stay_text(kind: str) -> None:
    graph = Graph("a", {"a": Node("a", kind, EVIL), "b": Node("b", "table", EVIL, {"recalled": EVIL})}, (Link("b", "a", EVIL),))
    page = report_html(dossier(), lineage=graph)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert len(page) < 1_000_000


def test_without_a_registry_the_evidence_is_drawn() -> None:
    """Source, generator, synthetic table, holdout and model; a table in two roles once; nothing when there is no table."""
    made = dossier()
    page = report_html(made)
    figure = page[page.index('<figure class="lineage">') : page.index("</figure>", page.index('<figure class="lineage">'))]
    assert re.findall(r'class="word"[^>]*>([^<]+)<', figure) == [
        "source table", "made by", "synthetic table", "holdout table", "logged model",
    ]  # fmt: skip
    both = replace(made, datasets={"source": made.datasets["source"], "holdout": made.datasets["source"]})
    graph = graph_of(Reading(both))
    assert [link.label for link in graph.links] == ["source, holdout"]
    assert 'figure class="lineage"' not in report_html(replace(made, datasets={}, model=None))
