"""One entry of the ledger: a document as the tags of a run, and back. Pure.

synthml.ledger              kind of the statement
synthml.at.<32 hex>         kind; names the document by its SHA-256, as on versions
synthml.once.<32 hex>       kind; what the statement says without when, so that it is not said a thousand times
synthml.subject.<32 hex>    name of the subject; one for each subject's digest
synthml.material.<32 hex>   role of a table that went into a derivation; one for each
synthml.holdout.<32 hex>    "holdout"; of verdicts: the tables that the figures were measured on
synthml.model               32 hex; of verdicts
synthml.ds.<32 hex>         roles; of deployments: the tables of the model, as on its versions
synthml.logged.<model id>   kind; of deployments and retirements: the LoggedModel
synthml.digests             the digests of subjects and materials in full, separated by spaces
synthml.document.<n>        the document itself, signed or not, in pieces that a tag can hold
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthml.errors import AttestationError
from synthml_tracking.items import LedgerItem, short_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthml.attestation import Statement

__all__ = [
    "DIGESTS",
    "HOLDOUT",
    "KIND",
    "LOGGED",
    "MATERIAL",
    "MODEL",
    "MOST",
    "SUBJECT",
    "Entry",
    "entry_item",
    "is_model_id",
    "read_entry",
    "serving_item",
]

KIND, AT, ONCE, MODEL = "synthml.ledger", "synthml.at.", "synthml.once.", "synthml.model"
SUBJECT, MATERIAL, HOLDOUT = "synthml.subject.", "synthml.material.", "synthml.holdout."
DIGESTS, DOCUMENT = "synthml.digests", "synthml.document."
TABLE, LOGGED = "synthml.ds.", "synthml.logged."
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_PIECE = 6000  # characters; MLflow cuts a tag at 8,000, silently
MOST = 80  # digests that one entry names: what fits a tag
_WHEN = ("recorded",)


@dataclass(frozen=True)
class Entry:
    """A run of the ledger. raw: the document, put together; kind: what its tag says; key: 32 hex that its tag names it by.

    subjects: 32 hex of each; tables: 32 hex and roles; logged: LoggedModels. All three are what tags say, believed by nobody.
    """

    run_id: str
    kind: str
    key: str
    raw: bytes
    deleted: bool = False
    subjects: tuple[str, ...] = ()
    tables: tuple[tuple[str, str], ...] = ()
    logged: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the document is the one that was written."""
        return bool(self.raw) and hashlib.sha256(self.raw).hexdigest()[:32] == self.key

    @property
    def identity(self) -> str:
        """`sha256:<hex>` that a lift names it by: of its document; of a damaged one, together with where it stands."""
        content = self.raw if self.whole else f"{self.run_id}\n".encode() + self.raw
        return "sha256:" + hashlib.sha256(content).hexdigest()


def entry_item(raw: bytes, *, holdouts: Sequence[str] = ()) -> LedgerItem:
    """The tags of a document, signed or not. holdouts: of a verdict, digests of the tables that its figures were measured on.

    Raises AttestationError when the document cannot be read, or names more tables than an entry takes.
    """
    from synthml.attestation import Statement, is_envelope, kind_of, unverified

    opened = unverified(raw) if is_envelope(raw) else None
    statement = Statement.from_json(raw) if opened is None else opened.statement
    kind = kind_of(statement)
    digests = [*statement.digests, *(m.digest for m in _materials(statement))]
    if len(digests) > MOST:
        raise AttestationError(f"the statement names {len(digests)} digests; the ledger takes {MOST} at once: write several")
    key = hashlib.sha256(raw).hexdigest()[:32]
    once = _once(statement, kind, None if opened is None else opened.key_id, holdouts)
    model = statement.digest_of("model")
    text = raw.decode("utf-8")
    tags = {
        KIND: kind,
        f"{AT}{key}": kind,
        f"{ONCE}{once}": kind,
        **{f"{SUBJECT}{short_digest(subject.digest)}": subject.name for subject in statement.subjects},
        **{f"{MATERIAL}{short_digest(material.digest)}": material.role for material in _materials(statement)},
        **{f"{HOLDOUT}{short_digest(digest)}": "holdout" for digest in holdouts},
        **({} if model is None else {MODEL: short_digest(model)}),
        DIGESTS: " ".join(dict.fromkeys(digests)),
        **{f"{DOCUMENT}{i}": text[start : start + _PIECE] for i, start in enumerate(range(0, len(text), _PIECE))},
        "mlflow.runName": f"{kind} {digests[0][:24]}",
    }
    return LedgerItem(f"{ONCE}{once}", tags)


def serving_item(raw: bytes, *, tables: Mapping[str, str], logged: Sequence[str]) -> LedgerItem:
    """The tags of a deployment, or of its end: found by each table of the model (32 hex -> roles), and by the LoggedModel.

    So a recall finds what serves even when the version was deleted from the registry. Raises AttestationError.
    """
    item = entry_item(raw)
    found = {f"{TABLE}{short_digest(digest)}": roles for digest, roles in tables.items()}
    return LedgerItem(item.once, {**item.tags, **found, **{f"{LOGGED}{one}": "serves" for one in logged if is_model_id(one)}})


def is_model_id(text: str) -> bool:
    """Whether a text has the form of a LoggedModel's id, `m-<32 hex>`, and so may stand in the name of a tag."""
    return _MODEL_ID.fullmatch(text) is not None


def _materials(statement: Statement) -> tuple[Any, ...]:
    from synthml.attestation import DerivationPredicate, ReleasePredicate, read_predicate

    predicate = read_predicate(statement)
    if isinstance(predicate, DerivationPredicate):
        return predicate.materials
    return predicate.derived_from if isinstance(predicate, ReleasePredicate) else ()


def _once(statement: Statement, kind: str, key_id: str | None, holdouts: Sequence[str]) -> str:
    """32 hex of what is said and by whom, without when it was recorded.

    A verdict is entered once for each model and holdout: how often a holdout was used is how many models were judged on it.
    """
    from synthml.evidence import digest_json

    if kind == "verdict":
        return short_digest(digest_json([kind, statement.digest_of("model"), sorted(holdouts)]))
    said = {name: value for name, value in statement.predicate.items() if name not in _WHEN}
    subjects = sorted([subject.name, subject.digest] for subject in statement.subjects)
    return short_digest(digest_json([kind, subjects, said, key_id]))


def read_entry(run: Any) -> Entry:
    """An entry from an MLflow run."""
    tags = run.data.tags
    pieces: list[str] = []
    while f"{DOCUMENT}{len(pieces)}" in tags:
        pieces.append(str(tags[f"{DOCUMENT}{len(pieces)}"]))
    key = next((name.removeprefix(AT) for name in sorted(tags) if name.startswith(AT)), "")
    deleted = run.info.lifecycle_stage != "active"
    return Entry(
        run_id=str(run.info.run_id),
        kind=str(tags.get(KIND, "")),
        key=key,
        raw="".join(pieces).encode("utf-8"),
        deleted=deleted,
        subjects=tuple(after for after, _ in _tags_after(SUBJECT, tags)),
        tables=_tags_after(TABLE, tags),
        logged=tuple(after for after, _ in _tags_after(LOGGED, tags)),
    )


def _tags_after(prefix: str, tags: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name.removeprefix(prefix), str(tags[name])) for name in sorted(tags) if name.startswith(prefix))
