"""UCI Adult (Becker & Kohavi 1996, CC BY 4.0) as a study: income above 50k, by sex, race and their intersection.

    uv run python benchmarks/adult_study.py path/to/adult.csv.gz adult/
    uv run synthml run adult/study.yaml

Writes the tables (Parquet and CSV) and the study file into the folder, and says how long the generator took.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import yaml

import synthml

STUDY = """\
schema:
  target: income
  positive: ">50K"
  sensitive: [sex, race]
  intersections: [[sex, race]]
tables: {source: source.parquet, synthetic: synthetic.parquet, holdout: holdout.csv}
generation: generation.yaml
model: {estimator: xgboost.XGBClassifier, params: {n_estimators: 150, max_depth: 5, learning_rate: 0.08, n_jobs: 1}}
tracking: {experiment: adult, registered_model: adult-income}
seed: 7
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    table = pd.read_csv(arguments.data, skipinitialspace=True)
    source, holdout = synthml.split_by_subject(table, fraction=0.4, seed=7)
    started = time.perf_counter()
    generator = synthml.CartSynthesizer(min_leaf=10, seed=7).fit(source)
    synthetic = generator.sample(seed=7)
    print(f"synthesised {len(synthetic):,} rows x {synthetic.shape[1]} columns in {time.perf_counter() - started:.1f} s")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source.to_parquet(arguments.folder / "source.parquet")
    synthetic.to_parquet(arguments.folder / "synthetic.parquet")
    holdout.to_csv(arguments.folder / "holdout.csv", index=False)
    (arguments.folder / "generation.yaml").write_text(yaml.safe_dump(generator.record().to_dict()))
    (arguments.folder / "study.yaml").write_text(STUDY)


if __name__ == "__main__":
    main()
