"""Evidence: whoever measured stands by an evidence document. Subjects: `evidence`, `model` when there is one, and every table.

The document itself lies beside the statement; its digest binds every figure in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.attestation.predicates.fields import mapping, optional_text, text, texts
from synthml.attestation.predicates.names import NAMESPACE
from synthml.attestation.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.evidence import Dossier

__all__ = ["EVIDENCE", "EvidencePredicate", "evidence_statement", "evidence_v1"]

EVIDENCE = f"{NAMESPACE}/evidence/v1"


@dataclass(frozen=True)
class EvidencePredicate:
    """evidence, model: digests of the document and of the model's files. producer: the role in which it was measured.

    datasets: role -> digest. created: the time that the document carries. digest_form: how tables were digested.
    """

    evidence: str
    kinds: tuple[str, ...]
    producer: str
    datasets: Mapping[str, str]
    created: str | None
    synthml: str
    digest_form: str
    model: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The predicate of the newest version."""
        return {
            "evidence": self.evidence,
            "model": self.model,
            "kinds": list(self.kinds),
            "producer": self.producer,
            "datasets": dict(self.datasets),
            "created": self.created,
            "synthml": self.synthml,
            "digestForm": self.digest_form,
        }


def evidence_v1(data: Mapping[str, Any]) -> EvidencePredicate:
    """Read version 1. Raises AttestationError."""
    datasets = mapping(data, "datasets")
    return EvidencePredicate(
        evidence=text(data, "evidence"),
        kinds=texts(data, "kinds"),
        producer=text(data, "producer"),
        datasets={role: text(datasets, role) for role in datasets},
        created=optional_text(data, "created"),
        synthml=text(data, "synthml"),
        digest_form=text(data, "digestForm"),
        model=optional_text(data, "model"),
    )


def evidence_statement(dossier: Dossier, *, digest_form: str) -> Statement:
    """The statement about a dossier's document."""
    model = (dossier.model or {}).get("digest")
    datasets = {role: str(facts["digest"]) for role, facts in sorted(dossier.datasets.items()) if facts.get("digest")}
    predicate = EvidencePredicate(
        evidence=dossier.digest,
        kinds=dossier.kinds,
        producer=dossier.producer,
        datasets=datasets,
        created=dossier.created,
        synthml=dossier.synthml,
        digest_form=digest_form,
        model=None if model is None else str(model),
    )
    named = {"evidence": dossier.digest, **({} if model is None else {"model": str(model)}), **datasets}
    return Statement(tuple(Subject(name, digest) for name, digest in named.items()), EVIDENCE, predicate.to_dict())
