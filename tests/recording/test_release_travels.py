"""The engineer's run carries the release of its table along; a changed table breaks the link, loudly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from recording.small_study import QUICK, SCHEMA, estimator, study, tables
from release.a_release import dossier

import synthml_tracking as tracking
from synthml.attestation import Trust, new_key, private_key, public_pem
from synthml.errors import AttestationError, InputError
from synthml.policy import Policy
from synthml.release import decide_release, documents
from synthml_tracking.cli import main
from synthml_tracking.client import load_mlflow
from synthml_tracking.clock import now
from synthml_tracking.ledger import Ledger

if TYPE_CHECKING:
    from synthml import Study


@pytest.fixture
def signer():
    return private_key(new_key())


@pytest.fixture(autouse=True)
def _no_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNTHML_TRUSTED_KEYS", raising=False)


def released(of: Study, signer, path: Path, *, evidence: Path | None = None, **found: tuple[float, float, float]) -> bytes:
    """A signed release of the study's synthetic table, whatever was measured of it. evidence: where the document goes too."""
    from dataclasses import replace

    attacked = replace(dossier(**found), datasets=of.dataset_facts(), producer="custodian")
    files = documents(decide_release(attacked, [Policy.load("release-default")], now=now()), {}, signer=signer)
    path.write_bytes(files["release.dsse.json"])
    if evidence is not None:
        evidence.write_bytes(files["evidence.json"])
    return files["release.dsse.json"]


def test_run_and_version_carry_the_release(store: str, tmp_path: Path, signer) -> None:
    """Signature checked: outcome and key stand in a tag, the statement is an artifact under its digest, and a search finds it."""
    given = study()
    raw = released(given, signer, tmp_path / "release.dsse.json")
    (tmp_path / "custodian.pub").write_bytes(public_pem(signer))
    with tracking.start_run(
        given, settings=QUICK, release=tmp_path / "release.dsse.json", release_keys=tmp_path / "custodian.pub"
    ) as run:
        run.fit(estimator())
    version = run.register("readmission-risk")
    client = load_mlflow().MlflowClient(store)
    key = hashlib.sha256(raw).hexdigest()[:32]
    for tags in (client.get_run(run.run_id).data.tags, client.get_model_version(version.name, version.version).tags):
        assert tags["synthml.release"] == f"pass, signed by {signer.public_key.keyid[:16]}"
        assert tags[f"synthml.at.{key}"] == "release"
    kept = client.download_artifacts(run.run_id, f"synthml/attestations/{key}.dsse.json", str(tmp_path))
    assert Path(kept).read_bytes() == raw
    found = client.search_model_versions(f"tags.`synthml.at.{key}` = 'release'")
    assert [str(one.version) for one in found] == [version.version]


def test_the_custodians_evidence_travels_to_the_gate_of_whoever_has_the_synthetic_table_alone(
    store: str, tmp_path: Path, signer
) -> None:
    """Disclosure is measured for the gate, the source leads to the version, and the document stands under its digest."""
    whole = study()
    raw = released(whole, signer, tmp_path / "release.dsse.json", evidence=tmp_path / "evidence.json")
    document = (tmp_path / "evidence.json").read_bytes()
    apart = study({"synthetic": tables()["synthetic"]}, subject=None)
    with tracking.start_run(apart, settings=QUICK, release=tmp_path / "release.dsse.json") as run:
        run.fit(estimator())
    version = run.register("readmission-risk")
    client = load_mlflow().MlflowClient(store)
    key = hashlib.sha256(document).hexdigest()[:32]
    for tags in (client.get_run(run.run_id).data.tags, client.get_model_version(version.name, version.version).tags):
        assert tags[f"synthml.ev.{key}"] == "custodian"
    kept = client.download_artifacts(run.run_id, f"synthml/evidence/{key}.json", str(tmp_path))
    assert Path(kept).read_bytes() == document
    policy = Policy(name="p", version=1, require={"kinds": ["disclosure"], "signatures": ["custodian"]})
    trusted = Trust.parse(
        f"version: 1\nkeys:\n  - {{name: custodian, roles: [custodian], key: {json.dumps(public_pem(signer).decode())}}}\n"
    )
    found = {one.id: one.outcome for one in tracking.gate(run.model_uri, policy, trust=trusted, record=False).decisions}
    assert (found["evidence.disclosure"], found["signature.custodian"]) == ("pass", "pass")
    source = whole.tables["source"].digest
    assert [one.uri for one in tracking.impact(source).versions] == ["models:/readmission-risk/1"]
    assert hashlib.sha256(raw).hexdigest()[:32] in {one.key for one in Ledger(client).all("release")}


@pytest.mark.parametrize("beside", [None, b"{}"])
def test_a_release_without_its_evidence_travels_alone_and_that_is_told(store: str, tmp_path: Path, signer, beside) -> None:
    """Another file of that name is somebody else's, and stays where it is."""
    given, told = study(), list[str]()
    released(given, signer, tmp_path / "release.dsse.json")
    if beside is not None:
        (tmp_path / "evidence.json").write_bytes(beside)
    with tracking.start_run(given, settings=QUICK, release=tmp_path / "release.dsse.json", progress=told.append) as run:
        run.fit(estimator())
    assert any("without its evidence.json" in line for line in told)
    tags = load_mlflow().MlflowClient(store).get_run(run.run_id).data.tags
    assert [value for key, value in tags.items() if key.startswith("synthml.ev.")] == ["engineer"]


def test_without_a_trusted_key_the_digest_counts_and_that_is_said(store: str, tmp_path: Path, signer, monkeypatch) -> None:
    """No key: not checked, and recorded as such. The environment's key: checked. A stranger's: refused before a run is made."""
    given, path = study(), tmp_path / "release.dsse.json"
    released(given, signer, path)
    with tracking.start_run(given, settings=QUICK, release=path) as run:
        run.fit(estimator())
    told = load_mlflow().MlflowClient(store).get_run(run.run_id).data.tags["synthml.release"]
    assert told.endswith("(signature not checked)")
    monkeypatch.setenv("SYNTHML_TRUSTED_KEYS", public_pem(signer).decode())
    assert tracking.run._attached(given, path, None).checked  # type: ignore[attr-defined]
    monkeypatch.setenv("SYNTHML_TRUSTED_KEYS", public_pem(private_key(new_key())).decode())
    with pytest.raises(AttestationError, match="not among the trusted keys"), tracking.start_run(given, release=path):
        pass
    runs = load_mlflow().MlflowClient(store).search_runs(["0", "1"])
    assert [one.info.run_id for one in runs] == [run.run_id]


def test_a_changed_table_breaks_the_link(store: str, tmp_path: Path, signer) -> None:
    """One value of one row changed after the release: an error that names both digests, before anything is recorded."""
    given = study()
    released(given, signer, tmp_path / "release.dsse.json")
    changed = tables()
    changed["synthetic"].loc[399, "age"] += 1
    other = study(changed)
    with (
        pytest.raises(InputError, match="changed after its release") as told,
        tracking.start_run(other, release=tmp_path / "release.dsse.json"),
    ):
        pass
    for digest in (given.tables["synthetic"].digest, other.tables["synthetic"].digest):
        assert digest[:23] in str(told.value)
    keyed = study()
    keyed = type(keyed)(keyed.schema, **tables(), digest_key=b"a secret of the hospital")
    with pytest.raises(InputError, match="with the key"), tracking.start_run(keyed, release=tmp_path / "release.dsse.json"):
        pass


def test_what_is_no_signed_release_is_refused(store: str, tmp_path: Path, signer) -> None:
    """No file, an unsigned statement, and a forged payload."""
    given, path = study(), tmp_path / "release.dsse.json"
    envelope = json.loads(released(given, signer, path))
    (tmp_path / "custodian.pub").write_bytes(public_pem(signer))
    (tmp_path / "unsigned.json").write_text('{"predicateType": "x", "_type": "y"}')
    envelope["payload"] = "e30="
    (tmp_path / "forged.json").write_text(json.dumps(envelope))
    for name, told in [("nothing.json", "cannot be read"), ("unsigned.json", "without a signature"), ("forged.json", "not hold")]:
        with (
            pytest.raises(InputError, match=told),
            tracking.start_run(given, release=tmp_path / name, release_keys=tmp_path / "custodian.pub"),
        ):
            pass


def test_a_refused_table_may_be_tried_and_says_so(store: str, tmp_path: Path, signer) -> None:
    """The outcome was fail: a warning, and a tag that no gate can overlook."""
    given = study()
    released(given, signer, tmp_path / "r.json", singling_out_risk=(0.3, 0.2, 0.4))
    with (
        pytest.warns(UserWarning, match="was not released"),
        tracking.start_run(given, settings=QUICK, release=tmp_path / "r.json") as run,
    ):
        run.fit(estimator())
    assert load_mlflow().MlflowClient(store).get_run(run.run_id).data.tags["synthml.release"].startswith("fail, signed by")


def test_the_command_finds_the_release_beside_the_table(store: str, tmp_path: Path, signer, capsys) -> None:
    """`synthml run`: found beside the table, refused once the table's file has changed."""
    for role, table in tables().items():
        table.to_parquet(tmp_path / f"{role}.parquet")
    schema = {**SCHEMA, "minimum_cell": {"rows": 20, "events": 5}}
    text = {
        "schema": schema,
        "tables": {role: f"{role}.parquet" for role in ("source", "synthetic", "holdout")},
        "model": {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"solver": "newton-cholesky"}},
        "measure": {"learners": False, "replicates": 100, "folds": 2, "importance_rows": 100, "importance_repeats": 1},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(text))
    from synthml import StudyFile

    released(StudyFile.load(tmp_path / "study.yaml").study(), signer, tmp_path / "release.dsse.json")
    with pytest.raises(SystemExit) as stop:
        main(["run", "study.yaml", "--tracking-uri", store, "--json"])
    assert stop.value.code == 0
    assert "signature not checked" in json.loads(capsys.readouterr().out)["release"]
    changed = tables()["synthetic"]
    changed.loc[0, "ward"] = "surgery" if changed.loc[0, "ward"] != "surgery" else "oncology"
    changed.to_parquet(tmp_path / "synthetic.parquet")
    with pytest.raises(SystemExit) as stop:
        main(["run", "study.yaml", "--tracking-uri", store])
    assert stop.value.code == 2
    assert "changed after its release" in capsys.readouterr().err
