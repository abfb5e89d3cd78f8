"""What a model's documents say that stands in the registry and not in the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthml.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthml.evidence import Dossier
    from synthml.policy.verdict import Verdict

__all__ = ["ModelFacts", "check_verdict"]


@dataclass(frozen=True)
class ModelFacts:
    """name, version: as registered, or the model's id and nothing. files: path -> hex of the SHA-256; requirements: lines.

    recalls: a sentence for each recall in force on a table behind the model. reviews: a sentence for each decision of a reviewer.
    release: what was found of the synthetic table's release. verdict: whose the verdict is, in words. lineage: the same as a tree
    of plain text and as Mermaid; neither holds a line that ends a block of Markdown.
    """

    name: str
    version: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    recalls: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    release: str = ""
    verdict: str = ""
    lineage: tuple[str, str] | None = None


def check_verdict(dossier: Dossier, verdict: Verdict | None) -> None:
    """Raises InputError for a verdict on another model: a document that showed it would say what nobody decided."""
    model = (dossier.model or {}).get("digest")
    if verdict is not None and verdict.model_digest is not None and verdict.model_digest != model:
        raise InputError("the verdict is about another model than the evidence: their digests differ")
