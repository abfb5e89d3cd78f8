"""The release of a synthetic table: decided under one or several policies, written down, and ready to be signed.

`decision`    one dossier, several verdicts, and the worst of them
`advice`      what can be done about a refusal
`documents`   everything that a release consists of, as bytes: pure, so that the same release is the same bytes
"""

from __future__ import annotations

from synthml.release.advice import advice
from synthml.release.decision import Release, decide_release, kinds_to_measure
from synthml.release.documents import documents, statement_of

__all__ = ["Release", "advice", "decide_release", "documents", "kinds_to_measure", "statement_of"]
