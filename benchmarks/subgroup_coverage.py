"""How often the intervals of `synthml.subgroups` hold the truth: simulated, printed as the tables of subgroup_coverage.md.

python benchmarks/subgroup_coverage.py [runs]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, ndtr
from threadpoolctl import threadpool_limits

from synthml.metrics import METRICS, Outcome, Undefined, loss
from synthml.subgroups.cells import draw_cells, joint_cells
from synthml.subgroups.disparities import Groups, difference, difference_corrected, ratio, worst
from synthml.subgroups.joint import rates, smooth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES = {
    "2 x 300": [300, 300],
    "8 x 300": [300] * 8,
    "8, 100 to 5,000": [100, 100, 150, 300, 500, 1000, 2000, 5000],
}


@dataclass(frozen=True)
class World:
    """A population: a positive share of 0.3, events scoring higher by `skill` (by less in the first group when `gap` > 0)."""

    sizes: list[int]
    skill: float
    gap: float
    clusters: bool

    def draw(self, rng: np.random.Generator) -> tuple[Outcome, Outcome, np.ndarray]:
        """Outcomes of two models on the same rows, and the group of each row. With clusters 4 rows a subject, in any groups."""
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        n = group.size
        cluster = rng.integers(0, n // 4, n) if self.clusters else None
        person = 0.0 if cluster is None else rng.standard_normal(n // 4)[cluster]
        share = np.sqrt(0.4) if self.clusters else 0.0
        z = share * person + np.sqrt(1 - share**2) * rng.standard_normal(n)
        truth = (rng.random(n) < 0.3).astype(np.int64)
        skill = self.skill - self.gap * (group == 0)
        score = expit(1.5 * (z + skill * truth) - 2)
        other = expit(1.5 * (0.9 * z + np.sqrt(1 - 0.81) * rng.standard_normal(n) + skill * truth) - 2)
        return Outcome("binary", truth, score, 0.5, cluster), Outcome("binary", truth, other, 0.5, cluster), group

    def truths(self, metric: str) -> np.ndarray:
        """(groups,) of the population, worked out: a row is called when z + skill * truth > 4/3."""
        skill = self.skill - self.gap * (np.arange(len(self.sizes)) == 0)
        sensitivity, fpr = ndtr(skill - 4 / 3), np.full(len(self.sizes), ndtr(-4 / 3))
        by_name: dict[str, Callable[[], np.ndarray]] = {
            "sensitivity": lambda: sensitivity,
            "ppv": lambda: 0.3 * sensitivity / (0.3 * sensitivity + 0.7 * fpr),
            "selection_rate": lambda: 0.3 * sensitivity + 0.7 * fpr,
            "accuracy": lambda: 0.3 * sensitivity + 0.7 * (1 - fpr),
            "auroc": lambda: ndtr(skill / np.sqrt(2)),
            "brier": lambda: np.array([_brier(s) for s in skill]),
        }
        return by_name[metric]()


def _brier(skill: float) -> float:
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    return float(0.3 * weights @ (1 - expit(1.5 * (points + skill) - 2)) ** 2 + 0.7 * weights @ expit(1.5 * points - 2) ** 2)


def groups_of(world: World, metric: str, rng: np.random.Generator) -> Groups:
    outcome, _, group = world.draw(rng)
    k = len(world.sizes)
    pieces = [outcome.take(np.flatnonzero(group == g)) for g in range(k)]
    if METRICS[metric].scale == "proportion":
        code = joint_cells(outcome.truth, outcome.decision)
        cells = draw_cells(code, group, k, clusters=outcome.clusters, replicates=400, rng=rng)
        return rates([metric], pieces, cells, "tstr")
    return smooth(METRICS[metric], pieces, [METRICS[metric].linearise(p) for p in pieces], replicates=400, rng=rng)


def coverage(world: World, metric: str, runs: int, seed: int) -> list[str]:
    truths = world.truths(metric)
    true_difference, true_ratio = np.ptp(truths), truths.min() / truths.max()
    higher = METRICS[metric].better != "lower"
    true_worst = truths.min() if higher else truths.max()
    held = {"difference": 0, "ratio": 0, "worst": 0, "percentile": 0}
    width, plain, corrected, above, done = 0.0, 0.0, 0.0, 0.0, 0
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        try:
            groups = groups_of(world, metric, rng)
        except Undefined:
            continue
        done += 1
        found = difference(groups)
        whose = worst(groups, "higher" if higher else "lower", None)
        assert whose is not None
        held["difference"] += found.low <= true_difference <= found.high
        held["worst"] += whose[0].low <= true_worst <= whose[0].high
        share = ratio(groups)
        held["ratio"] += share.low - 1e-12 <= true_ratio <= share.high + 1e-12
        width += found.high - found.low
        plain += found.value
        centre = difference_corrected(groups, found).value
        corrected += centre
        above += (centre > true_difference) + 0.5 * (centre == true_difference)
        drawn = groups.values + groups.draws
        low, high = np.quantile(np.ptp(drawn, axis=1), [0.025, 0.975])
        held["percentile"] += low <= true_difference <= high
    percentile = f"{held['percentile'] / done:.3f}"
    return [
        f"{true_difference:.3f}",
        *(f"{held[name] / done:.3f}" for name in ("difference", "ratio", "worst")),
        percentile,
        f"{width / done:.3f}",
        f"{plain / done - true_difference:+.3f}",
        f"{corrected / done - true_difference:+.3f}",
    ]


def scenarios() -> Iterator[tuple[str, str, float, bool]]:
    for sizes in SIZES:
        for metric in ("sensitivity", "ppv", "selection_rate", "auroc", "brier"):
            for gap in (0.0, 0.8):
                yield sizes, metric, gap, False
    for metric in ("sensitivity", "auroc"):
        for gap in (0.0, 0.8):
            yield "8, 100 to 5,000", metric, gap, True


def losses(runs: int) -> Iterator[list[str]]:
    """Paired losses in one small group: the library's interval beside the percentile bootstrap of the joint cells."""
    for n in (100, 300, 1000):
        for metric in ("accuracy", "sensitivity", "ppv"):
            world = World([n], 2.0, 0.0, False)
            truth = _true_loss(world, metric)
            ours = boot = done = 0
            wide = [0.0, 0.0]
            for run in range(runs):
                rng = np.random.default_rng([7, n, run])
                worse, base, group = world.draw(rng)
                found = loss(METRICS[metric], worse, base)
                cells = draw_cells(joint_cells(worse.truth, worse.decision, base.decision), group, 1, replicates=400, rng=rng)
                redrawn = (cells.redrawn(metric, "trtr") - cells.redrawn(metric, "tstr"))[:, 0]
                if found is None or not found.ok or np.isnan(redrawn).all():
                    continue
                done += 1
                low, high = np.nanquantile(redrawn, [0.025, 0.975])
                ours += found.low <= truth <= found.high
                boot += low <= truth <= high
                wide[0] += found.high - found.low
                wide[1] += high - low
            yield [
                f"{n}", metric, f"{ours / done:.3f}", f"{wide[0] / done:.3f}", f"{boot / done:.3f}", f"{wide[1] / done:.3f}"
            ]  # fmt: skip


def _true_loss(world: World, metric: str) -> float:
    rng = np.random.default_rng(99)
    worse, base, group = World([2_000_000], world.skill, 0.0, False).draw(rng)
    cells = draw_cells(joint_cells(worse.truth, worse.decision, base.decision), group, 1, replicates=1, rng=rng)
    return float(cells.values(metric, "trtr")[0] - cells.values(metric)[0])


def table(head: list[str], rows: Iterator[list[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def main(runs: int) -> None:
    print(f"{runs} runs a line, nominal 0.95, standard error of a coverage {np.sqrt(0.95 * 0.05 / runs):.3f}\n")
    head = ["groups", "metric", "rows", "true difference", "difference", "ratio", "worst", "percentile bootstrap", "mean width"]
    head += ["bias of the plain difference", "bias of the corrected one"]
    table(
        head,
        (
            [
                sizes,
                metric,
                "4 a subject" if clusters else "independent",
                *coverage(World(SIZES[sizes], 2.0, gap, clusters), metric, runs, seed),
            ]
            for seed, (sizes, metric, gap, clusters) in enumerate(scenarios())
        ),
    )
    table(["rows", "loss of", "paired, linearised", "its width", "percentile bootstrap", "its width"], losses(runs))


if __name__ == "__main__":
    with threadpool_limits(1):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
