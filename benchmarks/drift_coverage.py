"""How often the interval of a drift beyond noise holds the truth: simulated batches against simulated references.

    uv run python benchmarks/drift_coverage.py

Rows of one person are equal with probability `icc`. The truth is the index, or the distance, at the levels that a batch of this
size is read at. Nominal: each bound misses 2.5%; without drift the upper bound cannot miss.
"""

import numpy as np

from synthml.monitoring.divergence import METHODS, Sides, divergence
from synthml.monitoring.profile import _design_effect

DRAWS = 400


def truth(p, q, method):
    if method == "psi":
        return float(((p - q) * np.log(p / q)).sum())
    middle = (p + q) / 2
    return float(np.sqrt(max((p * np.log(p / middle) + q * np.log(q / middle)).sum() / 2, 0.0)))


def draw(rng, p, rows, per_person, icc):
    if per_person == 1:
        return rng.choice(len(p), rows, p=p), None
    people = rows // per_person
    codes = np.repeat(rng.choice(len(p), people, p=p), per_person)
    again = rng.random(codes.size) > icc
    codes[again] = rng.choice(len(p), int(again.sum()), p=p)
    return codes, np.repeat(np.arange(people), per_person)


def main():
    rng = np.random.default_rng(20)
    print("| levels | rows | rows a person | icc | drift | method | truth | mean | low misses | high misses |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for levels in (2, 10, 20):
        for rows, per_person, icc in ((60, 1, 0), (300, 1, 0), (3000, 1, 0), (1000, 4, 0.5), (1000, 4, 1.0)):
            for shift in (0.0, 0.3, 1.0):
                p = np.maximum(np.sort(rng.dirichlet(np.full(levels, 3.0))), 0.02)
                p /= p.sum()
                q = p * np.exp(shift * np.linspace(-1, 1, levels))
                q /= q.sum()
                seen = {method: [0, 0, [], 0.0] for method in METHODS}
                for _ in range(DRAWS):
                    one, of_one = draw(rng, p, 5000, per_person, icc)
                    codes, subjects = draw(rng, q, rows, per_person, icc)
                    sides = Sides(np.bincount(one, minlength=levels), _design_effect(one, levels, of_one), codes, subjects)
                    onto = sides.together()
                    coarse = np.bincount(onto, weights=p), np.bincount(onto, weights=q)
                    for method, tally in seen.items():
                        found, real = divergence(sides, method, confidence=0.95).beyond, truth(*coarse, method)
                        tally[0] += found.low > real + 1e-12
                        tally[1] += found.high < real - 1e-12
                        tally[2].append(found.value)
                        tally[3] += real / DRAWS
                for method, (low, high, values, real) in seen.items():
                    cells = (levels, rows, per_person, icc, shift, method, f"{real:.3f}", f"{np.mean(values):.3f}")
                    print("|", " | ".join(map(str, (*cells, f"{low / DRAWS:.3f}", f"{high / DRAWS:.3f}"))), "|", flush=True)


if __name__ == "__main__":
    main()
