"""What is logged, decided by pure code: typed items made from the study's facts, the dossier and the verdict.

Nothing here does I/O or knows MLflow, so what would be logged can be tested without a server. `recording` is the list for a
wrapped run, `evaluation` the one for evidence that is added later, `version` a registration. An item turns into JSON and back,
because a list of items is what the spool keeps; `writer` is the one interpreter.

kinds    the items
parts    tables, figures, parameters and tags, drawn from a study and its dossier
lists    what each recording logs
"""

from __future__ import annotations

from synthml_tracking.items.kinds import (
    ArtifactItem,
    DatasetItem,
    EndItem,
    Item,
    LedgerItem,
    MetricItem,
    ModelInputItem,
    ModelItem,
    ParamItem,
    TagItem,
    VersionItem,
    VersionTagItem,
    VersionTextItem,
    from_dict,
    short_digest,
    to_dict,
)
from synthml_tracking.items.lists import (
    artifact_files,
    attaching,
    descent,
    draw,
    evaluated,
    evaluation,
    known,
    recording,
    sweep,
    version,
)
from synthml_tracking.items.parts import NOTICE, card, datasets, estimator_name, evidence_key, metrics, params

__all__ = [
    "NOTICE",
    "ArtifactItem",
    "DatasetItem",
    "EndItem",
    "Item",
    "LedgerItem",
    "MetricItem",
    "ModelInputItem",
    "ModelItem",
    "ParamItem",
    "TagItem",
    "VersionItem",
    "VersionTagItem",
    "VersionTextItem",
    "artifact_files",
    "attaching",
    "card",
    "datasets",
    "descent",
    "draw",
    "estimator_name",
    "evaluated",
    "evaluation",
    "evidence_key",
    "from_dict",
    "known",
    "metrics",
    "params",
    "recording",
    "short_digest",
    "sweep",
    "to_dict",
    "version",
]
