"""Dossiers of a table that was attacked, made by hand: what each attack found is given, so what must be decided is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from synthml.estimate import Estimate
from synthml.evidence import Dossier

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
DIGEST = {role: f"sha256:{i:064x}" for i, role in enumerate(("source", "synthetic", "holdout"), 1)}
COLUMNS = {"age": "numeric", "sex": "categorical", "ill": "boolean", "seen": "datetime"}
# of each figure: value, lower and upper bound
CALM: dict[str, tuple[float, float | None, float | None]] = {
    "disclosure.singling_out.risk/all": (0.01, -0.02, 0.04),
    "disclosure.singling_out.worst_group/all": (0.02, -0.02, 0.08),
    "disclosure.linkability.risk/all": (0.0, -0.02, 0.03),
    "disclosure.linkability.worst_group/all": (0.01, -0.03, 0.07),
    "disclosure.inference.risk/ill": (0.01, -0.02, 0.045),
    "disclosure.inference.worst_group/ill": (0.01, -0.02, 0.08),
    "disclosure.membership.tpr_at_fpr_10/all": (0.1, 0.08, 0.12),
    "disclosure.membership.tpr_at_fpr_10.exposed/all": (0.1, 0.05, 0.18),
    "disclosure.copies.share.beyond/all": (-0.001, None, None),
    "disclosure.copies.excess/all": (0.0, -0.005, 0.005),
    "disclosure.near_copies.share.beyond/all": (-0.001, None, None),
    "disclosure.distance_share.beyond/all": (-0.02, None, None),
    "disclosure.cap.excess/ill": (0.01, -0.01, 0.03),
    "disclosure.cap.excess.beyond/ill": (-0.01, None, None),
    "disclosure.replicated_uniques.beyond/all": (-0.01, None, None),
}
RECORD: dict[str, Any] = {
    "schema_version": "1",
    "id": "clinic-2026",
    "version": "3",
    "created": "2026-01-01",
    "synthesis": "full",
    "purpose": "Teaching, | and <b>bold</b> plans",
    "supported_uses": ["teaching"],
    "release_scope": "controlled",
    "source": {
        "period": "2019",
        "n": 900,
        "lawful_basis": "public interest",
        "limitations": {"bias": "one site", "labels": "coded"},
    },
    "dictionary": [{"name": "age", "description": "age at visit", "unit": "years", "classification": "quasi"}],
    "preparation": {"dropped": ["name"], "outliers": "capped"},
    "generator": {"name": "CART", "version": "1", "parameters": {"min_leaf": 20}},
    "output": {"n": 900},
    "residual_risks": "rare diagnoses",
    "controls": ["agreement"],
    "expiry": "2027-01-01",
}


def dossier(
    *, record: dict[str, Any] | None = None, without: str = "-", **found: tuple[float, float | None, float | None]
) -> Dossier:
    """A calm table, with the figures of `found` (`singling_out_risk=...`: its first `_` is a point) in place of the calm ones."""
    given = {name: bounds for name, bounds in CALM.items() if not name.startswith(f"disclosure.{without}.")}
    for name, bounds in found.items():
        (full,) = [key for key in given if key.replace(".", "_").startswith(f"disclosure_{name}/")]
        given[full] = bounds
    return Dossier(
        figures={name: Estimate(value, low, high, 900) for name, (value, low, high) in given.items()},
        tables={
            "disclosure_attacks": (
                {"attack": "singling_out", "of": "all", "mode": "univariate", "decisive": True, "main": 0.05, "control": 0.04,
                 "baseline": 0.03, "risk": 0.01, "risk_low": -0.02, "risk_high": 0.04, "unit": "patients", "reason": None},
                {"attack": "inference", "of": "ill", "mode": "model", "decisive": True, "risk": None, "reason": "no holdout"},
            ),
            "threat_models": ({"attack": "singling_out", "question": "Can a person be singled out?"},),
        },
        datasets={role: {"digest": digest, "rows": 900, "columns": 4, "subjects": None} for role, digest in DIGEST.items()},
        study={"quasi_identifiers": ["age", "sex"], "secrets": ["ill"], "sensitive": ["sex"], "task": "binary", "target": "ill"},
        generation=RECORD if record is None else record,
        kinds=("disclosure",),
        seed=7,
        created="2026-01-02T11:00:00Z",
        synthml="0.1.0",
    )  # fmt: skip
