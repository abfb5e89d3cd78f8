"""Importing the packages, and asking for help, loads nothing heavy."""

import json
import resource
import subprocess
import sys

import pytest

import synthml

HEAVY = ("mlflow", "xgboost", "evidently", "matplotlib", "sklearn", "scipy.stats", "statsmodels", "pyarrow", "fairlearn", "torch")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout))


@pytest.mark.parametrize("statement", ["import synthml", "import synthml_tracking", "import synthml_tracking.cli"])
def test_importing_loads_no_heavy_library(statement):
    loaded = modules_after(statement)
    assert not [name for name in HEAVY if name in loaded]


def test_measuring_a_study_never_loads_mlflow():
    loaded = modules_after(
        "import synthml; synthml.measure, synthml.Study, synthml.Policy, synthml.report_html, synthml.CartSynthesizer"
    )
    assert not [name for name in ("mlflow", "xgboost", "evidently", "synthml_tracking") if name in loaded]


def test_help_takes_less_than_half_a_second():
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "synthml_tracking.cli", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)

    assert min(seconds() for _ in range(5)) < 0.5


def test_every_public_name_can_be_loaded_and_is_listed():
    for name in synthml.__all__:
        assert getattr(synthml, name) is not None
    assert set(synthml.__all__) <= set(dir(synthml))
    with pytest.raises(AttributeError, match="no attribute 'Studdy'"):
        _ = synthml.Studdy
