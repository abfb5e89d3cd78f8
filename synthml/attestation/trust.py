"""Trust: whose signature counts for what, as a file.

    version: 1
    keys:
      - name: Ada Lovelace                 # the person or the service; one name is one signatory, whatever its number of keys
        key_file: ada.pub                  # relative to this file; or `key:` with the PEM text
        roles: [custodian]
        expires: 2028-01-31                # optional; a date means until the end of that day, UTC
        revoked: {at: 2027-05-01, reason: laptop lost}
    recalls: {declare: [custodian, operator], lift: [custodian]}     # these are the defaults

Rules. A signature counts for a role when its key stands in the file with that role, has not expired, and is not revoked; all at
one time that the caller has captured.

The time at which a signature was made is never believed: it is a claim of whoever signs, and whoever holds a stolen key can write
any time. Hence a revoked key's statements do not count, those from before the revocation neither, and an expired key's statements
stop counting when it expires, as signatures without a timestamp do elsewhere (RFC 5280 certificates in code signing).
`revoked.at` is for the record. The remedy is to sign again with a new key, which changes no evidence: only a trusted timestamp
could do better, and none is read here. What only ever makes a gate stricter is treated the other way round, by those who ask: a
recall still blocks when its key has expired (`synthml_tracking.ledger`).

Pure but for reading the file; nobody is trusted by default.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from synthml.attestation.envelope import Verified, is_envelope, unverified, verify
from synthml.attestation.keys import public_keys
from synthml.attestation.predicates import EvidencePredicate, kind_of, read_predicate
from synthml.attestation.statement import Statement
from synthml.documents import parse_yaml, read_yaml, told_problem
from synthml.errors import AttestationError, TrustError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securesystemslib.signer import SSlibKey

    from synthml.documents import YamlDocument

__all__ = ["ROLES", "Accepted", "Claim", "Refused", "Trust", "TrustFile", "TrustedKey", "trust_schema"]

Role = Literal["engineer", "evaluator", "custodian", "reviewer", "gate", "operator"]
ROLES: tuple[str, ...] = get_args(Role)
_LARGEST_KEY = 100_000
# of recalls and of evidence the trust file and the statement say it themselves
_MAY_SIGN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "release": frozenset({"custodian"}),
        "derivation": frozenset({"custodian", "engineer"}),
        "verdict": frozenset({"gate"}),
        "approval": frozenset({"reviewer"}),
        "refusal": frozenset({"reviewer"}),
        "waiver": frozenset({"reviewer"}),
        "deployment": frozenset({"operator"}),
        "retirement": frozenset({"operator"}),
    }
)


# ---- the file -------------------------------------------------------------------------------------------------------------


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Revocation(_Strict):
    """Since when a key is not to be believed, and why. For the record: nothing that it ever signed counts."""

    at: datetime | date
    reason: str = Field(min_length=1, pattern=r"\S")


class KeyEntry(_Strict):
    """One key of the file."""

    name: str = Field(min_length=1, pattern=r"\S")
    roles: tuple[Role, ...] = Field(min_length=1)
    key: str | None = None
    key_file: str | None = None
    expires: datetime | date | None = None
    revoked: Revocation | None = None

    @field_validator("expires")
    @classmethod
    def _has_a_timezone(cls, expires: datetime | date | None) -> datetime | date | None:
        if isinstance(expires, datetime) and expires.tzinfo is None:
            raise ValueError("a time needs a timezone, such as 2028-01-31T12:00:00Z; or write the date alone")
        return expires

    @model_validator(mode="after")
    def _is_one_key(self) -> KeyEntry:
        if (self.key is None) == (self.key_file is None):
            raise ValueError("give the public key either as `key` (PEM text) or as `key_file`")
        return self


class RecallRules(_Strict):
    """Who may declare a recall, and who may end one."""

    declare: tuple[Role, ...] = Field(default=("custodian", "operator"), min_length=1)
    lift: tuple[Role, ...] = Field(default=("custodian",), min_length=1)


class TrustFile(_Strict):
    """The file."""

    version: Literal[1]
    keys: tuple[KeyEntry, ...] = Field(min_length=1)
    recalls: RecallRules = RecallRules()


def trust_schema() -> str:
    """JSON Schema of a trust file, for editors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TrustFile.model_json_schema(),
        "title": "synthml trust",
    }
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


# ---- what it says ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    """A signature that counts: by whom, and in which of the roles that were asked for."""

    name: str
    key_id: str
    role: str

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"


@dataclass(frozen=True)
class Refused:
    """A signature that does not count, and why. name: whose it is, when it is known and holds."""

    reason: str
    name: str | None = None

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Claim:
    """A document as it was found: what it states, who is said to have signed it, and whether that counts.

    key_id: None when it is a statement without a signature. True only when it counts.
    """

    raw: bytes
    statement: Statement
    key_id: str | None
    standing: Accepted | Refused

    def __bool__(self) -> bool:
        return bool(self.standing)

    @property
    def accepted(self) -> Accepted | None:
        """By whom, when it counts."""
        return self.standing if isinstance(self.standing, Accepted) else None

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the document's bytes."""
        return "sha256:" + hashlib.sha256(self.raw).hexdigest()

    @property
    def kind(self) -> str:
        """The word of its kind."""
        return kind_of(self.statement)


@dataclass(frozen=True)
class TrustedKey:
    """A public key, whose it is, and what it may say until when."""

    key: SSlibKey
    name: str
    roles: frozenset[str]
    expires: datetime | None = None
    revoked: str | None = None

    @property
    def key_id(self) -> str:
        """64 hex."""
        return str(self.key.keyid)

    def refusal(self, now: datetime) -> str | None:
        """Why nothing that this key signed counts, whatever the role; None when it does."""
        if self.revoked is not None:
            return f"the key of {self.name} was revoked: {self.revoked}"
        if self.expires is not None and now >= self.expires:
            return f"the key of {self.name} expired on {self.expires:%Y-%m-%d}"
        return None


@dataclass(frozen=True)
class Trust:
    """Whose signature counts. The empty one, `Trust()`, trusts nobody.

    declare, lift: roles that may declare and lift recalls.
    """

    keys: tuple[TrustedKey, ...] = ()
    declare: frozenset[str] = frozenset(RecallRules().declare)
    lift: frozenset[str] = frozenset(RecallRules().lift)

    @classmethod
    def load(cls, path: Path | str) -> Trust:
        """From a file. Raises TrustError that names the line of a mistake."""
        path = Path(path)
        return cls._of(read_yaml(path, TrustError), path.parent)

    @classmethod
    def parse(cls, text: str, name: str = "trust", folder: Path | str = ".") -> Trust:
        """From text. folder: what `key_file` is relative to. Raises TrustError."""
        return cls._of(parse_yaml(text, name, TrustError), Path(folder))

    @classmethod
    def _of(cls, document: YamlDocument, folder: Path) -> Trust:
        if not isinstance(document.data, dict):
            raise TrustError(f"{document.name} is no trust file: expected version and keys")
        try:
            file = TrustFile.model_validate(document.data)
        except ValidationError as error:
            told = [told_problem(problem, document, _fields(problem["loc"])) for problem in error.errors()]
            raise TrustError("\n".join(dict.fromkeys(told))) from error
        keys: dict[str, TrustedKey] = {}
        for position, entry in enumerate(file.keys):
            key = _key(entry, document, position, folder)
            if key.key_id in keys:
                raise TrustError(f"{document.at(('keys', position))}: this key stands there already, for {keys[key.key_id].name}")
            keys[key.key_id] = key
        return cls(tuple(keys.values()), frozenset(file.recalls.declare), frozenset(file.recalls.lift))

    @property
    def by_id(self) -> Mapping[str, TrustedKey]:
        """Key id -> key."""
        return MappingProxyType({key.key_id: key for key in self.keys})

    def accepts(self, verified: Verified, role: str, now: datetime) -> Accepted | Refused:
        """Whether a signature, which was seen to hold, counts for a role. now: the one captured time, timezone-aware."""
        key = self.by_id.get(verified.key_id)
        if key is None:
            return Refused(f"the key {verified.key_id[:16]} is not in the trust file")
        refusal = key.refusal(now)
        if refusal is not None:
            return Refused(refusal, key.name)
        if role not in key.roles:
            return Refused(f"{key.name} may sign as {' or '.join(sorted(key.roles))}, not as {role}", key.name)
        return Accepted(key.name, key.key_id, role)

    def may_sign(self, statement: Statement) -> frozenset[str]:
        """The roles whose signature counts on a statement. Evidence is signed in the role in which it was measured."""
        predicate = read_predicate(statement)
        if isinstance(predicate, EvidencePredicate):
            return frozenset({predicate.producer}) & frozenset(ROLES)
        return {"recall": self.declare, "recall-lift": self.lift}.get(kind_of(statement)) or _MAY_SIGN[kind_of(statement)]

    def claim(self, raw: bytes, now: datetime) -> Claim:
        """Open a document, signed or not, and say whether it counts.

        Raises AttestationError when it cannot be read at all: it is no statement, or of a kind or version that no reader knows.
        """
        if not is_envelope(raw):
            statement = Statement.from_json(raw)
            read_predicate(statement)
            return Claim(raw, statement, None, Refused("it is not signed"))
        told = unverified(raw)
        read_predicate(told.statement)
        return Claim(raw, told.statement, told.key_id, self._standing(raw, told, sorted(self.may_sign(told.statement)), now))

    def _standing(self, raw: bytes, told: Verified, roles: list[str], now: datetime) -> Accepted | Refused:
        if not self.keys:
            return Refused(f"it is signed by key {told.key_id[:16]}, and there is no trust file that says whose that is")
        key = self.by_id.get(told.key_id)
        if key is None:
            return Refused(f"the key {told.key_id[:16]} is not in the trust file")
        try:
            verified = verify(raw, [key.key])
        except AttestationError as error:
            return Refused(str(error))
        named = getattr(read_predicate(told.statement), "approver", None)
        if named is not None and named.key != told.key_id:
            return Refused("it names another approver than the key that signed it", key.name)
        found = [self.accepts(verified, role, now) for role in roles]
        good = next((one for one in found if one), None)
        if good is not None:
            return good
        refusal = key.refusal(now)
        held = " or ".join(sorted(key.roles))
        return Refused(refusal or f"{key.name} may sign as {held}, not as {' or '.join(roles) or 'anyone'}", key.name)


def _fields(location: tuple[Any, ...]) -> list[str]:
    """The fields that may stand at a place in the file."""
    path = [part for part in location if isinstance(part, str)]
    models: dict[str, type[BaseModel]] = {"keys": KeyEntry, "recalls": RecallRules}
    if "revoked" in path[:-1]:
        return list(Revocation.model_fields)
    return list(models.get(path[0], TrustFile).model_fields) if len(path) > 1 else list(TrustFile.model_fields)


def _key(entry: KeyEntry, document: YamlDocument, position: int, folder: Path) -> TrustedKey:
    field = "key" if entry.key is not None else "key_file"
    where = document.at(("keys", position, field))
    try:
        pem = entry.key.encode() if entry.key is not None else _read(folder / str(entry.key_file))
        found = public_keys(pem)
    except (AttestationError, OSError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise TrustError(f"{where}: {told}") from error
    if len(found) != 1:
        raise TrustError(f"{where}: one public key is expected, {len(found)} were found")
    revoked = None if entry.revoked is None else f"{entry.revoked.reason} ({_day(entry.revoked.at)})"
    return TrustedKey(found[0], entry.name, frozenset(entry.roles), _end(entry.expires), revoked)


def _read(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_KEY:
        raise AttestationError("the file is too large to be a key")
    return path.read_bytes()


def _end(expires: datetime | date | None) -> datetime | None:
    """The first moment at which the key is expired."""
    if expires is None or isinstance(expires, datetime):
        return expires
    return datetime.combine(expires, time.max, UTC)


def _day(moment: datetime | date) -> str:
    return f"{moment:%Y-%m-%d}"
