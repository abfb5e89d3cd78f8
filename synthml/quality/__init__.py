"""Quality of the tables and their labels: what is wrong with them before anybody trains on them.

`missing`         values that are missing, by column, by group, by outcome
`duplicates`      rows that stand there twice, beside what chance gives
`representation`  groups that are too small to be measured
`features`        constant features, and features that give the target away
`noise`, `flips`  wrong labels in the source, group by group
`plausibility`    synthetic labels held against a model of real rows, group by group
`ground`, `cells`, `learner`, `shares`  what they share: the study, groups under names that may be told, a learner, intervals
"""

from __future__ import annotations

from synthml.quality.measure import measure_quality
from synthml.quality.suspects import Suspects

__all__ = ["Suspects", "measure_quality"]
