"""What is logged, decided without a server."""

from __future__ import annotations

import hashlib
import json

import pytest
from recording.small_study import estimator, study, tables
from report.report_dossiers import dossier, verdict

from synthml import Dossier, Estimate
from synthml.errors import InputError
from synthml_tracking import items
from synthml_tracking.items import ArtifactItem, DatasetItem, EndItem, MetricItem, ModelItem, ParamItem, TagItem

GENERATION = {
    "id": "rounds",
    "purpose": "tests",
    "generator": {"name": "CartSynthesizer", "version": "1.2", "parameters": {"min_leaf": 5}},
    "privacy": {"epsilon": 3.0},
}


def about(made: Dossier) -> Dossier:
    """The dossier of a model that has its place in the store."""
    return made.with_model("sha256:" + "d4" * 32, "models:/m-0f3a", threshold=0.4)


def test_every_number_of_the_dossier_becomes_one_metric() -> None:
    """Values and bounds, under the figures' ids; a figure without a value has none."""
    made = dossier()
    found = [item for item in items.metrics(made) if isinstance(item, MetricItem)]
    assert {item.key: item.value for item in found} == made.metrics()
    assert len({item.key for item in found}) == len(found)


def test_a_metric_knows_the_table_it_was_measured_on() -> None:
    """TRTS is measured on the synthetic table, the model on the holdout, each table's own figures on it; none is invented."""
    figures = {f"utility.auroc.{protocol}/all": Estimate(0.7, 0.6, 0.8) for protocol in ("tstr", "trts")}
    expected = {
        "bias.outcome.source/sex:F": "a",
        "bias.outcome.synthetic/sex:F": "b",
        "bias.amplification.auroc/sex": "c",
        "fidelity.tvd.floor/age": "b",
        "quality.label_noise.source/all": "a",
        "quality.label_disagreement.excess/all": "b",
        "drift.wasserstein.source_synthetic/age": "b",
        "drift.wasserstein.synthetic_holdout/age": "c",
    }
    figures |= {name: Estimate(0.1, 0.0, 0.2) for name in expected}
    datasets = {role: {"digest": f"sha256:{short}"} for role, short in (("source", "a"), ("synthetic", "b"), ("holdout", "c"))}
    on = {item.key: item.dataset for item in items.metrics(Dossier(figures, datasets=datasets))}
    assert on["utility.auroc.trts/all"] == on["utility.auroc.trts.low/all"] == "sha256:b"
    assert {name: on[name] for name in expected} == {name: f"sha256:{short}" for name, short in expected.items()}
    assert on["utility.auroc.tstr/all"] == on["utility.auroc.tstr.high/all"] == "sha256:c"
    assert {item.dataset for item in items.metrics(Dossier(figures))} == {None}


def test_a_dataset_tells_what_a_reviewer_asks_and_no_value() -> None:
    """Flat facts in the profile, names and types in the schema, the full digest; the generator's facts on the synthetic table."""
    given = study(generation=GENERATION)
    found = {item.context: item for item in items.datasets(given)}
    assert set(found) == {"source", "synthetic", "holdout"}
    assert found["source"].profile == {
        "role": "source",
        "rows": 400,
        "columns": 6,
        "subjects": 400,
        "digest": given.tables["source"].digest,
    }
    told = found["synthetic"].profile
    assert (told["generator"], told["min_leaf"], told["epsilon"], told["label"]) == ("CartSynthesizer 1.2", 5, 3.0, "synthetic")
    assert found["holdout"].columns["age"] == "double"
    assert found["holdout"].columns["ward"] == "string"
    assert all(isinstance(value, (str, int, float)) for item in found.values() for value in item.profile.values())
    assert len(items.short_digest(found["holdout"].digest)) == 32


def test_one_table_in_two_roles_is_one_input() -> None:
    """The reference is the holdout's table: one dataset, with both roles as its context."""
    holdout = tables()["holdout"]
    found = items.datasets(study({**tables(), "holdout": holdout, "reference": holdout.copy()}))
    assert [item.context for item in found] == ["source", "synthetic", "holdout,reference"]


def test_the_list_of_a_wrapped_run_is_complete() -> None:
    """Tables, model, parameters, tags, card, metrics, artifacts, end: each kind is there, and JSON gives every item back."""
    made, decided = about(dossier()), verdict(dossier())
    files = items.artifact_files(made, decided)
    found = tuple(items.recording(study(), made, decided, estimator(), artifacts=sorted(files)))
    kinds = [type(item) for item in found]
    assert kinds.count(DatasetItem) == 3
    assert kinds.count(MetricItem) == len(made.metrics())
    assert (kinds[-1], found[-1]) == (EndItem, EndItem("FINISHED"))
    assert ModelItem("m-0f3a") in found
    assert {item.path for item in found if isinstance(item, ArtifactItem)} == set(files)
    again = tuple(items.from_dict(json.loads(json.dumps(items.to_dict(item)))) for item in found)
    assert again == found


def test_the_artifact_is_named_by_its_content() -> None:
    """`synthml/evidence/<32 hex>.json`: the first half of the file's own SHA-256, which is the tag's key too."""
    made, decided = about(dossier()), verdict(dossier())
    (path,) = [path for path in items.artifact_files(made, decided) if "evidence" in path]
    key = hashlib.sha256(items.artifact_files(made, decided)[path]).hexdigest()[:32]
    assert path == f"synthml/evidence/{key}.json"
    tags = items.version("risk", study(), made, decided).tags
    assert tags[f"synthml.ev.{key}"] == "engineer"
    assert tags["synthml.model_digest"] == "sha256:" + "d4" * 32
    assert tags["synthml.verdict"] == "fail under clinical-default v1"


def test_a_version_is_described_by_the_card_within_its_limit() -> None:
    """PostgreSQL holds 5,000 characters of a description."""
    described = items.version("risk", study(), about(dossier()), verdict(dossier())).description
    assert described.startswith("**")
    assert len(described) <= 5000


def test_params_are_scalars_under_our_own_prefix() -> None:
    """No array, no object, no name that a user's own parameter could have; long texts are cut before MLflow cuts them."""

    class Odd:
        def fit(self) -> None: ...

        def get_params(self, deep: bool) -> dict[str, object]:
            return {"alpha": 0.5, "rows": [[1, 2]], "nothing": None, "long": "x" * 9000}

    found = {item.key: item.value for item in items.params({"task": "binary", "settings": {"folds": 3}}, Odd(), 7)}
    assert found["synthml.estimator"] == "Odd"
    assert found["synthml.estimator.alpha"] == "0.5"
    assert found["synthml.settings.folds"] == "3"
    assert found["synthml.seed"] == "7"
    assert not {"synthml.estimator.rows", "synthml.estimator.nothing"} & set(found)
    assert len(found["synthml.estimator.long"]) == 500
    assert all(key.startswith("synthml.") for key in found)


def test_a_failed_run_tells_what_is_known() -> None:
    """Tables, settings, the class of the error and the end; no metric, no model."""
    found = tuple(items.known(study(), estimator(), seed=1, error="ValueError", status="FAILED"))
    assert TagItem("synthml.error", "ValueError") in found
    assert found[-1] == EndItem("FAILED")
    assert ParamItem("synthml.estimator", "LogisticRegression") in found
    assert not [item for item in found if isinstance(item, (MetricItem, ModelItem, ArtifactItem))]


def test_later_evidence_marks_run_and_versions() -> None:
    """The document goes to the run that trained the model too; every version is told of it and of the tables behind it."""
    made = about(dossier()).stamped(created="2026-01-01T00:00:00Z", producer="evaluator")
    files = items.artifact_files(made, None)
    found = tuple(
        items.evaluation(study(), made, artifacts=sorted(files), source_run="r1", versions={("risk", "3"): {}, ("copy", "1"): {}})
    )
    key = f"synthml.ev.{items.evidence_key(made)}"
    assert TagItem(key, "evaluator", "r1") in found
    assert items.VersionTagItem("risk", "3", key, "evaluator") in found
    assert items.VersionTagItem("copy", "1", key, "evaluator") in found
    assert [item.run_id for item in found if isinstance(item, ArtifactItem) and item.run_id] == ["r1"]
    assert items.ModelInputItem("m-0f3a") in found


def test_a_table_in_a_new_role_keeps_the_old_one() -> None:
    """A source that an evaluator takes for a holdout is both, and is seen as both."""
    made = about(dossier()).stamped(created="2026-01-01T00:00:00Z", producer="evaluator")
    digest = study().tables["holdout"].digest
    tag = f"synthml.ds.{items.short_digest(digest)}"
    found = items.evaluation(study(), made, artifacts=[], source_run=None, versions={("risk", "3"): {tag: "source"}})
    assert items.VersionTagItem("risk", "3", tag, "holdout,source") in tuple(found)


def test_statements_and_descent_are_items_too() -> None:
    """A signed statement is a file and a tag; the descent of the tables is an entry that reads the same from a spool."""
    from synthml.attestation import new_key, private_key
    from synthml_tracking.attachments import signed_evidence

    made = about(dossier()).stamped(created="2026-01-01T00:00:00Z")
    signed = signed_evidence(made, private_key(new_key()))
    (entry,) = items.descent(study(), made)
    found = tuple(
        items.recording(study(), made, verdict(made), estimator(), artifacts=[signed[0].path], signed=signed, ledger=[entry])
    )
    assert TagItem(signed[0].tag, "evidence") in found
    assert items.artifact_files(made, None, signed=signed)[signed[0].path] == signed[0].raw
    assert entry in found
    assert items.from_dict(json.loads(json.dumps(items.to_dict(entry)))) == entry
    alone = study({"synthetic": tables()["synthetic"]}, subject=None)
    assert items.descent(alone, made) == ()


def test_an_item_of_a_newer_kind_is_not_guessed_at() -> None:
    """A spool that a newer version wrote is refused in words."""
    with pytest.raises(InputError, match="attestation"):
        items.from_dict({"item": "attestation", "signature": "..."})
