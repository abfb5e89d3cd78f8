"""Where a model comes from and where it went, as a drawing: source, generator, synthetic table, run, model, version, deployment.

From top to bottom in layers: a node stands below everything that it came from, and as near as it can to what came of it. At
most so many nodes of a layer are drawn, those that are recalled or serve before the others; how many are left out is said. No
mark rests on colour alone: what is recalled is named so, and its frame is broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthml.lineage import Graph, Link, Node, generator_name
from synthml.report.wording import label, prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.report.reading import Reading

__all__ = ["Arrow", "Box", "Drawing", "drawing", "graph_of"]

_MOST, _MOST_WORDS = 4, 60
_WIDE, _HIGH, _BESIDE, _BELOW = 196, 58, 22, 40
_WORDS = {
    "table": "table",
    "making": "made by",
    "run": "training run",
    "model": "logged model",
    "version": "registered version",
    "alias": "alias",
    "deployment": "deployment",
}
_ROLES = ("source", "synthetic", "holdout", "reference", "production")


@dataclass(frozen=True)
class Box:
    """A node. x, y: its left upper corner; word: what it is; name: cut; mark: what must be seen, `RECALLED` or a state."""

    x: float
    y: float
    kind: str
    word: str
    name: str
    full: str
    mark: str = ""
    recalled: bool = False
    asked: bool = False

    @property
    def middle(self) -> float:
        """Where its text is centred."""
        return self.x + _WIDE / 2


@dataclass(frozen=True)
class Arrow:
    """A link: its path, and its label with the place of it."""

    path: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """The picture, and the same in words, one sentence a link."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    words: tuple[str, ...]
    left_out: int
    wide: int = _WIDE
    high: int = _HIGH


def graph_of(reading: Reading) -> Graph:
    """What the evidence alone knows: its tables, the generator, and the model when there is one."""
    dossier, nodes, links = reading.dossier, dict[str, Node](), list[Link]()
    roles: dict[str, list[str]] = {}
    for role in sorted(dossier.datasets, key=lambda one: (_ROLES.index(one) if one in _ROLES else len(_ROLES), one)):
        digest = dossier.datasets[role].get("digest")
        if digest:
            roles.setdefault(str(digest), []).append(role)
    for digest in roles:
        nodes[f"table:{digest}"] = Node(f"table:{digest}", "table", digest)
    synthetic = [digest for digest, told in roles.items() if "synthetic" in told]
    sources = [digest for digest, told in roles.items() if "source" in told and digest not in synthetic]
    for made in synthetic[:1] if sources else ():
        nodes["making"] = Node("making", "making", generator_name(dossier.generation) or "synthesis")
        links += [*(Link(f"table:{one}", "making") for one in sources), Link("making", f"table:{made}")]
    model = (dossier.model or {}).get("digest")
    if model:
        nodes["model"] = Node("model", "model", str((dossier.model or {}).get("uri") or model))
        for digest, told in roles.items():
            shown = [role for role in told if not (role == "source" and synthetic)]
            if shown:
                links.append(Link(f"table:{digest}", "model", ", ".join(shown)))
    return Graph("model" if model else next(iter(nodes), ""), nodes, tuple(links))


def drawing(graph: Graph) -> Drawing | None:
    """The drawing of a graph; None when there is no link to draw."""
    if not graph.links:
        return None
    layers = _layered(graph)
    kept = {node: (row, column) for row, layer in enumerate(layers) for column, node in enumerate(layer[:_MOST])}
    left_out = {row: len(layer) - _MOST for row, layer in enumerate(layers) if len(layer) > _MOST}
    most = max(min(len(layer), _MOST) + (row in left_out) for row, layer in enumerate(layers))
    width = most * (_WIDE + _BESIDE) + 2
    places = {}
    for row, layer in enumerate(layers):
        shown = min(len(layer), _MOST) + (row in left_out)
        start = (width - shown * (_WIDE + _BESIDE) + _BESIDE) / 2
        for column in range(shown):
            places[row, column] = (start + column * (_WIDE + _BESIDE), 2 + row * (_HIGH + _BELOW))
    boxes = [_box(graph, graph.nodes[node], places[place]) for node, place in kept.items()]
    boxes += [_more(places[row, _MOST], count) for row, count in left_out.items()]
    drawn = [link for link in graph.links if link.start in kept and link.end in kept]
    arrows = [_arrow(graph, link, places[kept[link.start]], places[kept[link.end]]) for link in drawn]
    height = len(layers) * (_HIGH + _BELOW) - _BELOW + 4
    return Drawing(width, height, tuple(boxes), tuple(arrows), tuple(_words(graph)), sum(left_out.values()))


def _layered(graph: Graph) -> list[list[str]]:
    """Nodes by layer. A ring, which only a mistaken statement makes, ends where the nodes do."""
    depth = dict.fromkeys(graph.nodes, 0)
    for _ in graph.nodes:
        moved = False
        for link in graph.links:
            if depth[link.end] <= depth[link.start] < len(graph.nodes):
                depth[link.end], moved = depth[link.start] + 1, True
        if not moved:
            break
    for node in graph.nodes:  # what came from nothing stands right above what came of it
        below = [depth[link.end] for link in graph.after(node)]
        if not graph.before(node) and below:
            depth[node] = max(0, min(below) - 1)
    levels = sorted(set(depth.values()))
    layers: list[list[str]] = [[node for node in graph.nodes if depth[node] == level] for level in levels]
    place: dict[str, float] = {}
    for layer in layers:
        layer.sort(key=lambda node: (_rank(graph.nodes[node]), _mean(graph, node, place)))
        shown = sorted(layer[:_MOST], key=lambda node: _mean(graph, node, place))
        layer[:_MOST] = shown
        place |= {node: column - (len(layer) - 1) / 2 for column, node in enumerate(layer)}
    return layers


def _rank(node: Node) -> int:
    """What is drawn first where there is no room for all."""
    serves = node.facts.get("state") in {"live", "planned", "overdue"}
    return 0 if node.recalled else 1 if serves else 2 if node.kind != "deployment" else 3


def _mean(graph: Graph, node: str, place: Mapping[str, float]) -> float:
    above = [place[link.start] for link in graph.before(node) if link.start in place]
    return sum(above) / len(above) if above else 0.0


def _box(graph: Graph, node: Node, place: tuple[float, float]) -> Box:
    name = node.name
    if node.kind == "table" and ":" in name:
        kind, _, value = name.partition(":")
        name = f"{value[:12]}…" if kind == "sha256" else f"{kind} {value[:8]}…"
    shown = label(name, cut=24)
    mark = "RECALLED" if node.recalled else prose(node.facts.get("state", ""), cut=24)
    told = f"{node.name}; {node.facts['recalled']}" if node.recalled else node.name
    word = prose(_word(graph, node), cut=30)
    return Box(*place, node.kind, word, shown.shown, prose(told, cut=240), mark, node.recalled, node.id == graph.root)


def _word(graph: Graph, node: Node) -> str:
    """What a node is; of a table what it was used as."""
    if node.kind != "table":
        return _WORDS.get(node.kind, node.kind)
    roles = dict.fromkeys(link.label for link in graph.after(node.id) if link.label)
    if not roles and graph.after(node.id):
        roles["source"] = None
    return f"{', '.join(roles)} table" if roles else "table"


def _more(place: tuple[float, float], count: int) -> Box:
    return Box(*place, "more", "", f"and {count:,} more", f"{count:,} more are not drawn")


def _arrow(graph: Graph, link: Link, start: tuple[float, float], end: tuple[float, float]) -> Arrow:
    """A table's role stands in its box."""
    x1, y1, x2, y2 = start[0] + _WIDE / 2, start[1] + _HIGH, end[0] + _WIDE / 2, end[1] - 5
    half = (y1 + y2) / 2
    path = f"M{x1:g} {y1:g}C{x1:g} {half:g} {x2:g} {half:g} {x2:g} {y2:g}"
    told = "" if graph.nodes[link.start].kind == "table" else label(link.label, cut=22).shown
    return Arrow(path, told, (x1 + x2) / 2 + 5, half + 4)


def _words(graph: Graph) -> list[str]:
    found = []
    for link in graph.links[:_MOST_WORDS]:
        start, end = graph.nodes[link.start], graph.nodes[link.end]
        as_what = f", as {prose(link.label, cut=60)}" if link.label else ""
        found.append(f"{_spoken(start)} → {_spoken(end)}{as_what}")
    more = len(graph.links) - _MOST_WORDS
    return [*found, f"and {more:,} more"] if more > 0 else found


def _spoken(node: Node) -> str:
    recalled = f" (RECALLED: {prose(node.facts['recalled'], cut=160)})" if node.recalled else ""
    state = f" ({prose(node.facts['state'], cut=24)})" if node.facts.get("state") else ""
    return f"{_WORDS.get(node.kind, node.kind)} {prose(node.name, cut=120)}{state}{recalled}"
