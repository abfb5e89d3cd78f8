"""From tables to the evidence of kind "quality"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from synthml.evidence import Evidence
from synthml.quality import duplicates, features, missing, noise, plausibility, representation
from synthml.quality.ground import Ground
from synthml.quality.suspects import Suspects
from synthml.study.problems import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synthml.estimate import Estimate
    from synthml.quality.ground import Finding
    from synthml.settings import MeasureSettings
    from synthml.study import Study

__all__ = ["measure_quality"]

_PARTS: tuple[tuple[str, Callable[[Ground], Finding]], ...] = (
    ("quality: missing values", missing.finding),
    ("quality: repeated rows", duplicates.finding),
    ("quality: sizes of groups", representation.finding),
    ("quality: labels of the source", noise.finding),
    ("quality: labels of the synthetic table", plausibility.finding),
)


def measure_quality(
    study: Study,
    *,
    seed: int = 0,
    settings: MeasureSettings,
    suspects: Callable[[Suspects], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """Quality of source, synthetic table and holdout, as far as they are there, and of their labels.

    suspects: called once with the positions of rows that should be looked at; they are no part of the evidence.
    """
    ground = Ground(study, seed, settings)
    if not ground.roles:
        return Evidence("quality", notes=("no source, synthetic or holdout table: quality is not measured",))
    progress("quality: constant and telling features")
    telling = features.finding(ground)
    leaking = features.leaking(telling)
    ground = replace(ground, leaking=leaking)
    figures: dict[str, Estimate] = {}
    tables: dict[str, tuple[Mapping[str, Any], ...]] = {}
    notes: list[str] = []
    rows: dict[tuple[str, str], tuple[int, ...]] = {}
    if leaking:
        told = listed([f"'{name}'" for name in leaking])
        notes.append(f"labels are held against the other features, for {told} would give the target away")
    # thousands of small products: threads that wait for each other on a busy machine would cost more than they save
    with threadpool_limits(1, "blas"):
        found_in = [telling, *(_looked(part, ground, doing, progress) for doing, part in _PARTS)]
    for found in found_in:
        figures |= found.figures
        tables |= found.tables
        notes += found.notes
        rows |= {key: tuple(sorted(positions.tolist())) for key, positions in found.suspects.items()}
    suspects(Suspects(rows))
    return Evidence("quality", figures, tables, tuple(dict.fromkeys(notes)))


def _looked(part: Callable[[Ground], Finding], ground: Ground, doing: str, progress: Callable[[str], None]) -> Finding:
    progress(doing)
    return part(ground)
