"""Drift between two tables, by Evidently: its figures under our ids, its pages with nothing of a row in them.

`compare`       two tables: figures with intervals, rows of the table "drift", what there is to draw
`page_of`       one self-contained page for several comparisons
`measure_drift` the comparisons that a study allows, as evidence

Importing this loads no Evidently: it is loaded by the first comparison.
"""

from __future__ import annotations

from synthml.drift.comparison import LEAST_ROWS, MOST_ROWS, Comparison, compare
from synthml.drift.measure import measure_drift
from synthml.drift.page import page_of

__all__ = ["LEAST_ROWS", "MOST_ROWS", "Comparison", "compare", "measure_drift", "page_of"]
