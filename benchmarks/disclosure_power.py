"""Can the attacks be trusted: do they find what is planted, stay quiet where nothing is, and fall as a generator grows safer?

    python benchmarks/disclosure_power.py plants            what is found, from which share on
    python benchmarks/disclosure_power.py calm [runs]       intervals on fresh samples, 1,000 repetitions
    python benchmarks/disclosure_power.py generators        CART by minimum leaf, and dpmm by epsilon (SYNTHML_DPMM_PYTHON)
    python benchmarks/disclosure_power.py anonymeter ADULT  point estimates beside anonymeter's (PEERS_HOME)

Each prints the section of disclosure_power.md of that name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

import synthml
from synthml.datasets import rand_hie
from synthml.disclosure import measure_disclosure
from synthml.disclosure.ground import Ground
from synthml.figures import escape_label
from synthml.neighbours import nearest
from synthml.synthesis import DpmmSynthesizer

KEYS = ["age", "weight", "zip", "plan", "stay"]
SHARES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LOOKED_AT = {  # figure -> what it is without a leak
    "disclosure.singling_out.risk/all": 0.0,
    "disclosure.linkability.risk/all": 0.0,
    "disclosure.inference.risk/hiv": 0.0,
    "disclosure.membership.auroc/all": 0.5,
    "disclosure.membership.tpr_at_fpr_10/all": 0.1,
    "disclosure.copies.excess/all": 0.0,
    "disclosure.near_copies.excess/all": 0.0,
    "disclosure.nearest_share/all": 0.5,
    "disclosure.cap.excess/hiv": 0.0,
}


def patients(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """People with numbers, categories and nulls, and a secret that nothing tells."""
    age = rng.integers(18, 95, rows).astype(float)
    plan = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    weight = rng.normal(60 + 0.2 * age, 12).round(1)
    lab = rng.normal(0.02 * age + (plan == "b"), 1.0).round(2)
    return pd.DataFrame(
        {
            "age": age,
            "weight": np.where(rng.random(rows) < 0.05, np.nan, weight),
            "zip": rng.integers(0, 60, rows).astype(str),
            "plan": plan,
            "stay": rng.poisson(3, rows).astype(float),
            "lab": lab,
            "hiv": rng.choice(["no", "yes"], rows),
            "ill": (rng.random(rows) < 1 / (1 + np.exp(1 - lab))).astype("int64"),
        }
    )


def study_of(source: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None, **words: object) -> synthml.Study:
    schema = {"target": "ill", "positive": 1, "quasi_identifiers": KEYS, "secrets": ["hiv"], **words}
    return synthml.Study(synthml.Schema(**schema), source=source, synthetic=synthetic, holdout=holdout)


def measured(study: synthml.Study, seed: int, **changes: object) -> dict[str, synthml.Estimate]:
    settings = synthml.MeasureSettings(disclosure=synthml.DisclosureSettings(**changes))
    return dict(measure_disclosure(study, seed=seed, settings=settings).figures)


# ---- plants -------------------------------------------------------------------------------------------------------------------


def planted(kind: str, share: float, source: pd.DataFrame, clean: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A clean table in which `share` of the rows tell of source rows in one way."""
    many = round(share * len(clean))
    out = {name: clean[name].to_numpy(copy=True) for name in clean.columns}
    where = rng.permutation(len(clean))[:many]
    whose = rng.permutation(len(source))[:many]
    if kind == "rare patients":
        ground = Ground.of(study_of(source, clean, None))
        lonely = nearest(ground.source.encoded, ground.source.encoded, k=5, exclude_self=True).distance.mean(axis=1)
        whose = ground.source.order[np.argsort(-lonely, kind="stable")[:many]]
    columns = [*KEYS, "hiv"] if kind == "memorised secret" else list(clean.columns)
    for name in columns:
        values = source[name].to_numpy()[whose]
        if kind == "near copies" and name in ("age", "weight", "lab"):
            values = values + rng.normal(0, 0.02 * np.nanstd(source[name]), many)
        out[name][where] = values
    return pd.DataFrame(out)


def plants(rows: int = 4000) -> None:
    rng = np.random.default_rng(1)
    source, holdout, clean = (patients(rows, rng) for _ in range(3))
    print("## Plants\n")
    print(f"{rows:,} source rows, as many held out, and as many synthetic ones drawn afresh from the same population, of")
    print("which a share is replaced. A cell: the figure's lower bound where it lies above its null (found), else a dot.\n")
    for kind in ("copies", "near copies", "rare patients", "memorised secret"):
        print(f"**{kind}**\n")
        print("| figure | " + " | ".join(f"{share:.1%}" for share in SHARES) + " |")
        print("|---" * (len(SHARES) + 1) + "|")
        found = [measured(study_of(source, planted(kind, share, source, clean, rng), holdout), 3) for share in SHARES]
        for name, null in LOOKED_AT.items():
            cells = [told(figures.get(name), null) for figures in found]
            print(f"| `{name.removeprefix('disclosure.').removesuffix('/all')}` | " + " | ".join(cells) + " |")
        print(flush=True)


def told(figure: synthml.Estimate | None, null: float) -> str:
    if figure is None or figure.value is None:
        return "–" if figure is None else figure.status
    low = figure.value if figure.low is None else figure.low
    return f"{low:.3f}" if low > null else "·"


# ---- calm ---------------------------------------------------------------------------------------------------------------------


def one_calm(seed: int) -> dict[str, str]:
    """Where zero (the null) lies of each interval when the synthetic table is a fresh sample."""
    rng = np.random.default_rng([9, seed])
    source, holdout, clean = (patients(400, rng) for _ in range(3))
    # the attack's own planting says nothing of calm, and costs time
    figures = measured(study_of(source, clean, holdout), seed, predicates=300, split_halves=20, planted=(0.05,))
    found = {}
    for name, null in LOOKED_AT.items():
        figure = figures.get(name)
        if figure is not None and figure.low is not None and figure.high is not None:
            found[name] = "below" if figure.high < null else "above" if figure.low > null else "held"
    return found


def calm(runs: int) -> None:
    os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(one_calm, range(runs), chunksize=4):
            for name, where in found.items():
                counts[name][where] += 1
    print("## Calm\n")
    print(f"{runs:,} repetitions with 400 rows in each table, all three drawn from one population: how often the 95%")
    print("interval holds the null, lies above it (a false alarm) or below.\n")
    print("| figure | null | repetitions | held | above | below |\n|---|---|---|---|---|---|")
    for name, null in LOOKED_AT.items():
        n = sum(counts[name].values())
        shares = [f"{counts[name][where] / n:.3f}" if n else "–" for where in ("held", "above", "below")]
        print(f"| `{name.removeprefix('disclosure.').removesuffix('/all')}` | {null:g} | {n:,} | " + " | ".join(shares) + " |")


# ---- generators ---------------------------------------------------------------------------------------------------------------


def generators() -> None:
    """RAND HIE by person; the risks of CART by minimum leaf and of dpmm by epsilon."""
    table = rand_hie()
    source, holdout = synthml.split_by_subject(table, subject="person", fraction=0.5, seed=1)
    schema = synthml.Schema(
        target="high_use", positive=1, subject="person", quasi_identifiers=["physlm", "health", "disea", "deductible"],
        secrets=["high_use"],
    )  # fmt: skip
    secret = escape_label("high_use")
    names = [name.replace("hiv", secret) for name in LOOKED_AT]
    names += ["disclosure.replicated_uniques/all", f"disclosure.disco/{secret}"]
    made = {f"CART, leaf {leaf}": synthml.CartSynthesizer(min_leaf=leaf, seed=1) for leaf in (1, 5, 50)}
    if os.environ.get("SYNTHML_DPMM_PYTHON"):
        made |= {f"dpmm MST, epsilon {e:g}": DpmmSynthesizer(epsilon=e, seed=1) for e in (20, 5, 1)}
    columns = {}
    for name, generator in made.items():
        learner = generator.fit(source, subject="person")
        study = synthml.Study(schema, source=source, synthetic=learner.sample(seed=2), holdout=holdout)
        columns[name] = dict(measure_disclosure(study, seed=3, settings=synthml.MeasureSettings()).figures)
        print(f"{name} measured", file=sys.stderr)
    print("## Generators\n")
    people = source["person"].nunique()
    print(f"RAND HIE, {len(source):,} source rows of {people:,} persons, the other half held out; epsilon is by row.\n")
    print("| figure | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in names:
        cells = [shown(figures.get(name)) for figures in columns.values()]
        plain = name.removeprefix("disclosure.").removesuffix("/all").replace(secret, "high_use")
        print(f"| `{plain}` | " + " | ".join(cells) + " |")


def shown(figure: synthml.Estimate | None) -> str:
    if figure is None or figure.value is None:
        return "–" if figure is None else figure.status
    bounds = "" if figure.low is None or figure.high is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{bounds}" + ("" if figure.ok else f", {figure.status}")


# ---- anonymeter ---------------------------------------------------------------------------------------------------------------

PEER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator
folder = sys.argv[1]
read = lambda role: pd.read_csv(folder + "/" + role + ".csv")
tables = dict(ori=read("source"), syn=read("synthetic"), control=read("holdout"))
words = json.loads(open(folder + "/words.json").read())
n, keys = words["attacks"], words["keys"]
def told(attack):
    found = attack.evaluate(n_jobs=1).results()
    return {"main": found.attack_rate.value, "control": found.control_rate.value, "baseline": found.baseline_rate.value}
out = {"inference": told(InferenceEvaluator(**tables, n_attacks=n, aux_cols=keys, secret=words["secret"], regression=False))}
for k in (1, 10):
    attack = LinkabilityEvaluator(**tables, n_attacks=n, aux_cols=(keys, words["others"]), n_neighbors=k)
    out["linkability, k = %d" % k] = told(attack)
print(json.dumps(out))
"""


def anonymeter(adult: str) -> None:
    """The same attacks by both, on UCI Adult and on RAND HIE without persons."""
    home = Path(os.environ.get("PEERS_HOME", Path("~/.cache/synthml-peers").expanduser()))
    print("## Beside anonymeter\n")
    parts = ("main", "control", "baseline")
    print("| data | attack | " + " | ".join(f"{part}, ours | {part}, anonymeter" for part in parts) + " |")
    print("|---" * 8 + "|")
    hie = rand_hie().drop(columns="person")
    income = pd.read_csv(adult)
    income = income.assign(income=income["income"].astype(str).str.strip(". "))
    cases = (
        ("RAND HIE", hie, "high_use", ["physlm", "health", "disea", "deductible", "lncoins"]),
        ("UCI Adult", income, "income", ["age", "type_employer", "education", "occupation", "sex", "race"]),
    )
    for title, every, secret, keys in cases:
        table = every.dropna().sample(frac=1, random_state=1).reset_index(drop=True)
        part = min(len(table) // 2, 8000)
        source, holdout = table.iloc[:part].reset_index(drop=True), table.iloc[part : 2 * part].reset_index(drop=True)
        synthetic = synthml.CartSynthesizer(min_leaf=5, seed=1).fit(source).sample(seed=2)
        others = [name for name in table.columns if name not in keys and name != secret]
        schema = synthml.Schema(target=secret, quasi_identifiers=keys, secrets=[secret])
        evidence = measure_disclosure(
            synthml.Study(schema, source=source, synthetic=synthetic, holdout=holdout), seed=3, settings=synthml.MeasureSettings()
        )
        ours = {(row["attack"], row["mode"]): row for row in evidence.tables["disclosure_attacks"]}
        with tempfile.TemporaryDirectory() as folder:
            for role, frame in (("source", source), ("synthetic", synthetic), ("holdout", holdout)):
                frame.to_csv(f"{folder}/{role}.csv", index=False)
            words = {"keys": keys, "others": [*others, secret], "secret": secret, "attacks": 2000}
            Path(f"{folder}/words.json").write_text(json.dumps(words))
            done = subprocess.run(
                [home / "v_anonymeter/bin/python", "-c", PEER, folder], capture_output=True, text=True, check=True
            )
        for attack, peer in json.loads(done.stdout.splitlines()[-1]).items():
            mode = ours[matching(ours, attack)]
            cells = [f"{mode[part]:.3f} | {peer[part]:.3f}" for part in parts]
            print(f"| {title} | {attack} | " + " | ".join(cells) + " |", flush=True)


def matching(ours: dict[tuple[str, str], dict[str, object]], attack: str) -> tuple[str, str]:
    name, _, detail = attack.partition(", ")
    wanted = detail.replace(" ", "") or "nearest"
    return next(key for key in ours if key[0] == name and wanted in key[1].replace(" ", ""))


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["plants"]
    {
        "plants": plants,
        "calm": lambda: calm(int(rest[0]) if rest else 1000),
        "generators": generators,
        "anonymeter": lambda: anonymeter(rest[0]),
    }[what]()
