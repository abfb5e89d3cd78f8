"""Policies: what must hold before a model may serve or a table may travel, decided on the interval.

`criteria`  a policy as a file: criteria over figures, required kinds, signatures, documents, lineage; its digest
`decision`  `decide`: pure, from a dossier, a policy, one captured time and the facts that the registry knows
`verdict`   the outcome, criterion by criterion
`*.yaml`    the shipped policies
"""

from __future__ import annotations

from synthml.policy.criteria import Criterion, Policy
from synthml.policy.decision import Approval, Facts, Waiver, decide
from synthml.policy.verdict import Decision, Verdict

__all__ = ["Approval", "Criterion", "Decision", "Facts", "Policy", "Verdict", "Waiver", "decide"]
