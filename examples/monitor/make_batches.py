"""Make two production batches for the demo's version, and watch it:

    uv run synthml demo
    uv run python examples/monitor/make_batches.py
    uv run synthml monitor models:/rand-hie-high-use/1 --batch batch_usual.parquet
    uv run synthml monitor models:/rand-hie-high-use/1 --batch batch_drifted.parquet --markdown -

Both are samples of the demo's holdout persons, for the experiment ended in 1982. The first is as they are. The second comes from
a clinic that treats sicker people, whose export lost the participation incentive in every third row. It is met by an alert.
"""

import argparse
from pathlib import Path

import numpy as np

import synthml
from synthml.datasets import rand_hie

SEED = 7  # the demo's: the persons of its holdout are found by it


def main() -> None:
    parser = argparse.ArgumentParser(description="Two production batches for the demo's version.")
    parser.add_argument("--output", type=Path, default=Path(), help="Folder for the two files; default: the working folder.")
    output = parser.parse_args().output
    _, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    rng = np.random.default_rng(SEED)

    persons = holdout["person"].unique()
    usual = holdout[holdout["person"].isin(rng.choice(persons, 1000, replace=False))]

    per_person = holdout.groupby("person")["disea"].first()
    sicker = per_person.rank(pct=True) ** 3
    chosen = rng.choice(per_person.index, 1000, replace=False, p=sicker / sicker.sum())
    drifted = holdout[holdout["person"].isin(chosen)].copy()
    drifted.loc[rng.random(len(drifted)) < 1 / 3, "lpi"] = np.nan

    output.mkdir(parents=True, exist_ok=True)
    usual.reset_index(drop=True).to_parquet(output / "batch_usual.parquet")
    drifted.reset_index(drop=True).to_parquet(output / "batch_drifted.parquet")
    print("wrote batch_usual.parquet and batch_drifted.parquet")


if __name__ == "__main__":
    main()
