"""The documents of a release as bytes, by file name. The same release gives the same bytes.

The statement names the other documents by their digests, so one signature covers all of them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from synthml.attestation import RELEASE, Material, ReleasePredicate, Statement, Subject, sign
from synthml.digest import FORM
from synthml.evidence import canonical_json
from synthml.report.croissant import croissant_json
from synthml.report.datasheet import datasheet_markdown
from synthml.report.html import report_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securesystemslib.signer import Signer

    from synthml.evidence import Dossier
    from synthml.release.decision import Release

__all__ = ["SIGNED", "UNSIGNED", "documents", "statement_of"]

SIGNED, UNSIGNED = "release.dsse.json", "release.json"


def documents(
    release: Release,
    columns: Mapping[str, str],
    *,
    signer: Signer | None = None,
    file_name: str = "synthetic.parquet",
    file_format: str = "application/vnd.apache.parquet",
    file_sha256: str | None = None,
) -> dict[str, bytes]:
    """File name -> content: dossier, evidence, verdicts, datasheet, Croissant, and the statement, signed when there is a key.

    columns: name -> kind, of the synthetic table; file_name, file_format, file_sha256: of the table's file, for the catalogue
    entry, which is valid only with the checksum.
    """
    dossier, verdicts = release.dossier, release.verdicts
    files = {
        "dossier.html": report_html(dossier, release.binding, verdicts=verdicts).encode("utf-8"),
        "evidence.json": dossier.to_json(),
        "verdicts.json": canonical_json(release.to_dict()),
        "datasheet.md": datasheet_markdown(dossier, verdicts, columns).encode("utf-8"),
        "datasheet.croissant.json": croissant_json(
            dossier, verdicts, columns, file_name=file_name, file_format=file_format, file_sha256=file_sha256
        ),
    }
    statement = statement_of(release, files)
    if signer is None:
        return {**files, UNSIGNED: statement.to_json()}
    return {**files, SIGNED: sign(statement, signer)}


def statement_of(release: Release, files: Mapping[str, bytes]) -> Statement:
    """The claim that is signed: what was decided of which table, by which evidence, with the digest of every document."""
    dossier = release.dossier
    digests = {name: _sha256(content) for name, content in sorted(files.items())}
    predicate = ReleasePredicate(
        outcome=release.outcome,
        policies={
            verdict.policy: {"outcome": verdict.outcome, "digest": verdict.policy_digest, "verdict": verdict.digest}
            for verdict in release.verdicts
        },
        evidence=dossier.digest,
        datasheet=digests["datasheet.md"],
        documents=digests,
        decided=release.verdicts[0].decided,
        seed=dossier.seed,
        synthml=dossier.synthml,
        digest_form=FORM,
        generation=dossier.generation,
        derived_from=_materials(dossier),
    )
    return Statement((Subject("synthetic", release.subject),), RELEASE, predicate.to_dict())


def _materials(dossier: Dossier) -> tuple[Material, ...]:
    """The source's digest travels, as it does in the evidence: a recall of the source must reach whoever trains on the table."""
    source = (dossier.datasets.get("source") or {}).get("digest")
    return () if source is None else (Material(str(source)),)


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
