"""What the classifiers and the rules say where the truth is known. Writes a table to standard output.

uv run python benchmarks/fidelity_truth.py [runs]
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pandas as pd
import xgboost
from scipy import stats
from threadpoolctl import threadpool_limits

import synthml
from synthml.fidelity.classifiers import measure_classifiers
from synthml.fidelity.classifiers.discriminator import _ROUNDS, _TREES, discriminate
from synthml.fidelity.classifiers.propensity import pmse
from synthml.fidelity.classifiers.sides import Side
from synthml.fidelity.constraints import measure_constraints
from synthml.metrics import METRICS, Outcome, estimate

DAY = np.timedelta64(1, "D")


def mixed(rows: int, seed: object, shift: float = 0.0) -> pd.DataFrame:
    """Eighteen columns without any link: numbers, counts, labels, dates, some with nulls."""
    rng = np.random.default_rng(seed)
    makers = (
        lambda: rng.normal(shift, 1, rows),
        lambda: rng.integers(0, 900, rows),
        lambda: rng.choice([*"abcdefghij"], rows),
        lambda: rng.exponential(size=rows).round(2),
        lambda: np.where(rng.random(rows) < 0.1, np.nan, rng.poisson(3, rows)),
        lambda: rng.choice([f"{code:03d}" for code in range(400)], rows),
    )
    frame = {f"c{at}": makers[at % 6]() for at in range(17)}
    frame["day"] = np.datetime64("2020-01-01") + rng.integers(0, 700, rows) * DAY
    return pd.DataFrame({**frame, "y": rng.integers(0, 2, rows)})


def normal(rows: int, seed: object, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(rows, 6)) + shift * np.eye(6)[0], columns=[*"abcdef"])


def clustered(subjects: int, visits: int, seed: object) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(subjects), visits)
    values = rng.normal(size=(subjects, 4))[person] + 0.5 * rng.normal(size=(len(person), 4))
    return pd.DataFrame(values, columns=[*"abcd"]), person


def nulls(runs: int) -> None:
    """pMSE between fresh samples: uniform p-values, mean of the null, coverage of the ratio's interval."""
    for name, draw in (
        ("independent rows", lambda k: (Side.of(normal(400, [1, k]), None), Side.of(normal(400, [2, k]), None))),
        ("by subject", lambda k: tuple(Side.of(*clustered(150, 4, [side, k])) for side in (3, 4))),
        ("one table by subject", lambda k: (Side.of(*clustered(150, 4, [5, k])), Side.of(clustered(600, 1, [6, k])[0], None))),
    ):
        found = [pmse(*draw(k), np.random.default_rng([7, k]), 0.95, terms=20, permutations=99) for k in range(runs)]
        p = np.array([one.p for one in found])
        closed = found[0].terms * 0.25 / (found[0].n - 1)
        print(
            f"| pMSE, {name} | p <= 0.05 in {np.mean(p <= 0.05):.3f}, <= 0.5 in {np.mean(p <= 0.5):.3f}; Kolmogorov-Smirnov p "
            f"{stats.kstest(p, 'uniform').pvalue:.2f}; null mean / k c (1 - c) / (N - 1) = "
            f"{np.mean([one.mean for one in found]) / closed:.3f}; lower bound above the null in "
            f"{np.mean([one.low > one.mean * 1.0001 for one in found]):.3f} |"
        )


def coverage(runs: int) -> None:
    """The interval of pMSE under departures of known size."""
    for shift in (0.1, 0.3, 1.0, 3.0):
        draws = [(Side.of(normal(400, [8, k]), None), Side.of(normal(400, [9, k], shift), None)) for k in range(runs)]
        found = [pmse(*pair, np.random.default_rng(k), 0.95, terms=20, permutations=200) for k, pair in enumerate(draws)]
        truth = np.mean([one.value for one in found])
        held = np.mean([one.low <= truth <= one.high for one in found])
        print(f"| pMSE, one column shifted by {shift} | {truth / found[0].mean:.1f} times the null; held in {held:.3f} |")


def folds(runs: int) -> None:
    """The discriminator against cross-fitting, between fresh samples of 500 rows."""
    rows: dict[str, list] = {"trained and judged on halves (ours)": [], "five folds": [], "two folds": []}
    for k in range(runs):
        one, other = normal(500, [10, k]), normal(500, [11, k])
        halves = discriminate(Side.of(one, None), Side.of(other, None), np.random.default_rng([12, k]))
        rows["trained and judged on halves (ours)"].append(halves.auroc(0.95))
        features = np.stack([one.to_numpy(), other.to_numpy()], axis=1).reshape(1000, 6).astype(np.float32)
        label = np.tile([0, 1], 500)
        for name, count in (("five folds", 5), ("two folds", 2)):
            fold, score = (np.arange(1000) // 2) % count, np.empty(1000)
            for at in range(count):
                matrix = xgboost.QuantileDMatrix(features[fold != at], label[fold != at], max_bin=64, nthread=1)
                score[fold == at] = xgboost.train(_TREES, matrix, _ROUNDS).inplace_predict(features[fold == at])
            rows[name].append(estimate(METRICS["auroc"], Outcome("binary", label, score), confidence=0.95))
    for name, found in rows.items():
        held = np.mean([one.low <= 0.5 <= one.high for one in found])
        print(
            f"| AUROC between fresh samples, {name} | mean {np.mean([one.value for one in found]):.4f}, 0.5 held in {held:.3f} |"
        )
    found = []
    for k in range(runs):
        pair = [Side.of(*clustered(120, 4, [side, k])) for side in (13, 14)]
        found.append(discriminate(*pair, np.random.default_rng([15, k])).auroc(0.95))
    held = np.mean([one.low <= 0.5 <= one.high for one in found])
    print(
        f"| AUROC between fresh samples, by subject | mean {np.mean([one.value for one in found]):.4f}, 0.5 held in {held:.3f} |"
    )


def rules(runs: int) -> None:
    """Rules learned from columns without a link, and a fresh sample held against those of a clinic."""
    between, broken = 0, []
    for k in range(runs):
        words = synthml.Schema(target="y")
        evidence = measure_constraints(
            synthml.Study(words, source=mixed(2000, [16, k]), synthetic=mixed(2000, [17, k])), seed=k, confidence=0.95
        )
        between += sum(row["kind"] != "values" for row in evidence.tables["fidelity_rules"])
        broken.append(evidence.figures["fidelity.rule_violations.synthetic/all"].value)
    share = np.mean(broken)
    print(
        f"| rules between 19 unrelated columns, 2,000 rows, {runs} tables | {between} learned; {share:.5f} of rows break one on "
        "values |"
    )


def planted(runs: int) -> None:
    """A dependency broken with a known chance: how often its interval holds that chance."""
    hits, total = 0, 0
    for k in range(runs):
        rng = np.random.default_rng([18, k])
        frames = []
        for chance in (0.0, 0.03, 0.0):
            code = rng.integers(0, 60, 3000)
            chapter = np.where(rng.random(3000) < chance, (code // 10 + 1) % 6, code // 10)
            labels = {"code": [f"c{one}" for one in code], "chapter": [f"k{one}" for one in chapter]}
            frames.append(pd.DataFrame({**labels, "x": rng.normal(size=3000), "y": rng.integers(0, 2, 3000)}))
        study = synthml.Study(synthml.Schema(target="y"), source=frames[0], synthetic=frames[1], holdout=frames[2])
        evidence = measure_constraints(study, seed=k, confidence=0.95)
        figure = evidence.figures["fidelity.rule_violations.synthetic/code_x20_determines_x20_chapter"]
        hits, total = hits + (figure.low <= 0.03 <= figure.high), total + 1
    print(f"| a dependency broken with chance 0.03, {total} tables | found in all; 0.03 held in {hits / total:.3f} |")


def speed() -> None:
    study = synthml.Study(synthml.Schema(target="y", sensitive=["c2"]), source=mixed(100_000, 1), synthetic=mixed(100_000, 2))
    for name, measure in (("rules between columns", measure_constraints), ("classifiers, with ten groups", measure_classifiers)):
        measure(study, seed=0, confidence=0.95)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.perf_counter(), time.process_time()
        measure(study, seed=0, confidence=0.95)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"| {name}, 100,000 + 100,000 rows x 19 | {spent[0]:.1f} s, {spent[1]:.1f} s of one core; {more:.0f} MB more |")


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print("| what | found |\n| --- | --- |")
    with threadpool_limits(1, "blas"):
        nulls(times)
        coverage(times)
        folds(times)
        rules(max(times // 10, 10))
        planted(max(times // 4, 10))
    speed()
