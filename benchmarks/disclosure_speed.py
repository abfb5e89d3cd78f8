"""Every attack's time and memory, beside the peers on the same tables in one run.

    python benchmarks/disclosure_speed.py PEERS [TABLE] > table.md        all lines, ours and the peers'
    python benchmarks/disclosure_speed.py --ours TABLE TASK               one line, in this process

PEERS is a folder with `runone.py TASK TABLE`, which runs one task of a peer in its own environment and prints a line of JSON; the
tables stand under PEERS_HOME/data as TABLE_train.csv, TABLE_syn.csv and TABLE_holdout.csv (default mixed_100000).
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

HOME = Path(os.environ.get("PEERS_HOME", Path("~/.cache/synthml-peers").expanduser()))
KEYS = {"randhie": ["physlm", "health", "disea", "idp"], "mixed": ["age", "sex", "race", "region", "smoker"]}
LINES = (  # what, our task, peer's environment and task, how many times less the peer did
    ("linkability, all rows and control", "linkability", "anonymeter", "anon:link:2000", "2,000 targets"),
    ("inference of one secret, all rows and control", "inference", "anonymeter", "anon:inf:2000", "2,000 targets"),
    ("singling out, all modes", "singling_out", "anonymeter", "anon:so_multi:2000", "2,000 predicates, multivariate"),
    ("membership, all scores with intervals", "membership", "", "", ""),
    ("copies", "copies", "sdmetrics", "sdm:newrow:200", "200 rows, exact copies only"),
    ("distances", "distances", "sdmetrics", "sdm:dcro:200", "200 rows"),
    ("CAP, replicated uniques, DiSCO", "attribution", "sdmetrics", "sdm:cap", "CAP alone"),
    ("split-half thresholds, 100 repeats", "split_half", "", "", ""),
    ("disclosure as a whole", "all", "", "", ""),
)


def ours(table: str, task: str) -> None:
    import synthml
    from synthml.disclosure import measure_disclosure
    from synthml.disclosure.ground import Ground
    from synthml.disclosure.measure import ATTACKS

    roles = {"source": "train", "synthetic": "syn", "holdout": "holdout"}
    frames = {role: pd.read_csv(HOME / "data" / f"{table}_{name}.csv") for role, name in roles.items()}
    target = "readmit" if "readmit" in frames["source"] else "anyvis"
    keys = KEYS[table.split("_", maxsplit=1)[0]]
    schema = synthml.Schema(target=target, positive="yes", quasi_identifiers=keys, secrets=[target], sensitive=keys[1:2])
    study = synthml.Study(schema, **frames)
    settings = synthml.MeasureSettings()
    before, cpu, start = peak(), time.process_time(), time.perf_counter()
    if task == "all":
        measure_disclosure(study, seed=1, settings=settings)
    else:
        ground = Ground.of(study, settings=settings.disclosure, seed=1)
        cpu, start = time.process_time(), time.perf_counter()
        ATTACKS[task].finding(ground)
    facts = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak_mb": peak(), "before_mb": before}
    print("@@" + json.dumps(facts))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(command: list[object], timeout: float = 300) -> dict[str, object]:
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return {"wall": None, "peak_mb": None, "note": f"more than {timeout:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if "@@" in line]
    if not lines:
        return {"wall": None, "peak_mb": None, "note": done.stderr.strip().splitlines()[-1][:80] if done.stderr else "no answer"}
    return dict(json.loads(lines[-1].split("@@", 1)[1]))


def main(peers: Path, table: str) -> None:
    import numpy as np

    print(f"`{table}`; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; Python {platform.python_version()},")
    print(f"NumPy {np.__version__}. Seconds of the call alone, one run each; peak memory of the process.\n")
    print("| what | ours, s | CPU s | peak MB | peer | peer, s | peer, peak MB | the peer did | times faster |")
    print("|---|---|---|---|---|---|---|---|---|")
    for what, task, environment, peer_task, did in LINES:
        mine = run([sys.executable, __file__, "--ours", table, task])
        theirs = run([HOME / f"v_{environment}/bin/python", peers / "runone.py", peer_task, table]) if environment else {}
        ratio = f"{theirs['wall'] / mine['wall']:.0f}" if theirs.get("wall") and mine["wall"] else ""
        seconds = (theirs.get("wall") and f"{theirs['wall']:.1f}") or theirs.get("note") or theirs.get("err") or ""
        told = [f"{mine[k]:.1f}" if mine.get(k) is not None else str(mine.get("note")) for k in ("wall", "cpu", "peak_mb")]
        row = [what, *told, environment, seconds, str(theirs.get("peak_mb") or ""), did, ratio]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--ours":
        ours(*sys.argv[2:4])
    else:
        main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "mixed_100000")
