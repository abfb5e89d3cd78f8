"""Whether the figures of kind "bias" find what was planted and hold it in their intervals: prints the tables of bias_truth.md.

python benchmarks/bias_truth.py [runs]
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from synthml.bias import measure_bias
from synthml.metrics import METRICS, Outcome
from synthml.settings import MeasureSettings
from synthml.study import Schema, Study

GROUPS = np.array(["A", "B", "C", "D"])
SHARES = np.array([0.4, 0.3, 0.2, 0.1])
SHIFTS = np.array([0.0, 0.5, -0.4, 0.8])
HURT = 2  # the group that something is done to
SIZE = 3000


@dataclass(frozen=True)
class World:
    """What is planted. flipped, flipped_by_generator: share of group C's labels turned round in the source (and so in the
    synthetic table), or in the synthetic table alone; kept: the share of group C's rows that the generator keeps; blind: the
    synthetic-trained model does not see the group; alike: every group has the same outcomes; per_subject: rows of a person;
    copied: the synthetic rows are drawn from the source's rows, not from the population."""

    flipped: float = 0.0
    flipped_by_generator: float = 0.0
    kept: float = 1.0
    blind: bool = False
    alike: bool = False
    per_subject: int = 1
    copied: bool = False

    def rows(self, n: int, rng: np.random.Generator, *, kept: float = 1.0, flipped: float = 0.0) -> pd.DataFrame:
        people = n // self.per_subject
        weights = SHARES * np.where(np.arange(4) == HURT, kept, 1.0)
        group = rng.choice(4, people, p=weights / weights.sum()).repeat(self.per_subject)
        person = np.arange(people).repeat(self.per_subject)
        effect = rng.normal(0, 0.8, people).repeat(self.per_subject) if self.per_subject > 1 else 0.0
        x = rng.normal(size=group.size)
        shift = 0.0 if self.alike else SHIFTS[group]
        y = (rng.random(group.size) < expit(x + shift + effect - 0.6)).astype(int)
        turned = (rng.random(group.size) < flipped) & (group == HURT)
        return pd.DataFrame({"x": x, "site": GROUPS[group], "y": np.where(turned, 1 - y, y), "person": person})

    def three(self, rng: np.random.Generator, n: int = SIZE) -> dict[str, pd.DataFrame]:
        source = self.rows(n, rng, flipped=self.flipped)
        if self.copied:
            synthetic = source.iloc[rng.integers(0, len(source), len(source))].reset_index(drop=True)
        else:
            both = self.flipped + self.flipped_by_generator - 2 * self.flipped * self.flipped_by_generator
            synthetic = self.rows(n, rng, kept=self.kept, flipped=both)
        holdout = self.rows(n, rng)
        holdout["person"] += len(source)
        return {"source": source, "synthetic": synthetic, "holdout": holdout}

    def models(self, study: Study) -> dict[str, Outcome]:
        """Scores that are functions of what a model would see, the same in every run."""
        frame = study.frame("holdout")
        group = np.searchsorted(GROUPS, frame["site"].to_numpy(dtype=str))
        shift = np.zeros(4) if self.alike else SHIFTS
        x = frame["x"].to_numpy()
        seen = np.full(4, SHARES @ shift) if self.blind else shift
        scores = {"tstr": expit(0.9 * x + seen[group] - 0.55), "trtr": expit(x + shift[group] - 0.6)}
        y, who = study.target("holdout"), study.subjects("holdout")
        return {name: Outcome("binary", y, score, 0.4, who) for name, score in scores.items()}


def study_of(tables: dict[str, pd.DataFrame], *, subject: bool) -> Study:
    schema = Schema(
        target="y", task="binary", positive=1, features=["x", "site"], sensitive=["site"], subject="person" if subject else None
    )
    held = tables if subject else {role: table.drop(columns="person") for role, table in tables.items()}
    return Study(schema, **held)


def truths(world: World) -> dict[str, float]:
    """Of group C, and of the column, from a large draw of the same world."""
    rng = np.random.default_rng(99)
    n = 1_500_000
    plain = World(**{**world.__dict__, "copied": False})
    source, synthetic, holdout = (plain.three(rng, n)[role] for role in ("source", "synthetic", "holdout"))
    inside = [table["site"].to_numpy() == "C" for table in (source, synthetic, holdout)]
    if world.copied:
        synthetic, inside[1] = source, inside[0]

    def gap(y: np.ndarray, here: np.ndarray) -> float:
        return float(y[here].mean() - y[~here].mean())

    class Held:
        def frame(self, role: str) -> pd.DataFrame:
            return holdout

        def target(self, role: str) -> np.ndarray:
            return holdout["y"].to_numpy()

        def subjects(self, role: str) -> None:
            return None

    models = world.models(Held())  # type: ignore[arg-type]
    d = [gap(table["y"].to_numpy(), here) for table, here in zip((source, synthetic, holdout), inside, strict=True)]
    m = gap(models["tstr"].score, inside[2])
    share = [here.mean() for here in inside]
    found = {
        "representation.synthetic/site:C": np.log(share[1] / (1 - share[1])) - np.log(share[0] / (1 - share[0])),
        "outcome.source/site:C": d[0],
        "outcome.holdout/site:C": d[2],
        "outcome.shift/site:C": d[1] - d[0],
        "outcome.amplification/site:C": abs(d[1]) - abs(d[0]),
        "chain.training/site:C": m - d[1],
        "chain.model/site:C": m,
    }
    if world.kept == 1.0:
        found["representation.synthetic/site:C"] = 0.0
    if world.flipped_by_generator == 0.0 and world.kept == 1.0:
        found["outcome.shift/site:C"] = found["outcome.amplification/site:C"] = 0.0
    groups = [np.flatnonzero(holdout["site"].to_numpy() == name) for name in GROUPS]
    for metric in ("sensitivity", "selection_rate", "auroc", "brier"):
        gaps = [np.ptp([METRICS[metric].linearise(models[p].take(g)).value for g in groups]) for p in ("tstr", "trtr")]
        found[f"amplification.{metric}/site"] = (
            0.0 if world.alike and not world.blind and metric == "auroc" else gaps[0] - gaps[1]
        )
    return {name: float(value) for name, value in found.items()}


def line(title: str, world: World, runs: int, seed: int) -> None:
    wanted = truths(world)
    held, below, above, total, widths = (dict.fromkeys(wanted, 0.0) for _ in range(5))
    for run in range(runs):
        tables = world.three(np.random.default_rng([seed, run]))
        study = study_of(tables, subject=world.per_subject > 1)
        figures = measure_bias(study, world.models(study), seed=run, settings=MeasureSettings()).figures
        here = tables["source"]["site"] == "C"
        drawn = tables["source"]["y"][here].mean() - tables["source"]["y"][~here].mean()
        for name, usual in wanted.items():
            # a table that is drawn from the source's rows has these rows for its population
            apart = world.copied and name == "chain.training/site:C"
            truth = wanted["chain.model/site:C"] - drawn if apart else usual
            figure = figures[f"bias.{name}"]
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            held[name] += figure.low <= truth <= figure.high
            below[name] += figure.high < 0
            above[name] += figure.low > 0
            total[name] += figure.value - truth
            widths[name] += figure.high - figure.low
    for name, truth in wanted.items():
        off = (below[name] + above[name]) / runs
        cells = [title, f"`bias.{name}`", f"{truth:+.3f}", f"{total[name] / runs:+.4f}", f"{held[name] / runs:.3f}"]
        print(
            "| " + " | ".join([*cells, f"{off:.3f}", f"{widths[name] / runs:.3f}"]) + " |",
            flush=True,
        )


WORLDS = {
    "untouched": World(),
    "untouched, 4 rows a person": World(per_subject=4),
    "untouched, drawn from the source's rows": World(copied=True),
    "no difference anywhere": World(alike=True),
    "labels of C flipped in the source, 0.2": World(flipped=0.2),
    "labels of C flipped by the generator, 0.2": World(flipped_by_generator=0.2),
    "the same, 4 rows a person": World(flipped_by_generator=0.2, per_subject=4),
    "C drawn half as often by the generator": World(kept=0.5),
    "model blind to the group": World(blind=True),
}


def speed() -> None:
    """100,000 rows a table, 18 columns, ten groups in a column, two, and their intersection."""
    rng = np.random.default_rng(0)
    n = 100_000

    def table() -> pd.DataFrame:
        frame = pd.DataFrame(rng.standard_normal((n, 15)), columns=[f"x{i}" for i in range(15)])
        frame["site"] = np.array([f"s{i}" for i in range(10)])[rng.integers(0, 10, n)]
        frame["sex"] = np.where(rng.random(n) < 0.5, "F", "M")
        frame["y"] = (rng.random(n) < expit(frame["x0"] - 1)).astype(int)
        return frame

    for crossed in ([], [["site", "sex"]]):
        schema = Schema(target="y", task="binary", positive=1, sensitive=["site", "sex"], intersections=crossed)
        study = Study(schema, source=table(), synthetic=table(), holdout=table())
        x, y = study.frame("holdout")["x0"].to_numpy(), study.target("holdout")
        models = {
            "tstr": Outcome("binary", y, expit(0.9 * x - 1), 0.3),
            "trtr": Outcome("binary", y, expit(x - 1 + 0.1 * rng.standard_normal(n)), 0.3),
        }
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        evidence = measure_bias(study, models, seed=0, settings=MeasureSettings())
        seconds = time.process_time() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        named = "ten and two groups" + (" and their intersection" if crossed else "")
        print(f"| {named} | {len(evidence.figures)} | {seconds:.2f} s | {grown:.0f} MB |")


def main(runs: int) -> None:
    print(f"{runs} runs a line, {SIZE:,} rows a table; standard error of a coverage {np.sqrt(0.95 * 0.05 / runs):.3f}\n")
    print("| planted | figure | truth | mean error | interval holds the truth | interval lies off 0 | mean width |")
    print("|" + " --- |" * 7)
    for seed, (title, world) in enumerate(WORLDS.items()):
        line(title, world, runs, seed)
    print("\n| 100,000 rows x 18 columns a table | figures | processor time | memory more |\n| --- | --- | --- | --- |")
    speed()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
