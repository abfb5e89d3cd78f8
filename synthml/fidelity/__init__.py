"""Where the synthetic table departs from its source, beside what two samples of the source show of each other.

`coding`         columns as a handful of levels, and a grid for distribution functions
`columns`        one column: distances of distributions
`pairs`          two columns: Cramer's V, rank correlations
`crossing`       every pair of columns, for all groups at once
`floor`          random halves of the source, by patient; a figure beside its floor, with an interval
`distributions`  a table laid beside the source: every column, every pair, and the floor
`missing`        nulls, and which columns are null together
`coverage`       what of the source occurs, and what never did there
`groups`         the same within every sensitive group
`classifiers`    can anything tell the two tables apart
`constraints`    rules between columns
`measure`        all of it, as evidence
"""

from __future__ import annotations

from synthml.fidelity.measure import measure_fidelity

__all__ = ["measure_fidelity"]
