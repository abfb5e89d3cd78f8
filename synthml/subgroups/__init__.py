"""Subgroups: does the synthetic-trained model serve every patient group, and where is it worst?

`showing`      which groups of a table are shown: one decision for every kind of evidence
`measure`      the evidence of kind "subgroups": figures per group, disparities, slices
`naming`       which groups may be named
`suppression`  which groups are withheld, so that no small one can be worked out
`audit`        what a reader could still work out of the withheld counts
`cells`        the exact bootstrap of confusion cells, by subject when there are subjects
`joint`        the figures of a column's groups together: variances and covariances
`disparities`  difference, ratio and worst group with intervals that hold over all groups
`conditions`, `slices`   the worst slices of up to two conditions, searched on one half and tested on the other
"""

from __future__ import annotations

from synthml.subgroups.measure import measure_subgroups

__all__ = ["measure_subgroups"]
