"""Can a classifier tell synthetic rows from real ones? Everywhere, in every group, and by which columns.

`sides`          the rows of two tables that are compared, whole subjects, equally many
`propensity`     pMSE: a calibrated linear learner, its null by permutation
`discriminator`  a boosted learner trained on some rows and asked about others: its AUROC, and which columns told
`measure`        both, of everyone and of every group
"""

from __future__ import annotations

from synthml.fidelity.classifiers.measure import measure_classifiers

__all__ = ["measure_classifiers"]
