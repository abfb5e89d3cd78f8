"""Speed, memory and quality of the embedded generator.

    python benchmarks/synthesis_speed.py                      every table
    python benchmarks/synthesis_speed.py --adult adult.csv.gz with UCI Adult beside them
    python benchmarks/synthesis_speed.py --quality            losses, likeness and copies over minimum leaf sizes

Every timing is one process: wall and processor seconds of fit and sample together, peak memory of the whole process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from synthml.datasets import rand_hie
from synthml.synthesis import CartSynthesizer

TIMED = ("mixed-20000x10", "mixed-20000x18", "mixed-100000x18", "visits-100000x18", "rand-hie", "rand-hie-persons")


def mixed(n: int, seed: int, columns: int = 18) -> pd.DataFrame:
    """Ten numbers and eight categories of a hospital's table, drawn from RAND HIE and invented vitals."""
    rng = np.random.default_rng(seed)
    base = rand_hie()
    base = base.iloc[rng.integers(0, len(base), n)].reset_index(drop=True)
    age = np.clip(rng.normal(45, 17, n), 18, 95)
    bmi = np.clip(rng.normal(27, 5, n) + 0.02 * (age - 45), 14, 60)
    a1c = np.clip(5.1 + 0.01 * (age - 40) + 0.05 * (bmi - 25) + rng.gamma(1.5, 0.35, n), 4, 15)
    stay = rng.poisson(1 + 0.02 * age)
    smoker = rng.choice(["never", "former", "current"], n, p=[0.55, 0.25, 0.2])
    race = rng.choice(list("ABCDE"), n, p=[0.6, 0.2, 0.1, 0.07, 0.03])
    logit = (
        -2.2 + 0.03 * (age - 45) + 0.25 * (a1c - 5.5) + 0.4 * (smoker == "current") + 0.1 * stay + 0.5 * (base.health == "poor")
    )
    table = pd.DataFrame(
        {
            "age": age.round(1),
            "bmi": bmi.round(2),
            "sbp": (105 + 0.45 * (age - 20) + 0.6 * (bmi - 25) + rng.normal(0, 11, n)).round(1),
            "a1c": a1c.round(2),
            "cost": np.exp(5 + 0.5 * base.high_use + 0.02 * age + rng.normal(0, 0.9, n)).round(2),
            "stay": stay,
            "visits": rng.poisson(1 + 4 * base.high_use),
            "lpi": (base.lpi + rng.normal(0, 0.15, n)).round(4),
            "fmde": (base.fmde + rng.normal(0, 0.15, n)).round(4),
            "disea": (base.disea + rng.normal(0, 0.3, n)).round(3),
            "sex": rng.choice(["F", "M"], n),
            "race": race,
            "region": rng.choice([f"R{i}" for i in range(9)], n),
            "smoker": smoker,
            "icd": rng.choice([f"ICD{i:02d}" for i in range(20)], n, p=np.arange(20, 0, -1) / 210),
            "health": base.health,
            "deductible": base.deductible,
            "readmit": np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), "yes", "no"),
        }
    )
    return table.iloc[:, :columns]


def table_named(name: str, adult: str | None) -> tuple[pd.DataFrame, str | None]:
    """A table to be timed, and its subject column."""
    if name == "adult":
        return pd.read_csv(str(adult)), None
    if name.startswith("rand-hie"):
        return (rand_hie(), "person") if name.endswith("persons") else (rand_hie().drop(columns="person"), None)
    kind, size = name.split("-")
    rows, columns = map(int, size.split("x"))
    table = mixed(rows, 10, columns)
    if kind == "visits":
        patient = np.arange(rows) // 4
        for constant in ("age", "sex", "race", "region", "smoker", "deductible", "lpi", "fmde"):
            table[constant] = table[constant].to_numpy()[patient * 4]
        table.insert(0, "patient", patient)
        return table, "patient"
    return table, None


def time_one(name: str, adult: str | None) -> dict[str, object]:
    """Fit and sample one table in this process."""
    from sklearn.tree import DecisionTreeClassifier

    DecisionTreeClassifier()  # scikit-learn's import is not what is timed
    table, subject = table_named(name, adult)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = time.perf_counter(), time.process_time()
    generator = CartSynthesizer().fit(table, subject=subject)
    fitted = time.perf_counter()
    drawn = generator.sample()
    return {
        "table": name,
        "rows": len(drawn),
        "columns": drawn.shape[1],
        "fit_s": round(fitted - wall, 2),
        "sample_s": round(time.perf_counter() - fitted, 2),
        "total_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "before_mb": round(before),
    }


def as_numbers(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Words as categories that are the same in every table."""
    frame = frame.copy()
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = pd.Categorical(frame[name], categories=sorted(like[name].dropna().unique()))
    return frame


def quality(adult: str | None, draws: int, only: str | None) -> None:
    """TSTR loss in AUROC, a discriminator's AUROC, and the share of rows that stand in the source and in unseen rows."""
    from sklearn.metrics import roc_auc_score
    from xgboost import XGBClassifier

    from synthml.study import split_by_subject

    def score(train: pd.DataFrame, y: np.ndarray, test: pd.DataFrame, truth: np.ndarray) -> float:
        model = XGBClassifier(n_estimators=150, max_depth=4, learning_rate=0.05, enable_categorical=True, n_jobs=2)
        return float(roc_auc_score(truth, model.fit(train, y).predict_proba(test)[:, 1]))

    tables: dict[str, tuple[pd.DataFrame, str | None, str]] = {"rand-hie-persons": (rand_hie(), "person", "high_use")}
    discrete = ["stay", "visits", "sex", "race", "region", "smoker", "icd", "health", "deductible", "readmit"]
    tables["mixed-10000x18"] = (mixed(10000, 10).assign(readmit=lambda t: (t.readmit == "yes").astype(int)), None, "readmit")
    tables["mixed-10000x10-discrete"] = (tables["mixed-10000x18"][0][discrete], None, "readmit")
    if adult is not None:
        table = pd.read_csv(adult)
        target = table.columns[-1]
        tables["adult"] = (table.assign(**{target: table[target].str.contains(">50").astype(int)}), None, target)
    for name, (table, subject, target) in tables.items():
        if only not in (None, name):
            continue
        source, holdout = (part.reset_index(drop=True) for part in split_by_subject(table, subject=subject, fraction=0.5, seed=0))
        columns = [c for c in table if c not in (subject, target)]
        shown = [*columns, target]
        real = score(as_numbers(source[columns], table), source[target], as_numbers(holdout[columns], table), holdout[target])
        for min_leaf in (5, 10, 20, 50):
            found = []
            for seed in range(draws):
                drawn = CartSynthesizer(min_leaf=min_leaf, seed=seed).fit(source, subject=subject).sample()
                tstr = score(
                    as_numbers(drawn[columns], table), drawn[target], as_numbers(holdout[columns], table), holdout[target]
                )
                both = as_numbers(pd.concat([holdout[shown], drawn[shown]], ignore_index=True), table)
                synthetic = np.r_[np.zeros(len(holdout)), np.ones(len(drawn))]
                # Rows of one person stand on one side: a discriminator that has met the person tells the rest apart for free.
                who = (
                    np.arange(len(both))
                    if subject is None
                    else pd.factorize(pd.concat([holdout[subject], drawn[subject] + 10**9]))[0]
                )
                train = (np.random.default_rng(seed).random(who.max() + 1) < 0.5)[who]
                told_apart = score(both[train], synthetic[train], both[~train], synthetic[~train])
                copies = [len(drawn[shown].merge(part[shown].drop_duplicates())) / len(drawn) for part in (source, holdout)]
                found.append([real - tstr, told_apart, *copies])
            mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
            print(
                f"| {name} | {min_leaf} | {real:.4f} | {mean[0]:+.4f} (sd {spread[0]:.4f}) | {mean[1]:.3f} "
                f"| {mean[2]:.4f} | {mean[3]:.4f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adult", help="path of UCI Adult as CSV")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="one table of --quality")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(time_one(arguments.one, arguments.adult)))
        return
    if arguments.quality:
        quality(arguments.adult, arguments.draws, arguments.only)
        return
    for name in (*TIMED, *(["adult"] if arguments.adult else [])):
        command = [sys.executable, str(Path(__file__)), "--one", name, *(["--adult", arguments.adult] if arguments.adult else [])]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(arguments.repeats)
        ]
        runs.sort(key=lambda run: run["total_s"])
        middle, best = runs[len(runs) // 2], runs[0]
        print(
            f"| {name} | {middle['rows']:,} x {middle['columns']} | {middle['total_s']} ({best['total_s']}) | {middle['fit_s']} "
            f"| {middle['sample_s']} | {middle['cpu_s']} | {middle['peak_mb']} ({middle['before_mb']} before) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
