"""Rules between columns: those of the study file, and those that the source itself keeps to.

What the source teaches is checked on rows that it was not learned from, so that no noise is called a rule; then it is asked what
share of the synthetic rows breaks it, beside the share of these other real rows.

`tables`        tables as the rules read them
`learned`       a rule that rows have taught; how much dirt it bears
`dependencies`  one column determines another, or whether it is known
`inequalities`  one number never exceeds another
`combinations`  values that never meet
`values`        what the values of one column have in common
`measure`       learned, confirmed, and held against the synthetic table
"""

from __future__ import annotations

from synthml.fidelity.constraints.measure import measure_constraints

__all__ = ["measure_constraints"]
