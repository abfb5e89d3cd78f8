"""synthml: proof for models trained on synthetic data.

A hospital trains on synthetic patients because the real ones may not travel. This package measures whether such a model works on
real patients, in every patient group, and turns what it measured into evidence that a deployment gate can decide from.

Tables go in at one door. A `Study` holds them in their roles (`source`: the real rows the generator learned from; `synthetic`;
`holdout`: real rows that neither generator nor model saw) and a `Schema` says what the columns are. Everything that can be wrong
with the tables is found there, once, so that no later module checks again.

`measure` turns a study and an estimator into a `Dossier`: figures by id, each an `Estimate` with interval, n and method, and
small tables of aggregates. Nothing in it is a row. `decide` holds a dossier against a `Policy` and gives a `Verdict` that
explains itself. All of it is pure: no network, no clock, no global state, no MLflow. `synthml_tracking` records it in MLflow.

    study       tables in their roles, the check at the door, groups of patients
    generation  how the synthetic table was made
    digest      the content digests of tables and model folders
    metrics     each metric once: its value and the influence of every row on it
    estimate    intervals from influences, proportions and simultaneous bounds
    utility     train on synthetic, test on real, beside train on real, test on real
    subgroups   the same in every patient group, disparities, worst slices, small cells withheld
    bias        differences between groups, from source to synthetic table to model
    fidelity    every column, pair and rule of the synthetic table beside the source, and what chance would show
    quality     missing values, repeated rows, wrong labels, features that give the target away
    drift       Evidently's figures and page, on masked tables
    monitoring  a profile of the holdout that may leave, and production batches held against it
    neighbours  exact nearest rows of mixed tables
    disclosure  the synthetic table attacked as an intruder would, each attack beside a control and a guess
    sweep       privacy against utility, over settings of a generator and draws
    policy      criteria, decided on the interval
    attestation statements about digests, signed; `release`: what a custodian gives out with a table
    report      the report, the reviewer's card
    synthesis   the embedded generator, and the protocol that any other can take its place by

Names are loaded when they are first used: importing this package loads no heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synthml.version import __version__

if TYPE_CHECKING:
    from synthml.digest import folder_digest, table_digest
    from synthml.errors import InputError, MissingExtraError, PolicyError, StudyError, SynthmlError, TrackingError
    from synthml.estimate import Estimate
    from synthml.evidence import Dossier, Evidence
    from synthml.generation import GenerationRecord
    from synthml.measurement import measure
    from synthml.policy import Facts, Policy, Verdict, decide
    from synthml.report.card import reviewer_card
    from synthml.report.html import report_html
    from synthml.settings import DisclosureSettings, MeasureSettings
    from synthml.study import MinimumCell, Schema, Study, StudyFile, split_by_subject
    from synthml.synthesis import CartSynthesizer, Synthesizer

_HOME = {
    "CartSynthesizer": "synthesis",
    "DisclosureSettings": "settings",
    "Dossier": "evidence",
    "Estimate": "estimate",
    "Evidence": "evidence",
    "Facts": "policy",
    "GenerationRecord": "generation",
    "InputError": "errors",
    "MeasureSettings": "settings",
    "MinimumCell": "study",
    "MissingExtraError": "errors",
    "Policy": "policy",
    "PolicyError": "errors",
    "Schema": "study",
    "Study": "study",
    "StudyError": "errors",
    "StudyFile": "study",
    "SynthmlError": "errors",
    "Synthesizer": "synthesis",
    "TrackingError": "errors",
    "Verdict": "policy",
    "decide": "policy",
    "folder_digest": "digest",
    "measure": "measurement",
    "report_html": "report.html",
    "reviewer_card": "report.card",
    "split_by_subject": "study",
    "table_digest": "digest",
}

__all__ = [
    "CartSynthesizer",
    "DisclosureSettings",
    "Dossier",
    "Estimate",
    "Evidence",
    "Facts",
    "GenerationRecord",
    "InputError",
    "MeasureSettings",
    "MinimumCell",
    "MissingExtraError",
    "Policy",
    "PolicyError",
    "Schema",
    "Study",
    "StudyError",
    "StudyFile",
    "Synthesizer",
    "SynthmlError",
    "TrackingError",
    "Verdict",
    "__version__",
    "decide",
    "folder_digest",
    "measure",
    "report_html",
    "reviewer_card",
    "split_by_subject",
    "table_digest",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'synthml' has no attribute '{name}'")
    value = getattr(import_module(f"synthml.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
