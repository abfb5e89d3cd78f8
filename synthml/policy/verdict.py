"""A verdict explains itself: criterion by criterion, what was required and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from synthml.evidence import digest_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Decision", "Outcome", "Severity", "Verdict"]

Outcome = Literal["pass", "fail", "insufficient"]
Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Decision:
    """What one criterion came to.

    id: the criterion. figure, of: what it read (`figure` is empty for conditions that are not about a figure). required, found:
    in words and numbers. n_required: about how many rows would decide it, when the interval was too wide. source, set_by: where
    the threshold comes from and who set it.
    """

    id: str
    outcome: Outcome
    required: str
    found: str
    figure: str = ""
    of: str = ""
    severity: Severity = "block"
    reason: str = ""
    n_required: int | None = None
    source: str = ""
    set_by: str = ""
    waived: str = ""

    @property
    def holds(self) -> bool:
        """Whether this criterion lets the version through: it passed, was waived, or only warns."""
        return self.outcome == "pass" or bool(self.waived) or self.severity == "warn"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one policy on one dossier. True only when it passes."""

    outcome: Outcome
    policy: str
    policy_digest: str
    evidence_digest: str
    decided: str
    decisions: tuple[Decision, ...] = ()
    model_digest: str | None = None

    def __bool__(self) -> bool:
        return self.outcome == "pass"

    @property
    def failed(self) -> tuple[Decision, ...]:
        """Blocking criteria that failed."""
        return tuple(d for d in self.decisions if d.outcome == "fail" and not d.holds)

    @property
    def open(self) -> tuple[Decision, ...]:
        """Blocking criteria that the evidence could not decide."""
        return tuple(d for d in self.decisions if d.outcome == "insufficient" and not d.holds)

    @property
    def warnings(self) -> tuple[Decision, ...]:
        """Criteria that did not pass and only warn."""
        return tuple(d for d in self.decisions if d.outcome != "pass" and d.severity == "warn")

    def to_dict(self) -> dict[str, Any]:
        """The verdict as a JSON document."""
        return {"schema_version": "1", **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """Read a verdict back."""
        fields = {key: value for key, value in data.items() if key not in ("schema_version", "decisions")}
        return cls(**fields, decisions=tuple(Decision(**d) for d in data["decisions"]))

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON: the same inputs give the same verdict, byte for byte."""
        return digest_json(self.to_dict())

    def __str__(self) -> str:
        counts = f"{sum(d.outcome == 'pass' for d in self.decisions)} of {len(self.decisions)} criteria pass"
        lines = [f"{self.outcome.upper()} under {self.policy}: {counts}"]
        for decision in (*self.failed, *self.open, *self.warnings):
            where = f" [{decision.of}]" if decision.of else ""
            tail = "" if decision.n_required is None else f"; about {decision.n_required:,} rows would decide it"
            mark = "warning" if decision.severity == "warn" else decision.outcome
            lines.append(f"  {mark}: {decision.id}{where}: required {decision.required}, found {decision.found}{tail}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from synthml.report.notebook import verdict_html

        return verdict_html(self)
