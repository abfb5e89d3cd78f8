"""Policies: what must hold before a model may serve or a table may travel, decided on the interval.

`criteria`  a policy as a file: criteria over figures, required kinds, signatures, documents, lineage; its digest
`decision`  `decide`: pure, from a dossier, a policy, one captured time and the facts that the registry knows
`facts`     those facts: signatures, recalls, contamination, release, reviews
`verdict`   the outcome, criterion by criterion
`attested`  a verdict as a statement that can be signed, and back
`*.yaml`    the shipped policies
"""

from __future__ import annotations

from synthml.policy.attested import verdict_of, verdict_statement
from synthml.policy.criteria import Criterion, Policy
from synthml.policy.decision import decide
from synthml.policy.facts import Approval, Facts, Waiver
from synthml.policy.verdict import Decision, Verdict

__all__ = [
    "Approval",
    "Criterion",
    "Decision",
    "Facts",
    "Policy",
    "Verdict",
    "Waiver",
    "decide",
    "verdict_of",
    "verdict_statement",
]
