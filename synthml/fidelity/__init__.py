"""Where the synthetic table departs from its source, beside what two samples of the source show of each other.

`coding`         columns as a handful of levels that the source fixes
`columns`        one column: distances of distributions
`pairs`          all pairs at once: contingency tables, Cramer's V, rank correlations, by matrix products
`floor`          random halves of the source, by patient
`distributions`  a table laid beside the source: every column, every pair, and the floor
"""

from __future__ import annotations

from synthml.fidelity.measure import measure_fidelity

__all__ = ["measure_fidelity"]
