"""Nothing of a row reaches the store: what is planted in every table is searched for in everything that was written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from recording.small_study import QUICK, estimator, study, tables

import synthml_tracking as tracking
from synthml.errors import InputError
from synthml_tracking.client import load_mlflow
from synthml_tracking.scan import contents

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"source": "Zaphod-Beeblebrox", "synthetic": "Trillian-McMillan", "holdout": "Slartibartfast-42"}
GROUPS = {"source": "betelgeusian", "synthetic": "magrathean-x", "holdout": "vogon-prostet"}
NUMBERS = {"source": 48151.623425, "synthetic": 27182.818284, "holdout": 31415.926535}


def planted() -> dict[str, object]:
    """Each table has a label in one row, a number in one row, and a group of three people."""
    given = tables(600)
    for role, table in given.items():
        table.loc[7, "ward"] = LABELS[role]
        table.loc[11, "lactate"] = NUMBERS[role]
        table.loc[[20, 21, 22], "sex"] = GROUPS[role]
        table["note"] = "usual"
        table.loc[30, "note"] = LABELS[role].upper()
    return dict(given)


def forms() -> dict[str, list[bytes]]:
    """What to look for: labels in five encodings, numbers in five."""
    found: dict[str, list[bytes]] = {}
    for label in (*LABELS.values(), *GROUPS.values(), *(one.upper() for one in LABELS.values())):
        found[label] = [label.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")]
        found[label].append("_x2d_".join(label.split("-")).encode())
    for number in NUMBERS.values():
        found[str(number)] = [struct.pack(form, number) for form in ("<d", ">d", "<f", ">f")] + [str(number).encode()]
    return found


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of the store: database, its journal, artifacts, model files; archives opened."""
    return {
        f"{path.relative_to(folder)} {i}": raw
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for i, (_, raw) in enumerate(contents(path.name, path.read_bytes()))
    }


@pytest.mark.parametrize("boosted", [False, True])
def test_a_planted_canary_is_found_nowhere(store: str, tmp_path: Path, boosted: bool) -> None:
    """A rare label, a rare number and a tiny group in source, synthetic and holdout; after fit, register and evaluate: absent."""
    from xgboost import XGBClassifier

    given = study(planted())
    model = XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1) if boosted else estimator()
    with tracking.start_run(given, settings=QUICK, strict=True) as run:
        run.fit(model)
    run.register("canary")
    tracking.evaluate("models:/canary/1", given, settings=QUICK)
    files = everything(tmp_path)
    assert {"MLmodel 0", "report.html 0", "mlflow.db 0"} <= {name.rpartition("/")[2] for name in files}
    assert any(b"usual" in raw for raw in files.values())  # a frequent label is there: the search does find
    for canary, encoded in forms().items():
        where = [name for name, raw in files.items() if any(form in raw for form in encoded)]
        assert not where, f"{canary} stands in {where}"


def test_a_refused_model_leaves_nothing_behind(store: str, tmp_path: Path) -> None:
    """In strict mode a parameter that holds a rare label, or a file that does, is not logged in any form; the run has failed."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    given = study(planted())
    labels = ["sex", "ward", "note"]
    imputed = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=LABELS["source"]), OneHotEncoder(handle_unknown="ignore")
    )
    for encoder in (imputed, OneHotEncoder(handle_unknown="ignore")):
        model = make_pipeline(make_column_transformer((encoder, labels), ("passthrough", ["age", "lactate"])), estimator())
        with (
            pytest.raises(InputError, match="point at few people"),
            tracking.start_run(given, settings=QUICK, strict=True) as run,
        ):
            run.fit(model)
        assert load_mlflow().MlflowClient(store).get_run(run.run_id).info.status == "FAILED"
    files = everything(tmp_path)
    for canary, encoded in forms().items():
        where = [name for name, raw in files.items() if any(form in raw for form in encoded)]
        assert not where, f"{canary} stands in {where}"


def test_a_users_encoder_that_keeps_rare_labels_is_reported(store: str, tmp_path: Path) -> None:
    """The user's own pipeline learns every label: the warning names the columns, and the label is where it was said to be."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    given = study(planted())
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["sex", "ward", "note"]), ("passthrough", ["age", "lactate"])
    )
    with pytest.warns(UserWarning, match="point at few people"), tracking.start_run(given, settings=QUICK) as run:
        run.fit(make_pipeline(encoder, estimator()))
    told = " ".join(run.dossier.notes)
    assert all(f"column '{name}'" in told for name in ("sex", "ward", "note"))
    assert not any(label in told for label in (*LABELS.values(), *GROUPS.values()))
    holding = [name for name, raw in everything(tmp_path).items() if GROUPS["synthetic"].encode() in raw]
    assert holding
    assert all("model.skops" in name for name in holding)
