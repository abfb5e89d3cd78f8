"""Readers see what a fitted synthesizer can tell of itself by the look of its object: no library is imported, no data kept."""

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthml.generation import GenerationRecord
from synthml.generation.readers import plain_parameter

CANARY = pd.DataFrame({"a": ["Canary-Zebulon"] * 3})


def shaped_like(module, name, bases=(), **body):
    """A class whose objects look as if they came from `module`."""
    return type(name, bases, {"__module__": module, **body})


class SdvMetadata:
    def to_dict(self):
        columns = {"pid": {"sdtype": "id"}, "age": {"sdtype": "numerical"}, "name": {"sdtype": "name", "pii": True}}
        return {"tables": {"visits": {"primary_key": "pid", "columns": columns}}, "relationships": []}


def sdv_synthesizer():
    """As SDV's single-table synthesizers: get_info, get_parameters, get_metadata; the neural ones keep _model_kwargs."""

    def init(self, metadata, enforce_rounding=True, locales=("en_US",), epochs=300):
        self.metadata, self.enforce_rounding, self.locales = metadata, enforce_rounding, list(locales)
        self._model_kwargs = {"epochs": epochs, "discriminator_dim": (256, 256)}
        self._data_processor = CANARY

    body = {
        "__init__": init,
        "get_info": lambda self: {
            "class_name": "CTGANSynthesizer", "creation_date": "2025-01-01", "is_fit": True, "last_fit_date": "2025-01-02",
            "fitted_sdv_version": "1.36.2",
        },
        "get_parameters": lambda self: {"enforce_rounding": self.enforce_rounding, "locales": self.locales, "epochs": None},
        "get_metadata": lambda self: self.metadata,
    }  # fmt: skip
    return shaped_like("sdv.single_table.ctgan", "CTGANSynthesizer", **body)(SdvMetadata())


def test_sdv():
    record = GenerationRecord.from_synthesizer(sdv_synthesizer(), id="x").to_dict()
    assert record["id"] == "x"
    assert record["created"] == "2025-01-02"
    assert record["generator"] == {
        "name": "sdv.single_table.ctgan.CTGANSynthesizer",
        "library": "sdv",
        "version": "1.36.2",
        "parameters": {"enforce_rounding": True, "locales": ["en_US"], "epochs": 300, "discriminator_dim": [256, 256]},
    }
    assert record["dictionary"] == [
        {"name": "pid", "kind": "id", "classification": "direct"},
        {"name": "age", "kind": "numerical"},
        {"name": "name", "kind": "name", "classification": "direct"},
    ]


def synthcity_plugin():
    """As a synthcity plugin: static name and type, fqdn, constructor parameters as attributes, core ones in the base class."""

    def core(self, sampling_patience=500, random_state=0, workspace=None, **kwargs):
        self.sampling_patience, self.random_state, self.workspace = sampling_patience, random_state, workspace
        self._schema = CANARY

    def init(self, n_iter=2000, epsilon=1.0, delta=None, **kwargs):
        core(self, **kwargs)
        self.n_iter, self.epsilon, self.delta = n_iter, epsilon, delta
        self.model = CANARY

    base = shaped_like("synthcity.plugins.core.plugin", "Plugin", __init__=core, fqdn=classmethod(lambda cls: "privacy.dpgan"))
    plugin = shaped_like("synthcity.plugins.privacy.plugin_dpgan", "DPGANPlugin", (base,), __init__=init)
    return plugin(n_iter=10, epsilon=0.5, workspace=Path("/home/canary"), random_state=7)


def test_synthcity():
    record = GenerationRecord.from_synthesizer(synthcity_plugin()).to_dict()
    assert record["privacy"] == {"epsilon": 0.5}
    generator = record["generator"]
    assert generator["plugin"] == "privacy.dpgan"
    assert generator["library"] == "synthcity"
    assert generator["seeds"] == 7
    assert generator["parameters"] == {
        "delta": None, "epsilon": 0.5, "n_iter": 10, "random_state": 7, "sampling_patience": 500, "workspace": "(path)",
    }  # fmt: skip
    assert "canary" not in json.dumps(record).lower()


def test_mostlyai_engine():
    """As the engine's scikit-learn style estimators: get_params, differential_privacy as a map."""

    def init(self, model=None, max_epochs=100.0, differential_privacy=None, workspace_dir=None, random_state=None):
        vars(self).update(model=model, max_epochs=max_epochs, differential_privacy=differential_privacy)
        vars(self).update(workspace_dir=workspace_dir, random_state=random_state, feature_names_in_=np.array(["Canary"]))

    names = ["model", "max_epochs", "differential_privacy", "workspace_dir", "random_state"]
    argn = shaped_like(
        "mostlyai.engine.sklearn_interface",
        "TabularARGN",
        __init__=init,
        get_params=lambda self, deep=True: {name: getattr(self, name) for name in names},
    )
    fitted = argn(model="MOSTLY_AI/Small", differential_privacy={"max_epsilon": 3.0, "delta": 1e-5}, workspace_dir="/srv/canary")
    record = GenerationRecord.from_synthesizer(fitted).to_dict()
    assert record["privacy"] == {"epsilon": 3.0, "delta": 1e-5}
    assert record["generator"]["library"] == "mostlyai-engine"
    assert record["generator"]["parameters"]["model"] == "MOSTLY_AI/Small"
    assert record["generator"]["parameters"]["differential_privacy"] == {"max_epsilon": 3.0, "delta": 1e-5}
    assert "Canary" not in json.dumps(record)


def test_mostlyai_generator():
    """As the SDK's Generator: source tables with a model configuration each."""

    class Configuration:
        def model_dump(self, **_):
            return {"model": "MOSTLY_AI/Medium", "max_epochs": 20.0, "differential_privacy": {"max_epsilon": 5.0, "delta": 1e-5}}

    class SourceTable:
        name, total_rows, tabular_model_configuration, language_model_configuration = "visits", 4000, Configuration(), None

    generator = shaped_like("mostlyai.sdk.domain", "Generator", id="g-1", tables=[SourceTable()], random_state=3)()
    record = GenerationRecord.from_synthesizer(generator).to_dict()
    assert record["generator"]["training_rows"] == 4000
    assert record["generator"]["seeds"] == 3
    assert record["generator"]["id"] == "g-1"
    assert record["generator"]["parameters"]["max_epochs"] == 20.0
    assert record["privacy"] == {"epsilon": 5.0, "delta": 1e-5}


def test_a_synthesizer_with_a_record_of_its_own():
    class Own:
        def record(self):
            return GenerationRecord(generator={"name": "own"}, source={"n": 10})

    record = GenerationRecord.from_synthesizer(Own(), purpose="teach", source={"owner": "me"})
    assert record.to_dict() == {"generator": {"name": "own"}, "source": {"n": 10, "owner": "me"}, "purpose": "teach"}


def test_any_other_object_by_its_constructor():
    class Copula:
        def __init__(self, table, bins=10, columns=None, seed=1):
            self.bins, self.columns, self._seed, self.table = bins, columns, seed, table
            self.learned_ = CANARY

    record = GenerationRecord.from_synthesizer(Copula(CANARY, columns=["age"], seed=5)).to_dict()
    assert record["generator"]["parameters"] == {
        "bins": 10, "columns": ["age"], "seed": 5, "table": {"type": "DataFrame", "shape": [3, 1]},
    }  # fmt: skip
    assert record["generator"]["seeds"] == 5
    assert "Canary" not in json.dumps(record)


def test_the_version_is_that_of_the_installed_library():
    from sklearn.mixture import GaussianMixture

    record = GenerationRecord.from_synthesizer(GaussianMixture(n_components=3, means_init=np.zeros((3, 2)))).to_dict()
    assert record["generator"]["library"] == "scikit-learn"
    assert record["generator"]["version"] == metadata.version("scikit-learn")
    assert record["generator"]["parameters"]["means_init"] == {"type": "ndarray", "shape": [3, 2]}


def test_no_synthesizer_library_is_imported():
    for fitted in (sdv_synthesizer(), synthcity_plugin()):
        GenerationRecord.from_synthesizer(fitted)
    assert not {"sdv", "synthcity", "mostlyai"} & set(sys.modules)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (float("inf"), "inf"),
        (np.zeros((2, 3)), {"type": "ndarray", "shape": [2, 3]}),
        (CANARY, {"type": "DataFrame", "shape": [3, 1]}),
        (CANARY["a"], {"type": "Series", "shape": [3]}),
        (list(range(100)), {"type": "list", "size": 100}),
        ({"a": [CANARY]}, {"a": [{"type": "DataFrame", "shape": [3, 1]}]}),
        ({str(i): i for i in range(99)}, {"type": "dict", "size": 99}),
        ("x" * 500, "(text of 500 characters)"),
        (Path("/home/me"), "(path)"),
        (b"raw", {"type": "builtins.bytes"}),
        ({"b", "a"}, ["a", "b"]),
        (int, "builtins.int"),
        (len, "builtins.len"),
        (object(), {"type": "builtins.object"}),
        ([[[[[1]]]]], [[[[{"type": "list", "size": 1}]]]]),
    ],
)
def test_a_parameter_never_carries_data(value, plain):
    told = plain_parameter(value)
    assert told == plain
    json.dumps(told)
