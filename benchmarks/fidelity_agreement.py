"""How far our distances agree with sdmetrics' and Evidently's where the definitions agree.

    ~/.cache/synthml-peers/v_sdmetrics/bin/python benchmarks/fidelity_agreement.py --peers FOLDER    the peers' numbers, as JSON
    python benchmarks/fidelity_agreement.py > benchmarks/fidelity_agreement.md                       the table

sdmetrics (BUSL) is no dependency of this project: its numbers come from an environment of its own (PEERS_HOME).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

PEER = Path(os.environ.get("PEERS_HOME", Path("~/.cache/synthml-peers/v_sdmetrics/bin/python").expanduser()))


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five thousand rows each, without nulls: labels, counts, and numbers of two shapes."""
    frames = []
    for seed, shift in ((1, 0.0), (2, 0.15)):
        rng = np.random.default_rng(seed)
        ward = rng.choice(5, 5000, p=[0.4, 0.25, 0.2, 0.1 - 0.05 * (shift > 0), 0.05 + 0.05 * (shift > 0)])
        frames.append(
            pd.DataFrame(
                {
                    "ward": np.array([*"abcde"], dtype=object)[ward],
                    "sex": rng.choice(["F", "M"], 5000, p=[0.5 + shift / 2, 0.5 - shift / 2]).astype(object),
                    "weight": rng.normal(70 + 10 * shift, 12, 5000),
                    "cost": np.exp(rng.normal(shift + 0.1 * ward, 1, 5000)),
                }
            )
        )
    return frames[0], frames[1]


def peers(folder: str) -> None:
    """The peers' figures by column."""
    from sdmetrics.column_pairs import ContingencySimilarity
    from sdmetrics.single_column import KSComplement, TVComplement

    one, other = (pd.read_parquet(Path(folder) / f"{name}.parquet") for name in ("source", "synthetic"))
    found = {f"sdmetrics TVComplement, {name}": 1 - TVComplement.compute(one[name], other[name]) for name in ("ward", "sex")}
    found |= {f"sdmetrics KSComplement, {name}": 1 - KSComplement.compute(one[name], other[name]) for name in ("weight", "cost")}
    both = ["ward", "sex"]
    found["sdmetrics ContingencySimilarity, ward and sex"] = 1 - ContingencySimilarity.compute(one[both], other[both])
    found |= _evidently(one, other)
    print("@@" + json.dumps({name: float(value) for name, value in found.items()}))


def _evidently(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(numerical_columns=["weight", "cost"], categorical_columns=["ward", "sex"])
    asked = [("jensenshannon", "ward"), ("jensenshannon", "sex"), ("wasserstein", "weight"), ("wasserstein", "cost")]
    metrics = [ValueDrift(column=name, method=method) for method, name in asked]
    run = Report(metrics).run(*(Dataset.from_pandas(frame, data_definition=definition) for frame in (other, one)))
    values = [metric["value"] for metric in run.dict()["metrics"]]
    return {f"Evidently {method}, {name}": value for (method, name), value in zip(asked, values, strict=True)}


def ours() -> dict[str, float]:
    """Our figures in the peers' units."""
    from synthml.fidelity.coding import spread_of
    from synthml.fidelity.distributions import compare

    one, other = tables()
    comparison = compare(one, other, repeats=5)
    columns, pairs = comparison.by_column(), comparison.by_pair()
    place = {name: at for at, name in enumerate(one)}

    def figure(measure: str, name: str) -> float:
        return float(columns[measure].value[place[name]])

    def in_deviations(name: str) -> float:
        return figure("wasserstein", name) * spread_of(np.sort(one[name].to_numpy())) / float(one[name].std(ddof=0))

    together = float(pairs.tvd.value[pairs.places.index((place["ward"], place["sex"]))])
    return {
        **{f"sdmetrics TVComplement, {name}": figure("tvd", name) for name in ("ward", "sex")},
        **{f"sdmetrics KSComplement, {name}": figure("ks", name) for name in ("weight", "cost")},
        "sdmetrics ContingencySimilarity, ward and sex": together,
        # Evidently's divergences are in nats, ours in bits: as a distance the root of ln 2 lies between
        **{
            f"Evidently jensenshannon, {name}": figure("jensen_shannon", name) * float(np.sqrt(np.log(2)))
            for name in ("ward", "sex")
        },
        **{f"Evidently wasserstein, {name}": in_deviations(name) for name in ("weight", "cost")},
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in zip(("source", "synthetic"), tables(), strict=True):
            frame.to_parquet(Path(folder) / f"{name}.parquet")
        done = subprocess.run([str(PEER), __file__, "--peers", folder], capture_output=True, text=True, check=False)
    told = [line[2:] for line in done.stdout.splitlines() if line.startswith("@@")]
    if not told:
        raise SystemExit(done.stderr[-3000:])
    theirs, own = json.loads(told[0]), ours()
    print("# Agreement with the peers\n\n`python benchmarks/fidelity_agreement.py`: 5,000 rows each, no nulls.")
    print("Complements are taken from one; Wasserstein is in standard deviations of the source, Jensen-Shannon in nats.\n")
    print("| figure | peer | synthml | difference |\n| --- | --- | --- | --- |")
    for name, value in theirs.items():
        print(f"| {name} | {value:.9f} | {own[name]:.9f} | {own[name] - value:.1e} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peers"]:
        peers(sys.argv[2])
    else:
        main()
