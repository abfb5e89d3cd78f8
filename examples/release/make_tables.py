"""Write the tables that `study.yaml` beside this file names; with `--leaky`, a synthetic table that holds copies of people.

    uv run python examples/release/make_tables.py
    uv run synthml key new --output custodian.key
    uv run synthml release examples/release/study.yaml --policy release-default --policy release-korea \\
        --output released --sign-key custodian.key --rows-at-risk rows_at_risk.csv

Made with `--leaky`, every third row of the synthetic table is a row of the source, and the same commands refuse it.
"""

import sys
from pathlib import Path

import pandas as pd

import synthml
from synthml.datasets import rand_hie

HERE = Path(__file__).parent
SEED = 7


def main() -> None:
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.5, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=100, seed=SEED).fit(source, subject="person").sample(seed=SEED)
    if "--leaky" in sys.argv:
        copied = source.drop(columns="person").iloc[::3]
        kept = synthetic.drop(columns="person", errors="ignore").iloc[len(copied) :]
        synthetic = pd.concat([copied, kept], ignore_index=True)[kept.columns]
    source.to_parquet(HERE / "source.parquet")
    synthetic.to_parquet(HERE / "synthetic.parquet")
    holdout.to_parquet(HERE / "holdout.parquet")
    print("wrote source.parquet, synthetic.parquet and holdout.parquet")


if __name__ == "__main__":
    main()
