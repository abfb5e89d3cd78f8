"""The documents of a logged model, made from what is attached to it: model card, report, datasheet, Croissant file, bill of
materials.

Nothing is typed: figures are the evidence's, the origin of the tables and their recalls the ledger's, files and requirements the
model's own. With a policy the verdict is decided now, as the gate decides it, and the card says that it is not signed. Without
one it is the last verdict that a trusted gate signed over these very files; one whose signature does not count is not shown.

Attached, they lie as `synthml/model_card.md` and so on with the run that trained the model, and replace what lay there before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from synthml_tracking.attachments import holding
from synthml_tracking.client import address, tracking_uri_of
from synthml_tracking.facts import gather_facts
from synthml_tracking.items import ArtifactItem
from synthml_tracking.spool import Plan, Spool, Target
from synthml_tracking.writer import Observer, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from synthml.attestation import Trust
    from synthml.evidence import Dossier
    from synthml.lineage import Graph
    from synthml.policy import Policy, Verdict
    from synthml.report.model_facts import ModelFacts
    from synthml_tracking.facts import Gathered

__all__ = ["BOM", "CARD", "CROISSANT", "DATASHEET", "REPORT", "Cards", "attach_cards", "make_cards"]

CARD, DATASHEET, CROISSANT, BOM = "model_card.md", "datasheet.md", "croissant.json", "mlbom.cdx.json"
REPORT = "report.html"
PLACE = "synthml"


@dataclass(frozen=True)
class Cards:
    """files: name -> content. left_out: name -> why it was not made. run_id: None when the model was logged outside of a run."""

    files: Mapping[str, bytes]
    model_digest: str
    evidence_digest: str
    verdict: Verdict | None
    run_id: str | None
    experiment_id: str
    artifact_uri: str | None
    left_out: Mapping[str, str] = field(default_factory=dict)


def make_cards(
    model_uri: str,
    *,
    policy: Policy | str | None = None,
    trust: Trust | Path | str | None = None,
    bom: bool = True,
    tracking_uri: str | None = None,
    now: datetime | None = None,
) -> Cards:
    """The documents. policy: decide with it; without one the last signed verdict is shown. bom: also the bill of materials.

    Raises MissingExtraError when the bill of materials is asked for without its library, EvidenceError when a document was
    changed or is gone, InputError for what is no model, policy or trust file, TrackingError when the store fails.
    """
    from synthml import Policy as PolicyFile
    from synthml import decide
    from synthml.report.html import report_html
    from synthml.report.mlbom import check_installed, ml_bom
    from synthml.report.model_card import model_card

    if bom:
        check_installed()
    chosen = PolicyFile.load(policy) if isinstance(policy, str) else policy
    gathered = gather_facts(
        model_uri, chosen or PolicyFile(name="no-policy", version=1), trust=trust, tracking_uri=tracking_uri, now=now
    )
    if chosen is None:
        verdict, told = _signed_verdict(gathered)
    else:
        verdict = decide(gathered.dossier, chosen, now=gathered.now, facts=gathered.facts)
        told = "Decided when this card was made; no gate signed it."
    lineage = _lineage(model_uri, trust, tracking_uri, gathered.now)
    model = _model_facts(gathered, " ".join(filter(None, (told, *_not_counted(gathered)))), lineage)
    files = {
        CARD: model_card(gathered.dossier, model, verdict).encode("utf-8"),
        REPORT: report_html(gathered.dossier, verdict, lineage=lineage).encode("utf-8"),
    }
    left_out = {}
    if gathered.dossier.datasets.get("synthetic"):
        files |= _of_the_table(gathered.dossier, model)
    else:
        left_out = dict.fromkeys((DATASHEET, CROISSANT), "no evidence that counts names a synthetic table")
    if bom:
        files[BOM] = ml_bom(gathered.dossier, model, verdict, made=gathered.now)
    else:
        left_out[BOM] = "not asked for"
    found = gathered.found
    return Cards(
        files=MappingProxyType(files),
        model_digest=found.digest,
        evidence_digest=gathered.dossier.digest,
        verdict=verdict,
        run_id=found.run_id,
        experiment_id=found.experiment_id,
        artifact_uri=found.artifact_uri,
        left_out=MappingProxyType(left_out),
    )


def attach_cards(cards: Cards, *, tracking_uri: str | None = None, observer: Observer = lambda _: None) -> tuple[str, ...]:
    """Put the documents among the artifacts of the run that trained the model; their paths there.

    Through the spool, as everything that is recorded: cut off, `synthml resume` finishes it. Raises InputError for a model that
    was logged outside of a run, TrackingError, which names a spool, when the store fails.
    """
    from synthml.errors import InputError

    if cards.run_id is None or cards.artifact_uri is None:
        raise InputError("the model was logged outside of a run: there is no place to attach its card to")
    uri = tracking_uri_of(tracking_uri)
    paths = {f"{PLACE}/{name}": content for name, content in cards.files.items()}
    with address(uri):
        target = Target(uri, cards.experiment_id, cards.run_id, time.time_ns() // 1_000_000, cards.artifact_uri)
        spool = Spool.begin()
        spool.seal(Plan(target, tuple(ArtifactItem(path) for path in paths)), paths)
        write(spool, observer=observer)
        spool.remove()
    return tuple(paths)


# ---- what the registry says ----------------------------------------------------------------------------------------------


def _lineage(model_uri: str, trust: Trust | Path | str | None, tracking_uri: str | None, now: datetime) -> Graph:
    from synthml_tracking.graph import lineage

    return lineage(model_uri, trust=trust, tracking_uri=tracking_uri, now=now)


def _model_facts(gathered: Gathered, told: str, lineage: Graph) -> ModelFacts:
    from synthml.report.model_facts import ModelFacts
    from synthml_tracking.graph.drawing import mermaid, tree

    found, versions = gathered.found, gathered.found.versions
    return ModelFacts(
        name=versions[0].name if versions else found.model_id,
        version=", ".join(f"{one.name} version {one.number}" for one in versions),
        files=found.files,
        requirements=found.requirements,
        recalls=tuple(_recalls(gathered)),
        reviews=tuple(_reviews(gathered)),
        release=gathered.facts.told.get("lineage.release", ""),
        verdict=told,
        lineage=(tree(lineage), mermaid(lineage)),
    )


def _not_counted(gathered: Gathered) -> Iterator[str]:
    for document in gathered.documents:
        if not document.counts:
            yield f"Evidence {document.key[:12]} of the {document.dossier.producer} is left out: {document.why}."


def _recalls(gathered: Gathered) -> Iterator[str]:
    for recall, path in gathered.recalls:
        roles = ", ".join(sorted(gathered.tables.get(path[0], ()))) or "one"
        behind = "" if len(path) == 1 else f" behind the {roles} table {path[0][:12]}"
        yield f"The {'table' if behind else f'{roles} table'} {recall.digest[:12]}{behind} {recall}."


def _reviews(gathered: Gathered) -> Iterator[str]:
    """Decisions of reviewers about these very files, with the signatures that count."""
    for one in gathered.facts.approvals:
        if one.model_digest == gathered.found.digest:
            word = "until" if one.expires is None or one.expires > gathered.now else "expired on"
            until = "" if one.expires is None else f", {word} {one.expires:%Y-%m-%d}"
            about = "" if one.evidence_digest == gathered.dossier.digest else ", of other evidence than this card shows"
            yield f"{one.decision} by {one.by} on {one.decided:%Y-%m-%d}{until}{about}: {one.reason}"


def _signed_verdict(gathered: Gathered) -> tuple[Verdict | None, str]:
    """The last verdict over these files that a gate signed and that counts; what to say of it."""
    from synthml.errors import AttestationError
    from synthml.policy.attested import verdict_of

    found, doubts = [], [one.told for one in gathered.attached if one.kind == "verdict" and not one]
    for claim in holding(gathered.attached, "verdict"):
        try:
            verdict = verdict_of(claim.statement)
        except AttestationError as error:
            doubts.append(str(error))
            continue
        if verdict.model_digest == gathered.found.digest:
            found.append((verdict.decided, not bool(verdict), verdict.digest, verdict, f"Signed by {claim.standing}."))
    if found:
        *_, verdict, told = max(found, key=lambda one: one[:3])  # of the same time the one that does not pass
        return verdict, told
    return None, f"A verdict is attached and does not count: {doubts[0]}." if doubts else ""


def _of_the_table(dossier: Dossier, model: ModelFacts) -> dict[str, bytes]:
    from synthml.report.croissant import croissant_json
    from synthml.report.datasheet import datasheet_markdown

    columns = _columns(dossier)
    recalled = [f"RECALLED: {text}" for text in model.recalls]
    told = " ".join((*recalled, f"Release: {model.release or 'no release attestation'}."))
    return {
        DATASHEET: datasheet_markdown(dossier, (), columns, release=told).encode("utf-8"),
        CROISSANT: croissant_json(dossier, (), columns, file_name=None),
    }


def _columns(dossier: Dossier) -> dict[str, str]:
    """name -> kind of the synthetic table's columns as the study knew them: all that it names, but who the person is."""
    kinds = dossier.study.get("kinds")
    subject = dossier.study.get("subject")
    return {str(name): str(kind) for name, kind in (kinds.items() if isinstance(kinds, dict) else ()) if name != subject}
