"""A model in use, watched: production batches against the real reference that the version was proven on.

`levels`, `profile`   the reference as counts at levels that may leave the hospital: recorded with the evidence
`batch`               a production batch, read and looked over
`divergence`          how far its shares are from the reference's, beyond noise
`performance`         where outcomes are known: the figures of the evidence again, and how much is lost
`measure`             all of it, as evidence of kind "monitoring"
`decision`, `alert`   quiet, alert or not enough to say; the message that goes out
"""

from __future__ import annotations

from synthml.monitoring.alert import alert_markdown
from synthml.monitoring.batch import Batch, Finding, read_batch, schema_of
from synthml.monitoring.decision import EXIT_CODES, decide_batch
from synthml.monitoring.measure import KIND, measure_batch, scores_of
from synthml.monitoring.profile import TABLE, Profile, reference_profile

__all__ = [
    "EXIT_CODES",
    "KIND",
    "TABLE",
    "Batch",
    "Finding",
    "Profile",
    "alert_markdown",
    "decide_batch",
    "measure_batch",
    "read_batch",
    "reference_profile",
    "schema_of",
    "scores_of",
]
