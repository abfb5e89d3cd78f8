"""A registry made by hand: models that nobody trained, with evidence that nobody measured, in seconds and with known digests."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthml.attestation import (
    RELEASE,
    Material,
    ReleasePredicate,
    Statement,
    Subject,
    Trust,
    evidence_statement,
    new_key,
    private_key,
    public_pem,
    sign,
)
from synthml.digest import folder_digest
from synthml.estimate import Estimate
from synthml.evidence import Dossier
from synthml.policy import Policy
from synthml_tracking.attachments import Attachment
from synthml_tracking.client import load_mlflow

SOURCE, SYNTHETIC, HOLDOUT, OTHER, OLDER = (f"sha256:{hashlib.sha256(name).hexdigest()}" for name in b"s y h o z".split())
WHEN = "2030-01-01T00:00:00Z"
PEOPLE = ("engineer", "evaluator", "custodian", "reviewer", "gate", "operator")
KEYS = {role: private_key(new_key()) for role in (*PEOPLE, "stranger")}


def short(digest: str) -> str:
    return digest.rpartition(":")[2][:32]


def trust(**changes: str) -> Trust:
    """Everybody in the role of their name, but the stranger. changes: role -> a line more, such as `expires: 2029-01-01`."""
    lines = ["version: 1", "keys:"]
    for role in PEOPLE:
        pem = json.dumps(public_pem(KEYS[role]).decode())
        lines.append(
            f"  - {{name: {role.title()}, roles: [{role}], key: {pem}{', ' + changes[role] if role in changes else ''}}}"
        )
    return Trust.parse("\n".join(lines))


def asking(**parts: Any) -> Policy:
    given = {"require": {}, "lineage": {"no_contamination": False}, **parts}
    return Policy(name="p", version=1, **given)


@dataclass
class Model:
    """A logged model with one registered version. place: its files; dossier: the engineer's evidence."""

    client: Any
    run_id: str
    model_id: str
    place: Path
    artifacts: Path
    name: str
    tables: dict[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/1"

    @property
    def digest(self) -> str:
        return folder_digest(self.place)

    def evidence(
        self, producer: str, value: float = 0.8, *, created: str = WHEN, tables: dict[str, str] | None = None
    ) -> Dossier:
        held = self.tables if tables is None else tables
        return Dossier(
            figures={"utility.auroc.tstr/all": Estimate(value, value, value, n=100, method="made up")},
            datasets={role: {"digest": digest} for role, digest in held.items()},
            study={"task": "binary"},
            kinds=("utility",),
            producer=producer,
            created=created,
        ).with_model(self.digest, f"models:/{self.model_id}")

    def add(self, dossier: Dossier, signer: str | None = None) -> Dossier:
        """Attach evidence, signed or not."""
        key = short(dossier.digest)
        self._put(f"synthml/evidence/{key}.json", dossier.to_json())
        self._tag(f"synthml.ev.{key}", dossier.producer)
        if signer is not None:
            self.state(evidence_statement(dossier, digest_form="form-1"), signer)
        return dossier

    def state(self, statement: Statement, signer: str) -> Attachment:
        """Attach a statement."""
        attachment = Attachment.of(sign(statement, KEYS[signer]))
        self._put(attachment.path, attachment.raw)
        self._tag(attachment.tag, attachment.kind)
        return attachment

    def _put(self, path: str, raw: bytes) -> None:
        place = self.artifacts / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)

    def _tag(self, key: str, value: str) -> None:
        self.client.set_tag(self.run_id, key, value)
        self.client.set_model_version_tag(self.name, "1", key, value)


def a_model(uri: str, tables: dict[str, str], *, name: str = "risk", noted: dict[str, str] | None = None) -> Model:
    """A model in the store, with the tags that a wrapped run leaves. noted: tables that its own files name."""
    client = load_mlflow().MlflowClient(uri)
    run = client.create_run("0")
    logged = client.create_logged_model("0", name=re.sub(r"[^\w-]", "-", name)[:50], source_run_id=run.info.run_id)
    place = Path(logged.artifact_location.removeprefix("file://"))
    place.mkdir(parents=True)
    metadata = {"synthml": {"datasets": {"synthetic": tables["synthetic"]} if noted is None else noted}}
    (place / "MLmodel").write_text(json.dumps({"flavors": {}, "metadata": metadata, "model_id": logged.model_id}))
    (place / "model.bin").write_bytes(b"weights")
    client.finalize_logged_model(logged.model_id, "READY")
    client.create_registered_model(name)
    source = f"models:/{logged.model_id}"
    client.create_model_version(name, source=source, run_id=run.info.run_id, model_id=logged.model_id, await_creation_for=0)
    model = Model(
        client, run.info.run_id, logged.model_id, place, Path(run.info.artifact_uri.removeprefix("file://")), name, tables
    )
    for role, digest in tables.items():
        model._tag(f"synthml.ds.{short(digest)}", role)
    return model


def release(digest: str = SYNTHETIC, outcome: str = "pass", *, source: str | None = SOURCE, **changes: Any) -> Statement:
    predicate = ReleasePredicate(
        outcome, {}, HOLDOUT, HOLDOUT, WHEN, 7, "0.1.0", "form-1", derived_from=() if source is None else (Material(source),)
    )
    return Statement((Subject("synthetic", digest),), RELEASE, replace(predicate, **changes).to_dict())
