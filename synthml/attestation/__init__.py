"""Statements about tables and models, signed: in-toto statements in DSSE envelopes, with Ed25519.

`statement`   what is claimed of which digests; the bytes are canonical, so equal claims are equal bytes
`predicates`  the kinds of claims, each with its versions and one reader a version
`envelope`    sign and verify, through securesystemslib
`keys`        key pairs as PEM, and keys that are kept elsewhere
`trust`       which key may say what, as a file

No environment, no clock, no network but a key service's own. A signature holds or does not (`verify`); whether it counts is what
the trust file says (`Trust.claim`, at a time that the caller has captured).

Digests of models. A model's subject is `synthml.folder_digest`: SHA-256 over the sorted lines `<sha256>  <path>` of its files,
which is what `sha256sum` prints, so that anybody can recompute it with a shell. OpenSSF's model signing (`model-signing`,
predicate `https://model_signing/signature/v1.0`) hashes the same files with SHA-256, but lists them in the predicate and takes
its root over the concatenated raw digests in path order, without the names. The two roots differ; the leaves agree, so that from
the files each can be computed and either signature can stand beside the other. Ours binds the names in the digest itself, because
here the digest stands alone: in tags, verdicts and approvals, where no manifest travels with it; and it leaves out
`registered_model_meta`, which MLflow writes on download, while model signing leaves out its own signature and git's files.
"""

from __future__ import annotations

from synthml.attestation.envelope import Verified, is_envelope, sign, unverified, verify
from synthml.attestation.keys import is_address, key_id, new_key, private_key, public_keys, public_pem, remote_signer
from synthml.attestation.predicates import (
    ACTIVITIES,
    DEPLOYMENT,
    DERIVATION,
    EVIDENCE,
    RECALL,
    RECALL_LIFT,
    RELEASE,
    RETIREMENT,
    REVIEW,
    TEST_RESULT,
    WAIVER,
    DeploymentPredicate,
    DerivationPredicate,
    EvidencePredicate,
    Material,
    RecallLiftPredicate,
    RecallPredicate,
    ReleasePredicate,
    RetirementPredicate,
    ReviewPredicate,
    Signatory,
    VerdictPredicate,
    WaiverPredicate,
    deployment_statement,
    derivation_statement,
    evidence_statement,
    kind_of,
    read_as,
    read_predicate,
    recall_lift_statement,
    recall_statement,
    retirement_statement,
    review_statement,
    waiver_statement,
)
from synthml.attestation.statement import Statement, Subject
from synthml.attestation.trust import ROLES, Accepted, Claim, Refused, Trust, TrustedKey, trust_schema

__all__ = [
    "ACTIVITIES",
    "DEPLOYMENT",
    "DERIVATION",
    "EVIDENCE",
    "RECALL",
    "RECALL_LIFT",
    "RELEASE",
    "RETIREMENT",
    "REVIEW",
    "ROLES",
    "TEST_RESULT",
    "WAIVER",
    "Accepted",
    "Claim",
    "DeploymentPredicate",
    "DerivationPredicate",
    "EvidencePredicate",
    "Material",
    "RecallLiftPredicate",
    "RecallPredicate",
    "Refused",
    "ReleasePredicate",
    "RetirementPredicate",
    "ReviewPredicate",
    "Signatory",
    "Statement",
    "Subject",
    "Trust",
    "TrustedKey",
    "VerdictPredicate",
    "Verified",
    "WaiverPredicate",
    "deployment_statement",
    "derivation_statement",
    "evidence_statement",
    "is_address",
    "is_envelope",
    "key_id",
    "kind_of",
    "new_key",
    "private_key",
    "public_keys",
    "public_pem",
    "read_as",
    "read_predicate",
    "recall_lift_statement",
    "recall_statement",
    "remote_signer",
    "retirement_statement",
    "review_statement",
    "sign",
    "trust_schema",
    "unverified",
    "verify",
    "waiver_statement",
]
