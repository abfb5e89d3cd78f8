"""Heat maps of associations: the source, the synthetic table and their difference as small squares, on one page or a phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.report.wording import label, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.report.reading import Reading

__all__ = ["Heat", "Panel", "Square", "association_heat"]

_MOST = 18
SIDE = 16


@dataclass(frozen=True)
class Square:
    """x, y: its corner. tone: plus, minus or gap; strength: opacity. marked: whether it departs. title: what it says."""

    x: int
    y: int
    tone: str
    strength: str
    marked: bool
    title: str


@dataclass(frozen=True)
class Panel:
    """One matrix. description: what a reader who cannot see it should know."""

    key: str
    title: str
    description: str
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class Heat:
    """names: of rows and columns, in order; size: of a matrix in units; strongest: the difference of full colour; note: what is
    left out."""

    names: tuple[str, ...]
    size: int
    panels: tuple[Panel, ...]
    strongest: str
    note: str


def association_heat(reading: Reading) -> Heat | None:
    """The matrices over all columns, or over those that depart furthest where there are too many."""
    rows = [row for row in reading.table("fidelity_pairs") if isinstance(row.get("gap_value"), (int, float))]
    names = list(dict.fromkeys(str(row[side]) for row in rows for side in ("first", "second")))
    if len(names) < 3:
        return None
    kept = _furthest(rows, names)
    place = {name: at for at, name in enumerate(kept)}
    rows = [row for row in rows if row["first"] in place and row["second"] in place]
    strongest = max(0.1, *(float(row["gap_value"]) for row in rows))
    shown = tuple(label(name, cut=18).shown for name in kept)
    worst = sorted(rows, key=lambda row: -float(row["gap_value"]))[:3]
    told = "; ".join(
        f"{row['first']} with {row['second']}: {number(row['source'], digits=2)} and {number(row['synthetic'], digits=2)}"
        for row in worst
    )
    panels = (
        Panel("heat-source", "Source", "Associations of every pair in the source.", _squares(rows, place, "source", 1.0)),
        Panel("heat-synthetic", "Synthetic", "The same in the synthetic table.", _squares(rows, place, "synthetic", 1.0)),
        Panel("heat-gap", "Difference", f"The largest differences: {told}.", _squares(rows, place, "gap_value", strongest)),
    )
    left = len(names) - len(kept)
    note = f"The {len(kept)} columns with the largest differences; {left} more stand in the table." if left else ""
    return Heat(shown, SIDE * len(kept), panels, number(strongest, digits=2), note)


def _furthest(rows: Sequence[Mapping[str, Any]], names: list[str]) -> list[str]:
    order = sorted(names)
    if len(names) <= _MOST:
        return order
    gaps = dict.fromkeys(names, 0.0)
    for row in rows:
        for side in ("first", "second"):
            gaps[row[side]] = max(gaps[row[side]], float(row["gap_value"]))
    worst = set(sorted(names, key=lambda name: (-gaps[name], name))[:_MOST])
    return [name for name in order if name in worst]


def _squares(rows: Sequence[Mapping[str, Any]], place: Mapping[str, int], key: str, full: float) -> tuple[Square, ...]:
    found = []
    for row in rows:
        value = row.get(key)
        if not isinstance(value, (int, float)):
            continue
        strength = f"{min(abs(value) / full, 1.0):.2f}"
        marked = key == "gap_value" and bool(row.get("gap_departs"))
        if strength == "0.00" and not marked:
            continue
        tone = "gap" if key == "gap_value" else "minus" if value < 0 else "plus"
        title = f"{row['first']} × {row['second']}: {number(value, digits=2)}"
        for x, y in ((place[row["first"]], place[row["second"]]), (place[row["second"]], place[row["first"]])):
            found.append(Square(x * SIDE, y * SIDE, tone, strength, marked, title))
    return tuple(found)
