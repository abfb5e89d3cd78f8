"""All attacks on one study: figures, tables, and the rows at risk for the custodian alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from synthml.disclosure import (
    attribution,
    copies,
    distances,
    inference,
    linkability,
    membership,
    singling_out,
    split_half,
)
from synthml.disclosure.ground import Ground
from synthml.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthml.disclosure.attack import ThreatModel
    from synthml.disclosure.finding import Finding
    from synthml.estimate import Estimate
    from synthml.settings import MeasureSettings
    from synthml.study import Study
    from synthml.synthesis import Synthesizer

__all__ = ["ATTACKS", "RowsAtRisk", "measure_disclosure"]


@dataclass(frozen=True)
class RowsAtRisk:
    """Which source rows attacks succeeded on. For whoever holds the source; never part of the evidence.

    by_attack: attack -> sorted positions (0-based) in the source table as it was given.
    """

    by_attack: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def by_row(self) -> Mapping[int, tuple[str, ...]]:
        """Position -> the attacks that succeeded on it."""
        found: dict[int, list[str]] = {}
        for attack, positions in self.by_attack.items():
            for position in positions:
                found.setdefault(position, []).append(attack)
        return {position: tuple(found[position]) for position in sorted(found)}


@dataclass(frozen=True)
class Measured:
    """One line of the registry. doing: what the progress bar says."""

    doing: str
    threat_model: ThreatModel
    finding: Callable[[Ground], Finding]


def _registry() -> Mapping[str, Measured]:
    return {
        "singling_out": Measured(
            "attack: descriptions that fit one person", singling_out.ATTACK.threat_model, singling_out.finding
        ),
        "linkability": Measured("attack: linking two partial records", linkability.ATTACK.threat_model, linkability.finding),
        "inference": Measured("attack: inferring secrets", inference.ATTACK.threat_model, inference.finding),
        "membership": Measured("attack: who was in the source", membership.THREAT_MODEL, membership.finding),
        "copies": Measured("copies of source rows", copies.THREAT_MODEL, copies.finding),
        "distances": Measured("distances to source and holdout", distances.THREAT_MODEL, distances.finding),
        "attribution": Measured("attribution of secrets", attribution.THREAT_MODEL, attribution.finding),
        "split_half": Measured("what halves of the source look like to each other", split_half.THREAT_MODEL, split_half.finding),
    }


ATTACKS: Mapping[str, Measured] = MappingProxyType(dict(_registry()))


def measure_disclosure(
    study: Study,
    *,
    seed: int = 0,
    settings: MeasureSettings,
    synthesizer: Synthesizer | None = None,
    rows_at_risk: Callable[[RowsAtRisk], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """Attack the synthetic table of a study in every way of `ATTACKS`.

    synthesizer: the generator, to be trained again by the attack on membership with shadow models. rows_at_risk: called once with
    the positions of the source rows that attacks succeeded on.

    Without source or synthetic table there is nothing to attack, and a note says so. Without holdout, whatever needs a control
    is insufficient.
    """
    lacking = [role for role in ("source", "synthetic") if role not in study.roles]
    if lacking:
        return Evidence("disclosure", notes=(f"no {' and no '.join(lacking)} table: disclosure cannot be attacked",))
    ground = Ground.of(
        study,
        settings=settings.disclosure,
        seed=seed,
        confidence=settings.confidence,
        replicates=settings.replicates,
        synthesizer=synthesizer,
        progress=progress,
    )
    figures: dict[str, Estimate] = {}
    tables: dict[str, tuple[Mapping[str, Any], ...]] = {"threat_models": _threat_models()}
    notes: list[str] = []
    hits: dict[str, NDArray[np.int64]] = {}
    for attack in ATTACKS.values():
        progress(attack.doing)
        found = attack.finding(ground)
        figures |= found.figures
        for name, rows in found.tables.items():
            tables[name] = (*tables.get(name, ()), *rows)
        notes += found.notes
        hits |= found.hits
    rows_at_risk(_given_positions(ground, hits))
    return Evidence("disclosure", figures, tables, tuple(dict.fromkeys(notes)))


def _threat_models() -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "attack": name,
            "question": attack.threat_model.question,
            "knows": attack.threat_model.knows,
            "tries": attack.threat_model.tries,
            "succeeds": attack.threat_model.succeeds,
        }
        for name, attack in ATTACKS.items()
    )


def _given_positions(ground: Ground, hits: Mapping[str, NDArray[np.int64]]) -> RowsAtRisk:
    order = ground.source.order
    return RowsAtRisk({attack: tuple(np.sort(order[rows]).tolist()) for attack, rows in hits.items() if len(rows)})
