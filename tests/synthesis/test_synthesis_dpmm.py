"""The private generator runs in another environment: what it refuses, and, where that environment is, what it draws."""

import os

import numpy as np
import pandas as pd
import pytest
from patients import patients

from synthml.errors import InputError, MissingExtraError
from synthml.synthesis import DpmmSynthesizer, Synthesizer

WITHOUT = "needs an environment with dpmm, named by SYNTHML_DPMM_PYTHON"


def test_without_its_environment_the_error_names_the_commands_that_make_one(monkeypatch):
    monkeypatch.delenv("SYNTHML_DPMM_PYTHON", raising=False)
    with pytest.raises(MissingExtraError, match=r"uv pip install --python .* dpmm=="):
        DpmmSynthesizer(epsilon=1.0).fit(patients(50, 1))


def test_an_interpreter_without_dpmm_is_told_as_missing(monkeypatch):
    monkeypatch.setenv("SYNTHML_DPMM_PYTHON", os.sys.executable)
    with pytest.raises(MissingExtraError, match="needs dpmm"):
        DpmmSynthesizer(epsilon=1.0).fit(patients(50, 1))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [({"epsilon": 0}, "above 0"), ({"delta": 1.0}, "between 0 and 1"), ({"mechanism": "magic"}, "there is mst")],
)
def test_parameters_out_of_range_are_refused(parameters, told):
    with pytest.raises(InputError, match=told):
        DpmmSynthesizer(**parameters)


def test_it_takes_the_place_of_any_generator_and_says_that_rows_are_protected():
    generator = DpmmSynthesizer(epsilon=0.5, delta=1e-6)
    assert isinstance(generator, Synthesizer)
    privacy = generator.record().to_dict()["privacy"]
    assert (privacy["epsilon"], privacy["unit"]) == (0.5, "row")
    with pytest.raises(InputError, match="Call fit first"):
        generator.sample()


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("SYNTHML_DPMM_PYTHON"), reason=WITHOUT)
def test_it_gives_a_table_of_the_sources_form_and_learns_more_with_a_larger_epsilon():
    table = patients(4000, 3, per_subject=2)
    table["seen"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(4000) % 300, unit="D")
    table.loc[::9, "marker"] = np.nan
    drawn = DpmmSynthesizer(epsilon=50.0, iterations=200).fit(table, subject="person").sample(1000)
    assert drawn.dtypes.to_dict() == table.dtypes.to_dict()
    assert len(drawn) == 1000
    assert drawn["person"].is_unique
    assert not set(drawn["person"]) & set(table["person"])
    assert drawn["site"].value_counts(normalize=True)["north"] == pytest.approx(0.5, abs=0.06)
    assert drawn["marker"].isna().mean() == pytest.approx(1 / 9, abs=0.05)
