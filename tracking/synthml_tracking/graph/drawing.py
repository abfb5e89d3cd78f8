"""A graph for people: a tree in the terminal, Mermaid, DOT. Pure.

Names come from whoever can write to the registry. In the tree they are one line of printable text; in Mermaid every character but
letters, digits and a few marks is written by its number; in DOT they stand in quotes, so that nothing in them is HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthml_tracking.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synthml.lineage import Graph, Link, Node

__all__ = ["dot", "mermaid", "tree"]

_LONGEST = 160
_CHILDREN = 50
_MARKS = frozenset(" .,_:/@-()")
_WORDS = {"making": "made by", "alias": "alias"}


def tree(graph: Graph, *, most: int = _CHILDREN) -> str:
    """What was asked about, what it was made from, and what came of it. most: branches of one node that are shown."""
    lines = [_told(graph.nodes[graph.root])]
    for title, forward in (("made from", False), ("leads to", True)):
        branches = list(_branches(graph, forward, most))
        lines += [title, *branches] if branches else []
    return "\n".join(lines)


def _branches(graph: Graph, forward: bool, most: int) -> Iterator[str]:
    """Depth first without recursion: a chain may be longer than Python's stack. A node that was drawn is not drawn again."""
    links = graph.after if forward else graph.before
    seen = {graph.root}

    def below(node: str, indent: str) -> list[tuple[str, Link | None, int, bool]]:
        found = links(node)
        rows: list[tuple[str, Link | None, int, bool]] = [
            (indent, link, 0, i + 1 == len(found)) for i, link in enumerate(found[:most])
        ]
        if len(found) > most:
            rows.append((indent, None, len(found) - most, True))
        return rows[::-1]

    todo = below(graph.root, "")
    while todo:
        indent, link, more, last = todo.pop()
        mark = "└─ " if last else "├─ "
        if link is None:
            yield f"{indent}{mark}and {more:,} more"
            continue
        node = link.end if forward else link.start
        label = f"  ({one_line(link.label, 60)})" if link.label else ""
        again = node in seen and bool(links(node))
        yield f"{indent}{mark}{_told(graph.nodes[node])}{label}{'  (see above)' if again else ''}"
        if node not in seen:
            seen.add(node)
            todo += below(node, indent + ("   " if last else "│  "))


def _told(node: Node) -> str:
    facts = "".join(f"  {one_line(value, _LONGEST)}" for name, value in node.facts.items() if name in {"state", "outcome"})
    recalled = f"  RECALLED: {one_line(node.facts['recalled'], _LONGEST)}" if node.recalled else ""
    return f"{_WORDS.get(node.kind, node.kind)} {one_line(node.name, _LONGEST)}{facts}{recalled}"


def mermaid(graph: Graph) -> str:
    """A flowchart from left to right."""
    short = {node: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f'  {short[node.id]}["{_numbered(_told(node))}"]' for node in graph.nodes.values()]
    for link in graph.links:
        label = f'|"{_numbered(one_line(link.label, 60))}"|' if link.label else ""
        lines.append(f"  {short[link.start]} -->{label} {short[link.end]}")
    lines.append("  classDef recalled stroke:#b00020,stroke-width:3px")
    lines.append("  classDef asked stroke-width:3px")
    lines += [f"  class {short[node.id]} recalled" for node in graph.nodes.values() if node.recalled]
    lines.append(f"  class {short[graph.root]} asked")
    return "\n".join(lines) + "\n"


def _numbered(text: str) -> str:
    return "".join(c if c.isalnum() or c in _MARKS else f"#{ord(c)};" for c in text)


def dot(graph: Graph) -> str:
    """For Graphviz."""
    short = {node: f"n{i}" for i, node in enumerate(graph.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    for node in graph.nodes.values():
        look = ", color=red" if node.recalled else ""
        look += ", penwidth=2" if node.id == graph.root else ""
        lines.append(f"  {short[node.id]} [label={_quoted(_told(node))}{look}];")
    for link in graph.links:
        label = f" [label={_quoted(one_line(link.label, 60))}]" if link.label else ""
        lines.append(f"  {short[link.start]} -> {short[link.end]}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
