"""Do the figures of quality hold against known truth? Prints the tables of quality_truth.md.

python benchmarks/quality_truth.py [runs]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit
from threadpoolctl import threadpool_limits

import synthml
from synthml.quality import duplicates, features, missing, noise, plausibility
from synthml.quality.ground import Ground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthml.estimate import Estimate

GROUPS = np.array(["a", "b", "c"])
FLIPPED = 1  # group b, 30% of the rows


@dataclass(frozen=True)
class World:
    """Patients whose outcome depends on features in a crooked way, and on the group by a shift.

    strength: how much the features say (AUROC of the truth 0.72 at 0.7, 0.90 at 2, 0.98 at 5); per: rows a subject; telling: how
    much less they say about group b (1: as much).
    """

    rows: int
    strength: float
    per: int = 1
    telling: float = 1.0

    def draw(self, seed: int, *, flip: float = 0.0, one_way: bool = False) -> pd.DataFrame:
        """A table; a share `flip` of group b's labels is turned (of its positive ones only with one_way)."""
        rng = np.random.default_rng([seed, 5])
        people = -(-self.rows // self.per)
        who = np.repeat(np.arange(people), self.per)[: self.rows]
        x = 0.6 * rng.normal(size=(people, 6))[who] + 0.8 * rng.normal(size=(self.rows, 6))
        group = rng.choice(3, people, p=[0.5, 0.3, 0.2])[who]
        x[:, 0] += 0.3 * group
        eta = self.strength * (x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.5 * np.abs(x[:, 3]) - 0.4) + 0.4 * (group == FLIPPED)
        y = (rng.random(self.rows) < expit(np.where(group == FLIPPED, self.telling, 1.0) * eta)).astype(np.int64)
        turned = (rng.random(self.rows) < flip) & (group == FLIPPED)
        turned &= (y == 1) if one_way else True
        table = pd.DataFrame(x.round(4), columns=[f"x{i}" for i in range(6)])
        return table.assign(group=GROUPS[group], ill=np.where(turned, 1 - y, y), turned=turned, person=who + seed * self.rows)


def study_of(source: pd.DataFrame, **others: pd.DataFrame) -> synthml.Study:
    schema = synthml.Schema(
        target="ill",
        positive=1,
        sensitive=["group"],
        subject="person" if source["person"].duplicated().any() else None,
        features=[*(f"x{i}" for i in range(6)), "group"],
    )
    return synthml.Study(schema, source=source, **others)


def ground_of(study: synthml.Study, seed: int) -> Ground:
    return Ground(study, seed, synthml.MeasureSettings())


def line(figures: Sequence[Estimate], truths: Sequence[float]) -> str:
    """Told, mean value, mean width, holds the truth, above zero."""
    pairs = [(f, t) for f, t in zip(figures, truths, strict=True) if f.ok and f.value is not None]
    if not pairs:
        return f"0 of {len(figures)} | | | | "
    low, high = np.array([f.low for f, _ in pairs]), np.array([f.high for f, _ in pairs])
    truth = np.array([t for _, t in pairs])
    holds = ((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean()
    value = np.mean([f.value for f, _ in pairs])
    return f"{len(pairs)} of {len(figures)} | {value:.3f} | {(high - low).mean():.3f} | {holds:.3f} | {(low > 0).mean():.3f}"


def label_noise(runs: int) -> None:
    print("| rows | features | b's labels | group | truth | told | mean value | width | holds the truth | above 0 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    worlds = [
        (World(3000, 0.7), 0.1, False),
        (World(3000, 2), 0.0, False), (World(3000, 2), 0.1, False),
        (World(3000, 5), 0.0, False), (World(3000, 5), 0.1, False), (World(3000, 5, per=4), 0.1, False),
        (World(10_000, 5), 0.0, False), (World(10_000, 5), 0.05, False), (World(10_000, 5), 0.2, True),
        (World(10_000, 5, telling=0.5), 0.0, False),
    ]  # fmt: skip
    for world, flip, one_way in worlds:
        found: dict[str, list[Estimate]] = {}
        truths: dict[str, list[float]] = {}
        for seed in range(runs):
            table = world.draw(seed, flip=flip, one_way=one_way)
            figures = noise.finding(ground_of(study_of(table.drop(columns="turned")), seed)).figures
            for of, rows in (("group:a", "a"), ("group:b", "b"), ("all", None)):
                found.setdefault(of, []).append(figures[f"quality.label_noise.source/{of}"])
                # an interval is of the rate that turned them; the share that was turned differs by luck
                share = table["turned"].mean() if rows is None else flip if rows == "b" and not one_way else None
                if share is None:
                    share = table.loc[table["group"] == rows, "turned"].mean()
                truths.setdefault(of, []).append(float(share))
        said = "right" if not flip else f"{flip:.0%} turned" if not one_way else f"{flip:.0%} of the positive turned"
        extra = f", {world.per} a subject" if world.per > 1 else ", half as telling in b" if world.telling < 1 else ""
        for of, figures_of in found.items():
            truth = float(np.mean(truths[of]))
            head = (
                f"| {world.rows:,} | strength {world.strength:g}{extra} | {said} | {of.removeprefix('group:')} | {truth:.3f} | "
            )
            print(head + line(figures_of, truths[of]) + " |", flush=True)


def plausible(runs: int) -> None:
    print("\n| synthetic labels of b | rows a subject | group | told | mean excess | width | excess above 0 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for flip, per in ((0.0, 1), (0.0, 4), (0.1, 1)):
        world = World(4000, 2, per)
        found: dict[str, list[Estimate]] = {}
        for seed in range(runs):
            tables = [world.draw(3 * seed + i, flip=flip if i == 1 else 0.0).drop(columns="turned") for i in range(3)]
            study = study_of(tables[0], synthetic=tables[1], holdout=tables[2])
            figures = plausibility.finding(ground_of(study, seed)).figures
            for of in ("group:a", "group:b", "all"):
                found.setdefault(of, []).append(figures[f"quality.label_disagreement.excess/{of}"])
        for of, figures_of in found.items():
            parts = line(figures_of, [0.0] * runs).split(" | ")
            print(
                f"| {flip:.0%} turned | {per} | {of.removeprefix('group:')} | {' | '.join(parts[:3])} | {parts[4]} |", flush=True
            )


def quiet(runs: int) -> None:
    """How often something is told of tables in which there is nothing."""
    leaks, gaps, outcomes, pairs = [], [], [], []
    for seed in range(runs):
        rng = np.random.default_rng([seed, 6])
        table = World(3000, 2).draw(seed).drop(columns="turned")
        for name in ("x1", "x2"):
            table.loc[rng.random(len(table)) < 0.1, name] = np.nan
        ground = ground_of(study_of(table), seed)
        leaks.append(bool(features.leaking(features.finding(ground))))
        figures = missing.finding(ground).figures
        gaps.append(figures["quality.missingness.gap.source/group"].low > 0)
        for name in ("x1", "x2"):
            outcome = figures[f"quality.missingness.outcome.source/{name}"]
            outcomes.append(outcome.low > 0 or outcome.high < 0)
        coarse = pd.DataFrame({f"x{i}": rng.integers(0, 5, 3000) for i in range(6)})
        coarse = coarse.assign(group=table["group"], ill=table["ill"], person=table["person"])
        row = duplicates.finding(ground_of(study_of(coarse), seed)).tables["quality_duplicates"][0]
        pairs.append((row["between_subjects"], row["by_chance"]))
    share, chance = np.mean(pairs, axis=0)
    print(f"\n| of {runs} clean tables | share |\n| --- | --- |")
    print(f"| a feature is said to give the target away | {np.mean(leaks):.3f} |")
    print(f"| missing values are said to differ between groups | {np.mean(gaps):.3f} |")
    print(f"| missing values are said to depend on the outcome | {np.mean(outcomes):.3f} |")
    print(f"\nCoarse columns: {share:.4f} of the rows repeat an earlier one by chance; {chance:.4f} is what chance is granted.")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with threadpool_limits(1):
        label_noise(count)
        plausible(count)
        quiet(count)
