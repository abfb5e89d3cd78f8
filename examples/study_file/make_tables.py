"""Write the tables that `study.yaml` beside this file names, and then run it:

uv run python examples/study_file/make_tables.py
uv run synthml run examples/study_file/study.yaml
"""

from pathlib import Path

import synthml
from synthml.datasets import rand_hie

HERE = Path(__file__).parent
SEED = 7


def main() -> None:
    source, holdout = synthml.split_by_subject(rand_hie(), subject="person", fraction=0.4, seed=SEED)
    synthetic = synthml.CartSynthesizer(min_leaf=10, seed=SEED).fit(source, subject="person").sample(seed=SEED)
    source.to_parquet(HERE / "source.parquet")
    synthetic.to_parquet(HERE / "synthetic.parquet")
    holdout.to_csv(HERE / "holdout.csv", index=False)
    print("wrote source.parquet, synthetic.parquet and holdout.csv")


if __name__ == "__main__":
    main()
