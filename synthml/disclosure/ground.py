"""What every attack stands on: the tables as an intruder would lay them side by side.

Rows are put in an order that their content fixes, so that no figure depends on the order in which somebody stored them, and ties
between equally near rows fall as if by lot. The unit of every rate is the patient when the schema names a subject, else the row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthml.estimate import CONFIDENCE
from synthml.neighbours import Encoded, Neighbours, Scale, nearest
from synthml.settings import DisclosureSettings
from synthml.study.tables import frame_of
from synthml.subgroups.naming import Members, columns_label, group_label
from synthml.subgroups.showing import shown_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthml.study import Schema, Study
    from synthml.synthesis import Synthesizer

__all__ = ["NEAR", "Ground", "GroupPair", "Side", "content_order"]


NEAR = 16


@dataclass(frozen=True, eq=False)
class Side:
    """One table. frame (n rows): the attacked columns, rows in the order of their content; encoded: the same, ready for search.

    units (n,) int64: the patient of each row, 0 to `count` - 1 (the row itself when subjects are unknown). order (n,): where each
    row stands in the table as it was given.
    """

    role: str
    frame: pd.DataFrame
    encoded: Encoded
    units: NDArray[np.int64]
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def count(self) -> int:
        """Patients, or rows."""
        return int(self.units.max()) + 1 if len(self.units) else 0

    @property
    def clustered(self) -> bool:
        """Whether somebody has several rows."""
        return self.count < len(self)

    def take(self, rows: NDArray[Any]) -> Side:
        """These rows (positions), in this order, with patients numbered anew."""
        units = np.unique(self.units[rows], return_inverse=True)[1].astype(np.int64)
        return Side(self.role, self.frame.iloc[rows].reset_index(drop=True), self.encoded.rows(rows), units, self.order[rows])

    def take_units(self, count: int, rng: np.random.Generator) -> Side:
        """All rows of `count` patients drawn at random."""
        return self.take(self.rows_of_units(count, rng))

    def rows_of_units(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Positions of all rows of `count` patients drawn at random; everything when there are no more."""
        if count >= self.count:
            return np.arange(len(self), dtype=np.int64)
        chosen = np.zeros(self.count, dtype=bool)
        chosen[rng.permutation(self.count)[:count]] = True
        return np.flatnonzero(chosen[self.units])


@dataclass(frozen=True, eq=False)
class GroupPair:
    """A group of patients in source and holdout. of: as in figure ids; reason: why it is not shown, or None.

    source, holdout: positions of its rows in the two sides.
    """

    of: str
    column: str
    label: str
    source: NDArray[np.int64]
    holdout: NDArray[np.int64]
    reason: str | None


@dataclass(frozen=True, eq=False)
class Ground:
    """The tables of a study, laid out for attacks.

    columns: the attacked columns (everything in all tables but the subject); kinds: column -> kind. synthesizer: a generator to
    train again (unfitted or fitted, it is copied), or None. epsilon: the privacy that the generation record declares for the unit
    of the attacks, or None. leaked: positions of the source rows that were planted into the synthetic table to see whether an
    attack finds them; None on the tables as they are.
    """

    schema: Schema
    columns: tuple[str, ...]
    kinds: Mapping[str, str]
    scale: Scale
    source: Side
    synthetic: Side
    holdout: Side | None
    groups: tuple[GroupPair, ...] = ()
    settings: DisclosureSettings = field(default_factory=DisclosureSettings)
    seed: int = 0
    confidence: float = CONFIDENCE
    replicates: int = 1000
    synthesizer: Synthesizer | None = None
    epsilon: float | None = None
    leaked: NDArray[np.int64] | None = None
    progress: Callable[[str], None] = lambda _: None
    _met: dict[tuple[str, str], Neighbours] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        study: Study,
        *,
        settings: DisclosureSettings | None = None,
        seed: int = 0,
        confidence: float = CONFIDENCE,
        replicates: int = 1000,
        synthesizer: Synthesizer | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Ground:
        """Lay out a study that has a source and a synthetic table."""
        present = [role for role in ("source", "synthetic", "holdout") if role in study.roles]
        frames = {role: study.frame(role) for role in present}
        columns = tuple(
            name for name in frames["source"].columns if name != study.schema.subject and all(name in f for f in frames.values())
        )
        kinds = {name: study.schema.kinds[name] for name in columns}
        scale = Scale.of(frames["source"], kinds, columns)
        sides: dict[str, Side] = {
            role: _side(role, frame[list(columns)], study.subjects(role), scale) for role, frame in frames.items()
        }
        return cls(
            schema=study.schema,
            columns=columns,
            kinds=kinds,
            scale=scale,
            source=sides["source"],
            synthetic=sides["synthetic"],
            holdout=sides.get("holdout"),
            groups=_groups(study, sides) if "holdout" in sides else (),
            settings=settings or DisclosureSettings(),
            seed=seed,
            confidence=confidence,
            replicates=replicates,
            synthesizer=synthesizer,
            epsilon=_epsilon(study, sides["source"]),
            progress=progress,
        )

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """What an intruder may know; every column but the secrets when the schema names none."""
        named = tuple(name for name in self.schema.quasi_identifiers if name in self.columns)
        return named or tuple(name for name in self.columns if name not in self.schema.secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What an intruder may want to infer."""
        return tuple(name for name in self.schema.secrets if name in self.columns)

    @property
    def unit(self) -> str:
        """What a rate counts."""
        return "patients" if self.schema.subject is not None else "rows"

    def rng(self, *key: int | str) -> np.random.Generator:
        """A generator for one piece of work: the same for equal seeds and keys, whatever else is measured."""
        words = [part if isinstance(part, int) else int.from_bytes(part.encode(), "big") % 2**32 for part in key]
        return np.random.default_rng([self.seed, *words])

    def near(self, role: str, reference: str) -> Neighbours:
        """Nearest rows of one table for each row of another, searched once; a row is no neighbour of itself.

        Sixteen of them in the source, whose halves are compared; two elsewhere.
        """
        if (role, reference) not in self._met:
            sides = {"source": self.source, "synthetic": self.synthetic, "holdout": self.holdout}
            one, other = sides[role], sides[reference]
            assert one is not None
            assert other is not None
            own = role == reference
            k = min(NEAR if reference == "source" else 2, len(other) - own)
            self._met[role, reference] = nearest(one.encoded, other.encoded, k=k, exclude_self=own)
        return self._met[role, reference]

    def planted(self, share: float) -> Ground:
        """With `share` of the synthetic rows replaced by source rows, drawn at random: a leak that an attack must find."""
        rng = self.rng("planted", round(share * 1e6))
        rows = len(self.synthetic)
        many = min(max(round(share * rows), 1), len(self.source), rows)
        out = rng.permutation(rows)[:many]
        leaked = rng.permutation(len(self.source))[:many]
        columns = {name: self.synthetic.frame[name].to_numpy().copy() for name in self.columns}
        for name, values in columns.items():
            values[out] = self.source.frame[name].to_numpy()[leaked]
        frame = frame_of(columns, rows)
        made = _side("synthetic", frame, self.synthetic.units, self.scale)
        return replace(self, synthetic=made, leaked=np.sort(leaked), _met={})


def _epsilon(study: Study, source: Side) -> float | None:
    """What is declared; for patients of whom only rows are protected, times the most rows that anybody has (group privacy)."""
    privacy = {} if study.generation is None else study.generation.to_dict().get("privacy") or {}
    declared = privacy.get("epsilon")
    if declared is None:
        return None
    most = int(np.bincount(source.units).max(initial=1)) if privacy.get("unit") == "row" else 1
    return float(declared) * most


def content_order(frame: pd.DataFrame) -> NDArray[np.int64]:
    """(n,) positions of rows in an order that depends on their content alone, and looks random."""
    names = sorted(frame.columns)
    return np.argsort(pd.util.hash_pandas_object(frame[names], index=False).to_numpy(), kind="stable").astype(np.int64)


def _side(role: str, frame: pd.DataFrame, subjects: NDArray[np.int64] | None, scale: Scale) -> Side:
    order = content_order(frame)
    ordered = frame.iloc[order].reset_index(drop=True)
    units = np.arange(len(frame)) if subjects is None else np.unique(subjects, return_inverse=True)[1][order]
    return Side(role, ordered, scale.encode(ordered), units.astype(np.int64), order)


def _groups(study: Study, sides: Mapping[str, Side]) -> tuple[GroupPair, ...]:
    """Every sensitive group of source and holdout, with what may not be shown marked in both."""
    decided = {role: shown_groups(study, role) for role in ("source", "holdout")}
    parts = {role: members for role, (members, _) in decided.items()}
    withheld = {role: found for role, (_, found) in decided.items()}
    rank = {role: np.argsort(sides[role].order) for role in parts}
    found = []
    for at, (here, there) in enumerate(zip(parts["source"], parts["holdout"], strict=True)):
        place = {labels: i for i, labels in enumerate(there.grouping.labels)}
        for group, labels in enumerate(here.grouping.labels):
            other = place.get(labels)
            reasons = [withheld["source"].reason(at, group), None if other is None else withheld["holdout"].reason(at, other)]
            missing = None if other is not None else "no row of the holdout is in this group"
            found.append(
                GroupPair(
                    here.grouping.names[group],
                    columns_label(here.grouping.columns),
                    group_label(labels),
                    _positions(here, group, rank["source"]),
                    np.zeros(0, dtype=np.int64) if other is None else _positions(there, other, rank["holdout"]),
                    next((reason for reason in (*reasons, missing) if reason), None),
                )
            )
    return tuple(found)


def _positions(members: Members, group: int, rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of a group, by their place in the order of content."""
    return np.sort(rank[members.of(group)])
