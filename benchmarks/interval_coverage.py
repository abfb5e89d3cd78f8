"""Do the 95% intervals cover 95%? Simulation with known truth, for every metric and every paired loss.

    uv run python benchmarks/interval_coverage.py [--repetitions 1000] [--only "rare events"]

Truth is the metric on a population of two million rows. Samples of 200 and 2,000 rows: independent, or of subjects of one to five
rows who share both a part of what the model sees and a part of the outcome that it does not see (Gaussian copula, correlation
0.3). Writes the table to benchmarks/interval_coverage.md, unless only some settings are asked for.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, ndtr, softmax

from synthml.metrics import METRICS, Outcome, Task, estimate, loss, metrics_for

POPULATION = 2_000_000
FLOOR = 0.93
SIZES = (200, 2000)


@dataclass(frozen=True)
class Setting:
    """A population and two models of it.

    spread: standard deviation of the linear predictor (1.2 gives an AUROC near 0.78, 3.5 near 0.95). real, synthetic: slope,
    intercept and noise of each model's linear predictor; (1, 0, 0) is perfectly calibrated.
    """

    name: str
    told: str
    task: Task = "binary"
    prevalence: float = 0.3
    spread: float = 1.2
    real: tuple[float, float, float] = (1.0, 0.0, 0.0)
    synthetic: tuple[float, float, float] = (0.7, 0.3, 0.5)
    skewed: bool = False


SETTINGS = (
    Setting("common events", "30% events, AUROC near 0.78; the real-trained model is perfectly calibrated"),
    Setting("rare events", "5% events, AUROC near 0.78; both models miscalibrated", prevalence=0.05, real=(0.85, 0.2, 0.0)),
    Setting("strong model", "30% events, AUROC near 0.95", spread=3.5, real=(0.9, 0.0, 0.3)),
    Setting("strong model, rare events", "5% events, AUROC near 0.95", prevalence=0.05, spread=3.5),
    Setting(
        "models alike",
        "30% events; the models differ by a little noise, decisions by about 1 row in 100",
        real=(1.0, 0.0, 0.05),
        synthetic=(1.0, 0.0, 0.05),
    ),
    Setting("three classes", "60%, 30% and 10%", task="multiclass", real=(0.9, 0.0, 0.2)),
    Setting("regression", "normal errors", task="regression"),
    Setting("regression, skewed", "log-normal errors (skewness 1.5)", task="regression", skewed=True),
)


def subjects(rng: np.random.Generator, n: int, clustered: bool) -> np.ndarray | None:
    return np.repeat(np.arange(n), rng.integers(1, 6, n))[:n] if clustered else None


def shared_normal(rng: np.random.Generator, n: int, clusters: np.ndarray | None, share: float) -> np.ndarray:
    """Standard normal of which `share` of the variance is common to a subject's rows."""
    own = rng.standard_normal(n)
    if clusters is None:
        return own
    return np.sqrt(share) * rng.standard_normal(clusters.max() + 1)[clusters] + np.sqrt(1 - share) * own


def said(rng: np.random.Generator, eta: np.ndarray, model: tuple[float, float, float]) -> np.ndarray:
    slope, intercept, noise = model
    return slope * eta + intercept + noise * rng.standard_normal(eta.shape)


def draw(rng: np.random.Generator, setting: Setting, n: int, clustered: bool) -> tuple[Outcome, Outcome]:
    """Outcomes of the synthetic-trained and the real-trained model on the same rows."""
    clusters = subjects(rng, n, clustered)
    if setting.task == "regression":
        eta = 2 * shared_normal(rng, n, clusters, 0.5)
        rank = shared_normal(rng, n, clusters, 0.3)
        error = np.exp(0.45 * rank) * 2 if setting.skewed else rank
        truth = eta + error
        centre = 2 * np.exp(0.45**2 / 2) if setting.skewed else 0.0
        scores = (0.8 * eta + centre + 0.1 + 0.5 * rng.standard_normal(n), eta + centre)
        return tuple(Outcome("regression", truth, score, None, clusters) for score in scores)  # type: ignore[return-value]
    if setting.task == "multiclass":
        eta = np.log([0.6, 0.3, 0.1]) + np.stack([1.2 * shared_normal(rng, n, clusters, 0.5) for _ in range(3)], axis=1)
        uniform = ndtr(shared_normal(rng, n, clusters, 0.3))
        truth = (uniform[:, None] > softmax(eta, axis=1).cumsum(axis=1)[:, :-1]).sum(axis=1)
        scores = tuple(softmax(said(rng, eta, model), axis=1) for model in (setting.synthetic, setting.real))
        return tuple(Outcome("multiclass", truth, score, None, clusters) for score in scores)  # type: ignore[return-value]
    level = LEVELS[setting.prevalence, setting.spread]
    eta = level + setting.spread * shared_normal(rng, n, clusters, 0.5)
    truth = (ndtr(shared_normal(rng, n, clusters, 0.3)) < expit(eta)).astype(np.int64)
    scores = tuple(expit(said(rng, eta, model)) for model in (setting.synthetic, setting.real))
    return tuple(Outcome("binary", truth, score, setting.prevalence, clusters) for score in scores)  # type: ignore[return-value]


def level_of(prevalence: float, spread: float) -> float:
    """Intercept at which so many rows are events."""
    normal = spread * np.random.default_rng(0).standard_normal(400_000)
    low, high = -20.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(middle + normal).mean() < prevalence else (low, middle)
    return (low + high) / 2


LEVELS = {(s.prevalence, s.spread): level_of(s.prevalence, s.spread) for s in SETTINGS if s.task == "binary"}


@dataclass
class Tally:
    """How often an interval was made, held the truth, or lay wholly above or below it."""

    made: int = 0
    held: int = 0
    above: int = 0
    below: int = 0
    width: float = 0.0

    def count(self, low: float | None, high: float | None, truth: float) -> None:
        if low is None or high is None:
            return
        self.made += 1
        self.above += low > truth
        self.below += high < truth
        self.held += low <= truth <= high
        self.width += high - low


def coverage(job: tuple[Setting, bool, int, int, int]) -> dict[str, Tally]:
    setting, clustered, n, repetitions, seed = job
    rng = np.random.default_rng(seed)
    metrics = metrics_for(setting.task)
    big = draw(rng, setting, POPULATION, clustered)
    truth: dict[str, float] = {}
    for m in metrics:
        worse, base = (m.linearise(outcome).value for outcome in big)
        truth[f"{m.name} tstr"], truth[f"{m.name} trtr"] = worse, base
        if m.better != "none":
            target = m.target or 0.0
            truth[f"{m.name} loss"] = {
                "higher": base - worse,
                "lower": worse - base,
                "target": abs(worse - target) - abs(base - target),
            }[m.better]
    tallies = {name: Tally() for name in truth}
    for _ in range(repetitions):
        tstr, trtr = draw(rng, setting, n, clustered)
        for m in metrics:
            found = {"tstr": estimate(m, tstr), "trtr": estimate(m, trtr), "loss": loss(m, tstr, trtr)}
            for kind, figure in found.items():
                if figure is not None:
                    tallies[f"{m.name} {kind}"].count(figure.low, figure.high, truth[f"{m.name} {kind}"])
    return tallies


COLUMNS = tuple((clustered, n) for clustered in (False, True) for n in SIZES)


def cell(tally: Tally, repetitions: int) -> str:
    if not tally.made:
        return "–"
    covered = tally.held / tally.made
    mark = "**" if covered < FLOOR else ""
    share = f" [{tally.made / repetitions:.2f}]" if tally.made < repetitions else ""
    return f"{mark}{covered:.3f}{mark} ({tally.above / tally.made:.3f}, {tally.below / tally.made:.3f}){share}"


def section(setting: Setting, results: list[dict[str, Tally]], repetitions: int) -> list[str]:
    lines = [f"## {setting.name[0].upper()}{setting.name[1:]}", "", f"{setting.told[0].upper()}{setting.told[1:]}.", ""]
    heads = [f"{n:,} rows{' of subjects' if clustered else ''}" for clustered, n in COLUMNS]
    lines += ["| figure | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for m in METRICS:
        for kind in ("tstr", "trtr", "loss"):
            name = f"{m} {kind}"
            if name in results[0]:
                lines.append(f"| {name} | " + " | ".join(cell(result[name], repetitions) for result in results) + " |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=[], help="names of settings")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, help="file of the table; beside this script when all settings are run")
    asked = parser.parse_args()
    settings = [s for s in SETTINGS if not asked.only or s.name in asked.only]
    jobs = [
        (setting, clustered, n, asked.repetitions, 1000 * i + j)
        for i, setting in enumerate(SETTINGS)
        for j, (clustered, n) in enumerate(COLUMNS)
        if setting in settings
    ]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        results = pool.map(coverage, jobs, chunksize=1)
    seconds = time.perf_counter() - start
    cells = [
        (tally.held / tally.made, f"{setting.name}, {n:,} rows{' of subjects' if clustered else ''}: {name}")
        for (setting, clustered, n, _, _), result in zip(jobs, results, strict=True)
        for name, tally in result.items()
        if tally.made
    ]
    cells.sort()
    short = [(covered, where) for covered, where in cells if covered < FLOOR]
    error = 1.96 * (0.95 * 0.05 / asked.repetitions) ** 0.5
    text = [
        "# Coverage of the 95% intervals",
        "",
        "    uv run python benchmarks/interval_coverage.py",
        "",
        f"{asked.repetitions:,} repetitions a cell, {len(cells)} cells, {seconds / 60:.0f} minutes on 2 cores.",
        f"A true 95% shows as 0.95 ± {error:.3f}. A cell says which share of the intervals held the truth (which share lay",
        "above, below it), and in square brackets, where below 1, for which share of the samples there was an interval. Bold:",
        f"below {FLOOR}. TSTR, TRTR: the synthetic-trained and the real-trained model; loss: the paired difference.",
        "",
        f"{sum(covered >= FLOOR for covered, _ in cells)} of {len(cells)} cells reach {FLOOR}; median "
        f"{np.median([covered for covered, _ in cells]):.3f}; above 0.975: {sum(covered > 0.975 for covered, _ in cells)}."
        + (" Those that fall short:" if short else ""),
        "",
        *[f"- {covered:.3f} {where}" for covered, where in short],
        *([""] if short else []),
    ]
    for setting in settings:
        chosen = [result for job, result in zip(jobs, results, strict=True) if job[0] == setting]
        text += section(setting, chosen, asked.repetitions)
    written = "\n".join(text)
    output = asked.output or (None if asked.only else Path(__file__).with_suffix(".md"))
    if output is not None:
        output.write_text(written, encoding="utf-8")
    print(written)


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # read by the processes started below
    main()
