"""`synthml release`, `key` and `policy`: what they write, what they say, their exit codes, and what they leave behind."""

import hashlib
import json
import os
import stat
import struct

import numpy as np
import pytest
import yaml
from patients import patients
from release.a_release import CALM, dossier

import synthml
from synthml.attestation import public_keys, read_predicate, verify
from synthml_tracking import keys
from synthml_tracking.cli import main
from synthml_tracking.commands import release as command

STUDY = {
    "schema": {
        "target": "ill",
        "positive": 1,
        "sensitive": ["sex"],
        "subject": "person",
        "quasi_identifiers": ["age", "sex"],
        "minimum_cell": {"rows": 50, "events": 10},
    },
    "tables": {"source": "source.parquet", "synthetic": "synthetic.parquet", "holdout": "holdout.parquet"},
    "measure": {"replicates": 100, "disclosure": {"split_halves": 20, "predicates": 100, "targets": 100}},
    "seed": 3,
}
CANARY = {"source": "Zaphod-Beeblebrox", "synthetic": "Trillian-McMillan", "holdout": "Slartibartfast-42"}
NUMBER = {"source": 48151.623425, "synthetic": 27182.818284, "holdout": 31415.926535}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A custodian's folder: three tables with a rare label and a rare number planted in each, and a study file."""
    monkeypatch.chdir(tmp_path)
    for name in (keys.SIGNING, keys.PASSPHRASE, keys.TRUSTED):
        monkeypatch.delenv(name, raising=False)
    for i, role in enumerate(CANARY):
        table = patients(300, i, first_subject=1000 * i)
        table["note"] = np.where(np.arange(300) == 7, CANARY[role], "usual")
        table["lactate"] = np.where(np.arange(300) == 11, NUMBER[role], np.arange(300) % 50)
        table.to_parquet(f"{role}.parquet")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


@pytest.fixture
def measured(place, monkeypatch):
    """The attacks give figures that are known beforehand, so that what follows from them is known too."""
    found = {"figures": dossier()}

    def measure(study, **settings):
        attacked = found["figures"]
        if isinstance(attacked, Exception):
            raise attacked
        from synthml.disclosure import RowsAtRisk

        settings["rows_at_risk"](RowsAtRisk({"singling_out": (3, 7), "copies": (7,)}))
        return synthml.Dossier(
            figures=attacked.figures,
            datasets=study.dataset_facts(),
            study=study.summary(),
            generation=attacked.generation,
            kinds=("disclosure",),
            seed=settings["seed"],
        )

    monkeypatch.setattr(synthml, "measure", measure)
    return found


def call(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_a_release_is_decided_written_and_signed(measured, place, capsys):
    """Two policies pass: exit 0, six files, and a signature that holds for the very table."""
    call(capsys, "key", "new", "--output", "custodian.key")
    (place / "custodian.pub").write_text(json.loads(call(capsys, "key", "show", "custodian.key", "--json")[1])["public_key"])
    words = ("--policy", "release-uk", "--policy", "release-korea", "--output", "out", "--sign-key", "custodian.key", "--json")
    code, out, _ = call(capsys, "release", "study.yaml", *words)
    assert code == 0
    told = json.loads(out)
    assert (told["outcome"], told["signed"]) == ("pass", True)
    trusted = public_keys((place / "custodian.pub").read_bytes())
    verified = verify((place / "out" / "release.dsse.json").read_bytes(), trusted)
    assert verified.statement.subjects[0].digest == synthml.table_digest(place / "synthetic.parquet") == told["subject"]
    assert read_predicate(verified.statement).outcome == "pass"
    assert sorted(p.name for p in (place / "out").iterdir()) == [
        "datasheet.croissant.json", "datasheet.md", "dossier.html", "evidence.json", "release.dsse.json", "verdicts.json",
    ]  # fmt: skip
    evidence = synthml.Dossier.from_json((place / "out" / "evidence.json").read_bytes())
    assert (evidence.producer, evidence.digest) == ("custodian", told["evidence_digest"])
    (file,) = json.loads((place / "out" / "datasheet.croissant.json").read_bytes())["distribution"]
    assert file["sha256"] == hashlib.sha256((place / "synthetic.parquet").read_bytes()).hexdigest()


def test_a_refused_table_says_what_failed_and_what_can_be_done(measured, place, capsys):
    """Exit 1; criterion, required, found, advice; the other policy's pass does not hide it; unsigned is said aloud."""
    measured["figures"] = dossier(singling_out_risk=(0.2, 0.15, 0.25))
    code, out, err = call(
        capsys, "release", "study.yaml", "--policy", "release-uk", "--policy", "release-korea", "--output", "out"
    )
    assert code == 1
    assert "refused" in out
    assert "singling-out" in out
    assert "at most 0.09" in out
    assert "0.2" in out
    assert "min_leaf" in out
    assert "no claim of compliance" in out
    assert "NOT SIGNED" in err
    assert (place / "out" / "release.json").exists()
    assert not (place / "out" / "release.dsse.json").exists()


def test_what_cannot_be_decided_is_neither_pass_nor_fail(measured, place, capsys):
    """An interval that holds the threshold: exit 3."""
    measured["figures"] = dossier(linkability_risk=(0.05, 0.0, 0.1))
    code, out, _ = call(capsys, "release", "study.yaml", "--policy", "release-default", "--output", "out")
    assert code == 3
    assert "rows would decide it" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--policy", "release-ku", "--output", "out"), "Did you mean"),
        (("--output", "out"), "--policy"),
        (("--policy", "release-uk", "--policy", "release-uk", "--output", "out"), "twice"),
        (("--policy", "release-uk", "--output", "study.yaml"), "file"),
        (("--policy", "release-uk", "--output", "full"), "other files"),
        (("--policy", "release-uk", "--output", "out", "--sign-key", "study.yaml"), "signing key cannot be read"),
        (("--policy", "release-uk", "--output", "out", "--rows-at-risk", "out/rows.csv"), "outside"),
        (("--policy", "release-uk", "--output", "out", "--rows-at-risk", "nowhere/rows.csv"), "does not exist"),
    ],
)
def test_what_is_wrong_with_the_call_is_told_and_nothing_is_written(measured, place, capsys, words, told):
    """Exit 2, one clear line, and no folder."""
    (place / "full").mkdir()
    (place / "full" / "thesis.tex").write_text("years of work")
    before = sorted(p for p in place.rglob("*"))
    code, _, err = call(capsys, "release", "study.yaml", *words)
    assert code == 2
    assert told in err
    assert sorted(p for p in place.rglob("*")) == before


def test_an_error_leaves_nothing_and_an_older_release_whole(measured, place, capsys, monkeypatch):
    """Measuring fails, or the disk does while writing: no new file, and the release from before stands unchanged."""
    words = ("release", "study.yaml", "--policy", "release-uk", "--output", "out", "--rows-at-risk", "rows.csv")
    call(capsys, *words)
    (place / "rows.csv").unlink()
    before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}
    calm = measured["figures"]
    measured["figures"] = synthml.InputError("the attack broke off")
    assert call(capsys, *words)[0] == 2
    measured["figures"] = calm

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synthml_tracking.files.flush_folder", full)
    code, _, err = call(capsys, *words)
    assert (code, "No space left" in err) == (2, True)
    assert {p: p.read_bytes() for p in place.rglob("*") if p.is_file()} == before


def test_a_new_release_replaces_the_old_one_as_a_whole(measured, place, capsys):
    """After a signed release an unsigned one: no signature of the old one is left beside the new statement."""
    call(capsys, "key", "new", "--output", "k")
    words = ("release", "study.yaml", "--policy", "release-uk", "--output", "out")
    call(capsys, *words, "--sign-key", "k")
    assert (place / "out" / "release.dsse.json").exists()
    call(capsys, *words)
    names = sorted(p.name for p in (place / "out").iterdir())
    assert "release.json" in names
    assert "release.dsse.json" not in names
    assert not [p for p in place.iterdir() if p.name.startswith(".")]


def test_rows_at_risk_are_positions_for_the_custodian_alone(measured, place, capsys):
    """Two attacks, three hits, two rows: a file that only its owner reads, and not a word of it in the release."""
    call(capsys, "release", "study.yaml", "--policy", "release-uk", "--output", "out", "--rows-at-risk", "rows.csv")
    assert (place / "rows.csv").read_text() == "row,attacks\n3,singling_out\n7,singling_out copies\n"
    assert stat.S_IMODE((place / "rows.csv").stat().st_mode) == 0o600
    assert "rows.csv" not in "".join(p.read_text() for p in (place / "out").iterdir())


def test_the_key_comes_from_the_environment_too(measured, place, capsys, monkeypatch):
    """As a path or as PEM, encrypted with a passphrase that stands in the environment."""
    monkeypatch.setenv(keys.PASSPHRASE, "correct horse")
    call(capsys, "key", "new", "--output", "k")
    assert b"ENCRYPTED" in (place / "k").read_bytes()
    words = ("release", "study.yaml", "--policy", "release-uk", "--output", "out", "--json")
    for value in ("k", (place / "k").read_text()):
        monkeypatch.setenv(keys.SIGNING, value)
        assert json.loads(call(capsys, *words)[1])["signed"]
    monkeypatch.delenv(keys.PASSPHRASE)
    code, _, err = call(capsys, *words)
    assert (code, keys.PASSPHRASE in err) == (2, True)


def test_a_key_is_for_its_owner_and_never_overwritten(place, capsys):
    """Mode 0600; a second `key new` is refused; `show` gives what `new` printed."""
    code, public, err = call(capsys, "key", "new", "--output", "k")
    assert code == 0
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert "key id: " in err
    assert stat.S_IMODE((place / "k").stat().st_mode) == 0o600
    secret = (place / "k").read_bytes()
    assert call(capsys, "key", "new", "--output", "k")[0] == 2
    assert (place / "k").read_bytes() == secret
    assert call(capsys, "key", "show", "k")[1] == public
    (place / "pub").write_text(public)
    assert call(capsys, "key", "show", "pub")[1].strip() in err


def test_policies_are_listed_explained_and_checked(place, capsys):
    """Names and digests; plain words with sources; a mistake with its line and exit 2."""
    assert "release-singapore v1" in call(capsys, "policy", "list")[1]
    assert {p["name"] for p in json.loads(call(capsys, "policy", "list", "--json")[1])} >= {"release-default", "release-open"}
    told = call(capsys, "policy", "show", "release-open")[1]
    assert "disclosure.inference.risk, everywhere it is measured: its upper bound is at most 0.05" in told
    assert "Extends release-default v1" in told
    text = "name: ours\nversion: 1\nextends: release-default\n"
    (place / "ours.yaml").write_text(text)
    assert call(capsys, "policy", "check", "ours.yaml")[0] == 0
    (place / "ours.yaml").write_text(
        text + "criteria:\n  - {id: a, figure: disclosure.copies.shares, at_most: 0, source: s, set_by: o}\n"
    )
    code, _, err = call(capsys, "policy", "check", "ours.yaml")
    assert code == 2
    assert "ours.yaml, line 5" in err
    assert "disclosure.copies.share" in err


@pytest.mark.slow
def test_nothing_of_a_row_stands_in_a_release(place, capsys):
    """The real attacks on tables with a rare label and number in each: neither is found in any file, in any encoding."""
    code, _, err = call(
        capsys, "release", "study.yaml", "--policy", "release-default", "--output", "out", "--rows-at-risk", "rows.csv"
    )
    assert code in (1, 3), err
    written = {p.name: p.read_bytes() for p in [*(place / "out").iterdir(), place / "rows.csv"]}
    assert b"lactate" in written["datasheet.md"]  # the search does find what is there
    for role, label in CANARY.items():
        forms = [label.encode(e) for e in ("utf-8", "utf-16-le", "utf-32-le")] + [label.replace("-", "\\-").encode()]
        forms += ["_x2d_".join(label.split("-")).encode(), str(NUMBER[role]).encode(), struct.pack("<d", NUMBER[role])]
        assert not [name for name, raw in written.items() for form in forms if form in raw], role


def test_the_advice_covers_every_shipped_criterion():
    """No release policy can refuse a table without a line of what to do."""
    from datetime import UTC, datetime

    from synthml.policy import Policy
    from synthml.release import advice, decide_release

    worst = {name.partition("/")[0].removeprefix("disclosure.").replace(".", "_"): (0.9, 0.8, 0.95) for name in CALM}
    for name in ("release-default", "release-open", "release-uk", "release-singapore", "release-korea"):
        release = decide_release(dossier(**worst), [Policy.load(name)], now=datetime(2026, 1, 2, 12, tzinfo=UTC))
        assert release.verdicts[0].failed
        assert advice(release)


def test_the_help_is_instant_and_names_the_exit_codes(capsys):
    """`synthml release --help` says what 0, 1, 2 and 3 are."""
    out = call(capsys, "release", "--help")[1]
    assert "Exit codes: 0 every policy passes" in out
    assert command.release.name == "release"
    assert os.environ.get("SYNTHML_DEBUG") is None
